#include "pg/prelude.hpp"

#include <cstring>
#include <new>

#include "pg/copy.hpp"
#include "pg/encoding.hpp"
#include "pg/guard.hpp"
#include "pg/plain_table.hpp"
#include "pg/row_writer.hpp"

extern "C" {
#include "utils/jsonb.h"
}

namespace migrator::pg {
namespace {

constexpr std::size_t k_most_columns = 16;
constexpr std::size_t k_portion = 500;  // new rows that go to the table at once

// What follows is plain data and functions for call().
Relation open(const char *schema, const char *table) {
  return table_openrv(makeRangeVar(const_cast<char *>(schema), const_cast<char *>(table), -1), RowExclusiveLock);
}

struct Attributes {
  int index[k_most_columns];  // from 0
};

Attributes find_attributes(Relation table, const char *const *names, std::size_t count) {
  Attributes result;
  if (count > k_most_columns) elog(ERROR, "too many columns to write");
  for (std::size_t i = 0; i < count; i++) result.index[i] = get_attnum(RelationGetRelid(table), names[i]) - 1;
  return result;
}

// A table that is written, with its indexes.
struct Target {
  Relation table;
  EState *state;
  ResultRelInfo *relation;
  MemoryContext context, caller;
};

Target begin(const char *schema, const char *table, const char *command) {
  PreventCommandIfReadOnly(command);
  Target target{};
  target.context = AllocSetContextCreate(CurrentMemoryContext, "migrator row writer", ALLOCSET_DEFAULT_SIZES);
  target.caller = MemoryContextSwitchTo(target.context);
  target.table = open(schema, table);
  target.state = CreateExecutorState();
  target.relation = makeNode(ResultRelInfo);
  InitResultRelInfo(target.relation, target.table, 0, nullptr, 0);
  ExecOpenIndices(target.relation, false);
  CommandCounterIncrement();
  return target;
}

void end(const Target &target) {
  ExecCloseIndices(target.relation);
  FreeExecutorState(target.state);
  table_close(target.table, NoLock);
  CommandCounterIncrement();
  MemoryContextSwitchTo(target.caller);
  MemoryContextDelete(target.context);
}

}  // namespace

bool RowWriter::serves(const char *schema, const char *table) {
  return call([&] {
    Relation const relation = open(schema, table);
    const TupleConstr *constraints = relation->rd_att->constr;
    bool const result = is_plain_table(relation) && (constraints == nullptr || !constraints->has_generated_stored);
    table_close(relation, NoLock);
    return result;
  });
}

std::size_t RowWriter::begin_value() {
  bytes_.resize(INTALIGN(bytes_.size()));
  std::size_t const offset = bytes_.size();
  bytes_.resize(offset + VARHDRSZ);
  return offset;
}

void RowWriter::end_value(Kind kind, std::size_t offset) {
  std::size_t const size = bytes_.size() - offset;
  if (size > MaxAllocSize) throw std::bad_alloc();
  SET_VARSIZE(bytes_.data() + offset, size);
  values_.push_back({kind, offset});
}

void RowWriter::text(std::string_view value) {
  std::size_t const offset = begin_value();
  if (is_utf8()) bytes_ += value;
  else bytes_ += from_utf8(value);
  end_value(Kind::text, offset);
}

void RowWriter::json(const std::vector<Member> &members) {
  std::size_t const offset = begin_value();
  append_json(bytes_, members);
  end_value(Kind::json, offset);
}

void RowWriter::keep_rest() {
  while (values_.size() < rows_.size() * columns_.size()) keep();
}

// After ExecSimpleRelationUpdate of execReplication.c, except that a conflict is no error.
bool RowWriter::update() {
  if (rows_.empty()) return true;
  const char *const *const names = columns_.data();
  const RowVersion *const rows = rows_.data();
  const Value *values = values_.data();
  const char *const bytes = bytes_.data();
  std::size_t const column_count = columns_.size(), row_count = rows_.size();
  return call([&] {
    Target const target = begin(schema_, table_, "UPDATE");
    CheckCmdReplicaIdentity(target.table, CMD_UPDATE);
    Attributes const attributes = find_attributes(target.table, names, column_count);
    TupleTableSlot *const old = table_slot_create(target.table, nullptr);
    TupleTableSlot *const fresh = MakeSingleTupleTableSlot(RelationGetDescr(target.table), &TTSOpsVirtual);
    auto const attribute_count = static_cast<std::size_t>(RelationGetNumberOfAttributes(target.table));
    PushActiveSnapshot(GetTransactionSnapshot());
    Snapshot const snapshot = GetActiveSnapshot();
    CommandId const command = GetCurrentCommandId(true);
    BlockNumber const blocks = RelationGetNumberOfBlocks(target.table);
    ::Datum const now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
    bool all = true;
    for (std::size_t i = 0; i < row_count && all; i++, values += column_count) {
      CHECK_FOR_INTERRUPTS();
      ItemPointerData tid;
      ItemPointerSet(&tid, static_cast<BlockNumber>(rows[i].tid >> 16), static_cast<OffsetNumber>(rows[i].tid & 0xffff));
      bool null = false;
      all = ItemPointerGetBlockNumber(&tid) < blocks && table_tuple_fetch_row_version(target.table, &tid, snapshot, old) &&
            DatumGetTransactionId(slot_getsysattr(old, MinTransactionIdAttributeNumber, &null)) == rows[i].xmin;
      if (!all) break;
      bool changes = false;
      slot_getallattrs(old);
      ExecClearTuple(fresh);
      memcpy(fresh->tts_values, old->tts_values, sizeof(::Datum) * attribute_count);
      memcpy(fresh->tts_isnull, old->tts_isnull, sizeof(bool) * attribute_count);
      for (std::size_t k = 0; k < column_count; k++) {
        if (values[k].kind == Kind::keep) continue;
        changes = true;
        fresh->tts_isnull[attributes.index[k]] = values[k].kind == Kind::null;
        fresh->tts_values[attributes.index[k]] = values[k].kind == Kind::now ? now : PointerGetDatum(bytes + values[k].offset);
      }
      TM_FailureData failure;
      LockTupleMode mode;
      if (!changes) {
        all = table_tuple_lock(target.table, &tid, snapshot, old, command, LockTupleExclusive, LockWaitBlock, 0, &failure) == TM_Ok;
        continue;
      }
      ExecStoreVirtualTuple(fresh);
      if (target.table->rd_att->constr != nullptr) ExecConstraints(target.relation, fresh, target.state);
      IndexesToUpdate indexes = k_no_index;
      all = table_tuple_update(target.table, &tid, fresh, command, snapshot, InvalidSnapshot, true, &failure, &mode, &indexes) == TM_Ok;
      if (all && indexes != k_no_index) insert_index_entries(target.relation, fresh, target.state, indexes);
      ResetPerTupleExprContext(target.state);
    }
    PopActiveSnapshot();
    ExecDropSingleTupleTableSlot(old);
    ExecDropSingleTupleTableSlot(fresh);
    end(target);
    return all;
  });
}

void RowWriter::insert() {
  if (rows_.empty()) return;
  if (serves(schema_, table_) && has_no_other_columns()) insert_directly();
  else copy();
}

bool RowWriter::has_no_other_columns() const {
  std::size_t const count = columns_.size();
  return call([&] {
    Relation const relation = open(schema_, table_);
    std::size_t found = 0;
    for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++) found += TupleDescAttr(RelationGetDescr(relation), i)->attisdropped ? 0 : 1;
    table_close(relation, NoLock);
    return found == count;
  });
}

