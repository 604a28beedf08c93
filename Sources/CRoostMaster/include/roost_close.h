// close(2) of what others have passed, in processes that may wait for it (roost_helpers.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Closes descriptors that another process has passed, each in its own process, and waits for none: close(2) of a file
// flushes it, which a file system in user space (FUSE) answers when it likes; that of a socket may linger (SO_LINGER in
// socket(7)), even one in the queue of another; and that of a pipe waits for a process that is writing to it. A later
// call kills what takes longer than a second, if the kernel lets it, and everything that waits if there is no process
// left for more. `sender` stands for the process that has passed them.
void roost_close_elsewhere(const int *_Nullable fds, size_t count, uint64_t sender);

// How many descriptors of a sender are being closed.
size_t roost_closing_for(uint64_t sender);

// How many descriptors are still open because there is no process to close them.
size_t roost_unclosed(void);

// Whether what is being closed is no longer in this process's table. If it still is, execve(2) closes it, and waits.
bool roost_has_let_go(void);

// To be called before the last close(2) of a unix socket that strangers may send on: if something is unread, or waits
// to be accepted, another process closes it, and the descriptor stands for nothing from then on. A socket of another
// family is left as it is.
void roost_prepare_close(int fd);

#pragma clang assume_nonnull end
