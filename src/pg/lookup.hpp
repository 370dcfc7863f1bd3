#pragma once
// Rows found by an index, whatever a planner thinks of it: in a growing table the plan of a moment ago would read all of
// it. Needs a transaction; sees what is committed by now, like a statement.

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace migrator::pg {

class Lookup {
public:
  struct Match {
    std::size_t key;         // its place among the keys
    std::string_view value;  // lives as long as the lookup
  };

  // The index consists of text columns. prefix: the values of all but the last; none: null. keys: values of the last, best
  // in their order. column: of the table, text; its values are what is found. All in UTF-8.
  Lookup(const char *schema, const char *index, const std::vector<std::optional<std::string_view>> &prefix,
         const std::vector<std::string_view> &keys, const char *column);
  ~Lookup();
  Lookup(const Lookup &) = delete;
  Lookup &operator=(const Lookup &) = delete;

  const std::vector<Match> &matches() const noexcept { return matches_; }

private:
  std::vector<Match> matches_;
  std::list<std::string> converted_;  // where the database's encoding is another one
  void *context_ = nullptr;           // memory of the values
  int exceptions_;
};

}  // namespace migrator::pg
