#include <gtest/gtest.h>
#include <jansson.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "ddl/in_tables.hpp"
#include "ddl/model.hpp"
#include "ddl/script.hpp"

using namespace migrator::ddl;
using migrator::Error;
using std::string;

namespace {

Field marked(const string &code, const string &type = "text", const string &target = "") {
  return {.code = code, .type = type, .target = target, .is_loaded = true};
}

std::vector<string> names(const Structure &structure) {
  std::vector<string> all;
  for (const Table &table : in_tables(structure).tables) all.push_back(table.name.real);
  return all;
}

// What was complained of; empty if nothing was.
string refused(const Structure &structure) {
  try {
    in_tables(structure);
    return "";
  } catch (const Error &error) {
    EXPECT_NE(error.hint_text(), "");
    return error.message();
  }
}

void expect_names_both(const Structure &structure, const string &first, const string &second) {
  const string message = refused(structure);
  EXPECT_NE(message.find(first), string::npos) << message;
  EXPECT_NE(message.find(second), string::npos) << message;
}

Structure of(std::vector<BusinessObject> bos, std::map<string, std::vector<string>> members = {}) {
  return {.schema = "in_tables", .bos = std::move(bos), .members = std::move(members)};
}

}  // namespace

TEST(InTables, TheWorkedExampleGivesItsNineTables) {
  const Structure structure = of(
      {{"NaturalPerson", {marked("Surname"), marked("Name"), marked("IIN"), marked("BirthDate", "date")}},
       {"LegalPerson", {marked("Name"), marked("BIN"), marked("CreateDate", "date")}},
       {"NaturalClaim", {marked("Name"), marked("Descr", "text_block"), marked("Natural", "bo", "NaturalPerson")}},
       {"ClientClaim", {marked("Name"), marked("Descr", "text_block"), marked("CoClient", "co", "Client")}}},
      {{"Client", {"NaturalPerson", "LegalPerson"}}});
  EXPECT_EQ(names(structure),
            (std::vector<string>{"in_naturalperson", "in_legalperson", "in_naturalclaim", "in_clientclaim",
                                 "in_naturalclaim_natural", "in_clientclaim_coclient_naturalperson",
                                 "in_clientclaim_coclient_legalperson", "in_filestorage", "process_tracking"}));
}

TEST(InTables, TheSamplesAreReproduced) {
  Structure structure = of({{"Natural_client",
                             {marked("IIN"), marked("Category", "choice"), marked("Date_Birth", "date"),
                              marked("SUSN_type", "flag"), marked("Amount", "number"), marked("Photo", "file"),
                              marked("Place_work", "bo", "Work")}}});
  structure.schema = "public";
  const string text = script(in_tables(structure));
  EXPECT_EQ(text.find("create schema if not exists public;\n\n"), 0u);
  EXPECT_NE(text.find(R"(
create table public.in_Natural_client (
id bigserial primary key,
in_id varchar(100),
out_id varchar(32),
inserted_date timestamp with time zone default clock_timestamp(),
in_status varchar(100) default '' not null,
occupied_id bigint,
occupied_at timestamp with time zone,
removed bool default false,
IIN text,
Category varchar(32),
Date_Birth timestamp with time zone,
SUSN_type bool,
Amount numeric(24,4),
Photo varchar(32)
);

create unique index on public.in_Natural_client (in_id);
)"),
            string::npos)
      << text;
  EXPECT_NE(text.find(R"(
create table public.in_Natural_client_Place_work (
    Natural_client_id varchar(100),
    Place_work_id varchar(100),
    in_status varchar(100) default '' not null,
    inserted_date timestamp with time zone default clock_timestamp(),
    primary key (Natural_client_id, Place_work_id)
);
)"),
            string::npos)
      << text;
}

