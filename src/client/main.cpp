// The Kafka client process: holds librdkafka, so that no fault of it can reach the database server. A worker of the
// extension starts it with a socket as file descriptor 3 and speaks the protocol of wire/protocol.hpp. It lives as
// long as the socket and never longer than its parent.

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <vector>

#include "client/session.hpp"
#include "wire/codec.hpp"

#include "base/no_postgres.hpp"

namespace {

constexpr int k_socket = 3;
constexpr int k_serve_interval_ms = 100;
constexpr int k_kept_memory = 256 << 20;  // bytes: what a chunk needed, the next one needs as well
constexpr int k_mapped_alone = 32 << 20;  // bytes: a piece that is so large goes back to the system at once

// False at the end of the stream.
bool wait_and_read(migrator::client::Session &session, migrator::wire::FrameReader &reader, std::vector<char> &buffer) {
  pollfd ready{k_socket, POLLIN, 0};
  while (poll(&ready, 1, k_serve_interval_ms) <= 0) session.serve();
  ssize_t const got = recv(k_socket, buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  reader.feed({buffer.data(), static_cast<std::size_t>(got)});
  return got > 0;
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t const sent = send(k_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void converse() {
  migrator::client::Session session;
  migrator::wire::FrameReader reader;
  std::vector<char> buffer(256u << 10);
  while (wait_and_read(session, reader, buffer))
    while (auto frame = reader.take()) {
      auto const answer = session.handle(std::move(*frame));
      if (answer && !write_all(*answer)) return;
      if (session.over()) return;
    }
}

}  // namespace

int main() {
  pid_t const parent = getppid();
  // Before anything else: a client without its worker would only wait to be fenced.
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 1;
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(k_socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    std::fputs("migrator_kafka is the Kafka client process of the PostgreSQL extension migrator.\n"
               "The extension's workers start it; it is of no use by hand.\n", stderr);
    return 2;
  }
  (void)mallopt(M_TRIM_THRESHOLD, k_kept_memory);
  (void)mallopt(M_MMAP_THRESHOLD, k_mapped_alone);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C at the server's terminal is for the server, which then ends its workers
  try {
    converse();
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "migrator_kafka: %s\n", e.what());
  } catch (...) {
    std::fputs("migrator_kafka: unknown exception\n", stderr);
  }
  return 1;
}
