// Signals as bytes of a pipe, for a process whose threads aren't known: a handler reaches it whichever thread the kernel
// chooses, where a mask would have to be the same in all of them.
#ifndef ROOST_SIGNALS_H
#define ROOST_SIGNALS_H

// Makes the process's pipe of signals. Once only. Returns the descriptor to read from, or -1 with errno.
int roost_signals_open(void);

// From now on this signal is a byte in the pipe: its number. Returns 0, or -1 with errno.
int roost_signals_catch(int number);

#endif
