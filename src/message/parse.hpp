#pragma once
// A message as it comes: BoiInput with everything nested in it, and the reference check. Its shape is checked here,
// its meaning (are there such codes, are these values of the fields' types) is not.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/no_postgres.hpp"

namespace migrator::message {

// An apiValue. Text: of a string its content, of a number or a boolean what is written.
struct Value {
  enum class Kind { null, string, number, boolean };
  Kind kind = Kind::null;
  std::string_view text;
};

struct FieldInput {
  std::string_view code;
  Value value;
};

struct BoiInput;

struct LinkInput {
  std::string_view field_code, to_bo_code, to_field_code;
  Value value;                       // standard form; null clears the links of the field
  std::unique_ptr<BoiInput> target;  // recursive form
};

struct CheckInput {
  std::string_view field_code, bo_code, external_id;
};

struct BoiInput {  // what is absent, null or "" is empty
  std::string_view record_id, external_id, id, bo_code, state;
  std::vector<FieldInput> fields;
  std::vector<LinkInput> links;
  std::vector<CheckInput> checks;
  bool is_check = false;  // has the member "check"
};

struct Document {
  BoiInput root;
  std::list<std::string> kept;  // strings that had escapes
};

// text: UTF-8; the document refers to it. depth: how deep messages may be nested, 1 for none inside.
// Throws Error (22032, 22021, 22P05, 22023; 54000 beyond the depth).
Document parse(std::string_view text, int depth);

}  // namespace migrator::message
