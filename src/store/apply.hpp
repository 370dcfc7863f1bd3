#pragma once
// The steps for one message: find the instance, create or update it, merge where a unique value belongs to another one,
// follow the links. In memory; links become steps that links.hpp carries out at the end of the batch.

#include "store/applier.hpp"
#include "store/change.hpp"
#include "store/workspace.hpp"

namespace migrator::store {

// Throws Error for a bad message; the caller takes back what it did until then. Updated and merged say what it is if it
// changes anything, which may be links that are made later; if not, it is unchanged.
Outcome apply(Workspace &workspace, const Change &change);

// Notes what is to be checked.
void apply_check(Workspace &workspace, const Change &owner, const std::vector<LinkCheck> &checks);

}  // namespace migrator::store
