"""Accepts one connection, and then no more."""

import select

from good import Server


class Broken(Server):
    def serve(self, client):
        super().serve(client)
        select.select([self.told], [], [])


Broken().run()
