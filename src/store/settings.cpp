#include "store/settings.hpp"

#include "pg/settings.hpp"

namespace migrator::store {

int message_depth = 100;

void define_settings() {
  pg::define_integer("migrator.message_depth", "How deep messages may be nested in each other.", &message_depth, 100, 1, 1000, "");
}

}  // namespace migrator::store
