#include "publish/source.hpp"

#include "pg/encoding.hpp"
#include "pg/spi.hpp"
#include "publish/sources.hpp"

namespace migrator::publish {

Names::Names(const migration::InTable &in_table)
    : table(pg::to_utf8(in_table.name)), bo(pg::to_utf8(in_table.bo)), field(pg::to_utf8(in_table.field)),
      target_bo(pg::to_utf8(in_table.target_bo)) {}

std::string record_head(const Context &context, const char *kind, const Names &names) {
  return context.record_prefix + kind + "." + std::to_string(names.table.size()) + ":" + names.table + ".";
}

std::unique_ptr<Source> make_source(const std::string &kind, const Context &context) {
  if (kind == "FIELDS") return std::make_unique<FieldsSource>(context);
  if (kind == "LINKS") return std::make_unique<LinksSource>(context);
  return std::make_unique<CheckSource>(context);
}

std::unique_ptr<Source> make_source(migration::Stage stage, const Context &context) {
  return make_source(std::string(stage == migration::Stage::single_fields ? "FIELDS"
                                 : stage == migration::Stage::links       ? "LINKS"
                                                                          : "CHECK"),
                     context);
}

void write_refusals(const Context &context, const std::vector<Refusal> &refusals) {
  if (refusals.empty()) return;
  pg::AsRole const as_owner(context.layout.owner);
  std::string const statement = "insert into " + context.layout.quoted_schema +
                                ".err (migration_id, table_name, row_id, in_id, column_name, sqlstate, reason) "
                                "values ($1::bigint, $2, $3::bigint, $4, nullif($5, ''), $6, $7)";
  bool const fields = context.table.kind == migration::InTable::Kind::fields;
  for (const Refusal &refusal : refusals)
    pg::execute(statement, {std::to_string(context.migration), context.table.name,
                            fields && !refusal.key.empty() ? pg::Text(refusal.key[0]) : pg::Text(), refusal.in_id, refusal.column,
                            refusal.sqlstate, refusal.reason});
}

std::string key_literal(const Key &key) { return pg::array_literal(key); }

Key parse_key(const std::string &literal) {
  Key key;
  for (std::size_t i = 1; i + 1 < literal.size(); i++) {
    if (literal[i] == ',') continue;
    std::string &part = key.emplace_back();
    bool const quoted = literal[i] == '"';
    if (quoted) i++;
    for (; i + 1 < literal.size() && literal[i] != (quoted ? '"' : ','); i++) {
      if (literal[i] == '\\') i++;
      part += literal[i];
    }
  }
  return key;
}

}  // namespace migrator::publish
