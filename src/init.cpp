// Loading of the module: what is to be set up; nothing else.
#include "pg/function.hpp"

MIGRATOR_EXPORT void _PG_init();
MIGRATOR_EXPORT void _PG_init() {}
