#pragma once
// SQL-callable functions, seen from a feature's folder: no header of PostgreSQL is needed.
//
//   MIGRATOR_FUNCTION(migrator_greet) {
//     pg::Arguments arguments(fcinfo);
//     return pg::return_text("hello " + arguments.text(0));
//   }
//
// The macro is the only door from PostgreSQL into our code. Whatever the body throws is raised as an ERROR
// after the catch, when no exception object is alive any more.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct FunctionCallInfoBaseData;

#define MIGRATOR_EXPORT extern "C" __attribute__((visibility("default")))

namespace migrator::pg {

using Datum = std::uintptr_t;
using Text = std::optional<std::string>;  // a value in its text form; empty: SQL null

// Runs body and turns what it throws into an ERROR of PostgreSQL: pg::Error whole, migrator::Error with its
// SQLSTATE, detail and hint, anything else as XX000.
Datum enter(Datum (*body)(FunctionCallInfoBaseData *), FunctionCallInfoBaseData *fcinfo);
const void *function_info() noexcept;

class Arguments {
public:
  explicit Arguments(FunctionCallInfoBaseData *fcinfo) noexcept : fcinfo_(fcinfo) {}
  bool is_null(int position) const noexcept;
  // The value of an argument; the SQL declaration must agree. A null raises 22004.
  std::string text(int position) const;      // text, varchar, name is not: declare text
  std::uint32_t oid(int position) const;
  std::int64_t bigint(int position) const;
  std::vector<std::string> text_array(int position) const;
  Text optional_text(int position) const;

private:
  void check(int position) const;
  FunctionCallInfoBaseData *fcinfo_;
};

// What the catalogue oid given to an option validator stands for.
enum class Place { server, user_mapping, other };
Place option_place(std::uint32_t catalog) noexcept;

Datum return_text(std::string_view value);
Datum return_void() noexcept;

// The result of a function that returns a set: rows are given in text form and parsed by the column's type.
class Rows {
public:
  explicit Rows(FunctionCallInfoBaseData *fcinfo);
  void add(const std::vector<Text> &values);
  Datum done() noexcept { return 0; }

private:
  void *state_;  // AttInMetadata, in the query's memory context
  void *store_;  // Tuplestorestate, freed with the query
  int columns_;
};

}  // namespace migrator::pg

#define MIGRATOR_FUNCTION(name)                                                            \
  static migrator::pg::Datum name##_body(FunctionCallInfoBaseData *fcinfo);                \
  MIGRATOR_EXPORT const void *pg_finfo_##name();                                           \
  MIGRATOR_EXPORT const void *pg_finfo_##name() { return migrator::pg::function_info(); }  \
  MIGRATOR_EXPORT migrator::pg::Datum name(FunctionCallInfoBaseData *fcinfo);              \
  MIGRATOR_EXPORT migrator::pg::Datum name(FunctionCallInfoBaseData *fcinfo) {             \
    return migrator::pg::enter(name##_body, fcinfo);                                       \
  }                                                                                        \
  static migrator::pg::Datum name##_body([[maybe_unused]] FunctionCallInfoBaseData *fcinfo)
