// What SQL calls of the consumption.

#include "base/error.hpp"
#include "consume/consumption.hpp"
#include "consume/settings.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"
#include "server/client.hpp"

namespace migrator::consume {
namespace {

// A supervisor that was started needs a moment until it shows; a second one would end at once.
std::string start_supervisor(std::int64_t id) {
  std::string const number = std::to_string(id);
  if (pg::locked_elsewhere("consumption " + number)) return "running";
  if (pg::execute("update migrator.in_consumption set starting_at = clock_timestamp() where id = $1::bigint and (starting_at is null "
                  "or starting_at < clock_timestamp() - interval '2 seconds' or starting_at < pg_postmaster_start_time())",
                  {number})
          .processed == 0)
    return "starting";
  pg::start_worker_at_commit(k_supervisor, {pg::current_database(), id, 0});
  return "started";
}

struct Known {
  std::vector<std::string> topics;
  wire::Properties properties;
  pg::Result offsets;          // topic, partition, next_offset
};

Known known(const std::string &company) {
  pg::Spi const spi;
  Known result;
  pg::Result const server = pg::execute("select kafka_server from migrator.company where code = $1", {company});
  if (server.empty()) throw Error(sqlstate::undefined_object, "company \"" + company + "\" does not exist").hint("See migrator.company.");
  pg::Result const topics = pg::execute("select topic from migrator.in_topic where company = $1 order by topic", {company});
  for (const std::vector<pg::Text> &topic : topics.rows) result.topics.push_back(topic[0].value());
  if (result.topics.empty()) return result;
  if (!server.rows[0][0]) throw Error(sqlstate::not_in_prerequisite_state, "kafka_server of company \"" + company + "\" is not set");
  result.properties = server::properties(server.text());
  result.offsets = pg::execute("select topic, partition, next_offset from migrator.in_partition where company = $1", {company});
  return result;
}

std::int64_t next_offset(const Known &known, const std::string &topic, std::size_t partition, std::int64_t otherwise) {
  for (const std::vector<pg::Text> &row : known.offsets.rows)
    if (row[0] == topic && row[1] == std::to_string(partition) && row[2]) return std::stoll(*row[2]);
  return otherwise;
}

}  // namespace
}  // namespace migrator::consume

MIGRATOR_FUNCTION(migrator_start_supervisor) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  std::string answer;
  {
    pg::Spi const spi;
    answer = consume::start_supervisor(arguments.bigint(0));
  }
  return pg::return_text(answer);
}

MIGRATOR_FUNCTION(migrator_consumer_lag) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  consume::Known const known = consume::known(arguments.text(0));
  pg::Rows rows(fcinfo);
  if (known.topics.empty()) return rows.done();
  server::Client client;
  wire::Look const request{.properties = known.properties, .topics = known.topics, .deadline_ms = consume::k_look_deadline};
  auto const seen = wire::decode<wire::Seen>(client.ask(wire::encode(request), wire::Type::seen, request.deadline_ms));
  for (std::size_t i = 0; i < known.topics.size(); ++i) {
    const std::string &topic = known.topics[i];
    if (!seen.topics.at(i).problem.empty()) rows.add({topic, {}, {}, {}, {}});
    for (std::size_t partition = 0; partition < seen.topics[i].partitions.size(); ++partition) {
      const wire::Range &range = seen.topics[i].partitions[partition];
      std::int64_t const next = consume::next_offset(known, topic, partition, range.low);
      if (range.problem.empty()) rows.add({topic, std::to_string(partition), std::to_string(next), std::to_string(range.end), std::to_string(range.end - next)});
      else rows.add({topic, std::to_string(partition), std::to_string(next), {}, {}});
    }
  }
  return rows.done();
}
