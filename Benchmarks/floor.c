// The least that a master can do: fork, exec, wait for READY=1, stop the worker before. The floor for the benchmark.
//   floor COMMAND [ARG...]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char notify_name[] = "/tmp/roost-floor-XXXXXX";
static char notify_path[64];

static pid_t start(char **command, int listener) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  char number[16];
  snprintf(number, sizeof number, "%d", getpid());
  setenv("LISTEN_PID", number, 1);
  setenv("LISTEN_FDS", "1", 1);
  setenv("NOTIFY_SOCKET", notify_path, 1);
  dup2(listener, 3);
  execvp(command[0], command);
  _exit(127);
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);

  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 4096) < 0) return 1;
  if (!mkdtemp(notify_name)) return 1;
  snprintf(notify_path, sizeof notify_path, "%s/notify", notify_name);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", notify_path);
  int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (bind(notify, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  int signals = signalfd(-1, &set, SFD_CLOEXEC);

  pid_t current = 0, candidate = start(argv + 1, listener);
  for (;;) {
    struct pollfd events[] = {{.fd = notify, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    poll(events, 2, -1);
    if (events[0].revents) {
      char message[4096];
      if (recv(notify, message, sizeof message, 0) > 0 && candidate) {
        if (current) kill(current, SIGTERM);
        current = candidate;
        candidate = 0;
      }
    }
    if (events[1].revents) {
      struct signalfd_siginfo info;
      if (read(signals, &info, sizeof info) != sizeof info) return 1;
      if (info.ssi_signo == SIGHUP && !candidate) candidate = start(argv + 1, listener);
      if (info.ssi_signo == SIGCHLD) {
        for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;) {
          if (pid == current) {
            current = 0;
            candidate = start(argv + 1, listener);
          }
        }
      }
      if (info.ssi_signo == SIGTERM) {
        if (current) kill(current, SIGTERM);
        while (wait(NULL) > 0) {
        }
        unlink(notify_path);
        rmdir(notify_name);
        return 0;
      }
    }
  }
}
