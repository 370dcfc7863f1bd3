// Configuration, limits, classification of errors and the taint rule: what needs no broker.

#include <gtest/gtest.h>

#include "kafka/config.hpp"
#include "kafka/failure.hpp"
#include "kafka/limits.hpp"
#include "kafka/taint.hpp"

namespace migrator::kafka {
namespace {

std::string get(const Conf &conf, const char *name) {
  char value[512];
  std::size_t size = sizeof value;
  return rd_kafka_conf_get(conf.get(), name, value, &size) == RD_KAFKA_CONF_OK ? value : "?";
}

std::string refusal(const wire::Properties &properties) {
  try {
    validate(properties);
  } catch (const Failure &e) {
    EXPECT_EQ(e.failed().fault, wire::Fault::refused);
    return e.failed().text;
  }
  return "";
}

TEST(Config, HasWhatTheGuaranteeRestsOn) {
  Conf const conf = producer_config({{"bootstrap.servers", "a:1"}}, "slot", {1048588, 1048588});
  EXPECT_EQ(get(conf, "transactional.id"), "slot");
  EXPECT_EQ(get(conf, "enable.idempotence"), "true");
  EXPECT_EQ(get(conf, "acks"), "-1");
  EXPECT_EQ(get(conf, "transaction.timeout.ms"), std::to_string(k_transaction_timeout_ms));
  EXPECT_EQ(get(conf, "partitioner"), "murmur2_random");
  EXPECT_EQ(get(conf, "allow.auto.create.topics"), "false");
  EXPECT_EQ(get(conf, "linger.ms"), "5");
  EXPECT_EQ(get(conf, "batch.size"), "1000000");
  Conf const reader = reader_config({});
  EXPECT_EQ(get(reader, "isolation.level"), "read_committed");
  EXPECT_EQ(get(reader, "auto.offset.reset"), "error");
  EXPECT_EQ(get(reader, "enable.partition.eof"), "true");
  EXPECT_EQ(get(reader, "enable.auto.commit"), "false");
}

TEST(Config, TakesTheOperatorsProperties) {
  wire::Properties const properties = {{"bootstrap.servers", "a:1"}, {"linger.ms", "20"}, {"compression.type", "lz4"}, {"batch.size", "500"}};
  Conf const conf = producer_config(properties, "slot", {3000, 2000});
  EXPECT_EQ(get(conf, "linger.ms"), "20");
  EXPECT_EQ(get(conf, "compression.type"), "lz4");
  EXPECT_EQ(get(conf, "batch.size"), "500");
  EXPECT_EQ(get(producer_config({}, "slot", {3000, 2000}), "batch.size"), "2000");
  EXPECT_EQ(get(reader_config({{"message.max.bytes", "2000000"}}), "message.max.bytes"), "1000000");
}

TEST(Config, ValidatesNamesAndValues) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({{"bootstrap.servers", "a:1"}, {"compression.type", "zstd"}, {"acks", "all"}}), "");
  // Incomplete, since the secrets are kept elsewhere.
  EXPECT_EQ(refusal({{"security.protocol", "sasl_plaintext"}, {"sasl.mechanisms", "PLAIN"}}), "");
  EXPECT_EQ(refusal({{"sasl.username", "u"}, {"sasl.password", "p"}}), "");
  EXPECT_NE(refusal({{"no.such.thing", "1"}}).find("no.such.thing"), std::string::npos);
  EXPECT_NE(refusal({{"linger.ms", "many"}}).find("linger.ms"), std::string::npos);
  EXPECT_NE(refusal({{"compression.type", "rar"}}).find("rar"), std::string::npos);
  EXPECT_NE(refusal({{"socket.timeout.ms", "300000"}}).find("socket.timeout.ms"), std::string::npos);
}

TEST(Config, RefusesToChangeWhatTheGuaranteeRestsOn) {
  for (const auto &[name, value] : wire::Properties{{"acks", "1"}, {"request.required.acks", "0"}, {"enable.idempotence", "false"},
                                                    {"transactional.id", "x"}, {"partitioner", "random"},
                                                    {"isolation.level", "none"}, {"allow.auto.create.topics", "true"}})
    EXPECT_NE(refusal({{name, value}}).find(name), std::string::npos) << name;
}

TEST(Config, KeepsSecretsOutOfTexts) {
  wire::Properties const properties = {{"sasl.username", "user"}, {"sasl.password", "canary"}, {"ssl.key.password", ""}};
  EXPECT_EQ(without_secrets("canary of user: canarycanary", properties), "*** of user: ******");
  std::string const text = refusal({{"ssl.key.pem", "canary"}, {"sasl.password", "canary"}, {"no.such.thing", "1"}});
  EXPECT_EQ(text.find("canary"), std::string::npos);
}

TEST(Limits, FollowTheTopicsAndTheOperator) {
  Limits const found = limits({{{"max.message.bytes", "5000"}}, {}, {{"max.message.bytes", "2000000"}}}, {});
  EXPECT_EQ(found.key_and_value, (std::vector<std::uint64_t>{5000 - 97, 1048588 - 97, 2000000 - 97}));
  EXPECT_EQ(found.sizes.batch, 5000u);
  EXPECT_EQ(found.sizes.largest_message, 2000000u);
  EXPECT_EQ(limits({{}}, {{"message.max.bytes", "1000"}}).key_and_value, (std::vector<std::uint64_t>{1000 - 97}));
  EXPECT_EQ(limits({{{"max.message.bytes", "5"}}}, {}).key_and_value, (std::vector<std::uint64_t>{0}));
}

TEST(Failures, AreClassified) {
  EXPECT_EQ(fault_of(RD_KAFKA_RESP_ERR__TRANSPORT), wire::Fault::unavailable);
  EXPECT_EQ(fault_of(RD_KAFKA_RESP_ERR__TIMED_OUT), wire::Fault::unavailable);
  EXPECT_EQ(fault_of(RD_KAFKA_RESP_ERR__FENCED), wire::Fault::fenced);
  EXPECT_EQ(fault_of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), wire::Fault::refused);
  EXPECT_EQ(fault_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), wire::Fault::record);
  wire::Failed const failed = failure(RD_KAFKA_RESP_ERR__TRANSPORT, "connecting", "no route").failed();
  EXPECT_EQ(failed.code, "_TRANSPORT");
  EXPECT_EQ(failed.text, "connecting: no route");
}

constexpr std::int16_t k_produce = 0, k_metadata = 3, k_end_txn = 26;

TEST(TaintRule, AllowsAnOrdinaryTransaction) {
  Taint taint;
  taint.begin();
  taint.request_sent(1, k_produce);
  taint.request_sent(2, k_metadata);
  taint.state_changed(2, "DOWN");    // not in use by the transaction
  taint.state_changed(1, "UP");
  taint.request_sent(1, k_end_txn);
  EXPECT_FALSE(taint.end());
  taint.state_changed(1, "DOWN");    // between transactions
  taint.begin();
  EXPECT_FALSE(taint.end());
}

TEST(TaintRule, SeesALostConnectionAndARepeatedEnd) {
  Taint taint;
  taint.begin();
  taint.request_sent(1, k_produce);
  taint.state_changed(1, "DOWN");
  EXPECT_TRUE(taint.end());
  taint.begin();
  taint.request_sent(1, k_end_txn);
  taint.request_sent(2, k_end_txn);
  EXPECT_TRUE(taint.end());
}

}  // namespace
}  // namespace migrator::kafka
