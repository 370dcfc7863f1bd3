#include "store/sql.hpp"

#include "pg/encoding.hpp"

namespace migrator::store {

void Column::separate() {
  if (count_++ > 0) text_ += ',';
}

void Column::add(std::string_view value) {
  separate();
  text_ += '"';
  std::size_t plain = 0;
  for (std::size_t i = value.find_first_of("\"\\"); i != std::string_view::npos; i = value.find_first_of("\"\\", i + 1)) {
    text_.append(value, plain, i - plain);
    text_ += '\\';
    plain = i;
  }
  text_.append(value, plain);
  text_ += '"';
}

void Column::add_null() {
  separate();
  text_ += "NULL";
}

pg::Result run(const std::string &sql, const std::string &company, std::initializer_list<const Column *> columns) {
  bool const is_utf8 = pg::is_utf8();
  std::vector<pg::Text> parameters = {company};
  for (const Column *column : columns) parameters.emplace_back(column->literal());
  if (!is_utf8)
    for (pg::Text &parameter : parameters) parameter = pg::from_utf8(*parameter);
  pg::Result result = pg::execute_prepared(sql, parameters);
  if (!is_utf8)
    for (std::vector<pg::Text> &row : result.rows)
      for (pg::Text &value : row)
        if (value) value = pg::to_utf8(*value);
  return result;
}

}  // namespace migrator::store
