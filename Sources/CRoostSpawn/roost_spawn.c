#define _GNU_SOURCE
#include "roost_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, FIRST_DESCRIPTOR = 3 };

// Shared with the child, which borrows the parent's memory until it executes: how it reports its failure.
struct child {
  const struct roost_spawn_request *request;
  pid_t parent;
  enum roost_spawn_step failed_step;
  int error;
};

static void write_decimal(char *text, pid_t number) {
  char reversed[11];
  int length = 0;
  do {
    reversed[length++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (length > 0) *text++ = reversed[--length];
  *text = '\0';
}

static int null_as_stdin(void) {
  int fd = open("/dev/null", O_RDONLY);
  if (fd < 0) return -1;
  if (fd == STDIN_FILENO) return 0;
  if (dup2(fd, STDIN_FILENO) < 0) return -1;
  return close(fd);
}

// Moves every source above the targets first: a source may sit where another has to go, and dup2(x, x) would leave
// close-on-exec set.
static int place_descriptors(const struct roost_spawn_request *request) {
  int end = FIRST_DESCRIPTOR + (int)request->descriptor_count;
  for (size_t i = 0; i < request->descriptor_count; i++) {
    request->scratch[i] = fcntl(request->descriptors[i], F_DUPFD, end);
    if (request->scratch[i] < 0) return -1;
  }
  for (size_t i = 0; i < request->descriptor_count; i++) {
    if (dup2(request->scratch[i], FIRST_DESCRIPTOR + (int)i) < 0) return -1;
  }
  return (int)syscall(SYS_close_range, (unsigned)end, ~0U, 0);
}

// execve resets handlers, but what was ignored stays ignored: a worker would inherit the master's SIGPIPE.
static int default_dispositions(void) {
  struct sigaction initial = {.sa_handler = SIG_DFL};
  for (int number = 1; number < NSIG; number++) {
    // The C library keeps two real-time signals to itself, and two can't be changed: neither is ever ignored.
    if (sigaction(number, &initial, NULL) < 0 && errno != EINVAL) return -1;
  }
  return 0;
}

static int place_output(const struct roost_spawn_request *request) {
  if (request->standard_output >= 0 && dup2(request->standard_output, STDOUT_FILENO) < 0) return -1;
  if (request->standard_error >= 0 && dup2(request->standard_error, STDERR_FILENO) < 0) return -1;
  return 0;
}

static int limit(const struct roost_spawn_request *request) {
  for (size_t i = 0; i < request->limit_count; i++) {
    struct rlimit limit = {.rlim_cur = (rlim_t)request->limits[i].soft, .rlim_max = (rlim_t)request->limits[i].hard};
    if (setrlimit((__rlimit_resource_t)request->limits[i].resource, &limit) < 0) return -1;
  }
  return 0;
}

// The kernel takes permitted, effective and ambient capabilities from a process that stops being root, but leaves the
// inheritable ones (capabilities(7)).
static int drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  return (int)syscall(SYS_capset, &header, none);
}

// A change of the user leaves the session keyring, which holds what its former user has put there (session-keyring(7)).
static int leave_keyring(void) {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) return 0;
  // A kernel without keyrings, a filter that forbids them, or a user who has too many: then there is no other way.
  return errno == ENOSYS || errno == EPERM || errno == EDQUOT ? 0 : -1;
}

// System calls instead of the C library's functions: those change all threads of the process whose memory this is.
static int become(const struct roost_spawn_identity *identity) {
  if (syscall(SYS_setresuid, identity->user, identity->user, identity->user) < 0) return -1;
  if (identity->user == 0) return 0;
  return drop_capabilities() < 0 ? -1 : leave_keyring();
}

static int join_groups(const struct roost_spawn_identity *identity) {
  if (syscall(SYS_setgroups, identity->supplementary_group_count, identity->supplementary_groups) < 0) return -1;
  return (int)syscall(SYS_setresgid, identity->group, identity->group, identity->group);
}

static int die_with(pid_t parent, int death_signal) {
  if (prctl(PR_SET_PDEATHSIG, death_signal) < 0) return -1;
  // The parent may have died before the line above: then nobody would ever tell this process.
  if (getppid() == parent) return 0;
  errno = ESRCH;
  return -1;
}

static int run_child(void *argument) {
  struct child *child = argument;
  const struct roost_spawn_request *request = child->request;
  sigset_t none;
  sigemptyset(&none);
  if (request->own_pid) write_decimal(request->own_pid, getpid());

  enum roost_spawn_step step = ROOST_SPAWN_GROUP;
  if (setpgid(0, 0) < 0) goto failed;
  step = ROOST_SPAWN_STDIN;
  if (null_as_stdin() < 0) goto failed;
  step = ROOST_SPAWN_OUTPUT;
  if (place_output(request) < 0) goto failed;
  step = ROOST_SPAWN_DESCRIPTORS;
  if (place_descriptors(request) < 0) goto failed;
  step = ROOST_SPAWN_SIGNALS;
  if (default_dispositions() < 0) goto failed;
  step = ROOST_SPAWN_PRIORITY;
  if (request->nice != ROOST_SPAWN_SAME_NICE && setpriority(PRIO_PROCESS, 0, request->nice) < 0) goto failed;
  step = ROOST_SPAWN_LIMITS;
  if (limit(request) < 0) goto failed;
  if (request->mode_mask >= 0) umask((mode_t)request->mode_mask);
  step = ROOST_SPAWN_GROUPS;
  if (request->identity && join_groups(request->identity) < 0) goto failed;
  step = ROOST_SPAWN_USER;
  if (request->identity && become(request->identity) < 0) goto failed;
  step = ROOST_SPAWN_DIRECTORY;
  if (chdir(request->directory) < 0) goto failed;
  step = ROOST_SPAWN_PARENT;
  if (die_with(child->parent, request->parent_death_signal) < 0) goto failed;
  step = ROOST_SPAWN_SIGNALS;
  if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) goto failed;
  step = ROOST_SPAWN_EXECUTE;
  execve(request->path, request->arguments, request->environment);
failed:
  child->error = errno;
  child->failed_step = step;
  _exit(127);
}

struct roost_spawn_result roost_spawn(const struct roost_spawn_request *request) {
  struct child child = {.request = request, .parent = getpid(), .failed_step = ROOST_SPAWN_DONE};
  pid_t pid = -1;

  char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) {
    return (struct roost_spawn_result){.pid = -1, .failed_step = ROOST_SPAWN_STACK, .error = errno};
  }
  // Blocked, so that no handler of the parent's runs in the child while both share their memory.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  // A child that changes its user takes the right to dump from the memory that both share.
  int dumpable = prctl(PR_GET_DUMPABLE);
  // CLONE_VFORK: returns when the child has executed or exited, so that its failure is known here without a pipe.
  pid = clone(run_child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
  if (pid < 0) {
    child.failed_step = ROOST_SPAWN_CLONE;
    child.error = errno;
  } else if (child.failed_step != ROOST_SPAWN_DONE) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
  }
  if (dumpable == 1) prctl(PR_SET_DUMPABLE, 1);
  sigprocmask(SIG_SETMASK, &before, NULL);
  munmap(stack, STACK_SIZE);
  return (struct roost_spawn_result){.pid = pid, .failed_step = child.failed_step, .error = child.error};
}
