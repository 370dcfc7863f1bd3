// The client process against a real broker. Needs MIGRATOR_TEST_BROKER (host:port; it must allow topics to be created,
// and be alone in its cluster); the test that stops the broker for a while needs MIGRATOR_TEST_BROKER_PID as well.
// What was committed is told by kcat, which knows nothing of our code.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <thread>

#include "broker.hpp"
#include "client_process.hpp"

namespace migrator {
namespace {

using test::Admin;
using test::broker;
using test::ClientProcess;
using test::unique;
using namespace std::chrono_literals;

// Lines "key value" of a topic.
std::multiset<std::string> committed(const std::string &topic) {
  std::string const command = std::string("timeout 30 kcat -b ") + broker() + " -t " + topic +
                              " -C -e -q -o beginning -X isolation.level=read_committed -f '%k %s\\n' 2>/dev/null";
  std::unique_ptr<FILE, int (*)(FILE *)> const pipe(popen(command.c_str(), "r"), pclose);
  std::multiset<std::string> lines;
  char *line = nullptr;
  std::size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, pipe.get())) > 0;) lines.emplace(line, static_cast<std::size_t>(length) - 1);
  std::free(line);
  return lines;
}

class KafkaClient : public testing::Test {
protected:
  void SetUp() override {
    if (broker() == nullptr) GTEST_SKIP() << "MIGRATOR_TEST_BROKER is not set";
    topic_ = admin().create(unique("topic"));
  }
  static Admin &admin() {
    static Admin instance;
    return instance;
  }

  wire::Open request(std::int64_t from = 0) {
    return {.properties = {{"bootstrap.servers", broker()}}, .transactional_id = id_, .marker_topic = markers_,
            .marker_partition = 1, .marker_partitions = 3, .marker_offset = from, .first_marker = {}, .wanted = {}, .topics = {topic_}, .deadline_ms = 30000};
  }
  wire::Opened open(ClientProcess &process, std::int64_t from = 0) {
    process.send(wire::encode(request(from)));
    return process.receive_as<wire::Opened>(wire::Type::opened);
  }
  static wire::Failed open_failing(const wire::Open &open) {
    ClientProcess process;
    process.send(wire::encode(open));
    auto failed = process.receive_as<wire::Failed>(wire::Type::failed);
    EXPECT_EQ(process.wait_exit(), 0);
    return failed;
  }
  static void add(wire::MessagesWriter &writer, int from, int count, std::size_t size = 20) {
    for (int i = from; i < from + count; ++i)
      writer.append({0, "k" + std::to_string(i), std::to_string(i) + std::string(size, 'x')});
  }
  static void send_chunk(ClientProcess &process, wire::MessagesWriter &writer, const std::string &marker, std::uint32_t deadline = 20000) {
    process.send(wire::encode(wire::Publish{marker, writer.count(), deadline}));
    process.send(writer.finish());
  }
  static wire::Committed publish(ClientProcess &process, int from, int count, const std::string &marker) {
    wire::MessagesWriter writer;
    add(writer, from, count);
    send_chunk(process, writer, marker);
    return process.receive_as<wire::Committed>(wire::Type::committed);
  }
  static std::multiset<std::string> expected(int from, int count) {
    std::multiset<std::string> lines;
    for (int i = from; i < from + count; ++i) lines.insert("k" + std::to_string(i) + " " + std::to_string(i) + std::string(20, 'x'));
    return lines;
  }

  std::string topic_;
  std::string const markers_ = unique("markers"), id_ = unique("slot");
};

