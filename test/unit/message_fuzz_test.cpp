// Random values into the messages: what comes out is JSON that gives the values back, whoever reads it.

#include <jansson.h>

#include <array>
#include <chrono>
#include <limits>
#include <memory>

#include "fuzz.hpp"
#include "message/api_value.hpp"
#include "message/boi_input.hpp"
#include "message/json.hpp"

namespace migrator::message {
namespace {

using MessageFuzz = test::Fuzz;

struct Release {
  void operator()(json_t *json) const noexcept { json_decref(json); }
};
using Json = std::unique_ptr<json_t, Release>;

Json parse(std::string_view document) {
  json_error_t error;
  Json json(json_loadb(document.data(), document.size(), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error));
  EXPECT_TRUE(json) << error.text << ": " << document;
  return json;
}

std::string text_of(const json_t *json, const char *key) {
  const json_t *value = json_object_get(json, key);
  EXPECT_TRUE(json_is_string(value)) << key;
  return value ? std::string(json_string_value(value), json_string_length(value)) : "";
}

TEST_F(MessageFuzz, StringsComeBack) {
  repeat([&] {
    std::string const value = text();
    std::string document;
    append_string(document, value);
    Json const json = parse(document);
    EXPECT_EQ(std::string(json_string_value(json.get()), json_string_length(json.get())), value);
    // Bytes that are no text are somebody else's affair, but do no harm; outside of the quotes nothing is added.
    std::string rest;
    append_string(rest, bytes());
    EXPECT_TRUE(rest.front() == '"' && rest.back() == '"' && rest.size() >= 2);
  });
}

TEST_F(MessageFuzz, FieldsComeBack) {
  repeat([&] {
    std::string const record = text(), external = text(), id = text(3), bo = text();
    std::vector<std::pair<std::string, std::string>> fields(below(5));
    std::string document;
    FieldsWriter writer(document);
    writer.begin(record, external, id, bo);
    for (auto &[code, value] : fields) {
      code = text();
      value = text();
      writer.text(FieldHead(code), value);
    }
    writer.end("ACTUAL");
    Json const json = parse(document);
    EXPECT_EQ(text_of(json.get(), "recordId"), record);
    EXPECT_EQ(text_of(json.get(), "externalId"), external);
    EXPECT_EQ(text_of(json.get(), "boCode"), bo);
    EXPECT_EQ(json_object_get(json.get(), "id") != nullptr, !id.empty());
    const json_t *array = json_object_get(json.get(), "fields");
    EXPECT_EQ(array == nullptr ? 0 : json_array_size(array), fields.size());
    for (std::size_t i = 0; i < fields.size() && i < json_array_size(array); ++i) {
      EXPECT_EQ(text_of(json_array_get(array, i), "code"), fields[i].first);
      EXPECT_EQ(text_of(json_array_get(array, i), "apiValue"), fields[i].second);
    }
  });
}

TEST_F(MessageFuzz, LinksComeBack) {
  repeat([&] {
    std::string const record = text(), external = text(), bo = text(), field = text(), to_bo = text(), to = text();
    std::string link, check;
    append_link(link, record, external, bo, {field, to_bo, to});
    append_reference_check(check, record, external, bo, std::vector<Link>(below(4), {field, to_bo, to}));
    Json const json = parse(link);
    const json_t *entry = json_array_get(json_object_get(json.get(), "boFields"), 0);
    EXPECT_EQ(text_of(entry, "fieldCode"), field);
    EXPECT_EQ(text_of(json_object_get(entry, "boiInput"), "externalId"), to);
    EXPECT_EQ(text_of(json_object_get(entry, "boiInput"), "boCode"), to_bo);
    Json const checked = parse(check);
    const json_t *item;
    std::size_t i;
    json_array_foreach(json_object_get(checked.get(), "check"), i, item) EXPECT_EQ(text_of(item, "externalId"), to);
  });
}

// Against the calendar of the standard library.
TEST_F(MessageFuzz, DatesAreThoseOfTheCalendar) {
  using namespace std::chrono;
  constexpr sys_days k_2000 = year{2000} / 1 / 1;
  constexpr std::int64_t k_lowest = std::numeric_limits<std::int64_t>::min(), k_highest = std::numeric_limits<std::int64_t>::max();
  repeat([&] {
    auto moment = static_cast<std::int64_t>(random_());
    if (below(4) > 0) moment %= 300'000'000'000'000'000;  // within some thousand years
    if (below(16) == 0) moment = one_of(std::array{k_lowest, k_highest, k_lowest + 1, k_highest - 1, std::int64_t{0}, std::int64_t{-1}});
    std::string written;
    bool const good = append_date(written, moment);
    auto const since = floor<milliseconds>(microseconds(moment));
    auto const day = floor<days>(since);
    year_month_day const date{k_2000 + day};
    // The calendar of the library ends at the year 32767.
    bool const known = day > days{-4'000'000} && day < days{4'000'000};
    bool const in_range = known && date.year() >= year{1} && date.year() <= year{9999};
    EXPECT_EQ(good, in_range) << moment;
    if (!good && !in_range) {
      EXPECT_TRUE(written.empty());
      return;
    }
    hh_mm_ss const time{since - day};
    char expected[40];
    std::snprintf(expected, sizeof expected, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int(date.year()), unsigned(date.month()), unsigned(date.day()),
                  int(time.hours().count()), int(time.minutes().count()), int(time.seconds().count()), int(time.subseconds().count()));
    EXPECT_EQ(written, expected) << moment;
  });
}

TEST_F(MessageFuzz, NumbersKeepTheirValue) {
  repeat([&] {
    std::string whole = std::to_string(static_cast<std::int64_t>(random_()) >> below(64)), fraction(below(6), '0');
    for (char &digit : fraction) digit = static_cast<char>('0' + below(3));
    std::string const number = fraction.empty() ? whole : whole + "." + fraction;
    std::string written;
    EXPECT_TRUE(append_number(written, number));
    EXPECT_EQ(number.substr(0, written.size()), written);
    EXPECT_EQ(number.find_first_not_of("0.", std::min(written.size(), number.size())), std::string::npos) << number << " became " << written;
    EXPECT_TRUE(written.find('.') == std::string::npos || written.back() != '0') << written;
    std::string rest;
    append_number(rest, bytes(8));  // no number at all: any answer, no harm
  });
}

}  // namespace
}  // namespace migrator::message
