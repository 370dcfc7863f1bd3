#pragma once
// The client process's side of the conversation in wire/protocol.hpp: frames in, answers out.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/deadline.hpp"
#include "kafka/chunk.hpp"
#include "kafka/consumer.hpp"
#include "kafka/producer.hpp"
#include "wire/codec.hpp"

#include "base/no_postgres.hpp"

namespace migrator::client {

class Session {
public:
  // The answer's frame, if this frame completes a request. Calls to Kafka block here, within the request's deadline.
  // Throws nothing but std::bad_alloc: what goes wrong becomes Failed.
  std::optional<std::string> handle(wire::Frame frame);
  // Serves librdkafka's callbacks; to be called often while frames are awaited.
  void serve() noexcept;
  // Failed was answered: the process must leave.
  bool over() const noexcept { return over_; }

private:
  std::optional<std::string> answer(wire::Frame frame);
  wire::Opened open(const wire::Open &request);
  void begin(const wire::Publish &request);
  std::optional<std::string> add(std::string payload);
  wire::Committed commit();
  wire::Seen look(const wire::Look &request);
  wire::Assigned assign(const wire::Assign &request);

  wire::Properties properties_;                // of the request under way, to keep secrets out of texts
  kafka::ProducerPlan plan_;
  std::optional<wire::Publish> publish_;       // under way
  std::optional<Deadline> deadline_;
  kafka::Chunk chunk_;                         // before the producer, which reads it until it is gone
  std::unique_ptr<kafka::Producer> producer_;
  std::unique_ptr<kafka::Client> viewer_;      // for Look
  std::unique_ptr<kafka::Consumer> consumer_;
  bool over_ = false;
};

}  // namespace migrator::client
