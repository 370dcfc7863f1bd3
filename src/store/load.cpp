#include "store/load.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

const std::vector<const char *> k_columns = {"id", "bo", "external_id", "state", "fields"};

[[noreturn]] void changed_meanwhile() {
  throw Error(sqlstate::serialization_failure, "an instance was changed by somebody else").hint("Repeat the transaction.");
}

}  // namespace

void Loader::want_external(const Bo &bo, std::string_view external_id, bool writes) {
  if (!external_id.empty()) wanted_.push_back({{&bo, nullptr, external_id}, writes});
}

void Loader::want_value(const Bo &bo, const Field &field, std::string_view value, bool writes) {
  wanted_.push_back({{&bo, &field, unique_key(value, kept_)}, writes});
}

void Loader::want(const Change &change) {
  if (!change.id.empty()) ids_.push_back(change.id);
  want_external(*change.bo, change.external_id, change.writes());
  for (const FieldChange &field : change.fields)
    if (field.field->is_unique && field.value) want_value(*change.bo, *field.field, *field.value, true);
  for (const LinkChange &link : change.links) {
    if (link.target != nullptr) want(*link.target);
    else if (!link.clears()) want_value(*link.to_bo, *link.to_field, link.value, false);
  }
}

void Loader::want(const Change &owner, const std::vector<LinkCheck> &checks) {
  want_external(*owner.bo, owner.external_id, false);
  for (const LinkCheck &check : checks) want_external(*check.to_bo, check.external_id, false);
}

// In the order of the indexes, each key once.
void Loader::sort() {
  std::sort(wanted_.begin(), wanted_.end(), [](const Wanted &a, const Wanted &b) { return a.key < b.key; });
  std::size_t count = 0;
  for (const Wanted &wanted : wanted_) {
    if (count > 0 && wanted_[count - 1].key == wanted.key) wanted_[count - 1].writes |= wanted.writes;
    else wanted_[count++] = wanted;
  }
  wanted_.resize(count);
}

void Loader::load(const Structure &structure, Workspace &workspace, bool locked) {
  structure_ = &structure;
  workspace_ = &workspace;
  locked_ = locked;
  sort();
  for (auto begin = wanted_.begin(); begin != wanted_.end();) {
    const Bo &bo = *begin->key.bo;
    const Field *const field = begin->key.field;
    Group group;
    for (; begin != wanted_.end() && begin->key.bo == &bo && begin->key.field == field; ++begin) group.push_back(&*begin);
    if (field != nullptr) find(group, "instance_unique_pkey", {company_, bo.code, field->code});
    else find_by_external_id(group);
    find_owners_of_waiting_links(group);
  }
  for (const Found &found : found_)
    if (found.writes) ids_.push_back(found.id);
  read_by_id();

  for (const Found &found : found_) {
    Instance &instance = workspace.stored(found.id, *found.key.bo);
    if (found.key.field == nullptr) {
      workspace.set_external(found.key.text, instance);
      continue;
    }
    Workspace::Holder &holder = workspace.holder(*found.key.bo, *found.key.field, found.key.text);
    // A loaded instance has told its values itself.
    if (instance.is_loaded && holder.stored != &instance) changed_meanwhile();
    holder.stored = holder.current = &instance;
  }
}

const pg::Lookup &Loader::look_up(const char *index, const std::vector<pg::Cell> &prefix, const Group &group, const std::vector<const char *> &columns) {
  std::vector<std::string_view> texts;
  texts.reserve(group.size());
  for (const Wanted *wanted : group) texts.push_back(wanted->key.text);
  return lookups_.emplace_back("migrator", index, prefix, texts, columns);
}

void Loader::find(const Group &group, const char *index, const std::vector<pg::Cell> &prefix) {
  if (group.empty()) return;
  for (const pg::Lookup::Match &match : look_up(index, prefix, group, {"id"}).matches())
    found_.push_back({group[match.key]->key, *match.values[0], group[match.key]->writes});
}

// What is to be written is read whole at once, unless it has to be locked first.
void Loader::find_by_external_id(const Group &group) {
  std::vector<pg::Cell> const prefix = {company_, group.front()->key.bo->code};
  Group whole, others, missing;
  for (const Wanted *wanted : group) (wanted->writes && !locked_ ? whole : others).push_back(wanted);
  if (!whole.empty()) {
    std::vector<bool> found(whole.size());
    for (const pg::Lookup::Match &row : look_up("instance_external_id", prefix, whole, k_columns).matches()) {
      read(row);
      found[row.key] = true;
    }
    for (std::size_t i = 0; i < whole.size(); i++)
      if (!found[i]) missing.push_back(whole[i]);
  }
  std::size_t const before = found_.size();
  find(others, "instance_external_id", prefix);
  if (found_.size() - before < others.size()) find(others, "instance_alias_pkey", prefix);
  find(missing, "instance_alias_pkey", prefix);
}

void Loader::find_owners_of_waiting_links(const Group &group) {
  const Field *const field = group.front()->key.field;
  std::vector<std::string_view> texts;
  for (const Wanted *wanted : group)
    if (wanted->writes) texts.push_back(wanted->key.text);
  if (texts.empty()) return;
  pg::Cell const to_field = field == nullptr ? pg::Cell() : pg::Cell(field->code);
  const pg::Lookup &lookup = lookups_.emplace_back(
      "in_migration", "boi_reference_target", std::vector<pg::Cell>{company_, group.front()->key.bo->code, to_field}, texts, std::vector{"owner_id"});
  for (const pg::Lookup::Match &match : lookup.matches()) ids_.push_back(*match.values[0]);
}

void Loader::read_by_id() {
  std::erase_if(ids_, [&](std::string_view id) {
    const Instance *const known = workspace_->by_id(id);
    return known != nullptr && known->is_loaded;
  });
  if (ids_.empty()) return;
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  if (locked_) {
    Column ids;
    for (std::string_view id : ids_) ids.add(id);
    run("select id from migrator.instance where company = $1 and id = any ($2) order by id for update", company_, {&ids});
  }
  const pg::Lookup &lookup = lookups_.emplace_back("migrator", "instance_pkey", std::vector<pg::Cell>{company_}, ids_, k_columns);
  for (const pg::Lookup::Match &row : lookup.matches()) read(row);
}

void Loader::read(const pg::Lookup::Match &row) {
  const Bo &bo = structure_->bo(*row.values[1]);
  Instance &instance = workspace_->stored(*row.values[0], bo);
  instance.is_loaded = true;
  instance.version = row.version;
  if (row.values[2]) {
    instance.external_id = *row.values[2];
    workspace_->set_external(*row.values[2], instance);
  }
  instance.state = state_of(*row.values[3]);
  if (!pg::json_members(*row.values[4], instance.fields, kept_))
    throw Error(sqlstate::invalid_json, "fields of instance \"" + instance.id + "\" are no object of strings");
  for (const Field *field : bo.unique_fields) {
    std::optional<std::string_view> const value = instance.value(field->code);
    if (!value) continue;
    Workspace::Holder &holder = workspace_->holder(bo, *field, workspace_->unique_key(*value));
    holder.stored = holder.current = &instance;
  }
}

}  // namespace migrator::store
