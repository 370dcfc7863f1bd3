#include "pg/prelude.hpp"

#include <cstring>

#include "base/error.hpp"
#include "base/fault.hpp"
#include "pg/guard.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"

namespace migrator::pg {
namespace {

static_assert(sizeof(Assignment) <= BGW_EXTRALEN);

void describe(BackgroundWorker &worker, const WorkerKind &kind, const Assignment &assignment) {
  std::memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  snprintf(worker.bgw_library_name, BGW_MAXLEN, "migrator");
  snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", kind.function);
  snprintf(worker.bgw_type, BGW_MAXLEN, "%s", kind.title);
  snprintf(worker.bgw_name, BGW_MAXLEN, "%s %lld/%d", kind.title, static_cast<long long>(assignment.subject),
           assignment.number);
  std::memcpy(worker.bgw_extra, &assignment, sizeof assignment);
}

// Workers to be started at commit. Plain data: a FATAL exit runs no destructors.
constexpr int k_most_pending = 64;
BackgroundWorker pending[k_most_pending];
SubTransactionId pending_in[k_most_pending];
int pending_count = 0;
bool callback_registered = false;

void at_transaction_end(XactEvent event, void *) {
  if (event == XACT_EVENT_COMMIT) {
    // No handle, so nothing is allocated and nothing can be raised. Without a free slot the run stays as one
    // that nobody works on, and the next try_to_start_migration takes it up.
    for (int i = 0; i < pending_count; i++)
      if (!RegisterDynamicBackgroundWorker(&pending[i], nullptr))
        ereport(WARNING, (errmsg("no free background worker for %s", pending[i].bgw_name),
                          errhint("Raise max_worker_processes; the run starts when a worker is free.")));
  }
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) pending_count = 0;
}

// Subtransactions are numbered in their order, and what one contains has a greater number.
void at_subtransaction_end(SubXactEvent event, SubTransactionId ended, SubTransactionId, void *) {
  if (event == SUBXACT_EVENT_ABORT_SUB)
    while (pending_count > 0 && pending_in[pending_count - 1] >= ended) pending_count--;
}

void common_start() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
}

}  // namespace

WorkerHandle::WorkerHandle(WorkerHandle &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
WorkerHandle &WorkerHandle::operator=(WorkerHandle &&other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}
WorkerHandle::~WorkerHandle() {
  if (handle_ != nullptr) pfree(handle_);
}

bool WorkerHandle::running() const {
  if (handle_ == nullptr) return false;
  return call([&] {
    pid_t pid = 0;
    BgwHandleStatus const status = GetBackgroundWorkerPid(static_cast<BackgroundWorkerHandle *>(handle_), &pid);
    return status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED;
  });
}

WorkerHandle start_worker(const WorkerKind &kind, const Assignment &assignment) {
  BackgroundWorker worker;
  describe(worker, kind, assignment);
  worker.bgw_notify_pid = MyProcPid;  // tells us of its end by setting our latch
  WorkerHandle result;
  result.handle_ = call([&] {
    MemoryContext const old = MemoryContextSwitchTo(TopMemoryContext);
    BackgroundWorkerHandle *handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) handle = nullptr;
    MemoryContextSwitchTo(old);
    return static_cast<void *>(handle);
  });
  return result;
}

void start_worker_at_commit(const WorkerKind &kind, const Assignment &assignment) {
  if (pending_count == k_most_pending)
    throw migrator::Error(sqlstate::program_limit, "too many migrations started in one transaction");
  if (!callback_registered) {
    call([] {
      RegisterXactCallback(at_transaction_end, nullptr);
      RegisterSubXactCallback(at_subtransaction_end, nullptr);
    });
    callback_registered = true;
  }
  pending_in[pending_count] = GetCurrentSubTransactionId();
  describe(pending[pending_count++], kind, assignment);
}

std::uint32_t current_database() { return MyDatabaseId; }
std::string library_directory() { return pkglib_path; }

Assignment begin_worker(Plans plans) {
  Assignment assignment;
  std::memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof assignment);
  call([&] {
    common_start();
    BackgroundWorkerInitializeConnectionByOid(assignment.database, InvalidOid, 0);
    pgstat_report_appname(MyBgworkerEntry->bgw_name);
    SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
    SetConfigOption("session_replication_role", "origin", PGC_SUSET, PGC_S_OVERRIDE);
    // Whoever has waited for another session wants to see what that has written.
    SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
    if (plans == Plans::along_keys) {
      SetConfigOption("enable_sort", "off", PGC_USERSET, PGC_S_OVERRIDE);
      SetConfigOption("enable_bitmapscan", "off", PGC_USERSET, PGC_S_OVERRIDE);
    }
    SetConfigOption("jit", "off", PGC_USERSET, PGC_S_OVERRIDE);  // many short statements
    // A supplier's open transaction must show as a reason, not as a worker that hangs.
    SetConfigOption("lock_timeout", "5s", PGC_USERSET, PGC_S_OVERRIDE);
    if (plans != Plans::whole_tables) SetConfigOption("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_OVERRIDE);
    // A claim must be on disk before the first byte leaves for Kafka.
    // Set in any case, so that a reload cannot lower it.
    SetConfigOption("synchronous_commit", synchronous_commit < SYNCHRONOUS_COMMIT_LOCAL_FLUSH ? "local" : GetConfigOption("synchronous_commit", false, false),
                    PGC_USERSET, PGC_S_OVERRIDE);
    if (MIGRATOR_MUTATION("asynchronous_claim")) SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
  });
  return assignment;
}

void begin_launcher() {
  call([] {
    common_start();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  });
}

void wait(long milliseconds) {
  call([&] {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
  });
}

void wait_full(long milliseconds) {
  TimestampTz const end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
  for (long left = milliseconds; left > 0; left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end)) wait(left);
}

bool wait_socket(int socket, Ready ready, long milliseconds) {
  int const want = ready == Ready::readable ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE;
  return call([&] {
    int const events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | want, socket,
                                         milliseconds, PG_WAIT_EXTENSION);
    if ((events & WL_LATCH_SET) != 0) ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    return (events & want) != 0;
  });
}

bool try_lock(const std::string &name) {
  return execute("select pg_try_advisory_lock(hashtextextended('migrator:' || $1, 0))", {name}).flag();
}

void unlock(const std::string &name) {
  execute("select pg_advisory_unlock(hashtextextended('migrator:' || $1, 0))", {name});
}

bool locked_elsewhere(const std::string &name) {
  return execute("select exists (select from pg_locks where locktype = 'advisory' and database = "
                 "(select oid from pg_database where datname = current_database()) and objsubid = 1 and granted "
                 "and pid <> pg_backend_pid() and "
                 "(classid::bigint << 32 | objid::bigint) = hashtextextended('migrator:' || $1, 0))",
                 {name})
      .flag();
}

}  // namespace migrator::pg
