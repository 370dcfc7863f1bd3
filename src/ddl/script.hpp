#pragma once
// In-tables as SQL, in the line layout that suppliers know.

#include <string>
#include <vector>

#include "ddl/in_tables.hpp"

#include "base/no_postgres.hpp"

namespace migrator::ddl {

// All of it, in an order that runs as one script.
std::string script(const Layout &layout);

// The layout with its statements, as JSON, for migrator.apply_in_ddl and migrator.in_layout:
// {"schema", "create_schema", "tables": [{"kind", "bo", "relname", "name", "create": [statement], "needed": [column],
//   links: "field", "member", "target", "type", "position", "owner_attname", "attname",
//   others: "columns": [{"field", "type", "position", "attname", "name", "sql_type", "is_key"}]}]}
// "name" is the printed form; "needed" are the columns without which a table is none of its kind. What is not there
// (the member of a BO link, the column of a key field) is left out.
std::string plan(const Layout &layout);

}  // namespace migrator::ddl
