#include "kafka/opening.hpp"

#include <algorithm>

#include "base/fault.hpp"
#include "kafka/markers.hpp"
#include "kafka/ranges.hpp"
#include "kafka/topics.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

// For the first answer of a cluster: who waits for one that is away must not wait for the reason too.
constexpr int k_first_answer = 10000;  // ms

// Returns its number of partitions.
std::uint32_t ensure_marker_topic(Client &reader, const wire::Open &request, const Deadline &deadline) {
  TopicState state = topic_state(reader, request.marker_topic, deadline);
  if (state.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    create_marker_topic(reader, request.marker_topic, request.marker_partitions, Creation::create, deadline);
    // The brokers hear of a new topic one after another.
    while ((state = topic_state(reader, request.marker_topic, deadline)).error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && !deadline.passed())
      reader.poll(50);
  }
  require(state);
  if (request.marker_partition >= state.partitions)
    throw failure(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "topic \"" + request.marker_topic + "\"",
                  "it has " + std::to_string(state.partitions) + " partitions, but partition " + std::to_string(request.marker_partition) +
                      " is needed: add partitions (kafka-topics --alter), or use fewer workers");
  return state.partitions;
}

}  // namespace

Opening open(const wire::Open &request, const Deadline &deadline) {
  Client reader(RD_KAFKA_CONSUMER, reader_config(request.properties));
  std::vector<TopicState> const topics = topic_states(reader, request.topics, deadline.within(k_first_answer));
  std::ranges::for_each(topics, require);
  std::uint32_t const partitions = ensure_marker_topic(reader, request, deadline);
  Limits const sizes = limits(topic_configurations(reader, request.topics, deadline), request.properties);

  Opening result;
  result.plan = {request.properties, request.transactional_id, request.topics, sizes, request.marker_topic, request.marker_partition};
  result.producer = std::make_unique<Producer>(result.plan);
  bool const too_early = MIGRATOR_MUTATION("marker_before_fencing");
  if (!too_early) result.producer->initialise(deadline);
  MIGRATOR_FAILPOINT("recovery_fenced");
  // Only now: before, the past could still change.
  Watermarks const marks = watermarks(result.producer->client(), request.marker_topic, request.marker_partition, deadline);
  wire::Opened &opened = result.opened;
  opened.marker_high = marks.high;
  Markers const markers = find_markers(reader, request.marker_topic, request.marker_partition, request.marker_offset, marks,
                                       request.transactional_id, request.wanted, deadline);
  opened.last = markers.newest;
  opened.wanted = markers.wanted;
  if (!opened.last && !request.first_marker.empty() && !too_early) {
    opened.last = result.producer->commit_first_marker(request.first_marker, deadline);
    opened.marker_high = opened.last->offset + 1;
  }
  MIGRATOR_FAILPOINT("recovery_read");
  if (too_early) result.producer->initialise(deadline);
  opened.used = used_partitions(result.producer->client(), request.marker_topic, partitions, deadline);
  opened.cluster_id = cluster_id(reader, deadline);
  for (std::size_t i = 0; i < topics.size(); ++i)
    opened.topics.push_back({topics[i].partitions, sizes.key_and_value[i]});
  return result;
}

}  // namespace migrator::kafka
