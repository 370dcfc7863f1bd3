#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "message/api_value.hpp"
#include "message/boi_input.hpp"
#include "message/json.hpp"

using namespace migrator::message;

namespace {

std::string json(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

std::string number(std::string_view text) {
  std::string out;
  return append_number(out, text) ? out : "refused" + out;
}

std::string date(std::int64_t microseconds) {
  std::string out;
  return append_date(out, microseconds) ? out : "refused" + out;
}

}  // namespace

TEST(Json, EscapesWhatMustBeEscapedAndNothingElse) {
  EXPECT_EQ(json(""), "\"\"");
  EXPECT_EQ(json("plain / text \x7f Ы 😀"), "\"plain / text \x7f Ы 😀\"");
  EXPECT_EQ(json("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(json("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
  EXPECT_EQ(json(std::string_view("\x00\x01\x1f", 3)), "\"\\u0000\\u0001\\u001f\"");
}

TEST(ApiValue, NumbersArePlainDecimals) {
  EXPECT_EQ(number("1.0000"), "1");
  EXPECT_EQ(number("-0.5000"), "-0.5");
  EXPECT_EQ(number("0.0000"), "0");
  EXPECT_EQ(number("100"), "100");
  EXPECT_EQ(number("1000.0100"), "1000.01");
  EXPECT_EQ(number("99999999999999999999.9999"), "99999999999999999999.9999");
  EXPECT_EQ(number("NaN"), "refused");
  EXPECT_EQ(number("Infinity"), "refused");
  EXPECT_EQ(number("-Infinity"), "refused");
}

// Expected texts by PostgreSQL: to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"').
TEST(ApiValue, DatesAreUtcAndCutToMilliseconds) {
  EXPECT_EQ(date(0), "2000-01-01T00:00:00.000Z");
  EXPECT_EQ(date(999), "2000-01-01T00:00:00.000Z");
  EXPECT_EQ(date(-1), "1999-12-31T23:59:59.999Z");
  EXPECT_EQ(date(788518773261999), "2024-12-26T08:59:33.261Z");
  EXPECT_EQ(date(5097600000000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(date(-63082281600000000), "0001-01-01T00:00:00.000Z");
  EXPECT_EQ(date(-63082281600000001), "refused");
  EXPECT_EQ(date(252455615999999999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(date(252455616000000000), "refused");
  EXPECT_EQ(date(std::numeric_limits<std::int64_t>::max()), "refused");
  EXPECT_EQ(date(std::numeric_limits<std::int64_t>::min()), "refused");
}

TEST(BoiInput, FieldsInTheOrderOfTheSample) {
  std::string out;
  FieldsWriter writer(out);
  writer.begin("r1", "e\"1", "", "BO");
  EXPECT_FALSE(writer.has_fields());
  writer.text(FieldHead("A"), "x");
  writer.open_value(FieldHead("B"));
  out += "true";
  writer.close_value();
  EXPECT_TRUE(writer.has_fields());
  writer.end("ACTUAL");
  EXPECT_EQ(out, R"({"recordId":"r1","externalId":"e\"1","boCode":"BO","fields":[{"code":"A","apiValue":"x"},)"
                 R"({"code":"B","apiValue":"true"}],"state":"ACTUAL"})");
}

TEST(BoiInput, RemovedInstanceHasNoFields) {
  std::string out;
  FieldsWriter writer(out);
  writer.begin("r1", "e1", "id1", "BO");
  writer.end("REMOVED");
  EXPECT_EQ(out, R"({"recordId":"r1","externalId":"e1","id":"id1","boCode":"BO","state":"REMOVED"})");
}

TEST(BoiInput, LinkInRecursiveForm) {
  std::string out;
  append_link(out, "r1", "owner", "BO", {"Field", "BO2", "target"});
  EXPECT_EQ(out, R"({"recordId":"r1","externalId":"owner","boCode":"BO","boFields":[{"fieldCode":"Field",)"
                 R"("boiInput":{"externalId":"target","boCode":"BO2"}}]})");
}

TEST(BoiInput, ReferenceCheck) {
  std::string out;
  append_reference_check(out, "r1", "owner", "BO", {{"F", "BO2", "t1"}, {"F", "BO2", "t2"}});
  EXPECT_EQ(out, R"({"recordId":"r1","externalId":"owner","boCode":"BO","check":[{"fieldCode":"F","boCode":"BO2",)"
                 R"("externalId":"t1"},{"fieldCode":"F","boCode":"BO2","externalId":"t2"}]})");
}
