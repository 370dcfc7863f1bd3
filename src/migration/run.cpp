#include "migration/run.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "migration/settings.hpp"
#include "pg/error.hpp"
#include "pg/transaction.hpp"

namespace migrator::migration {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

// An entry of in_migration.log or errors, in a transaction of its own. A disk that is full must neither stop the work
// nor keep the reason of a wait from being seen; the server's log then has the message.
void note(const std::string &insert, const std::vector<pg::Text> &values, const std::string &message) {
  try {
    pg::Transaction transaction;
    pg::execute(insert, values);
    transaction.commit();
  } catch (const pg::Error &error) {
    if (error.sqlstate() == "57014") throw;
    pg::report(pg::Level::warning, message, error.public_message());
  }
}

}  // namespace

Run::Run(std::int64_t id) : id_(id) {
  pg::Transaction transaction;
  pg::Result const row = pg::execute("select company, tracking_id from migrator.migration where id = $1::bigint", {number(id)});
  if (row.empty()) throw Error(sqlstate::undefined_object, "migration " + number(id) + " does not exist");
  company_ = row.text(0);
  tracking_ = row.bigint(1);
  layout_ = read_layout(company_);
  tracking_owner_ = static_cast<std::uint32_t>(
      pg::execute("select relowner::bigint from pg_class where oid = $1::regclass", {tracking_table()}).bigint());
  transaction.commit();
}

Control Run::control() const {
  pg::Transaction transaction;
  pg::Result const row =
      pg::execute("select state = 'RUNNING', paused, stage, heartbeat_at < clock_timestamp() - make_interval(secs => $2::integer) "
                  "from migrator.migration where id = $1::bigint",
                  {number(id_), number(heartbeat_timeout)});
  transaction.commit();
  if (row.empty()) return {};
  return {row.flag(0), row.flag(1), row.flag(3), static_cast<Stage>(std::max<std::int64_t>(row.bigint(2), 1))};
}

void Run::heartbeat() {
  pg::Transaction transaction;
  pg::execute("update migrator.migration set heartbeat_at = clock_timestamp() where id = $1::bigint", {number(id_)});
  {
    pg::AsRole const as_owner(tracking_owner_);
    // The supplier may hold the row; the next beat will do.
    pg::execute("update " + tracking_table() + " set periodic_update_time = clock_timestamp() where id = "
                "(select id from " + tracking_table() + " where id = $1::bigint for update skip locked)",
                {number(tracking_)});
  }
  transaction.commit();
}

void Run::set_waiting(const std::string &reason, bool weak) const {
  bool news = false;
  {
    pg::Transaction transaction;
    news = pg::execute("update migrator.migration set waiting = nullif($2, '') where id = $1::bigint "
                       "and state = 'RUNNING' and waiting is distinct from nullif($2, '') and (waiting is null or not $3::boolean)",
                       {number(id_), reason, weak ? "t" : "f"})
               .processed > 0;
    transaction.commit();
  }
  if (news && !reason.empty())
    note("insert into in_migration.log (company, migration_id, message) values ($1, $2::bigint, 'waiting: ' || $3)",
         {company_, number(id_), reason}, reason);
}

void Run::record_error(const std::string &place, const std::string &sqlstate, const std::string &message) const {
  // A fault that repeats itself is one entry a minute, not one an attempt.
  note("insert into in_migration.errors (company, migration_id, place, sqlstate, message) "
       "select $1, $2::bigint, $3, $4, $5 where not exists (select from in_migration.errors where migration_id = $2::bigint "
       "and place = $3 and message = $5 and at > clock_timestamp() - interval '1 minute')",
       {company_, number(id_), place, sqlstate, message}, message);
}

bool Run::has_leftovers() const {
  pg::Transaction transaction;
  bool const found = pg::execute("select from migrator.chunk c join migrator.migration m on m.id = c.migration_id "
                                 "where c.state = 'CLAIMED' and m.company = $1 and m.state <> 'RUNNING' limit 1", {company_})
                         .processed > 0;
  transaction.commit();
  return found;
}

bool Run::has_rows() const {
  pg::Transaction transaction;
  bool found = false;
  for (const InTable &table : layout_.tables) {
    if (found) break;
    pg::AsRole const as_owner(table.owner);
    found = pg::execute("select from " + table.quoted + " limit 1").processed > 0;
  }
  transaction.commit();
  return found;
}

std::string Run::boundary() const {
  pg::Transaction transaction;
  std::string const text = pg::execute("select coalesce(boundary, '') from migrator.migration where id = $1::bigint", {number(id_)}).text();
  transaction.commit();
  return text;
}

bool Run::ended(Stage stage) const {
  pg::Transaction transaction;
  bool const open = !open_tasks(layout_, id_, stage).empty() ||
                    pg::execute("select from migrator.chunk where migration_id = $1::bigint and state = 'CLAIMED' limit 1", {number(id_)})
                            .processed > 0;
  transaction.commit();
  return !open;
}

