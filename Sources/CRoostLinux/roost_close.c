#define _GNU_SOURCE
#include "roost_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// What a child needs that makes two system calls and nothing else.
enum { STACK = 4096, CLOSERS = 1024 };
// How many descriptors can come with a message (SCM_MAX_FD). Of a process that may have so many more than this there is always room
// for them: with 1024 workers and 1024 listeners the master has fewer.
enum { MOST_PASSED = 253, MOST_OPEN = 16384 };
// How many seconds close(2) may take where there is another way.
enum { PATIENCE = 1 };

// A process with this process's memory and table of descriptors. It takes the descriptor out of the table, and then waits for
// whatever the kernel does with it.
struct closer {
  // Not 0 while it runs: the kernel clears it when it has gone (CLONE_CHILD_CLEARTID in clone(2)).
  volatile pid_t running;
  // Not 0 until it is reaped.
  pid_t pid;
  int descriptor;
  // Who has sent the descriptor.
  uint64_t sender;
  struct reception *reception;
  time_t began;
  // Set by the process itself when nothing but close(2) can make it wait any more.
  volatile bool has_begun;
  bool has_let_go;
};

static struct closer closers[CLOSERS];
static char *stacks;
// Those for which there was no process.
static int unclosed[CLOSERS];
static size_t unclosed_count;
static pid_t parent;

// Without the C library: its errno is the master's, who goes on meanwhile.
static long system_call(long number, long one, long two, long three) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(one), "S"(two), "d"(three) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = one;
  register long x1 __asm__("x1") = two;
  register long x2 __asm__("x2") = three;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
#else
#error "how this processor makes a system call isn't written here"
#endif
}

// It ends with its parent, unless the kernel holds it: it keeps open whatever that had open.
static void follow_parent(void) {
  system_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
  if (system_call(SYS_getppid, 0, 0, 0) != parent) system_call(SYS_exit, 0, 0, 0);
}

static int run(void *argument) {
  struct closer *closer = argument;
  follow_parent();
  closer->has_begun = true;
  system_call(SYS_close, closer->descriptor, 0, 0);
  system_call(SYS_exit, 0, 0, 0);
  return 0;
}

// Whether this process has left the table: 1, or -1 if it can't.
static volatile int left;

static int empty(void *argument) {
  (void)argument;
  follow_parent();
  while (left == 0) system_call(SYS_sched_yield, 0, 0, 0);
  if (left > 0) system_call(SYS_close_range, 0, (long)UINT_MAX, 0);
  system_call(SYS_exit, 0, 0, 0);
  return 0;
}

// What is received by such a process: where there is no room for what is passed along, the kernel closes it in recvmsg(2).
struct reception {
  int socket;
  struct msghdr message;
  struct iovec part;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
  volatile long result;
  volatile bool is_done;
  char buffer[];
};

static int receive(void *argument) {
  struct closer *closer = argument;
  struct reception *reception = closer->reception;
  follow_parent();
  closer->has_begun = true;
  reception->result = system_call(
      SYS_recvmsg, reception->socket, (long)(uintptr_t)&reception->message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  reception->is_done = true;
  system_call(SYS_exit, 0, 0, 0);
  return 0;
}

static time_t seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

static bool begin_with(int (*function)(void *), int fd, uint64_t sender, struct reception *reception) {
  if (stacks == NULL) {
    void *memory = mmap(
        NULL, (size_t)STACK * CLOSERS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    stacks = memory;
  }
  parent = getpid();
  for (size_t i = 0; i < CLOSERS; i++) {
    struct closer *closer = &closers[i];
    if (closer->pid != 0 && closer->running == 0 && waitpid(closer->pid, NULL, WNOHANG) == closer->pid) closer->pid = 0;
    if (closer->pid != 0) continue;
    closer->descriptor = fd;
    closer->sender = sender;
    closer->reception = reception;
    closer->began = seconds();
    closer->has_begun = closer->has_let_go = false;
    closer->running = 1;
    int pid = clone(
        function, stacks + (i + 1) * STACK, CLONE_VM | CLONE_FILES | CLONE_CHILD_CLEARTID | SIGCHLD, closer, NULL, NULL,
        (pid_t *)&closer->running);
    if (pid > 0) {
      closer->pid = pid;
      return true;
    }
    closer->running = 0;
    return false;
  }
  return false;
}

static bool begin(int (*function)(void *), int fd, uint64_t sender) { return begin_with(function, fd, sender, NULL); }

static bool is_waiting(const struct closer *closer);

// Ends what has been waiting for so long: a close(2) that lingers ends with SIGKILL; one that waits for a file system may not.
static void end_slow_ones(time_t patience) {
  time_t now = seconds();
  for (size_t i = 0; i < CLOSERS; i++) {
    bool is_slow = closers[i].running != 0 && now - closers[i].began > patience;
    // One that has closed nothing yet is needed.
    if (is_slow && is_waiting(&closers[i])) kill(closers[i].pid, SIGKILL);
  }
}

void roost_close_elsewhere(const int *fds, size_t count, uint64_t sender) {
  end_slow_ones(PATIENCE);
  while (unclosed_count > 0 && begin(run, unclosed[unclosed_count - 1], 0)) unclosed_count--;
  for (size_t i = 0; i < count; i++) {
    // Without a process for it it stays open: this one must not wait.
    if (!begin(run, fds[i], sender) && unclosed_count < CLOSERS) unclosed[unclosed_count++] = fds[i];
  }
}

size_t roost_closing_for(uint64_t sender) {
  size_t count = 0;
  for (size_t i = 0; i < CLOSERS; i++) count += closers[i].running != 0 && closers[i].sender == sender;
  return count;
}

size_t roost_unclosed(void) { return unclosed_count; }

// Whether there are so many numbers for descriptors. The free ones are at the upper end, but for a few.
static bool has_room(size_t count) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MOST_OPEN + count) return true;
  for (int number = (int)limit.rlim_cur - 1; number >= 0 && count > 0; number--) {
    if (fcntl(number, F_GETFD) < 0) count--;
  }
  return count == 0;
}

