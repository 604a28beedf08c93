"""Calls shutdown on the listener when it is told to stop."""

import socket

from good import Server


class Broken(Server):
    def drain(self, listener):
        listener.shutdown(socket.SHUT_RDWR)
        super().drain(listener)


Broken().run()
