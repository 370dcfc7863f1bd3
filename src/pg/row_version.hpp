#pragma once
// Forms new versions of rows of a heap table. Only src/pg/*.cpp includes this, after pg/prelude.hpp.

namespace migrator::pg {

// The first attributes of a row, up to the last that matters, and how much of the row's data they take.
struct RowHead {
  TupleDesc attributes;
  ::Datum *values;  // as long as the row they were read from is there
  bool *nulls;
  std::uint32_t size;  // bytes
};

// Room for so many attributes of the table's rows, in the current memory context.
RowHead make_row_head(Relation table, int count);

// False: the row is older than one of these columns.
bool read_row_head(RowHead &head, HeapTuple row);

// A version of the row with the values and nulls that the head has now. What follows the head is moved, not taken apart: half of the
// cost of heap_form_tuple (docs/performance.md). Null where the row has no bitmap of nulls and needs one now.
HeapTuple with_row_head(const RowHead &head, HeapTuple row, TupleDesc table);

}  // namespace migrator::pg
