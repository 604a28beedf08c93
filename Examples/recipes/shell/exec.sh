#!/bin/sh
# The server takes the shell's place: same process, so signals, LISTEN_PID and the exit status are the server's.
: "${GREETING:=hello}"
export GREETING
exec "$@"
