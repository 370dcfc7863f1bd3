// The supervisor of a consumption: keeps the heartbeat, knows the partitions, keeps consumers at work; and the housekeeper
// that it starts when something is due.

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>

#include "base/error.hpp"
#include "consume/consumption.hpp"
#include "consume/partitions.hpp"
#include "consume/settings.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"

namespace migrator::worker {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto k_beat = std::chrono::seconds(1);
constexpr auto k_restart_pause = std::chrono::seconds(1);  // between two starts of the same consumer
constexpr auto k_look = std::chrono::seconds(3);           // between two looks at Kafka
constexpr auto k_chores = std::chrono::seconds(10);        // between two looks at what housekeeping is due
constexpr long k_step = 100;                               // ms

class Supervisor {
public:
  explicit Supervisor(std::int64_t id) : consumption_(id), partitions_(consumption_, [this] { watch(); }) {}

  void work() {
    for (;;) {
      consume::Control const control = consumption_.control();
      if (!control.running) return;
      beat();
      try {
        if (Clock::now() >= next_look_ || wanted(control) != wanted_) look(control);
        keep_house();
      } catch (const Stopped &) {
        return;
      } catch (const pg::Error &error) {
        fail(error.sqlstate(), error.public_message());
      } catch (const Error &error) {
        fail(error.sqlstate(), error.message());
      }
      keep_consumers();
      pg::wait(k_step);
    }
  }

private:
  struct Stopped {};
  using Wanted = std::tuple<std::vector<std::string>, std::string, int>;
  static Wanted wanted(const consume::Control &control) { return {control.topics, control.server, control.consumers}; }

  // While Kafka is waited for, the rest goes on.
  void watch() {
    if (!consumption_.control().running) throw Stopped();
    beat();
    keep_consumers();
  }

  void look(const consume::Control &control) {
    wanted_ = wanted(control);
    consumers_ = partitions_.distribute(control.consumers);
    partitions_.look(control);
    consumers_ = partitions_.distribute(control.consumers);
    next_look_ = Clock::now() + k_look;
    failures_ = 0;
    say("");
  }

  void keep_consumers() {
    for (int number = 1; number <= consumers_; number++) {
      Consumer &consumer = consumer_[number];
      if (consumer.handle.running() || Clock::now() < consumer.next_start) continue;
      if (locked(consumption_.lock_name(number))) continue;  // left over from a supervisor before, and soon gone
      consumer.next_start = Clock::now() + k_restart_pause;
      consumer.handle = pg::start_worker(consume::k_consumer, {pg::current_database(), consumption_.id(), number});
      if (consumer.handle.started()) continue;
      if (number == 1) say("no free background worker for a consumer; raise max_worker_processes");
      return;  // fewer will do
    }
  }

  static bool locked(const std::string &name) {
    pg::Transaction transaction;
    bool const result = pg::locked_elsewhere(name);
    transaction.commit();
    return result;
  }

  // In a worker of its own: a heartbeat must not wait for it.
  void keep_house() {
    if (Clock::now() < next_chores_ || housekeeper_.running()) return;
    next_chores_ = Clock::now() + k_chores;
    housekeeper_ = pg::start_worker(consume::k_housekeeper, {pg::current_database(), consumption_.id(), 0});
  }

  void beat() {
    if (Clock::now() < next_beat_) return;
    consumption_.heartbeat();
    next_beat_ = Clock::now() + k_beat;
  }

  void say(const std::string &reason) {
    if (said_ == reason) return;
    consumption_.set_waiting(reason);
    said_ = reason;
  }

  // Tried again after a pause, with the reason in sight.
  void fail(const std::string &sqlstate, const std::string &message) {
    if (sqlstate == "57014") throw Error(sqlstate.c_str(), message);
    say(message);
    if (sqlstate != sqlstate::connection_failure) consumption_.record_error("supervise", sqlstate, message);
    next_look_ = Clock::now() + std::chrono::milliseconds(std::min(250L << std::min(failures_++, 5), 5000L));
  }

  struct Consumer {
    pg::WorkerHandle handle;
    Clock::time_point next_start{};
  };

  consume::Consumption consumption_;
  consume::Partitions partitions_;
  Wanted wanted_;
  int consumers_ = 0;
  std::map<int, Consumer> consumer_;
  pg::WorkerHandle housekeeper_;
  Clock::time_point next_beat_{}, next_look_{}, next_chores_{};
  std::string said_ = "?";  // a reason of a supervisor before us may stand there
  int failures_ = 0;
};

}  // namespace
}  // namespace migrator::worker

MIGRATOR_WORKER(migrator_supervisor_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker(pg::Plans::brief);
  consume::Consumption const consumption(assignment.subject);
  auto alone = [&consumption] {
    pg::Transaction transaction;
    bool const locked = pg::try_lock(consumption.lock_name());
    transaction.commit();
    return locked;
  };
  while (alone()) {
    worker::Supervisor(assignment.subject).work();
    consumption.ends();
    {
      pg::Transaction transaction;
      pg::unlock(consumption.lock_name());
      transaction.commit();
    }
    // Who started the consumption while it was about to end has found it running.
    if (!consumption.wanted_again()) return;
  }
}

MIGRATOR_WORKER(migrator_housekeeper_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker(pg::Plans::brief);
  consume::Consumption const consumption(assignment.subject);
  for (bool more = true; more;) {
    try {
      pg::Transaction transaction;
      more = !pg::execute("select migrator.do_chore($1::bigint)", {std::to_string(assignment.subject)}).text().empty();
      transaction.commit();
    } catch (const pg::Error &error) {
      consumption.record_error("housekeeping", error.sqlstate(), error.public_message());
      return;
    }
  }
}
