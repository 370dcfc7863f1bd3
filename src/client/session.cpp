#include "client/session.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kafka/check.hpp"
#include "kafka/config.hpp"
#include "kafka/culprits.hpp"
#include "kafka/opening.hpp"
#include "kafka/ranges.hpp"

#include "base/no_postgres.hpp"

namespace migrator::client {
namespace {

// Ends a little before the worker's own deadline, so that the worker gets a reason instead of a silence.
Deadline deadline(std::uint32_t milliseconds) {
  return Deadline(std::chrono::milliseconds(milliseconds - std::min(milliseconds / 10, 1000u)));
}

[[noreturn]] void out_of_order(const char *text) { throw Error(sqlstate::internal, text); }

void check_version(std::uint32_t version) {
  if (version != wire::k_version)
    out_of_order("the extension and its Kafka client process are of different versions: restart the server after an update");
}

}  // namespace

std::optional<std::string> Session::handle(wire::Frame frame) {
  wire::Failed failed;
  try {
    return answer(std::move(frame));
  } catch (const kafka::Failure &e) {
    failed = e.failed();
    failed.text = kafka::without_secrets(std::move(failed.text), properties_);
  } catch (const Error &e) {
    failed = {.fault = wire::Fault::protocol, .code = "", .text = e.message(), .culprits = {}};
  }
  over_ = true;
  return wire::encode(failed);
}

void Session::serve() noexcept {
  if (producer_) producer_->serve();
  if (viewer_) viewer_->poll();
}

std::optional<std::string> Session::answer(wire::Frame frame) {
  if (publish_ && frame.type != wire::Type::messages) out_of_order("a chunk is under way and another request came");
  switch (frame.type) {
    case wire::Type::open: return wire::encode(open(wire::decode<wire::Open>(frame.payload)));
    case wire::Type::publish:
      begin(wire::decode<wire::Publish>(frame.payload));
      return publish_->count == 0 ? std::optional(wire::encode(commit())) : std::nullopt;
    case wire::Type::messages: return add(std::move(frame.payload));
    case wire::Type::check: {
      auto const request = wire::decode<wire::Check>(frame.payload);
      return wire::encode(kafka::check(request, deadline(request.deadline_ms)));
    }
    case wire::Type::validate: {
      auto const request = wire::decode<wire::Validate>(frame.payload);
      properties_ = request.properties;
      kafka::validate(request.properties);
      return wire::encode_valid();
    }
    case wire::Type::look: return wire::encode(look(wire::decode<wire::Look>(frame.payload)));
    case wire::Type::assign: return wire::encode(assign(wire::decode<wire::Assign>(frame.payload)));
    case wire::Type::poll:
      if (!consumer_) out_of_order("Poll came before Assign");
      return consumer_->poll(wire::decode<wire::Poll>(frame.payload));
    default: out_of_order("an answer came where a request belongs");
  }
}

wire::Opened Session::open(const wire::Open &request) {
  check_version(request.version);
  if (producer_) out_of_order("Open came twice");
  properties_ = request.properties;
  kafka::Opening opening = kafka::open(request, deadline(request.deadline_ms));
  producer_ = std::move(opening.producer);
  plan_ = std::move(opening.plan);
  return std::move(opening.opened);
}

void Session::begin(const wire::Publish &request) {
  if (!producer_) out_of_order("Publish came before Open");
  chunk_.clear();
  publish_ = request;
  deadline_ = deadline(request.deadline_ms);
  producer_->begin();
}

std::optional<std::string> Session::add(std::string payload) {
  if (!publish_) out_of_order("Messages came without Publish");
  auto position = static_cast<std::uint32_t>(chunk_.messages().size());
  for (const wire::Message &message : chunk_.add(std::move(payload))) {
    if (message.topic >= plan_.topics.size()) out_of_order("a message is for a topic that Open did not name");
    if (position >= publish_->count) out_of_order("more messages came than Publish said");
    // After a failure this does nothing, but the worker goes on writing: it reads the answer when all is sent.
    producer_->add(message, position++, *deadline_);
  }
  producer_->serve();
  if (position < publish_->count) return std::nullopt;
  return wire::encode(commit());
}

wire::Committed Session::commit() {
  wire::Publish const publish = std::move(*publish_);
  publish_.reset();
  try {
    return producer_->commit(publish.marker, *deadline_);
  } catch (const kafka::Failure &e) {
    if (producer_->refused().empty() || !producer_->too_large().empty()) throw;
    wire::Failed failed = e.failed();
    failed.culprits = kafka::find_culprits(producer_, plan_, chunk_.messages(), *deadline_);
    if (failed.culprits.empty()) {
      // No message is refused alone, as when a topic's limit was lowered: a new process reads the limits anew.
      failed.fault = wire::Fault::unavailable;
      failed.text += " (a batch was refused, but no message alone)";
    }
    throw kafka::Failure(std::move(failed));
  }
}

wire::Seen Session::look(const wire::Look &request) {
  check_version(request.version);
  properties_ = request.properties;
  if (!viewer_) viewer_ = std::make_unique<kafka::Client>(RD_KAFKA_CONSUMER, kafka::reader_config(request.properties));
  return kafka::look(*viewer_, request.topics, deadline(request.deadline_ms));
}

wire::Assigned Session::assign(const wire::Assign &request) {
  check_version(request.version);
  if (consumer_) out_of_order("Assign came twice");
  properties_ = request.properties;
  consumer_ = std::make_unique<kafka::Consumer>(request, deadline(request.deadline_ms));
  return consumer_->assigned();
}

}  // namespace migrator::client
