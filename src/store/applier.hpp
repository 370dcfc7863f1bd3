#pragma once
// The golden record: messages are applied to instances, links and waiting references.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace migrator::store {

// What became of a message. unchanged: nothing was written but the time of migration; merged: its data went to the
// instance that holds a unique value of it; skipped: it had nothing to migrate; duplicate: its recordId was seen before.
enum class Outcome { inserted, updated, unchanged, merged, skipped, duplicate };
const char *name_of(Outcome outcome) noexcept;

struct Failure {
  std::string sqlstate, reason, detail, hint;  // the reason names codes and places; only the detail may quote values
};

struct Verdict {
  Outcome outcome = Outcome::unchanged;
  std::optional<Failure> failure;  // set: the message is bad, and nothing of it was applied
};

// Applies batches of messages for one company. Keeps the company's structure as long as nobody changes it.
class Applier {
public:
  explicit Applier(std::string company);
  ~Applier();
  Applier(const Applier &) = delete;
  Applier &operator=(const Applier &) = delete;

  // Applies the messages (UTF-8) in their order, in the current transaction, which must be READ COMMITTED with SPI
  // connected. The verdicts come in the same order: a bad message harms no other. Throws pg::Error and Error for what
  // is no fault of a message; after 40001 and 40P01 the whole batch may be repeated in a new transaction.
  std::vector<Verdict> apply(std::span<const std::string_view> messages);

private:
  enum class Reading { free, locked, locked_for_statements };
  std::vector<Verdict> apply(std::span<const std::string_view> messages, Reading reading);

  std::string company_;
  int locked_batches_ = 0;  // how many more are to lock what they read
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace migrator::store
