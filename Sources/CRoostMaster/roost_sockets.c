#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roost_sockets.h"

// Asks for one attribute of the socket with this inode. Errno is ENODATA if it has none.
static int ask(int netlink, ino_t inode, unsigned show, unsigned short attribute, void *ret_value, size_t size) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = AF_UNIX,
                  .udiag_states = ~0U,
                  .udiag_ino = (unsigned)inode,
                  .udiag_show = show,
                  .udiag_cookie = {~0U, ~0U}},
  };
  union {
    struct nlmsghdr header;
    char bytes[4096];
  } answer;
  if (send(netlink, &question, sizeof question, 0) < 0) return -1;
  ssize_t length = recv(netlink, &answer, sizeof answer, 0);
  if (length < 0) return -1;
  errno = ENODATA;
  if (!NLMSG_OK(&answer.header, (size_t)length) || answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return -1;
  struct unix_diag_msg *message = NLMSG_DATA(&answer.header);
  long rest = (long)answer.header.nlmsg_len - (long)NLMSG_LENGTH(sizeof *message);
  for (struct rtattr *part = (struct rtattr *)(message + 1); RTA_OK(part, rest); part = RTA_NEXT(part, rest)) {
    if (part->rta_type != attribute || RTA_PAYLOAD(part) < size) continue;
    memcpy(ret_value, RTA_DATA(part), size);
    return 0;
  }
  return -1;
}

// What sock_diag(7) tells of a unix socket: an attribute (UNIX_DIAG_…), which has to be asked for (UDIAG_SHOW_…).
static int ask_unix(int fd, unsigned show, unsigned short attribute, void *ret_value, size_t size) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  int result = ask(netlink, status.st_ino, show, attribute, ret_value, size);
  int error = errno;
  close(netlink);
  errno = error;
  return result;
}

static bool is_unix(int fd) {
  int family = 0;
  socklen_t length = sizeof family;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family == AF_UNIX;
}

int roost_accept_queue(int fd, unsigned *ret_queued, unsigned *ret_limit) {
  if (is_unix(fd)) {
    struct unix_diag_rqlen queue;
    if (ask_unix(fd, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &queue, sizeof queue) < 0) return -1;
    *ret_queued = queue.udiag_rqueue;
    *ret_limit = queue.udiag_wqueue;
    return 0;
  }
  struct tcp_info info;
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
  // Of a listening socket these two mean something else: its queue and the queue's limit (tcp_get_info in the kernel).
  *ret_queued = info.tcpi_unacked;
  *ret_limit = info.tcpi_sacked;
  return 0;
}

static int memory_info(int fd, size_t index, unsigned *ret_value) {
  unsigned info[SK_MEMINFO_VARS];
  socklen_t length = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0) return -1;
  // A kernel that has fewer of these returns fewer.
  if (length < (index + 1) * sizeof *info) {
    errno = EOPNOTSUPP;
    return -1;
  }
  *ret_value = info[index];
  return 0;
}

int roost_dropped(int fd, unsigned *ret_dropped) {
  if (!is_unix(fd)) return memory_info(fd, SK_MEMINFO_DROPS, ret_dropped);
  errno = EOPNOTSUPP;
  return -1;
}

int roost_waiting_memory(int fd, unsigned *ret_bytes) { return memory_info(fd, SK_MEMINFO_RMEM_ALLOC, ret_bytes); }

int roost_unix_file(int fd, ino_t *ret_inode) {
  struct unix_diag_vfs file;
  if (ask_unix(fd, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, &file, sizeof file) < 0) return -1;
  *ret_inode = file.udiag_vfs_ino;
  return 0;
}
