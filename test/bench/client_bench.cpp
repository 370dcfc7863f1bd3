// The client process beside a bare transactional producer, and how long a recovery takes, against the broker at
// MIGRATOR_TEST_BROKER. FILE has a message a line, key and value with a tab between them; MARKERS is a topic.
//
//   client_bench TOPIC process FILE CHUNK MARKERS   stream to the client process, transactions of CHUNK messages
//   client_bench TOPIC direct  FILE CHUNK MARKERS   the same by a bare transactional producer in this process
//   client_bench TOPIC recover ROUNDS MARKERS       kill -9 inside a transaction, then time from start to Opened

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "../unit/client_process.hpp"

namespace {

using namespace migrator;
using test::ClientProcess;
using Clock = std::chrono::steady_clock;

std::string bootstrap() { return std::getenv("MIGRATOR_TEST_BROKER"); }
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void open(ClientProcess &process, const std::string &topic, const std::string &markers, const std::string &id) {
  process.send(wire::encode(wire::Open{.properties = {{"bootstrap.servers", bootstrap()}, {"compression.type", "lz4"}},
                                       .transactional_id = id, .marker_topic = markers, .first_marker = {}, .wanted = {}, .topics = {topic}}));
  (void)process.receive_as<wire::Opened>(wire::Type::opened);
}

// The lines of a file, all in memory before any time is taken.
class Messages {
public:
  explicit Messages(const std::string &file) {
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    text_ = std::move(content).str();
    for (std::string_view rest = text_; !rest.empty();) {
      std::size_t const tab = rest.find('\t'), end = rest.find('\n');
      if (tab == rest.npos || end == rest.npos || tab > end) throw std::runtime_error("a line is not key, tab, value");
      list_.push_back({0, rest.substr(0, tab), rest.substr(tab + 1, end - tab - 1)});
      rest.remove_prefix(end + 1);
    }
  }
  std::size_t size() const { return list_.size(); }
  // Calls begin(number of messages), add(message) for each and end() for every transaction.
  void in_transactions(std::size_t chunk, auto begin, auto add, auto end) const {
    for (std::size_t at = 0; at < list_.size(); at += chunk) {
      std::size_t const past = std::min(at + chunk, list_.size());
      begin(static_cast<std::uint32_t>(past - at));
      for (std::size_t i = at; i < past; ++i) add(list_[i]);
      end();
    }
  }

private:
  std::string text_;
  std::vector<wire::Message> list_;
};

double through_process(const std::string &topic, const std::string &markers, const Messages &messages, std::size_t chunk) {
  ClientProcess process;
  open(process, topic, markers, "bench-process");
  wire::MessagesWriter writer;
  auto const start = Clock::now();
  messages.in_transactions(
      chunk,
      [&](std::uint32_t count) {
        writer.clear();
        process.send(wire::encode(wire::Publish{"marker", count, 60000}));
      },
      [&](const wire::Message &message) { writer.append(message); },
      [&] {
        process.send(writer.finish());
        (void)process.receive_as<wire::Committed>(wire::Type::committed);
      });
  return seconds_since(start);
}

void must(rd_kafka_error_t *error) {
  if (error != nullptr) throw std::runtime_error(rd_kafka_error_string(error));
}

double direct(const std::string &topic, const std::string &markers, const Messages &messages, std::size_t chunk) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  char reason[256];
  for (auto [name, text] : {std::pair<const char *, std::string>{"bootstrap.servers", bootstrap()}, {"transactional.id", "bench-direct"},
                            {"compression.type", "lz4"}, {"linger.ms", "5"}, {"socket.nagle.disable", "true"},
                            {"queue.buffering.max.messages", "10000000"}, {"partitioner", "murmur2_random"}})
    if (rd_kafka_conf_set(conf, name, text.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) throw std::runtime_error(reason);
  rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  must(rd_kafka_init_transactions(handle, 30000));
  rd_kafka_topic_t *target = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  rd_kafka_topic_t *marker_topic = rd_kafka_topic_new(handle, markers.c_str(), nullptr);
  // Not copied: the file stays in memory, as our own client process keeps its chunk.
  auto const produce = [handle](rd_kafka_topic_t *to, std::string_view key, std::string_view value) {
    while (rd_kafka_produce(to, RD_KAFKA_PARTITION_UA, 0, const_cast<char *>(value.data()), value.size(), key.data(), key.size(), nullptr) != 0)
      rd_kafka_poll(handle, 10);
  };
  auto const start = Clock::now();
  messages.in_transactions(
      chunk, [&](std::uint32_t) { must(rd_kafka_begin_transaction(handle)); },
      [&](const wire::Message &message) { produce(target, message.key, message.value); },
      [&] {
        produce(marker_topic, "bench-direct", "marker");
        must(rd_kafka_commit_transaction(handle, 60000));
      });
  double const result = seconds_since(start);
  rd_kafka_topic_destroy(target);
  rd_kafka_topic_destroy(marker_topic);
  rd_kafka_destroy(handle);
  return result;
}

void recover(const std::string &topic, const std::string &markers, int rounds) {
  std::vector<double> times;
  std::string const text(725, 'x');
  for (int round = 0; round < rounds; ++round) {
    {
      ClientProcess process;
      open(process, topic, markers, "bench-recover");
      wire::MessagesWriter writer;
      for (int i = 0; i < 5000; ++i) writer.append({0, "k" + std::to_string(i), text});
      process.send(wire::encode(wire::Publish{"marker", writer.count() + 1, 60000}));
      process.send(writer.finish());
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      process.kill();
    }
    auto const start = Clock::now();
    ClientProcess process;
    open(process, topic, markers, "bench-recover");
    times.push_back(seconds_since(start));
  }
  std::ranges::sort(times);
  std::printf("recovery in s: median %.2f, least %.2f, most %.2f of %d\n", times[times.size() / 2], times.front(), times.back(), rounds);
}

}  // namespace

int main(int argc, char **argv) try {
  std::vector<std::string> const arguments(argv + 1, argv + argc);
  if (std::getenv("MIGRATOR_TEST_BROKER") == nullptr || arguments.size() < 4) {
    std::fputs("usage: MIGRATOR_TEST_BROKER=host:port client_bench TOPIC process|direct FILE CHUNK MARKERS\n"
               "       MIGRATOR_TEST_BROKER=host:port client_bench TOPIC recover ROUNDS MARKERS\n", stderr);
    return 2;
  }
  const std::string &topic = arguments[0], &how = arguments[1];
  if (how == "recover") {
    recover(topic, arguments[3], std::stoi(arguments[2]));
  } else {
    Messages const messages(arguments[2]);
    std::size_t const chunk = std::stoul(arguments[3]);
    const std::string &markers = arguments.at(4);
    double const time = how == "process" ? through_process(topic, markers, messages, chunk) : direct(topic, markers, messages, chunk);
    std::printf("%s: %zu messages in transactions of %zu: %.3f s\n", how.c_str(), messages.size(), chunk, time);
  }
  return 0;
} catch (const std::exception &e) {
  std::fprintf(stderr, "client_bench: %s\n", e.what());
  return 1;
}
