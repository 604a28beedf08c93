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

# How long a connection that says nothing is waited for.
GRACE = 0.5
deadline = None


class Task(WSGITask):
    def build_response_header(self):
        if deadline is not None:
            # Answers as if the client had asked for the connection's end.
            self.request.headers["CONNECTION"] = "close"
        return super().build_response_header()


class Channel(HTTPChannel):
    task_class = Task


def stop(*_):
    global deadline
    server.accepting = False
    deadline = time.monotonic() + GRACE


def is_idle(channel):
    return not channel.requests and channel.total_outbufs_len == 0


sockets = {}
server = create_server(app, map=sockets, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=4)
server.channel_class = Channel
signal.signal(signal.SIGTERM, stop)
while True:
    wasyncore.loop(timeout=0.05, use_poll=True, map=sockets, count=1)
    channels = list(server.active_channels.values())
    if deadline is not None and not channels:
        break
    if deadline is not None and time.monotonic() > deadline and all(map(is_idle, channels)):
        break
