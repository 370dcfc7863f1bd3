#include "message/api_value.hpp"

#include <algorithm>
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

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Takes what it knows from the front of a text.
struct Scanner {
  std::string_view text;

  bool take(char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  // Exactly `width` digits; -1: they are not there.
  int number(std::size_t width) {
    if (text.size() < width) return -1;
    int value = 0;
    for (std::size_t i = 0; i < width; i++) {
      if (!is_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(width);
    return value;
  }
  std::string_view digits() {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) count++;
    std::string_view const result = text.substr(0, count);
    text.remove_prefix(count);
    return result;
  }
};

int days_in(int year, int month) {
  static constexpr int k_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool const leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return k_days[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::int64_t days_since_2000(int year, int month, int day) {
  int const shifted_year = month <= 2 ? year - 1 : year, shifted_month = month <= 2 ? month + 9 : month - 3;
  std::int64_t const y = shifted_year;
  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * shifted_month + 2) / 5 + day - 1 - k_2000;
}

}  // namespace

std::string canonical_date(std::string_view text) {
  Scanner scan{text};
  int const year = scan.number(4);
  if (year < 1 || !scan.take('-')) return {};
  int const month = scan.number(2);
  if (month < 1 || month > 12 || !scan.take('-')) return {};
  int const day = scan.number(2);
  if (day < 1 || day > days_in(year, month)) return {};
  std::int64_t milliseconds = days_since_2000(year, month, day) * k_day;
  if (!scan.text.empty()) {
    if (!scan.take('T') && !scan.take(' ')) return {};
    int const hour = scan.number(2);
    if (hour < 0 || hour > 23 || !scan.take(':')) return {};
    int const minute = scan.number(2);
    if (minute < 0 || minute > 59) return {};
    milliseconds += (hour * 60 + minute) * 60'000;
    if (scan.take(':')) {
      int const second = scan.number(2);
      if (second < 0 || second > 59) return {};
      milliseconds += second * 1000;
      if (scan.take('.')) {
        std::string_view const fraction = scan.digits();
        if (fraction.empty()) return {};
        for (std::size_t i = 0, unit = 100; i < 3 && i < fraction.size(); i++, unit /= 10)
          milliseconds += static_cast<std::int64_t>(unit) * (fraction[i] - '0');
      }
    }
    if (!scan.text.empty() && !scan.take('Z')) {
      int const sign = scan.take('+') ? 1 : scan.take('-') ? -1 : 0;
      int const hours = sign == 0 ? -1 : scan.number(2);
      if (hours < 0 || hours > 18) return {};
      scan.take(':');
      int const minutes = scan.text.empty() ? 0 : scan.number(2);
      if (minutes < 0 || minutes > 59) return {};
      milliseconds -= sign * (hours * 60 + minutes) * 60'000;
    }
    if (!scan.text.empty()) return {};
  }
  std::string result;
  append_date(result, milliseconds * 1000);
  return result;
}

std::string canonical_number(std::string_view text) {
  Scanner scan{text};
  bool const negative = scan.take('-');
  if (!negative) scan.take('+');
  std::string_view const whole = scan.digits();
  std::string_view const fraction = scan.take('.') ? scan.digits() : std::string_view();
  if (whole.empty() && fraction.empty()) return {};
  std::int64_t exponent = 0;
  if (scan.take('e') || scan.take('E')) {
    bool const down = scan.take('-');
    if (!down) scan.take('+');
    std::string_view const digits = scan.digits();
    if (digits.empty()) return {};
    // More than this is beyond all digits, whatever stands before it.
    for (char c : digits) exponent = exponent > 1'000'000'000 ? exponent : exponent * 10 + (c - '0');
    if (down) exponent = -exponent;
  }
  if (!scan.text.empty()) return {};

  // Significant digits, and how many of them stand before the point.
  std::string digits(whole);
  digits += fraction;
  std::size_t const zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, zeros);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.empty()) return "0";
  std::int64_t const point = static_cast<std::int64_t>(whole.size()) - static_cast<std::int64_t>(zeros) + exponent;
  std::int64_t const count = static_cast<std::int64_t>(digits.size());
  if (point > k_digits || count - point > k_digits) return {};

  std::string result = negative ? "-" : "";
  if (point <= 0) {
    result += "0.";
    result.append(static_cast<std::size_t>(-point), '0');
    result += digits;
  } else if (point >= count) {
    result += digits;
    result.append(static_cast<std::size_t>(point - count), '0');
  } else {
    result.append(digits, 0, static_cast<std::size_t>(point));
    result += '.';
    result.append(digits, static_cast<std::size_t>(point));
  }
  return result;
}

}  // namespace migrator::message
