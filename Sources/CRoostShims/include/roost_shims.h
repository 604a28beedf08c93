// The few calls that servers of others make through RoostWorker, and our programs' command line. What is only the master's is in
// CRoostMaster. No header here includes <sys/socket.h>: its constants would become this module's, and files that import Glibc alone
// wouldn't find them any more.
#ifndef ROOST_SHIMS_H
#define ROOST_SHIMS_H

#include <stddef.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// How many arguments the kernel has passed to this program, argument 0 included: 0 where even that is missing (execve(2)).
int roost_argument_count(void);

// The arguments, up to a null pointer. They stay where they are for as long as the process runs.
char *_Nullable *_Nonnull roost_arguments(void);

// Makes the process's pipe of signals, for a process whose threads aren't known: a handler reaches it whichever thread the kernel
// chooses, where a mask would have to be the same in all of them. Once only. Returns the descriptor to read from, or -1 with errno.
int roost_signals_open(void);

// From now on this signal is a byte in the pipe: its number. Returns 0, or -1 with errno.
int roost_signals_catch(int number);

// How many connections wait in the accept queue of a listening socket, and how many can. Returns 0, or -1 with errno.
int roost_accept_queue(int fd, unsigned *ret_queued, unsigned *ret_limit);

// What sock_diag(7) tells of a unix socket: an attribute (UNIX_DIAG_…), which has to be asked for (UDIAG_SHOW_…). Returns 0, or -1 with
// errno, ENODATA if the socket has none.
int roost_ask_unix_socket(int fd, unsigned show, unsigned short attribute, void *ret_value, size_t size);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
