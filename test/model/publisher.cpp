// The worker: publish/publisher.cpp and publish/recovery.cpp. Each step is one of its transactions, or what it does
// between two of them.

#include "steps.hpp"

namespace model {

void stop_publisher(State &state, int p) {
  kill_client(state, p);
  state.publisher[p] = {};
}

void lose_publisher(const Bounds &bounds, State &state, int p) {
  Client const client = state.publisher[p].client;
  if (bounds.fine && client.where() >= At::rows && client.where() <= At::wait) {
    kill_client(state, k_publishers + client.slot);
    state.publisher[p].client = {};
    state.orphan[client.slot] = client;
  }
  stop_publisher(state, p);
}

// Is the run of the slot's chunk no longer under way?
bool Steps::over(const Database &database, const Slot &slot) const {
  const Run &run = database.run[company_of(slot)];
  return slot.chunk_run != run.id || run.state != running;
}

bool Steps::belongs(const State &state, int p) const {
  if (!bounds_.clone) return true;
  return p == 0 ? !state.adopted : state.cloned && (state.adopted || !rules_.identity);
}

bool Steps::lock_is_free(const State &state, int p, int slot) const {
  if (!rules_.slot_lock || bounds_.clone) return true;  // the copy has locks of its own
  for (int q = 0; q < bounds_.publishers; q++)
    if (q != p && state.publisher[q].slot == slot + 1) return false;
  return true;
}

void Steps::release(Database &database, Slot &slot) const {
  for (int i = 0; i < k_rows; i++)
    if ((slot.chunk_rows >> i & 1) != 0 && database.row[i].status == on_work) write_row(database, i, waiting);
  slot.chunk = slot.chunk_run = slot.chunk_rows = slot.chunk_left = 0;
}

// Rows of the chunk become DONE; what somebody changed meanwhile waits again.
void Steps::finish(Database &database, Slot &slot, const Batch &batch, Byte seen_count) const {
  for (int i = 0; i < k_rows; i++) {
    Row &row = database.row[i];
    bool const same = row.claim == batch.chunk || (!rules_.row_version && slot.chunk == batch.chunk);
    if ((batch.rows >> i & 1) != 0 && row.status == on_work && same) row.status = done;
  }
  if (slot.chunk == batch.chunk) release(database, slot);
  note_marker(slot, batch.chunk, seen_count);
}

// What is newer than the newest marker known so far.
void Steps::note_marker(Slot &slot, Byte id, Byte count) {
  if (count <= slot.next) return;
  slot.next = count;
  slot.last = id;
}

// A marker stands for the rows that its chunk had when it got its id. In truth the rows' transaction id stays what it was.
void Steps::renew_id(State &state, int p, Byte rows) const {
  Database &database = database_of(state, p);
  Slot &slot = database.slot[state.publisher[p].slot - 1];
  slot.chunk_left = rows;
  if (!rules_.new_chunk_id) return;
  Byte const id = new_chunk(state);
  for (Row &row : database.row)
    if (row.claim == slot.chunk) row.claim = id;
  slot.chunk = id;
  database.learn(id);
}

static void open_slot(const Rules &rules, State &state, int p, int slot) {
  Publisher &publisher = state.publisher[p];
  kill_client(state, p);
  if (!rules.one_id_a_slot) {
    Kafka &kafka = state.kafka[slot], &former = state.former[slot];
    former = kafka;
    former.markers = former.newest = former.raw = former.used = former.inits = 0;
    kafka.state = empty;
    kafka.rows = kafka.marker = kafka.ends = kafka.late = 0;
    for (Byte &content : kafka.content) content = 0;
    for (int who = 0; who < k_publishers + k_slots; who++)
      if (Client &client = client_of(state, who); client.alive() && client.slot == slot) {
        if (client.former) client = {};  // one former id is as many as are kept
        else client.former = 1;
      }
  }
  Slot &opened = database_of(state, p).slot[slot];
  opened.exists = 1;
  // Random; a database draws it once for a slot, and once more where a restore has made it forget the slot; so does a copy.
  if (opened.last == 0) opened.last = static_cast<Byte>(k_first_marker + (state.restored || (p == 1 && state.cloned) ? 1 : 0));
  publisher.slot = static_cast<Byte>(slot + 1);
  publisher.batch = {};
  publisher.client.slot = static_cast<Byte>(slot);
  publisher.client.go(rules.init_before_scan ? At::init : At::scan);
  publisher.plan(Todo::opening);
}

// settle_a_slot(), and what step() does after it.
void Steps::look(int p) {
  Publisher const &publisher = from_->publisher[p];
  Database const &database = database_of(*from_, p);
  int const company = bounds_.companies > 1 ? p : 0, mine = publisher.slot - 1;
  Run const &run = database.run[company];
  Byte const run_id = publisher.next() == Todo::nothing ? run.id : publisher.run;
  bool const open = publisher.client.where() != At::absent;  // as far as the worker knows
  auto const leave = [&](const char *why) {
    if (publisher.next() != Todo::nothing) stop_publisher(add(why, true, p, mine), p);
  };
  auto const open_one = [&](int slot, const char *why) {
    State &next = add(why, true, p, slot);
    next.publisher[p].run = run_id;
    next.publisher[p].run_start = run.start;
    open_slot(rules_, next, p, slot);
  };
  if (run.id != run_id || run.state != running) return leave("%p: its run is over, it ends");
  bool others_settle = false;
  bool holding = false;
  int unopened = -1, left = -1;
  for (int i = 0; i < k_slots; i++) {
    Slot const &slot = database.slot[i];
    if (slot.doubt) return leave("%p: a slot is in doubt, it stops");
    if (!slot.exists) continue;
    bool const unsettled = rules_.settle_all && (slot.recovered_for < run_id || (rules_.settle_each_start && !slot.since_start));
    bool const ours = slot.chunk != 0 && (slot.chunk_run == run_id || over(database, slot));
    if (i == mine && open) {
      holding = slot.chunk != 0 && slot.chunk_run == run_id;
      continue;
    }
    if (!unsettled && !ours) continue;
    bool others_run = false;
    for (int other = 0; other < bounds_.companies; other++)
      others_run = others_run || (other != company && database.run[other].state == running && database.run[other].id == slot.recovered_for);
    if (rules_.settle_others) others_run = others_run && slot.since_start;
    int &first = unsettled ? unopened : left;
    if (i == mine || lock_is_free(*from_, p, i)) first = first < 0 ? i : first;
    else if (unsettled && !others_run) others_settle = true;
  }
  if (!rules_.own_chunk_first && unopened < 0) holding = false;
  if (unopened >= 0) return open_one(unopened, "%p: opens slot %s, which is not settled");
  if (left >= 0 && !holding) return open_one(left, "%p: opens slot %s, where a chunk was left");
  if (others_settle) {
    if (publisher.next() == Todo::nothing) return;
    State *const next = add_fault("%p: has waited too long for another publisher to settle a slot", p);
    if (next != nullptr) stop_publisher(*next, p);
    return;
  }
  if (!open) {
    if (mine >= 0) return open_one(mine, "%p: opens its slot %s again");
    for (int i = 0; i < k_slots; i++) {
      Slot const &slot = database.slot[i];
      bool const lent = slot.chunk != 0 && slot.chunk_run != run_id && !over(database, slot);
      if (!lent && lock_is_free(*from_, p, i)) return open_one(i, "%p: opens slot %s");
    }
    return;
  }
  if (!run.planned) return;
  Slot const &slot = database.slot[mine];
  if (slot.chunk == 0) return begin_to_claim(p);
  if (slot.chunk_run != run_id) return leave("%p: the chunk on slot %s is another run's, it leaves it");
  Batch batch{};
  batch.chunk = slot.chunk;
  for (int i = 0; i < k_rows; i++)
    if (database.row[i].status == on_work && database.row[i].claim == slot.chunk) {
      batch.rows = static_cast<Byte>(batch.rows | 1 << i);
      batch.content[i] = database.row[i].content;
    }
  if (batch.rows == 0) {
    State &next = add("%p: nothing is left of the chunk on slot %s, which is finished", true, p, mine);
    finish(database_of(next, p), database_of(next, p).slot[mine], batch, 0);
    return;
  }
  State &next = add("%p: reads the chunk on slot %s again and publishes it", true, p, mine);
  if (batch.rows != slot.chunk_left) {
    flush(next);
    renew_id(next, p, batch.rows);
    batch.chunk = database_of(next, p).slot[mine].chunk;
  }
  next.publisher[p].batch = batch;
  next.publisher[p].batch.record = record_of(next, p);
  next.publisher[p].plan(Todo::publishing);
}

// What the newest marker says.
void Steps::settle(int p) {
  Publisher const &publisher = from_->publisher[p];
  int const mine = publisher.slot - 1;
  Slot const &slot = database_of(*from_, p).slot[mine];
  bool const ours = slot.chunk != 0 && publisher.seen == slot.chunk, none = publisher.seen == 0;
  bool const unchanged = none ? slot.next == 0 : publisher.seen == slot.last && (slot.next == 0 || publisher.seen_count == slot.next);
  auto const stop_in_doubt = [&](const char *why, Doubt doubt) {
    State &next = add(why, true, p, mine);
    database_of(next, p).slot[mine].doubt = doubt;
    if (!next.restored && !next.adopted && !next.lost) accuse(next, Violation::doubt);
    stop_publisher(next, p);
  };
  if (rules_.lost_markers && none && !unchanged)
    return stop_in_doubt("%p: slot %s has no marker any more, though the database knows one: in doubt", nothing_found);
  if (rules_.doubt && !none && !ours && !unchanged && publisher.seen_count > slot.accepted)
    return stop_in_doubt("%p: slot %s bears a marker that the database does not know: in doubt", unknown_marker);
  bool committed = ours;
  for (int i = 0; bounds_.resolving && rules_.any_place && i < k_rows; i++)
    for (Byte const chunk : from_->committed[i]) committed = committed || (slot.chunk != 0 && chunk == slot.chunk);
  if (!rules_.equality) committed = slot.chunk != 0 && !none;
  if (!rules_.recovery) committed = false;
  State &next = add(committed ? "%p: the marker on slot %s is the claimed chunk's: rows become DONE"
                    : slot.chunk != 0 ? "%p: slot %s has no marker of the claimed chunk: it is not committed"
                                      : "%p: nothing is claimed on slot %s", true, p, mine);
  Database &database = database_of(next, p);
  flush(next);
  if (committed) finish(database, database.slot[mine], {.chunk = slot.chunk, .rows = slot.chunk_rows, .content = {}, .record = 0},
                        publisher.seen == slot.chunk ? publisher.seen_count : Byte{0});
  else if (slot.chunk != 0 && over(database, slot)) release(database, database.slot[mine]);
  recovered(next.publisher[p]);
}

// The slot counts as opened for this run.
void Steps::note(int p) {
  Publisher const &publisher = from_->publisher[p];
  int const mine = publisher.slot - 1;
  State &next = add("%p: notes that slot %s is settled", true, p, mine);
  flush(next);
  Database &database = database_of(next, p);
  Slot &slot = database.slot[mine];
  slot.recovered_for = std::max(slot.recovered_for, publisher.run);
  slot.since_start = 1;
  if (publisher.seen != 0) note_marker(slot, publisher.seen, publisher.seen_count);
  for (int i = 0; i < k_slots; i++)
    if (rules_.slots_of_kafka && next.kafka[i].used) database.slot[i].exists = 1;
  recovered(next.publisher[p]);
}

// One half of the recovery is done.
void Steps::recovered(Publisher &publisher) {
  if (publisher.next() == Todo::recover) return publisher.plan(Todo::recover_on);
  publisher.seen = publisher.seen_count = 0;
  publisher.plan(Todo::look);
}

// What was committed without waiting for the disk is there with the next commit that waits.
void Steps::flush(State &state) const {
  if (!state.unflushed) return;
  state.unflushed = 0;
  state.other = {};
}

void Steps::publisher_steps(int p) {
  Publisher const &publisher = from_->publisher[p];
  int const mine = publisher.slot - 1;
  At const client = publisher.client.where();
  switch (publisher.next()) {
    case Todo::nothing:
      if (belongs(*from_, p)) look(p);
      return;
    case Todo::look: look(p); return;
    case Todo::opening:
      if (client == At::dead) stop_publisher(add("%p: its client process has ended; it begins anew", true, p, mine), p);
      if (client == At::answer && publisher.client.repeated && rules_.taint) {
        stop_publisher(add("%p: the first marker of slot %s was committed by one of two requests; it begins anew", true, p, mine), p);
      } else if (client == At::answer) {
        State &next = add("%p: is told that slot %s has its first marker", true, p, mine);
        Publisher &own = next.publisher[p];
        own.seen = own.client.batch.chunk;
        own.seen_count = own.client.marked;
        own.client.batch = {};
        own.client.marked = own.client.repeated = 0;
        own.client.go(At::idle);
        own.plan(Todo::recover);
      }
      return;
    case Todo::recover: return rules_.judge_before_noting ? settle(p) : note(p);
    case Todo::recover_on: return rules_.judge_before_noting ? note(p) : settle(p);
    case Todo::claim: claim(p); return;
    case Todo::early: {
      State &next = add("%p: sets the rows to DONE before they are published", true, p, mine);
      finish(database_of(next, p), database_of(next, p).slot[mine], publisher.batch, 0);
      next.publisher[p].plan(Todo::publishing);
      return;
    }
    case Todo::publishing:
      if (client == At::idle) {
        State &next = add("%p: hands the chunk to its client process", true, p, mine);
        Client &own = next.publisher[p].client;
        own.batch = publisher.batch;
        own.produced = own.marked = own.repeated = 0;
        own.go(At::rows);
        if (bounds_.clone && p == 1 && !next.adopted) accuse(next, Violation::clone);
      } else if (client == At::answer) {
        State &next = add("%p: is told that slot %s has committed", true, p, mine);
        Client &own = next.publisher[p].client;
        next.publisher[p].seen_count = own.marked;
        own.batch = {};
        own.produced = own.marked = 0;
        own.go(At::idle);
        next.publisher[p].plan(Todo::finish);
      } else if (client == At::dead && !rules_.failure_is_no_answer) {
        add("%p: takes the failure for a success", true, p, mine).publisher[p].plan(Todo::finish);
      } else if (client == At::dead || client == At::absent) {
        stop_publisher(add("%p: its client process has ended; it begins anew", true, p, mine), p);
      }
      return;
    case Todo::finish: {
      State &next = add("%p: rows become DONE", true, p, mine);
      Publisher &own = next.publisher[p];
      flush(next);
      finish(database_of(next, p), database_of(next, p).slot[mine], publisher.batch, publisher.seen_count);
      own.batch = {};
      own.seen_count = 0;
      if (own.client.repeated && rules_.taint) kill_client(next, p);
      own.client.repeated = 0;
      own.plan(Todo::look);
      return;
    }
    case Todo::refuse: {
      State &next = add("%p: the refused row becomes ERROR", true, p, mine);
      flush(next);
      Row &row = database_of(next, p).row[0];
      if (row.status == on_work && row.claim == publisher.batch.chunk) row.status = error;
      Slot const &slot = database_of(next, p).slot[mine];
      renew_id(next, p, static_cast<Byte>(slot.chunk_left & ~1));
      Batch refused = publisher.batch;
      refused.chunk = slot.chunk;
      if (!rules_.rest_is_published) finish(database_of(next, p), database_of(next, p).slot[mine], refused, 0);
      next.publisher[p].batch = {};
      next.publisher[p].plan(Todo::look);
      return;
    }
  }
}

}  // namespace model
