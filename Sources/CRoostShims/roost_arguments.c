#include "roost_shims.h"

#include <stddef.h>

static char *none[] = {NULL};
static int argument_count = 0;
static char **arguments = none;

// The C library passes each constructor what it passes to main. Swift looks for it elsewhere: in /proc, which a container
// may lack, and below the environment, which isn't where it was once a constructor of a preloaded library has set a variable.
__attribute__((constructor)) static void take(int argc, char **argv) {
  if (!argv) return;
  argument_count = argc;
  arguments = argv;
}

int roost_argument_count(void) { return argument_count; }

char **roost_arguments(void) { return arguments; }
