#define _GNU_SOURCE
#include "roost_process.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum roost_call roost_classify_call(long number) {
  switch (number) {
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
      return ROOST_CALL_ACCEPT;
    // Newer architectures only have the variants with a signal mask.
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
      return ROOST_CALL_POLL;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
      return ROOST_CALL_SELECT;
    default:
      return ROOST_CALL_OTHER;
  }
}

ssize_t roost_read_memory(pid_t pid, unsigned long address, void *buffer, size_t size) {
  struct iovec local = {.iov_base = buffer, .iov_len = size};
  struct iovec remote = {.iov_base = (void *)address, .iov_len = size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

// The inode in a message about a socket, or 0 if it is about none.
static uint64_t inode_of(const struct nlmsghdr *message, int family) {
  if (family == AF_UNIX) {
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg))) return 0;
    return ((const struct unix_diag_msg *)NLMSG_DATA(message))->udiag_ino;
  }
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return 0;
  return ((const struct inet_diag_msg *)NLMSG_DATA(message))->idiag_inode;
}

static bool ask(int netlink, int family) {
  struct {
    struct nlmsghdr header;
    union {
      struct inet_diag_req_v2 inet;
      struct unix_diag_req unix_;
    } body;
  } request = {.header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  if (family == AF_UNIX) {
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body.unix_);
    request.body.unix_ = (struct unix_diag_req){.sdiag_family = AF_UNIX, .udiag_states = 1 << TCP_LISTEN};
  } else {
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body.inet);
    request.body.inet = (struct inet_diag_req_v2){
        .sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << TCP_LISTEN};
  }
  return send(netlink, &request, request.header.nlmsg_len, 0) == (ssize_t)request.header.nlmsg_len;
}

// Adds the inodes of one family. Returns the new count, or -1 with errno.
static ssize_t add_listening(int netlink, int family, uint64_t *inodes, size_t capacity, size_t count) {
  _Alignas(struct nlmsghdr) char buffer[16384];
  if (!ask(netlink, family)) return -1;
  for (;;) {
    ssize_t length = recv(netlink, buffer, sizeof buffer, 0);
    if (length <= 0) return -1;
    size_t rest = (size_t)length;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, rest);
         message = NLMSG_NEXT(message, rest)) {
      if (message->nlmsg_type == NLMSG_DONE) return (ssize_t)count;
      if (message->nlmsg_type == NLMSG_ERROR) {
        errno = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
        // A kernel without this family has no sockets of it.
        return errno == ENOENT ? (ssize_t)count : -1;
      }
      uint64_t inode = inode_of(message, family);
      if (inode == 0) continue;
      if (count == capacity) {
        errno = E2BIG;
        return -1;
      }
      inodes[count++] = inode;
    }
  }
}

ssize_t roost_listening_sockets(uint64_t *inodes, size_t capacity) {
  static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  ssize_t count = 0;
  for (size_t i = 0; i < sizeof families / sizeof *families && count >= 0; i++)
    count = add_listening(netlink, families[i], inodes, capacity, (size_t)count);
  int error = errno;
  close(netlink);
  errno = error;
  return count;
}

bool roost_may_trace(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capget, &header, data) < 0) return false;
  return data[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE);
}
