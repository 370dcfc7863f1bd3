// SQL functions: a structure, as migrator.dump_structure gives it, to the DDL that follows from it.

#include "ddl/script.hpp"
#include "pg/function.hpp"

namespace ddl = migrator::ddl;
namespace pg = migrator::pg;

MIGRATOR_FUNCTION(migrator_in_script) {
  return pg::return_text(ddl::script(ddl::in_tables(ddl::parse_structure(pg::Arguments(fcinfo).text(0)))));
}

MIGRATOR_FUNCTION(migrator_in_plan) {
  return pg::return_text(ddl::plan(ddl::in_tables(ddl::parse_structure(pg::Arguments(fcinfo).text(0)))));
}
