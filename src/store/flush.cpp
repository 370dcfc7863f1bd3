#include "store/flush.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.hpp"
#include "message/json.hpp"
#include "pg/lookup.hpp"
#include "store/sql.hpp"

namespace migrator::store {
namespace {

std::string fields_of(const Instance &instance) {
  std::string json = "{";
  for (const pg::Member &field : instance.fields) {
    if (json.size() > 1) json += ',';
    message::append_string(json, field.first);
    json += ':';
    message::append_string(json, field.second);
  }
  return json += '}';
}

// Keys under which somebody may be waited for from now on, in the order of the indexes.
struct NewKey {
  Key key;
  const Instance *instance;
};
using NewKeys = std::vector<NewKey>;

NewKeys new_keys(Workspace &workspace) {
  NewKeys keys;
  for (const Instance &instance : workspace.instances())
    if (!instance.external_id.empty() && (instance.is_new || instance.is_changed)) keys.push_back({{instance.bo, nullptr, instance.external_id}, &instance});
  for (const Alias &alias : workspace.aliases()) keys.push_back({{alias.bo, nullptr, alias.external_id}, alias.instance});
  for (const auto &[key, holder] : workspace.holders())
    if (holder.current != nullptr && holder.current != holder.stored) keys.push_back({key, holder.current});
  std::sort(keys.begin(), keys.end(), [](const NewKey &a, const NewKey &b) { return a.key < b.key; });
  return keys;
}

// An externalId is an instance's own or a further one: two indexes, which do not know of each other.
void compare_external_ids(const std::string &company, const NewKeys &keys) {
  for (auto begin = keys.begin(); begin != keys.end();) {
    const Bo *const bo = begin->key.bo;
    std::vector<std::string_view> own, further;
    for (; begin != keys.end() && begin->key.bo == bo; ++begin) {
      if (begin->key.field != nullptr) continue;
      if (begin->key.text != begin->instance->external_id) further.push_back(begin->key.text);
      else if (begin->instance->is_named) own.push_back(begin->key.text);
    }
    auto const is_there = [&](const char *index, const std::vector<std::string_view> &texts) {
      return !texts.empty() && !pg::Lookup("migrator", index, {company, bo->code}, texts, {}).matches().empty();
    };
    if (is_there("instance_alias_pkey", own) || is_there("instance_external_id", further)) met();
  }
}

// Of two sessions, one that sets a link waiting and one that brings its target, the second to come here sees what the
// first has written: nobody waits for what is there already. The same of one that makes an externalId an alias and one that
// brings an instance with it.
void meet(const std::string &company, const Workspace &workspace, Links &links, const NewKeys &keys) {
  bool const waits = links.adds_waiting(), exclusive = waits || !workspace.aliases().empty();
  if (!exclusive && keys.empty()) return;
  run(std::string("select pg_advisory_xact_lock") + (exclusive ? "" : "_shared") + "(hashtextextended('migrator:references ' || $1, 0))::text", company, {});
  compare_external_ids(company, keys);
  if (waits) links.look_again();
}

void date(const std::string &company, const Column &ids) {
  if (!ids.empty()) run("update migrator.instance set updated_at = now() where company = $1 and id = any ($2)", company, {&ids});
}

// Links those who wait for the keys, and dates them.
void resolve(const std::string &company, Workspace &workspace, const NewKeys &keys) {
  Column owners, fields, targets, strangers;
  for (auto begin = keys.begin(); begin != keys.end();) {
    const Bo *const bo = begin->key.bo;
    const Field *const field = begin->key.field;
    auto const end = std::find_if(begin, keys.end(), [&](const NewKey &key) { return key.key.bo != bo || key.key.field != field; });
    std::vector<std::string_view> texts;
    for (auto key = begin; key != end; ++key) texts.push_back(key->key.text);
    pg::Cell const to_field = field == nullptr ? pg::Cell() : pg::Cell(field->code);
    pg::Lookup const waiting("in_migration", "boi_reference_target", {company, bo->code, to_field}, texts, {});
    Column values, ids;
    for (std::size_t i = 0; i < waiting.matches().size(); i++) {
      std::size_t const key = waiting.matches()[i].key;
      if (i > 0 && waiting.matches()[i - 1].key == key) continue;
      values.add(texts[key]);
      ids.add(begin[static_cast<std::ptrdiff_t>(key)].instance->id);
    }
    std::string const sql = "update in_migration.boi_reference r set resolved_at = now() from unnest($2, $3) k (value, id) "
                            "where r.company = $1 and r.to_bo = $4 and r.value = k.value and r.resolved_at is null and r.to_field ",
                      returning = " returning r.owner_id, r.field_code, k.id";
    auto const linked = [&](const pg::Answer &rows) {
      for (const auto &row : rows) {
        owners.add(*row[0]);
        fields.add(*row[1]);
        targets.add(*row[2]);
        Instance *owner = workspace.by_id(*row[0]);
        if (owner != nullptr && owner->is_loaded) owner->has_new_links = true;
        else strangers.add(*row[0]);
      }
    };
    if (values.empty()) {
    } else if (field == nullptr) {
      linked(run(sql + "is null" + returning, company, {&values, &ids, bo->code}));
    } else {
      linked(run(sql + "= $5" + returning, company, {&values, &ids, bo->code, field->code}));
    }
    begin = end;
  }
  if (owners.empty()) return;
  run("insert into migrator.instance_link (company, owner_id, field_code, target_id) "
      "select $1, owner_id, field_code, target_id from unnest($2, $3, $4) u (owner_id, field_code, target_id) "
      "order by 2, 3, 4 on conflict do nothing",
      company, {&owners, &fields, &targets});
  date(company, strangers);
}

void write_links(const std::string &company, const Links::Difference &gone, const Links::Difference &come) {
  if (!gone.owners.empty())
    run("delete from migrator.instance_link l using unnest($2, $3, $4) u (owner_id, field_code, target_id) "
        "where l.company = $1 and l.owner_id = u.owner_id and l.field_code = u.field_code and l.target_id = u.target_id",
        company, {&gone.owners, &gone.fields, &gone.targets});
  if (!gone.waiting_owners.empty())
    run("delete from in_migration.boi_reference r "
        "using unnest($2, $3, $4, $5, $6) u (owner_id, field_code, to_bo, to_field, value) "
        "where r.company = $1 and r.owner_id = u.owner_id and r.field_code = u.field_code and r.to_bo = u.to_bo "
        "  and r.to_field is not distinct from u.to_field and r.value = u.value and r.resolved_at is null",
        company, {&gone.waiting_owners, &gone.waiting_fields, &gone.waiting_bos, &gone.waiting_to_fields, &gone.waiting_values});
  if (!come.owners.empty())
    run("insert into migrator.instance_link (company, owner_id, field_code, target_id) "
        "select $1, owner_id, field_code, target_id from unnest($2, $3, $4) u (owner_id, field_code, target_id) "
        "on conflict do nothing",
        company, {&come.owners, &come.fields, &come.targets});
  if (!come.waiting_owners.empty())
    run("insert into in_migration.boi_reference (company, owner_id, field_code, to_bo, to_field, value) "
        "select $1, owner_id, field_code, to_bo, to_field, value "
        "from unnest($2, $3, $4, $5, $6) u (owner_id, field_code, to_bo, to_field, value) "
        "on conflict do nothing",
        company, {&come.waiting_owners, &come.waiting_fields, &come.waiting_bos, &come.waiting_to_fields, &come.waiting_values});
}

void write_values(const std::string &company, const Workspace &workspace) {
  std::vector<NewKey> come;
  Column bos, fields, values;
  for (const auto &[key, holder] : workspace.holders()) {
    if (holder.current == holder.stored) continue;
    if (holder.current != nullptr) come.push_back({key, holder.current});
    if (holder.stored == nullptr) continue;
    bos.add(key.bo->code);
    fields.add(key.field->code);
    values.add(key.text);
  }
  if (!bos.empty())
    run("delete from migrator.instance_unique v using unnest($2, $3, $4) u (bo, field, value) "
        "where v.company = $1 and v.bo = u.bo and v.field = u.field and v.value = u.value",
        company, {&bos, &fields, &values});
  // In this order: two sessions that bring the same values meet at the first of them.
  std::sort(come.begin(), come.end(), [](const NewKey &a, const NewKey &b) {
    return std::tie(a.key.bo->code, a.key.field->code, a.key.text) < std::tie(b.key.bo->code, b.key.field->code, b.key.text);
  });
  pg::RowWriter rows("migrator", "instance_unique", {"company", "bo", "field", "value", "id"});
  for (const NewKey &key : come) {
    rows.row();
    rows.text(company);
    rows.text(key.key.bo->code);
    rows.text(key.key.field->code);
    rows.text(key.key.text);
    rows.text(key.instance->id);
  }
  insert(rows);
}

// By statements, for a table that has more to be served than its indexes. The instances are locked.
void write_known_by_statement(const std::string &company, const std::vector<Instance *> &known) {
  Column ids, external_ids, states, fields, linked, touched;
  for (const Instance *instance : known) {
    if (instance->is_changed) {
      ids.add(instance->id);
      instance->external_id.empty() ? external_ids.add_null() : external_ids.add(instance->external_id);
      states.add(name_of(instance->state));
      fields.add(fields_of(*instance));
    } else if (instance->has_new_links) {
      linked.add(instance->id);
    } else if (instance->is_touched) {
      touched.add(instance->id);
    }
  }
  if (!ids.empty())
    run("update migrator.instance i set external_id = u.external_id, state = u.state, fields = u.fields::jsonb, "
        "  updated_at = now(), in_migrated_at = now() "
        "from unnest($2, $3, $4, $5) u (id, external_id, state, fields) where i.company = $1 and i.id = u.id",
        company, {&ids, &external_ids, &states, &fields});
  if (!linked.empty())
    run("update migrator.instance set updated_at = now(), in_migrated_at = now() where company = $1 and id = any ($2)", company, {&linked});
  if (!touched.empty())
    run("update migrator.instance set in_migrated_at = now() where company = $1 and id = any ($2)", company, {&touched});
}

// Instances that were there before, in the order of their ids. Those that were only read are locked and compared as well:
// what they were like has decided something.
void write_known(const std::string &company, Workspace &workspace, bool by_statement) {
  std::vector<Instance *> known;
  for (Instance &instance : workspace.instances())
    if (instance.is_loaded && !instance.is_new) {
      instance.is_dated = instance.is_changed || instance.has_new_links;
      known.push_back(&instance);
    }
  if (by_statement) return write_known_by_statement(company, known);
  std::sort(known.begin(), known.end(), [](const Instance *a, const Instance *b) { return a->id < b->id; });
  pg::RowWriter rows("migrator", "instance", {"in_migrated_at", "updated_at", "external_id", "state", "fields"});
  for (const Instance *instance : known) {
    rows.row(instance->version);
    if (instance->is_touched || instance->is_dated) rows.now();
    if (instance->is_dated) rows.now();
    if (instance->is_changed) {
      instance->external_id.empty() ? rows.null() : rows.text(instance->external_id);
      rows.text(name_of(instance->state));
      rows.json(instance->fields);
    }
    rows.keep_rest();
  }
  update(rows);
}

void write_new(const std::string &company, Workspace &workspace) {
  std::vector<const Instance *> fresh;
  for (const Instance &instance : workspace.instances())
    if (instance.is_new) fresh.push_back(&instance);
  // In the order of the external ids: two sessions that bring the same instances meet at the first of them.
  std::sort(fresh.begin(), fresh.end(), [](const Instance *a, const Instance *b) {
    return std::tie(a->bo->code, a->external_id, a->id) < std::tie(b->bo->code, b->external_id, b->id);
  });
  pg::RowWriter rows("migrator", "instance", {"company", "id", "bo", "external_id", "state", "fields", "created_at", "updated_at", "in_migrated_at"});
  for (const Instance *instance : fresh) {
    rows.row();
    rows.text(company);
    rows.text(instance->id);
    rows.text(instance->bo->code);
    instance->external_id.empty() ? rows.null() : rows.text(instance->external_id);
    rows.text(name_of(instance->state));
    rows.json(instance->fields);
    for (int i = 0; i < 3; i++) rows.now();
  }
  insert(rows);
}

// Owners that got links after they were written.
void date_owners(const std::string &company, Workspace &workspace) {
  Column ids;
  for (const Instance &instance : workspace.instances())
    if (instance.is_loaded && !instance.is_new && instance.has_new_links && !instance.is_dated) ids.add(instance.id);
  date(company, ids);
}

void write_checks(const std::string &company, const Links &links) {
  struct Columns {
    Column bos, external_ids, fields, to_bos, to_external_ids;
  };
  // Of several checks of one link the last one counts.
  using Named = std::tuple<std::string_view, std::string_view, std::string_view, std::string_view, std::string_view>;
  std::map<Named, const Links::Check *> last;
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
  write("delete from migrator.incomplete_reference r using unnest($2, $3, $4, $5, $6) "
        "  u (bo, external_id, field_code, to_bo, to_external_id) "
        "where r.company = $1 and r.bo = u.bo and r.external_id = u.external_id and r.field_code = u.field_code "
        "  and r.to_bo = u.to_bo and r.to_external_id = u.to_external_id",
        complete);
  write("insert into migrator.incomplete_reference (company, bo, external_id, field_code, to_bo, to_external_id) "
        "select $1, u.* from unnest($2, $3, $4, $5, $6) u "
        "on conflict (company, bo, external_id, field_code, to_bo, to_external_id) do update set checked_at = now()",
        incomplete);
}

}  // namespace

void flush(const std::string &company, Workspace &workspace, Links &links, const std::vector<std::string_view> &record_keys, bool by_statement) {
  links.mark_owners();
  write_known(company, workspace, by_statement);
  NewKeys const keys = new_keys(workspace);
  meet(company, workspace, links, keys);
  Links::Difference gone, come;
  links.differences(gone, come);
  links.mark_owners();
  write_links(company, gone, come);
  resolve(company, workspace, keys);
  date_owners(company, workspace);
  write_new(company, workspace);
  write_values(company, workspace);

  pg::RowWriter aliases("migrator", "instance_alias", {"company", "bo", "external_id", "id"});
  for (const Alias &alias : workspace.aliases()) {
    aliases.row();
    aliases.text(company);
    aliases.text(alias.bo->code);
    aliases.text(alias.external_id);
    aliases.text(alias.instance->id);
  }
  insert(aliases);
  pg::RowWriter records("migrator", "seen_record", {"company", "record_id", "seen_at"});
  for (std::string_view key : record_keys) {
    records.row();
    records.text(company);
    records.text(key);
    records.now();
  }
  insert(records);
  write_checks(company, links);
}

}  // namespace migrator::store
