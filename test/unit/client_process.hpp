#pragma once
// The Kafka client process, driven over a socket pair as a worker drives it. For tests and benchmarks.

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "wire/codec.hpp"

namespace migrator::test {

class ClientProcess {
public:
  ClientProcess() {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("socketpair");
    const char *named = std::getenv("MIGRATOR_KAFKA_CLIENT");
    std::string const program = named ? named : "build/migrator_kafka";
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, pair[1], 3);
    char *const argv[] = {const_cast<char *>("migrator_kafka"), nullptr};
    int const error = posix_spawn(&pid_, program.c_str(), &files, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(pair[1]);
    socket_ = pair[0];
    if (error != 0) throw std::runtime_error("cannot start " + program);
  }
  ~ClientProcess() { kill(); }
  ClientProcess(const ClientProcess &) = delete;
  ClientProcess &operator=(const ClientProcess &) = delete;

  void kill() noexcept {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
    hang_up();
  }
  void hang_up() noexcept {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  // After hang_up() or Failed: the exit status, or -1 if it has not left in time.
  int wait_exit(int milliseconds = 10000) {
    Deadline const deadline{std::chrono::milliseconds(milliseconds)};
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
      if (deadline.passed()) return -1;
      usleep(5000);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int pid() const noexcept { return pid_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t const sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) throw std::runtime_error("the process has ended");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  wire::Frame receive(int milliseconds = 60000) {
    Deadline const deadline{std::chrono::milliseconds(milliseconds)};
    for (;;) {
      if (auto frame = reader_.take()) return std::move(*frame);
      pollfd ready{socket_, POLLIN, 0};
      if (poll(&ready, 1, deadline.left_ms()) == 0) throw std::runtime_error("no answer in time");
      char buffer[65536];
      ssize_t const got = recv(socket_, buffer, sizeof buffer, 0);
      if (got <= 0) throw std::runtime_error("the process has ended");
      reader_.feed({buffer, static_cast<std::size_t>(got)});
    }
  }
  // The struct of an expected answer; anything else is an error, with what was said instead.
  template <typename Struct> Struct receive_as(wire::Type type, int milliseconds = 60000) {
    wire::Frame const frame = receive(milliseconds);
    if (frame.type == type) return wire::decode<Struct>(frame.payload);
    if (frame.type != wire::Type::failed) throw std::runtime_error("another answer");
    auto const failed = wire::decode<wire::Failed>(frame.payload);
    throw std::runtime_error("failed: " + failed.code + ": " + failed.text);
  }

private:
  pid_t pid_ = -1;
  int socket_ = -1;
  wire::FrameReader reader_;
};

}  // namespace migrator::test
