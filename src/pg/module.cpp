// What makes a shared library a module of PostgreSQL.
#include "pg/prelude.hpp"

extern "C" {
PG_MODULE_MAGIC;
}
