#include "search.hpp"

#include <cstring>
#include <stdexcept>
#include <utility>

namespace model {
namespace {

constexpr std::size_t k_packed = (sizeof(State) + 1) / 2;
using Packed = std::array<Byte, k_packed>;
using Id = std::uint32_t;
constexpr Id k_no_id = ~Id{0};

Packed pack(const State &state) {
  std::array<Byte, k_packed * 2> bytes{};
  std::memcpy(bytes.data(), &state, sizeof state);
  Packed packed;
  unsigned all = 0;
  for (std::size_t i = 0; i < k_packed; i++) {
    all |= bytes[2 * i] | bytes[2 * i + 1];
    packed[i] = static_cast<Byte>(bytes[2 * i] | bytes[2 * i + 1] << 4);
  }
  if (all > 15) throw std::runtime_error("a part of the state is larger than 15: too few chunk ids for these bounds");
  return packed;
}

State unpack(const Packed &packed) {
  std::array<Byte, k_packed * 2> bytes;
  for (std::size_t i = 0; i < k_packed; i++) {
    bytes[2 * i] = packed[i] & 15;
    bytes[2 * i + 1] = packed[i] >> 4;
  }
  State state;
  std::memcpy(&state, bytes.data(), sizeof state);
  return state;
}

std::uint64_t hash(const Packed &packed) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < k_packed; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed.data() + i, std::min<std::size_t>(8, k_packed - i));
    result = (result ^ word) * 0x9E3779B97F4A7C15u;
    result ^= result >> 29;
  }
  return result;
}

// States by id, and ids by state.
class Store {
public:
  Id find_or_add(const Packed &packed, bool &is_new) {
    if (2 * (states_.size() + 1) > table_.size()) grow();
    for (std::size_t at = hash(packed) & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
      is_new = table_[at] == k_no_id;
      if (is_new) {
        table_[at] = static_cast<Id>(states_.size());
        states_.push_back(packed);
      }
      if (states_[table_[at]] == packed) return table_[at];
    }
  }
  const Packed &operator[](Id id) const { return states_[id]; }
  std::size_t size() const { return states_.size(); }

private:
  void grow() {
    table_.assign(std::max<std::size_t>(1 << 16, 2 * table_.size()), k_no_id);
    for (Id id = 0; id < states_.size(); id++) {
      std::size_t at = hash(states_[id]) & (table_.size() - 1);
      while (table_[at] != k_no_id) at = (at + 1) & (table_.size() - 1);
      table_[at] = id;
    }
  }
  std::vector<Packed> states_;
  std::vector<Id> table_;            // open addressing
};

class Search {
public:
  explicit Search(const Setup &setup) : setup_(setup), steps_(setup) {}

  Found run(std::size_t most) {
    reach(first_state(), k_no_id);
    Id level_end = 1;
    for (Id id = 0; id < store_.size() && store_.size() < most; id++) {
      if (id == level_end) {
        found_.depth++;
        level_end = static_cast<Id>(store_.size());
      }
      State const state = unpack(store_[id]);
      Id by_itself = k_no_id;
      for (const Step &step : steps_.of(state)) {
        found_.steps++;
        State next = step.next;
        check(next);
        Id const there = reach(next, id);
        if (next.violation != 0) return accused(static_cast<Violation>(next.violation), there);
        if (step.fair && by_itself == k_no_id) by_itself = there;
      }
      if (by_itself == k_no_id) {
        if (Violation const end = check_end(setup_.bounds, state); end != Violation::none) return accused(end, id);
      }
      by_itself_.push_back(by_itself);
    }
    found_.complete = by_itself_.size() == store_.size();
    found_.states = store_.size();
    if (found_.complete) look_for_circles();
    return std::move(found_);
  }

private:
  Id reach(State state, Id from) {
    bool is_new = false;
    Id const id = store_.find_or_add(pack(canonical(state)), is_new);
    if (is_new) from_.push_back(from);
    return id;
  }

  // Two publishers of one run are as good as each other.
  State canonical(State state) const {
    const Bounds &bounds = setup_.bounds;
    if (bounds.publishers == 2 && bounds.companies == 1 && !bounds.clone &&
        std::memcmp(&state.publisher[0], &state.publisher[1], sizeof(Publisher)) < 0) {
      std::swap(state.publisher[0], state.publisher[1]);
      if (state.holder != 0) state.holder = static_cast<Byte>(3 - state.holder);
    }
    return state;
  }

  // From each state the system is left alone: it must come to an end, and does not if it comes by the same state again.
  void look_for_circles() {
    std::vector<Id> seen(store_.size(), k_no_id);
    for (Id start = 0; start < store_.size(); start++) {
      Id id = start;
      while (id != k_no_id && seen[id] == k_no_id) {
        seen[id] = start;
        id = by_itself_[id];
      }
      if (id == k_no_id || seen[id] != start) continue;
      accused(Violation::stuck, id);
      return;
    }
  }

  Found &&accused(Violation violation, Id at) {
    found_.violation = violation;
    found_.states = store_.size();
    std::vector<Id> way;
    for (Id id = at; id != k_no_id; id = from_[id]) way.push_back(id);
    State state = first_state();
    for (std::size_t i = way.size() - 1; i-- > 0;)
      for (State const here = state; const Step &step : steps_.of(here)) {
        State next = step.next;
        check(next);
        if (pack(canonical(next)) != store_[way[i]]) continue;
        found_.trace.push_back(text(step));
        state = next;
        break;
      }
    return std::move(found_);
  }

  static std::string text(const Step &step) {
    std::string result;
    for (const char *c = step.text; *c != 0; c++) {
      if (*c != '%') result += *c;
      else if (*++c == 'p') result += "publisher " + std::to_string(step.publisher + 1);
      else result += std::to_string(step.slot);
    }
    return result;
  }

  const Setup &setup_;
  Steps steps_;
  Store store_;
  std::vector<Id> from_;             // how each state was reached first
  std::vector<Id> by_itself_;        // where it goes if nothing goes wrong; k_no_id: it is at its end
  Found found_;
};

}  // namespace

Found search(const Setup &setup, std::size_t most) { return Search(setup).run(most); }

}  // namespace model
