#include "consume/consumption.hpp"

#include "base/error.hpp"
#include "migration/settings.hpp"
#include "pg/transaction.hpp"

namespace migrator::consume {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

Consumption::Consumption(std::int64_t id) : id_(id) {
  pg::Transaction transaction;
  pg::Result const row = pg::execute("select company from migrator.in_consumption where id = $1::bigint", {number(id)});
  if (row.empty()) throw Error(sqlstate::undefined_object, "consumption " + number(id) + " does not exist");
  company_ = row.text();
  transaction.commit();
}

Control Consumption::control() const {
  pg::Transaction transaction;
  pg::Result const row = pg::execute(
      "select n.started or coalesce(n.wanted_until > clock_timestamp(), false), n.paused, "
      "coalesce(n.heartbeat_at < clock_timestamp() - make_interval(secs => $3::integer), true), c.track_timings, c.consumers, c.kafka_server "
      "from migrator.in_consumption n join migrator.company c on c.code = n.company where n.id = $1::bigint and n.company = $2",
      {number(id_), company_, number(migration::heartbeat_timeout)});
  pg::Result const topics = pg::execute("select topic from migrator.in_topic where company = $1 order by topic", {company_});
  transaction.commit();
  if (row.empty()) return {};
  Control control{row.flag(0), row.flag(1), row.flag(2), row.flag(3), static_cast<int>(row.bigint(4)), row.text(5), {}};
  for (const std::vector<pg::Text> &topic : topics.rows) control.topics.push_back(topic[0].value());
  return control;
}

bool Consumption::wanted_again() const {
  {
    pg::Transaction transaction;
    pg::execute("select from migrator.in_consumption where id = $1::bigint for update", {number(id_)});
    transaction.commit();
  }
  return control().running;
}

void Consumption::heartbeat() const {
  pg::Transaction transaction;
  pg::execute("update migrator.in_consumption set heartbeat_at = clock_timestamp() where id = $1::bigint", {number(id_)});
  transaction.commit();
}

void Consumption::ends() const {
  pg::Transaction transaction;
  pg::execute("update migrator.in_consumption set starting_at = null where id = $1::bigint", {number(id_)});
  transaction.commit();
}

void Consumption::set_waiting(const std::string &reason) const {
  pg::Transaction transaction;
  bool const news = pg::execute("update migrator.in_consumption set waiting = nullif($2, '') where id = $1::bigint "
                                "and waiting is distinct from nullif($2, '')",
                                {number(id_), reason})
                        .processed > 0;
  if (news && !reason.empty())
    pg::execute("insert into in_migration.log (company, message) values ($1, 'consumption waits: ' || $2)", {company_, reason});
  transaction.commit();
}

void Consumption::log(const std::string &message) const {
  pg::Transaction transaction;
  pg::execute("insert into in_migration.log (company, message) values ($1, $2)", {company_, message});
  transaction.commit();
}

void Consumption::record_error(const std::string &place, const std::string &sqlstate, const std::string &message) const {
  pg::Transaction transaction;
  // A fault that repeats itself is one entry a minute, not one an attempt.
  pg::execute("insert into in_migration.errors (company, place, sqlstate, message) select $1, $2, $3, $4 where not exists "
              "(select from in_migration.errors where company = $1 and place = $2 and message = $4 and at > clock_timestamp() - interval '1 minute')",
              {company_, place, sqlstate, message});
  transaction.commit();
}

}  // namespace migrator::consume
