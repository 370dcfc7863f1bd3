#pragma once
// Statements of the store. Everything in this folder is UTF-8; it is converted on its way to the database and back.

#include <initializer_list>
#include <string>

#include "pg/answer.hpp"
#include "pg/row_writer.hpp"

namespace migrator::store {

using Column = pg::TextArray;  // a parameter of many values: text[]

// $1 is the company; $2, $3 … are the parameters.
pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters);
// Write new rows, and known ones. Throw Error 40001 if a row exists by now, or is not what was read: another session was faster.
void insert(pg::RowWriter &rows);
void update(pg::RowWriter &rows);

}  // namespace migrator::store
