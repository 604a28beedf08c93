// recvmsg(2) that doesn't wait, whatever is passed along.
#ifndef ROOST_RECEIVE_H
#define ROOST_RECEIVE_H

#include <sys/socket.h>

// Receives a message without waiting, close-on-exec. Where there may be no number for what is passed along another process receives,
// within 100 ms, and leaves it out. Returns its length, or -1 with errno: EBUSY if that process has to wait, and nothing more is to be
// received there; EAGAIN when there is no message.
ssize_t roost_receive_message(int fd, struct msghdr *message);

#endif
