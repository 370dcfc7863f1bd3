#include "pg/prelude.hpp"

#include <algorithm>

#include "pg/copy.hpp"
#include "pg/guard.hpp"

extern "C" {
#include "access/table.h"
#include "commands/copy.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
}

namespace migrator::pg {
namespace {

std::string_view unread;  // of the rows that are being written: COPY asks for them without an argument

struct Reading {  // triggers on the table may write others meanwhile
  std::string_view outer;
  explicit Reading(std::string_view rows) : outer(std::exchange(unread, rows)) {}
  ~Reading() { unread = outer; }
};

int read_text(void *target, int, int most) {
  std::size_t const size = std::min(unread.size(), static_cast<std::size_t>(most));
  memcpy(target, unread.data(), size);
  unread.remove_prefix(size);
  return static_cast<int>(size);
}

}  // namespace

void Copy::separate() {
  text_ += column_ == 0 ? "" : "\t";
}

void Copy::end_value() {
  if (++column_ < columns_.size()) return;
  text_ += '\n';
  column_ = 0;
}

void Copy::add(std::string_view value) {
  separate();
  constexpr std::string_view k_special = "\\\t\n\r";
  std::size_t plain = 0;
  for (std::size_t i = 0; i < value.size(); i++) {
    auto const c = static_cast<unsigned char>(value[i]);
    if (c > '\r' && c != '\\') continue;
    if (k_special.find(static_cast<char>(c)) == std::string_view::npos) continue;
    text_.append(value, plain, i - plain);
    text_ += '\\';
    text_ += c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
    plain = i + 1;
  }
  text_.append(value, plain);
  end_value();
}

void Copy::add_null() {
  separate();
  text_ += "\\N";
  end_value();
}

void Copy::write() {
  if (text_.empty()) return;
  Reading const reading(text_);
  const char *const *names = columns_.data();
  std::size_t const count = columns_.size();
  call([&] {
    PreventCommandIfReadOnly("COPY FROM");
    MemoryContext const context = AllocSetContextCreate(CurrentMemoryContext, "migrator copy", ALLOCSET_DEFAULT_SIZES);
    MemoryContext const old = MemoryContextSwitchTo(context);
    Relation const relation = table_openrv(makeRangeVar(const_cast<char *>(schema_), const_cast<char *>(table_), -1), RowExclusiveLock);
    ParseState *const state = make_parsestate(nullptr);
    (void)addRangeTableEntryForRelation(state, relation, RowExclusiveLock, nullptr, false, false);
    List *columns = NIL;
    for (std::size_t i = 0; i < count; i++) columns = lappend(columns, makeString(pstrdup(names[i])));
    List *const options = list_make1(makeDefElem(pstrdup("encoding"), reinterpret_cast<Node *>(makeString(pstrdup("UTF8"))), -1));
    CopyFromState const copy = BeginCopyFrom(state, relation, nullptr, nullptr, false, read_text, columns, options);
    (void)CopyFrom(copy);
    EndCopyFrom(copy);
    table_close(relation, NoLock);
    free_parsestate(state);
    CommandCounterIncrement();
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
  });
}

}  // namespace migrator::pg
