// Every property that librdkafka knows, and names that it does not: what is not on our list is refused by name.

#include <librdkafka/rdkafka.h>

#include <set>
#include <sstream>

#include "base/error.hpp"
#include "fuzz.hpp"
#include "server/options.hpp"

namespace migrator::server {
namespace {

using OptionsFuzz = test::Fuzz;

// docs/kafka-options.md
const std::set<std::string> k_for_servers = {
    "bootstrap.servers", "metadata.broker.list", "client.rack", "security.protocol", "sasl.mechanisms", "sasl.mechanism", "sasl.username",
    "ssl.ca.pem", "ssl.certificate.pem", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification", "ssl.cipher.suites",
    "ssl.curves.list", "ssl.sigalgs.list", "compression.codec", "compression.type", "compression.level", "linger.ms", "queue.buffering.max.ms",
    "batch.num.messages", "batch.size", "message.max.bytes", "socket.timeout.ms", "socket.keepalive.enable", "broker.address.family",
    "reconnect.backoff.max.ms", "connections.max.idle.ms"};
const std::set<std::string> k_for_mappings = {"sasl.username", "sasl.password", "ssl.key.pem", "ssl.key.password"};

// Accepted, or refused as it should be.
bool accepted(const std::string &option, Place place) {
  try {
    check_option(option, place);
    return true;
  } catch (const Error &error) {
    EXPECT_EQ(error.sqlstate(), sqlstate::fdw_invalid_option_name);
    EXPECT_NE(error.message().find('"' + option + '"'), std::string::npos) << "names the option";
    EXPECT_FALSE(error.hint_text().empty());
    return false;
  }
}

void expect_right(const std::string &option) {
  std::string name = option;
  if (name.ends_with(":ENV")) name.resize(name.size() - 4);
  EXPECT_EQ(accepted(option, Place::server), k_for_servers.contains(name)) << option;
  EXPECT_EQ(accepted(option, Place::user_mapping), k_for_mappings.contains(name)) << option;
}

// The first column of librdkafka's own table of its properties.
std::set<std::string> properties_of_librdkafka() {
  char *table = nullptr;
  std::size_t size = 0;
  std::unique_ptr<FILE, int (*)(FILE *)> stream(open_memstream(&table, &size), fclose);
  rd_kafka_conf_properties_show(stream.get());
  stream.reset();
  std::istringstream lines(std::string(table, size));
  std::free(table);
  std::set<std::string> names;
  for (std::string line, name; std::getline(lines, line);)
    if (line.find('|') != std::string::npos && std::istringstream(line) >> name && name != "Property" && name.front() != '-') names.insert(name);
  return names;
}

TEST_F(OptionsFuzz, EveryPropertyOfLibrdkafkaIsListedOrRefused) {
  std::set<std::string> const names = properties_of_librdkafka();
  std::size_t refused = 0;
  for (const std::string &name : names) {
    expect_right(name);
    expect_right(name + ":ENV");
    refused += !k_for_servers.contains(name) && !k_for_mappings.contains(name);
  }
  EXPECT_GT(names.size(), 150u);
  EXPECT_GT(refused, 120u);
  for (const std::string &name : k_for_servers) EXPECT_TRUE(names.contains(name)) << name << " is no property of librdkafka";
}

TEST_F(OptionsFuzz, NamesThatAreAlmostRightAreRefused) {
  std::set<std::string> const names = properties_of_librdkafka();
  std::size_t unknown = 0;
  repeat([&] {
    std::string option = mutated(one_of(names), 3);
    if (below(4) == 0) option += one_of(std::array{":ENV", ":env", ":ENV:ENV", " ", ".", "=x", "\n"});
    expect_right(option);
    unknown += !names.contains(option);
  });
  EXPECT_GT(unknown, 200u);
}

TEST_F(OptionsFuzz, ValuesAndVariablesAreTakenOrRefusedByName) {
  repeat([&] {
    std::string const variable = below(2) ? mutated("KAFKA_PASSWORD", 3) : text();
    try {
      check_environment(variable);
      EXPECT_TRUE(variable.starts_with("KAFKA_") || variable.starts_with("MIGRATOR_") || variable.starts_with("IN_MIGRATION_"));
    } catch (const Error &error) {
      EXPECT_EQ(error.sqlstate(), sqlstate::fdw_invalid_attribute_value);
      EXPECT_FALSE(error.hint_text().empty());
    }
    std::string const mechanism = below(2) ? mutated("SCRAM-SHA-256", 3) : text();
    try {
      check_value("sasl.mechanisms", mechanism);
      EXPECT_TRUE(mechanism == "SCRAM-SHA-256" || mechanism == "SCRAM-SHA-512" || mechanism == "PLAIN");
    } catch (const Error &error) {
      EXPECT_EQ(error.sqlstate(), sqlstate::fdw_invalid_attribute_value);
    }
  });
}

}  // namespace
}  // namespace migrator::server
