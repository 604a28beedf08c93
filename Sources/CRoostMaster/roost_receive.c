#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "roost_close.h"
#include "roost_linux.h"

// How many descriptors can come with a message (SCM_MAX_FD).
enum { MOST_PASSED = 253 };
// With 1024 workers and 1024 listeners the master has fewer open than this.
enum { MOST_OPEN = 16384 };

// Whether there are this many free numbers for descriptors. The free ones are at the upper end, apart from a few.
static bool has_room(size_t count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST_OPEN + count) return true;
  for (int number = (int)limit.rlim_cur - 1; number >= 0 && count > 0; number--) {
    if (fcntl(number, F_GETFD) < 0) count--;
  }
  return count == 0;
}

static ssize_t receive(int fd, struct msghdr *message, int flags) {
  return TEMP_FAILURE_RETRY(recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags));
}

static void take_control(struct cmsghdr *header, struct roost_datagram *datagram) {
  if (header->cmsg_level != SOL_SOCKET) return;
  if (header->cmsg_type == SCM_CREDENTIALS) {
    struct ucred credentials;
    memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
    datagram->has_credentials = true;
    datagram->pid = credentials.pid;
    datagram->uid = credentials.uid;
  } else if (header->cmsg_type == SCM_RIGHTS) {
    size_t length = header->cmsg_len - CMSG_LEN(0);
    memcpy(datagram->descriptors, CMSG_DATA(header), length);
    datagram->descriptor_count = length / sizeof(int);
  }
}

static void take_all_control(struct msghdr *message, struct roost_datagram *datagram) {
  datagram->has_credentials = false;
  datagram->descriptor_count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    take_control(header, datagram);
  }
}

// How much comes next with at most this many descriptors, 0 or 1, or -1 with errno: EBUSY when there are more. It stays
// where it is, and so do they: a copy that was only looked at isn't the last one, and its close(2) waits for nothing
// but a file system.
static ssize_t look(int fd, void *buffer, size_t size, size_t most) {
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
  } control;
  int passes_credentials = 0;
  socklen_t option_length = sizeof passes_credentials;
  getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &passes_credentials, &option_length);
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
  // No more room than for these: the kernel fills it with descriptors.
  if (passes_credentials) message.msg_controllen += CMSG_SPACE(sizeof(struct ucred));
  if (most > 0) message.msg_controllen += CMSG_LEN(sizeof(int));
  ssize_t length = receive(fd, &message, MSG_PEEK);
  if (length < 0) return -1;
  struct roost_datagram copy;
  take_all_control(&message, &copy);
  roost_close_elsewhere(copy.descriptors, copy.descriptor_count, 0);
  if (!(message.msg_flags & MSG_CTRUNC)) return length;
  errno = EBUSY;
  return -1;
}

int roost_receive(int fd, void *buffer, size_t size, bool takes_descriptors, struct roost_datagram *ret_datagram) {
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * MOST_PASSED)];
  } control;
  // If there is no room, the kernel closes them in recvmsg(2), and waits for that.
  if (!takes_descriptors || !has_room(MOST_PASSED)) {
    // One comes with BARRIER=1 of sd_notify(3), and there are nearly always two free numbers.
    ssize_t length = look(fd, buffer, size, takes_descriptors && has_room(2));
    if (length < 0) return -1;
    // No more of a stream than was looked at.
    if ((size_t)length < size) size = (size_t)length;
  }
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length = receive(fd, &message, 0);
  if (length < 0) return -1;
  ret_datagram->length = length;
  ret_datagram->truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  take_all_control(&message, ret_datagram);
  return 0;
}
