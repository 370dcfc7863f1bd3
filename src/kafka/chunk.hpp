#pragma once
// The messages of one Publish, as they came from the socket. Librdkafka reads them where they lie: they must stay
// until the producer that got them is gone, or has reported each of them.

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "wire/codec.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

class Chunk {
public:
  // Takes the payload of a Messages frame. The messages that came with it; throws Error if it is malformed.
  std::span<const wire::Message> add(std::string payload) {
    std::size_t const before = messages_.size();
    // First to its final place: a short string moves its bytes along.
    wire::MessagesReader reader(std::string_view(payloads_.emplace_back(std::move(payload))));
    while (auto message = reader.next()) messages_.push_back(*message);
    return std::span(messages_).subspan(before);
  }
  const std::vector<wire::Message> &messages() const noexcept { return messages_; }
  void clear() noexcept {
    messages_.clear();
    payloads_.clear();
  }

private:
  std::deque<std::string> payloads_;
  std::vector<wire::Message> messages_;   // they point into the payloads
};

}  // namespace migrator::kafka
