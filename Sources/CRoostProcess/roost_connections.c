#define _GNU_SOURCE
#include "roost_connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The kernel fills the room that it gets, so no answer has more than ROOST_MOST_CONNECTIONS messages.
enum { ANSWER = 16384 };
_Static_assert(ANSWER / NLMSG_LENGTH(sizeof(struct inet_diag_msg)) <= ROOST_MOST_CONNECTIONS, "room for TCP");
_Static_assert(ANSWER / NLMSG_LENGTH(sizeof(struct unix_diag_msg)) <= ROOST_MOST_CONNECTIONS, "room for unix sockets");

// The states in which a process may still read from or write to a connection. Connections that weren't accepted are
// among them: their inode is 0.
static const uint32_t open_states = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
                                    1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING;

static int ask(const void *body, size_t length) {
  struct {
    struct nlmsghdr header;
    char body[sizeof(struct inet_diag_req_v2)];
  } request = {.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(length),
                          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
  memcpy(request.body, body, length);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  if (send(netlink, &request, request.header.nlmsg_len, 0) >= 0) return netlink;
  int error = errno;
  close(netlink);
  errno = error;
  return -1;
}

static int ask_tcp(int family, uint16_t port, uint32_t states) {
  struct inet_diag_req_v2 request = {.sdiag_family = (uint8_t)family,
                                     .sdiag_protocol = IPPROTO_TCP,
                                     .idiag_states = states,
                                     .id = {.idiag_sport = htons(port)}};
  return ask(&request, sizeof request);
}

static int ask_unix(uint32_t states, uint32_t show) {
  struct unix_diag_req request = {.sdiag_family = AF_UNIX, .udiag_states = states, .udiag_show = show};
  return ask(&request, sizeof request);
}

int roost_ask_tcp(int family, uint16_t port) { return ask_tcp(family, port, open_states); }

int roost_ask_unix(void) { return ask_unix(1 << TCP_ESTABLISHED, UDIAG_SHOW_NAME); }

// Takes one message; returns whether it counts.
typedef bool taker(const struct nlmsghdr *message, size_t count, void *context);

static ssize_t next(int answer, taker *take, void *context, bool *ret_is_last) {
  _Alignas(struct nlmsghdr) char buffer[ANSWER];
  ssize_t length = TEMP_FAILURE_RETRY(recv(answer, buffer, sizeof buffer, 0));
  if (length <= 0) return -1;
  size_t rest = (size_t)length;
  size_t count = 0;
  bool is_last = false;
  for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, rest) && count < ROOST_MOST_CONNECTIONS;
       message = NLMSG_NEXT(message, rest)) {
    // Sockets have come and gone while the kernel listed them, and some may be missing.
    if (message->nlmsg_flags & NLM_F_DUMP_INTR) {
      errno = EAGAIN;
      return -1;
    }
    if (message->nlmsg_type == NLMSG_DONE) {
      is_last = true;
    } else if (message->nlmsg_type == NLMSG_ERROR) {
      errno = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
      // A kernel without this family has no sockets of it.
      if (errno != ENOENT) return -1;
      is_last = true;
    } else if (take(message, count, context)) {
      count++;
    }
  }
  *ret_is_last = is_last;
  return (ssize_t)count;
}

static bool take_tcp(const struct nlmsghdr *message, size_t count, void *context) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return false;
  const struct inet_diag_msg *found = NLMSG_DATA(message);
  if (found->idiag_inode == 0) return false;
  struct roost_connection *connection = (struct roost_connection *)context + count;
  *connection = (struct roost_connection){.inode = found->idiag_inode, .remote_port = ntohs(found->id.idiag_dport)};
  memcpy(connection->local, found->id.idiag_src, sizeof connection->local);
  memcpy(connection->remote, found->id.idiag_dst, sizeof connection->remote);
  return true;
}

ssize_t roost_next_tcp(int answer, struct roost_connection *connections, bool *ret_is_last) {
  return next(answer, take_tcp, connections, ret_is_last);
}

struct wanted {
  const uint8_t *name;
  size_t length;
  uint64_t *inodes;
};

static bool take_unix(const struct nlmsghdr *message, size_t count, void *context) {
  const struct wanted *wanted = context;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg))) return false;
  const struct unix_diag_msg *found = NLMSG_DATA(message);
  long rest = (long)message->nlmsg_len - (long)NLMSG_LENGTH(sizeof *found);
  const struct rtattr *part = (const struct rtattr *)(found + 1);
  for (; RTA_OK(part, rest); part = RTA_NEXT(part, rest)) {
    if (part->rta_type != UNIX_DIAG_NAME || RTA_PAYLOAD(part) != wanted->length) continue;
    if (found->udiag_ino == 0 || memcmp(RTA_DATA(part), wanted->name, wanted->length) != 0) return false;
    wanted->inodes[count] = found->udiag_ino;
    return true;
  }
  return false;
}

ssize_t roost_next_unix(int answer, const uint8_t *name, size_t length, uint64_t *inodes, bool *ret_is_last) {
  struct wanted wanted = {.name = name, .length = length, .inodes = inodes};
  return next(answer, take_unix, &wanted, ret_is_last);
}

struct listening {
  int family;
  uint64_t inodes[ROOST_MOST_CONNECTIONS];
};

static bool take_listening(const struct nlmsghdr *message, size_t count, void *context) {
  struct listening *found = context;
  const void *body = NLMSG_DATA(message);
  if (found->family == AF_UNIX) {
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg))) return false;
    found->inodes[count] = ((const struct unix_diag_msg *)body)->udiag_ino;
  } else {
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) return false;
    found->inodes[count] = ((const struct inet_diag_msg *)body)->idiag_inode;
  }
  return found->inodes[count] != 0;
}

// Adds the inodes of one family. Returns the new count, or -1 with errno.
static ssize_t add_listening(int answer, int family, uint64_t *inodes, size_t capacity, size_t count) {
  struct listening found = {.family = family};
  bool is_last = false;
  while (!is_last) {
    ssize_t more = next(answer, take_listening, &found, &is_last);
    if (more < 0) return -1;
    if (count + (size_t)more > capacity) {
      errno = E2BIG;
      return -1;
    }
    memcpy(inodes + count, found.inodes, (size_t)more * sizeof *inodes);
    count += (size_t)more;
  }
  return (ssize_t)count;
}

ssize_t roost_listening_sockets(uint64_t *inodes, size_t capacity) {
  static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
  ssize_t count = 0;
  for (size_t i = 0; i < sizeof families / sizeof *families && count >= 0; i++) {
    int family = families[i];
    int answer = family == AF_UNIX ? ask_unix(1 << TCP_LISTEN, 0) : ask_tcp(family, 0, 1 << TCP_LISTEN);
    if (answer < 0) return -1;
    count = add_listening(answer, family, inodes, capacity, (size_t)count);
    int error = errno;
    close(answer);
    errno = error;
  }
  return count;
}
