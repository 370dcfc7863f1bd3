#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"
#include "message/api_value.hpp"
#include "message/parse.hpp"

using namespace migrator;
using message::Document;
using message::Value;

namespace {

Document read(std::string_view text, int depth = 100) { return message::parse(text, depth); }

// The SQLSTATE of the error, "" for none.
std::string fault(std::string_view text, int depth = 100) {
  try {
    read(text, depth);
    return "";
  } catch (const Error &error) {
    EXPECT_FALSE(error.message().empty());
    return error.sqlstate();
  }
}

// A message with one field whose apiValue is written so.
std::string with_value(const std::string &json) { return R"({"fields":[{"code":"f","apiValue":)" + json + "}]}"; }

std::string nested(int depth) {
  std::string text = "{}";
  for (int i = 1; i < depth; i++) text = R"({"boFields":[{"fieldCode":"f","boiInput":)" + text + "}]}";
  return text;
}

}  // namespace

TEST(Parse, EveryMember) {
  Document const document = read(R"( {"recordId":"r","externalId":"e","id":"i","boCode":"B","state":"TEST",
    "fields":[{"code":"a","apiValue":"x\n\u0416\ud83d\ude00"},{"code":"n","apiValue":1.10e2},{"code":"b","apiValue":true},{"code":"z","apiValue":null}],
    "boFields":[{"fieldCode":"l","toBoCode":"T","toFieldCode":"u","apiValue":"v"},{"fieldCode":"m","boiInput":{"externalId":"t"}},{"fieldCode":"c","apiValue":null}],
    "unknown":[1,{"x":[]}]} )");
  const message::BoiInput &root = document.root;
  EXPECT_EQ(root.record_id, "r");
  EXPECT_EQ(root.external_id, "e");
  EXPECT_EQ(root.id, "i");
  EXPECT_EQ(root.bo_code, "B");
  EXPECT_EQ(root.state, "TEST");
  ASSERT_EQ(root.fields.size(), 4u);
  EXPECT_EQ(root.fields[0].value.text, "x\nЖ😀");
  EXPECT_EQ(root.fields[1].value.text, "1.10e2");
  EXPECT_EQ(root.fields[2].value.text, "true");
  EXPECT_EQ(root.fields[3].value.kind, Value::Kind::null);
  ASSERT_EQ(root.links.size(), 3u);
  EXPECT_EQ(root.links[0].to_field_code, "u");
  ASSERT_NE(root.links[1].target, nullptr);
  EXPECT_EQ(root.links[1].target->external_id, "t");
  EXPECT_EQ(root.links[2].value.kind, Value::Kind::null);
  EXPECT_FALSE(root.is_check);
}

TEST(Parse, NullsAndEmptyListsAreAbsent) {
  Document const document = read(R"({"recordId":null,"fields":null,"boFields":[],"state":null})");
  EXPECT_TRUE(document.root.record_id.empty());
  EXPECT_TRUE(document.root.fields.empty());
}

TEST(Parse, ReferenceCheck) {
  Document const document = read(R"({"externalId":"e","boCode":"B","check":[{"fieldCode":"f","boCode":"T","externalId":"t"}]})");
  EXPECT_TRUE(document.root.is_check);
  ASSERT_EQ(document.root.checks.size(), 1u);
  EXPECT_EQ(document.root.checks[0].external_id, "t");
}

TEST(Parse, WhatIsNoJson) {
  for (const char *text : {"", " ", "{", "}", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{a:1}", "{'a':1}",
                           "{}x", "{}{}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":-}", "{\"a\":1e}", "{\"a\":NaN}", "{\"a\":Infinity}",
                           "{\"a\":tru}", "{\"a\":nul}", "{\"a\":True}", "{\"a\":\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12g4\"}",
                           "{\"a\":\"\t\"}", "{\"a\":\"\n\"}", "{\"a\":[1,]}", "{\"a\":[1 2]}", "{\"a\":[,1]}", "{\"a\":[}", "{/**/}", "\xef\xbb\xbf{}", "{\"a\":\"\\ud800\"}",
                           "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800\\ud800\"}", "{\"a\":\"\\ud800x\"}"})
    EXPECT_EQ(fault(text), sqlstate::invalid_json) << text;
}

TEST(Parse, WhatIsNoMessage) {
  for (const char *text : {"[]", "1", "\"x\"", "null", "true", R"({"boCode":1})", R"({"fields":{}})", R"({"fields":[1]})", R"({"fields":[{"code":"a"}]})",
                           R"({"fields":[{"apiValue":"a"}]})", R"({"boFields":[{"fieldCode":"a"}]})", R"({"boFields":[{"fieldCode":"a","boiInput":[]}]})",
                           R"({"check":[{"fieldCode":"a"}]})"})
    EXPECT_EQ(fault(text), sqlstate::invalid_parameter) << text;
  EXPECT_EQ(fault(with_value("[]")), sqlstate::invalid_parameter);
  EXPECT_EQ(fault(with_value("{}")), sqlstate::invalid_parameter);
}

TEST(Parse, DuplicateMembers) {
  EXPECT_EQ(fault(R"({"id":"a","id":"a"})"), sqlstate::invalid_json);
  EXPECT_EQ(fault(R"({"fields":[{"code":"a","code":"b","apiValue":1}]})"), sqlstate::invalid_json);
  EXPECT_EQ(fault(R"({"x":1,"x":2})"), "") << "unknown members are ignored";
}

