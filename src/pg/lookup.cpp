#include "pg/prelude.hpp"

#include "pg/encoding.hpp"
#include "pg/guard.hpp"
#include "pg/lookup.hpp"

extern "C" {
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
}

namespace migrator::pg {
namespace {

struct Source {  // plain data, for call()
  const char *data = nullptr;
  std::size_t size = 0;
};

struct Found {
  std::size_t key;
  const char *data;
  std::size_t size;
};

struct Finds {
  Found *rows;
  std::size_t count, room;
};

// Inside call().
void add(Finds &finds, std::size_t key, const struct varlena *value) {
  if (finds.count == finds.room) {
    finds.room *= 2;
    finds.rows = static_cast<Found *>(repalloc_huge(finds.rows, finds.room * sizeof(Found)));
  }
  finds.rows[finds.count++] = {key, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
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

Lookup::Lookup(const char *schema, const char *index, const std::vector<std::optional<std::string_view>> &prefix,
               const std::vector<std::string_view> &keys, const char *column)
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
  std::size_t const prefix_size = prefix.size(), key_count = keys.size();

  Finds const finds = call([&] {
    MemoryContext const values = AllocSetContextCreate(CurrentMemoryContext, "migrator lookup", ALLOCSET_DEFAULT_SIZES);
    MemoryContext const old = MemoryContextSwitchTo(values);
    context_ = values;
    Finds result{static_cast<Found *>(palloc(64 * sizeof(Found))), 0, 64};
    Relation const by = index_open(get_relname_relid(index, get_namespace_oid(schema, false)), AccessShareLock);
    Relation const table = table_open(by->rd_index->indrelid, AccessShareLock);
    AttrNumber const wanted = get_attnum(RelationGetRelid(table), column);
    PushActiveSnapshot(GetTransactionSnapshot());
    TupleTableSlot *const slot = table_slot_create(table, nullptr);
    ScanKeyData scan_keys[INDEX_MAX_KEYS];
    for (std::size_t i = 0; i < prefix_size; i++)
      set_key(&scan_keys[i], static_cast<AttrNumber>(i + 1), by->rd_indcollation[i], source_data[i]);
    int const columns = static_cast<int>(prefix_size) + 1;
    IndexScanDesc const scan = begin_index_scan(table, by, GetActiveSnapshot(), columns);
    for (std::size_t key = 0; key < key_count; key++) {
      set_key(&scan_keys[prefix_size], static_cast<AttrNumber>(columns), by->rd_indcollation[prefix_size], source_data[prefix_size + key]);
      index_rescan(scan, scan_keys, columns, nullptr, 0);
      while (index_getnext_slot(scan, ForwardScanDirection, slot)) {
        bool null;
        ::Datum const value = slot_getattr(slot, wanted, &null);
        if (!null) add(result, key, PG_DETOAST_DATUM_COPY(value));
      }
      pfree(DatumGetPointer(scan_keys[prefix_size].sk_argument));
    }
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    PopActiveSnapshot();
    table_close(table, AccessShareLock);
    index_close(by, AccessShareLock);
    MemoryContextSwitchTo(old);
    return result;
  });
  matches_.reserve(finds.count);
  for (std::size_t i = 0; i < finds.count; i++) {
    std::string_view value(finds.rows[i].data, finds.rows[i].size);
    if (!is_utf8()) value = converted_.emplace_back(to_utf8(value));
    matches_.push_back({finds.rows[i].key, value});
  }
}

Lookup::~Lookup() {
  if (std::uncaught_exceptions() == exceptions_) (void)runs([&] { MemoryContextDelete(static_cast<MemoryContext>(context_)); });
}

}  // namespace migrator::pg
