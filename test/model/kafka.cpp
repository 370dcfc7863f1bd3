// The transaction coordinator and the log.

#include "steps.hpp"

namespace model {

// A new epoch: whoever has the old one is refused, and so is what he sent.
void fence(State &state, int slot, bool former) {
  for (int who = 0; who < k_publishers + k_slots; who++) {
    Client &client = client_of(state, who);
    if (client.slot == slot && (client.former != 0) == former) client.fresh = 0;
  }
  Kafka &kafka = former ? state.former[slot] : state.kafka[slot];
  kafka.ends = kafka.late = 0;
}

void abort_transaction(State &state, int slot, bool former) {
  Kafka &kafka = former ? state.former[slot] : state.kafka[slot];
  kafka.state = prepare_abort;
  fence(state, slot, former);
}

// Decided: from here on it cannot fail.
void commit_transaction(const Bounds &bounds, State &state, Kafka &kafka) {
  kafka.state = prepare_commit;
  if (bounds.ordered) check_order(state, kafka);
  for (int row = 0; row < k_rows; row++) {
    if ((kafka.rows >> row & 1) == 0) continue;
    Byte &chunk = state.committed[row][kafka.content[row]];
    // After a doubt that was resolved, what a restored database does not know of is published again by intent.
    bool const by_intent = bounds.resolving && bounds.backup && chunk != 0 && !state.database.knows(chunk);
    if (chunk != 0 && !by_intent) accuse(state, Violation::twice);
    chunk = !bounds.resolving ? Byte{1} : kafka.marker != 0 ? kafka.marker : k_no_marker;
  }
}

// Nobody waits for their answers any more; they are on their way all the same.
void requests_outlive(Kafka &kafka) {
  kafka.late = static_cast<Byte>(std::min(2, kafka.late + kafka.ends));
  kafka.ends = 0;
}

namespace {

void clear_transaction(Kafka &kafka, Byte state) {
  kafka.state = state;
  kafka.rows = kafka.marker = 0;
  for (Byte &content : kafka.content) content = 0;
}

void complete(State &state, int slot, bool former) {
  Kafka &kafka = former ? state.former[slot] : state.kafka[slot];
  bool const committed = kafka.state == prepare_commit;
  if (committed && kafka.marker != 0) {
    state.kafka[slot].markers++;
    state.kafka[slot].newest = kafka.marker;
  }
  clear_transaction(kafka, committed ? complete_commit : empty);
}

// An EndTxn(commit) whose sender does not wait for the answer.
void late_end(const Bounds &bounds, State &state, int slot, bool former) {
  Kafka &kafka = former ? state.former[slot] : state.kafka[slot];
  kafka.late--;
  if (kafka.state == ongoing) commit_transaction(bounds, state, kafka);
}

}  // namespace

void Steps::kafka_steps() {
  for (int slot = 0; slot < k_slots; slot++) {
    for (bool const former : {false, true}) {
      Kafka const &kafka = former ? from_->former[slot] : from_->kafka[slot];
      if (kafka.state == prepare_commit || kafka.state == prepare_abort)
        complete(add(kafka.state == prepare_commit ? "Kafka: the commit on slot %s is complete" : "Kafka: the abort on slot %s is complete",
                     true, 0, slot), slot, former);
      if (kafka.late > 0)
        if (State *const next = add_fault("Kafka: a late EndTxn(commit) arrives on slot %s", 0, slot)) late_end(bounds_, *next, slot, former);
    }
    Kafka const &kafka = from_->kafka[slot];
    if (kafka.inits == 0 || kafka.state == prepare_commit || kafka.state == prepare_abort) continue;
    State *const next = add_fault("Kafka: a late InitProducerId arrives on slot %s", 0, slot);
    if (next == nullptr) continue;
    next->kafka[slot].inits = 0;
    if (kafka.state == ongoing) abort_transaction(*next, slot);
    else fence(*next, slot);
  }
}

}  // namespace model
