#define _GNU_SOURCE
#include "roost_receive.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "roost_elsewhere.h"

// How many descriptors can come with a message (SCM_MAX_FD).
enum { MOST_PASSED = 253 };
// With 1024 workers and 1024 listeners the master has fewer open than this.
enum { MOST_OPEN = 16384 };
enum { PATIENCE_MILLISECONDS = 100, PAUSE_MICROSECONDS = 200 };

// Where there is no room for what is passed along the kernel closes it in recvmsg(2), which waits for that.
struct reception {
  struct msghdr message;
  struct iovec part;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
  volatile long result;
  volatile bool is_done;
  char buffer[];
};

static void receive(const struct errand *errand) {
  struct reception *reception = errand->reception;
  long message = (long)(uintptr_t)&reception->message;
  reception->result = roost_call(SYS_recvmsg, errand->descriptor, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  reception->is_done = true;
}

static bool is_done_soon(const struct reception *reception) {
  int64_t deadline = roost_milliseconds() + PATIENCE_MILLISECONDS;
  // It is there at once as a rule.
  if (!reception->is_done) sched_yield();
  while (!reception->is_done && roost_milliseconds() < deadline) usleep(PAUSE_MICROSECONDS);
  return reception->is_done;
}

static long receive_elsewhere(int fd, struct msghdr *message) {
  size_t size = message->msg_iov->iov_len;
  struct reception *reception = calloc(1, sizeof *reception + size);
  if (reception == NULL) return -ENOMEM;
  reception->part = (struct iovec){.iov_base = reception->buffer, .iov_len = size};
  reception->message = (struct msghdr){
      .msg_iov = &reception->part, .msg_iovlen = 1, .msg_control = reception->control,
      .msg_controllen = sizeof reception->control};
  if (!roost_begin((struct errand){.run = receive, .descriptor = fd, .reception = reception})) {
    free(reception);
    return -EBUSY;
  }
  // Then its memory stays that process's: whoever sends what makes recvmsg(2) wait is not heard again.
  if (!is_done_soon(reception)) return -EBUSY;
  long result = reception->result;
  if (result > 0) memcpy(message->msg_iov->iov_base, reception->buffer, (size_t)result);
  message->msg_controllen = reception->message.msg_controllen;
  memcpy(message->msg_control, reception->control, reception->message.msg_controllen);
  message->msg_flags = reception->message.msg_flags;
  free(reception);
  return result;
}

// Whether there are so many numbers for descriptors. The free ones are at the upper end, but for a few.
static bool has_room(size_t count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST_OPEN + count) return true;
  for (int number = (int)limit.rlim_cur - 1; number >= 0 && count > 0; number--) {
    if (fcntl(number, F_GETFD) < 0) count--;
  }
  return count == 0;
}

ssize_t roost_receive_message(int fd, struct msghdr *message) {
  if (has_room(MOST_PASSED)) return recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  long result = receive_elsewhere(fd, message);
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}
