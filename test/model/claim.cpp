// Tasks, claims and recordIds: publish/publisher.cpp, and claim() of publish/source.hpp.

#include <stdexcept>

#include "steps.hpp"

namespace model {

// Where rows have an order: only from a task that it holds, and when what was claimed of it is settled.
bool Steps::may_claim(int p) {
  if (!bounds_.ordered) return true;
  Publisher const &publisher = from_->publisher[p];
  if (rules_.one_holder && from_->holder != p + 1) {
    bool const left = from_->holder == 0 || from_->publisher[from_->holder - 1].next() == Todo::nothing;
    if (left) add("%p: takes the task", true, p, publisher.slot - 1).holder = static_cast<Byte>(p + 1);
    return false;
  }
  for (const Slot &slot : from_->database.slot)
    if (rules_.in_order && slot.chunk != 0 && slot.chunk_run == publisher.run) return false;
  return true;
}

// What the recordIds of the messages that are made now have in common; the row's key is the rest.
Byte Steps::record_of(State &state, int p) const {
  if (!bounds_.reader) return 0;
  Publisher const &publisher = state.publisher[p];
  Byte const of_run = rules_.record_start ? publisher.run_start : publisher.run;
  if (rules_.record_id) return of_run;
  state.random ^= 1;
  return static_cast<Byte>(of_run + k_random * state.random);
}

Batch Steps::claimable(int p) const {
  int const company = bounds_.companies > 1 ? p : 0;
  Batch batch{};
  int count = 0;
  for (int i = 0; i < k_rows && count < bounds_.chunk_rows; i++) {
    Row const &row = database_of(*from_, p).row[i];
    if (!is_of(i, company) || row.status != waiting || row.late) continue;
    batch.rows = static_cast<Byte>(batch.rows | 1 << i);
    batch.content[i] = row.content;
    count++;
  }
  return batch;
}

Byte new_chunk(State &state) {
  if (state.last_chunk == k_chunks) throw std::runtime_error("too few chunk ids for these bounds");
  return ++state.last_chunk;
}

// One transaction, but others act in it: what it reads is older than its commit. What precedes its rows is looked for in
// a statement of its own.
void Steps::begin_to_claim(int p) {
  Batch const batch = claimable(p);
  if (batch.rows == 0 || !may_claim(p)) return;
  Publisher &claimer = add("%p: begins to claim", true, p, from_->publisher[p].slot - 1).publisher[p];
  if (!bounds_.ordered) claimer.batch = batch;
  claimer.plan(Todo::claim);
}

void Steps::claim(int p) {
  Publisher const &publisher = from_->publisher[p];
  int const mine = publisher.slot - 1;
  Batch batch = publisher.batch;
  if (batch.rows == 0) {
    batch = claimable(p);
    State &next = add(batch.rows != 0 ? "%p: reads rows" : "%p: nothing is left to claim", true, p, mine);
    next.publisher[p].batch = batch;
    if (batch.rows == 0) next.publisher[p].plan(Todo::look);
    return;
  }
  bool conflict = database_of(*from_, p).slot[mine].chunk != 0;
  for (int i = 0; rules_.claim_conflicts && i < k_rows; i++) {
    Row const &row = database_of(*from_, p).row[i];
    bool const same = row.status == waiting && !row.late && row.content == batch.content[i];
    conflict = conflict || ((batch.rows >> i & 1) != 0 && !same);
  }
  if (conflict) return stop_publisher(add("%p: somebody else has written meanwhile, it begins anew", true, p, mine), p);
  State &next = add("%p: claims rows for slot %s", true, p, mine);
  Database &database = database_of(next, p);
  if (!rules_.durable_claim) {
    next.other = database;
    next.unflushed = 1;
  }
  batch.chunk = new_chunk(next);
  Slot &slot = database.slot[mine];
  slot.chunk = batch.chunk;
  slot.chunk_run = publisher.run;
  slot.chunk_rows = slot.chunk_left = batch.rows;
  database.learn(batch.chunk);
  for (int i = 0; i < k_rows; i++)
    if ((batch.rows >> i & 1) != 0) {
      database.row[i].status = on_work;
      database.row[i].claim = batch.chunk;
      database.row[i].late = 0;
    }
  next.publisher[p].batch = batch;
  next.publisher[p].batch.record = record_of(next, p);
  next.publisher[p].plan(rules_.finish_last ? Todo::publishing : Todo::early);
}

}  // namespace model
