#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"
#include "server/options.hpp"

using namespace migrator::server;

namespace {

std::string refusal(std::string_view option, Place place) {
  try {
    check_option(option, place);
    return "";
  } catch (const migrator::Error &error) {
    EXPECT_EQ(error.sqlstate(), "HV00D");
    EXPECT_NE(error.message().find("\"" + std::string(option) + "\""), std::string::npos) << "names the option";
    EXPECT_FALSE(error.hint_text().empty());
    return error.message();
  }
}

}  // namespace

TEST(Options, OrdinaryOnesGoOnTheServer) {
  for (const char *option : {"bootstrap.servers", "compression.codec", "linger.ms", "security.protocol", "ssl.ca.pem", "bootstrap.servers:ENV"}) {
    EXPECT_EQ(refusal(option, Place::server), "");
    EXPECT_NE(refusal(option, Place::user_mapping), "");
  }
}

TEST(Options, SecretsGoIntoUserMappingsOnly) {
  for (const char *option : {"sasl.password", "sasl.password:ENV", "ssl.key.pem", "ssl.key.password"}) {
    EXPECT_EQ(refusal(option, Place::user_mapping), "");
    EXPECT_NE(refusal(option, Place::server), "");
  }
  EXPECT_EQ(refusal("sasl.username", Place::user_mapping), "");
}

TEST(Options, WhatIsDangerousOrUnknownIsRefused) {
  for (const char *option :
       {"sasl.kerberos.kinit.cmd", "plugin.library.paths", "ssl.engine.location", "ssl.providers", "ssl.key.location", "ssl.ca.location",
        "ssl.certificate.location", "debug", "enable.idempotence", "acks", "transactional.id", "partitioner", "isolation.level",
        "transaction.timeout.ms", "max.in.flight", "message.timeout.ms", "queue.buffering.max.kbytes", "statistics.interval.ms", "log_level",
        "group.id", "", ":ENV", "bootstrap.servers ", "Bootstrap.Servers", "nonsense"}) {
    EXPECT_NE(refusal(option, Place::server), "") << option;
    EXPECT_NE(refusal(option, Place::user_mapping), "") << option;
  }
}

TEST(Options, KerberosIsRefusedByItsValue) {
  EXPECT_NO_THROW(check_value("sasl.mechanism", "SCRAM-SHA-512"));
  EXPECT_NO_THROW(check_value("linger.ms", "GSSAPI"));
  EXPECT_THROW(check_value("sasl.mechanisms", "GSSAPI"), migrator::Error);
  EXPECT_THROW(check_value("sasl.mechanism:ENV", "OAUTHBEARER"), migrator::Error);
}
