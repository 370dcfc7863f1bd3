#pragma once
// Reading partitions without end from given offsets. In no group: who reads what, and how far, is kept by the worker.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kafka/client.hpp"
#include "kafka/taint.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

class Consumer {
public:
  // Compares the positions with what is there and begins to fetch from those that are readable. Throws Failure.
  Consumer(const wire::Assign &request, const Deadline &deadline);
  ~Consumer();
  Consumer(const Consumer &) = delete;
  Consumer &operator=(const Consumer &) = delete;

  const wire::Assigned &assigned() const noexcept { return assigned_; }
  // A Records frame of what has been fetched: waits for a first record, then takes what is there up to the limits. After
  // a Failure, also when a connection was lost, the consumer is to be replaced: the positions must be compared again.
  std::string poll(const wire::Poll &limits);

private:
  void start(const wire::Position &position, std::int64_t from);
  std::uint32_t position_of(const rd_kafka_message_t &message);

  wire::Assigned assigned_;
  std::vector<wire::Position> positions_;
  std::map<std::pair<const rd_kafka_topic_t *, std::int32_t>, std::uint32_t> known_;  // positions by what librdkafka says
  Taint connections_;
  // The order of the rest is the reverse order of destruction.
  Client client_;
  Queue queue_;
  std::map<std::string, Topic> topics_;
  std::vector<std::pair<rd_kafka_topic_t *, std::int32_t>> started_;
  std::size_t last_size_ = 0;      // bytes of the last frame: the next one is likely to need as much
  Message next_;                   // fetched, but above the limits of the last poll
};

}  // namespace migrator::kafka
