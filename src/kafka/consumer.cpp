#include "kafka/consumer.hpp"

#include <algorithm>

#include "kafka/config.hpp"
#include "kafka/ranges.hpp"
#include "kafka/topics.hpp"
#include "wire/records.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

constexpr int k_settling = 3000;  // ms in which a broker that has just started may not know all that it has

Conf config(const wire::Properties &properties, Taint &connections) {
  Conf conf = consumer_config(properties);
  connections.watch(conf.get());
  return conf;
}

std::optional<std::string_view> view(const void *data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char *>(data), size);
}

}  // namespace

Consumer::Consumer(const wire::Assign &request, const Deadline &deadline)
    : positions_(request.positions), connections_({Taint::k_fetch}),
      client_(RD_KAFKA_CONSUMER, config(request.properties, connections_)), queue_(rd_kafka_queue_new(client_.get())) {
  connections_.begin();
  std::map<std::string, TopicState> states;
  Deadline const settled = deadline.within(k_settling);
  for (const wire::Position &position : positions_) {
    if (!states.contains(position.topic)) states[position.topic] = topic_state(client_, position.topic, deadline);
    wire::Range &found = assigned_.ranges.emplace_back();
    try {
      require(states[position.topic]);
      do found = range(client_, position.topic, position.partition, deadline);
      while (found.problem.empty() && found.end < position.next && !settled.passed() && (client_.poll(100), true));
    } catch (const Failure &e) {
      found.problem = e.failed().text + " (" + e.failed().code + ")";
    }
  }
  assigned_.cluster_id = cluster_id(client_, deadline);
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const wire::Position &position = positions_[i];
    bool const witnessed = position.witness >= 0 && position.witness < position.next && readable(position.witness, assigned_.ranges[i]);
    if (readable(position.next, assigned_.ranges[i])) start(position, witnessed ? position.witness : position.next);
  }
}

Consumer::~Consumer() {
  for (const auto &[topic, partition] : started_) (void)rd_kafka_consume_stop(topic, partition);
}

void Consumer::start(const wire::Position &position, std::int64_t from) {
  std::string const doing = "reading topic \"" + position.topic + "\"";
  Topic &topic = topics_[position.topic];
  if (!topic) topic.reset(rd_kafka_topic_new(client_.get(), position.topic.c_str(), nullptr));
  auto const partition = static_cast<std::int32_t>(position.partition);
  // One queue for all partitions: librdkafka then bounds what it fetches ahead for all of them together.
  if (!topic || rd_kafka_consume_start_queue(topic.get(), partition, from, queue_.get()) != 0) throw failure(rd_kafka_last_error(), doing);
  started_.emplace_back(topic.get(), partition);
}

std::uint32_t Consumer::position_of(const rd_kafka_message_t &message) {
  auto const [found, unknown] = known_.try_emplace({message.rkt, message.partition}, 0);
  if (unknown) {
    std::string const name = rd_kafka_topic_name(message.rkt);
    auto const at = std::ranges::find_if(positions_, [&](const wire::Position &position) {
      return position.topic == name && static_cast<std::int32_t>(position.partition) == message.partition;
    });
    found->second = static_cast<std::uint32_t>(at - positions_.begin());
  }
  return found->second;
}

std::string Consumer::poll(const wire::Poll &limits) {
  wire::RecordsWriter frame(last_size_ + last_size_ / 8);
  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  Deadline const patience{std::chrono::milliseconds(limits.wait_ms)};
  bool empty = true;
  while (count < limits.records) {
    client_.check_complaint("reading topics");
    if (connections_.lost()) throw failure(RD_KAFKA_RESP_ERR__TRANSPORT, "reading topics", "the connection to a broker was lost");
    if (!next_) next_.reset(rd_kafka_consume_queue(queue_.get(), empty ? patience.left_ms(50) : 0));
    if (!next_) {
      if (empty && !patience.passed()) continue;
      break;
    }
    wire::Record record{.position = position_of(*next_), .offset = next_->offset};
    if (next_->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Also behind control records and aborted data, which are skipped in silence.
      record.end = true;
    } else if (next_->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw failure(next_->err, std::string("reading topic \"") + rd_kafka_topic_name(next_->rkt) + "\"");
    } else {
      record.timestamp = rd_kafka_message_timestamp(next_.get(), nullptr);
      record.key = view(next_->key, next_->key_len);
      record.value = view(next_->payload, next_->len);
      bytes += next_->key_len + next_->len;
      if (count > 0 && (bytes > limits.bytes || !frame.fits(record))) break;
      ++count;
    }
    frame.append(record);
    empty = false;
    next_.reset();
  }
  last_size_ = frame.size();
  return std::move(frame).finish();
}

}  // namespace migrator::kafka
