#include "pg/prelude.hpp"

#include "pg/databases.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_database.h"
}

namespace migrator::pg {

std::vector<std::uint32_t> databases() {
  constexpr int k_most = 10000;
  std::vector<std::uint32_t> found(k_most);
  std::uint32_t *data = found.data();
  int const count = call([&] {
    int filled = 0;
    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation const relation = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc const scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple;
    while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr && filled < k_most) {
      Form_pg_database const database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
      if (database->datallowconn && !database->datistemplate) data[filled++] = database->oid;
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
    CommitTransactionCommand();
    return filled;
  });
  found.resize(static_cast<std::size_t>(count));
  return found;
}

bool extension_exists() {
  return call([] {
    StartTransactionCommand();
    bool const exists = OidIsValid(get_extension_oid("migrator", true));
    CommitTransactionCommand();
    return exists;
  });
}

}  // namespace migrator::pg
