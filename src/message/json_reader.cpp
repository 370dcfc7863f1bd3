#include "message/json_reader.hpp"

#include <array>

#include "base/no_postgres.hpp"

namespace migrator::message {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Bytes of a string that need no second look: ASCII but for controls, the quotation mark and the backslash.
constexpr std::array<bool, 256> k_plain = [] {
  std::array<bool, 256> result{};
  for (std::size_t c = 0x20; c < 0x80; c++) result[c] = c != '"' && c != '\\';
  return result;
}();

void append_utf8(std::string &out, unsigned code) {
  auto const byte = [&](unsigned bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

}  // namespace

void JsonReader::fail(const char *sqlstate, const std::string &what) const {
  throw Error(sqlstate, "the message is not readable at byte " + std::to_string(at_ + 1) + ": " + what);
}

void JsonReader::skip_blanks() noexcept {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) at_++;
}

void JsonReader::expect(char c) {
  blanks();
  if (at_ == text_.size()) fail(sqlstate::invalid_json, std::string("it ends where \"") + c + "\" should be");
  if (text_[at_] != c) fail(sqlstate::invalid_json, std::string("\"") + c + "\" is missing");
  at_++;
}

void JsonReader::enter(char open) {
  expect(open);
  if (--nesting_ < 0) fail(sqlstate::program_limit, "it is nested too deeply");
}

bool JsonReader::close(char c) {
  blanks();
  if (at_ == text_.size() || text_[at_] != c) return false;
  at_++;
  return true;
}

bool JsonReader::next(char close_with) {
  if (close(close_with)) return false;
  if (at_ == text_.size()) fail(sqlstate::invalid_json, "it ends too early");
  if (text_[at_] != ',') fail(sqlstate::invalid_json, std::string("\",\" or \"") + close_with + "\" is missing");
  at_++;
  return true;
}

JsonReader::Kind JsonReader::peek() {
  blanks();
  if (at_ == text_.size()) fail(sqlstate::invalid_json, "it ends too early");
  switch (text_[at_]) {
    case '{': return Kind::object;
    case '[': return Kind::array;
    case '"': return Kind::string;
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    default:
      if (text_[at_] == '-' || is_digit(text_[at_])) return Kind::number;
      fail(sqlstate::invalid_json, "a value is missing");
  }
}

std::string_view JsonReader::string() {
  expect('"');
  std::size_t plain = at_;
  std::string *changed = nullptr;
  for (;;) {
    while (at_ < text_.size() && k_plain[static_cast<unsigned char>(text_[at_])]) at_++;
    if (at_ == text_.size()) fail(sqlstate::invalid_json, "a string does not end");
    auto const c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') break;
    if (c < 0x20) fail(sqlstate::invalid_json, "a control character stands in a string");
    if (c >= 0x80) {
      utf8();
    } else if (c == '\\') {
      if (changed == nullptr) changed = &kept_.emplace_back();
      changed->append(text_, plain, at_ - plain);
      escape(*changed);
      plain = at_;
    }
  }
  std::string_view result = text_.substr(plain, at_ - plain);
  if (changed != nullptr) result = changed->append(result);
  at_++;
  return result;
}

// One character of several bytes: the shortest form, no surrogates, nothing beyond U+10FFFF.
void JsonReader::utf8() {
  auto const byte = [&](std::size_t i) -> unsigned {
    return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0;
  };
  unsigned const first = byte(0), second = byte(1);
  std::size_t const length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  bool valid = length > 0 && (second & 0xC0) == 0x80;
  if (first == 0xE0) valid = valid && second >= 0xA0;
  if (first == 0xED) valid = valid && second < 0xA0;
  if (first == 0xF0) valid = valid && second >= 0x90;
  if (first == 0xF4) valid = valid && second < 0x90;
  for (std::size_t i = 2; i < length; i++) valid = valid && (byte(i) & 0xC0) == 0x80;
  if (!valid) fail(sqlstate::not_representable, "invalid UTF-8");
  at_ += length;
}

unsigned JsonReader::hex4() {
  unsigned code = 0;
  for (int i = 0; i < 4; i++, at_++) {
    char const c = at_ < text_.size() ? text_[at_] : ' ';
    code <<= 4;
    if (is_digit(c)) code |= static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f') code |= static_cast<unsigned>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') code |= static_cast<unsigned>(c - 'A' + 10);
    else fail(sqlstate::invalid_json, "\\u needs four hexadecimal digits");
  }
  return code;
}

void JsonReader::escape(std::string &out) {
  char const c = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
  at_ += 2;
  switch (c) {
    case '"':
    case '\\':
    case '/': out += c; return;
    case 'b': out += '\b'; return;
    case 'f': out += '\f'; return;
    case 'n': out += '\n'; return;
    case 'r': out += '\r'; return;
    case 't': out += '\t'; return;
    case 'u': break;
    default: at_ -= 2; fail(sqlstate::invalid_json, "an unknown escape");
  }
  unsigned code = hex4();
  if (code == 0) fail(sqlstate::untranslatable, "\\u0000 cannot be stored in a text");
  if (code >= 0xDC00 && code < 0xE000) fail(sqlstate::invalid_json, "a low surrogate without the high one before it");
  if (code >= 0xD800 && code < 0xDC00) {
    if (text_.substr(at_, 2) != "\\u") fail(sqlstate::invalid_json, "a high surrogate without the low one after it");
    at_ += 2;
    unsigned const low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail(sqlstate::invalid_json, "a high surrogate without the low one after it");
    code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
  }
  append_utf8(out, code);
}

std::string_view JsonReader::number() {
  blanks();
  std::size_t const start = at_;
  auto const here = [&](char c) { return at_ < text_.size() && text_[at_] == c; };
  auto const digits = [&] {
    if (at_ == text_.size() || !is_digit(text_[at_])) fail(sqlstate::invalid_json, "a digit is missing");
    while (at_ < text_.size() && is_digit(text_[at_])) at_++;
  };
  if (here('-')) at_++;
  if (here('0')) {
    at_++;
    if (at_ < text_.size() && is_digit(text_[at_])) fail(sqlstate::invalid_json, "a number begins with a zero");
  } else {
    digits();
  }
  if (here('.')) {
    at_++;
    digits();
  }
  if (here('e') || here('E')) {
    at_++;
    if (here('+') || here('-')) at_++;
    digits();
  }
  return text_.substr(start, at_ - start);
}

void JsonReader::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) fail(sqlstate::invalid_json, "an unknown word");
  at_ += word.size();
}

bool JsonReader::boolean() {
  blanks();
  bool const value = at_ < text_.size() && text_[at_] == 't';
  literal(value ? "true" : "false");
  return value;
}

void JsonReader::null() {
  blanks();
  literal("null");
}

void JsonReader::skip() {
  switch (peek()) {
    case Kind::object: object([&](std::string_view) { skip(); }); break;
    case Kind::array: array([&] { skip(); }); break;
    case Kind::string: string(); break;
    case Kind::number: number(); break;
    case Kind::boolean: boolean(); break;
    case Kind::null: null(); break;
  }
}

void JsonReader::end() {
  blanks();
  if (at_ < text_.size()) fail(sqlstate::invalid_json, "something follows after its end");
}

}  // namespace migrator::message
