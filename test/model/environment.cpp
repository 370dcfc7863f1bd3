// Everybody else: the operator, the runner, the supplier, crashes, backups and copies.

#include "steps.hpp"

namespace model {

State first_state() {
  return {};
}

const std::vector<Step> &Steps::of(const State &state) {
  from_ = &state;
  steps_.clear();
  steps_.reserve(256);               // references to steps stay good
  kafka_steps();
  // What Kafka has decided completes at once: whatever comes before that waits for it, or is as good as lost.
  if (!steps_.empty() && steps_.front().fair) {
    steps_.erase(steps_.begin() + 1, steps_.end());
    return steps_;
  }
  for (int who = 0; who < k_publishers + k_slots; who++) client_steps(who);
  for (int p = 0; p < bounds_.publishers; p++) publisher_steps(p);
  if (!state.adopted) run_steps(&State::database);
  if (state.cloned && (state.adopted || !rules_.identity)) run_steps(&State::other);
  supplier_steps();
  fault_steps();
  copy_steps();
  resolving_steps();
  loss_steps();
  return steps_;
}

State &Steps::add(const char *text, bool fair, int publisher, int slot) {
  return steps_.emplace_back(*from_, text, static_cast<Byte>(publisher), static_cast<Byte>(slot), fair).next;
}

State *Steps::add_fault(const char *text, int publisher, int slot) {
  if (bounds_.faults == k_no_bound) return &add(text, false, publisher, slot);
  if (from_->faults >= bounds_.faults) return nullptr;
  State &next = add(text, false, publisher, slot);
  next.faults++;
  return &next;
}

// A version of a row that was not written by a claim.
void Steps::write_row(Database &database, int row, Byte status) const {
  database.row[row].status = status;
  database.row[row].claim = 0;
  database.row[row].late = database.run[bounds_.companies > 1 ? row : 0].planned;
}

// The runner, and the operator who starts and cancels.
void Steps::run_steps(Database State::*where) {
  Database const &database = from_->*where;
  for (int company = 0; company < bounds_.companies; company++) {
    Run const &run = database.run[company];
    bool work = false, fresh = false, claimed = false, leftover = false;
    for (int i = 0; i < k_rows; i++) {
      work = work || (is_of(i, company) && database.row[i].status == waiting);
      fresh = fresh || (is_of(i, company) && database.row[i].status == waiting && !database.row[i].late);
    }
    for (Slot const &slot : database.slot) {
      if (slot.chunk == 0 || company_of(slot) != company) continue;
      claimed = claimed || slot.chunk_run == run.id;
      leftover = leftover || over(database, slot);
    }
    if (run.state != running) {
      if (!leftover && (!work || database.last_run >= bounds_.runs)) continue;
      State &next = add("a run begins", true);
      Database &started = next.*where;
      if (bounds_.reader) next.starts++;
      started.run[company] = {++started.last_run, running, 0, next.starts};
      next.holder = 0;
      continue;
    }
    if (!run.planned && !leftover) {
      Database &planned = add("the run is planned", true).*where;
      planned.run[company].planned = 1;
      for (int i = 0; i < k_rows; i++)
        if (is_of(i, company)) planned.row[i].late = 0;
    }
    if (run.planned && !fresh && !claimed) (add("the run ends", true).*where).run[company].state = ended;
    if (database.last_run < bounds_.runs) {
      Database &stopped = add("the operator cancels the run", false).*where;
      stopped.run[company].state = cancelled;
      for (Slot &slot : stopped.slot)
        if (!rules_.cancel_asks && slot.chunk != 0 && slot.chunk_run == run.id) release(stopped, slot);
    }
  }
}

void Steps::supplier_steps() {
  if (from_->changes >= bounds_.changes) return;
  Database State::*const where = from_->adopted ? &State::other : &State::database;
  for (int i = 0; i < k_rows; i++) {
    Row const &row = (from_->*where).row[i];
    if (row.status == done) continue;
    bool const retry = row.status == error;
    if (!retry && from_->newest_content[i] + 1 < k_contents) {
      State &next = add(i == 0 ? "the supplier changes the first row" : "the supplier changes the second row", false);
      next.changes++;
      write_row(next.*where, i, row.status);
      (next.*where).row[i].content = ++next.newest_content[i];
    }
    if (retry) {
      State &next = add("the operator has the refused row tried again", false);
      next.changes++;
      write_row(next.*where, i, waiting);
    }
  }
}

void Steps::fault_steps() {
  for (int who = 0; who < k_publishers + k_slots; who++) {
    Client const &client = client_of(*from_, who);
    if (!client.alive()) continue;
    bool const own = who < k_publishers;
    auto const die = [&](State *next) {
      if (next == nullptr) return;
      kill_client(*next, who);
      if (own) client_of(*next, who).go(At::dead);
    };
    if (!own) die(&add("the client on slot %s notices that its worker is gone", true, 0, client.slot));
    else die(add_fault("client of %p on slot %s fails or is killed", who, client.slot));
    if (client.where() != At::init || !rules_.one_id_a_slot || !bounds_.fine) continue;
    State *const late = add_fault("client of %p is killed, its InitProducerId for slot %s still on its way", who, client.slot);
    die(late);
    if (late != nullptr) late->kafka[client.slot].inits = 1;
  }
  for (int p = 0; p < bounds_.publishers; p++)
    if (from_->publisher[p].next() != Todo::nothing)
      if (State *const next = add_fault("%p is terminated", p, from_->publisher[p].slot - 1)) lose_publisher(bounds_, *next, p);
  for (bool const loses : {false, true}) {
    if (loses && !from_->unflushed) continue;
    State *const next = add_fault(loses ? "the server crashes and loses what was not flushed" : "the server crashes and starts");
    if (next == nullptr) break;
    if (loses) next->database = next->other;
    flush(*next);
    for (int p = 0; p < k_publishers; p++)
      if (!bounds_.clone || p == next->adopted) lose_publisher(bounds_, *next, p);
    for (Slot &slot : (next->adopted ? next->other : next->database).slot) slot.since_start = 0;
  }
  for (int slot = 0; slot < k_slots; slot++)
    for (bool const former : {false, true}) {
      if ((former ? from_->former[slot] : from_->kafka[slot]).state != ongoing) continue;
      bool owned = false;
      for (int who = 0; who < k_publishers + k_slots; who++) {
        Client const &client = client_of(*from_, who);
        owned = owned || (client.alive() && client.slot == slot && (client.former != 0) == former && client.fresh);
      }
      const char *const text = "Kafka: the transaction on slot %s times out";
      State *const next = owned ? add_fault(text, 0, slot) : &add(text, true, 0, slot);
      if (next != nullptr) abort_transaction(*next, slot, former);
    }
}

void Steps::copy_steps() {
  // What the copy does not know of must have ended: its time is longer than that of a transaction.
  auto const quiet = [&] {
    for (int slot = 0; slot < k_slots; slot++) {
      Kafka const &kafka = from_->kafka[slot];
      bool busy = (kafka.state != empty && kafka.state != complete_commit) || kafka.ends > 0 || kafka.late > 0;
      for (int who = 0; who < k_publishers + k_slots; who++)
        busy = busy || (client_of(*from_, who).alive() && client_of(*from_, who).slot == slot);
      if (!from_->other.slot[slot].exists && busy) return false;
    }
    return true;
  };
  // Before its first run a database has no names in Kafka by which it could find again what it published. For the reader
  // see README.md.
  Run const &run = from_->database.run[0];
  bool const too_early = from_->database.last_run == 0 || (bounds_.reader && run.state == running && !run.planned);
  if (bounds_.backup && from_->has_other == 0 && !too_early) {
    State &next = add(bounds_.promotion ? "the standby falls behind" : "a backup is made", false);
    next.other = next.database;
    next.has_other = 1;
  }
  if (bounds_.backup && from_->has_other == 1 && quiet()) {
    State &next = add(bounds_.promotion ? "the standby is promoted" : "the backup is restored", false);
    for (int p = 0; p < k_publishers; p++) lose_publisher(bounds_, next, p);
    next.database = next.other;
    next.other = {};
    next.has_other = 2;
    next.restored = 1;
    for (Slot &slot : next.database.slot)
      if (!bounds_.promotion || rules_.start_by_equality) slot.since_start = 0;
  }
  if (bounds_.clone && !from_->cloned) {
    State &next = add("the database is copied to another place", false);
    next.other = next.database;
    next.cloned = 1;
    for (Slot &slot : next.other.slot) slot.since_start = 0;
  }
  if (bounds_.clone && from_->cloned && !from_->adopted && quiet()) {
    State &next = add("the original is stopped for good and the copy adopted", false);
    lose_publisher(bounds_, next, 0);
    next.adopted = 1;
    for (Slot &slot : next.other.slot) slot.doubt = slot.next = slot.recovered_for = 0;
  }
}

// migrator.resolve_in_doubt()
void Steps::resolving_steps() {
  for (int i = 0; bounds_.resolving && i < k_slots; i++) {
    if (!from_->database.slot[i].doubt) continue;
    State &next = add("the operator resolves the doubt of slot %s", false, 0, i);
    Slot &slot = next.database.slot[i];
    bool const found = slot.doubt == unknown_marker;
    slot.doubt = slot.recovered_for = 0;
    slot.accepted = found ? next.kafka[i].markers : Byte{0};
    if (found) continue;
    slot.next = 0;
    // With its marker lost, the claimed chunk is published again by intent.
    for (int row = 0; row < k_rows; row++)
      if (Row const &claimed = next.database.row[row]; slot.chunk != 0 && claimed.claim == slot.chunk)
        if (Byte &chunk = next.committed[row][claimed.content]; chunk == k_no_marker) chunk = 0;
  }
}

// Markers go, those of transactions under way too; their rows stay.
void Steps::loss_steps() {
  if (!bounds_.loss || from_->lost) return;
  State &anew = add("the marker topic is deleted and made anew", false);
  anew.lost = 1;
  for (auto const of : {&State::kafka, &State::former})
    for (Kafka &kafka : anew.*of) kafka.markers = kafka.newest = kafka.raw = kafka.used = kafka.marker = 0;
  for (auto &row : anew.committed)
    for (Byte &chunk : row)
      if (bounds_.resolving && chunk != 0) chunk = k_no_marker;
  for (int slot = 0; slot < k_slots; slot++) {
    if (bounds_.resolving || !from_->kafka[slot].used) continue;
    State &next = add("the marker records of slot %s are deleted", false, 0, slot);
    next.lost = 1;
    for (auto const of : {&State::kafka, &State::former}) {
      Kafka &kafka = (next.*of)[slot];
      if (kafka.marker != 0) next.kafka[slot].markers++;  // offsets stay
      kafka.newest = kafka.raw = kafka.marker = 0;
    }
  }
}

}  // namespace model
