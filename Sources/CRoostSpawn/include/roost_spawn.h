// Starting a worker: the part between clone and execve, which must be async-signal-safe and so can't be Swift.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// The step of the child that failed.
enum roost_spawn_step {
  ROOST_SPAWN_DONE,
  ROOST_SPAWN_PIPE,
  ROOST_SPAWN_CLONE,
  ROOST_SPAWN_GROUP,
  ROOST_SPAWN_STDIN,
  ROOST_SPAWN_DESCRIPTORS,
  ROOST_SPAWN_OUTPUT,
  ROOST_SPAWN_SIGNALS,
  ROOST_SPAWN_PRIORITY,
  ROOST_SPAWN_LIMITS,
  ROOST_SPAWN_GROUPS,
  ROOST_SPAWN_USER,
  ROOST_SPAWN_DIRECTORY,
  ROOST_SPAWN_PARENT,
  ROOST_SPAWN_EXECUTE,
  ROOST_SPAWN_TIME,  // none of them: it took too long
};

// The user and groups that the process is to run as.
struct roost_spawn_identity {
  uid_t user;
  gid_t group;
  const gid_t *supplementary_groups;
  size_t supplementary_group_count;
};

// A resource limit (getrlimit(2)).
struct roost_spawn_limit {
  int resource;
  unsigned long long soft, hard;  // ~0 for none
};

struct roost_spawn_request {
  const char *path;                          // of the executable, resolved
  int executable_file;  // an open descriptor of a binary, executed if the path leads to another file or none; or -1
  char *_Nullable const *_Nonnull arguments;    // ended by NULL
  char *_Nullable const *_Nonnull environment;  // ended by NULL
  char *_Nullable own_pid;  // 11 bytes within the environment, where the child writes its pid in decimal
  const char *directory;    // to start in
  int directory_file;       // an open descriptor of it, by which it is entered; or -1
  const int *descriptors;  // become 3, 4, ... in the child
  int *scratch;            // as many ints as descriptors
  size_t descriptor_count;
  bool keeps_numbers;  // the descriptors keep their numbers instead; all others have to be close-on-exec
  int standard_output;  // -1 for the parent's
  int standard_error;   // -1 for the parent's
  int parent_death_signal;
  int cgroup;  // an open cgroup.procs (cgroups(7)) by which the process enters a cgroup, or -1
  const struct roost_spawn_identity *_Nullable identity;  // NULL for the parent's
  const struct roost_spawn_limit *_Nullable limits;
  size_t limit_count;
  int mode_mask;  // umask(2), or -1 for the parent's
  bool may_hang;  // the path or the directory may be on a file system that does
  bool keeps_signal_mask;  // the parent's; else none is blocked
  int nice;       // or ROOST_SPAWN_SAME_NICE
};

enum { ROOST_SPAWN_SAME_NICE = 100 };

struct roost_spawn_result {
  pid_t pid;
  enum roost_spawn_step failed_step;
  int error;  // errno of the failed step
};

// Starts a process and returns when it runs the executable, or has failed and is reaped. If it may hang and takes
// longer than three seconds, it is killed, and the caller has to reap it. Must be called from the main thread, whose
// end is what the parent-death signal reports.
struct roost_spawn_result roost_spawn(const struct roost_spawn_request *request);

// Continues in a copy of this process as well, which has its own session, no descriptors but the standard ones and this
// one, and the parent-death signal SIGKILL. Everything is allowed in the copy only if there are no other threads
// (fork(2)). Returns 0 there, here its pid, or -1 with errno. When it returns here, the copy has closed what it has no
// use for, unless it hasn't run for a quarter of a second: then it closes that later.
pid_t roost_fork(int kept);

// Lets a process that roost_fork() made continue when its parent dies: what it does is worth finishing.
void roost_outlive_parent(void);

// Tries what a user may do with a path, as access(2) does, in a process of that user. Returns 0 if the user may, the
// error number if not, and -1 with errno if this process can't become that user.
int roost_access_as(const struct roost_spawn_identity *identity, const char *path, int mode);

#pragma clang assume_nonnull end
