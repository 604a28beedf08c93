// What the kernel reveals about another process beyond the text in /proc.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// System calls in which a thread waits for connections or datagrams.
enum roost_call {
  ROOST_CALL_OTHER,
  ROOST_CALL_ACCEPT,  // on the descriptor of the first argument: accept, accept4; for datagrams recvfrom and the like
  ROOST_CALL_POLL,    // an array of struct pollfd and its length
  ROOST_CALL_SELECT,  // a number of descriptors and the set of those to read
};

// What the system call with this number is. Numbers are those of the machine's native programs, not of 32-bit ones.
enum roost_call roost_classify_call(long number);

// Reads memory of another process (process_vm_readv(2)). Returns how much was read, or -1 with errno.
ssize_t roost_read_memory(pid_t pid, unsigned long address, void *buffer, size_t size);

// Whether this process may look into processes of other users (CAP_SYS_PTRACE in its effective set).
bool roost_may_trace(void);

#pragma clang assume_nonnull end
