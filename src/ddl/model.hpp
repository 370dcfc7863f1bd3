#pragma once
// The part of a company's structure from which in-tables follow, and how it is read from the document that
// migrator.dump_structure gives.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/no_postgres.hpp"

namespace migrator::ddl {

struct Field {
  std::string code;
  std::string type;  // as in migrator.field
  std::string target{};
  bool is_loaded = false;
  bool is_key = false;

  bool is_marked() const noexcept { return is_loaded || is_key; }
  bool is_link() const noexcept { return type == "bo" || type == "co"; }
};

struct BusinessObject {
  std::string code;
  std::vector<Field> fields;
};

struct Structure {
  std::string schema;
  std::vector<BusinessObject> bos;
  std::map<std::string, std::vector<std::string>> members;  // code of a CO -> codes of BOs
};

Structure parse_structure(std::string_view document);

}  // namespace migrator::ddl
