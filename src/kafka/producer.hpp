#pragma once
// A transactional producer: one transaction for each chunk, its marker last.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "kafka/limits.hpp"
#include "kafka/taint.hpp"
#include "wire/protocol.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// What a producer is made from.
struct ProducerPlan {
  wire::Properties properties;
  std::string transactional_id;
  std::vector<std::string> topics;   // a message names its topic by the position in this list
  Limits limits;                     // of these topics, in the same order
  std::string marker_topic;
  std::uint32_t marker_partition = 0;
};

class Producer final : private DeliveryListener {
public:
  explicit Producer(const ProducerPlan &plan);

  // init_transactions: fences every other holder of the id and settles what it left open. Throws Failure.
  void initialise(const Deadline &deadline);
  Client &client() noexcept { return client_; }

  // One transaction is begin, add..., and one of commit and abort. What goes wrong on the way is kept: add() then
  // does nothing, commit() throws. Only a return of commit() means committed; after any Failure of commit() or
  // abort() the outcome is open and the producer must be destroyed.
  void begin();
  // The message's bytes are not copied: they must outlive the transaction. `position` is within the chunk.
  void add(const wire::Message &message, std::uint32_t position, const Deadline &deadline);
  void serve() noexcept { client_.poll(); }
  wire::Committed commit(const std::string &marker, const Deadline &deadline);
  // A transaction of its own, with nothing but this marker. Throws Failure, also when it may still be under way: the producer must
  // be destroyed then.
  wire::Marker commit_first_marker(const std::string &marker, const Deadline &deadline);
  // Waits until each message is delivered or one has failed. Without failed(), all are delivered.
  void settle(const Deadline &deadline);
  void abort(const Deadline &deadline);

  // Of the transaction under way, or the last one.
  bool failed() const noexcept { return first_error_ != RD_KAFKA_RESP_ERR_NO_ERROR || !too_large_.empty(); }
  Failure error() const;
  const std::vector<std::uint32_t> &too_large() const noexcept { return too_large_; }  // never sent
  const std::vector<std::uint32_t> &refused() const noexcept { return refused_; }      // by the broker, with their whole batch
  const std::vector<std::uint32_t> &delivered() const noexcept { return delivered_; }

private:
  void begin_transaction();
  void send_marker(const std::string &marker, const Deadline &deadline);
  void commit_transaction(const Deadline &deadline);
  void delivered(const rd_kafka_message_t &message) noexcept override;
  bool enqueue(rd_kafka_topic_t *topic, std::int32_t partition, std::string_view key, std::string_view value,
               std::uint64_t tag, const Deadline &deadline);

  std::string transactional_id_;
  std::vector<std::uint64_t> key_and_value_limit_;
  std::int32_t marker_partition_;
  std::optional<std::int64_t> marker_offset_;
  std::size_t enqueued_ = 0;         // messages of this transaction, the marker not counted
  bool aborting_ = false;
  rd_kafka_resp_err_t first_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::vector<std::uint32_t> too_large_, refused_, delivered_;
  Taint taint_;
  // The order of the rest is the reverse order of destruction: topics before their handle, the handle before what
  // its callbacks use.
  Client client_;
  std::vector<Topic> topics_;
  Topic marker_topic_;
};

}  // namespace migrator::kafka
