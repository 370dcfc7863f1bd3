#pragma once
// The in-tables of a company as a run sees them: which exist, with which columns, owned by whom, to which topic.

#include <cstdint>
#include <string>
#include <vector>

namespace migrator::migration {

struct FieldColumn {
  std::string field;      // code
  std::string column;     // name in the database; empty: the key field, whose value is in_id
  std::string type;       // text, text_block, choice, date, flag, number, file
};

struct InTable {
  enum class Kind { fields, links };
  Kind kind = Kind::fields;
  std::string bo;         // code of the BO, for links of the owner
  std::string name;       // in the database, unquoted, without schema
  std::string quoted;     // schema.table, ready for a statement
  std::uint32_t owner = 0;  // role that statements on the table run as
  std::string topic;
  std::vector<FieldColumn> columns;  // of the simple fields, in their order
  std::string field;      // links: code of the field
  std::string target_bo;  // links: code of the BO that the link leads to
  std::string owner_column, target_column;  // links: quoted names
};

struct Layout {
  std::string company;
  std::string schema;          // unquoted
  std::string quoted_schema;
  std::uint32_t owner = 0;     // of the schema: task, err and last_migration_state are its
  std::string server;          // foreign server to publish to
  int workers = 1;
  int copy_days = 0;
  std::vector<InTable> tables; // simple fields first, then links

  std::vector<std::string> topics() const;  // without repetition
  const InTable *find(const std::string &table_name) const;
};

// Reads it in the current transaction. Raises 42P01 when a table is missing, with the way out as hint.
Layout read_layout(const std::string &company);

}  // namespace migrator::migration
