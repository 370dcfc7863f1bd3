#pragma once
// An ERROR of PostgreSQL on its way through C++. Whoever catches one and goes on must have rolled back the
// transaction or subtransaction that it happened in; everybody else lets it pass.

#include <exception>
#include <string>
#include <utility>

struct ErrorData;
typedef struct MemoryContextData *MemoryContext;

namespace migrator::pg {

class Error final : public std::exception {
public:
  // Takes the context, which holds data and nothing else and does not depend on any transaction.
  Error(ErrorData *data, MemoryContext context) noexcept : data_(data), context_(context) {}
  Error(Error &&other) noexcept
      : data_(std::exchange(other.data_, nullptr)), context_(std::exchange(other.context_, nullptr)) {}
  Error(const Error &) = delete;
  Error &operator=(const Error &) = delete;
  Error &operator=(Error &&) = delete;
  ~Error() override;

  const char *what() const noexcept override;  // the message
  std::string sqlstate() const;
  std::string detail() const;
  std::string constraint() const;  // or the index that it stands for; "": none
  // The message, unless it may quote values of a row (data exceptions, constraints, errors that user code raises):
  // then what is known without them. For logs and for readers who may not see the rows.
  std::string public_message() const;
  // Gives the data to PostgreSQL, which frees it when the error that the caller raises with it is over.
  ErrorData *release() noexcept;

private:
  ErrorData *data_;
  MemoryContext context_;
};

enum class Level { debug, log, notice, warning };
// Writes to the server log and, by level, to the client. Cannot raise: there is no level above warning.
// The text may hold no row values and no secrets.
void report(Level level, const std::string &message, const std::string &detail = {}, const std::string &hint = {}) noexcept;

// Handles a pending cancel or termination; a cancel arrives as pg::Error.
void check_for_interrupts();

}  // namespace migrator::pg
