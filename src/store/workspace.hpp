#pragma once
// The part of the store that a batch touches, in memory: loaded by load.hpp, changed by apply.hpp, written back by
// flush.hpp. What one message has changed can be taken back.

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pg/jsonb.hpp"
#include "pg/row_update.hpp"
#include "store/change.hpp"
#include "store/keys.hpp"
#include "store/structure.hpp"

namespace migrator::store {

// Texts that are only referred to live as long as the batch: in its messages, in the structure, or in its loader.
struct Instance {
  std::string id;
  const Bo *bo = nullptr;
  std::string external_id;
  State state = State::actual;
  std::vector<pg::Member> fields;  // those that have a value, in the order of jsonb
  bool is_loaded = false;  // known whole; else it is the target of links and no more
  pg::RowVersion version;  // that was loaded
  bool is_new = false;
  std::size_t created_by = 0;  // the message, if it is new
  bool is_changed = false;   // state, fields or external id
  bool is_touched = false;   // a message was applied to it
  bool has_new_links = false;
  bool is_dated = false;     // updated_at is written
  bool is_named = false;     // its externalId is new

  std::optional<std::string_view> value(std::string_view code) const;
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
  std::string_view value;
  const Bo *owner_bo = nullptr;        // check
  std::string_view owner_external_id;  // check
};

struct Alias {
  const Bo *bo;
  std::string_view external_id;
  Instance *instance;
};

class Workspace {
public:
  struct Holder {
    Instance *stored = nullptr;   // who has the value in the database
    Instance *current = nullptr;  // who has it now
  };

  // Null: not in the store, as far as the loaded keys tell.
  Instance *by_id(std::string_view id) const;
  Instance *by_external(const Bo &bo, std::string_view external_id) const;
  Instance *by_value(const Bo &bo, const Field &field, std::string_view key) const;
  std::string_view unique_key(std::string_view value) { return store::unique_key(value, kept_); }

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
  void set_field(Instance &instance, const Field &field, std::optional<std::string_view> value);
  // One more external id; the first one of an instance that has none becomes its own.
  void add_external(Instance &instance, std::string_view external_id);
  void add_step(LinkStep step);

  std::deque<Instance> &instances() noexcept { return instances_; }
  const std::vector<Alias> &aliases() const noexcept { return aliases_; }
  std::vector<LinkStep> &steps() noexcept { return steps_; }
  const std::unordered_map<Key, Holder, KeyHash> &holders() const noexcept { return holders_; }

private:
  void mark_changed(Instance &instance);
  static void put_field(Instance &instance, std::string_view code, std::optional<std::string_view> value);
  void set_holder(Instance &instance, const Field &field, std::string_view value, Instance *holder);

  std::list<std::string> kept_;
  std::deque<Instance> instances_;
  std::unordered_map<std::string_view, Instance *> by_id_;  // by the text in the instance
  std::unordered_map<Key, Instance *, KeyHash> by_external_;
  std::unordered_map<Key, Holder, KeyHash> holders_;
  std::vector<Alias> aliases_;
  std::vector<LinkStep> steps_;

  std::size_t message_ = 0;
  std::size_t instances_before_ = 0, aliases_before_ = 0, steps_before_ = 0;
  bool changed_ = false;
  std::vector<std::function<void()>> undo_;
};

}  // namespace migrator::store