TEST_F(KafkaClient, CommitsAndFindsItsMarkerAgain) {
  std::int64_t offset = -1;
  {
    ClientProcess process;
    wire::Opened const opened = open(process);
    EXPECT_FALSE(opened.cluster_id.empty());
    EXPECT_FALSE(opened.last.has_value());
    EXPECT_EQ(opened.marker_high, 0);
    ASSERT_EQ(opened.topics.size(), 1u);
    EXPECT_EQ(opened.topics[0].partitions, 4u);
    EXPECT_EQ(opened.topics[0].max_message_bytes, 1048588u - 97);
    wire::Committed const first = publish(process, 0, 1000, "one");
    EXPECT_EQ(first.marker_offset, 0);
    EXPECT_FALSE(first.tainted);
    offset = publish(process, 1000, 1000, "two").marker_offset;
    EXPECT_EQ(offset, 2);                        // a control record lies between
    process.hang_up();
    EXPECT_EQ(process.wait_exit(), 0);
  }
  EXPECT_EQ(committed(topic_), expected(0, 2000));
  EXPECT_EQ(committed(markers_), (std::multiset<std::string>{id_ + " one", id_ + " two"}));
  for (std::int64_t from : {std::int64_t{0}, offset}) {
    ClientProcess again;
    wire::Opened const opened = open(again, from);
    ASSERT_TRUE(opened.last.has_value());
    EXPECT_EQ(opened.last->offset, offset);
    EXPECT_EQ(opened.last->value, "two");
    EXPECT_EQ(opened.marker_high, 4);
  }
  ClientProcess again;
  EXPECT_FALSE(open(again, offset + 1).last.has_value());
  for (auto const &[wanted, found] : {std::pair{"on", 0}, {"w", 2}, {"three", -1}, {"", -1}}) {
    wire::Open searching = request();
    searching.wanted = wanted;
    ClientProcess process;
    process.send(wire::encode(searching));
    wire::Opened const opened = process.receive_as<wire::Opened>(wire::Type::opened);
    EXPECT_EQ(opened.wanted ? opened.wanted->offset : -1, found) << wanted;
    EXPECT_EQ(opened.last->value, "two");
  }
}

TEST_F(KafkaClient, CommitsAnEmptyChunk) {
  ClientProcess process;
  open(process);
  EXPECT_EQ(publish(process, 0, 0, "nothing").marker_offset, 0);
  EXPECT_EQ(publish(process, 0, 3, "three").marker_offset, 2);
  EXPECT_EQ(committed(topic_), expected(0, 3));
}

TEST_F(KafkaClient, IgnoresMarkersOfOthersInTheSamePartition) {
  ClientProcess process;
  open(process);
  publish(process, 0, 1, "mine");
  wire::Open other = request();
  other.transactional_id += "-other";
  ClientProcess second;
  second.send(wire::encode(other));
  EXPECT_FALSE(second.receive_as<wire::Opened>(wire::Type::opened).last.has_value());
}

TEST_F(KafkaClient, KilledInMidPublishLeavesNothing) {
  {
    ClientProcess process;
    open(process);
    publish(process, 0, 10, "before");
    wire::MessagesWriter writer;
    add(writer, 10, 20000);
    process.send(wire::encode(wire::Publish{"lost", writer.count() + 1, 20000}));   // one never comes
    process.send(writer.finish());
    std::this_thread::sleep_for(500ms);
    process.kill();
  }
  auto const start = std::chrono::steady_clock::now();
  ClientProcess again;
  wire::Opened const opened = open(again);
  RecordProperty("recovery_ms", static_cast<int>((std::chrono::steady_clock::now() - start) / 1ms));
  ASSERT_TRUE(opened.last.has_value());
  EXPECT_EQ(opened.last->value, "before");
  publish(again, 10, 5, "after");
  EXPECT_EQ(committed(topic_), expected(0, 15));
}

TEST_F(KafkaClient, IsFencedByAnotherOwner) {
  ClientProcess first, second;
  open(first);
  publish(first, 0, 5, "first");
  open(second);
  wire::MessagesWriter writer;
  add(writer, 5, 5);
  send_chunk(first, writer, "zombie");
  EXPECT_EQ(first.receive_as<wire::Failed>(wire::Type::failed).fault, wire::Fault::fenced);
  EXPECT_EQ(first.wait_exit(), 0);
  publish(second, 5, 5, "second");
  EXPECT_EQ(committed(topic_), expected(0, 10));
}

