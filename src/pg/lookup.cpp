#include "pg/prelude.hpp"

#include "pg/encoding.hpp"
#include "pg/guard.hpp"
#include "pg/lookup.hpp"

extern "C" {
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
}

namespace migrator::pg {
namespace {

constexpr std::size_t k_most_columns = 8;

struct Source {  // plain data, for call()
  const char *data = nullptr;
  std::size_t size = 0;
};

struct Found {
  std::size_t key;
  RowVersion version;
  Source values[k_most_columns];
};

struct Finds {
  Found *rows;
  std::size_t count, room;
};

// Inside call(). The values are copied into one piece of memory, each aligned: a jsonb is read by its words.
void add(Finds &finds, std::size_t key, TupleTableSlot *slot, const AttrNumber *columns, std::size_t count) {
  if (finds.count == finds.room) {
    finds.room *= 2;
    finds.rows = static_cast<Found *>(repalloc_huge(finds.rows, finds.room * sizeof(Found)));
  }
  Found &found = finds.rows[finds.count++];
  bool null = false;
  found.key = key;
  found.version = {tid_number(&slot->tts_tid), DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber, &null))};
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; i++) {
    ::Datum const value = slot_getattr(slot, columns[i], &null);
    found.values[i] = {};
    if (null) continue;
    const struct varlena *const packed = PG_DETOAST_DATUM_PACKED(value);
    found.values[i] = {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
    size += INTALIGN(found.values[i].size);
  }
  char *target = static_cast<char *>(palloc_extended(std::max<std::size_t>(size, 1), MCXT_ALLOC_HUGE));
  for (std::size_t i = 0; i < count; i++) {
    if (found.values[i].data == nullptr) continue;
    memcpy(target, found.values[i].data, found.values[i].size);
    found.values[i].data = target;
    target += INTALIGN(found.values[i].size);
  }
}

void set_key(ScanKey key, AttrNumber column, Oid collation, const Source &value) {
  if (value.data == nullptr) {
    ScanKeyEntryInitialize(key, SK_ISNULL | SK_SEARCHNULL, column, InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, 0);
    return;
  }
  ::Datum const text = PointerGetDatum(cstring_to_text_with_len(value.data, static_cast<int>(value.size)));
  ScanKeyEntryInitialize(key, 0, column, BTEqualStrategyNumber, TEXTOID, collation, F_TEXTEQ, text);
}

}  // namespace

Lookup::Lookup(const char *schema, const char *index, const std::vector<Cell> &prefix, const std::vector<std::string_view> &keys,
               const std::vector<const char *> &columns)
    : exceptions_(std::uncaught_exceptions()) {
  std::vector<Source> sources;
  auto const source = [&](std::string_view text) {
    if (!is_utf8()) text = converted_.emplace_back(from_utf8(text));
    sources.push_back({text.data(), text.size()});
  };
  for (const auto &value : prefix) {
    if (value) source(*value);
    else sources.emplace_back();
  }
  for (std::string_view key : keys) source(key);
  const Source *const source_data = sources.data();
  const char *const *const column_names = columns.data();
  std::size_t const prefix_size = prefix.size(), key_count = keys.size(), column_count = columns.size();
  bool is_json[k_most_columns] = {};

  Finds const finds = call([&] {
    MemoryContext const values = AllocSetContextCreate(CurrentMemoryContext, "migrator lookup", ALLOCSET_DEFAULT_SIZES);
    MemoryContext const old = MemoryContextSwitchTo(values);
    context_ = values;
    Finds result{static_cast<Found *>(palloc(64 * sizeof(Found))), 0, 64};
    // First the table, as everybody locks them: by then the index of that name may be another one.
    Oid const schema_id = get_namespace_oid(schema, false);
    Relation const table = table_open(IndexGetRelation(get_relname_relid(index, schema_id), false), AccessShareLock);
    Relation const by = index_open(get_relname_relid(index, schema_id), AccessShareLock);
    AttrNumber wanted[k_most_columns];
    if (column_count > k_most_columns) elog(ERROR, "too many columns to look up");
    for (std::size_t i = 0; i < column_count; i++) {
      wanted[i] = get_attnum(RelationGetRelid(table), column_names[i]);
      is_json[i] = TupleDescAttr(RelationGetDescr(table), wanted[i] - 1)->atttypid == JSONBOID;
    }
    PushActiveSnapshot(GetLatestSnapshot());
    TupleTableSlot *const slot = table_slot_create(table, nullptr);
    ScanKeyData scan_keys[INDEX_MAX_KEYS];
    for (std::size_t i = 0; i < prefix_size; i++)
      set_key(&scan_keys[i], static_cast<AttrNumber>(i + 1), by->rd_indcollation[i], source_data[i]);
    int const key_columns = static_cast<int>(prefix_size) + 1;
    IndexScanDesc const scan = begin_index_scan(table, by, GetActiveSnapshot(), key_columns);
    for (std::size_t key = 0; key < key_count; key++) {
      set_key(&scan_keys[prefix_size], static_cast<AttrNumber>(key_columns), by->rd_indcollation[prefix_size], source_data[prefix_size + key]);
      index_rescan(scan, scan_keys, key_columns, nullptr, 0);
      while (index_getnext_slot(scan, ForwardScanDirection, slot)) add(result, key, slot, wanted, column_count);
      pfree(DatumGetPointer(scan_keys[prefix_size].sk_argument));
    }
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    PopActiveSnapshot();
    index_close(by, AccessShareLock);
    table_close(table, AccessShareLock);
    MemoryContextSwitchTo(old);
    return result;
  });
  matches_.reserve(finds.count);
  values_.reserve(finds.count * column_count);
  for (std::size_t i = 0; i < finds.count; i++) {
    const Found &found = finds.rows[i];
    matches_.push_back({found.key, values_.data() + values_.size(), found.version});
    for (std::size_t column = 0; column < column_count; column++) {
      Cell &value = values_.emplace_back();
      if (found.values[column].data == nullptr) continue;
      value = {found.values[column].data, found.values[column].size};
      if (!is_json[column] && !is_utf8()) value = converted_.emplace_back(to_utf8(*value));
    }
  }
}

Lookup::~Lookup() {
  if (std::uncaught_exceptions() == exceptions_) (void)runs([&] { MemoryContextDelete(static_cast<MemoryContext>(context_)); });
}

}  // namespace migrator::pg
