#pragma once
// A client handle of librdkafka, and the last thing that it complained about. Used from one thread only.

#include <optional>
#include <string>

#include "base/deadline.hpp"
#include "kafka/failure.hpp"
#include "kafka/handle.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

// Who hears of delivery reports, inside the calls that serve them (poll, flush, commit, abort).
class DeliveryListener {
public:
  virtual void delivered(const rd_kafka_message_t &message) noexcept = 0;

protected:
  ~DeliveryListener() = default;
};

class Client {
public:
  // Throws Failure (refused) if librdkafka does not accept the configuration as a whole.
  // The listener, if any, must outlive the client.
  Client(rd_kafka_type_t type, Conf conf, DeliveryListener *listener = nullptr);
  // Librdkafka's callbacks hold the address.
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  rd_kafka_t *get() const noexcept { return handle_.get(); }
  // Serves the callbacks, waiting for the first one up to that long.
  void poll(int timeout_ms = 0) noexcept { rd_kafka_poll(handle_.get(), timeout_ms); }

  // Throws if the client has complained about something that time does not mend, such as a wrong password.
  void check_complaint(const std::string &doing);
  // For a call that ended with `code`: the complaint behind a timeout, if there is one, says more.
  Failure explain(rd_kafka_resp_err_t code, const std::string &doing);
  Failure explain(const rd_kafka_error_t *error, const std::string &doing);

private:
  struct Complaint {
    rd_kafka_resp_err_t code;
    std::string text;
  };

  DeliveryListener *listener_;
  std::optional<Complaint> complaint_;
  Handle handle_;                  // last: its callbacks use the members above until it is gone
};

}  // namespace migrator::kafka
