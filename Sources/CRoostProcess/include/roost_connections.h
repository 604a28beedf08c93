// The connections of this network namespace, as the kernel lists them by sock_diag(7).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// The end of a TCP connection, in a socket that a process has open or had.
struct roost_connection {
  uint64_t inode;
  // Network byte order. For AF_INET the first four bytes.
  uint8_t local[16];
  uint8_t remote[16];
  uint16_t remote_port;
};

// The most that one part of the kernel's answer can have.
enum { ROOST_MOST_CONNECTIONS = 512 };

// Asks for the TCP connections of a family (AF_INET, AF_INET6) with this local port. Returns a descriptor from which the answer
// is read, or -1 with errno.
int roost_ask_tcp(int family, uint16_t port);

// Reads a part of the answer, into room for ROOST_MOST_CONNECTIONS. Returns how many there are in it, which may be 0,
// or -1 with errno; `ret_is_last` is set to whether that was all.
ssize_t roost_next_tcp(int answer, struct roost_connection *connections, bool *ret_is_last);

// The same for connected unix sockets.
int roost_ask_unix(void);

// The inodes of those that have this name, as getsockname(2) returns it, without the family: what a listener accepts
// has its name.
ssize_t roost_next_unix(int answer, const uint8_t *name, size_t length, uint64_t *inodes, bool *ret_is_last);

// The inodes of all listening TCP and unix sockets of this network namespace (sock_diag(7)). Not by pidfd_getfd(2),
// which would work for one: it is in no set of system calls that a service usually has, and using it may be deadly.
// Returns how many there are, or -1 with errno, E2BIG if they don't fit.
ssize_t roost_listening_sockets(uint64_t *inodes, size_t capacity);

#pragma clang assume_nonnull end
