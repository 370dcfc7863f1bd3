#pragma once
// A transaction of a background worker, with SPI connected and a snapshot set. What is not committed is
// rolled back by the destructor, which is also how an error inside is handled.

#include "pg/spi.hpp"

namespace migrator::pg {

enum class Isolation { read_committed, repeatable_read };

class Transaction {
public:
  // Raises 55000 if the extension has been dropped meanwhile; keeps it from being dropped until the end.
  explicit Transaction(Isolation isolation = Isolation::read_committed);
  ~Transaction();
  Transaction(const Transaction &) = delete;
  Transaction &operator=(const Transaction &) = delete;

  void commit();

private:
  bool open_ = true;
};

// In a READ COMMITTED transaction between two statements: lets go of its snapshot and takes a new one. A snapshot that is held while
// much is done keeps the pages that others work on from being pruned.
void renew_snapshot();

}  // namespace migrator::pg
