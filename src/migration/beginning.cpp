// The first stage of a run: copies, what cannot be migrated, the boundary, the tasks.

#include <algorithm>

#include "base/error.hpp"
#include "migration/run.hpp"
#include "pg/error.hpp"
#include "pg/table_copy.hpp"
#include "pg/transaction.hpp"

namespace migrator::migration {
namespace {

constexpr std::int64_t k_piece_rows = 250000;  // a table is cut into tasks of about so many rows,
constexpr std::int64_t k_most_pieces = 64;     // but not into more than that many
constexpr std::int64_t k_least_rows = 10000;   // below this a table is not worth dividing

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

void Run::begin() {
  {
    pg::Transaction transaction;
    create_working_tables(layout_);
    pg::AsRole const as_owner(layout_.owner);
    pg::execute("insert into " + layout_.quoted_schema + ".task (migration_id, stage, type, title, state, started_at, worker) "
                "select $1::bigint, 1, 'BEGIN', 'migration ' || $1 || ' begins', 'ACTIVE', clock_timestamp(), 'Runner' "
                "where not exists (select from " + layout_.quoted_schema + ".task where migration_id = $1::bigint)",
                {number(id_)});
    transaction.commit();
  }
  {
    pg::Transaction transaction;
    pg::execute("select migrator.clean()");
    transaction.commit();
  }
  clean_working_tables();
  drop_old_copies();
  if (layout_.copy_days > 0) copy_tables();
  for (const InTable &table : layout_.tables)
    if (table.kind == InTable::Kind::fields) refuse_duplicates(table);
  plan();
}

void Run::copy_tables() {
  for (const InTable &table : layout_.tables) {
    heartbeat();
    if (!control().running) return;
    copy_table(table);
  }
}

void Run::copy_table(const InTable &table) {
  pg::Transaction transaction;
  // The name is the source's; one that does not fit is shortened with a hash, so that two long ones stay apart.
  pg::Result const names = pg::execute(
      "select case when octet_length(n) <= 63 then n else left(n, 23) || '_' || left(md5(n), 16) end "
      "from (select 'copy_' || to_char(current_date, 'YYYY_MM_DD') || '_' || $1 as n) as names",
      {table.name});
  std::string const copy = layout_.quoted_schema + "." + pg::quote_identifier(names.text());
  if (!pg::execute("select to_regclass($1)::text", {copy}).rows[0][0]) {
    std::uint64_t rows = 0;
    {
      pg::AsRole const as_owner(table.owner);
      if (pg::execute("select from " + table.quoted + " limit 1").processed > 0)
        rows = pg::copy_table(table.quoted, copy);
    }
    if (rows > 0)
      pg::execute("insert into in_migration.copy_table_info (company, table_name, copy_name, rows) values ($1, $2, $3, $4::bigint)",
                  {company_, table.quoted, copy, std::to_string(rows)});
  }
  transaction.commit();
}

// The lists of tasks and errors are kept as long as the operator's other tables.
void Run::clean_working_tables() const {
  pg::Transaction transaction;
  pg::AsRole const as_owner(layout_.owner);
  for (const char *table : {"task", "err"}) {
    std::string const name = layout_.quoted_schema + "." + table, column = table[0] == 't' ? "coalesce(finished_at, started_at)" : "at";
    pg::execute("delete from " + name + " where ctid = any (array(select ctid from " + name + " where migration_id <> $1::bigint and " +
                    column + " < clock_timestamp() - interval '10 days' limit 10000))",
                {number(id_)});
  }
  transaction.commit();
}

// A copy that cannot be dropped, because something depends on it, holds up no migration.
void Run::drop_old_copies() {
  pg::Result old;
  {
    pg::Transaction transaction;
    old = pg::execute(
        "select i.id, i.copy_name, c.relowner::bigint from in_migration.copy_table_info i "
        "left join pg_class c on c.oid = to_regclass(i.copy_name) "
        "where i.company = $1 and i.dropped_at is null and i.created_at < clock_timestamp() - make_interval(days => $2::integer) "
        "order by i.id limit 1000",
        {company_, std::to_string(std::max(layout_.copy_days, 1))});
    transaction.commit();
  }
  for (const std::vector<pg::Text> &row : old.rows) {
    try {
      pg::Transaction transaction;
      if (row[2]) {
        pg::AsRole const as_owner(static_cast<std::uint32_t>(std::stoul(*row[2])));
        pg::execute("drop table if exists " + row[1].value());
      }
      pg::execute("update in_migration.copy_table_info set dropped_at = clock_timestamp() where id = $1::bigint", {row[0]});
      transaction.commit();
    } catch (const pg::Error &error) {
      record_error("drop of " + row[1].value(), error.sqlstate(), error.what());
    }
  }
}

// The unique index forbids them. Where somebody dropped it, nobody can say which of two rows is right.
void Run::refuse_duplicates(const InTable &table) {
  pg::Transaction transaction;
  bool const guarded = pg::execute(
      "select exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] "
      "where i.indrelid = $1::regclass and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1 "
      "and a.attname = 'in_id')",
      {table.quoted}).flag();
  if (!guarded) {
    pg::Result rows;
    {
      pg::AsRole const as_owner(table.owner);
      rows = pg::execute("update " + table.quoted + " set in_status = 'ERROR', occupied_id = $1::bigint, occupied_at = clock_timestamp() "
                         "where in_status = '' and in_id in (select in_id from " + table.quoted +
                         " group by in_id having count(*) > 1) returning id, in_id", {number(id_)});
    }
    pg::AsRole const as_owner(layout_.owner);
    for (const std::vector<pg::Text> &row : rows.rows)
      pg::execute("insert into " + layout_.quoted_schema + ".err (migration_id, table_name, row_id, in_id, column_name, sqlstate, reason) "
                  "values ($1::bigint, $2, $3::bigint, $4, 'in_id', '23505', 'in_id occurs more than once in the table')",
                  {number(id_), table.name, row[0], row[1]});
  }
  transaction.commit();
}

void Run::plan() {
  pg::Transaction transaction(pg::Isolation::repeatable_read);
  pg::Result const row = pg::execute("select stage > 0 or state <> 'RUNNING' from migrator.migration where id = $1::bigint for update", {number(id_)});
  if (row.flag()) return;  // planned before a crash, or cancelled meanwhile; what is open is rolled back
  std::vector<TaskPlan> plans;
  auto const add = [&](Stage stage, const char *type, const std::string &title, const std::string &table = "") {
    plans.push_back({.stage = stage, .type = type, .title = title, .table = table});
  };
  std::int64_t rows = 0, refused = 0;
  for (const InTable &table : layout_.tables) rows += plan_table(table, plans);
  for (const TaskPlan &plan : plans) refused += plan.failed;
  add(Stage::fields_done, "NOP", "simple fields done");
  for (const InTable &table : layout_.tables)
    if (table.kind == InTable::Kind::fields) add(Stage::migrated_at, "MIGRATE_IN_MIGRATED_AT", "stamp " + table.name, table.name);
  add(Stage::tracking, "FIX_PROCESS_TRACKING", "write the end of the run into process_tracking");
  add(Stage::copy_errors, "COPY_ERR", "copy the errors aside");
  add(Stage::processes, "RUN_PROCESSES", "start what depends on the migrated data");
  add(Stage::finished, "NOP", "migration finished");
  std::stable_sort(plans.begin(), plans.end(), [](const TaskPlan &a, const TaskPlan &b) { return a.stage < b.stage; });
  for (const TaskPlan &plan : plans) add_task(layout_, id_, plan);
  {
    pg::AsRole const as_owner(layout_.owner);
    pg::execute("update " + layout_.quoted_schema + ".task set state = 'DONE', finished_at = clock_timestamp() "
                "where migration_id = $1::bigint and stage = 1", {number(id_)});
  }
  pg::execute("update migrator.migration set boundary = pg_current_snapshot()::text, rows_total = $2::bigint, "
              "rows_refused = $3::bigint, stage = 2 where id = $1::bigint", {number(id_), number(rows + refused), number(refused)});
  transaction.commit();
}

std::int64_t Run::plan_table(const InTable &table, std::vector<TaskPlan> &plans) {
  bool const fields = table.kind == InTable::Kind::fields;
  pg::Result count;
  {
    pg::AsRole const as_owner(table.owner);
    count = pg::execute("select count(*)" + std::string(fields ? ", min(id), max(id)" : "") + " from " + table.quoted +
                        " where in_status = ''");
  }
  std::int64_t const rows = count.bigint();
  if (!fields) {
    plans.push_back({.stage = Stage::links, .type = "MIGRATE_LINKS", .title = "links of " + table.name,
                     .table = table.name, .rows = rows, .nothing_to_do = rows == 0});
    plans.push_back({.stage = Stage::references, .type = "CHECK_REFERENCES", .title = "reference check of " + table.name,
                     .table = table.name, .nothing_to_do = rows == 0});
    return rows;
  }
  std::int64_t refused = 0;
  {
    pg::AsRole const as_owner(layout_.owner);
    refused = pg::execute("select count(*) from " + layout_.quoted_schema + ".err where migration_id = $1::bigint and table_name = $2",
                          {number(id_), table.name}).bigint();  // by refuse_duplicates; looking for them in the table costs a scan
  }
  TaskPlan plan{.stage = Stage::single_fields, .type = "MIGRATE_SINGLE_FIELDS", .title = "simple fields of " + table.name,
                .table = table.name, .rows = refused, .failed = refused, .nothing_to_do = rows == 0};
  if (rows == 0) {
    plans.push_back(plan);
    return 0;
  }
  std::int64_t const least = count.bigint(1), most = count.bigint(2);
  std::int64_t pieces = std::clamp((rows + k_piece_rows - 1) / k_piece_rows, std::int64_t{1}, k_most_pieces);
  if (rows >= k_least_rows) pieces = std::max<std::int64_t>(pieces, layout_.workers);
  if (static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least) < static_cast<std::uint64_t>(pieces)) pieces = 1;
  // Unsigned: the ids may span more than half of the range.
  std::uint64_t const width = (static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least)) / static_cast<std::uint64_t>(pieces) + 1;
  for (std::int64_t piece = 0; piece < pieces; piece++) {
    std::uint64_t const first = static_cast<std::uint64_t>(least) + width * static_cast<std::uint64_t>(piece);
    std::uint64_t const reach = static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least);
    std::uint64_t const end = std::min(width * static_cast<std::uint64_t>(piece + 1) - 1, reach);
    if (width * static_cast<std::uint64_t>(piece) > reach) break;
    plan.range_from = number(static_cast<std::int64_t>(first));
    plan.range_to = number(static_cast<std::int64_t>(static_cast<std::uint64_t>(least) + end));
    plan.rows = rows + plan.failed;
    if (pieces > 1) {
      plan.title = "simple fields of " + table.name + ", ids " + *plan.range_from + " to " + *plan.range_to;
      // Where every id is there, as after a load, nothing needs to be counted once more.
      if (static_cast<std::uint64_t>(rows) - 1 == reach) {
        plan.rows = plan.failed + static_cast<std::int64_t>(end - width * static_cast<std::uint64_t>(piece) + 1);
      } else {
        pg::AsRole const as_owner(table.owner);
        plan.rows = plan.failed + pg::execute("select count(*) from " + table.quoted + " where in_status = '' and id between $1::bigint and $2::bigint",
                                              {plan.range_from, plan.range_to}).bigint();
      }
    }
    plans.push_back(plan);
    plan.failed = 0;  // the first piece has told of them
  }
  return rows;
}

}  // namespace migrator::migration
