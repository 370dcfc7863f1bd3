#pragma once
// Is a table simple enough to be read or written below the executor? Like prelude.hpp for src/pg alone.

#include "pg/prelude.hpp"

namespace migrator::pg {

// A heap of its own: its rows are all there is to read, and whoever may read the table sees each of them.
inline bool is_heap(Relation table) {
  const FormData_pg_class *form = table->rd_rel;
  return form->relkind == RELKIND_RELATION && table->rd_tableam == GetHeapamTableAmRoutine() && !form->relhassubclass && !form->relrowsecurity;
}

// Nothing of it but indexes, constraints and generated columns has to be served when a row comes or changes.
inline bool is_plain_table(Relation table) {
  return is_heap(table) && !table->rd_rel->relispartition && table->rd_rules == nullptr && table->trigdesc == nullptr;
}

}  // namespace migrator::pg
