#pragma once
// Tasks of a run, kept in <in_schema>.task. Every function runs in the caller's transaction and acts as the owner
// of the in-schema.

#include <cstdint>
#include <optional>
#include <string>

#include "migration/layout.hpp"
#include "pg/function.hpp"

namespace migrator::migration {

// In this order, one after the other: a stage begins when all tasks of the one before have ended.
enum class Stage {
  begin = 1,
  single_fields,   // MIGRATE_SINGLE_FIELDS, in parallel
  fields_done,     // NOP
  migrated_at,     // MIGRATE_IN_MIGRATED_AT
  links,           // MIGRATE_LINKS, in parallel
  references,      // CHECK_REFERENCES, in parallel
  tracking,        // FIX_PROCESS_TRACKING
  copy_errors,     // COPY_ERR
  processes,       // RUN_PROCESSES
  finished         // NOP
};

inline constexpr bool published(Stage stage) {
  return stage == Stage::single_fields || stage == Stage::links || stage == Stage::references;
}

struct Task {
  std::int64_t id = 0;
  std::string table;          // name of the in-table, unquoted
  pg::Text range_from;        // fields: first id; null: from the first row
  pg::Text range_to;          // fields: last id
  std::string position;       // array literal of the last key claimed so far; "": nothing yet
};

struct TaskPlan {
  Stage stage;
  std::string type, title, table = {};
  pg::Text range_from = {}, range_to = {};
  std::int64_t rows = 0, failed = 0;
  bool nothing_to_do = false;
};

// Creates task, err and last_migration_state where they do not exist.
void create_working_tables(const Layout &layout);
void add_task(const Layout &layout, std::int64_t migration, const TaskPlan &plan);
// The next task of a stage that nobody works on, now ACTIVE and this worker's. With orphans: also tasks that are
// ACTIVE for a worker that does not live any more.
std::optional<Task> take_task(const Layout &layout, std::int64_t migration, Stage stage, const std::string &worker,
                              const std::string &dead_worker);
// Workers that hold ACTIVE tasks of a stage.
std::vector<std::string> active_workers(const Layout &layout, std::int64_t migration, Stage stage);
void move_task(const Layout &layout, std::int64_t task, const std::string &position);
void count_rows(const Layout &layout, std::int64_t task, std::int64_t done, std::int64_t failed, std::int64_t skipped);
// For tasks whose extent shows only as they go on.
void add_to_total(const Layout &layout, std::int64_t task, std::int64_t rows);
void end_task(const Layout &layout, std::int64_t task, const char *state);
// The single task of a stage that the runner does itself: its id and whether it is still to be done.
struct OwnTask {
  std::int64_t id;
  std::string table;
};
std::vector<OwnTask> open_tasks(const Layout &layout, std::int64_t migration, Stage stage);
void start_task(const Layout &layout, std::int64_t task, const std::string &worker);

}  // namespace migrator::migration
