// What the kernel tells of a socket.
#pragma once

#include <sys/types.h>

#pragma clang assume_nonnull begin

// How many connections wait in the accept queue of a listening socket, and how many can. Returns 0, or -1 with errno.
int roost_accept_queue(int fd, unsigned *ret_queued, unsigned *ret_limit);

// How many connection requests the kernel has dropped at a listening TCP socket since it was made: its queue was full
// (SO_MEMINFO, SK_MEMINFO_DROPS). The count wraps around. Returns 0, or -1 with errno, EOPNOTSUPP for a unix socket:
// there nothing is dropped, connect(2) waits or fails with EAGAIN, and that isn't counted.
int roost_dropped(int fd, unsigned *ret_dropped);

// The bytes of memory that the datagrams waiting in a socket take. Returns 0, or -1 with errno.
int roost_waiting_memory(int fd, unsigned *ret_bytes);

// The inode of the file that a listening unix socket is bound to, even if the file's name is gone (sock_diag(7)).
// Returns 0, or -1 with errno, ENODATA if it is bound to none.
int roost_unix_file(int fd, ino_t *ret_inode);

#pragma clang assume_nonnull end
