#pragma once
// PostgreSQL called from C++. Inside the lambda of call() only plain data and calls of PostgreSQL: an ERROR
// leaves by longjmp and skips destructors. Only src/pg/*.cpp includes this, after pg/prelude.hpp.

#include <csetjmp>
#include <new>
#include <type_traits>

#include "pg/error.hpp"

namespace migrator::pg {

struct StackScope {  // puts PostgreSQL's two stacks back on return, on a throw and after a longjmp
  sigjmp_buf *stack = PG_exception_stack;
  ErrorContextCallback *context = error_context_stack;
  ~StackScope() {
    PG_exception_stack = stack;
    error_context_stack = context;
  }
};

// The only frame with sigsetjmp, so that no variable of a caller can be clobbered. False: PostgreSQL raised.
template <typename F> __attribute__((noinline)) bool runs(F &&body) {
  StackScope scope;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) return false;
  PG_exception_stack = &here;
  body();
  return true;
}

// Throws the ERROR that runs() met, as pg::Error.
[[noreturn]] void throw_pending(MemoryContext caller, uint32 holdoff);

template <typename F> auto call(F &&body) {
  using R = std::invoke_result_t<F &>;
  static_assert(std::is_void_v<R> || std::is_trivially_copyable_v<R>, "plain data only");
  MemoryContext const caller = CurrentMemoryContext;
  uint32 const holdoff = InterruptHoldoffCount;  // an ERROR sets it to zero
  if constexpr (std::is_void_v<R>) {
    if (runs(body)) return;
    throw_pending(caller, holdoff);
  } else {
    R result{};
    if (runs([&] { result = body(); })) return result;
    throw_pending(caller, holdoff);
  }
}

}  // namespace migrator::pg
