// The command line as the kernel has passed it.
#ifndef ROOST_ARGUMENTS_H
#define ROOST_ARGUMENTS_H

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// How many arguments there are, argument 0 included: 0 where even that is missing (execve(2)).
int roost_argument_count(void);

// The arguments, up to a null pointer. They stay where they are as long as the process runs.
char *_Nullable *_Nonnull roost_arguments(void);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
