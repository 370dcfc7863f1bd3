#pragma once
// Whether a committed transaction left doubts behind. Kafka's protocol assumes that requests arrive in order, but
// librdkafka repeats them silently over new connections; a late one would hit the next transaction (KAFKA-17754).
// So a producer is used for no further transaction once a transaction's end was sent twice or a connection in use
// was lost inside it: a new producer has a new epoch, which fences whatever is late.

#include <cstdint>
#include <mutex>
#include <set>

#include "kafka/handle.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

class Taint {
public:
  // Registers the watch for the handle that will be made from conf. The object must outlive that handle.
  void watch(rd_kafka_conf_t *conf);

  void begin() noexcept;           // a transaction begins
  // It has ended. True: tainted.
  bool end() noexcept;

  // What librdkafka's threads tell; public for the tests.
  void request_sent(std::int32_t broker_id, std::int16_t api_key) noexcept;
  void state_changed(std::int32_t broker_id, const char *state) noexcept;

private:
  std::mutex mutex_;
  bool inside_ = false;
  bool lost_ = false;              // a connection in use
  int ends_ = 0;                   // EndTxn requests
  std::set<std::int32_t> used_;    // brokers that got a request of this transaction
};

}  // namespace migrator::kafka
