// What the kernel tells about another process beyond the text in /proc.
#ifndef ROOST_PROCESS_H
#define ROOST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// System calls in which a thread waits for connections or datagrams.
enum roost_call {
  ROOST_CALL_OTHER,
  ROOST_CALL_ACCEPT,  // on the descriptor of the first argument: accept, accept4; for datagrams recvfrom and its like
  ROOST_CALL_POLL,    // an array of struct pollfd and its length
  ROOST_CALL_SELECT,  // a number of descriptors and the set of those to be read
};

// What the system call of this number is. Numbers are those of the machine's own programs, not of 32-bit ones.
enum roost_call roost_classify_call(long number);

// Reads memory of another process (process_vm_readv(2)). Returns how much was read, or -1 with errno.
ssize_t roost_read_memory(pid_t pid, unsigned long address, void *buffer, size_t size);

// The inodes of all listening TCP and unix sockets of this network namespace (sock_diag(7)). Not by pidfd_getfd(2), which
// would tell of one: it is in no set of system calls that a service usually has, and using it may kill. Returns how many
// there are, or -1 with errno, E2BIG where they don't fit.
ssize_t roost_listening_sockets(uint64_t *inodes, size_t capacity);

// Whether this process may look into processes of other users (CAP_SYS_PTRACE in its effective set).
bool roost_may_trace(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
