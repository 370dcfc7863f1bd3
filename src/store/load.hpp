#pragma once
// Brings into the workspace what the messages of a batch name: by id, external id and unique values.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/change.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

class Loader {
public:
  explicit Loader(std::string company) : company_(std::move(company)) {}

  // Notes the keys of a message and of everything nested in it.
  void want(const Change &change);
  void want(const Change &owner, const std::vector<LinkCheck> &checks);
  // Loads them. Instances that messages may write are locked until the end of the transaction, in the order of their
  // ids, and so are those that wait for something the messages may bring. Throws Error 40001 if somebody changed them
  // while they were being found.
  void load(const Structure &structure, Workspace &workspace);

private:
  struct Key {
    const Bo *bo;
    const Field *field;  // null: external id
    std::string value;
    bool writes;
  };
  void want_external(const Bo &bo, std::string_view external_id, bool writes);
  void want_value(const Bo &bo, const Field &field, const std::string &value, bool writes);
  void find_owners_of_waiting_links(std::set<std::string> &to_lock);
  void lock(const Structure &structure, Workspace &workspace, const std::set<std::string> &ids);

  std::string company_;
  std::set<std::string, std::less<>> ids_;
  std::unordered_map<std::string, Key> keys_;
};

// The recordIds among these that were applied before; keys as unique_key gives them.
std::set<std::string> seen_records(const std::string &company, const std::vector<std::string> &record_keys);

}  // namespace migrator::store
