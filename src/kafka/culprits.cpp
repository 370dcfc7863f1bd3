#include "kafka/culprits.hpp"

#include <algorithm>
#include <numeric>

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

using Positions = std::vector<std::uint32_t>;

Positions without(const Positions &all, const Positions &some) {
  Positions sorted = some, result;
  std::ranges::sort(sorted);
  std::ranges::set_difference(all, sorted, std::back_inserter(result));
  return result;
}

// Sorts the outcome of a transaction with `tried` into culprits and into groups that must be tried again.
void sort_out(const Producer &producer, const Positions &tried, Positions &culprits, std::vector<Positions> &groups) {
  Positions refused = producer.refused();
  std::ranges::sort(refused);
  // Neither refused nor delivered: never sent, since the first refusal ends a transaction.
  Positions unknown = without(without(tried, refused), producer.delivered());
  if (!unknown.empty()) groups.push_back(std::move(unknown));
  if (refused.size() == 1) {
    culprits.push_back(refused.front());   // a batch of its own
  } else {
    auto const middle = refused.begin() + static_cast<std::ptrdiff_t>(refused.size() / 2);
    groups.emplace_back(middle, refused.end());
    groups.emplace_back(refused.begin(), middle);
  }
}

}  // namespace

std::vector<std::uint32_t> find_culprits(Producer &producer, const std::vector<wire::Message> &messages, const Deadline &deadline) {
  Positions culprits, all(messages.size());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<Positions> groups;
  try {
    producer.abort(deadline);
    sort_out(producer, all, culprits, groups);
    // Ends: a refusal takes at least one message out of the group, or cuts it in halves.
    while (!groups.empty() && !deadline.passed()) {
      Positions const group = std::move(groups.back());
      groups.pop_back();
      producer.begin();
      for (std::uint32_t const position : group) producer.add(messages[position], position, deadline);
      producer.settle(deadline);
      bool const refused = !producer.refused().empty();
      bool const other_failure = producer.failed() && !refused;
      producer.abort(deadline);
      if (other_failure) break;
      if (refused) sort_out(producer, group, culprits, groups);
    }
  } catch (const Failure &) {  // what was found until then is true all the same
  }
  std::ranges::sort(culprits);
  return culprits;
}

}  // namespace migrator::kafka
