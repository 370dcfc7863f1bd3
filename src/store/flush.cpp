#include "store/flush.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.hpp"
#include "message/json.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

// Rows that were not inserted exist by now: somebody has brought them since they were looked for.
void insert(const std::string &sql, const std::string &company, std::initializer_list<const Column *> columns) {
  std::size_t const count = (*columns.begin())->size();
  if (count > 0 && run(sql + " on conflict do nothing", company, columns).processed != count)
    throw Error(sqlstate::serialization_failure, "another session has written the same instance").hint("Repeat the transaction.");
}

std::string fields_of(const Instance &instance) {
  std::string json = "{";
  for (const auto &[code, value] : instance.fields) {
    if (json.size() > 1) json += ',';
    message::append_string(json, code);
    json += ':';
    message::append_string(json, value);
  }
  return json += '}';
}

// Keys under which somebody may be waited for from now on.
struct NewKeys {
  Column bos, fields, values, ids;

  explicit NewKeys(Workspace &workspace) {
    for (const Instance &instance : workspace.instances())
      if (!instance.external_id.empty() && (instance.is_new || instance.is_changed)) add(*instance.bo, nullptr, instance.external_id, instance);
    for (const Alias &alias : workspace.aliases()) add(*alias.bo, nullptr, alias.external_id, *alias.instance);
    for (const auto &[name, holder] : workspace.holders())
      if (holder.current != nullptr && holder.current != holder.stored) add(*holder.bo, holder.field, holder.key, *holder.current);
  }

private:
  void add(const Bo &bo, const Field *field, const std::string &value, const Instance &instance) {
    bos.add(bo.code);
    field == nullptr ? fields.add_null() : fields.add(field->code);
    values.add(value);
    ids.add(instance.id);
  }
};

// Of two sessions, one that sets a link waiting and one that brings its target, the second to come here sees what the
// first has written: nobody waits for what is there already.
void meet(const std::string &company, Links &links, const NewKeys &keys) {
  bool const exclusive = links.adds_waiting();
  if (!exclusive && keys.bos.empty()) return;
  run(std::string("select pg_advisory_xact_lock") + (exclusive ? "" : "_shared") + "(hashtextextended('migrator:references ' || $1, 0))", company, {});
  if (exclusive) links.look_again();
}

// Links those who wait for the keys, and notes who they are.
void resolve(const std::string &company, Workspace &workspace, const NewKeys &keys) {
  if (keys.bos.empty()) return;
  Column owners, fields, targets, strangers;
  for (const auto &row : run("update in_migration.boi_reference r set resolved_at = now() "
                             "from unnest($2::text[], $3::text[], $4::text[], $5::text[]) k (bo, field, value, id) "
                             "where r.company = $1 and r.to_bo = k.bo and r.value = k.value and r.resolved_at is null "
                             "  and (r.to_field = k.field or r.to_field is null and k.field is null) "
                             "returning r.owner_id, r.field_code, k.id",
                             company, {&keys.bos, &keys.fields, &keys.values, &keys.ids})
                             .rows) {
    owners.add(*row[0]);
    fields.add(*row[1]);
    targets.add(*row[2]);
    Instance *owner = workspace.by_id(*row[0]);
    if (owner != nullptr && owner->is_loaded) owner->has_new_links = true;
    else strangers.add(*row[0]);
  }
  if (owners.empty()) return;
  run("insert into migrator.instance_link (company, owner_id, field_code, target_id) "
      "select $1, owner_id, field_code, target_id from unnest($2::text[], $3::text[], $4::text[]) u (owner_id, field_code, target_id) "
      "order by 2, 3, 4 on conflict do nothing",
      company, {&owners, &fields, &targets});
  run("update migrator.instance set updated_at = now() where company = $1 and id = any ($2::text[])", company, {&strangers});
}

