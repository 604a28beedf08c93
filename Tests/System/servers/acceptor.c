// Serves one request after the other on the listeners from descriptor 3 on, in the way that its first argument names.
// With a second one it waits until this file exists before it begins.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef WITH_RING
#include <liburing.h>
#endif

static int count;

static void answer(int connection) {
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  char request[4096];
  if (connection < 0) return;
  if (read(connection, request, sizeof request) > 0 && write(connection, text, sizeof text - 1) < 0) perror("write");
  close(connection);
}

static void *accept_forever(void *listener) {
  for (;;) answer(accept((int)(long)listener, NULL, NULL));
}

static void by_thread(void) {
  for (int i = 0; i < count; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, accept_forever, (void *)(long)(3 + i));
  }
  for (;;) pause();
}

static void by_poll(int with_mask) {
  struct pollfd all[count + 1];
  // Not the first entry: a negative one is passed over.
  all[0] = (struct pollfd){.fd = -1, .events = POLLIN};
  for (int i = 0; i < count; i++) all[i + 1] = (struct pollfd){.fd = 3 + i, .events = POLLIN};
  for (;;) {
    if (with_mask) ppoll(all, count + 1, NULL, NULL);
    else poll(all, count + 1, -1);
    for (int i = 1; i <= count; i++)
      if (all[i].revents) answer(accept(all[i].fd, NULL, NULL));
  }
}

static void by_select(void) {
  for (;;) {
    fd_set set;
    FD_ZERO(&set);
    for (int i = 0; i < count; i++) FD_SET(3 + i, &set);
    select(3 + count, &set, NULL, NULL, NULL);
    for (int i = 0; i < count; i++)
      if (FD_ISSET(3 + i, &set)) answer(accept(3 + i, NULL, NULL));
  }
}

static void by_epoll(void) {
  int set = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 3 + i};
    epoll_ctl(set, EPOLL_CTL_ADD, 3 + i, &event);
  }
  struct epoll_event event;
  while (epoll_wait(set, &event, 1, -1) >= 0) answer(accept(event.data.fd, NULL, NULL));
}

#ifdef WITH_RING
static void by_ring(int registered) {
  struct io_uring ring;
  int listener = 3;
  if (io_uring_queue_init(8, &ring, 0) != 0) exit(3);
  if (registered && io_uring_register_files(&ring, &listener, 1) != 0) exit(3);
  for (;;) {
    struct io_uring_sqe *request = io_uring_get_sqe(&ring);
    io_uring_prep_accept(request, registered ? 0 : listener, NULL, NULL, 0);
    if (registered) request->flags |= IOSQE_FIXED_FILE;
    io_uring_submit(&ring);
    struct io_uring_cqe *completion;
    if (io_uring_wait_cqe(&ring, &completion) != 0) continue;
    answer(completion->res);
    io_uring_cqe_seen(&ring, completion);
  }
}
#endif

int main(int argc, char **argv) {
  count = atoi(getenv("LISTEN_FDS"));
  while (argc > 2 && access(argv[2], F_OK) != 0) usleep(1000);
  const char *way = argc > 1 ? argv[1] : "";
  if (strcmp(way, "thread") == 0) by_thread();
  if (strcmp(way, "poll") == 0) by_poll(0);
  if (strcmp(way, "ppoll") == 0) by_poll(1);
  if (strcmp(way, "select") == 0) by_select();
  if (strcmp(way, "epoll") == 0) by_epoll();
#ifdef WITH_RING
  if (strcmp(way, "ring") == 0) by_ring(0);
  if (strcmp(way, "registered-ring") == 0) by_ring(1);
#endif
  fprintf(stderr, "no way to accept: %s\n", way);
  return 2;
}
