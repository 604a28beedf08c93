#define _GNU_SOURCE
#include "roost_process.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum roost_call roost_classify_call(long number) {
  switch (number) {
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
      return ROOST_CALL_ACCEPT;
    // Newer architectures only have the variants with a signal mask.
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll:
      return ROOST_CALL_POLL;
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6:
      return ROOST_CALL_SELECT;
    default:
      return ROOST_CALL_OTHER;
  }
}

ssize_t roost_read_memory(pid_t pid, unsigned long address, void *buffer, size_t size) {
  struct iovec local = {.iov_base = buffer, .iov_len = size};
  struct iovec remote = {.iov_base = (void *)address, .iov_len = size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

bool roost_may_trace(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capget, &header, data) < 0) return false;
  return data[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE);
}