// As CopyFrom does it.
void RowWriter::insert_directly() const {
  const char *const *const names = columns_.data();
  const Value *values = values_.data();
  const char *const bytes = bytes_.data();
  std::size_t const column_count = columns_.size(), row_count = rows_.size();
  call([&] {
    Target const target = begin(schema_, table_, "INSERT");
    Attributes const attributes = find_attributes(target.table, names, column_count);
    TupleTableSlot *slots[k_portion];
    std::size_t const slot_count = std::min(row_count, k_portion);
    for (std::size_t i = 0; i < slot_count; i++) slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(target.table), &TTSOpsVirtual);
    CommandId const command = GetCurrentCommandId(true);
    ::Datum const now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
    MemoryContext const tuples = AllocSetContextCreate(target.context, "migrator new rows", ALLOCSET_DEFAULT_SIZES);
    for (std::size_t done = 0; done < row_count;) {
      CHECK_FOR_INTERRUPTS();
      std::size_t const portion = std::min(row_count - done, slot_count);
      for (std::size_t i = 0; i < portion; i++, values += column_count) {
        TupleTableSlot *const slot = slots[i];
        ExecClearTuple(slot);
        memset(slot->tts_isnull, true, sizeof(bool) * static_cast<std::size_t>(RelationGetNumberOfAttributes(target.table)));
        for (std::size_t k = 0; k < column_count; k++) {
          slot->tts_isnull[attributes.index[k]] = values[k].kind == Kind::null;
          slot->tts_values[attributes.index[k]] = values[k].kind == Kind::now ? now : PointerGetDatum(bytes + values[k].offset);
        }
        ExecStoreVirtualTuple(slot);
        if (target.table->rd_att->constr != nullptr) ExecConstraints(target.relation, slot, target.state);
      }
      MemoryContextSwitchTo(tuples);
      table_multi_insert(target.table, slots, static_cast<int>(portion), command, 0, nullptr);
      MemoryContextSwitchTo(target.context);
      MemoryContextReset(tuples);
      for (std::size_t i = 0; i < portion; i++) {
        insert_index_entries(target.relation, slots[i], target.state);
        ResetPerTupleExprContext(target.state);
      }
      done += portion;
    }
    for (std::size_t i = 0; i < slot_count; i++) ExecDropSingleTupleTableSlot(slots[i]);
    end(target);
  });
}

// For a table that has triggers and the like, or columns of somebody else's, with their defaults.
void RowWriter::copy() const {
  Copy rows(schema_, table_, columns_);
  std::string const now = call([] { return timestamptz_to_str(GetCurrentTransactionStartTimestamp()); });
  for (const Value &value : values_) {
    const char *const bytes = bytes_.data() + value.offset;
    if (value.kind == Kind::null) {
      rows.add_null();
    } else if (value.kind == Kind::now) {
      rows.add(now);
    } else if (value.kind == Kind::text) {
      std::string_view const text(VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ);
      is_utf8() ? rows.add(text) : rows.add(to_utf8(text));
    } else {
      char *const text = call([&] { return JsonbToCString(nullptr, &reinterpret_cast<Jsonb *>(const_cast<char *>(bytes))->root, VARSIZE(bytes)); });
      rows.add(is_utf8() ? std::string(text) : to_utf8(text));
      pfree(text);
    }
  }
  rows.write();
}

}  // namespace migrator::pg
