"""Exits at once when it is told to stop, with requests in flight."""

import os
import time

from good import Server


class Broken(Server):
    answers = 0

    def drain(self, listener):
        os._exit(0)

    def answer(self, client, is_last):
        self.answers += 1
        # Most of the time something is in flight. Later ones take longer than a busy machine takes to bring the signal here: what
        # was asked before it is in flight.
        time.sleep(0.02 if self.answers <= 400 else 0.2)
        return super().answer(client, is_last)


Broken().run()
