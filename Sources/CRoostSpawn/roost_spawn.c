#define _GNU_SOURCE
#include "roost_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
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

// How long the child may take to execute: this many steps of this many milliseconds. In steps, so that time in which
// nothing ran counts as one of them.
enum { PATIENCE_STEPS = 30, PATIENCE_STEP = 100 };

// The exit status of a process that couldn't become a user: it isn't an error number (errno(3)).
enum { CANNOT_BECOME = 255 };

// What the child reports if it can't continue. When it executes, its end of the pipe is closed without a report.
struct report {
  enum roost_spawn_step failed_step;
  int error;
};

struct child {
  const struct roost_spawn_request *request;
  pid_t parent;
  const sigset_t *mask;  // the parent's
  int report;            // the end to write to, close-on-exec
  int directory, executable;  // of the request, close-on-exec
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

static int lift(int *fd, int lowest) {
  if (*fd < 0) return 0;
  int copy = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
  if (copy < 0) return -1;
  *fd = copy;
  return 0;
}

static int put(int *fd, int *next) {
  if (*fd < 0) return 0;
  if (dup3(*fd, *next, O_CLOEXEC) < 0) return -1;
  *fd = (*next)++;
  return 0;
}

// Moves every source above the targets first: a source may sit where another has to go, and dup2(x, x) would leave
// close-on-exec set. What the child itself needs comes right after what it passes on, and nothing else stays open.
static int place_descriptors(struct child *child) {
  const struct roost_spawn_request *request = child->request;
  int *own[] = {&child->report, &child->directory, &child->executable};
  const size_t own_count = sizeof own / sizeof *own;
  int next = FIRST_DESCRIPTOR + (int)request->descriptor_count;
  int lowest = next + (int)own_count;
  for (size_t i = 0; i < own_count; i++) {
    if (lift(own[i], lowest) < 0) return -1;
  }
  for (size_t i = 0; i < request->descriptor_count; i++) {
    request->scratch[i] = fcntl(request->descriptors[i], F_DUPFD, lowest);
    if (request->scratch[i] < 0) return -1;
  }
  for (size_t i = 0; i < request->descriptor_count; i++) {
    if (dup2(request->scratch[i], FIRST_DESCRIPTOR + (int)i) < 0) return -1;
  }
  for (size_t i = 0; i < own_count; i++) {
    if (put(own[i], &next) < 0) return -1;
  }
  return (int)syscall(SYS_close_range, (unsigned)next, ~0U, 0);
}

// The child's table of descriptors is a copy, and so are the flags in it: the parent's stay close-on-exec.
static int keep_descriptors(const struct roost_spawn_request *request) {
  for (size_t i = 0; i < request->descriptor_count; i++) {
    if (fcntl(request->descriptors[i], F_SETFD, 0) < 0) return -1;
  }
  return 0;
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

// A change of user keeps the session keyring, which holds what the former user has put there (session-keyring(7)).
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
  // The parent may have died before the line above: then this process would never hear of it.
  if (getppid() == parent) return 0;
  errno = ESRCH;
  return -1;
}

// Before anything else, so that nothing of the process is outside. If the kernel refuses, it continues without: there
// is another way to do what the cgroup is for (docs/decisions/0012-strays.md).
static void enter_cgroup(const struct roost_spawn_request *request) {
  if (request->cgroup < 0) return;
  // 0 stands for the writing process.
  ssize_t written = write(request->cgroup, "0", 1);
  (void)written;
}

// fchdir(2) only looks at the directory itself, but it is an error here if the worker's user isn't let in on the way
// there.
static int enter_directory(const struct child *child) {
  const char *path = child->request->directory;
  if (child->directory < 0) return chdir(path);
  if (access(path, X_OK) < 0 && errno == EACCES) return -1;
  return fchdir(child->directory);
}

// Whether a path leads to an open file. What can't be looked at is left for execve(2) to report.
static bool leads_to(const char *path, int fd) {
  struct stat named, open;
  if (stat(path, &named) < 0) return errno != ENOENT && errno != ENOTDIR && errno != ESTALE;
  return fstat(fd, &open) < 0 || (named.st_dev == open.st_dev && named.st_ino == open.st_ino);
}

// By its path, which becomes the name of the process; by its descriptor, which becomes a number, only if the path leads
// to another file by now. Returns only with errno.
static void execute(const struct child *child) {
  const struct roost_spawn_request *request = child->request;
  if (child->executable >= 0 && !leads_to(request->path, child->executable)) {
    syscall(SYS_execveat, child->executable, "", request->arguments, request->environment, AT_EMPTY_PATH);
  } else {
    execve(request->path, request->arguments, request->environment);
  }
}

static void run_child(struct child *child) {
  const struct roost_spawn_request *request = child->request;
  sigset_t none;
  sigemptyset(&none);
  if (request->own_pid) write_decimal(request->own_pid, getpid());

  enter_cgroup(request);
  enum roost_spawn_step step = ROOST_SPAWN_GROUP;
  if (setsid() < 0) goto failed;
  step = ROOST_SPAWN_STDIN;
  if (null_as_stdin() < 0) goto failed;
  step = ROOST_SPAWN_OUTPUT;
  if (place_output(request) < 0) goto failed;
  step = ROOST_SPAWN_DESCRIPTORS;
  if ((request->keeps_numbers ? keep_descriptors(request) : place_descriptors(child)) < 0) goto failed;
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
  if (enter_directory(child) < 0) goto failed;
  step = ROOST_SPAWN_PARENT;
  if (die_with(child->parent, request->parent_death_signal) < 0) goto failed;
  step = ROOST_SPAWN_SIGNALS;
  if (sigprocmask(SIG_SETMASK, request->keeps_signal_mask ? child->mask : &none, NULL) < 0) goto failed;
  step = ROOST_SPAWN_EXECUTE;
  execute(child);
failed:;
  struct report report = {.failed_step = step, .error = errno};
  ssize_t written = write(child->report, &report, sizeof report);
  (void)written;
  _exit(127);
}

// Waits until the child executes, fails, or takes too long.
static struct report await_report(int fd) {
  struct report report = {.failed_step = ROOST_SPAWN_DONE};
  for (int step = 0; step < PATIENCE_STEPS; step++) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int ready = poll(&entry, 1, PATIENCE_STEP);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    ssize_t length = read(fd, &report, sizeof report);
    if (length != (ssize_t)sizeof report) report.failed_step = ROOST_SPAWN_DONE;
    return report;
  }
  return (struct report){.failed_step = ROOST_SPAWN_TIME, .error = ETIMEDOUT};
}

