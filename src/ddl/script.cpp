#include "ddl/script.hpp"

#include <string_view>

#include "message/json.hpp"

#include "base/no_postgres.hpp"

namespace migrator::ddl {
namespace {

using Kind = Table::Kind;
using std::string;

string qualified(const Layout &layout, const Table &table) { return layout.schema.printed + '.' + table.name.printed; }

string create_schema(const Layout &layout) { return "create schema if not exists " + layout.schema.printed + ';'; }

string create_table(const string &opening, const std::vector<string> &lines, const char *indent) {
  string statement = opening + " (";
  const char *separator = "\n";
  for (const string &line : lines) {
    statement.append(separator).append(indent).append(line);
    separator = ",\n";
  }
  return statement + "\n);";
}

std::vector<string> create_statements(const Layout &layout, const Table &table) {
  const string name = qualified(layout, table);
  // An update of in_status stays within its page when there is room for another version of each row.
  const string leave_room = "alter table " + name + " set (fillfactor = 45);";
  std::vector<string> lines = service_columns(table.kind);
  switch (table.kind) {
    case Kind::fields:
      for (const Column &column : table.columns) lines.push_back(column.name.printed + ' ' + column.type);
      return {create_table("create table " + name, lines, ""), "create unique index on " + name + " (in_id);", leave_room};
    case Kind::links: {
      const Column &owner = table.columns[0], &target = table.columns[1];
      lines.insert(lines.begin(), {owner.name.printed + ' ' + owner.type, target.name.printed + ' ' + target.type});
      lines.push_back("primary key (" + owner.name.printed + ", " + target.name.printed + ')');
      return {create_table("create table " + name, lines, "    "), leave_room};
    }
    case Kind::files:
    case Kind::tracking:
      return {create_table("create table if not exists " + name, lines, "")};
  }
  return {};
}

const char *kind_name(Kind kind) {
  switch (kind) {
    case Kind::fields: return "fields";
    case Kind::links: return "links";
    case Kind::files: return "files";
    case Kind::tracking: return "tracking";
  }
  return "";
}

// Not jansson's: json_object() is also a function of the server, and the linker takes that one.
class JsonObject {
public:
  JsonObject &raw(const char *key, std::string_view json) {
    text_.append(text_.size() > 1 ? ",\"" : "\"").append(key).append("\":").append(json);
    return *this;
  }
  JsonObject &text(const char *key, const string &value) {
    string json;
    message::append_string(json, value);
    return raw(key, json);
  }
  string done() { return text_ + '}'; }

private:
  string text_ = "{";
};

string json_array(const std::vector<string> &items) {
  string text = "[";
  for (const string &item : items) text.append(text.size() > 1 ? "," : "").append(item);
  return text + ']';
}

string json_texts(std::vector<string> items) {
  for (string &item : items) {
    string json;
    message::append_string(json, item);
    item = std::move(json);
  }
  return json_array(items);
}

string column_json(const Column &column, bool is_key) {
  JsonObject json;
  json.text("field", column.field).text("type", column.field_type).raw("position", std::to_string(column.position));
  if (!is_key) json.text("attname", column.name.real).text("name", column.name.printed).text("sql_type", column.type);
  return json.raw("is_key", is_key ? "true" : "false").done();
}

string table_json(const Layout &layout, const Table &table) {
  std::vector<string> needed = service_columns(table.kind);
  for (string &column : needed) column.erase(column.find(' '));

  JsonObject json;
  json.text("kind", kind_name(table.kind)).text("relname", table.name.real).text("name", qualified(layout, table));
  json.raw("create", json_texts(create_statements(layout, table)));
  if (!table.bo.empty()) json.text("bo", table.bo);
  if (table.kind == Kind::links) {
    const Column &owner = table.columns[0], &target = table.columns[1];
    json.text("field", table.field).text("target", table.target).text("type", target.field_type);
    json.raw("position", std::to_string(target.position));
    json.text("owner_attname", owner.name.real).text("attname", target.name.real);
    if (!table.member.empty()) json.text("member", table.member);
    needed.insert(needed.end(), {owner.name.real, target.name.real});
  } else {
    std::vector<string> columns;
    for (const Column &column : table.columns) columns.push_back(column_json(column, false));
    if (!table.key.field.empty()) columns.push_back(column_json(table.key, true));
    json.raw("columns", json_array(columns));
  }
  return json.raw("needed", json_texts(needed)).done();
}

}  // namespace

string script(const Layout &layout) {
  string text = create_schema(layout) + '\n';
  for (const Table &table : layout.tables)
    for (const string &statement : create_statements(layout, table)) text.append("\n").append(statement).append("\n");
  return text;
}

string plan(const Layout &layout) {
  std::vector<string> tables;
  for (const Table &table : layout.tables) tables.push_back(table_json(layout, table));
  return JsonObject()
      .text("schema", layout.schema.real)
      .text("create_schema", create_schema(layout))
      .raw("tables", json_array(tables))
      .done();
}

}  // namespace migrator::ddl
