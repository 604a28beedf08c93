"""gunicorn says READY=1 before any worker of its own exists. This says it when the first one is about to accept."""

import os

# A control socket in the home directory: each new generation would take it away from the current one.
control_socket_disable = True


def post_worker_init(worker):
    if "READY_FD" in os.environ:
        os.write(int(os.environ["READY_FD"]), b"ready\n")
