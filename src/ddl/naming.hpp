#pragma once
// From the code of a business object or field to a name in the database, and to the way it is written in SQL.
//
// In the database a name is the code with ASCII letters folded to lower case. In the text of a statement a plain code
// stands as it is (the server folds it the same way); anything else stands quoted, in its folded form.
// A name of more than 63 bytes is cut at a character and ends in "_" and the FNV-1a hash (64 bits, 16 hexadecimal
// digits) of the whole folded name: two long names stay apart, and one name gives the same result everywhere.

#include <string>
#include <string_view>

#include "base/no_postgres.hpp"

namespace migrator::ddl {

struct Name {
  std::string real;     // in the database
  std::string printed;  // in a statement
};

Name name_of(std::string_view code);

std::string fold(std::string_view text);
bool is_reserved(std::string_view folded);  // no name of a table or column unless quoted
std::string quote(std::string_view name);

// The name PostgreSQL chooses for what comes with a table: its primary key (column "", label "pkey"), an index on a
// column ("idx"), the sequence of a serial column ("seq"). As makeObjectName in the server does.
std::string companion_name(std::string_view table, std::string_view column, std::string_view label);

}  // namespace migrator::ddl
