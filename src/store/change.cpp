#include "store/change.hpp"

#include <algorithm>
#include <array>
#include <list>
#include <string>

#include "base/error.hpp"
#include "message/api_value.hpp"

namespace migrator::store {
namespace {

constexpr std::array<std::string_view, 5> k_states = {"", "ACTUAL", "REMOVED", "ARCHIVED", "TEST"};
constexpr std::size_t k_longest_id = 1000;  // bytes: what an index takes in, with the codes before it

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string place(const Bo &bo, const Field &field) { return "field " + quoted(field.code) + " of BO " + quoted(bo.code); }

// The beginning of a value, cut between characters.
std::string head(std::string_view value) {
  std::size_t length = std::min<std::size_t>(value.size(), 100);
  while (length < value.size() && length > 0 && (static_cast<unsigned char>(value[length]) & 0xC0) == 0x80) length--;
  return std::string(value.substr(0, length)) + (length < value.size() ? "..." : "");
}

[[noreturn]] void refuse(const Bo &bo, const Field &field, const char *expected, std::string_view value) {
  throw Error(sqlstate::invalid_text, place(bo, field) + ": the value is not " + expected)
      .detail("The value is " + quoted(head(value)) + ".");
}

using Kept = std::list<std::string>;

// The text itself, if it has that form already.
std::string_view kept_form(std::string_view text, std::string canonical, Kept &kept) {
  return canonical == text ? text : kept.emplace_back(std::move(canonical));
}

std::string_view canonical(const Bo &bo, const Field &field, const message::Value &value, Kept &kept) {
  std::string result;
  switch (field.type) {
    case Type::date:
      if (value.kind == message::Value::Kind::string) result = message::canonical_date(value.text);
      if (result.empty()) refuse(bo, field, "a date like 2024-12-26T08:59:33.261Z, of the years 1 to 9999", value.text);
      return kept_form(value.text, std::move(result), kept);
    case Type::number:
      if (value.kind != message::Value::Kind::boolean) result = message::canonical_number(value.text);
      if (result.empty()) refuse(bo, field, "a number of at most 1000 digits before and after the point", value.text);
      return kept_form(value.text, std::move(result), kept);
    case Type::flag:
      if (value.text != "true" && value.text != "false") refuse(bo, field, "true or false", value.text);
      return value.text;
    default: return value.text;
  }
}

std::string_view checked_id(std::string_view name, std::string_view id) {
  if (id.size() > k_longest_id)
    throw Error(sqlstate::too_long, std::string(name) + " is longer than 1000 bytes").detail("It begins with " + quoted(head(id)) + ".");
  return id;
}

void read_fields(const message::BoiInput &input, Change &change, Kept &kept) {
  change.fields.reserve(input.fields.size());
  for (const message::FieldInput &item : input.fields) {
    const Field &field = change.bo->field(item.code);
    if (field.is_link())
      throw Error(sqlstate::invalid_parameter, place(*change.bo, field) + " is a link").hint("Links are given in boFields.");
    for (const FieldChange &other : change.fields)
      if (other.field == &field) throw Error(sqlstate::invalid_parameter, place(*change.bo, field) + " is there twice");
    FieldChange &target = change.fields.emplace_back(FieldChange{&field, std::nullopt});
    if (item.value.kind != message::Value::Kind::null) target.value = canonical(*change.bo, field, item.value, kept);
  }
}

// The BO that a link leads to. code: what the message says, or nothing.
const Bo &target_bo(const Structure &structure, const Bo &bo, const Field &field, std::string_view code) {
  if (field.target_bo != nullptr) {
    if (!code.empty() && code != field.target_bo->code)
      throw Error(sqlstate::invalid_parameter, place(bo, field) + " leads to BO " + quoted(field.target_bo->code) + ", not to " + quoted(code));
    return *field.target_bo;
  }
  const std::vector<const Bo *> &members = field.target_co->members;
  if (code.empty()) {
    if (members.size() == 1) return *members.front();
    throw Error(sqlstate::invalid_parameter, place(bo, field) + " may lead to several BOs: the message must name one")
        .hint("A link to CO " + quoted(field.target_co->code) + " needs toBoCode, or boCode inside boiInput.");
  }
  const Bo &target = structure.bo(code);
  if (std::find(members.begin(), members.end(), &target) == members.end())
    throw Error(sqlstate::invalid_parameter, place(bo, field) + ": BO " + quoted(code) + " is not a member of CO " + quoted(field.target_co->code));
  return target;
}

// toFieldCode: a field of the target, or of the CO that stands for it.
const Field &target_field(const Field &field, const Bo &target, std::string_view code) {
  if (field.target_co != nullptr && target.fields.find(code) == target.fields.end()) {
    auto const mapped = field.target_co->fields.find({std::string(code), &target});
    if (mapped != field.target_co->fields.end()) return target.field(mapped->second);
  }
  return target.field(code);
}

Change read(const Structure &structure, const Bo &bo, const message::BoiInput &input, Kept &kept);

void read_link(const Structure &structure, const message::LinkInput &item, Change &change, Kept &kept) {
  const Bo &bo = *change.bo;
  const Field &field = bo.field(item.field_code);
  if (!field.is_link())
    throw Error(sqlstate::invalid_parameter, place(bo, field) + " is not a link").hint("Simple fields are given in fields.");
  LinkChange &link = change.links.emplace_back();
  link.field = &field;
  if (item.target != nullptr) {
    const Bo &target = target_bo(structure, bo, field, item.target->bo_code.empty() ? item.to_bo_code : item.target->bo_code);
    link.target = std::make_unique<Change>(read(structure, target, *item.target, kept));
  } else if (item.value.kind != message::Value::Kind::null) {
    link.to_bo = &target_bo(structure, bo, field, item.to_bo_code);
    if (item.to_field_code.empty())
      throw Error(sqlstate::invalid_parameter, place(bo, field) + ": \"toFieldCode\" is missing");
    link.to_field = &target_field(field, *link.to_bo, item.to_field_code);
    if (!link.to_field->is_unique)
      throw Error(sqlstate::invalid_parameter, place(bo, field) + ": " + place(*link.to_bo, *link.to_field) + " is not unique")
          .hint("toFieldCode names a simple field that is marked as unique.");
    link.value = canonical(*link.to_bo, *link.to_field, item.value, kept);
  }
}

Change read(const Structure &structure, const Bo &bo, const message::BoiInput &input, Kept &kept) {
  Change change;
  change.bo = &bo;
  change.id = checked_id("id", input.id);
  change.external_id = checked_id("externalId", input.external_id);
  change.state = state_of(input.state);
  read_fields(input, change, kept);
  change.links.reserve(input.links.size());
  for (const message::LinkInput &item : input.links) read_link(structure, item, change, kept);
  bool const is_known_by_value = std::any_of(change.fields.begin(), change.fields.end(),
                                             [](const FieldChange &field) { return field.field->is_unique && field.value; });
  if (change.id.empty() && change.external_id.empty() && !is_known_by_value)
    throw Error(sqlstate::invalid_parameter, "a message for BO " + quoted(bo.code) + " names no instance")
        .hint("It needs externalId, id, or the value of a unique field.");
  if (bo.code == "Company" && change.writes())
    throw Error(sqlstate::invalid_parameter, "BO \"Company\" does not take part in migration");
  return change;
}

const Bo &own_bo(const Structure &structure, const message::BoiInput &input) {
  if (input.bo_code.empty()) throw Error(sqlstate::invalid_parameter, "\"boCode\" is missing");
  return structure.bo(input.bo_code);
}

}  // namespace

State state_of(std::string_view name) {
  auto const found = std::find(k_states.begin(), k_states.end(), name);
  if (found == k_states.end())
    throw Error(sqlstate::invalid_parameter, "unknown state " + quoted(head(name))).hint("States are ACTUAL, REMOVED, ARCHIVED and TEST.");
  return static_cast<State>(found - k_states.begin());
}

std::string_view name_of(State state) noexcept { return k_states[static_cast<std::size_t>(state)]; }

bool Change::has_values() const noexcept {
  return std::any_of(fields.begin(), fields.end(), [](const FieldChange &field) { return field.value.has_value(); }) ||
         std::any_of(links.begin(), links.end(), [](const LinkChange &link) { return !link.clears(); });
}

Change interpret(const Structure &structure, message::Document &document) {
  return read(structure, own_bo(structure, document.root), document.root, document.kept);
}

Change interpret_check(const Structure &structure, const message::Document &document, std::vector<LinkCheck> &checks) {
  const message::BoiInput &input = document.root;
  Change owner;
  owner.bo = &own_bo(structure, input);
  owner.external_id = checked_id("externalId", input.external_id);
  if (owner.external_id.empty()) throw Error(sqlstate::invalid_parameter, "a reference check needs externalId");
  for (const message::CheckInput &item : input.checks) {
    const Field &field = owner.bo->field(item.field_code);
    if (!field.is_link()) throw Error(sqlstate::invalid_parameter, place(*owner.bo, field) + " is not a link");
    checks.push_back({&field, &target_bo(structure, *owner.bo, field, item.bo_code), checked_id("externalId", item.external_id)});
  }
  return owner;
}

}  // namespace migrator::store
