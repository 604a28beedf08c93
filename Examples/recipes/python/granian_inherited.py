"""granian on an inherited listener. It has no option for that: this reaches into granian 2.8."""

import sys

from granian.constants import Interfaces
from granian.net import SocketHolder
from granian.server import Server


class Inherited(Server):
    descriptor: int

    def _init_shared_socket(self):
        super()._init_shared_socket()
        self._shd = SocketHolder(self.descriptor, False, self.backlog)
        self._ssp = None


if __name__ == "__main__":
    server = Inherited("asgi:app", address="127.0.0.1", port=0, interface=Interfaces.ASGI, log_access=False)
    server.descriptor = int(sys.argv[1])
    server.serve()
