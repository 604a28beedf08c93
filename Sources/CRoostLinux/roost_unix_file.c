#define _GNU_SOURCE
#include "roost_linux.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ask(int netlink, ino_t socket_inode, ino_t *ret_inode) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = AF_UNIX,
                  .udiag_states = ~0U,
                  .udiag_ino = (unsigned)socket_inode,
                  .udiag_show = UDIAG_SHOW_VFS,
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
    if (part->rta_type != UNIX_DIAG_VFS) continue;
    struct unix_diag_vfs file;
    memcpy(&file, RTA_DATA(part), sizeof file);
    *ret_inode = file.udiag_vfs_ino;
    return 0;
  }
  return -1;
}

int roost_unix_file(int fd, ino_t *ret_inode) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  int result = ask(netlink, status.st_ino, ret_inode);
  int error = errno;
  close(netlink);
  errno = error;
  return result;
}