TEST(InTables, WhatIsNotMarkedGivesNothing) {
  EXPECT_EQ(names(of({{"A", {{.code = "F", .type = "text"}}}, {"B", {}}})),
            (std::vector<string>{"in_filestorage", "process_tracking"}));
}

TEST(InTables, MarkedLinksAloneGiveTheTableToo) {
  EXPECT_EQ(names(of({{"A", {marked("L", "bo", "B")}}})),
            (std::vector<string>{"in_a", "in_a_l", "in_filestorage", "process_tracking"}));
}

TEST(InTables, TheKeyFieldHasNoColumn) {
  const Layout layout = in_tables(of({{"A", {{.code = "Id", .type = "text", .is_key = true}, marked("F")}}}));
  ASSERT_EQ(layout.tables[0].columns.size(), 1u);
  EXPECT_EQ(layout.tables[0].columns[0].field, "F");
  EXPECT_EQ(layout.tables[0].columns[0].position, 2);
  EXPECT_EQ(layout.tables[0].key.field, "Id");
}

TEST(InTables, ABoMayLinkToItself) {
  const Layout layout = in_tables(of({{"Department", {marked("parent", "bo", "Department")}}}));
  EXPECT_EQ(layout.tables[1].columns[0].name.real, "department_id");
  EXPECT_EQ(layout.tables[1].columns[1].name.real, "parent_id");
}

TEST(InTables, CollisionsNameBoth) {
  expect_names_both(of({{"A", {marked("Name"), marked("NAME")}}}), "\"A\".\"Name\"", "\"A\".\"NAME\"");
  expect_names_both(of({{"A", {marked("F")}}, {"a", {marked("F")}}}), "BO \"A\"", "BO \"a\"");
  expect_names_both(of({{"A", {marked("In_Status")}}}), "\"A\".\"In_Status\"", "service column \"in_status\"");
  expect_names_both(of({{"A", {marked("ID")}}}), "\"A\".\"ID\"", "service column \"id\"");
  expect_names_both(of({{"A", {marked("ctid")}}}), "\"A\".\"ctid\"", "system column \"ctid\"");
  expect_names_both(of({{"Thing", {marked("Part", "bo", "A")}}, {"Thing_Part", {marked("F")}}}), "BO \"Thing_Part\"",
                    "field \"Thing\".\"Part\"");
  expect_names_both(of({{"X", {marked("A", "co", "C")}}, {"X_A", {marked("B", "bo", "B")}}}, {{"C", {"B"}}}),
                    "field \"X\".\"A\" for member \"B\"", "field \"X_A\".\"B\"");
  expect_names_both(of({{"FileStorage", {marked("F")}}}), "BO \"FileStorage\"", "the table of files");
  expect_names_both(of({{"Part", {marked("PART", "bo", "Part")}}}), "BO \"Part\"", "field \"Part\".\"PART\"");
}

TEST(InTables, CollisionsWithIndexesAndSequences) {
  expect_names_both(of({{"A", {marked("F")}}, {"A_pkey", {marked("F")}}}), "BO \"A\"", "BO \"A_pkey\"");
  expect_names_both(of({{"A", {marked("id_seq", "bo", "A")}}}), "BO \"A\"", "field \"A\".\"id_seq\"");
  expect_names_both(of({{"A", {marked("F")}}, {"A_in_id_idx", {marked("F")}}}), "BO \"A\"", "BO \"A_in_id_idx\"");
  expect_names_both(of({{"fileStorage_pkey", {marked("F")}}}), "BO \"fileStorage_pkey\"", "the table of files");
}

TEST(InTables, CollisionsAfterShortening) {
  const string code(80, 'x');
  const string shortened = name_of("in_" + code).real.substr(3);
  expect_names_both(of({{code, {marked("F")}}, {shortened, {marked("F")}}}), "BO \"" + code + '"',
                    "BO \"" + shortened + '"');
  EXPECT_EQ(refused(of({{code + 'a', {marked("F")}}, {code + 'b', {marked("F")}}})), "");
}

