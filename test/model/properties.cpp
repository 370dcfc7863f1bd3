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

// What precedes a row in its run goes before it or with it. A row that was changed since goes with the next run; what
// waits while a run is not planned yet is none of the run whose transaction ends there.
void check_order(State &state, const Kafka &kafka) {
  for (int i = 1; i < k_rows; i++)
    for (int before = 0; before < i; before++) {
      Row const &row = state.database.row[before];
      bool const due = !row.late && (row.status == on_work || (row.status == waiting && state.database.run[0].planned));
      bool const gone = (kafka.rows >> before & 1) != 0 || state.committed[before][row.content] != 0;
      if ((kafka.rows >> i & 1) != 0 && due && !gone) accuse(state, Violation::overtaken);
    }
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
