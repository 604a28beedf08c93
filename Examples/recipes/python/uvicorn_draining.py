"""uvicorn, but a kept-alive connection may make one more request before it is closed."""

import asyncio
import socket
import sys

import uvicorn

from asgi import app
from closing import Closing

# How long a connection that says nothing is waited for: steps of 10 ms. A machine that stands still, as a virtual one does
# that is moved, takes one step at most from clients that stood still with it.
GRACE_STEPS = 50


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        loop = asyncio.get_running_loop()
        # Accept no more. Closing the listener is too early: connections that were accepted just now become tasks some turns of
        # the loop later, and a closed server drops them.
        for listener in sockets:
            loop.remove_reader(listener)
        self.config.app.begin()
        await asyncio.sleep(0.05)
        for _ in range(GRACE_STEPS):
            if not self.server_state.connections:
                break
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)


if __name__ == "__main__":
    # Not `fd`: uvicorn takes that for a unix socket, leaves Nagle's algorithm on, and each response waits for it.
    listener = socket.socket(fileno=int(sys.argv[1]))
    # The time for kept-alive connections goes by the clock, where the grace is longer than it seems.
    Server(uvicorn.Config(Closing(app), access_log=False, timeout_keep_alive=60)).run(sockets=[listener])
