#pragma once
// New rows for a table, the way COPY takes them: several in one piece of WAL, through no executor, and with all that the table
// has to have served. RowWriter (pg/row_writer.hpp) is faster where that is not needed.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace migrator::pg {

// Columns and rows are added value by value, in UTF-8.
class Copy {
public:
  Copy(const char *schema, const char *table, std::vector<const char *> columns)
      : schema_(schema), table_(table), columns_(std::move(columns)) {}

  void add(std::string_view value);
  void add_null();
  bool empty() const noexcept { return text_.empty(); }
  // Writes the rows. Needs a transaction; what is there already raises 23505.
  void write();

private:
  void separate();
  void end_value();

  const char *schema_, *table_;
  std::vector<const char *> columns_;
  std::string text_;
  std::size_t column_ = 0;
};

}  // namespace migrator::pg
