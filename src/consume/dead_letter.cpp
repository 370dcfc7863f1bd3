#include "consume/dead_letter.hpp"

#include "base/error.hpp"
#include "consume/verdicts.hpp"
#include "pg/spi.hpp"

namespace migrator::consume {
namespace {

constexpr const char *k_portion = "100";  // dead letters read at a time; each may be large

std::string number(std::int64_t value) { return std::to_string(value); }

pg::Text hex(const std::optional<std::string_view> &bytes) {
  if (!bytes) return std::nullopt;
  constexpr char k_digits[] = "0123456789abcdef";
  std::string result;
  result.reserve(2 * bytes->size());
  for (char c : *bytes) {
    auto const byte = static_cast<unsigned char>(c);
    result += {k_digits[byte >> 4], k_digits[byte & 15]};
  }
  return result;
}

std::string bytes(const std::string &hex_digits) {
  auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  std::string result;
  result.reserve(hex_digits.size() / 2);
  for (std::size_t i = 0; i + 1 < hex_digits.size(); i += 2) result += static_cast<char>(value(hex_digits[i]) << 4 | value(hex_digits[i + 1]));
  return result;
}

// How many of the open dead letters behind `after` were applied; moves `after` on. Empty: there are none.
std::optional<std::size_t> retry_portion(store::Applier &applier, const std::string &company, const pg::Text &only, std::string &after, std::size_t &tried) {
  pg::Result const letters = pg::execute(
      "select id, encode(coalesce(value, ''), 'hex') from migrator.dead_letter where company = $1 and resolved_at is null "
      "and id > $2::bigint and id = coalesce($3::bigint, id) order by id limit " + std::string(k_portion) + " for update",
      {company, after, only});
  if (letters.empty()) return std::nullopt;
  std::vector<std::string> values;
  for (const std::vector<pg::Text> &letter : letters.rows) values.push_back(bytes(letter[1].value()));
  std::vector<std::string_view> const messages(values.begin(), values.end());
  std::vector<store::Verdict> const found = verdicts(applier, messages);
  std::size_t applied = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::optional<store::Failure> &failure = found[i].failure;
    if (!failure) ++applied;
    pg::execute("update migrator.dead_letter set tries = tries + 1, resolved_at = case when $2 = '' then clock_timestamp() end, "
                "sqlstate = coalesce(nullif($2, ''), sqlstate), reason = coalesce(nullif($3, ''), reason) where id = $1::bigint",
                {letters.rows[i][0], failure ? failure->sqlstate : "", failure ? reason_of(*failure) : ""});
  }
  after = letters.rows.back()[0].value();
  tried += found.size();
  return applied;
}

std::string retry(const std::string &company, const pg::Text &only) {
  if (pg::execute("select from migrator.company where code = $1", {company}).processed == 0)
    throw Error(sqlstate::undefined_object, "company \"" + company + "\" does not exist").hint("See migrator.company.");
  store::Applier applier(company);
  std::string after = "0";
  std::size_t tried = 0, applied = 0;
  while (std::optional<std::size_t> const some = retry_portion(applier, company, only, after, tried)) applied += *some;
  if (tried == 0) return only ? "dead letter " + *only + " is not open" : "no dead letter is open";
  return std::to_string(applied) + " of " + std::to_string(tried) + (tried == 1 ? " dead letter applied" : " dead letters applied");
}

}  // namespace

void bury(const std::string &company, const Partition &from, const wire::Record &record, const store::Failure &failure) {
  std::vector<pg::Text> values{company, from.topic, number(from.number), number(record.offset), failure.sqlstate, reason_of(failure)};
  // These may be large: moved, where a list would copy them.
  values.push_back(hex(record.key));
  values.push_back(hex(record.value));
  pg::execute("insert into migrator.dead_letter (company, topic, partition, \"offset\", sqlstate, reason, key, value) "
              "values ($1, $2, $3::integer, $4::bigint, $5, $6, decode($7, 'hex'), decode($8, 'hex'))",
              values);
}

}  // namespace migrator::consume

MIGRATOR_FUNCTION(migrator_retry_dead_letters) {
  using namespace migrator;
  pg::Arguments const arguments(fcinfo);
  std::string answer;
  {
    pg::Spi const spi;
    answer = consume::retry(arguments.text(0), arguments.is_null(1) ? pg::Text() : pg::Text(std::to_string(arguments.bigint(1))));
  }
  return pg::return_text(answer);
}
