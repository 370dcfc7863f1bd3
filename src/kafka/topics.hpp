#pragma once
// What the cluster says about topics: partitions, replicas, configuration; and the creation of the marker topic.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kafka/client.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

struct TopicState {
  std::string name;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;  // UNKNOWN_TOPIC_OR_PART: there is none, or no right to see it
  std::uint32_t partitions = 0;
  std::uint32_t replicas = 0;      // of the partition that has the fewest
};

// Asks until the cluster answers. Throws Failure if it does not in time, or refuses us as a whole.
TopicState topic_state(Client &client, const std::string &name, const Deadline &deadline);
std::vector<TopicState> topic_states(Client &client, const std::vector<std::string> &names, const Deadline &deadline);
// Throws Failure unless the topic exists and may be seen.
void require(const TopicState &topic);

// Configuration of topics or of a broker, name to value. Empty where the right to read it is missing or the broker
// does not know the question: the caller then assumes Kafka's defaults.
using Configuration = std::map<std::string, std::string>;
std::vector<Configuration> topic_configurations(Client &client, const std::vector<std::string> &names, const Deadline &deadline);
Configuration broker_configuration(Client &client, std::int32_t broker_id, const Deadline &deadline);

enum class Creation { create, only_ask };
// Creates the compacted topic for markers with the cluster's default replication factor, or asks whether it could be.
// Success: the topic is there (or could be). Throws Failure.
void create_marker_topic(Client &client, const std::string &name, std::uint32_t partitions, Creation creation, const Deadline &deadline);

}  // namespace migrator::kafka
