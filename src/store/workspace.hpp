#pragma once
// The part of the store that a batch touches, in memory: loaded by load.hpp, changed by apply.hpp, written back by
// flush.hpp. What one message has changed can be taken back.

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/change.hpp"
#include "store/structure.hpp"

namespace migrator::store {

struct Instance {
  std::string id;
  const Bo *bo = nullptr;
  std::string external_id;
  State state = State::actual;
  std::map<std::string, std::string, std::less<>> fields;  // code -> apiValue
  bool is_loaded = false;  // locked and known whole; else it is the target of links and no more
  bool is_new = false;
  std::size_t created_by = 0;  // the message, if it is new
  bool is_changed = false;   // state, fields or external id
  bool is_touched = false;   // a message was applied to it
  bool has_new_links = false;
};

// What is to happen to links, in the order of the messages.
struct LinkStep {
  enum class Kind { add, wait, remove, clear, check };
  Kind kind;
  std::size_t message;
  Instance *owner;          // check: null if there is none
  const Field *field;
  Instance *target;         // add, remove, check; check: null if there is none
  // How the target is named: a link may wait for that, or have waited until earlier in the batch.
  const Bo *to_bo = nullptr;
  const Field *to_field = nullptr;  // null: by external id
  std::string value;
  const Bo *owner_bo = nullptr;        // check
  std::string_view owner_external_id;  // check
};

struct Alias {
  const Bo *bo;
  std::string external_id;
  Instance *instance;
};

class Workspace {
public:
  struct Holder {
    const Bo *bo = nullptr;
    const Field *field = nullptr;
    std::string key;              // of the value
    Instance *stored = nullptr;   // who has the value in the database
    Instance *current = nullptr;  // who has it now
  };

  // Null: not in the store, as far as the loaded keys tell.
  Instance *by_id(std::string_view id) const;
  Instance *by_external(const Bo &bo, std::string_view external_id) const;
  Instance *by_value(const Bo &bo, const Field &field, std::string_view key) const;

  // What load.hpp knows.
  Instance &stored(std::string_view id, const Bo &bo);  // the instance of that id, added if need be
  void set_external(std::string_view external_id, Instance &instance);
  Holder &holder(const Bo &bo, const Field &field, std::string_view key);

  // What a message changes. Each notes how to take it back.
  void begin_message(std::size_t message);
  void undo_message();
  bool message_changed() const noexcept { return changed_; }
  Instance &create(std::string id, const Bo &bo, std::string_view external_id);
  void touch(Instance &instance);
  void set_state(Instance &instance, State state);
  void set_field(Instance &instance, const Field &field, const std::optional<std::string> &value);
  // One more external id; the first one of an instance that has none becomes its own.
  void add_external(Instance &instance, std::string_view external_id);
  void add_step(LinkStep step);

  std::deque<Instance> &instances() noexcept { return instances_; }
  const std::vector<Alias> &aliases() const noexcept { return aliases_; }
  std::vector<LinkStep> &steps() noexcept { return steps_; }
  const std::unordered_map<std::string, Holder> &holders() const noexcept { return holders_; }

private:
  void mark_changed(Instance &instance);
  void set_holder(Instance &instance, const Field &field, const std::string &value, Instance *holder);

  std::deque<Instance> instances_;
  std::unordered_map<std::string, Instance *> by_id_;
  std::unordered_map<std::string, Instance *> by_external_;
  std::unordered_map<std::string, Holder> holders_;
  std::vector<Alias> aliases_;
  std::vector<LinkStep> steps_;

  std::size_t message_ = 0;
  std::size_t instances_before_ = 0, aliases_before_ = 0, steps_before_ = 0;
  bool changed_ = false;
  std::vector<std::function<void()>> undo_;
};

}  // namespace migrator::store
