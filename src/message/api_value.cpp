#include "message/api_value.hpp"

#include <limits>

#include "base/no_postgres.hpp"

namespace migrator::message {
namespace {

constexpr std::int64_t k_day = 86'400'000;  // milliseconds
constexpr std::int64_t k_2000 = 730'425;  // days from 0000-03-01 to 2000-01-01, proleptic Gregorian

void append_digits(std::string &out, std::int64_t value, int width) {
  char digits[8];
  for (int i = width - 1; i >= 0; i--, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, static_cast<std::size_t>(width));
}

}  // namespace

bool append_date(std::string &out, std::int64_t microseconds) {
  if (microseconds == std::numeric_limits<std::int64_t>::min() ||
      microseconds == std::numeric_limits<std::int64_t>::max())
    return false;
  std::int64_t milliseconds = microseconds / 1000 - (microseconds % 1000 < 0 ? 1 : 0);
  std::int64_t days = milliseconds / k_day - (milliseconds % k_day < 0 ? 1 : 0);
  milliseconds -= days * k_day;

  // Days to a civil date, counted in years that begin on 1 March so that the leap day comes last
  // (Howard Hinnant, "chrono-compatible low-level date algorithms").
  days += k_2000;
  std::int64_t const era = (days >= 0 ? days : days - 146'096) / 146'097;
  std::int64_t const day_of_era = days - era * 146'097;
  std::int64_t const year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  std::int64_t const day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t const shifted = (5 * day_of_year + 2) / 153;
  std::int64_t const day = day_of_year - (153 * shifted + 2) / 5 + 1;
  std::int64_t const month = shifted < 10 ? shifted + 3 : shifted - 9;
  std::int64_t const year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 1 || year > 9999) return false;

  append_digits(out, year, 4);
  out += '-';
  append_digits(out, month, 2);
  out += '-';
  append_digits(out, day, 2);
  out += 'T';
  append_digits(out, milliseconds / 3'600'000, 2);
  out += ':';
  append_digits(out, milliseconds / 60'000 % 60, 2);
  out += ':';
  append_digits(out, milliseconds / 1000 % 60, 2);
  out += '.';
  append_digits(out, milliseconds % 1000, 3);
  out += 'Z';
  return true;
}

bool append_number(std::string &out, std::string_view numeric) {
  if (numeric.empty()) return false;
  char const last = numeric.back();
  if (last < '0' || last > '9') return false;  // NaN, Infinity, -Infinity
  if (numeric.find('.') != std::string_view::npos) {
    numeric = numeric.substr(0, numeric.find_last_not_of('0') + 1);
    if (numeric.back() == '.') numeric.remove_suffix(1);
  }
  out += numeric;
  return true;
}

}  // namespace migrator::message
