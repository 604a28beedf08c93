#define _GNU_SOURCE
#include "roost_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "roost_helpers.h"

static int take_news(int kinds, struct roost_news *ret_news) {
  siginfo_t info = {0};
  if (TEMP_FAILURE_RETRY(waitid(P_ALL, 0, &info, kinds | WNOHANG)) < 0) return -1;
  if (info.si_pid == 0) return 0;
  *ret_news = (struct roost_news){.pid = info.si_pid, .code = info.si_code, .number = info.si_status};
  return 1;
}

int roost_reap(struct roost_news *ret_news) {
  int result = take_news(WEXITED, ret_news);
  if (result == 1) roost_helper_ended(ret_news->pid);
  return result;
}

int roost_take_stop(struct roost_news *ret_news) { return take_news(WSTOPPED | WCONTINUED, ret_news); }

int roost_process_descriptor(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int roost_signal_process(int fd, int number) {
  return (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
}

int roost_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

bool roost_is_delegated(const char *path) {
  // Before 251 there was only the first, which root alone can read.
  static const char *const names[] = {"trusted.delegate", "user.delegate"};
  struct statfs status;
  if (statfs(path, &status) < 0 || status.f_type != CGROUP2_SUPER_MAGIC) return false;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char value;
    if (getxattr(path, names[i], &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

int roost_send_datagram(int fd, const void *bytes, size_t length, int passed) {
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (passed >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.space;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof passed), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
  }
  return TEMP_FAILURE_RETRY(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 ? -1 : 0;
}

int roost_memory_file(const char *name) { return memfd_create(name, 0); }

const char *roost_signal_name(int number) { return sigabbrev_np(number); }

int roost_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  // Only this end: the flag belongs to the end's open file, and the other end is the process's.
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return 0;
}

int roost_accept(int fd) {
  int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection >= 0) roost_keep_in_line(connection);
  return connection;
}

void roost_keep_in_line(int fd) {
  int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof yes);
}

int roost_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return -1;
  *ret_pid = credentials.pid;
  *ret_uid = credentials.uid;
  *ret_gid = credentials.gid;
  return 0;
}

bool roost_peer_is_in(int fd, gid_t group) {
  gid_t groups[1024];
  socklen_t length = sizeof groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0) return false;
  for (size_t i = 0; i < length / sizeof *groups; i++) {
    if (groups[i] == group) return true;
  }
  return false;
}
