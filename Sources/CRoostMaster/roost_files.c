#define _GNU_SOURCE
#include "roost_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

int roost_look(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int roost_look_cached(const char *path) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED};
  return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

int roost_count_names(int file, uint32_t *ret_count) {
  struct statx status;
  if (statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &status) < 0) return -1;
  if (!(status.stx_mask & STATX_NLINK)) {
    errno = ENODATA;
    return -1;
  }
  *ret_count = status.stx_nlink;
  return 0;
}

int roost_change_owner(int file, uid_t user, gid_t group) { return fchownat(file, "", user, group, AT_EMPTY_PATH); }

int roost_change_mode(int file, mode_t mode) {
  // fchmod(2) refuses such a descriptor, and its link in /proc leads to the file itself, whatever its name is by now.
  char link[sizeof "/proc/self/fd/" + 3 * sizeof file];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  if (chmod(link, mode) == 0) return 0;
  if (errno != ENOENT && errno != ENOTDIR) return -1;
  // Only now: a system call filter that is older than this call, such as systemd 252's, may kill the caller.
  return (int)syscall(SYS_fchmodat2, file, "", mode, AT_EMPTY_PATH);
}

// Straight to the kernel: the C library's functions change the ids of all threads, of which a child has only this one.
static int change_ids(uid_t user, gid_t group) {
  if (syscall(SYS_setresgid, -1, group, -1) != 0) return errno == EINVAL ? ENXIO : errno;
  if (syscall(SYS_setgroups, 0, NULL) != 0) return errno;
  if (syscall(SYS_setresuid, -1, user, -1) != 0) return errno == EINVAL ? ENXIO : errno;
  return 0;
}

int roost_bind_as(int fd, const void *address, size_t length, uid_t user, gid_t group) {
  pid_t child = _Fork();
  if (child < 0) return -1;
  if (child == 0) {
    int error = change_ids(user, group);
    if (error == 0 && bind(fd, address, (socklen_t)length) != 0) error = errno;
    // All errors fit (errno(3)).
    _exit(error);
  }
  int status;
  if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) < 0) return -1;
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
  return errno == 0 ? 0 : -1;
}
