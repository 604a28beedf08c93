#define _GNU_SOURCE
#include "roost_close.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "roost_elsewhere.h"

// How long close(2) may take if there is another way.
enum { PATIENCE_MILLISECONDS = 1000 };

// Those for which there was no process.
static struct {
  int descriptor;
  uint64_t sender;
} unclosed[4 * MOST_HELPERS];
static size_t unclosed_count;
// There were more than there is room for: they stay open.
static bool are_lost;

// It takes the descriptor out of the table at once, and then waits for what the kernel does with it.
static void close_it(const struct errand *errand) { roost_call(SYS_close, errand->descriptor, 0, 0); }

static bool begin(int fd, uint64_t sender) {
  return roost_begin((struct errand){.run = close_it, .descriptor = fd, .sender = sender});
}

static void keep(int fd, uint64_t sender) {
  if (unclosed_count == sizeof unclosed / sizeof *unclosed) {
    are_lost = true;
    return;
  }
  unclosed[unclosed_count].descriptor = fd;
  unclosed[unclosed_count++].sender = sender;
}

void roost_close_elsewhere(const int *fds, size_t count, uint64_t sender) {
  roost_end_slow_helpers(PATIENCE_MILLISECONDS);
  roost_make_room(unclosed_count + count);
  while (unclosed_count > 0 && begin(unclosed[unclosed_count - 1].descriptor, unclosed[unclosed_count - 1].sender)) {
    unclosed_count--;
  }
  for (size_t i = 0; i < count; i++) {
    // Without a process to close it, it stays open: this one must not wait.
    if (!begin(fds[i], sender)) keep(fds[i], sender);
  }
}

size_t roost_closing_for(uint64_t sender) {
  size_t count = roost_helpers_for(sender);
  for (size_t i = 0; i < unclosed_count; i++) count += unclosed[i].sender == sender;
  return count;
}

size_t roost_unclosed(void) { return unclosed_count + are_lost; }

// The number itself says nothing: it may belong to something else by now.
bool roost_has_let_go(void) { return roost_unclosed() == 0 && roost_all_helpers_wait(); }

static int option_of(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

// The last close(2) of a socket also closes whatever is in its queue, in the process that makes the call.
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
  // First: then nothing more comes, and accept(2) of a blocking socket returns.
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
  ssize_t length = TEMP_FAILURE_RETRY(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT));
  // On other sockets an empty message is a message too.
  bool is_empty = length < 0 || (length == 0 && option_of(fd, SO_TYPE) == SOCK_STREAM);
  if (!is_empty) give_away(fd);
}
