#include "kafka/ranges.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "kafka/markers.hpp"
#include "kafka/topics.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

// A partition without a leader has none for a while; the others must not wait for it.
constexpr int k_one_partition = 3000;  // ms

}  // namespace

wire::Range range(Client &client, const std::string &topic, std::uint32_t partition, const Deadline &deadline) {
  try {
    Watermarks const marks = watermarks(client, topic, partition, deadline.within(k_one_partition));
    return {"", marks.low, marks.high};
  } catch (const Failure &e) {
    return {e.failed().text + " (" + e.failed().code + ")", 0, 0};
  }
}

wire::Seen look(Client &client, const std::vector<std::string> &topics, const Deadline &deadline) {
  wire::Seen seen;
  for (const std::string &name : topics) {
    TopicState const state = topic_state(client, name, deadline);
    wire::TopicRanges &found = seen.topics.emplace_back();
    try {
      require(state);
      for (std::uint32_t partition = 0; partition < state.partitions; ++partition)
        found.partitions.push_back(range(client, name, partition, deadline));
    } catch (const Failure &e) {
      found.problem = e.failed().text + " (" + e.failed().code + ")";
    }
  }
  seen.cluster_id = cluster_id(client, deadline);
  return seen;
}

std::string cluster_id(Client &client, const Deadline &deadline) {
  std::unique_ptr<char, decltype([](char *text) { std::free(text); })> const id(
      rd_kafka_clusterid(client.get(), std::max(deadline.left_ms(5000), 1)));
  return id ? id.get() : "";
}

}  // namespace migrator::kafka
