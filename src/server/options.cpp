#include "server/options.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"

#include "base/no_postgres.hpp"

namespace migrator::server {
namespace {

constexpr std::array<std::string_view, 26> k_server = {
    "bootstrap.servers", "metadata.broker.list", "client.rack", "security.protocol", "sasl.mechanisms", "sasl.mechanism",
    "ssl.ca.pem", "ssl.certificate.pem", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification",
    "ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list", "compression.codec", "compression.type", "compression.level",
    "linger.ms", "queue.buffering.max.ms", "batch.num.messages", "batch.size", "message.max.bytes", "socket.timeout.ms",
    "socket.keepalive.enable", "broker.address.family", "reconnect.backoff.max.ms", "connections.max.idle.ms"};
constexpr std::array<std::string_view, 3> k_secret = {"sasl.password", "ssl.key.pem", "ssl.key.password"};
constexpr std::array<std::string_view, 1> k_either = {"sasl.username"};

template <std::size_t N> bool in(const std::array<std::string_view, N> &list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

constexpr std::string_view k_suffix = ":ENV";

}  // namespace

bool from_environment(std::string_view option) noexcept { return option.ends_with(k_suffix); }

std::string_view property_name(std::string_view option) noexcept {
  return from_environment(option) ? option.substr(0, option.size() - k_suffix.size()) : option;
}

void check_environment(std::string_view variable) {
  for (std::string_view prefix : {"KAFKA_", "MIGRATOR_", "IN_MIGRATION_"})
    if (variable.starts_with(prefix)) return;
  throw Error(sqlstate::fdw_invalid_attribute_value, "environment variable \"" + std::string(variable) + "\" may not be read")
      .detail("The server's environment may hold secrets that are nobody's business here.")
      .hint("Use a name that begins with KAFKA_, MIGRATOR_ or IN_MIGRATION_.");
}

void check_option(std::string_view option, Place place) {
  std::string_view const name = property_name(option);
  std::string const quoted = "\"" + std::string(option) + "\"";
  if (in(k_either, name)) return;
  if (in(k_secret, name)) {
    if (place == Place::user_mapping) return;
    throw Error(sqlstate::fdw_invalid_option_name, "option " + quoted + " is a secret and does not belong on the server")
        .hint("Set it on a user mapping: create user mapping for migrator_admin server ... options (...).");
  }
  if (in(k_server, name)) {
    if (place == Place::server) return;
    throw Error(sqlstate::fdw_invalid_option_name, "option " + quoted + " belongs on the server, not on a user mapping")
        .hint("Use alter server ... options (add ...).");
  }
  throw Error(sqlstate::fdw_invalid_option_name, "option " + quoted + " cannot be set")
      .detail("Only listed properties of librdkafka may be set; the delivery guarantee and the server's safety rest on the others.")
      .hint("docs/kafka-options.md has the list.");
}

void check_value(std::string_view option, std::string_view value) {
  std::string_view const name = property_name(option);
  bool const mechanism = name == "sasl.mechanism" || name == "sasl.mechanisms";
  if (!mechanism || value == "PLAIN" || value == "SCRAM-SHA-256" || value == "SCRAM-SHA-512") return;
  throw Error(sqlstate::fdw_invalid_attribute_value, "value of option \"" + std::string(option) + "\" is not supported: " + std::string(value))
      .detail("Kerberos would run a shell command; OAUTHBEARER needs options that are not on the list.")
      .hint("Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.");
}

}  // namespace migrator::server
