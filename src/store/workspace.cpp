#include "store/workspace.hpp"

#include <algorithm>
#include <tuple>

namespace migrator::store {
namespace {

bool before(const pg::Member &field, std::string_view code) {
  return std::tuple(field.first.size(), field.first) < std::tuple(code.size(), code);
}

}  // namespace

std::optional<std::string_view> Instance::value(std::string_view code) const {
  auto const at = std::lower_bound(fields.begin(), fields.end(), code, before);
  return at != fields.end() && at->first == code ? std::optional(at->second) : std::nullopt;
}

// Looking up ----------------------------------------------------------------------------------------------------

Instance *Workspace::by_id(std::string_view id) const {
  auto const found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Instance *Workspace::by_external(const Bo &bo, std::string_view external_id) const {
  auto const found = by_external_.find({&bo, nullptr, external_id});
  return found == by_external_.end() ? nullptr : found->second;
}

Instance *Workspace::by_value(const Bo &bo, const Field &field, std::string_view key) const {
  auto const found = holders_.find({&bo, &field, key});
  return found == holders_.end() ? nullptr : found->second.current;
}

// What the database has -----------------------------------------------------------------------------------------

Instance &Workspace::stored(std::string_view id, const Bo &bo) {
  auto const found = by_id_.find(id);
  if (found != by_id_.end()) return *found->second;
  Instance &instance = instances_.emplace_back();
  instance.id = id;
  instance.bo = &bo;
  by_id_[instance.id] = &instance;
  return instance;
}

void Workspace::set_external(std::string_view external_id, Instance &instance) {
  by_external_[{instance.bo, nullptr, external_id}] = &instance;
}

Workspace::Holder &Workspace::holder(const Bo &bo, const Field &field, std::string_view key) {
  return holders_[{&bo, &field, key}];
}

// What a message changes ----------------------------------------------------------------------------------------

void Workspace::begin_message(std::size_t message) {
  message_ = message;
  instances_before_ = instances_.size();
  aliases_before_ = aliases_.size();
  steps_before_ = steps_.size();
  changed_ = false;
  undo_.clear();
}

void Workspace::undo_message() {
  for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) (*step)();
  undo_.clear();
  aliases_.resize(aliases_before_);
  steps_.resize(steps_before_);
  instances_.resize(instances_before_);
  changed_ = false;
}

Instance &Workspace::create(std::string id, const Bo &bo, std::string_view external_id) {
  Instance &instance = instances_.emplace_back();
  instance.id = std::move(id);
  instance.bo = &bo;
  instance.is_loaded = instance.is_new = instance.is_touched = true;
  instance.created_by = message_;
  changed_ = true;
  by_id_[instance.id] = &instance;
  undo_.push_back([this, &instance] { by_id_.erase(instance.id); });
  if (!external_id.empty()) {
    instance.external_id = external_id;
    instance.is_named = true;
    set_external(external_id, instance);
    undo_.push_back([this, &instance] { by_external_.erase({instance.bo, nullptr, instance.external_id}); });
  }
  return instance;
}

void Workspace::touch(Instance &instance) {
  if (instance.is_touched) return;
  instance.is_touched = true;
  undo_.push_back([&instance] { instance.is_touched = false; });
}

void Workspace::mark_changed(Instance &instance) {
  changed_ = true;
  if (instance.is_changed) return;
  instance.is_changed = true;
  undo_.push_back([&instance] { instance.is_changed = false; });
}

void Workspace::set_state(Instance &instance, State state) {
  if (instance.state == state) return;
  undo_.push_back([&instance, before = instance.state] { instance.state = before; });
  instance.state = state;
  mark_changed(instance);
}

void Workspace::set_holder(Instance &instance, const Field &field, std::string_view value, Instance *now) {
  Holder &slot = holder(*instance.bo, field, unique_key(value));
  undo_.push_back([&slot, before = slot.current] { slot.current = before; });  // a map's elements do not move
  slot.current = now;
}

void Workspace::put_field(Instance &instance, std::string_view code, std::optional<std::string_view> value) {
  auto const at = std::lower_bound(instance.fields.begin(), instance.fields.end(), code, before);
  bool const has = at != instance.fields.end() && at->first == code;
  if (has && value) at->second = *value;
  else if (has) instance.fields.erase(at);
  else if (value) instance.fields.insert(at, {code, *value});
}

void Workspace::set_field(Instance &instance, const Field &field, std::optional<std::string_view> value) {
  std::optional<std::string_view> const old = instance.value(field.code);
  if (old == value) return;
  // With an instance that this message created go its fields.
  if (!instance.is_new || instance.created_by != message_)
    undo_.push_back([&instance, &field, old] { put_field(instance, field.code, old); });
  mark_changed(instance);
  if (field.is_unique && old) set_holder(instance, field, *old, nullptr);
  put_field(instance, field.code, value);
  if (field.is_unique && value) set_holder(instance, field, *value, &instance);
}

void Workspace::add_external(Instance &instance, std::string_view external_id) {
  if (instance.external_id.empty() && instance.is_loaded) {
    instance.external_id = external_id;
    instance.is_named = true;
    undo_.push_back([&instance] {
      instance.external_id.clear();
      instance.is_named = false;
    });
    mark_changed(instance);
  } else {
    aliases_.push_back({instance.bo, external_id, &instance});
    changed_ = true;
  }
  set_external(external_id, instance);
  undo_.push_back([this, bo = instance.bo, external_id] { by_external_.erase({bo, nullptr, external_id}); });
}

void Workspace::add_step(LinkStep step) {
  step.message = message_;
  steps_.push_back(std::move(step));
}

}  // namespace migrator::store
