#include "kafka/topics.hpp"

#include <algorithm>

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

// Administration goes through the controller, and librdkafka waits for it. A simulated cluster names one that does not
// exist.
bool has_controller(Client &client, const Deadline &deadline) {
  const rd_kafka_metadata_t *raw = nullptr;
  (void)rd_kafka_metadata(client.get(), 0, nullptr, &raw, std::max(deadline.left_ms(2000), 1));
  Metadata const metadata(raw);
  if (!metadata) return true;  // not known: the request itself will tell
  std::int32_t const controller = rd_kafka_controllerid(client.get(), std::max(deadline.left_ms(1000), 1));
  return std::any_of(metadata->brokers, metadata->brokers + metadata->broker_cnt,
                     [controller](const rd_kafka_metadata_broker_t &broker) { return broker.id == controller; });
}

AdminOptions admin_options(Client &client, rd_kafka_admin_op_t operation, const Deadline &deadline) {
  AdminOptions options(rd_kafka_AdminOptions_new(client.get(), operation));
  char reason[256];
  // The only possible error is a value out of range, which librdkafka then leaves at its default.
  (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(deadline.left_ms(60000), 1), reason, sizeof reason);
  return options;
}

// The answer to an admin request. Throws Failure for an error of the request as a whole.
Event answer(Client &client, rd_kafka_queue_t *queue, const std::string &doing, const Deadline &deadline) {
  Event event;
  do {
    event.reset(rd_kafka_queue_poll(queue, std::max(deadline.left_ms(500), 1)));
    client.check_complaint(doing);
  } while (!event && !deadline.passed());
  if (!event) throw client.explain(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  rd_kafka_resp_err_t const code = rd_kafka_event_error(event.get());
  if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) throw client.explain(code, doing);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw failure(code, doing, rd_kafka_event_error_string(event.get()));
  return event;
}

std::vector<Configuration> describe(Client &client, rd_kafka_ResourceType_t type, const std::vector<std::string> &names,
                                    const Deadline &deadline) {
  std::vector<Configuration> result(names.size());
  if (names.empty() || !has_controller(client, deadline)) return result;
  std::vector<ConfigResource> resources;
  std::vector<rd_kafka_ConfigResource_t *> pointers;
  for (const std::string &name : names)
    pointers.push_back(resources.emplace_back(rd_kafka_ConfigResource_new(type, name.c_str())).get());
  Queue const queue(rd_kafka_queue_new(client.get()));
  AdminOptions const options = admin_options(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline);
  rd_kafka_DescribeConfigs(client.get(), pointers.data(), pointers.size(), options.get(), queue.get());
  Event event;
  try {
    event = answer(client, queue.get(), "reading the configuration of topics", deadline);
  } catch (const Failure &e) {
    if (e.failed().fault != wire::Fault::refused) throw;
    return result;  // old or simulated brokers, or no right
  }
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t **described =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    auto const at = std::ranges::find(names, rd_kafka_ConfigResource_name(described[i]));
    if (at == names.end()) continue;
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(described[i], &entries);
    for (std::size_t j = 0; j < entries; ++j)
      if (const char *value = rd_kafka_ConfigEntry_value(entry[j]))
        result[static_cast<std::size_t>(at - names.begin())][rd_kafka_ConfigEntry_name(entry[j])] = value;
  }
  return result;
}

// Simulated brokers create a topic when it is asked for by a client that allows it. The name goes to a client of its
// own, since the setting belongs to the handle.
void create_by_asking(Client &client, const std::string &name, const Deadline &deadline) {
  Conf conf(rd_kafka_conf_dup(rd_kafka_conf(client.get())));
  char reason[256];
  if (rd_kafka_conf_set(conf.get(), "allow.auto.create.topics", "true", reason, sizeof reason) != RD_KAFKA_CONF_OK)
    throw failure(RD_KAFKA_RESP_ERR__INVALID_ARG, "creating topic \"" + name + "\"", reason);
  Client asking(RD_KAFKA_CONSUMER, std::move(conf));
  TopicState state;
  do state = topic_state(asking, name, deadline);
  while (state.error != RD_KAFKA_RESP_ERR_NO_ERROR && !deadline.passed());
  require(state);
}

}  // namespace

