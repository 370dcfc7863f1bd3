#pragma once
// The rows that a claim has set to ON_WORK, on their way to their next status. Needs a READ COMMITTED transaction.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "migration/layout.hpp"
#include "pg/row_update.hpp"

namespace migrator::publish {

// Throws 40001 if not all of these rows are still as they were read. Puts their new versions in their place, as update_rows does.
// Returns the time it took.
std::chrono::microseconds claim_rows(const migration::InTable &table, std::vector<pg::RowVersion> &rows, const std::vector<pg::Setting> &settings);

struct ClaimedRows {
  const migration::InTable &table;
  std::string where;                      // finds the chunk's rows that are ON_WORK
  std::vector<pg::Text> parameters;
  std::string claim_xid;                  // what a row bears that nobody has changed since the claim
  std::vector<pg::Setting> given_back;    // what a row gets that goes with a later run

  // Sets to DONE what nobody has changed, and gives the others back. Returns how many rows were set to DONE.
  // known: all of them, which saves looking for them; or none.
  std::int64_t finish(std::vector<pg::RowVersion> known) const;
  void release() const { (void)settle(false); }

private:
  std::int64_t settle(bool published) const;
};

}  // namespace migrator::publish
