#pragma once
// All of PostgreSQL's headers that we use, and every difference between its versions. Only src/pg includes this.

#include <cstdint>

extern "C" {
#ifndef PGDLLEXPORT  // empty before 16, where -fvisibility=hidden would then hide what the server looks up
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif
#include "postgres.h"

#include "access/xact.h"
#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_database.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "port.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

// Macros of PostgreSQL that break C++ names.
#undef _
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext

namespace migrator::pg {

// Which indexes a table_tuple_update wants to be told, since 16 more than yes or no.
#if PG_VERSION_NUM >= 160000
using IndexesToUpdate = TU_UpdateIndexes;
inline constexpr IndexesToUpdate k_no_index = TU_None;
inline List *qualified_name(const char *name) { return stringToQualifiedNameList(name, nullptr); }
inline void insert_index_entries(ResultRelInfo *relation, TupleTableSlot *row, EState *state, IndexesToUpdate which) {
  (void)ExecInsertIndexTuples(relation, row, state, true, false, nullptr, NIL, which == TU_Summarizing);
}
inline void insert_index_entries(ResultRelInfo *relation, TupleTableSlot *new_row, EState *state) {
  (void)ExecInsertIndexTuples(relation, new_row, state, false, false, nullptr, NIL, false);
}
inline bool owns_database(Oid database) { return object_ownercheck(DatabaseRelationId, database, GetUserId()); }
inline LocalPgBackendStatus *backend_status(int number) { return pgstat_get_local_beentry_by_index(number); }
#else
using IndexesToUpdate = bool;
inline constexpr IndexesToUpdate k_no_index = false;
inline List *qualified_name(const char *name) { return stringToQualifiedNameList(name); }
inline void insert_index_entries(ResultRelInfo *relation, TupleTableSlot *row, EState *state, IndexesToUpdate) {
  (void)ExecInsertIndexTuples(relation, row, state, true, false, nullptr, NIL);
}
inline void insert_index_entries(ResultRelInfo *relation, TupleTableSlot *new_row, EState *state) {
  (void)ExecInsertIndexTuples(relation, new_row, state, false, false, nullptr, NIL);
}
inline bool owns_database(Oid database) { return pg_database_ownercheck(database, GetUserId()); }
inline LocalPgBackendStatus *backend_status(int number) { return pgstat_fetch_stat_local_beentry(number); }
#endif

inline IndexScanDesc begin_index_scan(Relation table, Relation index, Snapshot snapshot, int keys) {
#if PG_VERSION_NUM >= 180000
  return index_beginscan(table, index, snapshot, nullptr, keys, 0);
#else
  return index_beginscan(table, index, snapshot, keys, 0);
#endif
}

// In place of the active snapshot, which nothing else may refer to. With its catalogue snapshot, or the old one would go on to count.
inline Snapshot renewed_snapshot() {
  PopActiveSnapshot();
  InvalidateCatalogSnapshotConditionally();
  PushActiveSnapshot(GetTransactionSnapshot());
  return GetActiveSnapshot();
}

// As a RowCursor and a RowVersion have it.
inline std::int64_t tid_number(ItemPointer tid) {
  return static_cast<std::int64_t>(ItemPointerGetBlockNumberNoCheck(tid)) << 16 | ItemPointerGetOffsetNumberNoCheck(tid);
}

}  // namespace migrator::pg
