#pragma once
// Brings into the workspace what the messages of a batch name: by id, external id and unique values. The workspace refers
// to what is kept here.

#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/answer.hpp"
#include "pg/lookup.hpp"
#include "store/change.hpp"
#include "store/keys.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

class Loader {
public:
  explicit Loader(std::string company) : company_(std::move(company)) {}

  // Notes the keys of a message and of everything nested in it.
  void want(const Change &change);
  void want(const Change &owner, const std::vector<LinkCheck> &checks);
  // Loads them, once. Instances that messages may write are locked until the end of the transaction, in the order of their
  // ids, and so are those that wait for something the messages may bring. Throws Error 40001 if somebody changed them
  // while they were being found.
  void load(const Structure &structure, Workspace &workspace);

private:
  struct Wanted {
    Key key;
    bool writes;
  };
  struct Found {
    Key key;
    std::string_view id;
    bool writes;
  };
  using Group = std::span<const Wanted>;  // keys of one BO and field, in order
  void want_external(const Bo &bo, std::string_view external_id, bool writes);
  void want_value(const Bo &bo, const Field &field, std::string_view value, bool writes);
  void sort();
  void find(Group group);
  void look_up(Group group, const char *index, const std::vector<pg::Cell> &prefix);
  void find_owners_of_waiting_links(Group group);
  void lock(const Structure &structure, Workspace &workspace);

  std::string company_;
  std::vector<Wanted> wanted_;
  std::vector<Found> found_;
  std::vector<std::string_view> to_lock_;  // ids
  std::list<std::string> kept_;
  std::list<pg::Lookup> lookups_;
  std::optional<pg::Answer> rows_;
};

}  // namespace migrator::store
