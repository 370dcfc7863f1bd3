#include "pg/prelude.hpp"

#include "pg/guard.hpp"
#include "pg/plain_table.hpp"
#include "pg/spi.hpp"
#include "pg/table_copy.hpp"

namespace migrator::pg {
namespace {

constexpr int k_batch = 500;  // rows

// Can a row of one be a row of the other, byte by byte?
bool have_same_rows(Relation source, Relation copy) {
  TupleDesc const from = RelationGetDescr(source), to = RelationGetDescr(copy);
  if (from->natts != to->natts) return false;
  for (int i = 0; i < from->natts; i++) {
    const FormData_pg_attribute *a = TupleDescAttr(from, i), *b = TupleDescAttr(to, i);
    // A column with a missing value stands in no row that is older than the column.
    if (a->attisdropped || a->atthasmissing || a->atttypid != b->atttypid || a->attlen != b->attlen || a->attalign != b->attalign) return false;
  }
  return true;
}

bool has_nothing_but_rows(Relation copy) {
  return is_plain_table(copy) && !copy->rd_rel->relhasindex && copy->rd_att->constr == nullptr;
}

std::uint64_t copy_rows(Relation source, Relation copy) {
  TableScanDesc const scan = table_beginscan(source, renewed_snapshot(), 0, nullptr);
  BulkInsertState const bulk = GetBulkInsertState();
  CommandId const command = GetCurrentCommandId(true);
  auto *const slots = static_cast<TupleTableSlot **>(palloc(k_batch * sizeof(TupleTableSlot *)));
  for (int i = 0; i < k_batch; i++) slots[i] = table_slot_create(source, nullptr);
  MemoryContext const batch = AllocSetContextCreate(CurrentMemoryContext, "migrator table copy", ALLOCSET_DEFAULT_SIZES);
  std::uint64_t rows = 0;
  for (bool more = true; more;) {
    CHECK_FOR_INTERRUPTS();
    int count = 0;
    while (count < k_batch && (more = table_scan_getnextslot(scan, ForwardScanDirection, slots[count])))
      ExecMaterializeSlot(slots[count++]);  // until then it shows what the scan is at
    MemoryContext const old = MemoryContextSwitchTo(batch);
    if (count > 0) table_multi_insert(copy, slots, count, command, TABLE_INSERT_SKIP_FSM, bulk);
    MemoryContextSwitchTo(old);
    MemoryContextReset(batch);
    XLogSetAsyncXactLSN(XactLastRecEnd);  // wakes the WAL writer, which writes on another processor what would fill the buffers here
    rows += static_cast<std::uint64_t>(count);
  }
  for (int i = 0; i < k_batch; i++) ExecDropSingleTupleTableSlot(slots[i]);
  FreeBulkInsertState(bulk);
  table_endscan(scan);
  table_finish_bulk_insert(copy, TABLE_INSERT_SKIP_FSM);
  CommandCounterIncrement();
  return rows;
}

}  // namespace

std::uint64_t copy_table(const std::string &source, const std::string &copy) {
  execute("create table " + copy + " as table " + source + " with no data");
  struct Outcome {
    bool direct;
    std::uint64_t rows;
  };
  const char *const source_name = source.c_str(), *const copy_name = copy.c_str();
  Outcome const outcome = call([&] {
    Relation const from = table_openrv(makeRangeVarFromNameList(qualified_name(source_name)), AccessShareLock);
    Relation const to = table_openrv(makeRangeVarFromNameList(qualified_name(copy_name)), RowExclusiveLock);
    bool const ours = from->rd_rel->relowner == GetUserId() && to->rd_rel->relowner == GetUserId();
    Outcome result{ours && is_heap(from) && has_nothing_but_rows(to) && have_same_rows(from, to), 0};
    if (result.direct) result.rows = copy_rows(from, to);
    table_close(to, NoLock);
    table_close(from, NoLock);
    return result;
  });
  return outcome.direct ? outcome.rows : execute("insert into " + copy + " table " + source).processed;
}

}  // namespace migrator::pg
