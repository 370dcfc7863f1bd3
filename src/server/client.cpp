#include "server/client.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "pg/worker.hpp"

namespace migrator::server {
namespace {

using Clock = std::chrono::steady_clock;
constexpr long k_watch_interval = 250;  // ms
constexpr std::uint32_t k_grace = 5000;   // ms that the process may be late before it is given up

[[noreturn]] void lost(const char *what) {
  throw Error(sqlstate::connection_failure, std::string("the Kafka client process ") + what);
}

struct Attributes {
  posix_spawnattr_t spawn;
  posix_spawn_file_actions_t files;
  Attributes() {
    posix_spawnattr_init(&spawn);
    posix_spawn_file_actions_init(&files);
  }
  ~Attributes() {
    posix_spawnattr_destroy(&spawn);
    posix_spawn_file_actions_destroy(&files);
  }
};

}  // namespace

Client::Client() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw Error(sqlstate::io_error, std::string("could not create a socket pair: ") + std::strerror(errno));
  socket_ = pair[0];
  (void)fcntl(socket_, F_SETFL, O_NONBLOCK);
  int const size = 1 << 20;
  (void)setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);

  std::string const program = pg::library_directory() + "/migrator_kafka";
  Attributes attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  // The server's handlers and masks are not for a program that knows nothing of them.
  posix_spawnattr_setsigmask(&attributes.spawn, &none);
  posix_spawnattr_setsigdefault(&attributes.spawn, &all);
  posix_spawnattr_setflags(&attributes.spawn, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_addopen(&attributes.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&attributes.files, pair[1], 3);
  posix_spawn_file_actions_addclosefrom_np(&attributes.files, 4);
  char *const argv[] = {const_cast<char *>("migrator_kafka"), nullptr};
  // Nothing of the server's environment: it may hold secrets. The time zone plays no part.
  char *const environment[] = {const_cast<char *>("PATH=/usr/bin:/bin"), nullptr};
  pid_t child = -1;
  int const error = posix_spawn(&child, program.c_str(), &attributes.files, &attributes.spawn, argv, environment);
  close(pair[1]);
  if (error != 0) {
    close(socket_);
    throw Error(sqlstate::io_error, "could not start " + program + ": " + std::strerror(error))
        .hint("It is installed together with the extension (make install).");
  }
  pid_ = child;
}

Client::~Client() { kill(); }

void Client::kill() noexcept {
  if (pid_ > 0) {
    (void)::kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void Client::send(std::string_view bytes, std::uint32_t deadline_ms) {
  auto const deadline = Clock::now() + std::chrono::milliseconds(deadline_ms);
  while (!bytes.empty()) {
    ssize_t const sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) lost("has ended");
    if (Clock::now() > deadline) lost("does not take data in time");
    if (!pg::wait_socket(socket_, pg::Ready::writable, k_watch_interval) && watch_) watch_();
  }
}

wire::Frame Client::receive(std::uint32_t deadline_ms) {
  auto const deadline = Clock::now() + std::chrono::milliseconds(deadline_ms);
  std::array<char, 65536> buffer;
  for (;;) {
    if (std::optional<wire::Frame> frame = reader_.take()) return std::move(*frame);
    ssize_t const got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      reader_.feed({buffer.data(), static_cast<std::size_t>(got)});
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) lost("has ended");
    if (Clock::now() > deadline) lost("does not answer in time");
    if (!pg::wait_socket(socket_, pg::Ready::readable, k_watch_interval) && watch_) watch_();
  }
}

std::string Client::ask(const std::string &request, wire::Type answer, std::uint32_t deadline_ms) {
  send(request, k_grace);
  wire::Frame frame = receive(deadline_ms + k_grace);
  if (frame.type == answer) return std::move(frame.payload);
  wire::Failed const failed = wire::decode<wire::Failed>(frame.payload);
  throw Error(sqlstate::connection_failure, "Kafka: " + failed.text + " (" + failed.code + ")");
}

}  // namespace migrator::server
