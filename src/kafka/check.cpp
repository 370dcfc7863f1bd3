#include "kafka/check.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "kafka/config.hpp"
#include "kafka/producer.hpp"
#include "kafka/topics.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

constexpr const char *k_connection_remedy =
    "Compare bootstrap.servers, security.protocol, sasl.* and ssl.* of the foreign server and its user mapping with the brokers' listeners.";

class Checking {
public:
  Checking(const wire::Check &request, const Deadline &deadline) : request_(request), deadline_(deadline) {}

  wire::Report run() {
    if (connect()) {
      brokers();
      for (const std::string &name : request_.topics) topic(name);
      marker_topic();
      transactions();
    }
    for (wire::Finding &finding : report_.findings) finding.detail = without_secrets(finding.detail, request_.properties);
    return std::move(report_);
  }

private:
  void good(std::string check, std::string detail) { report_.findings.push_back({std::move(check), true, std::move(detail), ""}); }
  void bad(std::string check, std::string detail, std::string remedy) {
    report_.findings.push_back({std::move(check), false, std::move(detail), std::move(remedy)});
  }
  // Good if it holds, else bad with the remedy.
  void judge(const std::string &check, bool holds, const std::string &detail, const std::string &remedy) {
    holds ? good(check, detail) : bad(check, detail, remedy);
  }

  bool connect() {
    try {
      client_.emplace(RD_KAFKA_CONSUMER, reader_config(request_.properties));
    } catch (const Failure &e) {
      bad("configuration", e.what(), "Correct the options of the foreign server or its user mapping.");
      return false;
    }
    // Half of the time at most: the other checks need some, and a dead address shows soon.
    Deadline const soon = deadline_.within(deadline_.left_ms() / 2);
    while (true) {
      const rd_kafka_metadata_t *raw = nullptr;
      Topic const none(rd_kafka_topic_new(client_->get(), request_.marker_topic.c_str(), nullptr));
      rd_kafka_resp_err_t const code = rd_kafka_metadata(client_->get(), 0, none.get(), &raw, std::max(soon.left_ms(500), 1));
      metadata_.reset(raw);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      Failure const found = client_->explain(code, "connecting");
      if (!soon.passed() && found.failed().fault != wire::Fault::refused) continue;
      bad("reachable", found.what(), k_connection_remedy);
      return false;
    }
    good("reachable", std::to_string(metadata_->broker_cnt) + (metadata_->broker_cnt == 1 ? " broker" : " brokers") + ", cluster " + cluster());
    return true;
  }

  std::string cluster() {
    char *id = rd_kafka_clusterid(client_->get(), std::max(deadline_.left_ms(1000), 1));
    std::string result = id == nullptr ? "without an id" : id;
    std::free(id);
    return result;
  }

  void brokers() {
    Configuration const broker = broker_configuration(*client_, metadata_->brokers[0].id, deadline_);
    if (broker.empty()) {
      good("broker settings", "not readable with this user's rights; version and limits are not checked");
      return;
    }
    auto value = [&broker](const char *name, const char *otherwise) {
      auto const found = broker.find(name);
      return found == broker.end() ? std::string(otherwise) : found->second;
    };
    std::string const verification = value("transaction.partition.verification.enable", "");
    judge("broker version", !verification.empty(), verification.empty() ? "below 3.6" : "3.6 or newer",
          "Use Kafka 3.6 or newer: older brokers do not protect partitions from transactions that never end.");
    if (!verification.empty())
      judge("transaction verification", verification == "true", "transaction.partition.verification.enable is " + verification,
            "Set transaction.partition.verification.enable=true on the brokers.");
    std::string const longest = value("transaction.max.timeout.ms", "900000");
    judge("transaction timeout", std::strtoll(longest.c_str(), nullptr, 10) >= k_transaction_timeout_ms,
          "brokers allow " + longest + " ms, " + std::to_string(k_transaction_timeout_ms) + " ms are used",
          "Raise transaction.max.timeout.ms on the brokers to " + std::to_string(k_transaction_timeout_ms) + " or more.");
    std::string const state_replicas = value("transaction.state.log.replication.factor", "3");
    judge("transaction log", std::strtol(state_replicas.c_str(), nullptr, 10) <= metadata_->broker_cnt,
          "transaction.state.log.replication.factor is " + state_replicas + ", brokers: " + std::to_string(metadata_->broker_cnt),
          "On a cluster of fewer brokers set offsets.topic.replication.factor, transaction.state.log.replication.factor and "
          "transaction.state.log.min.isr to 1.");
  }