void write_links(const std::string &company, const Links::Difference &gone, const Links::Difference &come) {
  if (!gone.owners.empty())
    run("delete from migrator.instance_link l using unnest($2::text[], $3::text[], $4::text[]) u (owner_id, field_code, target_id) "
        "where l.company = $1 and l.owner_id = u.owner_id and l.field_code = u.field_code and l.target_id = u.target_id",
        company, {&gone.owners, &gone.fields, &gone.targets});
  if (!gone.waiting_owners.empty())
    run("delete from in_migration.boi_reference r "
        "using unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) u (owner_id, field_code, to_bo, to_field, value) "
        "where r.company = $1 and r.owner_id = u.owner_id and r.field_code = u.field_code and r.to_bo = u.to_bo "
        "  and r.to_field is not distinct from u.to_field and r.value = u.value and r.resolved_at is null",
        company, {&gone.waiting_owners, &gone.waiting_fields, &gone.waiting_bos, &gone.waiting_to_fields, &gone.waiting_values});
  if (!come.owners.empty())
    run("insert into migrator.instance_link (company, owner_id, field_code, target_id) "
        "select $1, owner_id, field_code, target_id from unnest($2::text[], $3::text[], $4::text[]) u (owner_id, field_code, target_id) "
        "on conflict do nothing",
        company, {&come.owners, &come.fields, &come.targets});
  if (!come.waiting_owners.empty())
    run("insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, to_field, value) "
        "select $1, owner_id, field_code, to_bo, to_field, value "
        "from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) u (owner_id, field_code, to_bo, to_field, value) "
        "on conflict do nothing",
        company, {&come.waiting_owners, &come.waiting_fields, &come.waiting_bos, &come.waiting_to_fields, &come.waiting_values});
}

void write_values(const std::string &company, const Workspace &workspace) {
  std::vector<const Workspace::Holder *> gone, come;
  for (const auto &[name, holder] : workspace.holders()) {
    if (holder.current == holder.stored) continue;
    if (holder.stored != nullptr) gone.push_back(&holder);
    if (holder.current != nullptr) come.push_back(&holder);
  }
  auto const by_key = [](const Workspace::Holder *a, const Workspace::Holder *b) {
    return std::tie(a->bo->code, a->field->code, a->key) < std::tie(b->bo->code, b->field->code, b->key);
  };
  Column bos, fields, values, ids, old_bos, old_fields, old_values;
  for (const Workspace::Holder *holder : gone) {
    old_bos.add(holder->bo->code);
    old_fields.add(holder->field->code);
    old_values.add(holder->key);
  }
  std::sort(come.begin(), come.end(), by_key);
  for (const Workspace::Holder *holder : come) {
    bos.add(holder->bo->code);
    fields.add(holder->field->code);
    values.add(holder->key);
    ids.add(holder->current->id);
  }
  if (!old_bos.empty())
    run("delete from migrator.instance_unique v using unnest($2::text[], $3::text[], $4::text[]) u (bo, field, value) "
        "where v.company = $1 and v.bo = u.bo and v.field = u.field and v.value = u.value",
        company, {&old_bos, &old_fields, &old_values});
  insert("insert into migrator.instance_unique (company, bo, field, value, id) "
         "select $1, bo, field, value, id from unnest($2::text[], $3::text[], $4::text[], $5::text[]) u (bo, field, value, id)",
         company, {&bos, &fields, &values, &ids});
}

