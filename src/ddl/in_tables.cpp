#include "ddl/in_tables.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/no_postgres.hpp"

namespace migrator::ddl {
namespace {

using Kind = Table::Kind;
using std::string;

constexpr std::size_t k_most_columns = 1600;  // MaxHeapAttributeNumber

string say_bo(const string &code) { return "BO " + quote(code); }
string say_field(const string &bo, const string &field) { return "field " + quote(bo) + '.' + quote(field); }

string say(const Table &table) {
  switch (table.kind) {
    case Kind::fields: return say_bo(table.bo);
    case Kind::links:
      return say_field(table.bo, table.field) + (table.member.empty() ? "" : " for member " + quote(table.member));
    case Kind::files: return "the table of files";
    case Kind::tracking: return "the table of loads";
  }
  return {};
}

const char *column_type(const string &field_type) {
  if (field_type == "text" || field_type == "text_block") return "text";
  if (field_type == "choice" || field_type == "file") return "varchar(32)";  // a file: file_id of in_fileStorage
  if (field_type == "date") return "timestamp with time zone";
  if (field_type == "flag") return "bool";
  if (field_type == "number") return "numeric(24,4)";
  throw Error(sqlstate::invalid_parameter, "unknown type of field: " + field_type);
}

Error collision(const char *state, const string &first, const string &second, const string &need) {
  return Error(state, first + " and " + second + " need the same " + need)
      .hint("Change one of the codes, or unmark one of the fields.");
}

Table table_of_fields(const BusinessObject &bo) {
  Table table{.kind = Kind::fields, .bo = bo.code, .name = name_of("in_" + bo.code)};
  std::map<string, string> taken;  // column -> who needs it
  for (const string &column : service_columns(Kind::fields)) {
    const string name = column.substr(0, column.find(' '));
    taken[name] = "service column " + quote(name);
  }
  for (const string name : {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}) taken[name] = "system column " + quote(name);

  int position = 0;
  for (const Field &field : bo.fields) {
    ++position;
    if (!field.is_marked() || field.is_link()) continue;
    Column column{name_of(field.code), column_type(field.type), field.code, field.type, position};
    if (field.is_key) {
      table.key = std::move(column);
      continue;
    }
    const string who = say_field(bo.code, field.code);
    const auto [other, is_new] = taken.try_emplace(column.name.real, who);
    if (!is_new)
      throw collision(sqlstate::duplicate_column, other->second, who,
                      "column " + quote(column.name.real) + " of table " + quote(table.name.real));
    table.columns.push_back(std::move(column));
  }
  if (table.columns.size() + service_columns(Kind::fields).size() > k_most_columns)
    throw Error(sqlstate::program_limit, say_bo(bo.code) + " has more fields than a table can have columns")
        .hint("A table has at most 1600 columns, eight of them service columns.");
  return table;
}

Table table_of_links(const BusinessObject &bo, const Field &field, int position, const string &member) {
  Table table{.kind = Kind::links,
              .bo = bo.code,
              .field = field.code,
              .member = member,
              .target = member.empty() ? field.target : member,
              .name = name_of("in_" + bo.code + '_' + field.code + (member.empty() ? "" : '_' + member))};
  for (const string &code : {bo.code, field.code})
    table.columns.push_back({name_of(code + "_id"), "varchar(100)", field.code, field.type, position});
  if (table.columns[0].name.real == table.columns[1].name.real)
    throw collision(sqlstate::duplicate_column, say_bo(bo.code), say_field(bo.code, field.code),
                    "column " + quote(table.columns[0].name.real) + " of link table " + quote(table.name.real));
  return table;
}

void check_table_names(const std::vector<Table> &tables) {
  std::map<string, const Table *> taken;
  for (const Table &table : tables) {
    const auto [other, is_new] = taken.try_emplace(table.name.real, &table);
    if (!is_new)
      throw collision(sqlstate::duplicate_table, say(*other->second), say(table), "table " + quote(table.name.real));
  }
  // Indexes and sequences live in the same name space, and a later table would find its name taken.
  for (const Table &table : tables) {
    const string &name = table.name.real;
    std::vector<string> companions{companion_name(name, "", "pkey")};
    if (table.kind == Kind::fields || table.kind == Kind::tracking) companions.push_back(companion_name(name, "id", "seq"));
    if (table.kind == Kind::fields) companions.push_back(companion_name(name, "in_id", "idx"));
    for (const string &companion : companions)
      if (const auto other = taken.find(companion); other != taken.end())
        throw collision(sqlstate::duplicate_table, say(*other->second), say(table),
                        "name " + quote(companion) + ", one for its table, one for an index or sequence");
  }
}

}  // namespace

std::vector<string> service_columns(Kind kind) {
  switch (kind) {
    case Kind::fields:
      return {"id bigserial primary key",
              "in_id varchar(100)",
              "out_id varchar(32)",
              "inserted_date timestamp with time zone default clock_timestamp()",
              "in_status varchar(100) default '' not null",
              "occupied_id bigint",
              "occupied_at timestamp with time zone",
              "removed bool default false"};
    case Kind::links:
      return {"in_status varchar(100) default '' not null",
              "inserted_date timestamp with time zone default clock_timestamp()"};
    case Kind::files:
      return {"file_id varchar(32) primary key", "out_id varchar(32)",      "file_name varchar(300)",
              "mime_type varchar(100)",          "content bytea",           "out_file_id varchar(32)",
              "uploaded bool default false"};
    case Kind::tracking:
      return {"id serial primary key",
              "oper_date date not null",
              "start_load_time timestamp with time zone",
              "end_load_time timestamp with time zone",
              "load_status int default 0",
              "start_ins_inkafka_time timestamp with time zone",
              "end_ins_inkafka_time timestamp with time zone",
              "ins_inkafka_status int default 0",
              "occupied_by_process bigint default 0",
              "migrate_cur_date date default current_date",
              "periodic_update_time timestamp with time zone",
              "inserted_at timestamp with time zone default current_timestamp"};
  }
  return {};
}

Layout in_tables(const Structure &structure) {
  Layout layout{.schema = name_of(structure.schema), .tables = {}};
  std::vector<Table> links;
  for (const BusinessObject &bo : structure.bos) {
    bool is_marked = false;
    int position = 0;
    for (const Field &field : bo.fields) {
      ++position;
      if (!field.is_marked()) continue;
      is_marked = true;
      if (field.type == "bo") links.push_back(table_of_links(bo, field, position, ""));
      if (field.type != "co") continue;
      const auto members = structure.members.find(field.target);
      if (members == structure.members.end()) continue;
      for (const string &member : members->second) links.push_back(table_of_links(bo, field, position, member));
    }
    if (is_marked) layout.tables.push_back(table_of_fields(bo));
  }
  std::move(links.begin(), links.end(), std::back_inserter(layout.tables));
  layout.tables.push_back({.kind = Kind::files, .name = name_of("in_fileStorage")});
  layout.tables.push_back({.kind = Kind::tracking, .name = name_of("process_tracking")});
  check_table_names(layout.tables);
  return layout;
}

}  // namespace migrator::ddl