TEST(Parse, TextsThatPostgresCannotHold) {
  EXPECT_EQ(fault(with_value("\"\\u0000\"")), sqlstate::untranslatable);
  EXPECT_EQ(fault(std::string_view("{\"a\":\"\0\"}", 9)), sqlstate::invalid_json);
  for (const char *bytes : {"\x80", "\xff", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"})
    EXPECT_EQ(fault(with_value("\"" + std::string(bytes) + "\"")), sqlstate::not_representable) << bytes;
  for (const char *bytes : {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(fault(with_value("\"" + std::string(bytes) + "\"")), "") << bytes;
}

TEST(Parse, DepthIsBounded) {
  EXPECT_EQ(fault(nested(100)), "");
  EXPECT_EQ(fault(nested(101)), sqlstate::program_limit);
  EXPECT_EQ(fault(nested(1), 1), "");
  EXPECT_EQ(fault(nested(2), 1), sqlstate::program_limit);
  EXPECT_EQ(fault(std::string(100'000, '[')), sqlstate::invalid_parameter) << "no message at all";
  EXPECT_EQ(fault("{\"x\":" + std::string(100'000, '[')), sqlstate::program_limit);
  std::string objects;
  for (int i = 0; i < 100'000; i++) objects += "{\"x\":";
  EXPECT_EQ(fault(objects), sqlstate::program_limit);
}

TEST(Parse, EveryTruncationIsAnError) {
  std::string const text = R"({"recordId":"r","fields":[{"code":"a","apiValue":"\u0416"},{"code":"b","apiValue":-1.5e3}],"boFields":[{"fieldCode":"l","boiInput":{"id":"i"}}],"x":[true,null]})";
  EXPECT_EQ(fault(text), "");
  for (std::size_t length = 0; length < text.size(); length++) EXPECT_EQ(fault(text.substr(0, length)), sqlstate::invalid_json) << length;
}

// Any byte in place of any other: an error or a message, never anything else.
TEST(Parse, MutationsNeverCrash) {
  std::string const text = R"({"recordId":"r","fields":[{"code":"a","apiValue":"\ud83d\ude00Ж"}],"boFields":[{"fieldCode":"l","apiValue":1e5}],"state":"ACTUAL"})";
  for (std::size_t at = 0; at < text.size(); at++)
    for (int byte = 0; byte < 256; byte++) {
      std::string changed = text;
      changed[at] = static_cast<char>(byte);
      fault(changed);
    }
}

TEST(Canonical, Dates) {
  EXPECT_EQ(message::canonical_date("2024-12-26T08:59:33.261Z"), "2024-12-26T08:59:33.261Z");
  EXPECT_EQ(message::canonical_date("2024-02-29"), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(message::canonical_date("2024-12-26 08:59"), "2024-12-26T08:59:00.000Z");
  EXPECT_EQ(message::canonical_date("2024-12-26T08:59:33.2619999+06:00"), "2024-12-26T02:59:33.261Z");
  EXPECT_EQ(message::canonical_date("2024-12-26T23:30:00-0130"), "2024-12-27T01:00:00.000Z");
  EXPECT_EQ(message::canonical_date("2024-12-26T00:00:00+05"), "2024-12-25T19:00:00.000Z");
  EXPECT_EQ(message::canonical_date("0001-01-01"), "0001-01-01T00:00:00.000Z");
  EXPECT_EQ(message::canonical_date("9999-12-31T23:59:59.999Z"), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(message::canonical_date("1900-03-01"), "1900-03-01T00:00:00.000Z");
  for (const char *text : {"", "yesterday", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "2024-01-00", "0000-01-01", "24-01-01", "2024-1-1",
                           "2024-01-01T24:00:00Z", "2024-01-01T10:60:00Z", "2024-01-01T10:00:60Z", "2024-01-01T10", "2024-01-01T10:00:00.Z", "2024-01-01T10:00:00+19:00",
                           "2024-01-01T10:00:00ZZ", "2024-01-01T10:00:00+", "2024-01-01Z", " 2024-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
                           "99999999999999999999", "infinity"})
    EXPECT_EQ(message::canonical_date(text), "") << text;
}

TEST(Canonical, Numbers) {
  for (auto [text, expected] : std::initializer_list<std::pair<const char *, const char *>>{
           {"1", "1"}, {"1.0000", "1"}, {"-0.50", "-0.5"}, {"0", "0"}, {"-0", "0"}, {"-0.000", "0"}, {"007", "7"}, {"+5", "5"}, {"1e3", "1000"}, {"1.5E+1", "15"},
           {"12.34e-3", "0.01234"}, {"123e-2", "1.23"}, {"100", "100"}, {".5", "0.5"}, {"5.", "5"}, {"0e999999999999999999999", "0"}, {"0.00012", "0.00012"},
           {"99999999999999999999.9999", "99999999999999999999.9999"}})
    EXPECT_EQ(message::canonical_number(text), expected) << text;
  EXPECT_EQ(message::canonical_number("1e999"), "1" + std::string(999, '0'));
  EXPECT_EQ(message::canonical_number("1e-1000"), "0." + std::string(999, '0') + "1");
  for (const char *text : {"", "-", ".", "x", "1x", "1 ", " 1", "1e", "1e+", "NaN", "Infinity", "-Infinity", "0x10", "1,5", "1e1000", "1e-1001", "1e400000000000000000000",
                           "1e-400000000000000000000", "--1", "1.2.3"})
    EXPECT_EQ(message::canonical_number(text), "") << text;
}
