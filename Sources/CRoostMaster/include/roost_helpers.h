// Processes that make a system call that may wait, in this process's place: children with the same memory and table of
// descriptors, which end on their own.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

// Whether a child is one of them, or was one and isn't reaped yet.
bool roost_is_helper(pid_t pid);

// To be called when a child has been reaped.
void roost_helper_ended(pid_t pid);

// To be called before execve(2): then what the kernel still holds keeps nothing open that this process had open. It
// doesn't wait. Returns false if that can't be done.
bool roost_leave_helpers(void);
