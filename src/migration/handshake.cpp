// The handshake with the supplier: may a migration start now? (spec: process_tracking)

#include "base/error.hpp"
#include "base/fault.hpp"
#include "migration/layout.hpp"
#include "migration/settings.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"

namespace migrator::migration {
namespace {

constexpr int k_start_seconds = 5;  // that a worker has to come up and take the lock of its run

std::string refuse(const std::string &reason) { return "not started: " + reason; }

// The first run binds the database to its server; a copy of it finds itself elsewhere.
bool belongs_here() {
  pg::execute(
      "insert into migrator.identity (system_identifier, database_oid, data_directory) "
      "select c.system_identifier::text, d.oid, current_setting('data_directory') from pg_control_system() c, pg_database d "
      "where d.datname = current_database() and not exists (select from migrator.identity)");
  if (MIGRATOR_MUTATION("no_identity")) return true;
  return pg::execute(
             "select i.system_identifier = c.system_identifier::text and i.database_oid = d.oid "
             "and i.data_directory = current_setting('data_directory') "
             "from migrator.identity i, pg_control_system() c, pg_database d where d.datname = current_database()")
      .flag();
}

// A running migration: say so, or take it up again if nobody works on it.
std::string meet_running(std::int64_t id, const pg::Result &row) {
  std::string const name = "migration " + std::to_string(id);
  if (pg::locked_elsewhere("run " + std::to_string(id)))
    return refuse(name + (row.flag(2) ? " is paused" : " is running"));
  if (!row.flag(1)) return refuse(name + " is starting");  // its worker has not come up yet
  pg::execute("update migrator.migration set heartbeat_at = clock_timestamp() where id = $1::bigint", {std::to_string(id)});
  pg::execute("insert into in_migration.log (company, migration_id, message) select company, id, 'taken over' "
              "from migrator.migration where id = $1::bigint",
              {std::to_string(id)});
  pg::start_worker_at_commit(k_runner, {pg::current_database(), id, 0});
  return "resumed: " + name + ", whose worker had ended";
}

// The supplier's word. Empty: the load is ready and its row is taken (locked); else the reason why not.
std::string take_load(const std::string &table, std::int64_t &tracking) {
  pg::Result const newest = pg::execute(
      "select id, load_status, start_ins_inkafka_time is not null or coalesce(ins_inkafka_status, 0) <> 0 "
      "or coalesce(occupied_by_process, 0) <> 0 from " + table + " order by id desc limit 1");
  if (newest.empty()) {
    tracking = pg::execute("insert into " + table + " (oper_date, load_status) values (current_date, 1) returning id").bigint();
    return "";
  }
  tracking = newest.bigint();
  std::string const row = "row " + newest.text(0) + " in process_tracking";
  if (newest.flag(2)) return row + " was migrated already";
  if (newest.text(1) != "1") return "load_status of " + row + " is " + newest.rows[0][1].value_or("null");
  if (pg::execute("select from " + table + " where id = $1::bigint and load_status = 1 for update skip locked", {newest.text(0)}).processed == 0)
    return row + " is locked by another session";
  return "";
}

// Does a row of process_tracking belong to a run that was cancelled?
bool was_cancelled(const std::string &company, std::int64_t tracking) {
  return pg::execute("select from (select state from migrator.migration where company = $1 and tracking_id = $2::integer "
                     "order by id desc limit 1) as last where state = 'CANCELLED'", {company, std::to_string(tracking)}).processed > 0;
}

std::string try_to_start(const std::string &company) {
  pg::Result const settings = pg::execute(
      "select has_in_migration, kafka_server, exists (select from pg_foreign_server s join pg_foreign_data_wrapper w "
      "on w.oid = s.srvfdw where s.srvname = kafka_server and w.fdwname = 'migrator_kafka'), in_schema, "
      "pg_is_in_recovery() from migrator.company where code = $1",
      {company});
  if (settings.empty())
    throw Error(sqlstate::undefined_object, "company \"" + company + "\" does not exist").hint("See migrator.company.");
  if (settings.flag(4)) return refuse("this server is a standby");
  if (!settings.flag(0)) return refuse("has_in_migration is false");
  if (!settings.rows[0][1]) return refuse("kafka_server of company \"" + company + "\" is not set");
  if (!settings.flag(2)) return refuse("foreign server \"" + settings.text(1) + "\" of migrator_kafka does not exist");
  if (!pg::execute("select pg_try_advisory_xact_lock(hashtextextended('migrator:start ' || $1, 0))", {company}).flag())
    return refuse("another start is under way");
  if (!belongs_here())
    return refuse("this database is a copy; migrator.adopt() makes it the one that publishes");

  pg::Result const running = pg::execute(
      "select id, heartbeat_at < clock_timestamp() - make_interval(secs => least($2::integer, $3::integer)) "
      "or heartbeat_at < pg_postmaster_start_time(), paused from migrator.migration where company = $1 and state = 'RUNNING'",
      {company, std::to_string(heartbeat_timeout), std::to_string(k_start_seconds)});
  if (!running.empty()) return meet_running(running.bigint(), running);

  Layout const layout = read_layout(company);
  if (layout.tables.empty()) return refuse("no field of company \"" + company + "\" is marked for IN migration");
  std::string const table = layout.quoted_schema + ".process_tracking";
  pg::Result const owner = pg::execute(
      "select relowner::bigint from pg_class where oid = to_regclass($1) and relkind in ('r', 'p')", {table});
  if (owner.empty()) return refuse("table " + table + " does not exist");

  std::int64_t tracking = 0;
  std::string reason;
  {
    pg::AsRole const as_owner(static_cast<std::uint32_t>(owner.bigint()));
    reason = take_load(table, tracking);
  }
  if (!reason.empty() && was_cancelled(company, tracking))
    reason = "row " + std::to_string(tracking) + " in process_tracking belongs to a migration that was cancelled; a new row starts the next one";
  if (!reason.empty()) return refuse(reason);
  std::int64_t const id =
      pg::execute("insert into migrator.migration (company, tracking_id) values ($1, $2::integer) returning id",
                  {company, std::to_string(tracking)})
          .bigint();
  {
    pg::AsRole const as_owner(static_cast<std::uint32_t>(owner.bigint()));
    pg::execute("update " + table + " set start_ins_inkafka_time = clock_timestamp(), occupied_by_process = $1::bigint, "
                "migrate_cur_date = current_date, periodic_update_time = clock_timestamp() where id = $2::bigint",
                {std::to_string(id), std::to_string(tracking)});
  }
  pg::execute("insert into in_migration.log (company, migration_id, message) values ($1, $2::bigint, 'started')",
              {company, std::to_string(id)});
  pg::start_worker_at_commit(k_runner, {pg::current_database(), id, 0});
  return "started: migration " + std::to_string(id);
}

// Rows that failed wait again. Returns how many of a table.
std::uint64_t reset_failed(const InTable &table) {
  pg::AsRole const as_owner(table.owner);
  std::string const release = table.kind == InTable::Kind::fields ? ", occupied_id = null, occupied_at = null" : "";
  return pg::execute("update " + table.quoted + " set in_status = ''" + release + " where in_status = 'ERROR'").processed;
}

std::int64_t newest_load(const std::string &table, const pg::Result &owner) {
  if (owner.empty()) return 0;
  pg::AsRole const as_owner(static_cast<std::uint32_t>(owner.bigint()));
  return pg::execute("select coalesce(max(id), 0) from " + table).bigint();
}

std::string retry_failed(const std::string &company, const pg::Text &bo) {
  Layout const layout = read_layout(company);
  if (bo && pg::execute("select from migrator.bo where company = $1 and code = $2", {company, bo}).processed == 0)
    throw Error(sqlstate::undefined_object, "BO \"" + *bo + "\" does not exist in company \"" + company + "\"")
        .hint("See migrator.bo.");
  std::uint64_t rows = 0;
  for (const InTable &table : layout.tables)
    if (!bo || table.bo == *bo) rows += reset_failed(table);
  if (rows == 0) return "no row has failed";
  std::string const answer = std::to_string(rows) + (rows == 1 ? " row waits again; " : " rows wait again; ");
  // A load of our own carries them, unless the supplier is about to hand over: then they go with his.
  std::string const table = layout.quoted_schema + ".process_tracking";
  pg::Result const owner = pg::execute("select relowner::bigint from pg_class where oid = to_regclass($1)", {table});
  bool const cancelled = was_cancelled(company, newest_load(table, owner));
  if (!owner.empty()) {
    pg::AsRole const as_owner(static_cast<std::uint32_t>(owner.bigint()));
    pg::execute("insert into " + table + " (oper_date, load_status) select oper_date, 1 from " + table +
                " t where id = (select max(id) from " + table + ") and (ins_inkafka_status = 1 or $1::boolean)",
                {cancelled ? "t" : "f"});
  }
  return answer + try_to_start(company);
}

}  // namespace
}  // namespace migrator::migration

