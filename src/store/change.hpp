#pragma once
// What a message asks for, in terms of the structure: codes have become fields, values are in canonical form.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "message/parse.hpp"
#include "store/structure.hpp"

namespace migrator::store {

enum class State { none, actual, removed, archived, test };
State state_of(std::string_view name);  // throws Error 22023
std::string_view name_of(State state) noexcept;

struct FieldChange {
  const Field *field;
  std::optional<std::string_view> value;  // empty: cleared
};

struct Change;

struct LinkChange {
  const Field *field = nullptr;
  // Standard form: the instance of to_bo whose unique field has this value.
  const Bo *to_bo = nullptr;
  const Field *to_field = nullptr;
  std::string_view value;
  // Recursive form.
  std::unique_ptr<Change> target;
  bool clears() const noexcept { return to_bo == nullptr && target == nullptr; }
};

// Of one instance. Refers to the structure and to the document that it was made from; that keeps what had to be rewritten.
struct Change {
  const Bo *bo = nullptr;
  std::string_view id, external_id;
  State state = State::none;
  std::vector<FieldChange> fields;
  std::vector<LinkChange> links;

  // Is there a value in it, or does it name an instance and no more?
  bool has_values() const noexcept;
  bool writes() const noexcept { return state != State::none || !fields.empty() || !links.empty(); }
};

struct LinkCheck {
  const Field *field;
  const Bo *to_bo;
  std::string_view external_id;
};

// Each throws Error (22023, 42704, 22P02, 22001) for what contradicts the structure.
Change interpret(const Structure &structure, message::Document &document);
// The reference check: the owner and what it should be linked to.
Change interpret_check(const Structure &structure, const message::Document &document, std::vector<LinkCheck> &checks);

}  // namespace migrator::store
