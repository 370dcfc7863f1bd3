// DROP DATABASE waits for the sessions in the database and gives up after five seconds. Ours leave for it, as
// autovacuum does.
#include "pg/prelude.hpp"

#include <csignal>
#include <cstring>

#include "pg/settings.hpp"

extern "C" {
#include "commands/dbcommands.h"
#include "utils/backend_status.h"
}

namespace migrator::pg {
namespace {

ProcessUtility_hook_type next_hook = nullptr;

void end_workers(Oid database) {
  int const count = pgstat_fetch_stat_numbackends();
  for (int i = 1; i <= count; i++) {
    LocalPgBackendStatus *const local = backend_status(i);
    if (local == nullptr) continue;
    PgBackendStatus const &status = local->backendStatus;
    if (status.st_databaseid != database || status.st_backendType != B_BG_WORKER) continue;
    const char *type = GetBackgroundWorkerTypeByPid(status.st_procpid);
    if (type != nullptr && std::strncmp(type, "migrator ", 9) == 0) (void)kill(status.st_procpid, SIGTERM);
  }
}

// Called by PostgreSQL; nothing here has a destructor, so errors may pass.
void on_utility(PlannedStmt *statement, const char *text, bool read_only, ProcessUtilityContext context, ParamListInfo parameters,
                QueryEnvironment *environment, DestReceiver *destination, QueryCompletion *completion) {
  if (IsA(statement->utilityStmt, DropdbStmt)) {
    Oid const database = get_database_oid(reinterpret_cast<DropdbStmt *>(statement->utilityStmt)->dbname, true);
    if (OidIsValid(database) && owns_database(database)) end_workers(database);
  }
  (next_hook != nullptr ? next_hook : standard_ProcessUtility)(statement, text, read_only, context, parameters, environment, destination,
                                                               completion);
}

}  // namespace

void leave_dropped_databases() {
  next_hook = ProcessUtility_hook;
  ProcessUtility_hook = on_utility;
}

}  // namespace migrator::pg
