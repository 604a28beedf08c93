#define _GNU_SOURCE
#include "roost_elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "roost_helpers.h"

// What a child that only makes a few system calls needs.
enum { STACK = 4096 };
// How long killed ones have to end.
enum { ROOM_MILLISECONDS = 20 };
// One that was begun longer ago than this has got as far as its call.
enum { LONG_MILLISECONDS = 500 };

struct helper {
  struct errand errand;
  // Not 0 while it runs: the kernel clears it when it has gone (CLONE_CHILD_CLEARTID in clone(2)).
  volatile pid_t running;
  // Not 0 until it is reaped.
  pid_t pid;
  int64_t began;
  // Set by the process itself once only its call can make it wait.
  volatile bool has_begun;
  // It was seen to wait: no need to check again.
  bool has_waited;
  bool was_killed;
};

// The last one is for leaving the table: whatever the others wait for, that must be possible.
enum { PLACES = MOST_HELPERS + 1 };

static struct helper helpers[PLACES];
static char *stacks;
static pid_t parent;

long roost_call(long number, long one, long two, long three) {
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

static int run(void *argument) {
  struct helper *helper = argument;
  // It ends with its parent, unless the kernel holds it: it keeps open whatever that had open.
  roost_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0);
  if (roost_call(SYS_getppid, 0, 0, 0) == parent) {
    helper->has_begun = true;
    helper->errand.run(&helper->errand);
  }
  roost_call(SYS_exit, 0, 0, 0);
  return 0;
}

int64_t roost_milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_stacks(void) {
  if (stacks != NULL) return true;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE;
  void *memory = mmap(NULL, (size_t)STACK * PLACES, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return false;
  stacks = memory;
  return true;
}

// Whether this place is free: not as soon as its process has left the memory, but when it is reaped.
static bool is_free(struct helper *helper) {
  bool has_gone = helper->pid != 0 && helper->running == 0;
  if (has_gone && waitpid(helper->pid, NULL, WNOHANG) == helper->pid) helper->pid = 0;
  return helper->pid == 0;
}

static bool begin_at(struct helper *helper, struct errand errand) {
  if (!has_stacks()) return false;
  parent = getpid();
  *helper = (struct helper){.errand = errand, .running = 1, .began = roost_milliseconds()};
  char *top = stacks + (helper - helpers + 1) * STACK;
  int flags = CLONE_VM | CLONE_FILES | CLONE_CHILD_CLEARTID | SIGCHLD;
  int pid = clone(run, top, flags, helper, NULL, NULL, (pid_t *)&helper->running);
  if (pid < 0) {
    helper->running = 0;
    return false;
  }
  helper->pid = pid;
  return true;
}

bool roost_begin(struct errand errand) {
  for (size_t i = 0; i < MOST_HELPERS; i++) {
    if (is_free(&helpers[i])) return begin_at(&helpers[i], errand);
  }
  return false;
}

// Whether it waits in its call, or has ended.
static bool waits(struct helper *helper) {
  if (helper->has_waited || helper->running == 0) return true;
  if (!helper->has_begun) return false;
  char text[256];
  snprintf(text, sizeof text, "/proc/%d/stat", (int)helper->pid);
  int file = open(text, O_RDONLY | O_CLOEXEC);
  // Without a descriptor to look with, assume so once it has had its time.
  if (file < 0) return errno == ENOENT || roost_milliseconds() - helper->began > LONG_MILLISECONDS;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return length == 0 || errno == ESRCH;
  text[length] = '\0';
  const char *name = strrchr(text, ')');
  char state = name != NULL && strlen(name) > 2 ? name[2] : 'R';
  // Not one that is traced or stopped: it may not be in its call yet.
  helper->has_waited = strchr("SDZX", state) != NULL;
  return helper->has_waited;
}

size_t roost_helpers_for(uint64_t sender) {
  size_t count = 0;
  for (size_t i = 0; i < MOST_HELPERS; i++) count += helpers[i].running != 0 && helpers[i].errand.sender == sender;
  return count;
}

bool roost_all_helpers_wait(void) {
  for (size_t i = 0; i < MOST_HELPERS; i++) {
    if (helpers[i].running != 0 && !waits(&helpers[i])) return false;
  }
  return true;
}

bool roost_end_slow_helpers(int64_t patience) {
  bool any = false;
  int64_t now = roost_milliseconds();
  for (size_t i = 0; i < MOST_HELPERS; i++) {
    struct helper *helper = &helpers[i];
    bool is_slow = helper->running != 0 && !helper->was_killed && now - helper->began > patience;
    // One that has done nothing yet is still needed.
    if (!is_slow || !waits(helper)) continue;
    kill(helper->pid, SIGKILL);
    helper->was_killed = any = true;
  }
  return any;
}

static bool has_room(size_t count) {
  size_t room = 0;
  for (size_t i = 0; i < MOST_HELPERS && room < count; i++) room += is_free(&helpers[i]);
  return room >= count;
}

void roost_make_room(size_t count) {
  // What was killed before and hasn't ended won't end now.
  if (has_room(count) || !roost_end_slow_helpers(-1)) return;
  int64_t deadline = roost_milliseconds() + ROOM_MILLISECONDS;
  while (!has_room(count) && roost_milliseconds() < deadline) sched_yield();
}

bool roost_is_helper(pid_t pid) {
  for (size_t i = 0; i < PLACES; i++) {
    if (helpers[i].pid == pid) return true;
  }
  return false;
}

void roost_helper_ended(pid_t pid) {
  for (size_t i = 0; i < PLACES; i++) {
    if (helpers[i].pid == pid) helpers[i].pid = 0;
  }
}

// Whether this process has left the table: 1, or -1 if it can't.
static volatile int left;

static void empty(const struct errand *errand) {
  (void)errand;
  while (left == 0) roost_call(SYS_sched_yield, 0, 0, 0);
  if (left > 0) roost_call(SYS_close_range, 0, (long)UINT_MAX, 0);
}

bool roost_leave_helpers(void) {
  bool any = false;
  for (size_t i = 0; i < MOST_HELPERS; i++) any = any || helpers[i].running != 0;
  if (!any) return true;
  roost_end_slow_helpers(-1);
  struct helper *last = &helpers[MOST_HELPERS];
  left = 0;
  if (!is_free(last) || !begin_at(last, (struct errand){.run = empty, .descriptor = -1})) return false;
  left = unshare(CLONE_FILES) == 0 ? 1 : -1;
  return left > 0;
}
