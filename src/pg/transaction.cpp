#include "pg/prelude.hpp"

#include "pg/guard.hpp"
#include "pg/transaction.hpp"

namespace migrator::pg {
namespace {

// A dropped extension must stop its workers, and an open transaction of a worker must hold the drop back.
void lock_extension() {
  Oid const extension = get_extension_oid("migrator", true);
  if (OidIsValid(extension)) {
    LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
    if (get_extension_oid("migrator", true) == extension) return;
  }
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("extension \"migrator\" was dropped")));
}

}  // namespace

Transaction::Transaction(Isolation isolation) {
  try {
    call([&] {
      SetCurrentStatementStartTimestamp();
      StartTransactionCommand();
      if (isolation == Isolation::repeatable_read) XactIsoLevel = XACT_REPEATABLE_READ;
      lock_extension();
      if (SPI_connect() != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
      PushActiveSnapshot(GetTransactionSnapshot());
      pgstat_report_activity(STATE_RUNNING, nullptr);
    });
  } catch (...) {
    (void)runs([] { AbortCurrentTransaction(); });
    throw;
  }
}

void Transaction::commit() {
  call([] {
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
  open_ = false;
}

Transaction::~Transaction() {
  if (!open_) return;
  if (!runs([] {
        AbortCurrentTransaction();
        pgstat_report_activity(STATE_IDLE, nullptr);
      }))
    FlushErrorState();
}

void renew_snapshot() {
  call([] { (void)renewed_snapshot(); });
}

}  // namespace migrator::pg
