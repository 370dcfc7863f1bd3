#include "pg/prelude.hpp"

#include <cstring>

#include "pg/row_version.hpp"

extern "C" {
#include "access/htup_details.h"
#include "access/tupmacs.h"
}

namespace migrator::pg {
namespace {

bool has_nulls(HeapTuple row) { return (row->t_data->t_infomask & HEAP_HASNULL) != 0; }
bool is_null(HeapTuple row, int index) { return has_nulls(row) && att_isnull(index, row->t_data->t_bits); }

// Where an attribute lies that follows after so many bytes of data.
std::uint32_t aligned(std::uint32_t offset, Form_pg_attribute attribute, const char *data) {
  return static_cast<std::uint32_t>(att_align_pointer(offset, attribute->attalign, attribute->attlen, data + offset));
}

}  // namespace

RowHead make_row_head(Relation table, int count) {
  TupleDesc const attributes = CreateTemplateTupleDesc(count);
  for (int i = 1; i <= count; i++) TupleDescCopyEntry(attributes, static_cast<AttrNumber>(i), RelationGetDescr(table), static_cast<AttrNumber>(i));
  auto const room = static_cast<std::size_t>(count);
  return {attributes, static_cast<::Datum *>(palloc(room * sizeof(::Datum))), static_cast<bool *>(palloc(room * sizeof(bool))), 0};
}

bool read_row_head(RowHead &head, HeapTuple row) {
  if (HeapTupleHeaderGetNatts(row->t_data) < head.attributes->natts) return false;
  const char *data = reinterpret_cast<const char *>(row->t_data) + row->t_data->t_hoff;
  std::uint32_t offset = 0;
  for (int i = 0; i < head.attributes->natts; i++) {
    head.nulls[i] = is_null(row, i);
    if (head.nulls[i]) continue;
    Form_pg_attribute const attribute = TupleDescAttr(head.attributes, i);
    offset = aligned(offset, attribute, data);
    head.values[i] = fetchatt(attribute, data + offset);
    offset = static_cast<std::uint32_t>(att_addlength_pointer(offset, attribute->attlen, data + offset));
  }
  head.size = offset;
  return true;
}

HeapTuple with_row_head(const RowHead &head, HeapTuple row, TupleDesc table) {
  int const count = head.attributes->natts;
  int const attributes = HeapTupleHeaderGetNatts(row->t_data);
  const char *data = reinterpret_cast<const char *>(row->t_data) + row->t_data->t_hoff;
  if (!has_nulls(row))
    for (int i = 0; i < count; i++)
      if (head.nulls[i]) return nullptr;  // there is no bitmap to note it

  std::uint32_t const start = row->t_data->t_hoff;
  auto const size = static_cast<std::uint32_t>(heap_compute_data_size(head.attributes, head.values, head.nulls));
  std::uint32_t const rest = row->t_len - start - head.size;
  std::uint32_t const most = start + size + rest + static_cast<std::uint32_t>(attributes - count) * MAXIMUM_ALIGNOF;
  auto const result = static_cast<HeapTuple>(palloc(HEAPTUPLESIZE + most));
  result->t_data = reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char *>(result) + HEAPTUPLESIZE);
  std::memcpy(result->t_data, row->t_data, start);  // with the bitmap of nulls; the server sets what tells of transactions
  char *const target = reinterpret_cast<char *>(result->t_data) + start;

  std::memset(target, 0, size);
  bits8 bitmap[MaxTupleAttributeNumber / BITS_PER_BYTE + 1];  // ends with the head, ours does not
  uint16 kinds = 0;
  heap_fill_tuple(head.attributes, head.values, head.nulls, target, size, &kinds, bitmap);
  result->t_data->t_infomask |= kinds;
  for (int i = 0; i < count && has_nulls(row); i++) {
    auto const bit = static_cast<bits8>(1 << (i & 7));
    if (head.nulls[i]) result->t_data->t_bits[i >> 3] &= static_cast<bits8>(~bit);
    else result->t_data->t_bits[i >> 3] |= bit;
  }

  std::uint32_t from = head.size, to = size;
  for (int i = count; i < attributes; i++) {
    if (is_null(row, i)) continue;
    Form_pg_attribute const attribute = TupleDescAttr(table, i);
    from = aligned(from, attribute, data);
    bool const packed = attribute->attlen == -1 && VARATT_IS_1B(data + from);
    auto const place = packed ? to : static_cast<std::uint32_t>(att_align_nominal(to, attribute->attalign));
    bool const parallel = place % MAXIMUM_ALIGNOF == from % MAXIMUM_ALIGNOF;  // all that follows is aligned as before
    std::uint32_t const end = parallel ? row->t_len - start : static_cast<std::uint32_t>(att_addlength_pointer(from, attribute->attlen, data + from));
    std::memset(target + to, 0, place - to);
    std::memcpy(target + place, data + from, end - from);
    to = place + end - from;
    from = end;
    if (parallel) break;
  }
  result->t_len = start + to;
  ItemPointerSetInvalid(&result->t_self);
  result->t_tableOid = row->t_tableOid;
  return result;
}

}  // namespace migrator::pg
