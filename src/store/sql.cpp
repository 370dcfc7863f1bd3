#include "store/sql.hpp"

#include "base/error.hpp"
#include "pg/error.hpp"

namespace migrator::store {
pg::Answer run(const std::string &sql, const std::string &company, std::initializer_list<pg::Parameter> parameters) {
  std::vector<pg::Parameter> all = {company};
  all.insert(all.end(), parameters);
  return {sql, all};
}

void write(pg::Copy &rows) {
  try {
    rows.write();
  } catch (const pg::Error &error) {
    if (error.sqlstate() != sqlstate::unique_violation) throw;
    throw Error(sqlstate::serialization_failure, "another session has written the same instance").hint("Repeat the transaction.");
  }
}

}  // namespace migrator::store
