#include "store/links.hpp"

namespace migrator::store {

using Kind = LinkStep::Kind;

Links::Slot &Links::slot(Instance &owner, const Field &field) {
  Slot &result = slots_[{owner.id, field.code}];
  result.owner = &owner;
  return result;
}

Links::Target Links::target_of(const LinkStep &step) {
  return {step.to_bo->code, step.to_field == nullptr ? "" : step.to_field->code, std::string(step.value)};
}

// What the database has of the links that the steps are about. Of a field that is cleared that is all; of others only
// what is named, for there may be any number.
void Links::load() {
  Column owners, fields, targets, all_owners, all_fields;
  Column waiting_owners, waiting_fields, waiting_bos, waiting_to_fields, waiting_values;
  for (const LinkStep &step : workspace_.steps()) {
    if (step.owner == nullptr || step.owner->is_new) continue;
    if (step.kind == Kind::clear) {
      all_owners.add(step.owner->id);
      all_fields.add(step.field->code);
      continue;
    }
    if (step.target != nullptr && !step.target->is_new) {
      owners.add(step.owner->id);
      fields.add(step.field->code);
      targets.add(step.target->id);
    }
    bool const came = step.target != nullptr && (step.target->is_new || step.target->is_changed);
    if (step.kind == Kind::wait || step.kind == Kind::remove || came) {
      waiting_owners.add(step.owner->id);
      waiting_fields.add(step.field->code);
      waiting_bos.add(step.to_bo->code);
      step.to_field == nullptr ? waiting_to_fields.add_null() : waiting_to_fields.add(step.to_field->code);
      waiting_values.add(step.value);
    }
  }
  auto const has_link = [&](const pg::Answer &result) {
    for (const auto &row : result) slots_[{std::string(*row[0]), std::string(*row[1])}].links[std::string(*row[2])] = {true, true};
  };
  auto const has_waiting = [&](const pg::Answer &result) {
    for (const auto &row : result)
      slots_[{std::string(*row[0]), std::string(*row[1])}].waiting[{std::string(*row[2]), std::string(row[3].value_or("")), std::string(*row[4])}] = {true, true};
  };
  if (!owners.empty())
    has_link(run("select l.owner_id, l.field_code, l.target_id "
                 "from unnest($2, $3, $4) k (owner_id, field_code, target_id) "
                 "cross join lateral (select * from migrator.instance_link where company = $1 and owner_id = k.owner_id "
                 "  and field_code = k.field_code and target_id = k.target_id limit 1) l",
                 company_, {&owners, &fields, &targets}));
  if (!all_owners.empty()) {
    has_link(run("select l.owner_id, l.field_code, l.target_id from unnest($2, $3) k (owner_id, field_code) "
                 "join migrator.instance_link l on l.company = $1 and l.owner_id = k.owner_id and l.field_code = k.field_code",
                 company_, {&all_owners, &all_fields}));
    has_waiting(run("select r.owner_id, r.field_code, r.to_bo, r.to_field, r.value "
                    "from unnest($2, $3) k (owner_id, field_code) join in_migration.boi_reference r "
                    "  on r.company = $1 and r.owner_id = k.owner_id and r.field_code = k.field_code and r.resolved_at is null",
                    company_, {&all_owners, &all_fields}));
  }
  if (!waiting_owners.empty())
    has_waiting(run("select r.owner_id, r.field_code, r.to_bo, r.to_field, r.value "
                    "from unnest($2, $3, $4, $5, $6) k (owner_id, field_code, to_bo, to_field, value) "
                    "join in_migration.boi_reference r on r.company = $1 and r.owner_id = k.owner_id and r.field_code = k.field_code "
                    "  and r.to_bo = k.to_bo and r.to_field is not distinct from k.to_field and r.value = k.value and r.resolved_at is null",
                    company_, {&waiting_owners, &waiting_fields, &waiting_bos, &waiting_to_fields, &waiting_values}));
}

// Between our looking for a target and our lock on its owner somebody may have brought it, and linked what waited for it.
void Links::find_what_came() {
  std::vector<LinkStep *> waits;
  Column bos, fields, values;
  for (LinkStep &step : workspace_.steps()) {
    if (step.kind != Kind::wait || step.owner->is_new) continue;
    bos.add(step.to_bo->code);
    step.to_field == nullptr ? fields.add_null() : fields.add(step.to_field->code);
    values.add(step.value);
    waits.push_back(&step);
  }
  if (waits.empty()) return;
  for (const auto &row : find_targets(bos, fields, values)) {
    LinkStep &step = *waits.at(std::stoul(std::string(*row[0])) - 1);
    step.kind = Kind::add;
    step.target = &workspace_.stored(*row[1], *step.to_bo);
  }
}

// Has the owner the link by now? What waited for its target was linked when that came, earlier in the batch.
bool Links::is_linked(const LinkStep &step) {
  const Slot &links = slot(*step.owner, *step.field);
  auto const link = links.links.find(step.target->id);
  if (link != links.links.end() && link->second.now) return true;
  auto const waiting = links.waiting.find(target_of(step));
  return waiting != links.waiting.end() && waiting->second.now;
}

void Links::replay(std::vector<bool> &changed) {
  if (workspace_.steps().empty()) return;
  find_what_came();
  load();
  for (const LinkStep &step : workspace_.steps()) {
    auto const set = [&](State &state, bool now) {
      if (state.now == now) return;
      state.now = now;
      changed[step.message] = true;
    };
    if (step.kind == Kind::check) {
      checks_.push_back({&step, step.owner != nullptr && step.target != nullptr && is_linked(step)});
      continue;
    }
    Slot &links = slot(*step.owner, *step.field);
    switch (step.kind) {
      case Kind::add:
        if (is_linked(step)) links.links[step.target->id].now = true;
        else set(links.links[step.target->id], true);
        break;
      case Kind::wait: set(links.waiting[target_of(step)], true); break;
      case Kind::remove:
        if (step.target != nullptr) set(links.links[step.target->id], false);
        set(links.waiting[target_of(step)], false);
        break;
      case Kind::clear:
        for (auto &[target, state] : links.links) set(state, false);
        for (auto &[target, state] : links.waiting) set(state, false);
        break;
      case Kind::check: break;
    }
  }
  for (const LinkStep &step : workspace_.steps()) {
    if (step.kind != Kind::wait) continue;
    Slot &links = slot(*step.owner, *step.field);
    State &waiting = links.waiting.at(target_of(step));
    const Instance *target = step.to_field == nullptr ? workspace_.by_external(*step.to_bo, step.value)
                                                      : workspace_.by_value(*step.to_bo, *step.to_field, step.value);
    // What waited before is resolved with all others (flush.cpp).
    if (waiting.now && !waiting.stored && target != nullptr) link_what_came(target->id, links, waiting);
  }
}

void Links::link_what_came(std::string_view id, Slot &slot, State &waiting) {
  waiting.now = false;
  slot.links[std::string(id)].now = true;
}

bool Links::adds_waiting() const {
  for (const auto &[name, slot] : slots_)
    for (const auto &[target, state] : slot.waiting)
      if (state.now && !state.stored) return true;
  return false;
}

// Rows (n, id): the n-th of these is there.
pg::Answer Links::find_targets(const Column &bos, const Column &fields, const Column &values) const {
  return run("select k.n::text, coalesce(u.id, i.id, a.id) "
             "from unnest($2, $3, $4) with ordinality k (bo, field, value, n) "
             "left join lateral (select id from migrator.instance_unique "
             "  where company = $1 and bo = k.bo and field = k.field and value = k.value limit 1) u on true "
             "left join lateral (select id from migrator.instance "
             "  where company = $1 and bo = k.bo and external_id = k.value and k.field is null limit 1) i on true "
             "left join lateral (select id from migrator.instance_alias "
             "  where company = $1 and bo = k.bo and external_id = k.value and k.field is null limit 1) a on true "
             "where coalesce(u.id, i.id, a.id) is not null",
             company_, {&bos, &fields, &values});
}

void Links::look_again() {
  Column bos, fields, values;
  std::vector<std::pair<Slot *, State *>> waiting;
  for (auto &[name, slot] : slots_)
    for (auto &[target, state] : slot.waiting) {
      if (!state.now || state.stored) continue;
      bos.add(std::get<0>(target));
      std::get<1>(target).empty() ? fields.add_null() : fields.add(std::get<1>(target));
      values.add(std::get<2>(target));
      waiting.emplace_back(&slot, &state);
    }
  for (const auto &row : find_targets(bos, fields, values)) {
    auto const [slot, state] = waiting.at(std::stoul(std::string(*row[0])) - 1);
    link_what_came(*row[1], *slot, *state);
  }
}

void Links::mark_owners() {
  for (const auto &[name, slot] : slots_)
    for (const auto &[target, state] : slot.links)
      if (state.now != state.stored) slot.owner->has_new_links = true;
}

void Links::differences(Difference &gone, Difference &come) const {
  for (const auto &[name, slot] : slots_) {
    for (const auto &[target, state] : slot.links) {
      if (state.now == state.stored) continue;
      Difference &difference = state.now ? come : gone;
      difference.owners.add(name.first);
      difference.fields.add(name.second);
      difference.targets.add(target);
    }
    for (const auto &[target, state] : slot.waiting) {
      if (state.now == state.stored) continue;
      Difference &difference = state.now ? come : gone;
      difference.waiting_owners.add(name.first);
      difference.waiting_fields.add(name.second);
      difference.waiting_bos.add(std::get<0>(target));
      std::get<1>(target).empty() ? difference.waiting_to_fields.add_null() : difference.waiting_to_fields.add(std::get<1>(target));
      difference.waiting_values.add(std::get<2>(target));
    }
  }
}

}  // namespace migrator::store
