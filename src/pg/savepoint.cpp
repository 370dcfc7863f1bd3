#include "pg/prelude.hpp"

#include "pg/guard.hpp"
#include "pg/savepoint.hpp"

namespace migrator::pg {

Savepoint::Savepoint() : context_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
  call([&] {
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(context_);
  });
}

void Savepoint::release() {
  call([&] {
    ReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(context_);
    CurrentResourceOwner = owner_;
  });
  open_ = false;
}

Savepoint::~Savepoint() {
  if (!open_) return;
  if (!runs([&] {
        RollbackAndReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(context_);
        CurrentResourceOwner = owner_;
      }))
    FlushErrorState();
}

}  // namespace migrator::pg
