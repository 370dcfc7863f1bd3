#pragma once
// Reading JSON as RFC 8259 has it, value by value, in the order of the text: nothing is built that nobody asked for,
// and a number keeps all of its digits. Whatever is wrong is an Error with the byte at which it stands; its text quotes
// nothing of the document.

#include <cstddef>
#include <list>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/no_postgres.hpp"

namespace migrator::message {

class JsonReader {
public:
  enum class Kind { object, array, string, number, boolean, null };

  // text: UTF-8, and lives as long as what is read from it. kept: where strings with escapes are kept, for as long.
  // nesting: how deep objects and arrays may contain each other.
  JsonReader(std::string_view text, std::list<std::string> &kept, int nesting)
      : text_(text), kept_(kept), nesting_(nesting) {}

  // What comes next.
  Kind peek();
  std::string_view string();   // without NUL characters, which no text of PostgreSQL can hold
  std::string_view number();   // as it is written
  bool boolean();
  void null();
  // Calls member(key) for each member of an object; it must read or skip the value.
  template <typename F> void object(F &&member) {
    enter('{');
    for (bool more = !close('}'); more; more = next('}')) {
      std::string_view const key = string();
      expect(':');
      member(key);
    }
    nesting_++;
  }
  // Calls element() for each element of an array; it must read or skip it.
  template <typename F> void array(F &&element) {
    enter('[');
    for (bool more = !close(']'); more; more = next(']')) element();
    nesting_++;
  }
  void skip();
  void end();  // nothing but white space may follow

  [[noreturn]] void fail(const char *sqlstate, const std::string &what) const;

private:
  void blanks() noexcept {
    if (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) <= ' ') skip_blanks();
  }
  void skip_blanks() noexcept;
  void enter(char open);
  void expect(char c);
  bool close(char c);         // takes c if it is next
  bool next(char close_with);  // after a value: true for a comma, false for the end
  void literal(std::string_view word);
  void utf8();
  void escape(std::string &out);
  unsigned hex4();

  std::string_view text_;
  std::list<std::string> &kept_;
  int nesting_;
  std::size_t at_ = 0;
};

}  // namespace migrator::message
