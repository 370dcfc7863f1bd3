#include "pg/prelude.hpp"

#include <unordered_map>

#include "pg/encoding.hpp"
#include "pg/guard.hpp"
#include "pg/answer.hpp"

extern "C" {
#include "utils/array.h"
}

namespace migrator::pg {

void TextArray::add(std::string_view value) {
  if (is_utf8()) add_raw(value);
  else add_raw(from_utf8(value));
}

void TextArray::add_raw(std::string_view value) {
  if (value.size() > MaxAllocSize - VARHDRSZ) throw std::bad_alloc();
  struct varlena head;
  SET_VARSIZE(&head, VARHDRSZ + value.size());
  elements_.append(reinterpret_cast<const char *>(&head), VARHDRSZ).append(value);
  elements_.resize(INTALIGN(elements_.size()));
  if (!nulls_.empty()) nulls_.push_back(false);
  count_++;
}

void TextArray::add_null() {
  if (nulls_.empty()) nulls_.resize(count_);
  nulls_.push_back(true);
  count_++;
}

namespace {

struct Source {  // plain data, for call()
  const char *data = nullptr;
  std::size_t size = 0;
  std::size_t count = 0;
  const unsigned char *bitmap = nullptr;  // of an array
  bool is_array = false;
};

// Inside call().
::Datum text_datum(const Source &source) {
  if (source.size > MaxAllocSize - VARHDRSZ)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a parameter is longer than 1 GB")));
  return PointerGetDatum(cstring_to_text_with_len(source.data, static_cast<int>(source.size)));
}

::Datum array_datum(const Source &source) {
  if (source.count == 0) return PointerGetDatum(construct_empty_array(TEXTOID));
  std::size_t const offset = source.bitmap == nullptr ? 0 : ARR_OVERHEAD_WITHNULLS(1, source.count);
  std::size_t const head = source.bitmap == nullptr ? ARR_OVERHEAD_NONULLS(1) : offset;
  if (head + source.size > MaxAllocSize)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a parameter is longer than 1 GB")));
  auto *array = static_cast<ArrayType *>(palloc0(head + source.size));
  SET_VARSIZE(array, head + source.size);
  array->ndim = 1;
  array->dataoffset = static_cast<int32>(offset);
  array->elemtype = TEXTOID;
  ARR_DIMS(array)[0] = static_cast<int>(source.count);
  ARR_LBOUND(array)[0] = 1;
  if (source.bitmap != nullptr) memcpy(ARR_NULLBITMAP(array), source.bitmap, (source.count + 7) / 8);
  memcpy(ARR_DATA_PTR(array), source.data, source.size);
  return PointerGetDatum(array);
}

}  // namespace

Answer::Answer(const std::string &sql, const std::vector<Parameter> &parameters) : exceptions_(std::uncaught_exceptions()) {
  static std::unordered_map<std::string, SPIPlanPtr> plans;
  std::list<std::string> kept;
  std::list<std::vector<unsigned char>> bitmaps;
  std::vector<Source> sources;
  std::vector<Oid> types;
  for (const Parameter &parameter : parameters) {
    Source &source = sources.emplace_back();
    if (const auto *text = std::get_if<std::string_view>(&parameter)) {
      std::string_view value = *text;
      if (!is_utf8()) value = kept.emplace_back(from_utf8(value));
      source = {value.data(), value.size(), 0, nullptr, false};
    } else {
      const TextArray &array = *std::get<const TextArray *>(parameter);
      source = {array.elements_.data(), array.elements_.size(), array.count_, nullptr, true};
      if (!array.nulls_.empty()) {
        std::vector<unsigned char> &bitmap = bitmaps.emplace_back((array.count_ + 7) / 8);
        for (std::size_t i = 0; i < array.count_; i++)
          if (!array.nulls_[i]) bitmap[i / 8] |= static_cast<unsigned char>(1 << i % 8);
        source.bitmap = bitmap.data();
      }
    }
    types.push_back(source.is_array ? TEXTARRAYOID : TEXTOID);
  }
  std::vector<::Datum> values(sources.size());
  SPIPlanPtr &plan = plans[sql];
  const char *text = sql.c_str();
  const Source *source = sources.data();
  ::Datum *value = values.data();
  Oid *type = types.data();
  int const count = static_cast<int>(sources.size());
  call([&] {
    if (plan == nullptr) {
      SPIPlanPtr const fresh = SPI_prepare_cursor(text, count, type, CURSOR_OPT_GENERIC_PLAN);
      if (fresh == nullptr) elog(ERROR, "SPI: %s", SPI_result_code_string(SPI_result));
      SPI_keepplan(fresh);
      plan = fresh;
    }
    for (int i = 0; i < count; i++) value[i] = source[i].is_array ? array_datum(source[i]) : text_datum(source[i]);
    int const code = SPI_execute_plan(plan, value, nullptr, false, 0);
    if (code < 0) elog(ERROR, "SPI: %s", SPI_result_code_string(code));
    table_ = SPI_tuptable;
    processed_ = SPI_processed;
    for (int i = 0; i < count; i++) pfree(DatumGetPointer(value[i]));
  });
  if (table_ != nullptr) read();
}

Answer::~Answer() {
  if (table_ != nullptr && std::uncaught_exceptions() == exceptions_)
    (void)runs([&] { SPI_freetuptable(static_cast<SPITupleTable *>(table_)); });
}

void Answer::read() {
  auto *const table = static_cast<SPITupleTable *>(table_);
  columns_ = static_cast<std::size_t>(table->tupdesc->natts);
  struct Raw {
    const char *data;
    std::size_t size;
  };
  std::vector<Raw> raw(columns_ * table->numvals);
  std::vector<::Datum> datums(columns_);
  std::vector<char> nulls(columns_);
  Raw *target = raw.data();
  ::Datum *datum = datums.data();
  auto *null = reinterpret_cast<bool *>(nulls.data());
  std::size_t const columns = columns_;
  call([&] {
    for (std::size_t i = 0; i < columns; i++)
      if (TupleDescAttr(table->tupdesc, i)->atttypid != TEXTOID) elog(ERROR, "column %zu of a statement is not text", i + 1);
    MemoryContext const old = MemoryContextSwitchTo(table->tuptabcxt);
    for (std::uint64_t row = 0; row < table->numvals; row++) {
      heap_deform_tuple(table->vals[row], table->tupdesc, datum, null);
      for (std::size_t i = 0; i < columns; i++, target++) {
        if (null[i]) continue;
        struct varlena *const value = PG_DETOAST_DATUM_PACKED(datum[i]);
        *target = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
      }
    }
    MemoryContextSwitchTo(old);
  });
  cells_.reserve(raw.size());
  for (const Raw &value : raw) {
    if (value.data != nullptr) cells_.emplace_back(utf8({value.data, value.size}));
    else cells_.emplace_back();
  }
}

std::string_view Answer::utf8(std::string_view text) {
  return is_utf8() ? text : std::string_view(converted_.emplace_back(to_utf8(text)));
}

}  // namespace migrator::pg