  // Replicas and the settings that decide what an acknowledgement is worth. What a small installation lacks on purpose is
  // no fault, so it is said and does not fail the check.
  void durability(const std::string &check, const TopicState &state, const Configuration &configuration) {
    auto value = [&configuration](const char *name) {
      auto const found = configuration.find(name);
      return found == configuration.end() ? std::string() : found->second;
    };
    std::string const in_sync = value("min.insync.replicas"), unclean = value("unclean.leader.election.enable");
    bool const few_in_sync = !in_sync.empty() && std::strtol(in_sync.c_str(), nullptr, 10) < 2;
    std::string detail = "replication factor " + std::to_string(state.replicas);
    if (!in_sync.empty()) detail += ", min.insync.replicas " + in_sync;
    if (unclean == "true") detail += ", unclean leader election on";
    if (state.replicas < 3 || few_in_sync || unclean == "true")
      detail += "; acknowledged messages may be lost with a broker: better are replication factor 3, min.insync.replicas 2 and "
                "unclean.leader.election.enable=false";
    good(check + " durability", detail);
  }

  // The topic, if it can be seen.
  std::optional<TopicState> look(const std::string &check, const std::string &name, bool must_exist) {
    TopicState const state = topic_state(*client_, name, deadline_);
    if (!must_exist && state.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return state;
    try {
      require(state);
    } catch (const Failure &e) {
      bool const forbidden = state.error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
      bad(check, e.what(), forbidden ? "Grant the rights Write and Describe on the topic to the user of the foreign server."
                                     : "Create the topic, or correct its name.");
      return std::nullopt;
    }
    return state;
  }

  void topic(const std::string &name) try {
    std::string const check = "topic " + name;
    std::optional<TopicState> const state = look(check, name, true);
    if (!state) return;
    Configuration const configuration = topic_configurations(*client_, {name}, deadline_).front();
    std::uint64_t const bytes = limits({configuration}, request_.properties).key_and_value.front();
    good(check, std::to_string(state->partitions) + " partitions, messages of up to " + std::to_string(bytes) + " bytes" +
                    (configuration.contains("max.message.bytes") ? "" : " (assumed)"));
    durability(check, *state, configuration);
  } catch (const Failure &e) {
    bad("topic " + name, e.what(), k_connection_remedy);
  }

  void marker_topic() try {
    std::string const check = "marker topic " + request_.marker_topic;
    std::optional<TopicState> const state = look(check, request_.marker_topic, false);
    if (!state) return;
    if (state->error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      try {
        create_marker_topic(*client_, request_.marker_topic, 1, Creation::only_ask, deadline_);
        good(check, "does not exist yet and will be created");
      } catch (const Failure &e) {
        bad(check, e.what(), "Create the topic with cleanup.policy=compact and retention.ms=-1, or grant the right to create it.");
      }
      return;
    }
    Configuration const configuration = topic_configurations(*client_, {request_.marker_topic}, deadline_).front();
    auto const policy = configuration.find("cleanup.policy");
    judge(check, policy == configuration.end() || policy->second == "compact",
          std::to_string(state->partitions) + " partitions, cleanup.policy " + (policy == configuration.end() ? "not readable" : policy->second),
          "Set cleanup.policy=compact: else Kafka deletes the markers that recovery needs.");
    durability(check, *state, configuration);
  } catch (const Failure &e) {
    bad("marker topic " + request_.marker_topic, e.what(), k_connection_remedy);
  }

  void transactions() {
    std::string const id = request_.transactional_id + "-check";
    try {
      Producer producer({request_.properties, id, {}, limits({}, request_.properties), request_.marker_topic, 0});
      producer.initialise(deadline_);
      good("transactions", "initialised for \"" + id + "\"; the right to write to a topic shows with the first message only");
    } catch (const Failure &e) {
      bool const forbidden = e.failed().code == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
      bad("transactions", e.what(),
          forbidden ? "Grant Write and Describe on transactional ids with the prefix of \"" + request_.transactional_id + "\"."
                    : "See whether the transaction coordinator is available: topic __transaction_state and its replication settings.");
    }
  }

  const wire::Check &request_;
  const Deadline &deadline_;
  wire::Report report_;
  std::optional<Client> client_;
  Metadata metadata_;
};

}  // namespace

wire::Report check(const wire::Check &request, const Deadline &deadline) { return Checking(request, deadline).run(); }

}  // namespace migrator::kafka
