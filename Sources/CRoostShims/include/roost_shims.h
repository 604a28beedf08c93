// The few calls that servers of others make through RoostWorker, and our programs' command line. What is only the master's is in
// CRoostMaster. No header here includes <sys/socket.h>: its constants would become this module's, and files that import Glibc alone
// wouldn't find them any more.
#pragma once

#pragma clang assume_nonnull begin

// How many arguments the kernel has passed to this program, argument 0 included: 0 where even that is missing (execve(2)).
int roost_argument_count(void);

// The arguments, up to a null pointer. They stay where they are for as long as the process runs.
char *_Nullable *_Nonnull roost_arguments(void);

// Makes the process's pipe of signals, for a process whose threads aren't known: a handler reaches it whichever thread the kernel
// chooses, where a mask would have to be the same in all of them. Once only. Returns the descriptor to read from, or -1 with errno.
int roost_signals_open(void);

// From now on this signal is a byte in the pipe: its number. Returns 0, or -1 with errno.
int roost_signals_catch(int number);

#pragma clang assume_nonnull end