TEST_F(KafkaClient, NamesMessagesThatAreTooLargeForItsTopic) {
  ClientProcess process;
  std::uint64_t const limit = open(process).topics.at(0).max_message_bytes;
  wire::MessagesWriter writer;
  add(writer, 0, 3);
  writer.append({0, "large", std::string(limit - 5, 'l')});
  writer.append({0, "larger", std::string(limit - 5, 'l')});
  send_chunk(process, writer, "m");
  auto const failed = process.receive_as<wire::Failed>(wire::Type::failed);
  EXPECT_EQ(failed.fault, wire::Fault::record);
  EXPECT_EQ(failed.code, "MSG_SIZE_TOO_LARGE");
  EXPECT_EQ(failed.culprits, (std::vector<std::uint32_t>{4}));
  // What is just small enough is taken.
  ClientProcess again;
  open(again);
  wire::MessagesWriter fits;
  fits.append({0, "large", std::string(limit - 5, 'l')});
  send_chunk(again, fits, "m");
  again.receive_as<wire::Committed>(wire::Type::committed);
  EXPECT_EQ(committed(topic_).size(), 1u);
}

TEST_F(KafkaClient, NeverMakesABatchThatATopicRefuses) {
  topic_ = admin().create(unique("small"), 1, {{"max.message.bytes", "3000"}});
  ClientProcess process;
  EXPECT_EQ(open(process).topics.at(0).max_message_bytes, 3000u - 97);
  wire::MessagesWriter writer;
  add(writer, 0, 2000, 700);
  writer.append({0, "k", std::string(3000 - 98, 'x')});
  send_chunk(process, writer, "m");
  process.receive_as<wire::Committed>(wire::Type::committed);
  EXPECT_EQ(committed(topic_).size(), 2001u);
}

// The limit is lowered behind the client's back, so that the broker is the one that refuses.
TEST_F(KafkaClient, FindsTheMessagesThatTheBrokerRefuses) {
  topic_ = admin().create(unique("lowered"), 2, {{"max.message.bytes", "20000"}});
  std::vector<std::uint32_t> const culprits = {17, 300, 301, 999};
  {
    ClientProcess process;
    open(process);
    admin().set(topic_, "max.message.bytes", "5000");
    wire::MessagesWriter writer;
    for (std::uint32_t i = 0; i < 1000; ++i)
      writer.append({0, "k" + std::to_string(i), std::string(std::ranges::count(culprits, i) ? 6000 : 40, 'x')});
    send_chunk(process, writer, "m", 60000);
    auto const failed = process.receive_as<wire::Failed>(wire::Type::failed);
    EXPECT_EQ(failed.fault, wire::Fault::record) << failed.text;
    EXPECT_EQ(failed.code, "MSG_SIZE_TOO_LARGE");
    EXPECT_EQ(failed.culprits, culprits);
  }
  EXPECT_TRUE(committed(topic_).empty());
}

TEST_F(KafkaClient, RefusesAMissingTopicByName) {
  wire::Open missing = request();
  missing.topics.push_back(unique("missing"));
  wire::Failed const failed = open_failing(missing);
  EXPECT_EQ(failed.fault, wire::Fault::refused);
  EXPECT_EQ(failed.code, "UNKNOWN_TOPIC_OR_PART");
  EXPECT_NE(failed.text.find(missing.topics.back()), std::string::npos);
  admin().create(missing.topics.back());
  ClientProcess process;
  process.send(wire::encode(missing));
  process.receive_as<wire::Opened>(wire::Type::opened);
}

TEST_F(KafkaClient, RefusesAMarkerPartitionThatIsNotThere) {
  wire::Open beyond = request();
  beyond.marker_partition = 3;
  wire::Failed const failed = open_failing(beyond);
  EXPECT_EQ(failed.fault, wire::Fault::refused);
  EXPECT_NE(failed.text.find("3 partitions"), std::string::npos);
}

TEST_F(KafkaClient, FailsWhenNobodyAnswers) {
  wire::Open nowhere = request();
  nowhere.properties = {{"bootstrap.servers", "127.0.0.1:1"}};
  nowhere.deadline_ms = 3000;
  auto const start = std::chrono::steady_clock::now();
  wire::Failed const failed = open_failing(nowhere);
  EXPECT_EQ(failed.fault, wire::Fault::unavailable);
  EXPECT_NE(failed.text.find("Connection refused"), std::string::npos) << failed.text;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
}

