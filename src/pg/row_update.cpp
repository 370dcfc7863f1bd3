#include "pg/prelude.hpp"

#include <algorithm>
#include <set>

#include "pg/guard.hpp"
#include "pg/plain_table.hpp"
#include "pg/row_cursor.hpp"
#include "pg/row_update.hpp"
#include "pg/row_version.hpp"
#include "pg/spi.hpp"

namespace migrator::pg {
namespace {

// An old snapshot of ours would keep pages from being pruned that others have long finished with.
constexpr std::size_t k_rows_a_snapshot = 1000;

// What is set, as plain data.
struct Column {
  const char *name;
  const char *text;  // null: null
  int index;         // of the attribute, from 0
  ::Datum value;
};

// Nothing of the table but its indexes has to be served when we, its owner, change these columns.
bool can_be_updated(Relation table, const Column *columns, std::size_t count) {
  const TupleConstr *constraints = table->rd_att->constr;
  if (!is_plain_table(table) || table->rd_rel->relowner != GetUserId() ||
      (constraints != nullptr && (constraints->num_check > 0 || constraints->has_generated_stored)))
    return false;
  for (std::size_t i = 0; i < count; i++)
    if (columns[i].text == nullptr && TupleDescAttr(table->rd_att, columns[i].index)->attnotnull) return false;
  return true;
}

// False: there is no such column, which the statement then says.
bool find_columns(Relation table, Column *columns, std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
    columns[i].index = attnameAttNum(table, columns[i].name, false) - 1;
    if (columns[i].index < 0) return false;
  }
  return true;
}

void read_values(Relation table, Column *columns, std::size_t count) {
  for (std::size_t i = 0; i < count; i++) {
    if (columns[i].text == nullptr) continue;
    const FormData_pg_attribute *attribute = TupleDescAttr(table->rd_att, columns[i].index);
    Oid input = InvalidOid, parameter = InvalidOid;
    getTypeInputInfo(attribute->atttypid, &input, &parameter);
    columns[i].value = OidInputFunctionCall(input, const_cast<char *>(columns[i].text), parameter, attribute->atttypmod);
  }
}

// How the rows change, as plain data.
struct Change {
  RowHead head;  // as far as a column is set or judged
  int count;     // of columns that are set: their numbers from 1, values and nulls
  int *numbers;
  ::Datum *values;
  bool *nulls;
  Column judged;
};

Change make_change(Relation table, const Column *columns, std::size_t count, const Column &judged) {
  int last = judged.index;
  Change change{{}, static_cast<int>(count), static_cast<int *>(palloc(count * sizeof(int))), static_cast<::Datum *>(palloc(count * sizeof(::Datum))),
                static_cast<bool *>(palloc(count * sizeof(bool))), judged};
  for (std::size_t i = 0; i < count; i++) {
    last = std::max(last, columns[i].index);
    change.numbers[i] = columns[i].index + 1;
    change.values[i] = columns[i].value;
    change.nulls[i] = columns[i].text == nullptr;
  }
  change.head = make_row_head(table, last + 1);
  return change;
}

// The next version of a row; null where the column that is judged has another value.
HeapTuple next_version(const Change &change, HeapTuple row, TupleDesc attributes) {
  RowHead head = change.head;
  bool const split = read_row_head(head, row);
  const Column &judged = change.judged;
  const FormData_pg_attribute *attribute = TupleDescAttr(attributes, judged.index);
  bool null = split && head.nulls[judged.index];
  ::Datum const value = split ? head.values[judged.index] : heap_getattr(row, judged.index + 1, attributes, &null);
  if (null != (judged.text == nullptr) || (!null && !datum_image_eq(value, judged.value, attribute->attbyval, attribute->attlen))) return nullptr;
  HeapTuple next = nullptr;
  if (split) {
    for (int i = 0; i < change.count; i++) {
      head.values[change.numbers[i] - 1] = change.values[i];
      head.nulls[change.numbers[i] - 1] = change.nulls[i];
    }
    next = with_row_head(head, row, attributes);
  }
  return next != nullptr ? next : heap_modify_tuple_by_cols(row, attributes, change.count, change.numbers, change.values, change.nulls);
}

// Rows of one block that a snapshot sees as they were read. They stay what they are while the block is pinned.
struct PinnedBlock {
  Buffer buffer;
  int count;
  HeapTupleData rows[MaxHeapTuplesPerPage];
};

BlockNumber block_of(const RowVersion &row) { return static_cast<BlockNumber>(row.tid >> 16); }

// Pins the block, which is looked up and locked once for all of its rows.
void read_block(PinnedBlock &block, Relation table, Snapshot snapshot, const RowVersion *rows, std::size_t count) {
  block.buffer = ReadBuffer(table, block_of(rows[0]));
  block.count = 0;
  heap_page_prune_opt(table, block.buffer);  // as a scan would, so that there is room beside the old versions
  LockBuffer(block.buffer, BUFFER_LOCK_SHARE);
  Page const page = BufferGetPage(block.buffer);
  for (std::size_t i = 0; i < count; i++) {
    auto const place = static_cast<OffsetNumber>(rows[i].tid & 0xffff);
    if (place < FirstOffsetNumber || place > PageGetMaxOffsetNumber(page)) continue;
    ItemId const item = PageGetItemId(page, place);
    if (!ItemIdIsNormal(item)) continue;
    HeapTupleData &row = block.rows[block.count];
    row.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    row.t_len = ItemIdGetLength(item);
    row.t_tableOid = RelationGetRelid(table);
    ItemPointerSet(&row.t_self, block_of(rows[i]), place);
    if (HeapTupleHeaderGetRawXmin(row.t_data) == rows[i].xmin && HeapTupleSatisfiesVisibility(&row, snapshot, block.buffer)) block.count++;
  }
  LockBuffer(block.buffer, BUFFER_LOCK_UNLOCK);
}

// The same as the executor does for a table without triggers and the like; after ExecSimpleRelationUpdate of
// execReplication.c, except that a conflict is no error.
std::uint64_t update_directly(Relation table, RowVersion *rows, std::size_t count, const Column *columns, std::size_t column_count,
                              const Column &now) {
  CheckCmdReplicaIdentity(table, CMD_UPDATE);
  EState *state = CreateExecutorState();
  ResultRelInfo *target = makeNode(ResultRelInfo);
  InitResultRelInfo(target, table, 0, nullptr, 0);
  ExecOpenIndices(target, false);
  TupleTableSlot *fresh = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsHeapTuple);
  Change const change = make_change(table, columns, column_count, now);
  CommandCounterIncrement();
  Snapshot snapshot = renewed_snapshot();
  CommandId const command = GetCurrentCommandId(true);
  BlockNumber const blocks = RelationGetNumberOfBlocks(table);
  auto *const block = static_cast<PinnedBlock *>(palloc(sizeof(PinnedBlock)));
  std::uint64_t changed = 0;
  for (std::size_t i = 0, renewed = 0, end = 0; i < count; i = end) {
    CHECK_FOR_INTERRUPTS();
    if (i - renewed >= k_rows_a_snapshot) {
      snapshot = renewed_snapshot();
      renewed = i;
    }
    end = i + 1;
    while (end < count && end - i < MaxHeapTuplesPerPage && block_of(rows[end]) == block_of(rows[i])) end++;
    if (block_of(rows[i]) >= blocks) continue;  // cut off with the rows that were there
    read_block(*block, table, snapshot, rows + i, end - i);
    for (int nth = 0; nth < block->count; nth++) {
      HeapTupleData &row = block->rows[nth];
      HeapTuple const next = next_version(change, &row, RelationGetDescr(table));
      if (next == nullptr) continue;
      ExecStoreHeapTuple(next, fresh, true);
      TM_FailureData failure;
      LockTupleMode mode;
      IndexesToUpdate indexes = k_no_index;
      TM_Result const result = table_tuple_update(table, &row.t_self, fresh, command, snapshot, InvalidSnapshot, true, &failure, &mode, &indexes);
      if (result == TM_Ok) {
        rows[changed++] = {tid_number(&fresh->tts_tid), GetCurrentTransactionId()};
        if (target->ri_NumIndices > 0 && indexes != k_no_index) insert_index_entries(target, fresh, state, indexes);
        ResetPerTupleExprContext(state);
      }
    }
    ReleaseBuffer(block->buffer);
  }
  ExecDropSingleTupleTableSlot(fresh);
  ExecCloseIndices(target);
  FreeExecutorState(state);
  CommandCounterIncrement();
  return changed;
}

