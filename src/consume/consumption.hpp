#pragma once
// The consumption of a company, as its supervisor and its consumers see it. Every function is a transaction of its own.

#include <cstdint>
#include <string>
#include <vector>

namespace migrator::consume {

struct Control {
  bool running = false;        // false: stopped, gone, or the company has another code now
  bool paused = false;
  bool orphaned = false;       // the supervisor gives no sign of life
  bool track_timings = false;
  int consumers = 0;           // how many there should be
  std::string server;          // foreign server; "": none
  std::vector<std::string> topics;  // subscribed ones
};

class Consumption {
public:
  // Raises 42704 if there is no such consumption.
  explicit Consumption(std::int64_t id);

  std::int64_t id() const noexcept { return id_; }
  const std::string &company() const noexcept { return company_; }
  std::string lock_name() const { return "consumption " + std::to_string(id_); }
  std::string lock_name(int consumer) const { return "consumer " + std::to_string(id_) + "/" + std::to_string(consumer); }

  Control control() const;
  // After the supervisor has let go of its lock: has somebody wanted it again meanwhile? Waits for who is about to.
  bool wanted_again() const;
  void heartbeat() const;
  // The supervisor is about to end: who starts the next one need not wait for a sign of this one.
  void ends() const;
  // Why the whole does not move; "" when it does.
  void set_waiting(const std::string &reason) const;
  void log(const std::string &message) const;
  void record_error(const std::string &place, const std::string &sqlstate, const std::string &message) const;

private:
  std::int64_t id_;
  std::string company_;
};

}  // namespace migrator::consume