TEST_F(KafkaClient, AnswersNonsenseWithAProtocolFault) {
  wire::MessagesWriter writer;
  add(writer, 0, 2);
  std::string const nonsense[] = {std::string(writer.finish()), wire::encode(wire::Publish{"m", 1, 1000}),
                                  wire::encode(wire::Committed{}), std::string("\x01\0\0\0\x01x", 6)};
  for (const std::string &bytes : nonsense) {
    ClientProcess process;
    process.send(bytes);
    EXPECT_EQ(process.receive_as<wire::Failed>(wire::Type::failed).fault, wire::Fault::protocol);
    EXPECT_EQ(process.wait_exit(), 0);
  }
  for (wire::Publish const &publish : {wire::Publish{"m", 1, 5000}, wire::Publish{"m", 3, 5000}}) {
    ClientProcess process;
    open(process);
    process.send(wire::encode(publish));
    process.send(writer.finish());
    if (publish.count == 3) process.send(wire::encode(wire::Validate{}));
    EXPECT_EQ(process.receive_as<wire::Failed>(wire::Type::failed).fault, wire::Fault::protocol);
  }
  ClientProcess garbage;
  garbage.send(std::string(100, '\xff'));
  EXPECT_EQ(garbage.wait_exit(), 1);
}

TEST_F(KafkaClient, LeavesWithItsParentAndNotWithASignalOfTheTerminal) {
  ClientProcess process;
  open(process);
  kill(process.pid(), SIGINT);
  publish(process, 0, 1, "m");
  process.hang_up();
  EXPECT_EQ(process.wait_exit(5000), 0);
}

TEST_F(KafkaClient, ChecksWhatMustBeRight) {
  auto run = [](wire::Check check) {
    ClientProcess process;
    process.send(wire::encode(check));
    return process.receive_as<wire::Report>(wire::Type::report).findings;
  };
  std::string const missing = unique("missing");
  wire::Check check{{{"bootstrap.servers", broker()}}, id_, markers_, {topic_, missing}, 10000};
  std::vector<std::string> wrong, weak;
  for (const wire::Finding &finding : run(check)) {
    EXPECT_EQ(finding.ok, finding.remedy.empty()) << finding.check;
    if (!finding.ok) wrong.push_back(finding.check);
    if (finding.detail.find("may be lost with a broker") != std::string::npos) weak.push_back(finding.check);
  }
  EXPECT_EQ(wrong, std::vector<std::string>{"topic " + missing});
  EXPECT_EQ(weak, std::vector<std::string>{"topic " + topic_ + " durability"});  // one replica: said, and no fault
  check.properties = {{"bootstrap.servers", "127.0.0.1:1"}};
  check.deadline_ms = 2000;
  auto const unreachable = run(check);
  ASSERT_EQ(unreachable.size(), 1u);
  EXPECT_EQ(unreachable[0].check, "reachable");
  EXPECT_FALSE(unreachable[0].ok);
}

TEST_F(KafkaClient, SurvivesAFrozenBroker) {
  const char *pid = std::getenv("MIGRATOR_TEST_BROKER_PID");
  if (pid == nullptr) GTEST_SKIP() << "MIGRATOR_TEST_BROKER_PID is not set";
  {
    ClientProcess process;
    open(process);
    publish(process, 0, 5, "before");
    kill(std::atoi(pid), SIGSTOP);
    wire::MessagesWriter writer;
    add(writer, 5, 5);
    send_chunk(process, writer, "during", 4000);
    wire::Frame frame = process.receive(5000);
    kill(std::atoi(pid), SIGCONT);
    ASSERT_EQ(frame.type, wire::Type::failed);
    EXPECT_EQ(wire::decode<wire::Failed>(frame.payload).fault, wire::Fault::unavailable);
  }
  // For a moment a broker that was frozen leads no partitions; a worker tries again with a new process.
  wire::Opened opened;
  for (auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(30);;) {
    try {
      ClientProcess again;
      opened = open(again);
      break;
    } catch (const std::exception &) {
      if (std::chrono::steady_clock::now() > until) throw;
    }
  }
  ASSERT_TRUE(opened.last.has_value());
  // The requests of the frozen time may have been worked off or not, but wholly.
  bool const during = opened.last->value == "during";
  EXPECT_TRUE(during || opened.last->value == "before");
  EXPECT_EQ(committed(topic_), expected(0, during ? 10 : 5));
}

}  // namespace
}  // namespace migrator
