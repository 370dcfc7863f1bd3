#pragma once
// Where messages come from: rows with simple fields, links, reference checks. Each kind claims a piece of its
// table, can read a claimed piece again, and sets its rows to their final status.
//
// All of it runs in the caller's transaction. A claim runs in REPEATABLE READ: what it read is what it marks, or
// the transaction fails with 40001 and is repeated.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "migration/layout.hpp"
#include "migration/task.hpp"
#include "wire/codec.hpp"

namespace migrator::publish {

using Key = std::vector<std::string>;  // of a row: {id}, {owner, target}; of a check {owner}; as the database has it

// What one transaction publishes. Its memory is used again for the next one.
struct Batch {
  wire::MessagesWriter messages;
  std::vector<Key> keys;  // of the row behind each message, in order

  void clear() {
    messages.clear();
    keys.clear();
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
  // Sets the chunk's rows to DONE and gives back those that somebody changed meanwhile. Returns the former.
  virtual std::int64_t finish(const Chunk &chunk) = 0;
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
