#pragma once
// Rows found by an index, whatever a planner thinks of it: in a growing table the plan of a moment ago would read all of
// it. Needs a transaction; sees what is committed by now, whatever its isolation level.

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "pg/answer.hpp"
#include "pg/row_update.hpp"

namespace migrator::pg {

class Lookup {
public:
  struct Match {
    std::size_t key;     // its place among the keys
    const Cell *values;  // of the columns: text in UTF-8, jsonb as PostgreSQL has it; they live as long as the lookup
    RowVersion version;
  };

  // The index consists of text columns. prefix: the values of all but the last; none: null. keys: values of the last, best
  // in their order, in UTF-8. columns: of the table, text or jsonb; at most 8.
  Lookup(const char *schema, const char *index, const std::vector<Cell> &prefix, const std::vector<std::string_view> &keys,
         const std::vector<const char *> &columns);
  ~Lookup();
  Lookup(const Lookup &) = delete;
  Lookup &operator=(const Lookup &) = delete;

  const std::vector<Match> &matches() const noexcept { return matches_; }

private:
  std::vector<Match> matches_;
  std::vector<Cell> values_;
  std::list<std::string> converted_;  // where the database's encoding is another one
  void *context_ = nullptr;           // memory of the values
  int exceptions_;
};

}  // namespace migrator::pg
