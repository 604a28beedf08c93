"""An HTTP server of asyncio alone, on an inherited listener. It says when it is ready, and drains on SIGTERM."""

import asyncio
import os
import signal
import socket
import sys

# How long a connection that says nothing is waited for: steps of 50 ms. A machine that stands still, as a virtual one does
# that is moved, takes one step at most from clients that stood still with it.
GRACE_STEPS = 10


class Server:
    def __init__(self):
        self.draining = asyncio.Event()
        self.connections = set()

    async def run(self, listener):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.draining.set)
        # `start_server` would shrink the accept queue to 100.
        server = await asyncio.start_server(self.accepted, sock=listener, backlog=4096)
        tell("READY=1")
        await self.draining.wait()
        # Not `server.close()` alone: connections that were accepted just now become tasks some turns of the loop later, and
        # a closed server drops them.
        asyncio.get_running_loop().remove_reader(listener)
        for _ in range(10):
            await asyncio.sleep(0)
        server.close()
        while self.connections:
            await asyncio.wait(self.connections)

    async def accepted(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            while await self.answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.connections.discard(task)

    async def answer(self, reader, writer):
        """One request. Returns whether another one may follow."""
        head = await self.next_head(reader)
        if head is None:
            return False
        is_last = self.draining.is_set() or b"connection: close" in head.lower()
        body = b"hello\n"
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: text/plain",
            f"Content-Length: {len(body)}",
            f"X-Generation: {os.environ.get('ROOST_GENERATION', 0)}",
            f"Connection: {'close' if is_last else 'keep-alive'}",
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return not is_last

    async def next_head(self, reader):
        """The next request, or none if the connection stays silent while the server drains."""
        request = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        drain = asyncio.ensure_future(self.draining.wait())
        await asyncio.wait([request, drain], return_when=asyncio.FIRST_COMPLETED)
        drain.cancel()
        for _ in range(GRACE_STEPS):
            if request.done():
                break
            await asyncio.wait([request], timeout=0.05)
        if not request.done():
            request.cancel()
            return None
        return request.result()


def tell(message):
    """What sd_notify(3) does."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(message.encode(), address.replace("@", "\0", 1))


async def main():
    await Server().run(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    asyncio.run(main())
