#include "store/load.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

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
  if (!change.id.empty()) to_lock_.push_back(change.id);
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

void Loader::load(const Structure &structure, Workspace &workspace) {
  sort();
  for (auto begin = wanted_.begin(); begin != wanted_.end();) {
    auto const end = std::find_if(begin, wanted_.end(), [&](const Wanted &wanted) {
      return wanted.key.bo != begin->key.bo || wanted.key.field != begin->key.field;
    });
    find({begin, end});
    find_owners_of_waiting_links({begin, end});
    begin = end;
  }
  for (const Found &found : found_)
    if (found.writes) to_lock_.push_back(found.id);
  lock(structure, workspace);

  for (const Found &found : found_) {
    Instance &instance = workspace.stored(found.id, *found.key.bo);
    if (found.key.field == nullptr) {
      workspace.set_external(found.key.text, instance);
      continue;
    }
    Workspace::Holder &holder = workspace.holder(*found.key.bo, *found.key.field, found.key.text);
    // A locked instance has told its values itself.
    if (instance.is_loaded && holder.stored != &instance) changed_meanwhile();
    holder.stored = holder.current = &instance;
  }
}

void Loader::find(Group group) {
  const Bo &bo = *group.front().key.bo;
  const Field *const field = group.front().key.field;
  if (field != nullptr) {
    look_up(group, "instance_unique_pkey", {company_, bo.code, field->code});
    return;
  }
  std::size_t const before = found_.size();
  look_up(group, "instance_external_id", {company_, bo.code});
  if (found_.size() - before < group.size()) look_up(group, "instance_alias_pkey", {company_, bo.code});
}

void Loader::look_up(Group group, const char *index, const std::vector<pg::Cell> &prefix) {
  std::vector<std::string_view> texts;
  for (const Wanted &wanted : group) texts.push_back(wanted.key.text);
  const pg::Lookup &lookup = lookups_.emplace_back("migrator", index, prefix, texts, "id");
  for (const pg::Lookup::Match &match : lookup.matches()) found_.push_back({group[match.key].key, match.value, group[match.key].writes});
}

void Loader::find_owners_of_waiting_links(Group group) {
  const Field *const field = group.front().key.field;
  std::vector<std::string_view> texts;
  for (const Wanted &wanted : group)
    if (wanted.writes) texts.push_back(wanted.key.text);
  if (texts.empty()) return;
  pg::Cell const to_field = field == nullptr ? pg::Cell() : pg::Cell(field->code);
  const pg::Lookup &lookup = lookups_.emplace_back(
      "in_migration", "boi_reference_target", std::vector<pg::Cell>{company_, group.front().key.bo->code, to_field}, texts, "owner_id");
  for (const pg::Lookup::Match &match : lookup.matches()) to_lock_.push_back(match.value);
}

void Loader::lock(const Structure &structure, Workspace &workspace) {
  if (to_lock_.empty()) return;
  std::sort(to_lock_.begin(), to_lock_.end());
  to_lock_.erase(std::unique(to_lock_.begin(), to_lock_.end()), to_lock_.end());
  Column ids;
  for (std::string_view id : to_lock_) ids.add(id);
  pg::Answer &rows = rows_.emplace("select id, bo, external_id, state, fields from migrator.instance "
                                   "where company = $1 and id = any ($2) order by id for update",
                                   std::vector<pg::Parameter>{company_, &ids});
  std::vector<std::pair<std::string_view, std::string_view>> members;
  for (const auto &row : rows) {
    const Bo &bo = structure.bo(*row[1]);
    Instance &instance = workspace.stored(*row[0], bo);
    instance.is_loaded = true;
    if (row[2]) {
      instance.external_id = *row[2];
      workspace.set_external(*row[2], instance);
    }
    instance.state = state_of(*row[3]);
    if (!rows.members(row[4], members))
      throw Error(sqlstate::invalid_json, "fields of instance \"" + instance.id + "\" are no object of strings");
    instance.fields.reserve(members.size());
    for (const auto &[code, value] : members) instance.fields.push_back({code, value});
    for (const Field *field : bo.unique_fields) {
      std::optional<std::string_view> const value = instance.value(field->code);
      if (!value) continue;
      Workspace::Holder &holder = workspace.holder(bo, *field, workspace.unique_key(*value));
      holder.stored = holder.current = &instance;
    }
  }
}

}  // namespace migrator::store
