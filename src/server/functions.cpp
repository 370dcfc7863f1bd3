// Foreign servers of migrator_kafka: what may be set on them, and kafka_check.

#include <cstdlib>

#include "base/error.hpp"
#include "pg/error.hpp"
#include "pg/spi.hpp"
#include "pg/worker.hpp"
#include "server/client.hpp"
#include "server/options.hpp"
#include "wire/codec.hpp"

namespace migrator::server {
namespace {

constexpr std::uint32_t k_check_deadline = 15000;  // ms
constexpr std::uint32_t k_validate_deadline = 5000;

std::string value_of(const std::string &option, const std::string &value) {
  if (!from_environment(option)) return value;
  check_environment(value);
  const char *variable = std::getenv(value.c_str());
  if (variable == nullptr)
    throw Error(sqlstate::fdw_invalid_attribute_value, "environment variable " + value + " of option \"" + option + "\" is not set")
        .hint("Set it in the environment of the PostgreSQL server and restart it.");
  return variable;
}

void validate_values(const wire::Properties &properties) {
  if (properties.empty()) return;
  Client client;
  client.send(wire::encode(wire::Validate{properties}), k_validate_deadline);
  wire::Frame const answer = client.receive(k_validate_deadline);
  if (answer.type == wire::Type::valid) return;
  wire::Failed const failed = wire::decode<wire::Failed>(answer.payload);
  throw Error(sqlstate::fdw_invalid_attribute_value, failed.text);
}

void check_options(const std::vector<std::string> &options, std::uint32_t catalog) {
  pg::Place const place = pg::option_place(catalog);
  if (options.empty()) return;
  if (place == pg::Place::other)
    throw Error(sqlstate::fdw_invalid_option_name, "migrator_kafka has options on servers and user mappings only");
  wire::Properties properties;
  for (const std::string &option : options) {
    std::size_t const equals = option.find('=');
    std::string const name = option.substr(0, equals), value = option.substr(equals + 1);
    check_option(name, place == pg::Place::server ? Place::server : Place::user_mapping);
    // What a variable holds is known when it is used, not now.
    if (from_environment(name)) {
      check_environment(value);
      continue;
    }
    check_value(name, value);
    properties.emplace_back(name, value);
    if (property_name(name) == "enable.ssl.certificate.verification" && value == "false")
      pg::report(pg::Level::warning, "the broker's certificate will not be verified");
  }
  validate_values(properties);
}

}  // namespace

wire::Properties properties(const std::string &server) {
  // Every session sees the options, but secrets in user mappings only their owner, so the catalogue is read.
  pg::Result const rows = pg::execute(
      "with s as (select s.oid, s.srvoptions from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw "
      "where s.srvname = $1 and w.fdwname = 'migrator_kafka'), "
      "m as (select umoptions from pg_user_mapping u join s on s.oid = u.umserver "
      "where u.umuser in (0, (select oid from pg_roles where rolname = 'migrator_admin')) order by u.umuser desc limit 1) "
      "select o.option_name, o.option_value from s, pg_options_to_table(s.srvoptions) o "
      "union all select o.option_name, o.option_value from m, pg_options_to_table(m.umoptions) o",
      {server});
  if (rows.empty())
    throw Error(sqlstate::undefined_object, "foreign server \"" + server + "\" of migrator_kafka does not exist or has no options")
        .hint("create server " + pg::quote_identifier(server) + " foreign data wrapper migrator_kafka options (\"bootstrap.servers\" 'host:9092')");
  wire::Properties result;
  for (const std::vector<pg::Text> &row : rows.rows) {
    std::string const name = row[0].value();
    result.emplace_back(std::string(property_name(name)), value_of(name, row[1].value_or("")));
  }
  return result;
}

}  // namespace migrator::server

MIGRATOR_FUNCTION(migrator_kafka_options) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  server::check_options(arguments.text_array(0), arguments.oid(1));
  return pg::return_void();
}

MIGRATOR_FUNCTION(migrator_kafka_check) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  std::string const name = arguments.text(0);
  wire::Check check;
  {
    pg::Spi const spi;
    check.properties = server::properties(name);
    pg::Result const topics = pg::execute(
        "select distinct t from migrator.company c left join migrator.bo b on b.company = c.code, "
        "lateral unnest(array[c.in_topic, b.in_topic]) t where c.kafka_server = $1 and t is not null order by t",
        {name});
    for (const std::vector<pg::Text> &row : topics.rows) check.topics.push_back(row[0].value());
    pg::Result const names = pg::execute("select migrator.marker_topic(), migrator.transactional_id($1, 0)", {name});
    check.marker_topic = names.text(0);
    check.transactional_id = names.text(1);
  }
  server::Client client;
  client.send(wire::encode(check), server::k_check_deadline);
  wire::Frame const answer = client.receive(server::k_check_deadline);
  pg::Rows rows(fcinfo);
  if (answer.type == wire::Type::report) {
    for (const wire::Finding &finding : wire::decode<wire::Report>(answer.payload).findings)
      rows.add({finding.check, finding.ok ? "t" : "f", finding.detail, finding.remedy.empty() ? pg::Text() : finding.remedy});
  } else {
    wire::Failed const failed = wire::decode<wire::Failed>(answer.payload);
    rows.add({"reachable", "f", failed.text, "Compare the options of the foreign server with the broker's listeners."});
  }
  return rows.done();
}
