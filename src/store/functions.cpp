// SQL functions of the store.

#include "base/error.hpp"
#include "pg/encoding.hpp"
#include "pg/function.hpp"
#include "pg/spi.hpp"
#include "store/applier.hpp"

namespace pg = migrator::pg;
namespace store = migrator::store;

// The one of this session: the structure of the company that was asked for last is kept.
static store::Applier &applier_of(const std::string &company) {
  static std::string current;
  static std::unique_ptr<store::Applier> applier;
  if (applier == nullptr || current != company) {
    applier = std::make_unique<store::Applier>(company);
    current = company;
  }
  return *applier;
}

MIGRATOR_FUNCTION(migrator_apply_boi_input) {
  pg::Arguments const arguments(fcinfo);
  std::string const message = pg::to_utf8(arguments.text(1));
  std::string_view const messages[] = {message};
  pg::Spi spi;
  store::Verdict const verdict = applier_of(pg::to_utf8(arguments.text(0))).apply(messages).front();
  if (verdict.failure)
    throw migrator::Error(verdict.failure->sqlstate.c_str(), pg::from_utf8(verdict.failure->reason))
        .detail(pg::from_utf8(verdict.failure->detail))
        .hint(pg::from_utf8(verdict.failure->hint));
  return pg::return_text(store::name_of(verdict.outcome));
}
