// Loading of the module: what is to be set up; nothing else.
#include "consume/settings.hpp"
#include "migration/settings.hpp"
#include "pg/function.hpp"
#include "pg/settings.hpp"
#include "store/settings.hpp"

MIGRATOR_EXPORT void _PG_init();
MIGRATOR_EXPORT void _PG_init() {
  migrator::migration::define_settings();
  migrator::store::define_settings();
  migrator::consume::define_settings();
  migrator::pg::reserve_prefix();
  if (!migrator::pg::preloading()) return;
  migrator::pg::register_launcher("migrator_launcher_main", "migrator launcher");
  migrator::pg::leave_dropped_databases();
}
