#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roost_accept_queue.h"

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

int roost_ask_unix_socket(int fd, unsigned show, unsigned short attribute, void *ret_value, size_t size) {
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

int roost_accept_queue(int fd, unsigned *ret_queued, unsigned *ret_limit) {
  int family;
  socklen_t length = sizeof family;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0) return -1;
  if (family == AF_UNIX) {
    struct unix_diag_rqlen queue;
    if (roost_ask_unix_socket(fd, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &queue, sizeof queue) < 0) return -1;
    *ret_queued = queue.udiag_rqueue;
    *ret_limit = queue.udiag_wqueue;
    return 0;
  }
  struct tcp_info info;
  length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
  // Of a listening socket these two mean something else: its queue and the queue's limit (tcp_get_info in the kernel).
  *ret_queued = info.tcpi_unacked;
  *ret_limit = info.tcpi_sacked;
  return 0;
}
