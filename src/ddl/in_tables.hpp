#pragma once
// The in-tables of a company: which there are, and with which columns.

#include <string>
#include <vector>

#include "ddl/model.hpp"
#include "ddl/naming.hpp"

#include "base/no_postgres.hpp"

namespace migrator::ddl {

struct Column {
  Name name;
  std::string type;
  std::string field;   // code
  std::string field_type;
  int position = 0;    // of the field within its BO
};

struct Table {
  enum class Kind { fields, links, files, tracking };
  Kind kind;
  std::string bo{};      // whose fields, or whose links; empty for the two service tables
  std::string field{};   // links: the field
  std::string member{};  // links of a CO field: the member this table is for
  std::string target{};  // links: the BO to which they lead
  Name name;
  std::vector<Column> columns{};  // those of marked fields; links: owner's id, target's id
  Column key{};                   // fields: the key field, which has no column; its field is empty if there is none
};

struct Layout {
  Name schema;
  std::vector<Table> tables;  // BOs, links, files, process_tracking
};

// Throws Error, with the codes of both, where two things need one name.
Layout in_tables(const Structure &structure);

// The columns that every table of a kind has, as they are defined: name first.
std::vector<std::string> service_columns(Table::Kind kind);

}  // namespace migrator::ddl
