// What the client process costs, and how long a recovery takes, against the broker at MIGRATOR_TEST_BROKER.
//
//   client_bench TOPIC process MESSAGES SIZE CHUNK   stream to the client process, transactions of CHUNK messages
//   client_bench TOPIC direct  MESSAGES SIZE CHUNK   the same by a bare transactional producer in this process
//   client_bench TOPIC recover ROUNDS                kill -9 inside a transaction, then time from start to Opened

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "../unit/client_process.hpp"

namespace {

using namespace migrator;
using test::ClientProcess;
using Clock = std::chrono::steady_clock;

std::string bootstrap() { return std::getenv("MIGRATOR_TEST_BROKER"); }
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void open(ClientProcess &process, const std::string &topic, const std::string &id) {
  process.send(wire::encode(wire::Open{.properties = {{"bootstrap.servers", bootstrap()}, {"compression.type", "lz4"}},
                                       .transactional_id = id, .marker_topic = "bench_markers", .topics = {topic}}));
  (void)process.receive_as<wire::Opened>(wire::Type::opened);
}

// About as compressible as a row in JSON.
std::string value(int i, int size) {
  std::string text;
  for (unsigned x = static_cast<unsigned>(i) * 2654435761u; static_cast<int>(text.size()) < size; x = x * 1664525u + 1013904223u)
    text += "\"field\":\"" + std::to_string(x) + "\",";
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::vector<std::string> values(int size) {
  std::vector<std::string> result;
  for (int i = 0; i < 10000; ++i) result.push_back(value(i, size));
  return result;
}

double through_process(const std::string &topic, int messages, int size, int chunk) {
  auto const data = values(size);
  ClientProcess process;
  open(process, topic, "bench-process");
  wire::MessagesWriter writer;
  auto const start = Clock::now();
  for (int at = 0; at < messages; at += chunk) {
    writer.clear();
    for (int i = at; i < std::min(at + chunk, messages); ++i)
      writer.append({0, "k" + std::to_string(i), data[static_cast<std::size_t>(i) % data.size()]});
    process.send(wire::encode(wire::Publish{"marker", writer.count(), 60000}));
    process.send(writer.finish());
    (void)process.receive_as<wire::Committed>(wire::Type::committed);
  }
  return seconds_since(start);
}

void must(rd_kafka_error_t *error) {
  if (error != nullptr) throw std::runtime_error(rd_kafka_error_string(error));
}

double direct(const std::string &topic, int messages, int size, int chunk) {
  auto const data = values(size);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  char reason[256];
  for (auto [name, text] : {std::pair<const char *, std::string>{"bootstrap.servers", bootstrap()}, {"transactional.id", "bench-direct"},
                            {"compression.type", "lz4"}, {"linger.ms", "5"}, {"socket.nagle.disable", "true"},
                            {"queue.buffering.max.messages", "10000000"}, {"partitioner", "murmur2_random"}})
    if (rd_kafka_conf_set(conf, name, text.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) throw std::runtime_error(reason);
  rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
  must(rd_kafka_init_transactions(handle, 30000));
  rd_kafka_topic_t *target = rd_kafka_topic_new(handle, topic.c_str(), nullptr);
  auto const start = Clock::now();
  for (int at = 0; at < messages; at += chunk) {
    must(rd_kafka_begin_transaction(handle));
    for (int i = at; i < std::min(at + chunk, messages); ++i) {
      std::string const &text = data[static_cast<std::size_t>(i) % data.size()];
      std::string const key = "k" + std::to_string(i);
      while (rd_kafka_produce(target, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char *>(text.data()), text.size(),
                              key.data(), key.size(), nullptr) != 0)
        rd_kafka_poll(handle, 10);
    }
    must(rd_kafka_commit_transaction(handle, 60000));
  }
  double const result = seconds_since(start);
  rd_kafka_topic_destroy(target);
  rd_kafka_destroy(handle);
  return result;
}

void recover(const std::string &topic, int rounds) {
  std::vector<double> times;
  std::string const text(725, 'x');
  for (int round = 0; round < rounds; ++round) {
    {
      ClientProcess process;
      open(process, topic, "bench-recover");
      wire::MessagesWriter writer;
      for (int i = 0; i < 5000; ++i) writer.append({0, "k" + std::to_string(i), text});
      process.send(wire::encode(wire::Publish{"marker", writer.count() + 1, 60000}));
      process.send(writer.finish());
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      process.kill();
    }
    auto const start = Clock::now();
    ClientProcess process;
    open(process, topic, "bench-recover");
    times.push_back(seconds_since(start));
  }
  std::ranges::sort(times);
  std::printf("recovery in s: median %.2f, least %.2f, most %.2f of %d\n", times[times.size() / 2], times.front(), times.back(), rounds);
}

}  // namespace

int main(int argc, char **argv) try {
  std::vector<std::string> const arguments(argv + 1, argv + argc);
  if (std::getenv("MIGRATOR_TEST_BROKER") == nullptr || arguments.size() < 3) {
    std::fputs("usage: MIGRATOR_TEST_BROKER=host:port client_bench TOPIC process|direct MESSAGES SIZE CHUNK\n"
               "       MIGRATOR_TEST_BROKER=host:port client_bench TOPIC recover ROUNDS\n", stderr);
    return 2;
  }
  int const count = std::stoi(arguments[2]);
  if (arguments[1] == "recover") {
    recover(arguments[0], count);
  } else {
    int const size = std::stoi(arguments.at(3)), chunk = std::stoi(arguments.at(4));
    double const time = arguments[1] == "process" ? through_process(arguments[0], count, size, chunk) : direct(arguments[0], count, size, chunk);
    std::printf("%s: %d messages of %d bytes in transactions of %d: %.2f s\n", arguments[1].c_str(), count, size, chunk, time);
  }
  return 0;
} catch (const std::exception &e) {
  std::fprintf(stderr, "client_bench: %s\n", e.what());
  return 1;
}
