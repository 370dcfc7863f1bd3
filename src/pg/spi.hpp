#pragma once
// Statements run through SPI. Values travel in text form: a parameter is text and is cast in the statement
// ($1::bigint), a result is what the type's output function says. For bulk data see pg/answer.hpp, pg/lookup.hpp,
// pg/row_writer.hpp and pg/row_cursor.hpp.
// Needs a transaction and an Spi scope. Errors of PostgreSQL arrive as pg::Error.

#include <cstdint>
#include <string>
#include <vector>

#include "pg/function.hpp"

namespace migrator::pg {

class Spi {  // SPI_connect ... SPI_finish; after an exception the rollback cleans up instead
public:
  Spi();
  ~Spi();
  Spi(const Spi &) = delete;
  Spi &operator=(const Spi &) = delete;

private:
  int exceptions_;
};

struct Result {
  std::vector<std::vector<Text>> rows;
  std::uint64_t processed = 0;  // rows returned or touched

  bool empty() const noexcept { return rows.empty(); }
  // The first row's value; the caller knows that there is one. A null gives "" / 0 / false.
  std::string text(std::size_t column = 0) const { return rows.at(0).at(column).value_or(""); }
  std::int64_t bigint(std::size_t column = 0) const;
  bool flag(std::size_t column = 0) const { return text(column) == "t"; }
};

Result execute(const std::string &sql, const std::vector<Text> &parameters = {});

// While it lives, statements are planned to look rows up in indexes, however small the tables are said to be: in a
// growing table the plan of a moment ago would read all of it.
class IndexScans {
public:
  IndexScans();
  ~IndexScans();
  IndexScans(const IndexScans &) = delete;
  IndexScans &operator=(const IndexScans &) = delete;

private:
  int level_;
  int exceptions_;
};

std::string quote_identifier(const std::string &name);
std::string quote_literal(const std::string &text);
// {"a","b"}: the text form of an array.
std::string array_literal(const std::vector<std::string> &items);

// Acts as another role, without the right to switch back: for tables whose triggers, defaults and index
// expressions belong to somebody else. Ends with the scope or with the transaction.
class AsRole {
public:
  explicit AsRole(std::uint32_t role);
  ~AsRole();
  AsRole(const AsRole &) = delete;
  AsRole &operator=(const AsRole &) = delete;

private:
  std::uint32_t saved_role_ = 0;
  int saved_context_ = 0;
};

}  // namespace migrator::pg
