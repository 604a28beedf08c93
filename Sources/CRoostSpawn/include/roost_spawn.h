// Starting a worker: the part between clone and execve, which must be async-signal-safe and so can't be Swift.
#ifndef ROOST_SPAWN_H
#define ROOST_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// The step of the child that failed.
enum roost_spawn_step {
  ROOST_SPAWN_DONE,
  ROOST_SPAWN_STACK,
  ROOST_SPAWN_CLONE,
  ROOST_SPAWN_GROUP,
  ROOST_SPAWN_STDIN,
  ROOST_SPAWN_DESCRIPTORS,
  ROOST_SPAWN_SIGNALS,
  ROOST_SPAWN_DIRECTORY,
  ROOST_SPAWN_PARENT,
  ROOST_SPAWN_EXECUTE,
};

struct roost_spawn_request {
  const char *path;                          // of the executable, resolved
  char *_Nullable const *_Nonnull arguments;    // ended by NULL
  char *_Nullable const *_Nonnull environment;  // ended by NULL
  char *own_pid;           // 11 bytes within the environment, where the child writes its pid in decimal
  const char *directory;   // to start in
  const int *descriptors;  // become 3, 4, ... in the child
  int *scratch;            // as many ints as descriptors
  size_t descriptor_count;
  int parent_death_signal;
};

struct roost_spawn_result {
  pid_t pid;
  enum roost_spawn_step failed_step;
  int error;  // errno of the failed step
};

// Starts a process and returns when it runs the executable, or has failed and is reaped.
// Must be called from the main thread, whose end is what the parent-death signal tells.
struct roost_spawn_result roost_spawn(const struct roost_spawn_request *request);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
