#pragma once
// A consumer: reads the partitions that are given to it and applies what they bring.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consume/batch.hpp"
#include "consume/consumption.hpp"
#include "server/client.hpp"

namespace migrator::consume {

class Consumer {
public:
  Consumer(std::int64_t consumption, int number);
  // Works until the consumption is stopped, has no supervisor any more, or wants fewer consumers.
  void work();

private:
  using Clock = std::chrono::steady_clock;

  bool step();
  bool given_others();
  void open();
  void compare(const wire::Assigned &assigned);
  void close();
  void ask();
  bool consume();
  void apply_until_done(const Batch &batch);
  void stop(const Partition &partition, const std::string &reason) const;
  void set_reason(const std::string &reason) const;
  void wait_for(const std::string &reason);
  void watch();

  Consumption consumption_;
  int number_;
  Control control_;
  store::Applier applier_;
  int failures_ = 0;                  // in a row
  bool waiting_ = true;               // a reason of ours, or of a consumer before us, may stand in in_partition

  // What we read, and the client process that fetches it.
  std::vector<std::string> given_;    // partitions as in_partition gives them to us
  std::vector<std::string> locks_;
  std::vector<Partition> partitions_;
  std::string cluster_;
  std::unique_ptr<server::Client> client_;
  bool asked_ = false;                // a Poll is not answered yet
  std::optional<Clock::time_point> again_at_;  // when partitions that cannot be read are tried again
};

}  // namespace migrator::consume
