#include "store/sql.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "pg/error.hpp"

namespace migrator::store {
namespace {

// Who meets another session at one of these finds what that has written when it reads again. At one that somebody else has
// added it would be refused again and again.
constexpr std::string_view k_ours[] = {"instance_pkey", "instance_external_id", "instance_unique_pkey", "instance_alias_pkey", "seen_record_pkey"};

template <typename F> auto unless_met(F &&body) {
  try {
    return body();
  } catch (const pg::Error &error) {
    if (error.sqlstate() != sqlstate::unique_violation || std::ranges::find(k_ours, error.constraint()) == std::end(k_ours)) throw;
    met();
  }
}

}  // namespace

void met() {
  throw Error(sqlstate::serialization_failure, "another session has written the same instance").hint("Repeat the transaction.");
}

pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters) {
  std::vector<pg::Parameter> all = {company};
  all.insert(all.end(), parameters);
  return unless_met([&] { return pg::Answer(sql, all); });
}

void insert(pg::RowWriter &rows) {
  unless_met([&] { rows.insert(); });
}

void update(pg::RowWriter &rows) {
  if (!unless_met([&] { return rows.update(); })) met();
}

}  // namespace migrator::store
