#pragma once
// Settings of the server (GUCs). A feature declares its own with define() in its init function.

namespace migrator::pg {

// value keeps the setting and must live as long as the process. Units: "ms", "s", "kB" or "".
// All are read from postgresql.conf and take effect on reload.
void define_integer(const char *name, const char *description, int *value, int fallback, int least, int most,
                    const char *unit);
// After the last define(): an unknown migrator.* is an error from now on.
void reserve_prefix();
// Are we being loaded by shared_preload_libraries?
bool preloading();
// Registers the launcher; only while preloading.
void register_launcher(const char *function, const char *title);
// From now on DROP DATABASE ends our workers in that database; only while preloading.
void leave_dropped_databases();

}  // namespace migrator::pg
