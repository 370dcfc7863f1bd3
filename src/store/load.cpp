#include "store/load.hpp"

#include "base/error.hpp"
#include "message/json_reader.hpp"
#include "store/keys.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

[[noreturn]] void changed_meanwhile() {
  throw Error(sqlstate::serialization_failure, "an instance was changed by somebody else").hint("Repeat the transaction.");
}

void read_fields(const std::string &json, Instance &instance) {
  std::deque<std::string> kept;
  message::JsonReader reader(json, kept, 1);
  reader.object([&](std::string_view code) { instance.fields.emplace(code, reader.string()); });
}

}  // namespace

void Loader::want_external(const Bo &bo, std::string_view external_id, bool writes) {
  if (external_id.empty()) return;
  auto const [key, is_new] = keys_.try_emplace(external_key(bo, external_id), Key{&bo, nullptr, std::string(external_id), writes});
  key->second.writes |= writes;
}

void Loader::want_value(const Bo &bo, const Field &field, const std::string &value, bool writes) {
  std::string text = unique_key(value);
  auto const [key, is_new] = keys_.try_emplace(value_key(bo, field, text), Key{&bo, &field, text, writes});
  key->second.writes |= writes;
}

void Loader::want(const Change &change) {
  if (!change.id.empty()) ids_.emplace(change.id);
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

void Loader::load(const Structure &structure, Workspace &workspace) {
  std::set<std::string> to_lock(ids_.begin(), ids_.end());
  Column bos, external_ids, value_bos, fields, values;
  for (const auto &[name, key] : keys_) {
    (key.field == nullptr ? bos : value_bos).add(key.bo->code);
    (key.field == nullptr ? external_ids : values).add(key.value);
    if (key.field != nullptr) fields.add(key.field->code);
  }
  pg::Result by_external, by_value;
  if (!bos.empty())
    by_external = run("select k.bo, k.external_id, coalesce(i.id, a.id) "
                      "from unnest($2::text[], $3::text[]) k (bo, external_id) "
                      "left join lateral (select id from migrator.instance "
                      "  where company = $1 and bo = k.bo and external_id = k.external_id limit 1) i on true "
                      "left join lateral (select id from migrator.instance_alias "
                      "  where company = $1 and bo = k.bo and external_id = k.external_id and i.id is null limit 1) a on true "
                      "where coalesce(i.id, a.id) is not null",
                      company_, {&bos, &external_ids});
  if (!value_bos.empty())
    by_value = run("select k.bo, k.field, k.value, u.id "
                   "from unnest($2::text[], $3::text[], $4::text[]) k (bo, field, value) "
                   "cross join lateral (select id from migrator.instance_unique "
                   "  where company = $1 and bo = k.bo and field = k.field and value = k.value limit 1) u",
                   company_, {&value_bos, &fields, &values});
  for (const auto &row : by_external.rows)
    if (keys_.at(external_key(structure.bo(*row[0]), *row[1])).writes) to_lock.insert(*row[2]);
  for (const auto &row : by_value.rows) {
    const Bo &bo = structure.bo(*row[0]);
    if (keys_.at(value_key(bo, bo.field(*row[1]), *row[2])).writes) to_lock.insert(*row[3]);
  }
  find_owners_of_waiting_links(to_lock);
  lock(structure, workspace, to_lock);

  for (const auto &row : by_external.rows) workspace.set_external(*row[1], workspace.stored(*row[2], structure.bo(*row[0])));
  for (const auto &row : by_value.rows) {
    const Bo &bo = structure.bo(*row[0]);
    Workspace::Holder &holder = workspace.holder(bo, bo.field(*row[1]), *row[2]);
    Instance &instance = workspace.stored(*row[3], bo);
    // A locked instance has told its values itself.
    if (instance.is_loaded && holder.stored != &instance) changed_meanwhile();
    holder.stored = holder.current = &instance;
  }
}

void Loader::find_owners_of_waiting_links(std::set<std::string> &to_lock) {
  Column bos, fields, values;
  for (const auto &[name, key] : keys_) {
    if (!key.writes) continue;
    bos.add(key.bo->code);
    key.field != nullptr ? fields.add(key.field->code) : fields.add_null();
    values.add(key.value);
  }
  if (bos.empty()) return;
  // Two conditions rather than "is not distinct from", which no index answers.
  for (const auto &row : run("select r.owner_id from unnest($2::text[], $3::text[], $4::text[]) k (bo, field, value) "
                             "join in_migration.boi_reference r on r.company = $1 and r.to_bo = k.bo and r.to_field = k.field "
                             "  and r.value = k.value and r.resolved_at is null where k.field is not null "
                             "union all "
                             "select r.owner_id from unnest($2::text[], $3::text[], $4::text[]) k (bo, field, value) "
                             "join in_migration.boi_reference r on r.company = $1 and r.to_bo = k.bo and r.to_field is null "
                             "  and r.value = k.value and r.resolved_at is null where k.field is null",
                             company_, {&bos, &fields, &values})
                             .rows)
    to_lock.insert(*row[0]);
}

void Loader::lock(const Structure &structure, Workspace &workspace, const std::set<std::string> &ids) {
  if (ids.empty()) return;
  Column sorted;
  for (const std::string &id : ids) sorted.add(id);
  for (const auto &row : run("select id, bo, external_id, state, fields from migrator.instance "
                             "where company = $1 and id = any ($2::text[]) order by id for update",
                             company_, {&sorted})
                             .rows) {
    const Bo &bo = structure.bo(*row[1]);
    Instance &instance = workspace.stored(*row[0], bo);
    instance.is_loaded = true;
    if (row[2]) {
      instance.external_id = *row[2];
      workspace.set_external(*row[2], instance);
    }
    instance.state = state_of(*row[3]);
    read_fields(*row[4], instance);
    for (const Field *field : bo.unique_fields) {
      auto const value = instance.fields.find(field->code);
      if (value == instance.fields.end()) continue;
      Workspace::Holder &holder = workspace.holder(bo, *field, unique_key(value->second));
      holder.stored = holder.current = &instance;
    }
  }
}

std::set<std::string> seen_records(const std::string &company, const std::vector<std::string> &record_keys) {
  std::set<std::string> seen;
  Column keys;
  for (const std::string &key : record_keys) keys.add(key);
  if (keys.empty()) return seen;
  for (const auto &row :
       run("select record_id from migrator.seen_record where company = $1 and record_id = any ($2::text[])", company, {&keys}).rows)
    seen.insert(*row[0]);
  return seen;
}

}  // namespace migrator::store
