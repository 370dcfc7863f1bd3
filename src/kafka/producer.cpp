#include "kafka/producer.hpp"

#include <algorithm>

#include "base/fault.hpp"
#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

constexpr std::uint64_t k_marker_tag = ~std::uint64_t{0};  // no position: those have 32 bits

Conf config(const ProducerPlan &plan, Taint &taint) {
  Conf conf = producer_config(plan.properties, plan.transactional_id, plan.limits.sizes);
  taint.watch(conf.get());
  return conf;
}

Topic make_topic(Client &client, const std::string &name) {
  Topic topic(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  if (!topic) throw failure(rd_kafka_last_error(), "topic \"" + name + "\"");
  return topic;
}

// Taken out of the queue by an abort: the message was never tried, or its fate does not matter any more.
bool purged(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

}  // namespace

Producer::Producer(const ProducerPlan &plan)
    : transactional_id_(plan.transactional_id), key_and_value_limit_(plan.limits.key_and_value),
      marker_partition_(static_cast<std::int32_t>(plan.marker_partition)),
      client_(RD_KAFKA_PRODUCER, config(plan, taint_), this), marker_topic_(make_topic(client_, plan.marker_topic)) {
  for (const std::string &name : plan.topics) topics_.push_back(make_topic(client_, name));
}

void Producer::initialise(const Deadline &deadline) {
  std::string const doing = "initialising transactions of \"" + transactional_id_ + "\"";
  // Connect first, and learn the topics: an unconnected producer asks for its id half a second later, and the first
  // message to an unknown topic waits for a second (#5032).
  const rd_kafka_metadata_t *raw = nullptr;
  (void)rd_kafka_metadata(client_.get(), 0, nullptr, &raw, std::max(deadline.left_ms(5000), 1));
  Metadata const metadata(raw);
  for (;;) {
    ErrorPtr const error(rd_kafka_init_transactions(client_.get(), std::max(deadline.left_ms(2000), 1)));
    if (!error) return;
    client_.check_complaint(doing);
    if (rd_kafka_error_is_retriable(error.get()) && !deadline.passed()) continue;
    Failure const found = client_.explain(error.get(), doing);
    if (found.failed().fault != wire::Fault::unavailable || !metadata) throw found;
    wire::Failed failed = found.failed();
    failed.text += ". The brokers answer, but their transaction coordinator does not; a cluster of fewer than three brokers needs "
                   "offsets.topic.replication.factor, transaction.state.log.replication.factor and transaction.state.log.min.isr set to 1";
    throw Failure(std::move(failed));
  }
}

void Producer::begin_transaction() {
  marker_offset_.reset();
  enqueued_ = 0;
  aborting_ = false;
  first_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  too_large_.clear();
  refused_.clear();
  delivered_.clear();
  taint_.begin();
  ErrorPtr const error(rd_kafka_begin_transaction(client_.get()));
  if (error) throw failure(client_.get(), error.get(), "beginning a transaction");
}

void Producer::begin() {
  begin_transaction();
  MIGRATOR_FAILPOINT("after_begin");
}

bool Producer::enqueue(rd_kafka_topic_t *topic, std::int32_t partition, std::string_view key, std::string_view value,
                       std::uint64_t tag, const Deadline &deadline) {
  // Neither copied nor freed by librdkafka, which only reads; its interface has no const for that.
  while (rd_kafka_produce(topic, partition, 0, const_cast<char *>(value.data()), value.size(), key.data(), key.size(),
                          reinterpret_cast<void *>(tag)) != 0) {
    rd_kafka_resp_err_t const code = rd_kafka_last_error();
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !deadline.passed()) {
      client_.poll(std::max(deadline.left_ms(100), 1));
      if (failed()) return false;
      continue;
    }
    if (first_error_ == RD_KAFKA_RESP_ERR_NO_ERROR) first_error_ = code;
    return false;
  }
  return true;
}

void Producer::add(const wire::Message &message, std::uint32_t position, const Deadline &deadline) {
  if (message.topic >= topics_.size()) {
    if (first_error_ == RD_KAFKA_RESP_ERR_NO_ERROR) first_error_ = RD_KAFKA_RESP_ERR__INVALID_ARG;
    return;
  }
  if (message.key.size() + message.value.size() > key_and_value_limit_[message.topic]) too_large_.push_back(position);
  if (failed()) return;
  if (enqueue(topics_[message.topic].get(), RD_KAFKA_PARTITION_UA, message.key, message.value, position, deadline)) ++enqueued_;
}

