#include "migration/task.hpp"

#include "base/error.hpp"
#include "pg/spi.hpp"

namespace migrator::migration {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }
std::string number(Stage stage) { return std::to_string(static_cast<int>(stage)); }
std::string table_of(const Layout &layout) { return layout.quoted_schema + ".task"; }

}  // namespace

// What bears one of our names must be the schema owner's: somebody else's table may have somebody else's triggers,
// which would run with the schema owner's rights.
void check_working_tables(const Layout &layout) {
  pg::Result const strange = pg::execute(
      "select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 "
      "and c.relname in ('task', 'err', 'last_migration_state') and (c.relowner <> n.nspowner or c.relkind <> "
      "case c.relname when 'last_migration_state' then 'v' else 'r' end)",
      {layout.schema});
  if (!strange.empty())
    throw Error(sqlstate::insufficient_privilege, "relation " + strange.text() + " is in the way")
        .detail("The working tables of a migration have this name and belong to the owner of the schema.")
        .hint("Rename it or drop it.");
}

void create_working_tables(const Layout &layout) {
  check_working_tables(layout);
  pg::AsRole const as_owner(layout.owner);
  std::string const &schema = layout.quoted_schema;
  bool const complete = pg::execute("select to_regclass($1) is not null and to_regclass($2) is not null "
                                    "and to_regclass($3) is not null",
                                    {schema + ".task", schema + ".err", schema + ".last_migration_state"})
                            .flag();
  if (complete) return;
  pg::execute("create table if not exists " + schema + ".task ("
              "id bigserial primary key, migration_id bigint not null, stage integer not null, type text not null, "
              "title text not null, table_name text, state text not null default 'NEW' "
              "check (state in ('NEW', 'ACTIVE', 'DONE', 'FAILED')), worker text, "
              "started_at timestamp with time zone, finished_at timestamp with time zone, "
              "rows_total bigint not null default 0, rows_done bigint not null default 0, "
              "rows_failed bigint not null default 0, rows_skipped bigint not null default 0, "
              "range_from text, range_to text, position text)");
  pg::execute("create index if not exists task_migration on " + schema + ".task (migration_id, stage)");
  pg::execute("comment on table " + schema + ".task is 'Tasks of all migrations; last_migration_state shows the last one''s.'");
  pg::execute("create table if not exists " + schema + ".err ("
              "migration_id bigint not null, table_name text not null, row_id bigint, in_id text, column_name text, "
              "sqlstate text not null, reason text not null, at timestamp with time zone not null default clock_timestamp())");
  pg::execute("create index if not exists err_migration on " + schema + ".err (migration_id)");
  pg::execute("comment on table " + schema + ".err is 'Rows that could not be migrated, with the reason.'");
  pg::execute("create or replace view " + schema + ".last_migration_state as "
              "select id, type, title, state, worker, started_at, finished_at, "
              "coalesce(finished_at, clock_timestamp()) - started_at as duration, rows_total, rows_done, rows_failed, rows_skipped "
              "from " + schema + ".task where migration_id = (select max(migration_id) from " + schema + ".task) "
              "order by stage, id");
  pg::execute("comment on view " + schema + ".last_migration_state is 'State of the last migration: one row a task, in order.'");
  pg::execute("grant usage on schema " + schema + " to migrator_reader");
  pg::execute("grant select on " + schema + ".task, " + schema + ".err, " + schema + ".last_migration_state to migrator_reader");
}

void add_task(const Layout &layout, std::int64_t migration, const TaskPlan &plan) {
  pg::AsRole const as_owner(layout.owner);
  std::string const at_once = plan.nothing_to_do ? "'DONE', clock_timestamp(), clock_timestamp()" : "'NEW', null, null";
  pg::execute("insert into " + table_of(layout) + " (migration_id, stage, type, title, table_name, range_from, range_to, rows_total, "
              "rows_failed, state, started_at, finished_at) values ($1::bigint, $2::integer, $3, $4, $5, $6, $7, $8::bigint, $9::bigint, " + at_once + ")",
              {number(migration), number(plan.stage), plan.type, plan.title,
               plan.table.empty() ? pg::Text() : pg::Text(plan.table), plan.range_from, plan.range_to, number(plan.rows), number(plan.failed)});
}

