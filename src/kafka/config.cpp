#include "kafka/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <span>

#include "base/fault.hpp"
#include "kafka/failure.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

struct Setting {
  const char *name;
  const char *value;
};

// Ours unless the operator says otherwise.
constexpr Setting k_defaults[] = {
    {"client.id", "migrator"},                       // short: a long one crashes this librdkafka (#4689)
    {"linger.ms", "5"},
    {"reconnect.backoff.ms", "50"},                  // a restarted broker is found soon
    {"reconnect.backoff.max.ms", "1000"},
    {"socket.connection.setup.timeout.ms", "10000"},
};

// What the guarantee, or the life of this process, rests on.
constexpr Setting k_fixed_for_all[] = {
    {"socket.nagle.disable", "true"},
    {"statistics.interval.ms", "0"},                 // races in this librdkafka (#4718)
    {"allow.auto.create.topics", "false"},           // a misspelt topic must be an error
};
constexpr Setting k_fixed_for_producer[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"transaction.timeout.ms", "30000"},
    {"partitioner", "murmur2_random"},               // as Java clients place keys
    // Messages are not copied into librdkafka's queue, so its limits save no memory: the worker's chunk is the
    // limit. They must hold a whole chunk, or it would stop half way in an open transaction.
    {"queue.buffering.max.kbytes", "1048576"},
    {"queue.buffering.max.messages", "10000000"},
    // Only for the query of the high watermark: the end of the log, not the end of what is committed.
    {"isolation.level", "read_uncommitted"},
};
constexpr Setting k_fixed_for_reader[] = {
    {"isolation.level", "read_committed"},
    {"enable.partition.eof", "true"},
    {"auto.offset.reset", "error"},                  // never a silent jump
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"fetch.wait.max.ms", "10"},                     // the end of the partition is told by an empty answer
    {"fetch.error.backoff.ms", "50"},
    {"queued.max.messages.kbytes", "16384"},
};
// What differs for one that lives long.
constexpr Setting k_fixed_for_consumer[] = {
    {"fetch.wait.max.ms", "100"},
    {"queued.max.messages.kbytes", "65536"},         // when they are full, this librdkafka looks again only after a second
    {"receive.message.max.bytes", "300000000"},      // of a single message too, whatever the topic allows
};

// Other names of fixed properties.
constexpr Setting k_aliases[] = {{"request.required.acks", "acks"}};

// Properties of the producer that a reader must not see: librdkafka compares them with its fetch sizes.
constexpr const char *k_producer_only[] = {"message.max.bytes", "batch.size", "batch.num.messages", "linger.ms",
                                           "queue.buffering.max.ms", "compression.codec", "compression.type",
                                           "compression.level"};

bool secret(const std::string &name) {
  return name.find("password") != std::string::npos || name.find("secret") != std::string::npos ||
         name.find("ssl.key") != std::string::npos || name == "sasl.oauthbearer.config";
}

Failure bad_property(const std::string &text) {
  return Failure({.fault = wire::Fault::refused, .code = "_INVALID_ARG", .text = text, .culprits = {}});
}

void set(rd_kafka_conf_t *conf, const std::string &name, const std::string &value) {
  char reason[512] = "";
  rd_kafka_conf_res_t const result = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof reason);
  if (result == RD_KAFKA_CONF_OK) return;
  if (result == RD_KAFKA_CONF_INVALID && secret(name)) throw bad_property("invalid value for \"" + name + "\"");
  // Librdkafka names the property that an alias stands for; the operator looks for the own name.
  std::string const text = reason;
  throw bad_property(text.find(name) == std::string::npos ? "\"" + name + "\": " + text : text);
}

void set_all(rd_kafka_conf_t *conf, std::span<const Setting> settings) {
  for (const Setting &setting : settings) set(conf, setting.name, setting.value);
}

void check_not_fixed(const std::string &name, const std::string &value) {
  std::string canonical = name;
  for (const Setting &alias : k_aliases)
    if (name == alias.name) canonical = alias.value;
  for (std::span<const Setting> fixed : {std::span<const Setting>(k_fixed_for_all), {k_fixed_for_producer}, {k_fixed_for_reader}})
    for (const Setting &setting : fixed)
      if (canonical == setting.name && value != setting.value)
        throw bad_property("\"" + name + "\" cannot be changed: exactly-once delivery rests on the value " + setting.value);
  if (name == "transactional.id") throw bad_property("\"" + name + "\" is chosen by migrator");
}

