#include "kafka/client.hpp"

#include "base/no_postgres.hpp"

namespace migrator::kafka {

Client::Client(rd_kafka_type_t type, Conf conf, DeliveryListener *listener) : listener_(listener) {
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t *, int code, const char *reason, void *self) {
    auto &complaint = static_cast<Client *>(self)->complaint_;
    // "All brokers are down" only follows from the reason told before.
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && complaint) return;
    try {
      complaint = Complaint{static_cast<rd_kafka_resp_err_t>(code), reason};
    } catch (...) {  // out of memory: a reason less; nothing may be thrown through librdkafka
    }
  });
  if (listener != nullptr)
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t *, const rd_kafka_message_t *message, void *self) {
      static_cast<Client *>(self)->listener_->delivered(*message);
    });
  char reason[512];
  handle_.reset(rd_kafka_new(type, conf.get(), reason, sizeof reason));
  if (!handle_) throw failure(RD_KAFKA_RESP_ERR__INVALID_ARG, "configuration", reason);
  (void)conf.release();  // it belongs to the handle, from its success on
}

void Client::check_complaint(const std::string &doing) {
  poll();
  if (complaint_ && permanent(complaint_->code)) throw failure(complaint_->code, doing, complaint_->text);
}

Failure Client::explain(rd_kafka_resp_err_t code, const std::string &doing) {
  poll();
  bool const vague = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;
  if (vague && complaint_) return failure(complaint_->code, doing, complaint_->text);
  return failure(code, doing);
}

Failure Client::explain(const rd_kafka_error_t *error, const std::string &doing) {
  if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    poll();
    if (complaint_) return failure(complaint_->code, doing, complaint_->text + " (" + rd_kafka_error_string(error) + ")");
  }
  return failure(handle_.get(), error, doing);
}

}  // namespace migrator::kafka
