// What the kernel reveals about unix sockets by sock_diag(7). The public part is in roost_linux.h.
#ifndef ROOST_UNIX_DIAG_H
#define ROOST_UNIX_DIAG_H

// How many connections wait at a listening unix socket, and how many can. Returns 0, or -1 with errno.
int roost_unix_queue(int fd, unsigned *ret_queued, unsigned *ret_limit);

#endif