Conf basic(const wire::Properties &properties, bool for_producer) {
  Conf conf(rd_kafka_conf_new());
  set_all(conf.get(), k_defaults);
  for (const auto &[name, value] : properties) {
    check_not_fixed(name, value);
    bool const skip = !for_producer && std::ranges::find(k_producer_only, name) != std::end(k_producer_only);
    if (!skip) set(conf.get(), name, value);
  }
  set_all(conf.get(), k_fixed_for_all);
  set_all(conf.get(), for_producer ? std::span<const Setting>(k_fixed_for_producer) : std::span<const Setting>(k_fixed_for_reader));
  // Errors reach us by error_cb. Logs would come from librdkafka's own threads, on a stderr that is the server's log.
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t *, int, const char *, const char *) {});
  return conf;
}

std::uint64_t number(const wire::Properties &properties, const std::string &name, std::uint64_t otherwise) {
  std::string const text = value_of(properties, name);
  return text.empty() ? otherwise : std::stoull(text, nullptr, 0);  // as librdkafka reads it; it has accepted it
}

}  // namespace

std::string value_of(const wire::Properties &properties, const std::string &name) {
  std::string result;
  for (const auto &property : properties)
    if (property.first == name) result = property.second;  // the last one counts, as in librdkafka
  return result;
}

Conf producer_config(const wire::Properties &properties, const std::string &transactional_id, const Sizes &sizes) {
  constexpr std::uint64_t k_default_batch = 1000000, k_smallest = 1000, k_largest = 1000000000;
  // Librdkafka ends the process by an assertion if a message with its overhead is above message.max.bytes. The
  // margin keeps it away from there; the sizes proper are checked before a message is produced.
  constexpr std::uint64_t k_margin = 4096;
  Conf conf = basic(properties, true);
  set(conf.get(), "transactional.id", transactional_id);
  if (MIGRATOR_MUTATION("fresh_transactional_id")) set(conf.get(), "transactional.id", transactional_id + "-" + std::to_string(getpid()));
  set(conf.get(), "message.max.bytes", std::to_string(std::clamp(sizes.largest_message + k_margin, k_smallest, k_largest)));
  set(conf.get(), "batch.size",
      std::to_string(std::clamp(std::min(number(properties, "batch.size", k_default_batch), sizes.batch), std::uint64_t{1}, k_largest)));
  return conf;
}

Conf reader_config(const wire::Properties &properties) {
  Conf conf = basic(properties, false);
  if (MIGRATOR_MUTATION("uncommitted_markers")) set(conf.get(), "isolation.level", "read_uncommitted");
  return conf;
}

Conf consumer_config(const wire::Properties &properties) {
  Conf conf = basic(properties, false);
  set_all(conf.get(), k_fixed_for_consumer);
  return conf;
}

void validate(const wire::Properties &properties) {
  (void)reader_config(properties);
  // Some values are compared with each other only when a handle is made. Left out is what may be incomplete, since
  // secrets are kept apart from the rest, and the addresses: nothing is to be connected here.
  wire::Properties rest;
  std::ranges::copy_if(properties, std::back_inserter(rest), [](const auto &property) {
    const std::string &name = property.first;
    return !name.starts_with("sasl.") && !name.starts_with("ssl.") && name != "security.protocol" &&
           name != "bootstrap.servers" && name != "metadata.broker.list" && name != "enable.ssl.certificate.verification";
  });
  (void)basic(properties, true);
  Conf conf = basic(rest, true);
  set(conf.get(), "transactional.id", "validate");
  char reason[512];
  Handle handle(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof reason));
  if (!handle) throw bad_property(reason);
  (void)conf.release();  // it belongs to the handle
}

std::string without_secrets(std::string text, const wire::Properties &properties) {
  for (const auto &[name, value] : properties) {
    if (!secret(name) || value.empty()) continue;
    for (std::size_t at = 0; (at = text.find(value, at)) != std::string::npos; at += 3) text.replace(at, value.size(), "***");
  }
  return text;
}

}  // namespace migrator::kafka
