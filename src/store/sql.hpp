#pragma once
// Statements of the store. Everything in this folder is UTF-8; it is converted on its way to the database and back.

#include <initializer_list>
#include <string>

#include "pg/answer.hpp"
#include "pg/row_writer.hpp"

namespace migrator::store {

using Column = pg::TextArray;  // a parameter of many values: text[]

// Each throws Error 40001 if a row is there by now, by an index of ours. Other unique indexes raise pg::Error.
// $1 is the company; $2, $3 … are the parameters.
pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters);
void insert(pg::RowWriter &rows);  // new rows
void update(pg::RowWriter &rows);  // known ones; Error 40001 also if one is not what was read
// Throws Error 40001: another session was faster.
[[noreturn]] void met();

}  // namespace migrator::store
