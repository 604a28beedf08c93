// What the kernel offers and Swift's Glibc module lacks: macros, and calls that it doesn't import. No header here
// includes <sys/socket.h> (roost_shims.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// What has become of a child (waitid(2)).
struct roost_news {
  pid_t pid;
  int code;    // CLD_EXITED and the like
  int number;  // the exit status, or the signal
};

// Reaps one child that has ended. Returns 1, 0 when none has, or -1 with errno (ECHILD when there is no child at all).
int roost_reap(struct roost_news *ret_news);

// Takes the news of one child that was stopped by a signal, or continues after that. Returns 1, 0 when there is none, or
// -1 with errno. The kernel only keeps the latest for each child, and doesn't report a stop by a tracer to the parent.
int roost_take_stop(struct roost_news *ret_news);

// A descriptor for a process, whatever becomes of its pid: readable when it has ended (pidfd_open(2)). Close-on-exec.
// Returns it, or -1 with errno.
int roost_process_descriptor(pid_t pid);

// Sends a signal to the process of such a descriptor (pidfd_send_signal(2)). Returns 0, or -1 with errno.
int roost_signal_process(int fd, int number);

// Makes the caller the parent of every orphan among its descendants (PR_SET_CHILD_SUBREAPER). Returns 0, or -1 with errno.
int roost_become_subreaper(void);

// Whether systemd has delegated this directory of a cgroup2 file system to the processes in it (Delegate= in
// systemd.resource-control(5)).
bool roost_is_delegated(const char *path);

// A datagram (unix(7)). The descriptors are open, close-on-exec, and the caller's to close.
struct roost_datagram {
  ssize_t length;
  bool truncated;        // the datagram or its descriptors didn't fit
  bool has_credentials;
  pid_t pid;
  uid_t uid;
  size_t descriptor_count;
  int descriptors[253];  // SCM_MAX_FD
};

// Receives one datagram, or a part of a stream, without waiting. Returns 0, or -1 with errno: EAGAIN when there is
// none, EBUSY when it comes with descriptors that aren't taken, or for which there may be no numbers. Then it stays
// where it is, and nothing more can be received.
int roost_receive(int fd, void *buffer, size_t size, bool takes_descriptors, struct roost_datagram *ret_datagram);

// Sends one datagram on a connected socket without waiting, together with a descriptor unless it is -1 (SCM_RIGHTS in
// unix(7)). Returns 0, or -1 with errno, EAGAIN when its receiver has to read first.
int roost_send_datagram(int fd, const void *bytes, size_t length, int passed);

// Makes a file without a name that survives execve (memfd_create(2)). Returns a descriptor, or -1 with errno.
int roost_memory_file(const char *name);

// Makes a pipe for what a process writes (pipe2(2)): ends[0] is for reading, non-blocking, ends[1] for the process. Both
// are close-on-exec. Returns 0, or -1 with errno.
int roost_pipe(int ends[_Nonnull 2]);

// Makes out-of-band bytes come with the others (SO_OOBINLINE in socket(7)). Otherwise recvmsg(2) on a unix socket
// throws them away, and itself closes what was passed along.
void roost_keep_in_line(int fd);

// Accepts a connection with out-of-band bytes inline, close-on-exec and non-blocking (accept4(2)). Returns a
// descriptor, or -1 with errno.
int roost_accept(int fd);

// The process at the other end of a unix socket (SO_PEERCRED). Returns 0, or -1 with errno.
int roost_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid);

// Whether the process at the other end is in a group, supplementary ones included (SO_PEERGROUPS).
bool roost_peer_is_in(int fd, gid_t group);

// The name of a signal without "SIG" (sigabbrev_np(3)), or NULL.
const char *_Nullable roost_signal_name(int number);

#pragma clang assume_nonnull end
