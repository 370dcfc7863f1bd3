#pragma once
// Statements of the store. Everything in this folder is UTF-8; what goes to the database and comes from it is converted here.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/spi.hpp"

namespace migrator::store {

// A parameter of many values: '{...}', cast to an array in the statement.
class Column {
public:
  void add(std::string_view value);
  void add_null();
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  std::string literal() const { return text_ + "}"; }

private:
  void separate();
  std::string text_ = "{";
  std::size_t count_ = 0;
};

// $1 is the company; $2, $3 … are the columns.
pg::Result run(const std::string &sql, const std::string &company, std::initializer_list<const Column *> columns);

}  // namespace migrator::store
