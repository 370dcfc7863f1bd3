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

// Ends the transaction and makes a producer that knows nothing of it.
void start_afresh(std::unique_ptr<Producer> &producer, const ProducerPlan &plan, const Deadline &deadline) {
  producer->abort(deadline);
  producer.reset();
  producer = std::make_unique<Producer>(plan);
  producer->initialise(deadline);
}

}  // namespace

std::vector<std::uint32_t> find_culprits(std::unique_ptr<Producer> &producer, const ProducerPlan &plan,
                                         const std::vector<wire::Message> &messages, const Deadline &deadline) {
  Positions culprits, all(messages.size());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<Positions> groups;
  try {
    sort_out(*producer, all, culprits, groups);
    start_afresh(producer, plan, deadline);
    // Ends: a refusal takes at least one message out of the group, or cuts it in halves.
    while (!groups.empty() && !deadline.passed()) {
      Positions const group = std::move(groups.back());
      groups.pop_back();
      producer->begin();
      for (std::uint32_t const position : group) producer->add(messages[position], position, deadline);
      producer->settle(deadline);
      if (!producer->failed()) {
        producer->abort(deadline);
        continue;
      }
      if (producer->refused().empty()) break;    // something else is wrong
      sort_out(*producer, group, culprits, groups);
      start_afresh(producer, plan, deadline);
    }
  } catch (const Failure &) {  // what was found until then is true all the same
  }
  std::ranges::sort(culprits);
  return culprits;
}

}  // namespace migrator::kafka
