// Files whose names others may replace: what is done to them is done by descriptor.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

// Opens what a name in a directory stands for, whatever it is, without following or using it (O_PATH, O_NOFOLLOW in
// open(2)), so that it never waits and changes nothing. Returns a descriptor, close-on-exec, or -1 with errno.
int roost_look(int directory, const char *name);

// The same for a path, if the kernel knows the way without asking a file system, which may hang (RESOLVE_CACHED in
// openat2(2)). Returns a descriptor, close-on-exec, or -1 with errno: EAGAIN if it doesn't, ENOSYS or EINVAL if it
// can't say.
int roost_look_cached(const char *path);

// How many names the file of a descriptor has, as far as this machine knows without asking its file system
// (AT_STATX_DONT_SYNC in statx(2)). Returns 0, or -1 with errno.
int roost_count_names(int file, uint32_t *ret_count);

// Gives the file of such a descriptor another owner and another group, -1 for the present ones. Returns 0, or -1 with
// errno.
int roost_change_owner(int file, uid_t user, gid_t group);

// Gives it other permissions. Returns 0, or -1 with errno, ENOSYS if /proc is missing and the kernel is older than 6.6.
int roost_change_mode(int file, mode_t mode);

// Binds a socket to a path with the rights of this user and this group alone, in a child. Only the effective ids
// change, so that the user can neither stop nor end it. Returns 0, or -1 with errno: that of bind(2), EPERM if this
// process may not change its ids, ENXIO if one of them means nothing in its user namespace (user_namespaces(7)).
int roost_bind_as(int fd, const void *address, size_t length, uid_t user, gid_t group);

#pragma clang assume_nonnull end
