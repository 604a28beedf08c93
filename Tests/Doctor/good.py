"""A worker that keeps its contract. The others in this folder break it in one place each."""

import os
import select
import signal
import socket
import threading
import time


class Server:
    """An HTTP server with a thread for each connection, on the inherited listener."""

    def __init__(self):
        self.draining = threading.Event()
        # Readable for ever once it drains.
        self.told, tell = os.pipe()
        signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"!"))
        self.threads = []

    def listener(self):
        listener = socket.socket(fileno=3)
        # Another worker may have taken the connection that woke this one.
        listener.setblocking(False)
        return listener

    def say_ready(self):
        name = os.environ["NOTIFY_SOCKET"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\0" + name[1:] if name[0] == "@" else name)

    def run(self):
        listener = self.listener()
        self.say_ready()
        while self.told not in select.select([listener, self.told], [], [])[0]:
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                continue
            self.serve(client)
        self.drain(listener)
        for thread in self.threads:
            thread.join()

    def serve(self, client):
        thread = threading.Thread(target=self.converse, args=[client])
        self.threads.append(thread)
        thread.start()

    def drain(self, listener):
        listener.close()
        self.draining.set()

    def converse(self, client):
        """Answers requests until the client has gone, or was told that an answer is the last one."""
        with client:
            while self.next_request(client):
                # Long enough for some requests to be in flight at any time.
                time.sleep(0.01)
                try:
                    is_last = self.answer(client, self.is_last())
                except OSError:
                    return
                if is_last:
                    client.shutdown(socket.SHUT_WR)
                    return

    def answer(self, client, is_last):
        """Whether it was the last."""
        connection = b"close" if is_last else b"keep-alive"
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: %s\r\n\r\nok" % connection)
        return is_last

    def next_request(self, client):
        """Whether one has come. While it drains, an idle connection is given a while for one more."""
        select.select([client, self.told], [], [])
        if self.draining.is_set() and not select.select([client], [], [], 2)[0]:
            return False
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            try:
                part = client.recv(4096)
            except ConnectionResetError:
                return False
            if not part:
                return False
            request += part
        return True

    def is_last(self):
        return self.draining.is_set()


if __name__ == "__main__":
    Server().run()
