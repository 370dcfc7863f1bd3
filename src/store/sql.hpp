#pragma once
// Statements of the store. Everything in this folder is UTF-8; it is converted on its way to the database and back.

#include <initializer_list>
#include <string>

#include "pg/answer.hpp"
#include "pg/copy.hpp"

namespace migrator::store {

using Column = pg::TextArray;  // a parameter of many values: text[]

// $1 is the company; $2, $3 … are the parameters.
pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters);
// Writes new rows. Throws Error 40001 if one exists by now: somebody has brought it since it was looked for.
void write(pg::Copy &rows);

}  // namespace migrator::store
