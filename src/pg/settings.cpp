#include "pg/prelude.hpp"

#include <cstring>

#include "pg/guard.hpp"
#include "pg/settings.hpp"

// Called from _PG_init only, where an error may pass: there is nothing of ours on the stack.
namespace migrator::pg {

void define_integer(const char *name, const char *description, int *value, int fallback, int least, int most,
                    const char *unit) {
  int const flags = std::strcmp(unit, "ms") == 0   ? GUC_UNIT_MS
                    : std::strcmp(unit, "s") == 0  ? GUC_UNIT_S
                    : std::strcmp(unit, "kB") == 0 ? GUC_UNIT_KB
                                                   : 0;
  DefineCustomIntVariable(name, description, nullptr, value, fallback, least, most,
                          PGC_SIGHUP, flags, nullptr, nullptr, nullptr);
}

void reserve_prefix() { MarkGUCPrefixReserved("migrator"); }

bool preloading() { return process_shared_preload_libraries_in_progress; }

void register_launcher(const char *function, const char *title) {
  BackgroundWorker worker;
  std::memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 5;
  snprintf(worker.bgw_library_name, BGW_MAXLEN, "migrator");
  snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", function);
  snprintf(worker.bgw_name, BGW_MAXLEN, "%s", title);
  snprintf(worker.bgw_type, BGW_MAXLEN, "%s", title);
  RegisterBackgroundWorker(&worker);
}

}  // namespace migrator::pg
