// What must hold in every state, and in every end.

#include "steps.hpp"

namespace model {

const char *text_of(Violation violation) {
  switch (violation) {
    case Violation::none: return "all is well";
    case Violation::twice: return "a row's content is committed twice";
    case Violation::lost: return "a row is DONE whose content was never committed";
    case Violation::refused_and_published: return "a row is ERROR whose content is committed";
    case Violation::doubt: return "in doubt, though nothing was restored or lost";
    case Violation::clone: return "a copy publishes";
    case Violation::overtaken: return "a row is committed before one that precedes it";
    case Violation::two_ids: return "a row's content has two recordIds in one run";
    case Violation::two_contents: return "a recordId has two contents";
    case Violation::stuck: return "it goes in circles though nothing is wrong any more";
    case Violation::incomplete: return "it stands still with work left";
  }
  return "";
}

void accuse(State &state, Violation violation) {
  if (state.violation == 0) state.violation = static_cast<Byte>(violation);
}

void check(State &state) {
  auto const look_at = [&](const Database &database) {
    for (int i = 0; i < k_rows; i++) {
      Row const &row = database.row[i];
      bool const committed = state.committed[i][row.content] != 0;
      if (row.status == done && !committed) accuse(state, Violation::lost);
      if (row.status == error && committed) accuse(state, Violation::refused_and_published);
    }
  };
  look_at(state.database);
  if (state.cloned) look_at(state.other);
}

// What precedes a row in its run goes before it or with it. What was changed since goes with the next run.
void check_order(State &state, const Kafka &kafka) {
  bool of_this_run = false;
  for (const Slot &slot : state.database.slot)
    of_this_run = of_this_run || (slot.chunk == kafka.marker && slot.chunk_run == state.database.run[0].id);
  for (int i = 1; i < k_rows; i++)
    for (int before = 0; before < i; before++) {
      Row const &row = state.database.row[before];
      bool const due = !row.late && (row.status == on_work || (row.status == waiting && of_this_run));
      bool const gone = (kafka.rows >> before & 1) != 0 || state.committed[before][row.content] != 0;
      if ((kafka.rows >> i & 1) != 0 && due && !gone) accuse(state, Violation::overtaken);
    }
}

// Only so he who discards by recordId holds what is published again once, and misses nothing that is new.
void check_record(State &state, int row, Byte content, Byte record) {
  auto const run_of = [](Byte id) { return id % k_random; };
  Byte &seen = state.seen_record[row][content];
  if (seen != 0 && seen != record && run_of(seen) == run_of(record)) accuse(state, Violation::two_ids);
  for (int other = 0; other < k_contents; other++)
    if (other != content && state.seen_record[row][other] == record) accuse(state, Violation::two_contents);
  seen = record;
}

Violation check_end(const Bounds &bounds, const State &state) {
  Database const &database = state.adopted ? state.other : state.database;
  for (Kafka const &kafka : state.kafka)
    if (kafka.state == ongoing) return Violation::incomplete;
  for (Slot const &slot : database.slot)
    if (slot.doubt) return Violation::none;
  for (int company = 0; company < bounds.companies; company++)
    if (database.run[company].state == running) return Violation::incomplete;
  for (Slot const &slot : database.slot)
    if (slot.chunk != 0) return Violation::incomplete;
  for (int i = 0; i < k_rows; i++) {
    Row const &row = database.row[i];
    bool const left = row.status == waiting && !row.late && database.run[bounds.companies > 1 ? i : 0].state == ended;
    if (row.status == on_work || left) return Violation::incomplete;
  }
  return Violation::none;
}

}  // namespace model
