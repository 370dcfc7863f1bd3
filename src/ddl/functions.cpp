// SQL functions: a structure, as migrator.dump_structure gives it, to the DDL that follows from it.

#include "ddl/script.hpp"
#include "pg/encoding.hpp"
#include "pg/function.hpp"

namespace ddl = migrator::ddl;
namespace pg = migrator::pg;

static ddl::Structure structure_of(const pg::Arguments &arguments) {
  return ddl::parse_structure(pg::to_utf8(arguments.text(0)));
}

MIGRATOR_FUNCTION(migrator_in_script) {
  return pg::return_text(pg::from_utf8(ddl::script(ddl::in_tables(structure_of(pg::Arguments(fcinfo))))));
}

MIGRATOR_FUNCTION(migrator_in_plan) {
  return pg::return_text(pg::from_utf8(ddl::plan(ddl::in_tables(structure_of(pg::Arguments(fcinfo))))));
}
