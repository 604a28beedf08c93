"""Binds a port of its own, and says that it is ready."""

import socket

from good import Server


class Broken(Server):
    def listener(self):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        return listener


Broken().run()
