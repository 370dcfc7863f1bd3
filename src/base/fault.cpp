#include "base/fault.hpp"

#ifdef MIGRATOR_FAULTS

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>

#include "base/error.hpp"

#include "base/no_postgres.hpp"

namespace migrator::fault {
namespace {

std::string path_of(const char *name) { return std::string("migrator_faults/") + name; }

// Another process may have taken it while we waited for the lock.
bool still_there(int file, const std::string &path) {
  struct stat ours{}, there{};
  return fstat(file, &ours) == 0 && stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino;
}

void write_over(int file, const std::string &text) {
  if (ftruncate(file, 0) != 0 || pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw Error(sqlstate::io_error, "a failpoint cannot be written");
}

// The action, if it is its turn.
std::string take(int file, const std::string &path) {
  if (flock(file, LOCK_EX) != 0 || !still_there(file, path)) return "";
  char text[64] = "";
  if (pread(file, text, sizeof text - 1, 0) <= 0) throw Error(sqlstate::io_error, "a failpoint cannot be read");
  std::istringstream words(text);
  std::string action;
  int pass_over = 0;
  words >> action >> pass_over;
  if (pass_over > 0) {
    write_over(file, action + " " + std::to_string(pass_over - 1));
    return "";
  }
  write_over(file, std::to_string(getpid()));
  if (std::rename(path.c_str(), (path + ".fired").c_str()) != 0) throw Error(sqlstate::io_error, "a failpoint cannot be renamed");
  return action;
}

}  // namespace

void point(const char *name) {
  std::string const path = path_of(name);
  int const file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  std::string const action = take(file, path);
  (void)close(file);  // releases the lock, also before a long stop
  if (action == "kill") (void)kill(getpid(), SIGKILL);
  else if (action == "stop") (void)kill(getpid(), SIGSTOP);
  else if (!action.empty()) throw Error(sqlstate::io_error, std::string("failpoint ") + name);
}

bool mutated(const char *name) noexcept { return access(path_of(name).c_str(), F_OK) == 0; }

}  // namespace migrator::fault

#endif
