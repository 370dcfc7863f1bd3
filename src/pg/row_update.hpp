#pragma once
// One UPDATE of many rows that are known by their physical addresses. Needs a READ COMMITTED transaction of a worker, whose snapshot
// it renews.

#include <cstdint>
#include <string>
#include <vector>

#include "pg/function.hpp"

namespace migrator::pg {

// A version of a row as it was read: a pruned page may hold another row at the same address by now, but none that the
// same transaction wrote.
struct RowVersion {
  std::int64_t tid = 0;    // as a RowCursor hands it out
  std::uint32_t xmin = 0;  // transaction that wrote it
};

struct Setting {
  std::string column;
  Text value;  // text form; null: null
};

// Gives the columns the same values in all rows, as the current role. table: schema.table, quoted.
// Left out are versions that are not visible any more, those that another session changes meanwhile, and those where the column of `now`
// has another value; it waits for sessions that may be about to change one (55P03 after lock_timeout).
// Returns how many rows it changed, and puts their new versions into rows; none where it does not know them.
//
// Tables as we generate them are written below the executor, which costs half as much (docs/performance.md). Where
// somebody added triggers, rules, checks, policies, partitions or generated columns, it is an UPDATE statement.
std::uint64_t update_rows(const std::string &table, std::vector<RowVersion> &rows, const Setting &now, const std::vector<Setting> &settings);

}  // namespace migrator::pg
