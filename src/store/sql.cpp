#include "store/sql.hpp"

#include "base/error.hpp"
#include "pg/error.hpp"

namespace migrator::store {
pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters) {
  std::vector<pg::Parameter> all = {company};
  all.insert(all.end(), parameters);
  return {sql, all};
}

namespace {

[[noreturn]] void met() {
  throw Error(sqlstate::serialization_failure, "another session has written the same instance").hint("Repeat the transaction.");
}

template <typename F> auto unless_met(F &&body) {
  try {
    return body();
  } catch (const pg::Error &error) {
    if (error.sqlstate() != sqlstate::unique_violation) throw;
    met();
  }
}

}  // namespace

void insert(pg::RowWriter &rows) {
  unless_met([&] { rows.insert(); });
}

void update(pg::RowWriter &rows) {
  if (!unless_met([&] { return rows.update(); })) met();
}

}  // namespace migrator::store
