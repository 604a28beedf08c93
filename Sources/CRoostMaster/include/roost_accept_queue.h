#ifndef ROOST_ACCEPT_QUEUE_H
#define ROOST_ACCEPT_QUEUE_H

#include <stddef.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// How many connections wait in the accept queue of a listening socket, and how many can. Returns 0, or -1 with errno.
int roost_accept_queue(int fd, unsigned *ret_queued, unsigned *ret_limit);

// What sock_diag(7) tells of a unix socket: an attribute (UNIX_DIAG_…), which has to be asked for (UDIAG_SHOW_…). Returns 0, or -1 with
// errno, ENODATA if the socket has none.
int roost_ask_unix_socket(int fd, unsigned show, unsigned short attribute, void *ret_value, size_t size);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