static int run_borrowing(void *child) {
  run_child(child);
  return 0;
}

// It is fastest if the child borrows the parent's memory until it executes (vfork(2)). But the kernel holds the parent
// for that long, which only the child's end releases: a directory or a program on a file system that hangs would hold
// it for ever. Returns the child's pid, or -1 with errno.
static pid_t start(struct child *child) {
  if (child->request->may_hang) {
    pid_t pid = fork();
    if (pid == 0) run_child(child);
    return pid;
  }
  char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -1;
  // A child that changes its user takes the right to dump from the memory that both share.
  int dumpable = prctl(PR_GET_DUMPABLE);
  pid_t pid = clone(run_borrowing, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, child);
  int error = errno;
  if (dumpable == 1) prctl(PR_SET_DUMPABLE, 1);
  munmap(stack, STACK_SIZE);
  errno = error;
  return pid;
}

struct roost_spawn_result roost_spawn(const struct roost_spawn_request *request) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) {
    return (struct roost_spawn_result){.pid = -1, .failed_step = ROOST_SPAWN_PIPE, .error = errno};
  }
  // Blocked, so that none of the parent's handlers runs in the child.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  struct child child = {
      .request = request,
      .parent = getpid(),
      .mask = &before,
      .report = ends[1],
      .directory = request->directory_file,
      .executable = request->executable_file,
  };
  pid_t pid = start(&child);
  struct report report = {.failed_step = ROOST_SPAWN_CLONE, .error = errno};
  sigprocmask(SIG_SETMASK, &before, NULL);
  close(ends[1]);
  if (pid > 0) {
    report = await_report(ends[0]);
    if (report.failed_step == ROOST_SPAWN_TIME) {
      // It may stay inside the kernel for longer: it is reaped with the caller's other children.
      kill(pid, SIGKILL);
    } else if (report.failed_step != ROOST_SPAWN_DONE) {
      (void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
    }
  }
  close(ends[0]);
  if (report.failed_step != ROOST_SPAWN_DONE) pid = -1;
  return (struct roost_spawn_result){.pid = pid, .failed_step = report.failed_step, .error = report.error};
}

// The longest time that roost_fork() waits for its child, in ms: one that is stopped before it has begun mustn't hold
// its parent.
#define LONGEST_WAIT 250

pid_t roost_fork(int kept) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  pid_t pid = fork();
  int error = errno;
  if (pid == 0) {
    setsid();
    syscall(SYS_close_range, FIRST_DESCRIPTOR, (unsigned)kept - 1, 0);
    syscall(SYS_close_range, (unsigned)kept + 1, ~0U, 0);
    if (die_with(parent, SIGKILL) < 0) _exit(127);
  }
  close(ends[1]);
  // Until then a listener that the parent closes keeps listening.
  struct pollfd closed = {.fd = ends[0], .events = POLLIN};
  if (pid > 0) poll(&closed, 1, LONGEST_WAIT);
  close(ends[0]);
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return pid;
}

void roost_outlive_parent(void) { prctl(PR_SET_PDEATHSIG, 0); }

int roost_access_as(const struct roost_spawn_identity *identity, const char *path, int mode) {
  pid_t child = _Fork();
  if (child < 0) return -1;
  if (child == 0) {
    if (join_groups(identity) < 0 || become(identity) < 0) _exit(CANNOT_BECOME);
    _exit(access(path, mode) == 0 ? 0 : errno);
  }
  int status;
  if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) < 0) return -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) != CANNOT_BECOME) return WEXITSTATUS(status);
  errno = EPERM;
  return -1;
}