std::optional<Task> take_task(const Layout &layout, std::int64_t migration, Stage stage, const std::string &worker,
                              const std::string &dead_worker) {
  pg::AsRole const as_owner(layout.owner);
  std::string const condition = dead_worker.empty() ? "state = 'NEW'" : "state = 'ACTIVE' and worker = $4";
  pg::Result const row = pg::execute(
      "update " + table_of(layout) + " set state = 'ACTIVE', worker = $3, started_at = coalesce(started_at, clock_timestamp()) "
      "where id = (select id from " + table_of(layout) + " where migration_id = $1::bigint and stage = $2::integer and " +
          condition + " order by id limit 1 for update skip locked) "
      "returning id, table_name, range_from, range_to, coalesce(position, '')",
      dead_worker.empty() ? std::vector<pg::Text>{number(migration), number(stage), worker}
                          : std::vector<pg::Text>{number(migration), number(stage), worker, dead_worker});
  if (row.empty()) return std::nullopt;
  return Task{row.bigint(0), row.text(1), row.rows[0][2], row.rows[0][3], row.text(4)};
}

std::vector<std::string> active_workers(const Layout &layout, std::int64_t migration, Stage stage) {
  pg::AsRole const as_owner(layout.owner);
  pg::Result const rows = pg::execute("select distinct worker from " + table_of(layout) +
                                          " where migration_id = $1::bigint and stage = $2::integer and state = 'ACTIVE'",
                                      {number(migration), number(stage)});
  std::vector<std::string> result;
  for (const std::vector<pg::Text> &row : rows.rows) result.push_back(row[0].value_or(""));
  return result;
}

void move_task(const Layout &layout, std::int64_t task, const std::string &position) {
  pg::AsRole const as_owner(layout.owner);
  pg::execute("update " + table_of(layout) + " set position = $2 where id = $1::bigint", {number(task), position});
}

void count_rows(const Layout &layout, std::int64_t task, std::int64_t done, std::int64_t failed, std::int64_t skipped) {
  if (done == 0 && failed == 0 && skipped == 0) return;
  pg::AsRole const as_owner(layout.owner);
  pg::execute("update " + table_of(layout) + " set rows_done = rows_done + $2::bigint, rows_failed = rows_failed + $3::bigint, "
              "rows_skipped = rows_skipped + $4::bigint where id = $1::bigint",
              {number(task), number(done), number(failed), number(skipped)});
}

void add_to_total(const Layout &layout, std::int64_t task, std::int64_t rows) {
  pg::AsRole const as_owner(layout.owner);
  pg::execute("update " + table_of(layout) + " set rows_total = rows_total + $2::bigint where id = $1::bigint", {number(task), number(rows)});
}

void end_task(const Layout &layout, std::int64_t task, const char *state) {
  pg::AsRole const as_owner(layout.owner);
  pg::execute("update " + table_of(layout) + " set state = $2, finished_at = clock_timestamp() where id = $1::bigint",
              {number(task), state});
}

std::vector<OwnTask> open_tasks(const Layout &layout, std::int64_t migration, Stage stage) {
  pg::AsRole const as_owner(layout.owner);
  pg::Result const rows = pg::execute("select id, coalesce(table_name, '') from " + table_of(layout) +
                                          " where migration_id = $1::bigint and stage = $2::integer "
                                          "and state in ('NEW', 'ACTIVE') order by id",
                                      {number(migration), number(stage)});
  std::vector<OwnTask> result;
  for (const std::vector<pg::Text> &row : rows.rows) result.push_back({std::stoll(row[0].value()), row[1].value()});
  return result;
}

void start_task(const Layout &layout, std::int64_t task, const std::string &worker) {
  pg::AsRole const as_owner(layout.owner);
  pg::execute("update " + table_of(layout) + " set state = 'ACTIVE', worker = $2, started_at = coalesce(started_at, clock_timestamp()) "
              "where id = $1::bigint",
              {number(task), worker});
}

}  // namespace migrator::migration
