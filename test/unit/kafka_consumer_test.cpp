// Consuming by the client process from a real broker (MIGRATOR_TEST_BROKER). The records are produced here by librdkafka
// itself, without our code.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "broker.hpp"
#include "client_process.hpp"
#include "wire/records.hpp"

namespace migrator {
namespace {

using test::Admin;
using test::broker;
using test::ClientProcess;
using test::unique;
using namespace std::chrono_literals;

class Producer {
public:
  explicit Producer(const std::string &transactional_id = "") {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char reason[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", broker(), reason, sizeof reason);
    rd_kafka_conf_set(conf, "message.max.bytes", "100000000", reason, sizeof reason);
    if (!transactional_id.empty()) rd_kafka_conf_set(conf, "transactional.id", transactional_id.c_str(), reason, sizeof reason);
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason));
    if (!transactional_id.empty()) done(rd_kafka_init_transactions(handle_.get(), 30000));
  }
  void add(const std::string &topic, int partition, std::optional<std::string> key, std::optional<std::string> value) {
    // The macros cast what they are given.
    void *const key_data = key ? key->data() : nullptr, *const value_data = value ? value->data() : nullptr;
    std::size_t const key_size = key ? key->size() : 0, value_size = value ? value->size() : 0;
    rd_kafka_resp_err_t const code = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
        RD_KAFKA_V_KEY(key_data, key_size), RD_KAFKA_V_VALUE(value_data, value_size), RD_KAFKA_V_END);
    ASSERT_EQ(code, RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void flush() { ASSERT_EQ(rd_kafka_flush(handle_.get(), 30000), RD_KAFKA_RESP_ERR_NO_ERROR); }
  void begin() { done(rd_kafka_begin_transaction(handle_.get())); }
  void commit() { done(rd_kafka_commit_transaction(handle_.get(), 30000)); }
  void abort() { done(rd_kafka_abort_transaction(handle_.get(), 30000)); }

private:
  static void done(rd_kafka_error_t *error) { ASSERT_EQ(error, nullptr) << rd_kafka_error_string(error); }
  kafka::Handle handle_;
};

struct Read {
  std::vector<std::string> records;             // "offset key value", null as ~
  std::optional<std::int64_t> end;
};

class KafkaConsumer : public testing::Test {
protected:
  void SetUp() override {
    if (broker() == nullptr) GTEST_SKIP() << "MIGRATOR_TEST_BROKER is not set";
    topic_ = admin().create(unique("consumed"), 2);
  }
  static Admin &admin() {
    static Admin instance;
    return instance;
  }
  static wire::Properties properties() { return {{"bootstrap.servers", broker()}}; }
  void produce(int partition, int from, int count) {
    Producer producer;
    for (int i = from; i < from + count; ++i) producer.add(topic_, partition, "k" + std::to_string(i), "v" + std::to_string(i));
    producer.flush();
  }
  wire::Assigned assign(std::vector<wire::Position> positions) {
    process_.send(wire::encode(wire::Assign{.properties = properties(), .positions = std::move(positions), .deadline_ms = 20000}));
    return process_.receive_as<wire::Assigned>(wire::Type::assigned);
  }
  std::string poll(const wire::Poll &limits) {
    process_.send(wire::encode(limits));
    wire::Frame const frame = process_.receive();
    if (frame.type != wire::Type::records) throw std::runtime_error("failed: " + wire::decode<wire::Failed>(frame.payload).code);
    return frame.payload;
  }
  // Polls until each of so many partitions has told its end at or behind `ends`.
  std::map<std::uint32_t, Read> read_to(const std::map<std::uint32_t, std::int64_t> &ends) {
    std::map<std::uint32_t, Read> result;
    auto open = [&] {
      return std::ranges::any_of(ends, [&](auto &wanted) { return result[wanted.first].end.value_or(-1) < wanted.second; });
    };
    for (Deadline const deadline(20s); open();) {
      if (deadline.passed()) throw std::runtime_error("the end does not come");
      std::string const payload = poll({.bytes = 1 << 20, .records = 1000, .wait_ms = 100});
      wire::RecordsReader reader{std::string_view(payload)};
      while (auto record = reader.next()) {
        Read &read = result[record->position];
        if (record->end) read.end = record->offset;
        else read.records.push_back(std::to_string(record->offset) + " " + std::string(record->key.value_or("~")) + " " +
                                    std::string(record->value.value_or("~")));
      }
    }
    return result;
  }
  std::vector<std::string> lines(int from, int count, int offset) {
    std::vector<std::string> result;
    for (int i = 0; i < count; ++i)
      result.push_back(std::to_string(offset + i) + " k" + std::to_string(from + i) + " v" + std::to_string(from + i));
    return result;
  }

