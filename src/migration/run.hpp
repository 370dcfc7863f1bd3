#pragma once
// A run as its runner sees it: what happens before, between and after the stages that publishers work on.
// Every function opens its own transactions, may be repeated after an error or a crash, and then does only what
// is missing.

#include <cstdint>
#include <string>

#include "migration/layout.hpp"
#include "migration/task.hpp"

namespace migrator::migration {

struct Control {
  bool running = false;  // false: done, cancelled or gone
  bool paused = false;
  bool orphaned = false; // the runner gives no sign of life
  Stage stage = Stage::begin;
};

class Run {
public:
  // Reads the migration and the layout.
  explicit Run(std::int64_t id);

  std::int64_t id() const noexcept { return id_; }
  const Layout &layout() const noexcept { return layout_; }

  Control control() const;
  void heartbeat();
  // Why nothing moves; "" when it does. A weak reason does not take the place of another one.
  void set_waiting(const std::string &reason, bool weak = false) const;
  void record_error(const std::string &place, const std::string &sqlstate, const std::string &message) const;

  void begin();                 // BEGIN: copies, boundary, tasks
  bool ended(Stage stage) const;
  // Chunks of cancelled runs that are still to be settled: their rows may belong to this run.
  bool has_leftovers() const;
  // Is there any row at all, waiting or not? Empty tables need no Kafka.
  bool has_rows() const;
  // The snapshot taken in begin(), as text; "" before.
  std::string boundary() const;
  // Does the stage's own tasks; published stages have none. Then moves on to the next stage.
  void work(Stage stage);

private:
  void copy_tables();
  void copy_table(const InTable &table);
  void drop_old_copies();
  void clean_working_tables() const;
  void refuse_duplicates(const InTable &table);
  void plan();
  std::int64_t plan_table(const InTable &table, std::vector<TaskPlan> &plans);
  void own_task(Stage stage, const OwnTask &task);
  void run_hooks();
  void fix_tracking() const;
  void copy_errors() const;
  std::string tracking_table() const { return layout_.quoted_schema + ".process_tracking"; }

  std::int64_t id_;
  std::string company_;
  std::int64_t tracking_ = 0;
  std::uint32_t tracking_owner_ = 0;
  Layout layout_;
};

// For a worker that ends by an error before it has a Run: leaves the reason where the operator looks.
void report_death(std::int64_t migration, const std::string &sqlstate, const std::string &message);

}  // namespace migrator::migration
