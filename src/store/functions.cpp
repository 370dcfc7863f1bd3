// SQL functions of the store.

#include "base/error.hpp"
#include "pg/encoding.hpp"
#include "pg/function.hpp"
#include "pg/spi.hpp"
#include "store/applier.hpp"

namespace pg = migrator::pg;
namespace store = migrator::store;

// The one of this session: the structure of the company that was asked for last is kept. While it applies, a trigger on a
// table of the store may ask for another one.
static std::shared_ptr<store::Applier> applier_of(const std::string &company) {
  static std::string current;
  static std::shared_ptr<store::Applier> applier;
  if (applier == nullptr || current != company) {
    applier = std::make_shared<store::Applier>(company);
    current = company;
  }
  return applier;
}

MIGRATOR_FUNCTION(migrator_apply_boi_input) {
  pg::Arguments const arguments(fcinfo);
  std::string const message = pg::to_utf8(arguments.text(1));
  std::string_view const messages[] = {message};
  store::Verdict verdict;
  {
    pg::Spi spi;  // what it allocates goes with it: the result must come after it
    verdict = applier_of(pg::to_utf8(arguments.text(0)))->apply(messages).front();
  }
  if (verdict.failure)
    throw migrator::Error(verdict.failure->sqlstate.c_str(), pg::from_utf8(verdict.failure->reason))
        .detail(pg::from_utf8(verdict.failure->detail))
        .hint(pg::from_utf8(verdict.failure->hint));
  return pg::return_text(store::name_of(verdict.outcome));
}

MIGRATOR_FUNCTION(migrator_apply_boi_inputs) {
  pg::Arguments const arguments(fcinfo);
  std::vector<std::string> messages = arguments.text_array(1);
  for (std::string &message : messages) message = pg::to_utf8(message);
  std::vector<std::string_view> const views(messages.begin(), messages.end());
  pg::Rows rows(fcinfo);
  std::vector<store::Verdict> verdicts;
  {
    pg::Spi spi;
    verdicts = applier_of(pg::to_utf8(arguments.text(0)))->apply(views);
  }
  std::size_t n = 0;
  for (const store::Verdict &verdict : verdicts) {
    std::vector<pg::Text> row = {std::to_string(++n), std::nullopt, std::nullopt, std::nullopt, std::nullopt};
    if (verdict.failure) {
      row[2] = verdict.failure->sqlstate;
      row[3] = pg::from_utf8(verdict.failure->reason);
      row[4] = pg::from_utf8(verdict.failure->detail);
    } else {
      row[1] = store::name_of(verdict.outcome);
    }
    rows.add(row);
  }
  return rows.done();
}
