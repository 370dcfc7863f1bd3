#pragma once
// What can happen next. Each step is one action of one actor, as coarse as the code and Kafka make it: a transaction of
// PostgreSQL, a request that a broker handles, a fault.

#include <algorithm>
#include <string>
#include <vector>

#include "setup.hpp"
#include "state.hpp"

namespace model {

struct Step {
  State next;
  const char *text;                  // %p: publisher, %s: slot
  Byte publisher, slot;
  bool fair;                         // no fault: happens by itself if nothing else does
};

// The steps of a state, fair ones in the order in which an undisturbed system would take them.
class Steps {
public:
  explicit Steps(const Setup &setup) : rules_(setup.rules), bounds_(setup.bounds) {}
  const std::vector<Step> &of(const State &state);

private:
  // kafka.cpp
  void kafka_steps();
  // client.cpp; `who` counts the publishers' clients first, then the orphans
  void client_steps(int who);
  void produce(int who, State &next);
  void produce_one(int who, State &next);
  void end_transaction(int who);
  // publisher.cpp
  void publisher_steps(int p);
  void look(int p);
  void settle(int p);
  void note(int p);
  static void recovered(Publisher &publisher);
  static void note_marker(Slot &slot, Byte id, Byte count);
  void renew_id(State &state, int p, Byte rows) const;
  void finish(Database &database, Slot &slot, const Batch &batch, Byte seen_count) const;
  void release(Database &database, Slot &slot) const;
  void flush(State &state) const;
  // claim.cpp
  bool may_claim(int p);
  Batch claimable(int p) const;
  void begin_to_claim(int p);
  void claim(int p);
  Byte record_of(State &state, int p) const;
  // environment.cpp
  void run_steps(Database State::*where);
  void supplier_steps();
  void fault_steps();
  void copy_steps();
  void resolving_steps();
  void loss_steps();
  void write_row(Database &database, int row, Byte status) const;

  // A fault, or null if there have been enough of them.
  State *add_fault(const char *text, int publisher = 0, int slot = 0);
  State &add(const char *text, bool fair, int publisher = 0, int slot = 0);
  bool belongs(const State &state, int p) const;
  bool lock_is_free(const State &state, int p, int slot) const;
  int company_of(const Slot &slot) const { return bounds_.companies > 1 && (slot.chunk_rows & 1) == 0 ? 1 : 0; }
  bool is_of(int row, int company) const { return bounds_.companies == 1 || row == company; }
  bool over(const Database &database, const Slot &slot) const;

  const Rules &rules_;
  const Bounds &bounds_;
  const State *from_ = nullptr;
  std::vector<Step> steps_;
};

// Why a state must not be; none if all is well.
enum class Violation : Byte { none, twice, lost, refused_and_published, doubt, clone, overtaken, two_ids, two_contents, stuck, incomplete };
const char *text_of(Violation violation);
void accuse(State &state, Violation violation);
void check(State &state);
// Of a transaction of rows that have an order, before it counts as committed.
void check_order(State &state, const Kafka &kafka);
// Of a record that is in the topic, whatever becomes of its transaction.
void check_record(State &state, int row, Byte content, Byte record);
// Of a state in which nothing happens by itself any more.
Violation check_end(const Bounds &bounds, const State &state);

// Where everything begins.
State first_state();

// Shared by the actors.
inline Database &database_of(State &state, int p) { return p == 1 && state.cloned ? state.other : state.database; }
inline const Database &database_of(const State &state, int p) { return p == 1 && state.cloned ? state.other : state.database; }
inline Client &client_of(State &state, int who) {
  return who < k_publishers ? state.publisher[who].client : state.orphan[who - k_publishers];
}
inline const Client &client_of(const State &state, int who) {
  return who < k_publishers ? state.publisher[who].client : state.orphan[who - k_publishers];
}
inline Kafka &coordinator_of(State &state, const Client &client) {
  return client.former ? state.former[client.slot] : state.kafka[client.slot];
}
void fence(State &state, int slot, bool former = false);
void abort_transaction(State &state, int slot, bool former = false);
void commit_transaction(const Bounds &bounds, State &state, Kafka &kafka);
void requests_outlive(Kafka &kafka);
void kill_client(State &state, int who);
Byte new_chunk(State &state);
void stop_publisher(State &state, int p);     // it gives up: its client is killed, its slot is free
// It is gone: its client goes on until it notices.
void lose_publisher(const Bounds &bounds, State &state, int p);

}  // namespace model
