#include "migration/layout.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "pg/spi.hpp"

namespace migrator::migration {
namespace {

// Columns that a supplier made of another type are read by a cast; it must be one that cannot fail on a value.
void check_columns(const InTable &table) {
  for (const FieldColumn &field : table.columns) {
    const char *category = field.type == "date" ? "D" : field.type == "flag" ? "B" : field.type == "number" ? "N" : nullptr;
    if (field.column.empty()) continue;
    pg::Result const type = pg::execute(
        "select format_type(a.atttypid, a.atttypmod), t.typcategory::text from pg_attribute a join pg_type t on t.oid = a.atttypid "
        "where a.attrelid = $1::regclass and a.attname = $2 and not a.attisdropped",
        {table.quoted, field.column});
    std::string const name = "column " + pg::quote_identifier(field.column) + " of " + table.quoted;
    if (type.empty()) throw Error("42703", name + " does not exist").hint("Run select migrator.apply_in_ddl(...).");
    if (category != nullptr && type.text(1) != category)
      throw Error("42804", name + " has type " + type.text(0) + ", which does not fit field \"" + field.field + "\" of type " + field.type)
          .hint("Change the column's type to what generate_in_ddl says.");
  }
}

void read_relation(const Layout &layout, InTable &table) {
  pg::Result const relation = pg::execute(
      "select c.relowner::bigint, c.relkind = 'r' and not c.relhassubclass from pg_class c join pg_namespace n on n.oid = c.relnamespace "
      "where n.nspname = $1 and c.relname = $2",
      {layout.schema, table.name});
  if (relation.empty())
    throw Error("42P01", "table " + table.quoted + " does not exist")
        .detail("The structure of company \"" + layout.company + "\" asks for it.")
        .hint("Run select migrator.apply_in_ddl(" + pg::quote_literal(layout.company) + ").");
  if (!relation.flag(1))
    throw Error(sqlstate::wrong_object_type, table.quoted + " is no plain table")
        .hint("In-tables may be neither views nor foreign, and have no partitions or children.");
  table.owner = static_cast<std::uint32_t>(relation.bigint());
  check_columns(table);
}

}  // namespace

std::vector<std::string> Layout::topics() const {
  std::vector<std::string> result;
  for (const InTable &table : tables)
    if (std::find(result.begin(), result.end(), table.topic) == result.end()) result.push_back(table.topic);
  return result;
}

const InTable *Layout::find(const std::string &table_name) const {
  for (const InTable &table : tables)
    if (table.name == table_name) return &table;
  return nullptr;
}

Layout read_layout(const std::string &company) {
  Layout layout;
  layout.company = company;
  pg::Result const row = pg::execute(
      "select c.in_schema, coalesce(c.kafka_server, ''), c.workers, c.copy_days, n.nspowner::bigint "
      "from migrator.company c left join pg_namespace n on n.nspname = c.in_schema where c.code = $1",
      {company});
  if (row.empty())
    throw Error(sqlstate::undefined_object, "company \"" + company + "\" does not exist").hint("See migrator.company.");
  layout.schema = row.text(0);
  layout.quoted_schema = pg::quote_identifier(layout.schema);
  layout.server = row.text(1);
  layout.workers = static_cast<int>(row.bigint(2));
  layout.copy_days = static_cast<int>(row.bigint(3));
  if (!row.rows[0][4])
    throw Error("3F000", "schema \"" + layout.schema + "\" does not exist")
        .hint("Run select migrator.apply_in_ddl(" + pg::quote_literal(company) + ").");
  layout.owner = static_cast<std::uint32_t>(row.bigint(4));

  pg::Result const columns = pg::execute(
      "select l.kind, l.bo, l.field, l.member_bo, l.relname, l.attname, l.type, coalesce(b.in_topic, c.in_topic), l.owner_attname "
      "from migrator.in_layout($1) with ordinality l join migrator.company c on c.code = $1 "
      "join migrator.bo b on b.company = $1 and b.code = l.bo "
      "where l.kind in ('fields', 'links') order by l.kind, l.ordinality",
      {company});
  for (const std::vector<pg::Text> &column : columns.rows) {
    std::string const name = column[4].value();
    if (layout.tables.empty() || layout.tables.back().name != name) {
      InTable &table = layout.tables.emplace_back();
      table.kind = column[0] == "fields" ? InTable::Kind::fields : InTable::Kind::links;
      table.bo = column[1].value();
      table.name = name;
      table.quoted = layout.quoted_schema + "." + pg::quote_identifier(name);
      table.topic = column[7].value();
      if (table.kind == InTable::Kind::links) {
        table.field = column[2].value_or("");
        table.target_bo = column[3].value_or("");
        table.owner_column = pg::quote_identifier(column[8].value_or(""));
        table.target_column = pg::quote_identifier(column[5].value_or(""));
      }
    }
    InTable &table = layout.tables.back();
    if (table.kind == InTable::Kind::fields && column[2])
      table.columns.push_back({*column[2], column[5].value_or(""), column[6].value_or("")});
  }
  for (InTable &table : layout.tables) read_relation(layout, table);
  return layout;
}

}  // namespace migrator::migration