// A refusal is news once, not every minute. A standby cannot write it.
static void log_refusal(const std::string &company, const std::string &answer) {
  using migrator::pg::execute;
  if (answer.starts_with("not started") && !execute("select pg_is_in_recovery()").flag())
    execute("insert into in_migration.log (company, message) select $1, $2 where $2 is distinct from "
            "(select message from in_migration.log where company = $1 order by id desc limit 1)",
            {company, answer});
}

MIGRATOR_FUNCTION(migrator_try_to_start_migration) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  std::string answer;
  {
    pg::Spi const spi;
    std::string const company = arguments.text(0);
    answer = migration::try_to_start(company);
    log_refusal(company, answer);
  }
  return pg::return_text(answer);
}

MIGRATOR_FUNCTION(migrator_retry_failed) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  std::string answer;
  {
    pg::Spi const spi;
    answer = migration::retry_failed(arguments.text(0), arguments.optional_text(1));
  }
  return pg::return_text(answer);
}

MIGRATOR_FUNCTION(migrator_adopt) {
  using namespace migrator;
  {
    pg::Spi const spi;
    pg::execute("update migrator.identity i set system_identifier = c.system_identifier::text, database_oid = d.oid, "
                "data_directory = current_setting('data_directory'), adopted_at = clock_timestamp() "
                "from pg_control_system() c, pg_database d where d.datname = current_database()");
    // What the markers say is read anew, from their beginning.
    pg::execute("update migrator.slot set cluster_id = null, next_marker_offset = 0, recovered_for = null, in_doubt = null, in_doubt_offset = null, accepted_offset = null");
    pg::execute("insert into in_migration.log (message) values ('adopted by ' || session_user)");
  }
  return pg::return_text("adopted: this database publishes from now on");
}
