#pragma once
// Rows of our own tables, written below the executor: new ones many at a time, others each known by the version that was read.
// Needs a transaction.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pg/jsonb.hpp"
#include "pg/row_update.hpp"

namespace migrator::pg {

class RowWriter {
public:
  // columns: text, jsonb or timestamptz; at most 16.
  RowWriter(const char *schema, const char *table, std::vector<const char *> columns)
      : schema_(schema), table_(table), columns_(std::move(columns)) {}

  // Has the table nothing but indexes and constraints that have to be served when a row changes? Triggers, rules and the
  // like need a statement.
  static bool serves(const char *schema, const char *table);

  // Begins a row, for update() or for insert(). Its columns are then set one after the other.
  void row(RowVersion version) { rows_.push_back(version); }
  void row() { row({}); }
  void keep() { values_.push_back({Kind::keep, 0}); }  // what it has
  void null() { values_.push_back({Kind::null, 0}); }
  void now() { values_.push_back({Kind::now, 0}); }    // the time of the transaction
  void text(std::string_view value);                   // in UTF-8
  void json(const std::vector<Member> &members);       // see append_json
  void keep_rest();

  // Locks and writes the rows in the order in which they were added, waiting for who has them; one whose columns are all
  // kept is locked and no more. False: one is not what was read any more; rows before it are written. Raises what
  // constraints and unique indexes raise. Only for a table that serves() is true of.
  bool update();
  // Writes new rows. For any table; raises 23505 for what is there already.
  void insert();

private:
  enum class Kind : unsigned char { keep, null, now, text, json };
  struct Value {
    Kind kind;
    std::size_t offset;  // of a text or jsonb in bytes_, with its header
  };
  bool has_no_other_columns() const;  // than those that are set: one may have a default
  void insert_directly() const;
  void copy() const;
  std::size_t begin_value();
  void end_value(Kind kind, std::size_t offset);

  const char *schema_, *table_;
  std::vector<const char *> columns_;
  std::vector<RowVersion> rows_;
  std::vector<Value> values_;  // columns by columns for each row
  std::string bytes_;
};

}  // namespace migrator::pg
