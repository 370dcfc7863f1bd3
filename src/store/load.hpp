#pragma once
// Brings into the workspace what the messages of a batch name: by id, external id and unique values. The workspace refers
// to what is kept here.

#include <list>
#include <string>
#include <string_view>
#include <vector>

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
  // Loads them, once: whole the instances that messages may write, and those that wait for something the messages may
  // bring. locked: these are locked before they are read, until the end of the transaction, in the order of their ids.
  // Throws Error 40001 if somebody changed them while they were being found.
  void load(const Structure &structure, Workspace &workspace, bool locked);

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
  using Group = std::vector<const Wanted *>;  // keys of one BO and field, in order
  void want_external(const Bo &bo, std::string_view external_id, bool writes);
  void want_value(const Bo &bo, const Field &field, std::string_view value, bool writes);
  void sort();
  const pg::Lookup &look_up(const char *index, const std::vector<pg::Cell> &prefix, const Group &group, const std::vector<const char *> &columns);
  void find(const Group &group, const char *index, const std::vector<pg::Cell> &prefix);
  void find_by_external_id(const Group &group);
  void find_owners_of_waiting_links(const Group &group);
  void read_by_id();
  void read(const pg::Lookup::Match &row);

  const Structure *structure_ = nullptr;
  Workspace *workspace_ = nullptr;
  bool locked_ = false;
  std::string company_;
  std::vector<Wanted> wanted_;
  std::vector<Found> found_;
  std::vector<std::string_view> ids_;  // of instances to be read
  std::list<std::string> kept_;
  std::list<pg::Lookup> lookups_;
};

}  // namespace migrator::store
