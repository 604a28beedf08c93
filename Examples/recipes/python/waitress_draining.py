"""waitress on an inherited listener, draining on SIGTERM: it has no graceful stop of its own."""

import signal
import socket
import sys
import time

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import WSGITask

from wsgi import app

# How long a connection that says nothing is waited for: steps of this many seconds. A machine that stands still, as a virtual
# one does that is moved, takes one step at most from clients that stood still with it.
STEP = 0.05
GRACE_STEPS = 10
is_draining = False


class Task(WSGITask):
    def build_response_header(self):
        if is_draining:
            # Answers as if the client had asked for the connection's end.
            self.request.headers["CONNECTION"] = "close"
        return super().build_response_header()


class Channel(HTTPChannel):
    task_class = Task


def stop(*_):
    global is_draining
    server.accepting = False
    is_draining = True


def is_idle(channel):
    return channel.request is None and not channel.requests and channel.total_outbufs_len == 0


sockets = {}
server = create_server(app, map=sockets, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=4)
server.channel_class = Channel
signal.signal(signal.SIGTERM, stop)
steps = 0
step_began = time.monotonic()
while not is_draining or server.active_channels:
    wasyncore.loop(timeout=STEP, use_poll=True, map=sockets, count=1)
    if time.monotonic() - step_began >= STEP:
        steps = steps + 1 if is_draining else 0
        step_began = time.monotonic()
    if steps >= GRACE_STEPS and all(map(is_idle, list(server.active_channels.values()))):
        break
