#include "store/apply.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "store/keys.hpp"

namespace migrator::store {
namespace {

using Kind = LinkStep::Kind;

struct Applied {
  Instance *instance = nullptr;  // null: it does not exist, and the message does not create it
  bool created = false;
  bool merged = false;
};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

Instance *find(const Workspace &workspace, const Change &change) {
  if (!change.id.empty()) {
    Instance *found = workspace.by_id(change.id);
    if (found != nullptr && found->bo != change.bo)
      throw Error(sqlstate::invalid_parameter,
                  "the instance with the given id is of BO " + quoted(found->bo->code) + ", not of " + quoted(change.bo->code))
          .detail("The id is " + quoted(change.id) + ".");
    if (found != nullptr) return found;
    if (change.external_id.empty())
      throw Error(sqlstate::no_data_found, "BO " + quoted(change.bo->code) + " has no instance with the given id")
          .detail("The id is " + quoted(change.id) + ".")
          .hint("With an externalId as well the message would create it.");
  }
  return change.external_id.empty() ? nullptr : workspace.by_external(*change.bo, change.external_id);
}

// Who has the unique values of the message: nobody, or one instance, which then takes all of the message's data.
Instance *holder_of_values(Workspace &workspace, const Change &change) {
  Instance *holder = nullptr;
  for (const FieldChange &field : change.fields) {
    if (!field.field->is_unique || !field.value) continue;
    Instance *other = workspace.by_value(*change.bo, *field.field, workspace.unique_key(*field.value));
    if (other == nullptr || other == holder) continue;
    if (holder != nullptr)
      throw Error(sqlstate::unique_violation,
                  "the unique values of a message for BO " + quoted(change.bo->code) + " belong to different instances")
          .detail("They are " + quoted(holder->id) + " and " + quoted(other->id) + ".");
    holder = other;
  }
  return holder;
}

void demand_system_field(const Change &change) {
  bool const has_one =
      !change.bo->is_system ||
      std::any_of(change.fields.begin(), change.fields.end(),
                  [](const FieldChange &field) { return field.field->is_system && field.value; }) ||
      std::any_of(change.links.begin(), change.links.end(),
                  [](const LinkChange &link) { return link.field->is_system && !link.clears(); });
  if (!has_one)
    throw Error(sqlstate::not_null_violation, "an instance of system BO " + quoted(change.bo->code) + " needs at least one of its system fields");
}

Applied apply_to_instance(Workspace &workspace, const Change &change, bool is_nested);

void apply_link(Workspace &workspace, Instance &owner, const LinkChange &link) {
  LinkStep step{};
  step.owner = &owner;
  step.field = link.field;
  if (link.clears()) {
    step.kind = Kind::clear;
  } else if (link.target == nullptr) {
    step.to_bo = link.to_bo;
    step.to_field = link.to_field;
    step.value = workspace.unique_key(link.value);
    step.target = workspace.by_value(*link.to_bo, *link.to_field, step.value);
    step.kind = step.target != nullptr ? Kind::add : Kind::wait;
  } else {
    const Change &target = *link.target;
    step.target = apply_to_instance(workspace, target, true).instance;
    step.to_bo = target.bo;
    step.value = target.external_id;
    step.kind = target.state == State::removed ? Kind::remove : step.target != nullptr ? Kind::add : Kind::wait;
  }
  workspace.add_step(std::move(step));
}

Applied apply_to_instance(Workspace &workspace, const Change &change, bool is_nested) {
  Applied result{.instance = find(workspace, change)};
  Instance *const holder = holder_of_values(workspace, change);
  if (change.state == State::removed) {
    if (change.id.empty() && change.external_id.empty()) result.instance = holder;
    if (result.instance == nullptr) return result;
    workspace.touch(*result.instance);
    workspace.set_state(*result.instance, State::removed);
    return result;
  }
  // Step 7 of the nine ("IN Migration", part 2): "При ошибке MongoErrorDuplicateKey находим инстанцию по который был конфликт
  // и делаем слияние данных с существующей и новой записью." So whatever id and externalId (step 3) lead to, be it nothing
  // or another instance, the holder of the value takes the data, and the message is merged. Step 8 there remembers an
  // externalId only without a conflict; here it is remembered with one as well, or its next message would make a twin.
  if (holder != nullptr && holder != result.instance) {
    result.merged = true;
    result.instance = holder;
  }
  if (result.instance == nullptr) {
    if (!change.has_values() && (is_nested || change.state == State::none)) return result;
    demand_system_field(change);
    result.created = true;
    result.instance = &workspace.create(change.id.empty() ? new_id() : std::string(change.id), *change.bo, change.external_id);
  }
  Instance &instance = *result.instance;
  if (!change.external_id.empty() && workspace.by_external(*change.bo, change.external_id) == nullptr)
    workspace.add_external(instance, change.external_id);
  if (!change.writes()) return result;

  workspace.touch(instance);
  if (change.state != State::none) workspace.set_state(instance, change.state);
  for (const FieldChange &field : change.fields) workspace.set_field(instance, *field.field, field.value);
  for (const LinkChange &link : change.links) apply_link(workspace, instance, link);
  return result;
}

}  // namespace

Outcome apply(Workspace &workspace, const Change &change) {
  Applied const applied = apply_to_instance(workspace, change, false);
  if (applied.instance == nullptr || !change.writes()) return Outcome::skipped;
  if (applied.created) return Outcome::inserted;
  return applied.merged ? Outcome::merged : Outcome::updated;
}

void apply_check(Workspace &workspace, const Change &owner, const std::vector<LinkCheck> &checks) {
  for (const LinkCheck &check : checks) {
    LinkStep step{};
    step.kind = Kind::check;
    step.owner = workspace.by_external(*owner.bo, owner.external_id);
    step.field = check.field;
    step.target = workspace.by_external(*check.to_bo, check.external_id);
    step.to_bo = check.to_bo;
    step.value = check.external_id;
    step.owner_bo = owner.bo;
    step.owner_external_id = owner.external_id;
    workspace.add_step(std::move(step));
  }
}

}  // namespace migrator::store
