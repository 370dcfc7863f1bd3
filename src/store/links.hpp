#pragma once
// Links and waiting links of the owners in a batch: what the database has, and what the steps of the messages make of it.

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "store/sql.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

class Links {
public:
  Links(std::string company, Workspace &workspace) : company_(std::move(company)), workspace_(workspace) {}

  // Carries out the steps. changed[message] becomes true where a link was made, removed or set waiting. What waits for
  // an instance that came later in the batch is linked.
  void replay(std::vector<bool> &changed);
  // What still waits afterwards? Then whoever brings a target has to be kept out while it is written (flush.hpp).
  bool adds_waiting() const;
  // Links what waits for an instance that another session has brought since it was looked for.
  void look_again();

  // What is to be written, as columns owner, field, target / owner, field, to_bo, to_field, value.
  struct Difference {
    Column owners, fields, targets;
    Column waiting_owners, waiting_fields, waiting_bos, waiting_to_fields, waiting_values;
  };
  void differences(Difference &gone, Difference &come) const;
  // Marks the owners whose links change.
  void mark_owners();

  struct Check {
    const LinkStep *step;
    bool is_complete;
  };
  const std::vector<Check> &checks() const noexcept { return checks_; }

private:
  struct State {
    bool stored = false;
    bool now = false;
  };
  using Target = std::tuple<std::string, std::string, std::string>;  // BO, field or "", value: of what is waited for
  struct Slot {  // the links of an owner's field
    Instance *owner = nullptr;
    std::map<std::string, State> links;  // by the target's id
    std::map<Target, State> waiting;
  };
  Slot &slot(Instance &owner, const Field &field);
  static Target target_of(const LinkStep &step);
  pg::Answer find_targets(const Column &bos, const Column &fields, const Column &values) const;
  void find_what_came();
  bool is_linked(const LinkStep &step);
  void load();
  void link_what_came(std::string_view id, Slot &slot, State &waiting);

  std::string company_;
  Workspace &workspace_;
  std::map<std::pair<std::string, std::string>, Slot> slots_;  // owner's id, field's code
  std::vector<Check> checks_;
};

}  // namespace migrator::store
