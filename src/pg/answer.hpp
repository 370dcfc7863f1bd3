#pragma once
// Statements that come again and again, in bulk: planned once in this process, whatever the parameters; values go in
// as arrays and are read where the result has them, without a copy. Needs a transaction and an Spi scope.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace migrator::pg {

// A text[] as PostgreSQL has it in memory. Texts are in UTF-8.
class TextArray {
public:
  void add(std::string_view value);
  void add_null();
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }

private:
  friend class Answer;
  void add_raw(std::string_view value);
  std::string elements_;     // each with its header, aligned
  std::vector<bool> nulls_;  // as long as there are any
  std::size_t count_ = 0;
};

using Parameter = std::variant<std::string_view, const TextArray *>;
using Cell = std::optional<std::string_view>;

// What a statement gives. Columns are text, in UTF-8 when they are read.
class Answer {
public:
  Answer(const std::string &sql, const std::vector<Parameter> &parameters);
  ~Answer();
  Answer(const Answer &) = delete;
  Answer &operator=(const Answer &) = delete;

  std::uint64_t processed() const noexcept { return processed_; }  // rows returned or touched
  std::size_t size() const noexcept { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  bool empty() const noexcept { return size() == 0; }
  const Cell *operator[](std::size_t row) const noexcept { return cells_.data() + row * columns_; }

  class Iterator {
  public:
    const Cell *operator*() const noexcept { return at_; }
    Iterator &operator++() noexcept {
      at_ += columns_;
      return *this;
    }
    bool operator!=(const Iterator &other) const noexcept { return at_ != other.at_; }

  private:
    friend class Answer;
    Iterator(const Cell *at, std::size_t columns) : at_(at), columns_(columns) {}
    const Cell *at_;
    std::size_t columns_;
  };
  Iterator begin() const noexcept { return {cells_.data(), columns_}; }
  Iterator end() const noexcept { return {cells_.data() + cells_.size(), columns_}; }

private:
  std::string_view utf8(std::string_view text);
  void read();

  void *table_ = nullptr;  // SPITupleTable
  std::uint64_t processed_ = 0;
  std::size_t columns_ = 0;
  std::vector<Cell> cells_;
  std::list<std::string> converted_;  // where the database's encoding is another one
  int exceptions_;
};

}  // namespace migrator::pg