std::uint64_t update_by_statement(const std::string &table, const std::vector<RowVersion> &rows, const Setting &now, const std::vector<Setting> &settings) {
  std::string assignments, tids = "{", xmins = "{";
  for (const Setting &setting : settings)
    assignments += (assignments.empty() ? "" : ", ") + quote_identifier(setting.column) + " = " +
                   (setting.value ? quote_literal(*setting.value) : std::string("null"));  // of the column's type, as any literal
  std::set<std::uint32_t> writers;
  for (const RowVersion &row : rows) {
    tids += (tids.size() > 1 ? ",\"" : "\"") + tid_text(row.tid) + "\"";
    if (writers.insert(row.xmin).second) xmins += (xmins.size() > 1 ? "," : "") + std::to_string(row.xmin);
  }
  return execute("update " + table + " set " + assignments + " where ctid = any ($1::tid[]) and xmin = any ($2::xid[]) and " +
                     quote_identifier(now.column) + " is not distinct from " + (now.value ? quote_literal(*now.value) : std::string("null")),
                 {tids + "}", xmins + "}"})
      .processed;
}

}  // namespace

std::uint64_t update_rows(const std::string &table, std::vector<RowVersion> &rows, const Setting &now, const std::vector<Setting> &settings) {
  if (rows.empty()) return 0;
  std::vector<Column> columns;
  auto const add = [&](const Setting &setting) { columns.push_back({setting.column.c_str(), setting.value ? setting.value->c_str() : nullptr, 0, 0}); };
  for (const Setting &setting : settings) add(setting);
  add(now);
  struct Outcome {
    bool direct;
    std::uint64_t changed;
  };
  const char *name = table.c_str();
  Column *const column_data = columns.data();
  std::size_t const column_count = columns.size();
  RowVersion *const row_data = rows.data();
  std::size_t const row_count = rows.size();
  Outcome const outcome = call([&] {
    Relation const relation = table_openrv(makeRangeVarFromNameList(qualified_name(name)), RowExclusiveLock);
    Outcome result{find_columns(relation, column_data, column_count) && can_be_updated(relation, column_data, column_count), 0};
    if (result.direct) {
      read_values(relation, column_data, column_count);
      result.changed = update_directly(relation, row_data, row_count, column_data, column_count - 1, column_data[column_count - 1]);
    }
    table_close(relation, NoLock);
    return result;
  });
  std::uint64_t const changed = outcome.direct ? outcome.changed : update_by_statement(table, rows, now, settings);
  rows.resize(outcome.direct ? changed : 0);
  return changed;
}

}  // namespace migrator::pg
