"""hypercorn, but a kept-alive connection may make one more request before it is closed."""

import asyncio
import signal
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from asgi import app
from closing import Closing

# How long a connection that says nothing is waited for: steps of 50 ms. A machine that stands still, as a virtual one does
# that is moved, takes one step at most from clients that stood still with it.
GRACE_STEPS = 10


async def main(descriptor):
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    closing = Closing(app)

    async def drain():
        await stopped.wait()
        # Accept no more: hypercorn itself stops only when this returns.
        loop.remove_reader(descriptor)
        closing.begin()
        for _ in range(GRACE_STEPS):
            await asyncio.sleep(0.05)

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    # By the clock, where the grace is longer than it seems. And requests that take their time are for drain-timeout to judge.
    config.keep_alive_timeout = 60
    config.graceful_timeout = 60
    await serve(closing, config, shutdown_trigger=drain)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
