"""Exits at once when it is told to stop, with requests in flight."""

import os

from good import Server


class Broken(Server):
    def drain(self, listener):
        os._exit(0)


Broken().run()
