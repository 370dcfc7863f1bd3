#include "pg/prelude.hpp"

#include "pg/error.hpp"
#include "pg/guard.hpp"

namespace migrator::pg {

Error::~Error() {
  if (context_ != nullptr) MemoryContextDelete(context_);
}

ErrorData *Error::release() noexcept {
  if (context_ != nullptr) MemoryContextSetParent(context_, ErrorContext);  // is reset, with its children, after each error
  context_ = nullptr;
  return std::exchange(data_, nullptr);
}

const char *Error::what() const noexcept {
  return data_ != nullptr && data_->message != nullptr ? data_->message : "unknown error";
}

std::string Error::sqlstate() const {
  return data_ != nullptr ? unpack_sql_state(data_->sqlerrcode) : "XX000";
}

std::string Error::detail() const {
  return data_ != nullptr && data_->detail != nullptr ? data_->detail : "";
}

std::string Error::constraint() const {
  return data_ != nullptr && data_->constraint_name != nullptr ? data_->constraint_name : "";
}

std::string Error::public_message() const {
  std::string const code = sqlstate(), kind = code.substr(0, 2);
  bool const telling = kind == "22" || kind == "23" || kind == "44" || kind == "P0" || kind[0] > 'X' || (kind[0] >= 'I' && kind[0] <= 'O');
  if (!telling) return what();
  std::string text = "error " + code;
  if (data_ != nullptr && data_->table_name != nullptr) text += std::string(" in table \"") + data_->table_name + "\"";
  if (data_ != nullptr && data_->constraint_name != nullptr) text += std::string(", constraint \"") + data_->constraint_name + "\"";
  return text + "; its message may quote row values and is not repeated here";
}

void throw_pending(MemoryContext caller, uint32 holdoff) {
  MemoryContextSwitchTo(caller);
  InterruptHoldoffCount = holdoff;
  // A context of its own: a rollback may drop the caller's before the error is raised again.
  MemoryContext context = nullptr;
  ErrorData *copy = nullptr;
  bool const copied = runs([&] {
    context = AllocSetContextCreate(TopMemoryContext, "migrator error", ALLOCSET_SMALL_SIZES);
    MemoryContextSwitchTo(context);
    copy = CopyErrorData();
    FlushErrorState();
  });
  MemoryContextSwitchTo(caller);
  if (!copied) {
    FlushErrorState();
    throw std::bad_alloc();
  }
  throw Error(copy, context);
}

void report(Level level, const std::string &message, const std::string &detail, const std::string &hint) noexcept {
  int const elevel = level == Level::debug    ? DEBUG1
                     : level == Level::log    ? LOG
                     : level == Level::notice ? NOTICE
                                              : WARNING;
  static_assert(WARNING < ERROR);
  const char *text = message.c_str(), *more = detail.c_str(), *remedy = hint.c_str();
  if (!runs([&] {
        ereport(elevel, (errmsg("%s", text), *more != '\0' ? errdetail("%s", more) : 0,
                         *remedy != '\0' ? errhint("%s", remedy) : 0, errhidestmt(true), errhidecontext(true)));
      }))
    FlushErrorState();
}

void check_for_interrupts() {
  // A commit that waits for a standby is let go when the postmaster dies, with no more than this said.
  if (ProcDiePending) InterruptPending = true;
  if (INTERRUPTS_PENDING_CONDITION()) call([] { CHECK_FOR_INTERRUPTS(); });
}

}  // namespace migrator::pg