void Run::work(Stage stage) {
  if (!published(stage)) {
    std::vector<OwnTask> tasks;
    {
      pg::Transaction transaction;
      tasks = open_tasks(layout_, id_, stage);
      transaction.commit();
    }
    for (const OwnTask &task : tasks) own_task(stage, task);
  }
  pg::Transaction transaction;
  if (stage == Stage::finished) {
    pg::execute("update migrator.migration set state = 'DONE', waiting = null, finished_at = clock_timestamp() "
                "where id = $1::bigint and state = 'RUNNING'", {number(id_)});
    pg::execute("insert into in_migration.log (company, migration_id, message) select company, id, 'finished' from migrator.migration "
                "where id = $1::bigint and state = 'DONE'", {number(id_)});
  } else {
    pg::execute("update migrator.migration set stage = $2::integer where id = $1::bigint",
                {number(id_), number(static_cast<int>(stage) + 1)});
  }
  transaction.commit();
}

void Run::own_task(Stage stage, const OwnTask &task) {
  {
    pg::Transaction transaction;
    start_task(layout_, task.id, "Runner");
    transaction.commit();
  }
  if (stage == Stage::processes) run_hooks();
  pg::Transaction transaction;
  if (stage == Stage::migrated_at) {
    const InTable *table = layout_.find(task.table);
    pg::execute("insert into in_migration.migrated_table (company, bo, migration_id, rows, migrated_at) "
                "select $1, $2, $3::bigint, coalesce(sum(rows), 0), coalesce(max(finished_at), clock_timestamp()) "
                "from migrator.chunk where migration_id = $3::bigint and table_name = $4 and state = 'DONE'",
                {company_, table != nullptr ? table->bo : task.table, number(id_), task.table});
  } else if (stage == Stage::tracking) {
    fix_tracking();
  } else if (stage == Stage::copy_errors) {
    copy_errors();
  }
  bool const failed = stage == Stage::processes &&
                      pg::execute("select from in_migration.errors where migration_id = $1::bigint and place like 'hook %' limit 1",
                                  {number(id_)}).processed > 0;
  end_task(layout_, task.id, failed ? "FAILED" : "DONE");
  transaction.commit();
}

void Run::fix_tracking() const {
  pg::AsRole const as_owner(tracking_owner_);
  // One look at the clock: the last sign of life is not after the end.
  pg::execute("update " + tracking_table() + " set end_ins_inkafka_time = clock.now, ins_inkafka_status = 1, "
              "periodic_update_time = clock.now from (select clock_timestamp() as now) as clock where id = $1::bigint", {number(tracking_)});
}

void Run::copy_errors() const {
  std::string copy, rows = "0";
  {
    pg::AsRole const as_owner(layout_.owner);
    std::string const err = layout_.quoted_schema + ".err";
    if (pg::execute("select from " + err + " where migration_id = $1::bigint limit 1", {number(id_)}).processed == 0) return;
    copy = layout_.quoted_schema + "." +
           pg::execute("select 'copy_' || to_char(current_date, 'YYYY_MM_DD') || '_err'").text();
    pg::Result const owner = pg::execute("select relowner = $2::oid from pg_class where oid = to_regclass($1)", {copy, number(layout_.owner)});
    if (owner.empty()) pg::execute("create table " + copy + " as table " + err + " with no data");
    else if (!owner.flag()) throw Error(sqlstate::insufficient_privilege, "table " + copy + " belongs to somebody else").hint("Rename it or drop it.");
    rows = std::to_string(pg::execute("insert into " + copy + " select * from " + err + " where migration_id = $1::bigint", {number(id_)}).processed);
  }
  pg::execute("insert into in_migration.copy_table_info (company, table_name, copy_name, rows) values ($1, $2, $3, $4::bigint)",
              {company_, layout_.quoted_schema + ".err", copy, rows});
}

// Each hook is a transaction of its own, together with the note that it ran: it takes effect once, also when the
// runner dies in between. A hook that fails is reported and harms no other.
void Run::run_hooks() {
  pg::Result hooks;
  {
    pg::Transaction transaction;
    hooks = pg::execute("select h.name, h.command, r.oid::bigint from migrator.hook h left join pg_roles r on r.rolname = h.run_as "
                        "where h.company = $1 order by h.position, h.name", {company_});
    transaction.commit();
  }
  for (const std::vector<pg::Text> &hook : hooks.rows) {
    std::string const place = "hook \"" + hook[0].value() + "\"";
    try {
      if (!hook[2]) throw Error(sqlstate::undefined_object, "the hook's role does not exist any more");
      pg::Transaction transaction;
      bool const ran = pg::execute("select from in_migration.log where migration_id = $1::bigint and message = $2",
                                   {number(id_), place + " done"}).processed > 0;
      if (!ran) {
        {
          pg::AsRole const as_author(static_cast<std::uint32_t>(std::stoul(*hook[2])));
          pg::execute(hook[1].value(), {number(id_)});
        }
        pg::execute("insert into in_migration.log (company, migration_id, message) values ($1, $2::bigint, $3)",
                    {company_, number(id_), place + " done"});
      }
      transaction.commit();
    } catch (const pg::Error &error) {
      record_error(place, error.sqlstate(), error.public_message());
    } catch (const Error &error) {
      record_error(place, error.sqlstate(), error.message());
    }
  }
}

void report_death(std::int64_t migration, const std::string &sqlstate, const std::string &message) {
  {
    pg::Transaction transaction;
    pg::execute("update migrator.migration set waiting = $2 where id = $1::bigint and state = 'RUNNING'", {number(migration), message});
    transaction.commit();
  }
  note("insert into in_migration.errors (company, migration_id, place, sqlstate, message) "
       "select company, id, 'start of a worker', $2, $3 from migrator.migration where id = $1::bigint",
       {number(migration), sqlstate, message}, message);
}

}  // namespace migrator::migration
