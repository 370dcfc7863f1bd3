#include "consume/verdicts.hpp"

#include <iterator>

#include "base/error.hpp"
#include "pg/error.hpp"
#include "pg/savepoint.hpp"

namespace migrator::consume {
namespace {

// Is it the data? 22: what they are, 23: constraints, 54: sizes. All else lies with the server or with us, and passes or
// is to be repaired: then the messages wait.
bool in_the_data(const std::string &sqlstate) {
  return sqlstate.starts_with("22") || sqlstate.starts_with("23") || sqlstate.starts_with("54");
}

std::vector<store::Verdict> tried(store::Applier &applier, std::span<const std::string_view> messages) {
  pg::Savepoint savepoint;
  std::vector<store::Verdict> result = applier.apply(messages);
  savepoint.release();
  return result;
}

}  // namespace

std::vector<store::Verdict> verdicts(store::Applier &applier, std::span<const std::string_view> messages) {
  store::Failure failure;
  try {
    return tried(applier, messages);
  } catch (const pg::Error &error) {
    if (!in_the_data(error.sqlstate())) throw;
    failure = {error.sqlstate(), error.what(), error.detail(), ""};
  } catch (const Error &error) {
    if (!in_the_data(error.sqlstate())) throw;
    failure = {error.sqlstate(), error.message(), error.detail_text(), ""};
  }
  if (messages.size() <= 1) {
    std::vector<store::Verdict> alone(messages.size());
    for (store::Verdict &verdict : alone) verdict.failure = failure;
    return alone;
  }
  std::size_t const half = messages.size() / 2;
  std::vector<store::Verdict> result = verdicts(applier, messages.first(half));
  std::vector<store::Verdict> rest = verdicts(applier, messages.subspan(half));
  result.insert(result.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return result;
}

std::string reason_of(const store::Failure &failure) {
  return failure.detail.empty() ? failure.reason : failure.reason + "; " + failure.detail;
}

}  // namespace migrator::consume