TEST(InTables, UnmarkedCodesDoNotCollide) {
  EXPECT_EQ(refused(of({{"A", {marked("Name"), {.code = "NAME", .type = "text"}}}, {"a", {}}})), "");
}

TEST(InTables, ATableHasNoMoreColumnsThanFit) {
  BusinessObject bo{"A", {}};
  for (int i = 0; i < 1592; ++i) bo.fields.push_back(marked('f' + std::to_string(i)));
  EXPECT_EQ(refused(of({bo})), "");
  bo.fields.push_back(marked("one_more"));
  EXPECT_NE(refused(of({bo})), "");
}

TEST(Model, TheDocumentIsRead) {
  const Structure structure = parse_structure(R"({"company": {"in_schema": "s"},
    "bos": [{"code": "A", "fields": [{"code": "F", "type": "bo", "target": "B", "in": true},
                                     {"code": "K", "type": "text", "in": false, "key": true}]}],
    "cos": [{"code": "C", "members": ["A", "B"]}]})");
  EXPECT_EQ(structure.schema, "s");
  ASSERT_EQ(structure.bos.at(0).fields.size(), 2u);
  EXPECT_EQ(structure.bos[0].fields[0].target, "B");
  EXPECT_TRUE(structure.bos[0].fields[0].is_loaded);
  EXPECT_TRUE(structure.bos[0].fields[1].is_key);
  EXPECT_EQ(structure.members.at("C"), (std::vector<string>{"A", "B"}));
}

TEST(Model, OtherDocumentsAreRefused) {
  for (const char *text : {"", "[]", "{", "{\"company\": 1}", "{\"company\": {\"in_schema\": \"s\"}, \"bos\": [1], \"cos\": []}",
                           "{\"company\": {\"in_schema\": \"s\"}, \"bos\": [], \"cos\": [{\"code\": \"C\", \"members\": [1]}]}"})
    EXPECT_THROW(parse_structure(text), Error) << text;
}

TEST(InTables, RandomCodesGiveDistinctNamesThatFitOrAreRefused) {
  std::mt19937 random(4711);
  const std::vector<string> parts{"a", "A", "_", "id", "in_", "pkey", "\"", " ", ";", "я", "😀", "'", "\\", "order", string(30, 'x')};
  const auto code = [&] {
    string all;
    for (auto n = 1 + random() % 5; n > 0; --n) all += parts[random() % parts.size()];
    return all;
  };
  int accepted = 0;
  for (int round = 0; round < 1000; ++round) {
    Structure structure{.schema = code(), .bos = {}, .members = {}};
    for (auto n = random() % 4; n > 0; --n) {
      BusinessObject &bo = structure.bos.emplace_back(BusinessObject{code(), {}});
      for (auto m = random() % 4; m > 0; --m) bo.fields.push_back(marked(code(), random() % 2 ? "text" : "bo", bo.code));
    }
    Layout layout;
    try {
      layout = in_tables(structure);
    } catch (const Error &error) {
      EXPECT_TRUE(error.sqlstate() == "42P07" || error.sqlstate() == "42701") << error.sqlstate();
      continue;
    }
    ++accepted;
    std::set<string> tables;
    for (const Table &table : layout.tables) {
      EXPECT_LE(table.name.real.size(), 63u);
      EXPECT_TRUE(tables.insert(table.name.real).second) << table.name.real;
      std::set<string> columns;
      for (const Column &column : table.columns) {
        EXPECT_LE(column.name.real.size(), 63u);
        EXPECT_TRUE(columns.insert(column.name.real).second) << column.name.real;
      }
    }
    json_t *json = json_loads(plan(layout).c_str(), 0, nullptr);
    EXPECT_EQ(json_array_size(json_object_get(json, "tables")), layout.tables.size());
    json_decref(json);
  }
  EXPECT_GT(accepted, 300);
}