  std::string topic_;
  ClientProcess process_;
};

TEST_F(KafkaConsumer, ReadsFromTheGivenOffsets) {
  produce(0, 0, 100);
  produce(1, 500, 50);
  wire::Assigned const assigned = assign({{topic_, 1, 0, -1}, {topic_, 0, 90, -1}});
  EXPECT_FALSE(assigned.cluster_id.empty());
  EXPECT_EQ(assigned.ranges.at(1).end, 100);
  auto const read = read_to({{0, 50}, {1, 100}});
  EXPECT_EQ(read.at(0).records, lines(500, 50, 0));
  EXPECT_EQ(read.at(1).records, lines(90, 10, 90));
  produce(0, 100, 3);
  EXPECT_EQ(read_to({{1, 103}}).at(1).records, lines(100, 3, 100));
}

TEST_F(KafkaConsumer, KeepsNullsApartFromEmptyValues) {
  Producer producer;
  producer.add(topic_, 0, std::nullopt, "v");
  producer.add(topic_, 0, "", std::nullopt);
  producer.add(topic_, 0, "k", "");
  producer.flush();
  assign({{topic_, 0, 0, -1}});
  EXPECT_EQ(read_to({{0, 3}}).at(0).records, (std::vector<std::string>{"0 ~ v", "1  ~", "2 k "}));
}

TEST_F(KafkaConsumer, NeverSeesWhatIsNotCommitted) {
  Producer producer(unique("transactional"));
  producer.begin();
  producer.add(topic_, 0, "a", "aborted");
  producer.flush();
  producer.abort();
  producer.begin();
  producer.add(topic_, 0, "c", "committed");
  producer.commit();
  producer.begin();
  producer.add(topic_, 0, "o", "open");
  producer.flush();
  // Offsets: aborted 0, its end 1, committed 2, its end 3, open 4.
  EXPECT_EQ(assign({{topic_, 0, 0, -1}}).ranges.at(0).end, 4);
  Read const read = read_to({{0, 4}}).at(0);
  EXPECT_EQ(read.records, std::vector<std::string>{"2 c committed"});
  EXPECT_EQ(read.end, 4);
  producer.commit();
  EXPECT_EQ(read_to({{0, 6}}).at(0).records, std::vector<std::string>{"4 o open"});
}

TEST_F(KafkaConsumer, FetchesNothingFromPositionsThatAreNotThere) {
  produce(0, 0, 10);
  produce(1, 0, 10);
  admin().delete_records(topic_, 1, 6);
  wire::Assigned const assigned =
      assign({{topic_, 0, 11, -1}, {topic_, 1, 5, -1}, {topic_, 7, 0, -1}, {unique("missing"), 0, 0, -1}});
  EXPECT_EQ(assigned.ranges.at(0).end, 10);
  EXPECT_EQ(assigned.ranges.at(1).low, 6);
  EXPECT_NE(assigned.ranges.at(2).problem, "");
  EXPECT_NE(assigned.ranges.at(3).problem.find("does not exist"), std::string::npos);
  EXPECT_TRUE(poll({.wait_ms = 500}).empty());
}

TEST_F(KafkaConsumer, SendsTheWitnessFirst) {
  produce(0, 0, 10);
  assign({{topic_, 0, 8, 7}, {topic_, 1, 0, 5}});
  auto const read = read_to({{0, 10}, {1, 0}});
  EXPECT_EQ(read.at(0).records, lines(7, 3, 7));
  EXPECT_TRUE(read.at(1).records.empty());
}

TEST_F(KafkaConsumer, KeepsToTheLimitsOfAPoll) {
  topic_ = admin().create(unique("large"), 1, {{"max.message.bytes", "60000000"}});
  Producer producer;
  for (int i = 0; i < 5; ++i) producer.add(topic_, 0, "k", std::string(1000, 'x'));
  producer.add(topic_, 0, "big", std::string(50000000, 'y'));
  producer.flush();
  assign({{topic_, 0, 0, -1}});
  std::vector<std::size_t> counts;
  std::size_t largest = 0;
  for (std::size_t total = 0; total < 6;) {
    std::string const payload = poll({.bytes = 2100, .records = 3, .wait_ms = 1000});
    std::size_t count = 0;
    wire::RecordsReader reader{std::string_view(payload)};
    while (auto record = reader.next())
      if (!record->end) ++count, largest = std::max(largest, record->value->size());
    EXPECT_LE(count, 2u);
    total += count;
  }
  EXPECT_EQ(largest, 50000000u);
}

TEST_F(KafkaConsumer, AnswersSoonWhenThereIsNothing) {
  assign({{topic_, 0, 0, -1}});
  (void)read_to({{0, 0}});
  auto const before = std::chrono::steady_clock::now();
  EXPECT_TRUE(poll({.bytes = 1, .records = 1, .wait_ms = 300}).empty());
  auto const took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 2s);
}

TEST_F(KafkaConsumer, MemoryIsBounded) {
  constexpr int k_partitions = 16;
  topic_ = admin().create(unique("much"), k_partitions);
  Producer producer;
  std::vector<wire::Position> positions;
  for (int partition = 0; partition < k_partitions; ++partition) {
    for (int i = 0; i < 12000; ++i) producer.add(topic_, partition, "k", std::string(1000, 'x'));
    positions.push_back({topic_, static_cast<std::uint32_t>(partition), 0, -1});
  }
  producer.flush();
  assign(positions);
  std::size_t got = 0, polls = 0;
  long most = 0;
  for (Deadline const deadline(60s); got < std::size_t{k_partitions} * 12000 && !deadline.passed(); ++polls) {
    std::string const payload = poll({.bytes = 4 << 20, .records = 5000, .wait_ms = 1000});
    wire::RecordsReader reader{std::string_view(payload)};
    while (auto record = reader.next()) got += !record->end;
    if (polls % 10 == 5) std::this_thread::sleep_for(100ms);  // a slow worker: librdkafka fetches ahead meanwhile
    std::ifstream status("/proc/" + std::to_string(process_.pid()) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) most = std::stol(line.substr(6));
  }
  EXPECT_EQ(got, std::size_t{k_partitions} * 12000);
  EXPECT_LT(most, 160 * 1024) << "kB";  // of 192 MB
  RecordProperty("kB", static_cast<int>(most));
}

TEST_F(KafkaConsumer, LeavesWhenTheTopicIsRecreated) {
  produce(0, 0, 10);
  assign({{topic_, 0, 0, -1}});
  (void)read_to({{0, 10}});
  admin().remove(topic_);
  std::string failed;
  try {
    for (Deadline const deadline(20s); !deadline.passed();) (void)poll({.wait_ms = 200});
  } catch (const std::runtime_error &e) {
    failed = e.what();
  }
  EXPECT_NE(failed.find("UNKNOWN"), std::string::npos) << failed;
}

TEST_F(KafkaConsumer, LooksAgainAndAgain) {
  produce(1, 0, 10);
  std::string const missing = unique("missing");
  for (int round = 0; round < 3; ++round) {
    process_.send(wire::encode(wire::Look{.properties = properties(), .topics = {missing, topic_}, .deadline_ms = 10000}));
    auto const seen = process_.receive_as<wire::Seen>(wire::Type::seen);
    EXPECT_FALSE(seen.cluster_id.empty());
    EXPECT_NE(seen.topics.at(0).problem.find("does not exist"), std::string::npos);
    EXPECT_EQ(seen.topics.at(1).problem, "");
    ASSERT_EQ(seen.topics.at(1).partitions.size(), 2u);
    EXPECT_EQ(seen.topics.at(1).partitions.at(1).end, 10 * (round + 1));
    produce(1, 0, 10);
  }
}

TEST_F(KafkaConsumer, RefusesWhatComesOutOfOrder) {
  process_.send(wire::encode(wire::Poll{}));
  EXPECT_EQ(process_.receive_as<wire::Failed>(wire::Type::failed).fault, wire::Fault::protocol);
  EXPECT_EQ(process_.wait_exit(), 0);
}

}  // namespace
}  // namespace migrator
