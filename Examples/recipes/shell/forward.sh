#!/bin/sh
# The server is a child of the shell, which passes the stop signal on and stays until the server has drained.
"$@" &
server=$!
trap 'kill -TERM $server' TERM
# A signal ends `wait` early: go on until the server is really gone.
while :; do
  wait $server
  status=$?
  kill -0 $server 2>/dev/null || break
done
exit "$status"