void write_instances(const std::string &company, Workspace &workspace) {
  std::vector<const Instance *> fresh, changed;
  Column linked, touched;
  for (const Instance &instance : workspace.instances()) {
    if (instance.is_new) fresh.push_back(&instance);
    else if (instance.is_changed) changed.push_back(&instance);
    else if (instance.has_new_links) linked.add(instance.id);
    else if (instance.is_touched) touched.add(instance.id);
  }
  // In the order of the external ids: two sessions that bring the same instances meet at the first of them.
  std::sort(fresh.begin(), fresh.end(), [](const Instance *a, const Instance *b) {
    return std::tie(a->bo->code, a->external_id, a->id) < std::tie(b->bo->code, b->external_id, b->id);
  });
  Column ids, bos, external_ids, states, fields;
  auto const fill = [&](const std::vector<const Instance *> &instances) {
    ids = bos = external_ids = states = fields = Column();
    for (const Instance *instance : instances) {
      ids.add(instance->id);
      bos.add(instance->bo->code);
      instance->external_id.empty() ? external_ids.add_null() : external_ids.add(instance->external_id);
      states.add(name_of(instance->state));
      fields.add(fields_of(*instance));
    }
  };
  fill(fresh);
  insert("insert into migrator.instance (company, id, bo, external_id, state, fields) "
         "select $1, id, bo, external_id, state, fields::jsonb "
         "from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) u (id, bo, external_id, state, fields)",
         company, {&ids, &bos, &external_ids, &states, &fields});
  if (!changed.empty()) {
    fill(changed);
    run("update migrator.instance i set external_id = u.external_id, state = u.state, fields = u.fields::jsonb, "
        "  updated_at = now(), in_migrated_at = now() "
        "from unnest($2::text[], $3::text[], $4::text[], $5::text[]) u (id, external_id, state, fields) "
        "where i.company = $1 and i.id = u.id",
        company, {&ids, &external_ids, &states, &fields});
  }
  if (!linked.empty())
    run("update migrator.instance set updated_at = now(), in_migrated_at = now() where company = $1 and id = any ($2::text[])", company, {&linked});
  if (!touched.empty())
    run("update migrator.instance set in_migrated_at = now() where company = $1 and id = any ($2::text[])", company, {&touched});
}

void write_checks(const std::string &company, const Links &links) {
  struct Columns {
    Column bos, external_ids, fields, to_bos, to_external_ids;
  };
  // Of several checks of one link the last one counts.
  using Key = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view, std::string_view>;
  std::map<Key, const Links::Check *> last;
  for (const Links::Check &check : links.checks()) {
    const LinkStep &step = *check.step;
    last[{step.owner_bo->code, step.owner_external_id, step.field->code, step.to_bo->code, step.value}] = &check;
  }
  Columns complete, incomplete;
  for (const auto &[key, found] : last) {
    const Links::Check &check = *found;
    Columns &columns = check.is_complete ? complete : incomplete;
    columns.bos.add(check.step->owner_bo->code);
    columns.external_ids.add(check.step->owner_external_id);
    columns.fields.add(check.step->field->code);
    columns.to_bos.add(check.step->to_bo->code);
    columns.to_external_ids.add(check.step->value);
  }
  auto const write = [&](const std::string &sql, const Columns &columns) {
    if (!columns.bos.empty())
      run(sql, company, {&columns.bos, &columns.external_ids, &columns.fields, &columns.to_bos, &columns.to_external_ids});
  };
  write("delete from migrator.incomplete_reference r using unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) "
        "  u (bo, external_id, field_code, to_bo, to_external_id) "
        "where r.company = $1 and r.bo = u.bo and r.external_id = u.external_id and r.field_code = u.field_code "
        "  and r.to_bo = u.to_bo and r.to_external_id = u.to_external_id",
        complete);
  write("insert into migrator.incomplete_reference (company, bo, external_id, field_code, to_bo, to_external_id) "
        "select $1, u.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) u "
        "on conflict (company, bo, external_id, field_code, to_bo, to_external_id) do update set checked_at = now()",
        incomplete);
}

}  // namespace

void flush(const std::string &company, Workspace &workspace, Links &links, const std::vector<std::string> &record_keys) {
  NewKeys const keys(workspace);
  meet(company, links, keys);
  Links::Difference gone, come;
  links.differences(gone, come);
  write_links(company, gone, come);
  resolve(company, workspace, keys);
  write_instances(company, workspace);
  write_values(company, workspace);

  Column bos, external_ids, ids, records;
  for (const Alias &alias : workspace.aliases()) {
    bos.add(alias.bo->code);
    external_ids.add(alias.external_id);
    ids.add(alias.instance->id);
  }
  insert("insert into migrator.instance_alias (company, bo, external_id, id) "
         "select $1, bo, external_id, id from unnest($2::text[], $3::text[], $4::text[]) u (bo, external_id, id)",
         company, {&bos, &external_ids, &ids});
  for (const std::string &key : record_keys) records.add(key);
  insert("insert into migrator.seen_record (company, record_id) select $1, r from unnest($2::text[]) r order by r", company, {&records});
  write_checks(company, links);
}

}  // namespace migrator::store
