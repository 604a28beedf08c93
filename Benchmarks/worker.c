// The smallest worker: tells the benchmark when it runs, when it says that it is ready, and when it is told to stop.
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void send_to(const char *name, const char *text) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, name, sizeof address.sun_path - 1);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path);
  if (name[0] == '@') address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, length) < 0) perror("worker: sendto");
  close(fd);
}

int main(int argc, char **argv) {
  long long executed = now();
  if (argc != 2) return 64;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, NULL);

  long long ready = now();
  send_to(getenv("NOTIFY_SOCKET"), "READY=1");
  char report[128];
  snprintf(report, sizeof report, "started %d %lld %lld", getpid(), executed, ready);
  send_to(argv[1], report);
  siginfo_t info;
  sigwaitinfo(&stop, &info);
  long long told = now();
  snprintf(report, sizeof report, "told %d %lld", getpid(), told);
  send_to(argv[1], report);
  return 0;
}
