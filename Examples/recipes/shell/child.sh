#!/bin/sh
# The server is a child of the shell. The stop signal reaches the shell first, and ends it.
"$@"
status=$?
echo "the server exited with status $status" >&2
exit "$status"
