#pragma once
// Whether a committed transaction left doubts behind. Kafka's protocol assumes that requests arrive in order, but
// librdkafka repeats them silently over new connections; a late one would hit the next transaction (KAFKA-17754).
// So a producer is used for no further transaction once a transaction's end was sent twice or a connection in use
// was lost inside it: a new producer has a new epoch, which fences whatever is late. A consumer hears from it of lost
// connections too: behind a new one there may be another topic of the same name.

#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "kafka/handle.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

class Taint {
public:
  // requests: the keys of Kafka's protocol that make a connection one in use.
  static constexpr std::int16_t k_produce = 0, k_fetch = 1, k_add_partitions_to_txn = 24, k_end_txn = 26;
  explicit Taint(std::set<std::int16_t> requests = {k_produce, k_add_partitions_to_txn, k_end_txn}) : requests_(std::move(requests)) {}

  // Registers the watch for the handle that will be made from conf. The object must outlive that handle.
  void watch(rd_kafka_conf_t *conf);

  void begin() noexcept;           // a transaction begins
  // It has ended. True: tainted.
  bool end() noexcept;
  bool lost() noexcept;            // a connection in use, since begin()

  // What librdkafka's threads tell; public for the tests.
  void request_sent(std::int32_t broker_id, std::int16_t api_key) noexcept;
  void state_changed(std::int32_t broker_id, const char *state) noexcept;

private:
  std::set<std::int16_t> const requests_;
  std::mutex mutex_;
  bool inside_ = false;
  bool lost_ = false;              // a connection in use
  int ends_ = 0;                   // EndTxn requests
  std::set<std::int32_t> used_;    // brokers that got a request of this transaction
};

}  // namespace migrator::kafka
