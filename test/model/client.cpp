// The Kafka client process: kafka/opening.cpp, kafka/markers.cpp, kafka/producer.cpp. Its failures are those of the
// environment: at any moment it may be killed, which is also what an error or a timeout of any request comes to.

#include "steps.hpp"

namespace model {

void kill_client(State &state, int who) {
  Client &client = client_of(state, who);
  if (client.alive() && client.fresh) requests_outlive(coordinator_of(state, client));
  client = {};
}

void Steps::client_steps(int who) {
  Client const &client = client_of(*from_, who);
  if (!client.alive()) return;
  bool const own = who < k_publishers, former = client.former;
  int const slot = client.slot, p = own ? who : 0;
  Kafka const &kafka = former ? from_->former[slot] : from_->kafka[slot];
  bool const busy = kafka.state == prepare_commit || kafka.state == prepare_abort;
  bool const needs_epoch = client.where() >= At::rows && client.where() <= At::wait;
  auto const opened = [&](State &next, int publisher) {
    next.publisher[publisher].client.go(At::idle);
    next.publisher[publisher].plan(Todo::recover);
  };
  if (needs_epoch && !client.fresh) {
    State &next = add("the client process on slot %s is told that it is fenced, and ends", own, p, slot);
    kill_client(next, who);
    if (own) client_of(next, who).go(At::dead);
    return;
  }
  switch (client.where()) {
    case At::init:
      if (busy) return;
      if (kafka.state == ongoing) {
        abort_transaction(add("client of %p: InitProducerId on slot %s fences the old owner and aborts what it left open", own, p, slot), slot, former);
      } else {
        State &next = add("client of %p: InitProducerId on slot %s gives it a new epoch", own, p, slot);
        fence(next, slot, former);
        next.publisher[p].client.fresh = 1;
        if (rules_.init_before_scan) next.publisher[p].client.go(At::scan);
        else opened(next, p);
      }
      return;
    case At::scan: {
      // A reader of committed records waits at the first open transaction, until the end that it was told is reached.
      auto const open = [](const Kafka &id) { return id.marker != 0; };
      Kafka const &log = from_->kafka[slot];
      if (rules_.read_committed && (open(log) || open(from_->former[slot]))) return;
      State &next = add("client of %p: reads the markers of slot %s", own, p, slot);
      Publisher &publisher = next.publisher[p];
      Slot const &known = database_of(*from_, p).slot[slot];
      // From the newest one known, included.
      if (log.markers >= known.next) publisher.seen = log.newest;
      if (!rules_.read_committed && log.raw != 0) publisher.seen = log.raw;
      if (publisher.seen != 0) publisher.seen_count = log.markers;
      if (rules_.init_before_scan && rules_.first_marker && publisher.seen == 0 && known.next == 0) {
        publisher.client.batch.chunk = known.last;
        publisher.client.go(At::marker);
        if (bounds_.clone && p == 1 && !next.adopted) accuse(next, Violation::clone);
      } else if (rules_.init_before_scan) opened(next, p);
      else next.publisher[p].client.go(At::init);
      return;
    }
    case At::rows:
    case At::marker:
    case At::send:
      if (busy) return;
      produce(who, add(!bounds_.fine                 ? "client on slot %s: produces rows and marker and sends EndTxn(commit)"
                       : client.where() == At::rows  ? "client on slot %s: produces a row"
                       : client.where() == At::marker ? "client on slot %s: produces the marker"
                                                      : "client on slot %s: sends EndTxn(commit)", own, p, slot));
      return;
    case At::wait: end_transaction(who); return;
    case At::refused: {
      auto const answer = [&](State &next) {
        kill_client(next, who);
        if (own) next.publisher[p].plan(Todo::refuse);
      };
      State &next = add("client of %p: aborts on slot %s and names the refused row", own, p, slot);
      abort_transaction(next, slot, former);
      answer(next);
      if (State *const late = add_fault("client of %p: cannot abort in time on slot %s, and names the refused row", p, slot)) answer(*late);
      return;
    }
    default: return;
  }
}

// One request, handled by the broker at once: an unanswered one is one after which the client is killed.
void Steps::produce(int who, State &next) {
  produce_one(who, next);
  while (!bounds_.fine && client_of(next, who).where() < At::wait) produce_one(who, next);
}

void Steps::produce_one(int who, State &next) {
  Client &client = client_of(next, who);
  Kafka &kafka = coordinator_of(next, client);
  if (client.where() == At::send) {
    kafka.ends = 1;
    client.repeated = 0;
    client.go(At::wait);
    return;
  }
  if (kafka.state != ongoing) kafka.state = ongoing;
  if (client.where() == At::marker) {
    kafka.marker = client.batch.chunk;
    next.kafka[client.slot].used = 1;
    if (!rules_.read_committed) next.kafka[client.slot].raw = client.batch.chunk;
    client.marked = static_cast<Byte>(next.kafka[client.slot].markers + 1);
    client.go(At::send);
    return;
  }
  int row = 0;
  while (((client.batch.rows & ~client.produced) >> row & 1) == 0) row++;
  if (bounds_.refusal && row == 0 && client.batch.content[0] == 0) {
    client.go(At::refused);
    return;
  }
  kafka.rows = static_cast<Byte>(kafka.rows | 1 << row);
  kafka.content[row] = client.batch.content[row];
  if (bounds_.reader) check_record(next, row, kafka.content[row], client.batch.record);
  client.produced = static_cast<Byte>(client.produced | 1 << row);
  if (client.produced == client.batch.rows) client.go(rules_.marker_with_rows ? At::marker : At::send);
}

// Waiting for the answer to EndTxn. A request that is not answered is sent again over another connection, while the
// first may still arrive.
void Steps::end_transaction(int who) {
  Client const &client = client_of(*from_, who);
  bool const own = who < k_publishers;
  int const slot = client.slot, p = own ? who : 0;
  Kafka const &kafka = client.former ? from_->former[slot] : from_->kafka[slot];
  if (kafka.ends > 0) {
    bool const accepted = kafka.state == ongoing || kafka.state == complete_commit;
    auto const arrive = [&](State &next) -> Client & {
      Client &sender = client_of(next, who);
      Kafka &coordinator = coordinator_of(next, sender);
      coordinator.ends--;
      if (coordinator.state == ongoing) commit_transaction(bounds_, next, coordinator);
      return sender;
    };
    if (accepted) {
      State &next = add(kafka.state == ongoing ? "Kafka: commits the transaction on slot %s and says so"
                                               : "Kafka: says that the transaction on slot %s is committed", own, p, slot);
      Client &sender = arrive(next);
      requests_outlive(coordinator_of(next, sender));
      sender.go(sender.marked ? At::answer : At::marker);
      State *const lost = add_fault(kafka.state == ongoing ? "Kafka: commits the transaction on slot %s; the answer is lost"
                                                           : "Kafka: the answer about the commit on slot %s is lost", p, slot);
      if (lost != nullptr) arrive(*lost);
    } else {
      State &next = add("Kafka: refuses EndTxn(commit) on slot %s, and the client process ends", own, p, slot);
      arrive(next);
      kill_client(next, who);
      if (own) client_of(next, who).go(At::dead);
    }
  }
  if (kafka.ends == 2) return;
  const char *const text = "client on slot %s: sends EndTxn(commit) again";
  State *const next = own && kafka.ends == 0 ? &add(text, true, p, slot) : add_fault(text, p, slot);
  if (next == nullptr) return;
  Client &sender = client_of(*next, who);
  coordinator_of(*next, sender).ends++;
  sender.repeated = 1;
}

}  // namespace model