TopicState topic_state(Client &client, const std::string &name, const Deadline &deadline) {
  std::string const doing = "reading the metadata of topic \"" + name + "\"";
  Topic const topic(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  if (!topic) throw failure(rd_kafka_last_error(), doing);
  for (;;) {
    const rd_kafka_metadata_t *raw = nullptr;
    // In slices, so that a complaint that time does not mend ends the wait.
    rd_kafka_resp_err_t const code = rd_kafka_metadata(client.get(), 0, topic.get(), &raw, std::max(deadline.left_ms(1000), 1));
    Metadata const metadata(raw);
    client.check_complaint(doing);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
      const rd_kafka_metadata_topic_t &found = metadata->topics[0];
      bool const settled = found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;  // it is just being created
      if (settled || deadline.passed()) {
        TopicState state{name, found.err, static_cast<std::uint32_t>(found.partition_cnt), 0};
        for (int i = 0; i < found.partition_cnt; ++i) {
          auto const replicas = static_cast<std::uint32_t>(found.partitions[i].replica_cnt);
          state.replicas = i == 0 ? replicas : std::min(state.replicas, replicas);
        }
        return state;
      }
      client.poll(50);
    } else if (deadline.passed()) {
      throw client.explain(code, doing);
    } else if (code != RD_KAFKA_RESP_ERR__TIMED_OUT) {
      client.poll(100);
    }
  }
}

std::vector<TopicState> topic_states(Client &client, const std::vector<std::string> &names, const Deadline &deadline) {
  std::vector<TopicState> result;
  for (const std::string &name : names) result.push_back(topic_state(client, name, deadline));
  return result;
}

void require(const TopicState &topic) {
  if (topic.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    throw failure(topic.error, "topic \"" + topic.name + "\"", "it does not exist in the cluster, or this client may not see it");
  if (topic.error != RD_KAFKA_RESP_ERR_NO_ERROR) throw failure(topic.error, "topic \"" + topic.name + "\"");
  if (topic.partitions == 0) throw failure(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "topic \"" + topic.name + "\"");
}

std::vector<Configuration> topic_configurations(Client &client, const std::vector<std::string> &names, const Deadline &deadline) {
  return describe(client, RD_KAFKA_RESOURCE_TOPIC, names, deadline);
}

Configuration broker_configuration(Client &client, std::int32_t broker_id, const Deadline &deadline) {
  return describe(client, RD_KAFKA_RESOURCE_BROKER, {std::to_string(broker_id)}, deadline).front();
}

void create_marker_topic(Client &client, const std::string &name, std::uint32_t partitions, Creation creation, const Deadline &deadline) {
  std::string const doing = "creating topic \"" + name + "\"";
  if (!has_controller(client, deadline)) {
    if (creation == Creation::create) create_by_asking(client, name, deadline);
    return;
  }
  char reason[256] = "";
  NewTopic const topic(rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(partitions), -1, reason, sizeof reason));
  if (!topic) throw failure(RD_KAFKA_RESP_ERR__INVALID_ARG, doing, reason);
  // Only the newest marker of a slot matters, and it matters for ever.
  (void)rd_kafka_NewTopic_set_config(topic.get(), "cleanup.policy", "compact");
  (void)rd_kafka_NewTopic_set_config(topic.get(), "retention.ms", "-1");

  AdminOptions const options = admin_options(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline);
  (void)rd_kafka_AdminOptions_set_operation_timeout(options.get(), std::max(deadline.left_ms(60000), 1), reason, sizeof reason);
  if (rd_kafka_AdminOptions_set_validate_only(options.get(), creation == Creation::only_ask, reason, sizeof reason) != RD_KAFKA_RESP_ERR_NO_ERROR)
    throw failure(RD_KAFKA_RESP_ERR__INVALID_ARG, doing, reason);
  Queue const queue(rd_kafka_queue_new(client.get()));
  rd_kafka_NewTopic_t *topics[] = {topic.get()};
  rd_kafka_CreateTopics(client.get(), topics, 1, options.get(), queue.get());
  Event const event = answer(client, queue.get(), doing, deadline);
  std::size_t count = 0;
  const rd_kafka_topic_result_t **results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    rd_kafka_resp_err_t const code = rd_kafka_topic_result_error(results[i]);
    const char *said = rd_kafka_topic_result_error_string(results[i]);
    // Another worker may have been faster.
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      throw failure(code, doing, said == nullptr ? "" : said);
  }
}

}  // namespace migrator::kafka
