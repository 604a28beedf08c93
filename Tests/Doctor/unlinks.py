"""Removes the file of its unix socket when it is told to stop."""

import os

from good import Server


class Broken(Server):
    def drain(self, listener):
        os.unlink(listener.getsockname())
        super().drain(listener)


Broken().run()
