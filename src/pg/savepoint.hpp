#pragma once
// A subtransaction: what was done since it began is rolled back, unless it is released. SPI must be connected, and no
// statement under way; another one may begin only after this one has ended.

typedef struct MemoryContextData *MemoryContext;
struct ResourceOwnerData;

namespace migrator::pg {

class Savepoint {
public:
  Savepoint();
  ~Savepoint();
  Savepoint(const Savepoint &) = delete;
  Savepoint &operator=(const Savepoint &) = delete;

  void release();

private:
  MemoryContext context_;
  ResourceOwnerData *owner_;
  bool open_ = true;
};

}  // namespace migrator::pg
