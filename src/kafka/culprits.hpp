#pragma once
// Which messages a broker refuses. It refuses a batch as a whole, so the batch is halved until each refused message
// stands alone: in transactions that are aborted, so that no reader ever sees the trials.

#include <cstdint>
#include <memory>
#include <vector>

#include "kafka/producer.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// After a transaction of `messages` failed with refused messages. The positions of those that are refused even
// alone, ascending; if time runs out, as many as were found. The producer is replaced on the way, since librdkafka
// 2.0.2 loses count of its sequence numbers after a refusal.
std::vector<std::uint32_t> find_culprits(std::unique_ptr<Producer> &producer, const ProducerPlan &plan,
                                         const std::vector<wire::Message> &messages, const Deadline &deadline);

}  // namespace migrator::kafka
