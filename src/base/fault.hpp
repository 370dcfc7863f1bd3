#pragma once
// Places where the tests let something go wrong. Only the build variant of the tests has them (MIGRATOR_FAULTS); in every
// other build they are nothing. Both kinds are governed by files in the folder migrator_faults below the working directory,
// which the server and its client processes share: the server's data directory. See test/README.md.

#ifdef MIGRATOR_FAULTS

namespace migrator::fault {

// A named moment. With a file of that name, "<action> [hits to pass over]", the action happens to the process, once:
//   kill    SIGKILL
//   stop    SIGSTOP; the test lets it go on
//   error   throws Error 58030 (not in callbacks of librdkafka, which nothing may be thrown through)
// By then the file is called <name>.fired and holds the pid. Any thread may come by; malformed files are an error.
void point(const char *name);

// A rule of the protocol that is switched off as long as a file of that name exists.
bool mutated(const char *name) noexcept;

}  // namespace migrator::fault

#define MIGRATOR_FAILPOINT(name) ::migrator::fault::point(name)
#define MIGRATOR_MUTATION(name) ::migrator::fault::mutated(name)

#else

#define MIGRATOR_FAILPOINT(name) static_cast<void>(0)
#define MIGRATOR_MUTATION(name) false

#endif