static long receive_elsewhere(int fd, struct msghdr *message) {
  size_t size = message->msg_iov->iov_len;
  struct reception *reception = calloc(1, sizeof *reception + size);
  if (reception == NULL) return -ENOMEM;
  reception->socket = fd;
  reception->part = (struct iovec){.iov_base = reception->buffer, .iov_len = size};
  reception->message = (struct msghdr){
      .msg_iov = &reception->part, .msg_iovlen = 1, .msg_control = reception->control,
      .msg_controllen = sizeof reception->control};
  if (!begin_with(receive, fd, 0, reception)) {
    free(reception);
    return -EBUSY;
  }
  for (int i = 0; i < 1000 && !reception->is_done; i++) sched_yield();
  for (int i = 0; i < 100 && !reception->is_done; i++) usleep(1000);
  // Then its memory stays that process's: whoever sends what makes recvmsg(2) wait is not heard again.
  if (!reception->is_done) return -EBUSY;
  long result = reception->result;
  if (result > 0) memcpy(message->msg_iov->iov_base, reception->buffer, (size_t)result);
  message->msg_controllen = reception->message.msg_controllen;
  memcpy(message->msg_control, reception->control, reception->message.msg_controllen);
  message->msg_flags = reception->message.msg_flags;
  free(reception);
  return result;
}

ssize_t roost_receive_message(int fd, struct msghdr *message) {
  if (has_room(MOST_PASSED)) return recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  long result = receive_elsewhere(fd, message);
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

bool roost_is_closer(pid_t pid) {
  for (size_t i = 0; i < CLOSERS; i++) {
    if (closers[i].pid == pid) return true;
  }
  return false;
}

void roost_closer_ended(pid_t pid) {
  for (size_t i = 0; i < CLOSERS; i++) {
    if (closers[i].pid == pid) closers[i].pid = 0;
  }
}

// Whether a process waits in close(2), or has ended.
static bool is_waiting(const struct closer *closer) {
  if (!closer->has_begun) return false;
  char text[256];
  snprintf(text, sizeof text, "/proc/%d/stat", (int)closer->pid);
  int file = open(text, O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return length == 0 || errno == ESRCH;
  text[length] = '\0';
  const char *state = strrchr(text, ')');
  return state != NULL && strlen(state) > 2 && state[2] != 'R';
}

bool roost_has_let_go(void) {
  if (unclosed_count > 0) return false;
  for (size_t i = 0; i < CLOSERS; i++) {
    struct closer *closer = &closers[i];
    if (closer->running == 0 || closer->has_let_go) continue;
    // close(2) takes the number out of the table before it may wait. The number itself says nothing: it may be another's by now.
    if (!is_waiting(closer)) return false;
    closer->has_let_go = true;
  }
  return true;
}

void roost_leave_closers(void) {
  bool any = false;
  for (size_t i = 0; i < CLOSERS; i++) any = any || closers[i].running != 0;
  end_slow_ones(-1);
  left = 0;
  if (any && begin(empty, -1, 0)) left = unshare(CLONE_FILES) == 0 ? 1 : -1;
}

static int option_of(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

// The last close(2) of a socket is one for whatever is in its queue: by whoever makes it.
static void give_away(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  // Without a descriptor for it the caller's close(2) is the last.
  if (copy >= 0 && nothing >= 0 && dup3(nothing, fd, O_CLOEXEC) >= 0) {
    roost_close_elsewhere(&copy, 1, 0);
  } else if (copy >= 0) {
    close(copy);
  }
  if (nothing >= 0) close(nothing);
}

void roost_prepare_close(int fd) {
  if (option_of(fd, SO_DOMAIN) != AF_UNIX) return;
  // First: then nothing more comes, and accept(2) of a socket that blocks has an end.
  shutdown(fd, SHUT_RD);
  if (option_of(fd, SO_ACCEPTCONN) == 1) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) return;
    // Before the others that are waiting, which go with the listener.
    give_away(fd);
    roost_close_elsewhere(&connection, 1, 0);
    return;
  }
  char byte;
  ssize_t length;
  do {
    length = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  // Elsewhere nothing is a message too.
  bool is_empty = length < 0 || (length == 0 && option_of(fd, SO_TYPE) == SOCK_STREAM);
  if (!is_empty) give_away(fd);
}
