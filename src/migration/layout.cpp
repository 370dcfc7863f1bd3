#include "migration/layout.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "pg/spi.hpp"

namespace migrator::migration {
namespace {

// Types whose values a field takes. They are read by a cast, and a cast of somebody's own may fail on some value, which
// would stop all the rows around it.
const char *types_of(const std::string &field_type) {
  if (field_type == "date") return "t.oid = any ('{date, timestamp, timestamptz}'::regtype[])";
  if (field_type == "flag") return "t.oid = 'bool'::regtype";
  if (field_type == "number") return "t.oid = any ('{int2, int4, int8, numeric, float4, float8, money}'::regtype[])";
  return "not exists (select from pg_cast c join pg_proc p on p.oid = c.castfunc where c.castsource = t.oid "
         "and c.casttarget = 'text'::regtype and p.pronamespace <> 'pg_catalog'::regnamespace)";
}

// column is quoted; field is what the column is for.
void check_column(const InTable &table, const std::string &column, const std::string &field, const std::string &field_type) {
  pg::Result const type = pg::execute(
      "with recursive a as (select a.atttypid as type, format_type(a.atttypid, a.atttypmod) as name from pg_attribute a "
      "where a.attrelid = $1::regclass and quote_ident(a.attname) = $2 and not a.attisdropped "
      "union all select t.typbasetype, a.name from a join pg_type t on t.oid = a.type where t.typtype = 'd') "
      "select a.name, " + std::string(types_of(field_type)) + " from a join pg_type t on t.oid = a.type where t.typtype <> 'd'",
      {table.quoted, column});
  std::string const name = "column " + column + " of " + table.quoted;
  if (type.empty()) throw Error("42703", name + " does not exist").hint("Run select migrator.apply_in_ddl(...).");
  if (!type.flag(1))
    throw Error("42804", name + " has type " + type.text(0) + ", which does not fit field \"" + field + "\" of type " + field_type)
        .hint("Change the column's type to what generate_in_ddl says.");
}

void check_columns(const InTable &table) {
  if (table.kind == InTable::Kind::links) {
    for (const std::string &column : {table.owner_column, table.target_column}) check_column(table, column, table.field, "text");
    return;
  }
  for (const char *column : {"in_id", "out_id"}) check_column(table, column, column, "text");
  for (const FieldColumn &field : table.columns)
    if (!field.column.empty()) check_column(table, pg::quote_identifier(field.column), field.field, field.type);
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
