#include "kafka/taint.hpp"

#include <string_view>

#include "base/fault.hpp"
#include "base/no_postgres.hpp"

namespace migrator::kafka {
namespace {

constexpr const char *k_name = "migrator_taint";

rd_kafka_resp_err_t on_request_sent(rd_kafka_t *, int, const char *, std::int32_t broker_id, std::int16_t api_key, std::int16_t,
                                    std::int32_t, std::size_t, void *self) {
  static_cast<Taint *>(self)->request_sent(broker_id, api_key);
  if (api_key == Taint::k_end_txn) MIGRATOR_FAILPOINT("end_txn_sent");
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_broker_state_change(rd_kafka_t *, std::int32_t broker_id, const char *, const char *, int, const char *state,
                                           void *self) {
  static_cast<Taint *>(self)->state_changed(broker_id, state);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// The two above can only be added to a handle, not to a configuration.
rd_kafka_resp_err_t on_new(rd_kafka_t *handle, const rd_kafka_conf_t *, void *self, char *, std::size_t) {
  rd_kafka_resp_err_t const code = rd_kafka_interceptor_add_on_request_sent(handle, k_name, on_request_sent, self);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
  return rd_kafka_interceptor_add_on_broker_state_change(handle, k_name, on_broker_state_change, self);
}

}  // namespace

void Taint::watch(rd_kafka_conf_t *conf) { rd_kafka_conf_interceptor_add_on_new(conf, k_name, on_new, this); }

void Taint::begin() noexcept {
  std::lock_guard const lock(mutex_);
  inside_ = true;
  lost_ = false;
  ends_ = 0;
  used_.clear();
}

bool Taint::end() noexcept {
  std::lock_guard const lock(mutex_);
  inside_ = false;
  return (lost_ || ends_ > 1) && !MIGRATOR_MUTATION("no_taint");
}

bool Taint::lost() noexcept {
  std::lock_guard const lock(mutex_);
  return lost_;
}

void Taint::request_sent(std::int32_t broker_id, std::int16_t api_key) noexcept {
  if (!requests_.contains(api_key)) return;
  std::lock_guard const lock(mutex_);
  if (!inside_) return;
  if (api_key == k_end_txn) ++ends_;
  try {
    used_.insert(broker_id);
  } catch (...) {
    lost_ = true;                  // out of memory: what we cannot watch is in doubt
  }
}

void Taint::state_changed(std::int32_t broker_id, const char *state) noexcept {
  if (std::string_view(state) != "DOWN") return;
  std::lock_guard const lock(mutex_);
  if (inside_ && used_.contains(broker_id)) lost_ = true;
}

}  // namespace migrator::kafka
