#define _GNU_SOURCE
#include "roost_shims.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int write_end = -1;

static void pass_on(int number) {
  int error = errno;
  unsigned char byte = (unsigned char)number;
  // A full pipe has enough signals in it.
  (void)!write(write_end, &byte, 1);
  errno = error;
}

int roost_signals_open(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  // A handler must not wait.
  if (fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0) return -1;
  write_end = ends[1];
  return ends[0];
}

int roost_signals_catch(int number) {
  struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, NULL);
}
