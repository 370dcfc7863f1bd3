#pragma once
// Messages to verdicts, whatever is in them.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/applier.hpp"

namespace migrator::consume {

// The store's verdicts. Where it fails as a whole by what is in the data, the messages are tried in ever smaller groups
// until the bad one stands alone. Needs a transaction; throws what is no fault of a message.
std::vector<store::Verdict> verdicts(store::Applier &applier, std::span<const std::string_view> messages);

// For people, in the database's encoding.
std::string reason_of(const store::Failure &failure);

}  // namespace migrator::consume
