#include "publish/claimed_rows.hpp"

#include "base/error.hpp"
#include "base/fault.hpp"
#include "pg/row_cursor.hpp"
#include "pg/transaction.hpp"

namespace migrator::publish {
namespace {

pg::Setting const k_on_work{"in_status", "ON_WORK"};

}  // namespace

std::chrono::microseconds claim_rows(const migration::InTable &table, std::vector<pg::RowVersion> &rows, const std::vector<pg::Setting> &settings) {
  auto const start = std::chrono::steady_clock::now();
  pg::AsRole const as_owner(table.owner);
  std::size_t const wanted = rows.size();
  if (pg::update_rows(table.quoted, rows, {"in_status", ""}, settings) != wanted) throw Error("40001", "rows changed while they were claimed");
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
}

std::int64_t ClaimedRows::finish(std::vector<pg::RowVersion> known) const {
  std::size_t const wanted = known.size();
  std::uint64_t done = 0;
  {
    pg::AsRole const as_owner(table.owner);
    done = pg::update_rows(table.quoted, known, k_on_work, {{"in_status", "DONE"}});
  }
  if (wanted > 0 && done == wanted) return static_cast<std::int64_t>(done);
  pg::renew_snapshot();
  return static_cast<std::int64_t>(done) + settle(true);
}

// A row that somebody changes between reading and writing is found changed in the next turn.
std::int64_t ClaimedRows::settle(bool published) const {
  pg::AsRole const as_owner(table.owner);
  auto const own = static_cast<std::uint32_t>(std::stoul(claim_xid));
  std::uint64_t done = 0;
  for (;;) {
    std::vector<pg::RowVersion> unchanged, changed;
    {
      pg::RowCursor rows("select ctid, xmin from " + table.quoted + where, parameters, {pg::Kind::tid, pg::Kind::xid}, 0);
      rows.each([&] {
        pg::RowVersion const row{rows[0].integer, static_cast<std::uint32_t>(rows[1].integer)};
        bool const ours = row.xmin == own || MIGRATOR_MUTATION("changed_rows_pass");
        (published && ours ? unchanged : changed).push_back(row);
        return true;
      });
    }
    std::size_t const wanted = unchanged.size() + changed.size();
    std::uint64_t const set = pg::update_rows(table.quoted, unchanged, k_on_work, {{"in_status", "DONE"}});
    std::uint64_t const returned = pg::update_rows(table.quoted, changed, k_on_work, given_back);
    done += set;
    if (set + returned == wanted) return static_cast<std::int64_t>(done);
    pg::renew_snapshot();
  }
}

}  // namespace migrator::publish
