"""Drains, and never tells kept-alive connections to close: it waits for its clients."""

import select

from good import Server


class Broken(Server):
    def is_last(self):
        return False

    def next_request(self, client):
        select.select([client], [], [])
        return super().next_request(client)


Broken().run()
