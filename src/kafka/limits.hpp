#pragma once
// How large a message may be. Kafka refuses a batch by its size, and a refused batch costs a transaction: so what a
// topic accepts is learnt before anything is produced.

#include <cstdint>
#include <vector>

#include "kafka/config.hpp"
#include "kafka/topics.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

struct Limits {
  Sizes sizes;                                  // for the producer's configuration
  std::vector<std::uint64_t> key_and_value;     // bytes, for each topic: what a message's key and value may sum to
};

// `configurations` are those of the topics; a topic without max.message.bytes counts with Kafka's default. The
// operator's message.max.bytes lowers every limit.
Limits limits(const std::vector<Configuration> &configurations, const wire::Properties &properties);

}  // namespace migrator::kafka
