#define _GNU_SOURCE
#include "roost_reuseport.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/membarrier.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// A program of classic BPF in the making. It is too long rather than wrong: an instruction that has no room is counted.
struct program {
  struct sock_filter code[BPF_MAXINSNS];
  size_t length;
};

static void add_jump(
    struct program *program, unsigned short code, unsigned value, unsigned char yes, unsigned char no) {
  if (program->length < BPF_MAXINSNS) {
    program->code[program->length] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = value};
  }
  program->length++;
}

static void add(struct program *program, unsigned short code, unsigned value) {
  add_jump(program, code, value, 0, 0);
}

static unsigned ancillary(int what) { return (unsigned)(SKF_AD_OFF + what); }
static unsigned network(int offset) { return (unsigned)(SKF_NET_OFF + offset); }

// A = a number that is the same for all datagrams of one address and port, and else any. The data of the filter begins
// after the UDP header; what precedes that can be reached from the network header.
static void add_flow(struct program *program) {
  add(program, BPF_LD | BPF_B | BPF_ABS, network(0));
  add(program, BPF_ALU | BPF_RSH | BPF_K, 4);
  // IPv6: the low half of the sender's address, and both ports if they follow the fixed header.
  add_jump(program, BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 6);
  add(program, BPF_LD | BPF_W | BPF_ABS, network(16));
  add(program, BPF_MISC | BPF_TAX, 0);
  add(program, BPF_LD | BPF_W | BPF_ABS, network(20));
  add(program, BPF_ALU | BPF_XOR | BPF_X, 0);
  add(program, BPF_ST, 0);
  add_jump(program, BPF_JMP | BPF_JA, 4, 0, 0);
  // IPv4: the sender's address, and both ports after a header of this length.
  add(program, BPF_LD | BPF_W | BPF_ABS, network(12));
  add(program, BPF_ST, 0);
  add(program, BPF_LDX | BPF_B | BPF_MSH, network(0));
  add_jump(program, BPF_JMP | BPF_JA, 1, 0, 0);
  add(program, BPF_LDX | BPF_IMM, 40);
  add(program, BPF_LD | BPF_W | BPF_IND, network(0));
  add(program, BPF_LDX | BPF_MEM, 0);
  add(program, BPF_ALU | BPF_XOR | BPF_X, 0);
  // The bits of neighbouring ports are mixed: 2^32 divided by the golden ratio.
  add(program, BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1);
  add(program, BPF_ALU | BPF_RSH | BPF_K, 16);
}

static void add_choice(struct program *program, enum roost_spread spread) {
  switch (spread) {
    case ROOST_SPREAD_RANDOM: return add(program, BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_RANDOM));
    case ROOST_SPREAD_CPU: return add(program, BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_CPU));
    case ROOST_SPREAD_FLOW: return add_flow(program);
  }
}

int roost_steer(int fd, enum roost_spread spread, const struct roost_run *runs, size_t count) {
  static struct program program;  // 32 KiB, and the caller is single-threaded.
  program.length = 0;
  unsigned total = 0;
  for (size_t i = 0; i < count; i++) total += runs[i].count;
  if (total == 0) {
    errno = EINVAL;
    return -1;
  }
  add_choice(&program, spread);
  add(&program, BPF_ALU | BPF_MOD | BPF_K, total);
  // A is the index of a socket among all runs together; the number of those that come before a run is subtracted from
  // it.
  unsigned before = 0;
  for (size_t i = 0; i < count; i++) {
    add_jump(&program, BPF_JMP | BPF_JGE | BPF_K, before + runs[i].count, 2, 0);
    add(&program, BPF_ALU | BPF_ADD | BPF_K, runs[i].first - before);
    add(&program, BPF_RET | BPF_A, 0);
    before += runs[i].count;
  }
  // Never reached, but a program has to end with it. The kernel would choose on its own.
  add(&program, BPF_RET | BPF_K, 0xffffffff);
  if (program.length > BPF_MAXINSNS) {
    errno = E2BIG;
    return -1;
  }
  struct sock_fprog filter = {.len = (unsigned short)program.length, .filter = program.code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof filter);
}

int roost_network_barrier(void) { return (int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

// The part of an address that sock_diag(7) has to know.
struct place {
  int family;
  in_port_t port;
};

static int place_of(int fd, struct place *ret_place) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -1;
  ret_place->family = address.ss_family;
  ret_place->port = address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                  : ((struct sockaddr_in *)&address)->sin_port;
  return 0;
}

static int ask_for_handshakes(int netlink, const struct place *place) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
  } message = {
      .header = {
          .nlmsg_len = sizeof message,
          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
      },
      .request = {
          .sdiag_family = (unsigned char)place->family,
          .sdiag_protocol = IPPROTO_TCP,
          .idiag_states = 1 << 3,  // TCP_SYN_RECV, which Linux's and glibc's headers both define
          .id = {.idiag_sport = place->port},
      },
  };
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  return sendto(netlink, &message, sizeof message, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0 ? -1 : 0;
}

static int read_handshakes(int netlink, uint64_t *ret_numbers, size_t capacity, size_t *ret_count) {
  *ret_count = 0;
  while (true) {
    _Alignas(struct nlmsghdr) char buffer[32768];
    ssize_t received = TEMP_FAILURE_RETRY(recv(netlink, buffer, sizeof buffer, 0));
    if (received < 0) return -1;
    size_t rest = (size_t)received;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, rest);
         message = NLMSG_NEXT(message, rest)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        errno = -((struct nlmsgerr *)NLMSG_DATA(message))->error;
        return -1;
      }
      struct inet_diag_msg *handshake = NLMSG_DATA(message);
      uint64_t number = (uint64_t)handshake->id.idiag_cookie[1] << 32 | handshake->id.idiag_cookie[0];
      if (*ret_count < capacity) ret_numbers[*ret_count] = number;
      ++*ret_count;
    }
  }
}

int roost_handshakes(int fd, uint64_t *ret_numbers, size_t capacity, size_t *ret_count) {
  struct place place;
  if (place_of(fd, &place) < 0) return -1;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  int result = ask_for_handshakes(netlink, &place);
  if (result == 0) result = read_handshakes(netlink, ret_numbers, capacity, ret_count);
  int error = errno;
  close(netlink);
  errno = error;
  return result;
}
