// The runner of a migration: goes from stage to stage, keeps the heartbeat, keeps publishers at work.

#include <algorithm>
#include <chrono>
#include <map>

#include "base/error.hpp"
#include "migration/run.hpp"
#include "migration/settings.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"
#include "pg/worker.hpp"

namespace migrator::worker {
namespace {

using Clock = std::chrono::steady_clock;
using migration::Stage;
constexpr auto k_beat = std::chrono::seconds(1);
constexpr auto k_restart_pause = std::chrono::seconds(1);  // between two starts of the same publisher
constexpr long k_look = 50;                                // ms between two looks at a stage

class Runner {
public:
  explicit Runner(std::int64_t migration) : run_(migration), migration_(migration) {}

  void work() {
    for (;;) {
      migration::Control const control = run_.control();
      if (!control.running) return;
      try {
        if (new_) run_.set_waiting("");  // a reason of a worker before us; from now on publishers may have theirs
        new_ = false;
        beat();
        if (!advance(control)) pg::wait(k_look);
        if (waiting_) run_.set_waiting("");
        waiting_ = false;
        failures_ = 0;
      } catch (const pg::Error &error) {
        fail(error.sqlstate(), error.public_message());
      } catch (const Error &error) {
        fail(error.sqlstate(), error.message());
      }
    }
  }

private:
  // True: something was done.
  bool advance(const migration::Control &control) {
    if (control.paused) return false;
    if (control.stage == Stage::begin) {
      bool const leftovers = run_.has_leftovers();
      if (leftovers || run_.has_rows()) keep_publishers();  // they open Kafka meanwhile
      if (leftovers) return false;
      run_.begin();
      return true;
    }
    if (migration::published(control.stage) && !run_.ended(control.stage)) {
      keep_publishers();
      return false;
    }
    run_.work(control.stage);
    return true;
  }

  void keep_publishers() {
    for (int number = 1; number <= run_.layout().workers; number++) {
      Publisher &publisher = publishers_[number];
      if (publisher.handle.running() || Clock::now() < publisher.next_start) continue;
      publisher.next_start = Clock::now() + k_restart_pause;
      publisher.handle = pg::start_worker(migration::k_publisher, {pg::current_database(), migration_, number});
      if (!publisher.handle.started() && number == 1)
        throw Error("53400", "no free background worker for a publisher").hint("Raise max_worker_processes.");
      if (!publisher.handle.started()) return;  // fewer will do
    }
  }

  void beat() {
    if (Clock::now() < next_beat_) return;
    run_.heartbeat();
    next_beat_ = Clock::now() + k_beat;
  }

  // The step was rolled back and is repeated after a pause, with the reason in sight.
  void fail(const std::string &sqlstate, const std::string &message) {
    if (sqlstate == "57014") throw Error(sqlstate.c_str(), message);
    run_.set_waiting(message);
    run_.record_error("run", sqlstate, message);
    waiting_ = true;
    long const most = std::min(500L << std::min(failures_++, 5), 10000L);
    for (long waited = 0; waited < most && run_.control().running; waited += 200) pg::wait(200);
  }

  struct Publisher {
    pg::WorkerHandle handle;
    Clock::time_point next_start{};
  };

  migration::Run run_;
  std::int64_t migration_;
  std::map<int, Publisher> publishers_;
  Clock::time_point next_beat_{};
  bool new_ = true;
  bool waiting_ = false;
  int failures_ = 0;
};

}  // namespace
}  // namespace migrator::worker

MIGRATOR_WORKER(migrator_runner_main) {
  using namespace migrator;
  pg::Assignment const assignment = pg::begin_worker(pg::Plans::whole_tables);
  {
    pg::Transaction transaction;
    bool const alone = pg::try_lock("run " + std::to_string(assignment.subject));
    transaction.commit();
    if (!alone) return;
  }
  try {
    worker::Runner(assignment.subject).work();
  } catch (const pg::Error &error) {
    migration::report_death(assignment.subject, error.sqlstate(), error.public_message());
    throw;
  } catch (const Error &error) {
    migration::report_death(assignment.subject, error.sqlstate(), error.message());
    throw;
  }
}
