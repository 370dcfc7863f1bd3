#include "store/applier.hpp"

#include <algorithm>
#include <list>

#include "base/error.hpp"
#include "message/parse.hpp"
#include "pg/error.hpp"
#include "pg/lookup.hpp"
#include "pg/row_writer.hpp"
#include "pg/savepoint.hpp"
#include "pg/spi.hpp"
#include "store/apply.hpp"
#include "store/flush.hpp"
#include "store/keys.hpp"
#include "store/links.hpp"
#include "store/load.hpp"
#include "store/settings.hpp"
#include "store/sql.hpp"
#include "store/structure.hpp"
#include "store/workspace.hpp"

namespace migrator::store {
namespace {

constexpr int k_locked_batches = 100;

Failure failure_of(const Error &error) {
  return {error.sqlstate(), error.message(), error.detail_text(), error.hint_text()};
}

struct Record {  // a recordId, of one or several messages
  std::string_view key;
  bool was_seen = false;
  bool is_applied = false;  // by a message of this batch
};

struct Item {  // a message on its way
  message::Document document;
  std::optional<Change> change;
  std::vector<LinkCheck> checks;
  std::string_view record_key;  // empty: it has no recordId
  Record *record = nullptr;
  bool is_duplicate() const noexcept { return record != nullptr && (record->was_seen || record->is_applied); }
};

// The recordIds in the order of the index, each once.
std::vector<Record> records_of(std::vector<Item> &items) {
  std::vector<Item *> order;
  for (Item &item : items)
    if (!item.record_key.empty()) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const Item *a, const Item *b) { return a->record_key < b->record_key; });
  std::vector<Record> records;
  records.reserve(order.size());
  for (Item *item : order) {
    if (records.empty() || records.back().key != item->record_key) records.push_back({item->record_key});
    item->record = &records.back();
  }
  return records;
}

}  // namespace

struct Applier::Cache {
  std::string version;
  std::shared_ptr<const Structure> structure;

  // Takes a lock that keeps the structure as it is until the end of the transaction. Triggers on tables of the store may
  // change it all the same, and have it loaded again.
  std::shared_ptr<const Structure> current(const std::string &company);
};

std::shared_ptr<const Structure> Applier::Cache::current(const std::string &company) {
  run("select pg_advisory_xact_lock_shared(hashtextextended('migrator:structure ' || $1, 0))::text", company, {});
  std::string now(*run("select concat_ws(' ', last_value, is_called, current_setting('in_migration.structure_change', true)) "
                       "from migrator.structure_version where $1 is not null",
                       company, {})[0][0]);
  if (structure == nullptr || now != version) {
    structure = Structure::load(company);
    version = std::move(now);
  }
  return structure;
}

const char *name_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::inserted: return "inserted";
    case Outcome::updated: return "updated";
    case Outcome::unchanged: return "unchanged";
    case Outcome::merged: return "merged";
    case Outcome::skipped: return "skipped";
    case Outcome::duplicate: return "duplicate";
  }
  return "";
}

Applier::Applier(std::string company) : company_(std::move(company)), cache_(std::make_unique<Cache>()) {}
Applier::~Applier() = default;

// Without locks at first: what was read is compared while it is written. Who meets others begins again, locks before
// reading, and does so for a while: those who share instances meet again.
std::vector<Verdict> Applier::apply(std::span<const std::string_view> messages) {
  Reading const locked = pg::RowWriter::serves("migrator", "instance") ? Reading::locked : Reading::locked_for_statements;
  Reading const first = locked_batches_ > 0 || locked != Reading::locked ? locked : Reading::free;
  if (locked_batches_ > 0) locked_batches_--;
  try {
    pg::Savepoint savepoint;
    std::vector<Verdict> result = apply(messages, first);
    savepoint.release();
    return result;
  } catch (const Error &error) {
    if (error.sqlstate() != sqlstate::serialization_failure) throw;
  }
  locked_batches_ = k_locked_batches;
  return apply(messages, locked);
}

std::vector<Verdict> Applier::apply(std::span<const std::string_view> messages, Reading reading) {
  pg::IndexScans const index_scans;
  std::shared_ptr<const Structure> const current = cache_->current(company_);
  const Structure &structure = *current;
  std::vector<Verdict> verdicts(messages.size());
  std::vector<Item> items(messages.size());
  auto const attempt = [&](std::size_t i, auto &&body) {
    if (verdicts[i].failure) return;
    try {
      body(items[i], verdicts[i]);
    } catch (const Error &error) {
      if (error.sqlstate() == sqlstate::internal) throw;
      verdicts[i].failure = failure_of(error);
    }
  };

  std::list<std::string> kept;
  for (std::size_t i = 0; i < messages.size(); i++) {
    if (i % 100 == 0) pg::check_for_interrupts();
    attempt(i, [&](Item &item, Verdict &) {
      item.document = message::parse(messages[i], message_depth);
      const std::string_view record_id = item.document.root.record_id;
      if (!record_id.empty()) item.record_key = unique_key(record_id, kept);
    });
  }

  // What was seen before is ignored, whatever is in it.
  std::vector<Record> records = records_of(items);
  std::vector<std::string_view> record_keys;
  for (const Record &record : records) record_keys.push_back(record.key);
  pg::Lookup const before("migrator", "seen_record_pkey", {}, record_keys, {"company"});
  for (const pg::Lookup::Match &match : before.matches())
    if (*match.values[0] == company_) records[match.key].was_seen = true;
  Loader loader(company_);
  for (std::size_t i = 0; i < messages.size(); i++)
    attempt(i, [&](Item &item, Verdict &verdict) {
      if (item.is_duplicate()) {
        verdict.outcome = Outcome::duplicate;
        return;
      }
      bool const is_check = item.document.root.is_check;
      item.change = is_check ? interpret_check(structure, item.document, item.checks) : interpret(structure, item.document);
      if (is_check) loader.want(*item.change, item.checks);
      else loader.want(*item.change);
    });

  Workspace workspace;
  loader.load(structure, workspace, reading != Reading::free);
  std::vector<bool> changed(messages.size());
  for (std::size_t i = 0; i < messages.size(); i++)
    attempt(i, [&](Item &item, Verdict &verdict) {
      if (item.is_duplicate()) {
        verdict.outcome = Outcome::duplicate;
        return;
      }
      workspace.begin_message(i);
      try {
        if (item.document.root.is_check) apply_check(workspace, *item.change, item.checks);
        else verdict.outcome = store::apply(workspace, *item.change);
        changed[i] = workspace.message_changed();
      } catch (...) {
        workspace.undo_message();
        throw;
      }
      if (item.record != nullptr) item.record->is_applied = true;
    });

  Links links(company_, workspace);
  links.replay(changed);
  for (std::size_t i = 0; i < messages.size(); i++)
    if (!changed[i] && (verdicts[i].outcome == Outcome::updated || verdicts[i].outcome == Outcome::merged)) verdicts[i].outcome = Outcome::unchanged;
  record_keys.clear();
  for (const Record &record : records)
    if (record.is_applied) record_keys.push_back(record.key);
  flush(company_, workspace, links, record_keys, reading == Reading::locked_for_statements);
  return verdicts;
}

}  // namespace migrator::store
