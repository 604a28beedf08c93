#define _GNU_SOURCE
#include "roost_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int roost_reap(struct roost_exit *ret_exit) {
  siginfo_t info = {0};
  int result;
  do {
    result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return -1;
  if (info.si_pid == 0) return 0;
  *ret_exit = (struct roost_exit){
      .pid = info.si_pid,
      .signalled = info.si_code != CLD_EXITED,
      .number = info.si_status,
      .dumped_core = info.si_code == CLD_DUMPED,
  };
  return 1;
}

int roost_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

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

int roost_receive(int fd, void *buffer, size_t size, struct roost_datagram *ret_datagram) {
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 253)];
  } control;
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length;
  do {
    length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -1;
  ret_datagram->length = length;
  ret_datagram->truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  ret_datagram->has_credentials = false;
  ret_datagram->descriptor_count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    take_control(header, ret_datagram);
  }
  return 0;
}

int roost_pass_credentials(int fd) {
  int yes = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}

int roost_memory_file(const char *name) { return memfd_create(name, 0); }

int roost_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

const char *roost_signal_name(int number) { return sigabbrev_np(number); }
