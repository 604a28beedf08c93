#define _GNU_SOURCE
#include "roost_unix_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roost_linux.h"

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

static int look_up(int fd, unsigned show, unsigned short attribute, void *ret_value, size_t size) {
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

int roost_unix_queue(int fd, unsigned *ret_queued, unsigned *ret_limit) {
  struct unix_diag_rqlen queue;
  if (look_up(fd, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &queue, sizeof queue) < 0) return -1;
  *ret_queued = queue.udiag_rqueue;
  *ret_limit = queue.udiag_wqueue;
  return 0;
}

int roost_unix_file(int fd, ino_t *ret_inode) {
  struct unix_diag_vfs file;
  if (look_up(fd, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, &file, sizeof file) < 0) return -1;
  *ret_inode = file.udiag_vfs_ino;
  return 0;
}
