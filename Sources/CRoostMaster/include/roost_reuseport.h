// Groups of sockets with SO_REUSEPORT: which of them the kernel chooses, and what still belongs to one of them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// What decides between the sockets of a group.
enum roost_spread {
  ROOST_SPREAD_RANDOM,  // chance, for connections
  ROOST_SPREAD_FLOW,    // the sender's address and port, so that a flow of datagrams stays with one socket
  ROOST_SPREAD_CPU,     // the processor that the packet arrives at
};

// Sockets of a group that follow each other, by their index: the order in which they began to listen, or were bound.
struct roost_run {
  unsigned first;
  unsigned count;
};

// Makes the kernel choose among these sockets of the group to which fd belongs, in ascending order, and no others
// (SO_ATTACH_REUSEPORT_CBPF in socket(7)). Returns 0, or -1 with errno.
int roost_steer(int fd, enum roost_spread spread, const struct roost_run *runs, size_t count);

// Waits until what other processors were doing in the kernel's network code is done (synchronize_rcu, by
// membarrier(2)): from then on nothing follows a former steering. Returns 0, or -1 with errno if the kernel can't.
int roost_network_barrier(void);

// The handshakes that have begun with the address of a listening TCP socket and haven't ended, whichever socket of its
// group they belong to: the kernel doesn't reveal that. A handshake keeps its number (SO_COOKIE) as long as it lasts.
// There may be more than fit. Returns 0, or -1 with errno.
int roost_handshakes(int fd, uint64_t *ret_numbers, size_t capacity, size_t *ret_count);

#pragma clang assume_nonnull end
