#pragma once
// The Kafka client process, seen from PostgreSQL: started, spoken to, ended. Every call has a deadline and serves
// interrupts while it waits; none may be made with a transaction open that matters to others.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "wire/codec.hpp"
#include "wire/protocol.hpp"

namespace migrator::server {

class Client {
public:
  // Starts a process. Raises 58030 if that is impossible.
  Client();
  ~Client();  // kills the process
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  // Called about four times a second while a call waits; what it throws ends the wait.
  void set_watch(std::function<void()> watch) { watch_ = std::move(watch); }

  // Raises 08006 when the process has died or the deadline (ms from now) has passed; it is then of no more use.
  void send(std::string_view bytes, std::uint32_t deadline_ms);
  wire::Frame receive(std::uint32_t deadline_ms);
  // A request and its answer; the process has some seconds more than it knows of. Raises 08006 if it answers Failed.
  std::string ask(const std::string &request, wire::Type answer, std::uint32_t deadline_ms);
  int pid() const noexcept { return pid_; }

private:
  void kill() noexcept;
  int pid_ = -1;
  int socket_ = -1;
  wire::FrameReader reader_;
  std::function<void()> watch_;
};

// What to tell librdkafka for a foreign server: its options and those of migrator_admin's user mapping, or else
// PUBLIC's; environment variables resolved. Runs in the current transaction. Raises 42704 if there is no such
// server, HV024 if an environment variable is not set.
wire::Properties properties(const std::string &server);

}  // namespace migrator::server
