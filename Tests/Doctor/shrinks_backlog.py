"""Calls listen with a small backlog."""

from good import Server


class Broken(Server):
    def listener(self):
        listener = super().listener()
        listener.listen(5)
        return listener


Broken().run()
