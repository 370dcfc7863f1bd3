// Random structures and documents into the DDL: names stay names, and the script has the statements of the plan and no others.

#include <jansson.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "ddl/in_tables.hpp"
#include "ddl/script.hpp"
#include "fuzz.hpp"

namespace migrator::ddl {
namespace {

using DdlFuzz = test::Fuzz;

// Where a statement ends for PostgreSQL's scanner: a semicolon outside of quotes. Nothing if there is anything outside of
// quotes that these statements do not use.
std::optional<std::size_t> statements(std::string_view sql) {
  std::size_t count = 0;
  bool in_identifier = false, in_literal = false;
  for (char const c : sql) {
    if (in_identifier) {
      in_identifier = c != '"';  // a doubled quote leaves and enters again
    } else if (in_literal) {
      in_literal = c != '\'';
    } else if (c == '"') {
      in_identifier = true;
    } else if (c == '\'') {
      in_literal = true;
    } else if (c == ';') {
      ++count;
    } else if (std::string_view("\\$-/*{}%").find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x7f) {
      return {};
    }
  }
  if (in_identifier || in_literal) return {};
  return count;
}

bool is_utf8_boundary(std::string_view whole, std::size_t at) {
  return at >= whole.size() || (static_cast<unsigned char>(whole[at]) & 0xC0) != 0x80;
}

TEST_F(DdlFuzz, NamesFitAndStayApart) {
  repeat([&] {
    std::string code = text(60);
    if (code.empty()) code = "x";
    Name const name = name_of(code);
    EXPECT_LE(name.real.size(), 63u);
    EXPECT_EQ(statements(name.printed), 0u) << name.printed;
    EXPECT_EQ(statements(quote(code)), 0u);
    if (code.size() <= 63) {
      EXPECT_EQ(name.real, fold(code));
    } else {
      std::size_t const kept = name.real.size() - 17;
      EXPECT_EQ(name.real.substr(0, kept), fold(code).substr(0, kept));
      EXPECT_TRUE(is_utf8_boundary(code, kept)) << "a character is cut in two";
      EXPECT_NE(name_of(code + "x").real, name.real);
    }
    std::string const companion = companion_name(name.real, below(2) ? "in_id" : "", one_of(std::array{"pkey", "idx", "seq"}));
    EXPECT_LE(companion.size(), 63u);
  });
}

TEST_F(DdlFuzz, ScriptsHaveTheirStatementsOnly) {
  unsigned long made = 0;
  repeat([&] {
    Structure structure{.schema = fold(text(8)) + "s", .bos = {}, .members = {}};
    for (std::size_t bos = 1 + below(3); bos-- > 0;) {
      BusinessObject &bo = structure.bos.emplace_back(BusinessObject{.code = text(30) + "b", .fields = {}});
      for (std::size_t fields = below(4); fields-- > 0;) {
        Field &field = bo.fields.emplace_back();
        field.code = text(30) + "f";
        field.type = one_of(std::array{"text", "text_block", "choice", "date", "flag", "number", "file", "bo", "co"});
        field.is_loaded = below(4) > 0;
        if (field.is_link()) field.target = one_of(structure.bos).code;
        if (field.type == "co") structure.members[field.target] = {text(20) + "m", one_of(structure.bos).code};
      }
    }
    try {
      Layout const layout = in_tables(structure);
      std::string const document = plan(layout);
      json_error_t error;
      std::unique_ptr<json_t, decltype(&json_decref)> const json(json_loadb(document.data(), document.size(), 0, &error), &json_decref);
      ASSERT_TRUE(json) << error.text << ": " << document;
      std::size_t planned = 1;  // create schema
      const json_t *table;
      std::size_t i;
      json_array_foreach(json_object_get(json.get(), "tables"), i, table) planned += json_array_size(json_object_get(table, "create"));
      EXPECT_EQ(statements(script(layout)), planned) << script(layout);
      ++made;
    } catch (const Error &error) {
      EXPECT_TRUE(error.sqlstate() == sqlstate::duplicate_table || error.sqlstate() == sqlstate::duplicate_column) << error.message();
      EXPECT_FALSE(error.hint_text().empty());
    }
  });
  EXPECT_GT(made, 0u);
}

TEST_F(DdlFuzz, MutatedDocumentsAreReadOrRefused) {
  std::string const document =
      R"({"company": {"code": "c", "in_schema": "s"}, "bos": [{"code": "A", "fields": [{"code": "f", "type": "text", "in": true, "key": false},)"
      R"({"code": "g", "type": "co", "target": "C", "in": true}]}], "cos": [{"code": "C", "members": ["A", "B"]}]})";
  unsigned long read = 0, refused = 0;
  repeat([&] {
    try {
      Layout const layout = in_tables(parse_structure(mutated(document, 6)));
      script(layout);
      plan(layout);
      ++read;
    } catch (const Error &error) {
      EXPECT_NE(error.sqlstate(), sqlstate::internal);
      EXPECT_FALSE(error.message().empty());
      ++refused;
    }
  });
  EXPECT_GT(read, 0u);
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace migrator::ddl
