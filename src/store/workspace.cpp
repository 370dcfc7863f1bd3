#include "store/workspace.hpp"

#include "store/keys.hpp"

namespace migrator::store {

// Looking up ----------------------------------------------------------------------------------------------------

Instance *Workspace::by_id(std::string_view id) const {
  auto const found = by_id_.find(std::string(id));
  return found == by_id_.end() ? nullptr : found->second;
}

Instance *Workspace::by_external(const Bo &bo, std::string_view external_id) const {
  auto const found = by_external_.find(external_key(bo, external_id));
  return found == by_external_.end() ? nullptr : found->second;
}

Instance *Workspace::by_value(const Bo &bo, const Field &field, std::string_view key) const {
  auto const found = holders_.find(value_key(bo, field, key));
  return found == holders_.end() ? nullptr : found->second.current;
}

// What the database has -----------------------------------------------------------------------------------------

Instance &Workspace::stored(std::string_view id, const Bo &bo) {
  Instance *&slot = by_id_[std::string(id)];
  if (slot == nullptr) {
    slot = &instances_.emplace_back();
    slot->id = id;
    slot->bo = &bo;
  }
  return *slot;
}

void Workspace::set_external(std::string_view external_id, Instance &instance) {
  by_external_[external_key(*instance.bo, external_id)] = &instance;
}

Workspace::Holder &Workspace::holder(const Bo &bo, const Field &field, std::string_view key) {
  Holder &holder = holders_[value_key(bo, field, key)];
  if (holder.bo == nullptr) {
    holder.bo = &bo;
    holder.field = &field;
    holder.key = key;
  }
  return holder;
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
    set_external(external_id, instance);
    undo_.push_back([this, &instance] { by_external_.erase(external_key(*instance.bo, instance.external_id)); });
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

void Workspace::set_holder(Instance &instance, const Field &field, const std::string &value, Instance *now) {
  Holder &slot = holder(*instance.bo, field, unique_key(value));
  undo_.push_back([&slot, before = slot.current] { slot.current = before; });  // a map's elements do not move
  slot.current = now;
}

void Workspace::set_field(Instance &instance, const Field &field, const std::optional<std::string> &value) {
  auto const found = instance.fields.find(field.code);
  bool const has = found != instance.fields.end();
  if (has ? value && found->second == *value : !value) return;
  // With an instance that this message created go its fields.
  if (!instance.is_new || instance.created_by != message_)
    undo_.push_back([&instance, code = &field.code, before = has ? std::optional(found->second) : std::nullopt] {
      if (before) instance.fields[*code] = *before;
      else instance.fields.erase(*code);
    });
  mark_changed(instance);
  if (field.is_unique && has) set_holder(instance, field, found->second, nullptr);
  if (value) instance.fields.insert_or_assign(field.code, *value);
  else instance.fields.erase(found);
  if (field.is_unique && value) set_holder(instance, field, *value, &instance);
}

void Workspace::add_external(Instance &instance, std::string_view external_id) {
  if (instance.external_id.empty() && instance.is_loaded) {
    instance.external_id = external_id;
    undo_.push_back([&instance] { instance.external_id.clear(); });
    mark_changed(instance);
  } else {
    aliases_.push_back({instance.bo, std::string(external_id), &instance});
    changed_ = true;
  }
  std::string key = external_key(*instance.bo, external_id);
  by_external_[key] = &instance;
  undo_.push_back([this, key = std::move(key)] { by_external_.erase(key); });
}

void Workspace::add_step(LinkStep step) {
  step.message = message_;
  steps_.push_back(std::move(step));
}

}  // namespace migrator::store
