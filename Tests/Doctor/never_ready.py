"""Serves, and never says that it is ready."""

from good import Server


class Broken(Server):
    def say_ready(self):
        pass


Broken().run()
