#pragma once
// A company's structure as far as messages need it.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace migrator::store {

enum class Type { text, text_block, choice, date, flag, number, file, bo, co };

struct Bo;

struct Co {
  std::string code;
  std::vector<const Bo *> members;
  std::map<std::pair<std::string, const Bo *>, std::string> fields;  // code in the CO and member -> code in the member
};

struct Field {
  std::string code;
  Type type = Type::text;
  bool is_unique = false;  // of simple fields only: a link identifies nothing
  bool is_system = false;
  const Bo *target_bo = nullptr;  // Type::bo
  const Co *target_co = nullptr;  // Type::co
  bool is_link() const noexcept { return type == Type::bo || type == Type::co; }
};

struct Bo {
  std::string code;
  bool is_system = false;
  std::map<std::string, Field, std::less<>> fields;
  std::vector<const Field *> unique_fields;

  // Throws Error 42704 that names both.
  const Field &field(std::string_view field_code) const;
};

class Structure {
public:
  // Reads it in the current transaction. Throws Error 42704 if there is no such company.
  static std::unique_ptr<const Structure> load(const std::string &company);

  const Bo *find(std::string_view code) const noexcept;
  const Bo &bo(std::string_view code) const;  // throws Error 42704

private:
  std::map<std::string, Bo, std::less<>> bos_;
  std::map<std::string, Co, std::less<>> cos_;
};

}  // namespace migrator::store