void Producer::delivered(const rd_kafka_message_t &message) noexcept {
  auto const tag = reinterpret_cast<std::uint64_t>(message._private);
  if (tag != k_marker_tag) MIGRATOR_FAILPOINT("mid_produce");
  try {
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (tag == k_marker_tag) marker_offset_ = message.offset;
      else delivered_.push_back(static_cast<std::uint32_t>(tag));
      return;
    }
    if (aborting_ && purged(message.err)) return;
    bool const record = fault_of(message.err) == wire::Fault::record;
    // A refused record is the cause, whatever else is reported before it.
    if (record || first_error_ == RD_KAFKA_RESP_ERR_NO_ERROR) first_error_ = message.err;
    if (record && tag != k_marker_tag) refused_.push_back(static_cast<std::uint32_t>(tag));
  } catch (...) {  // out of memory
    first_error_ = RD_KAFKA_RESP_ERR__FAIL;
  }
}

void Producer::settle(const Deadline &deadline) {
  while (!failed() && rd_kafka_outq_len(client_.get()) > 0) {
    if (deadline.passed()) {
      first_error_ = RD_KAFKA_RESP_ERR__TIMED_OUT;
      return;
    }
    // Flushing sends without waiting for linger.ms. In slices, to see a failure while others still wait.
    (void)rd_kafka_flush(client_.get(), std::max(deadline.left_ms(100), 1));
    if (rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR && !failed())
      first_error_ = RD_KAFKA_RESP_ERR__FATAL;
  }
  // Librdkafka reports each message once. Should it ever not, nothing must be committed.
  if (!failed() && delivered_.size() != enqueued_) first_error_ = RD_KAFKA_RESP_ERR__INCONSISTENT;
}

Failure Producer::error() const {
  std::string const doing = "publishing";
  if (!too_large_.empty()) {
    Failure const found = failure(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, doing);
    wire::Failed failed = found.failed();
    failed.culprits = too_large_;
    return Failure(std::move(failed));
  }
  char cause[512] = "";
  rd_kafka_resp_err_t const fatal = rd_kafka_fatal_error(client_.get(), cause, sizeof cause);
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(fatal, doing, cause);
  return failure(first_error_, doing);
}

// Returns when everything of the transaction is acknowledged.
void Producer::send_marker(const std::string &marker, const Deadline &deadline) {
  if (!failed()) enqueue(marker_topic_.get(), marker_partition_, transactional_id_, marker, k_marker_tag, deadline);
  settle(deadline);
  if (failed()) throw error();
  if (!marker_offset_) throw failure(RD_KAFKA_RESP_ERR__INCONSISTENT, "publishing", "the marker was not reported as delivered");
}

void Producer::commit_transaction(const Deadline &deadline) {
  ErrorPtr const problem(rd_kafka_commit_transaction(client_.get(), std::max(deadline.left_ms(), 1)));
  if (problem && !MIGRATOR_MUTATION("any_answer_commits")) throw client_.explain(problem.get(), "committing a transaction");
}

wire::Marker Producer::commit_first_marker(const std::string &marker, const Deadline &deadline) {
  begin_transaction();
  send_marker(marker, deadline);
  commit_transaction(deadline);
  if (taint_.end()) throw failure(RD_KAFKA_RESP_ERR__TIMED_OUT, "committing a transaction", "it was asked for twice");
  return {*marker_offset_, marker};
}

wire::Committed Producer::commit(const std::string &marker, const Deadline &deadline) {
  if (MIGRATOR_MUTATION("marker_outside")) {
    settle(deadline);
    ErrorPtr const rows(rd_kafka_commit_transaction(client_.get(), deadline.left_ms())), next(rd_kafka_begin_transaction(client_.get()));
  }
  send_marker(marker, deadline);
  MIGRATOR_FAILPOINT("after_marker");
  commit_transaction(deadline);
  MIGRATOR_FAILPOINT("before_answer");
  return {.marker_offset = *marker_offset_, .tainted = taint_.end()};
}

void Producer::abort(const Deadline &deadline) {
  aborting_ = true;
  ErrorPtr const problem(rd_kafka_abort_transaction(client_.get(), std::max(deadline.left_ms(), 1)));
  (void)taint_.end();
  if (problem) throw client_.explain(problem.get(), "aborting a transaction");
}

}  // namespace migrator::kafka
