#pragma once
// Where messages come from: rows with simple fields, links, reference checks. Each kind claims a piece of its
// table, can read a claimed piece again, and sets its rows to their final status.
//
// All of it runs in the caller's READ COMMITTED transaction. What a claim read is what it marks, or it fails with 40001 and is repeated.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "migration/layout.hpp"
#include "migration/task.hpp"
#include "pg/row_update.hpp"
#include "wire/codec.hpp"

namespace migrator::publish {

using Key = std::vector<std::string>;  // of a row: {id}, {owner, target}; of a check {owner}; as the database has it

// Many keys of as many parts each, in one piece of memory.
class Keys {
public:
  void append(std::initializer_list<std::string_view> key) {
    parts_ = key.size();
    for (std::string_view part : key) {
      bytes_ += part;
      ends_.push_back(bytes_.size());
    }
  }
  std::size_t size() const noexcept { return ends_.size() / parts_; }
  Key operator[](std::size_t index) const {
    Key key;
    for (std::size_t part = index * parts_; part < (index + 1) * parts_; part++) {
      std::size_t const start = part == 0 ? 0 : ends_[part - 1];
      key.emplace_back(bytes_, start, ends_[part] - start);
    }
    return key;
  }
  void clear() noexcept {
    bytes_.clear();
    ends_.clear();
  }

private:
  std::size_t parts_ = 1;
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

// What one transaction publishes. Its memory is used again for the next one.
struct Batch {
  wire::MessagesWriter messages;
  Keys keys;                         // of the row behind each message, in order
  std::vector<pg::RowVersion> rows;  // all that a claim has set to ON_WORK for it; none where they are not known
  std::chrono::microseconds reading{0};  // time that a claim spent in its queries, for migrator.advise_workers

  void clear() {
    messages.clear();
    keys.clear();
    rows.clear();
    reading = {};
  }
};

// Rows that end as ERROR, with the reason.
struct Refusal {
  Key key;
  pg::Text in_id;
  std::string column, sqlstate, reason;
};

struct Chunk {
  std::string id;       // UUID
  std::int64_t migration = 0, task = 0;
  std::string kind;     // FIELDS, LINKS, CHECK
  std::string table;
  Key from, to;         // inclusive
  std::string claim_xid;
};

struct Claim {
  std::int64_t rows = 0, skipped = 0, refused = 0;
  Key from, to;         // of all rows that were looked at
  bool exhausted = false;  // nothing is left behind `to`
  std::chrono::microseconds writing{0};  // time spent with setting statuses
};

// Names as messages bear them: in UTF-8.
struct Names {
  std::string table, bo, field, target_bo;
  explicit Names(const migration::InTable &in_table);
};

// What all kinds share for one table and run.
struct Context {
  const migration::Layout &layout;
  const migration::InTable &table;
  std::int64_t migration;
  std::string record_prefix;   // of recordId, in UTF-8: company, migration, time of its start
  std::string boundary;        // pg_snapshot of the run's start
  std::uint16_t topic;         // index within Layout::topics()
  std::uint64_t limit;         // bytes that key and value of a message may have
  std::int64_t most_rows;      // of a claim
  std::uint64_t most_bytes;
};

// What the recordIds of one kind of messages ("row", "link", "check") and table begin with. Names and keys may contain
// any character: the length before the table keeps two that run together alike apart.
std::string record_head(const Context &context, const char *kind, const Names &names);

class Source {
public:
  virtual ~Source() = default;
  virtual const char *kind() const noexcept = 0;
  // The next piece of the task after its position. Fills the batch.
  virtual Claim claim(const migration::Task &task, Batch &batch) = 0;
  virtual void read_again(const Chunk &chunk, Batch &batch) = 0;
  // Sets the chunk's rows to DONE and gives back those that somebody changed meanwhile. Returns the number of the former.
  // rows: Batch::rows of the chunk, or none: then they are looked for.
  virtual std::int64_t finish(const Chunk &chunk, std::vector<pg::RowVersion> rows) = 0;
  // Gives the rows back unpublished.
  virtual void release(const Chunk &chunk) = 0;
  // Sets rows of a claimed chunk to ERROR.
  virtual void refuse(const Chunk &chunk, const std::vector<Refusal> &refusals) = 0;
};

std::unique_ptr<Source> make_source(migration::Stage stage, const Context &context);
std::unique_ptr<Source> make_source(const std::string &kind, const Context &context);

// Writes rows into err.
void write_refusals(const Context &context, const std::vector<Refusal> &refusals);
std::string key_literal(const Key &key);   // as a text[] literal
Key parse_key(const std::string &literal); // of the form that key_literal writes

}  // namespace migrator::publish
