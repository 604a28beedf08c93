// Processes that make a system call that may wait, in this process's place.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What such a process is for.
struct errand {
  void (*run)(const struct errand *errand);
  int descriptor;
  // The sender that made it necessary, 0 for none in particular.
  uint64_t sender;
};

enum { MOST_HELPERS = 1024 };

// Starts a process with this one's memory and table of descriptors (CLONE_VM and CLONE_FILES in clone(2)). What it runs may use
// `roost_call` and nothing else. Returns false when there are too many, or the kernel refuses one.
bool roost_begin(struct errand errand);

// Makes a system call without the C library, whose errno belongs to this process, which runs meanwhile. Returns its
// result, or an error as a negative number.
long roost_call(long number, long one, long two, long three);

// Makes sure that this many more can be begun, if possible: for that, those that wait are killed, and have 20 ms to
// end.
void roost_make_room(size_t count);

// How many that were begun for a sender are running.
size_t roost_helpers_for(uint64_t sender);

// Whether all running ones have got as far as waiting in their call.
bool roost_all_helpers_wait(void);

// Kills those that wait and were begun more than this many milliseconds ago: what lingers ends with SIGKILL, what waits
// for a file system may not. Returns whether there were any that hadn't been killed before.
bool roost_end_slow_helpers(int64_t patience);

// Milliseconds of CLOCK_MONOTONIC.
int64_t roost_milliseconds(void);
