"""A worker that writes down whom it accepts, and clients that count exactly what becomes of their connections."""

import collections
import pathlib
import select
import socket
import threading
import time

# Answers lines. "slow" takes a moment, so that some requests are in flight whenever the worker is killed. Told to drain,
# it accepts no more, answers what it has, and lets connections that are idle ask once more for fifty steps of 100 ms: a
# machine that stands still takes one at most from clients that stood still with it.
WORKER = """
import os, pathlib, selectors, signal, socket, sys, time, traceback
folder = pathlib.Path(sys.argv[1])
notes = os.open(folder / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
# Its stderr may have gone with the master.
sys.excepthook = lambda *error: (folder / f"crash-{os.getpid()}").write_text("".join(traceback.format_exception(*error)))
listener = socket.socket(fileno=3)
listener.setblocking(False)
mine, stop = socket.socketpair()
stop.setblocking(False)
signal.set_wakeup_fd(stop.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
selector.register(mine, selectors.EVENT_READ)
due = []
ending = False
steps = 0
step_began = time.monotonic()

def answer(client):
    client.sendall(b"last\\n" if ending else b"more\\n")
    if ending:
        client.shutdown(socket.SHUT_WR)

def hear(client):
    request = client.recv(100)
    if not request:
        selector.unregister(client)
        client.close()
    elif request == b"slow\\n":
        due.append((time.monotonic() + 0.02, client))
    else:
        answer(client)

def accept():
    # Before and after: a kill in between leaves a question, and not a connection that nobody knows of.
    os.write(notes, b"?\\n")
    try:
        client, peer = listener.accept()
    except BlockingIOError:
        return os.write(notes, b"-\\n")
    os.write(notes, f"{peer[1]}\\n".encode())
    selector.register(client, selectors.EVENT_READ)

name = os.environ["NOTIFY_SOCKET"]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", "\\0" + name[1:] if name[0] == "@" else name)
while True:
    now = time.monotonic()
    for entry in [entry for entry in due if entry[0] <= now]:
        due.remove(entry)
        answer(entry[1])
    connections = len(selector.get_map()) - (2 if not ending else 1)
    if ending and now - step_began >= 0.1:
        steps += 1
        step_began = now
    if ending and (connections == 0 or steps >= 50 and not due):
        sys.exit(0)
    soon = [entry[0] for entry in due] + ([step_began + 0.1] if ending else [])
    for key, _ in selector.select(max(0, min(soon) - now) if soon else None):
        if key.fileobj is mine:
            mine.recv(100)
            if not ending:
                ending = True
                selector.unregister(listener)
                listener.close()
        elif key.fileobj is listener:
            # Unless the stop signal came in the same moment.
            if not ending:
                accept()
        else:
            hear(key.fileobj)
"""


class Counts:
    """What clients have seen, and whom workers had accepted of those that weren't answered."""

    def __init__(self):
        self.answered = 0
        self.refused = 0
        # Ports of connections that were cut off with a request on their way, the first one or a later one.
        self.first_cut = []
        self.later_cut = []
        # Connections that were closed while no request was on its way.
        self.idle_closed = 0
        self.other = collections.Counter()
        # The longest that anybody waited for an answer, in seconds.
        self.slowest = 0.0

    def answer(self, seconds):
        self.answered += 1
        self.slowest = max(self.slowest, seconds)

    def settle(self, folder):
        """Divides the first requests that were cut off: workers had accepted them, or might have, or nobody had."""
        accepted, questions = set(), 0
        for path in folder.iterdir():
            if path.name.startswith("crash-"):
                raise AssertionError(f"a worker has died by itself, and whom it had accepted with it: {path.read_text()}")
            notes = path.read_text().split("\n")[:-1]
            accepted.update(note for note in notes if note not in "?-")
            questions += notes[-1:] == ["?"]
        unknown = [port for port in self.first_cut if str(port) not in accepted]
        self.accepted_cut = len(self.first_cut) - len(unknown)
        # A worker that died in the middle of an accept had at most one connection that it couldn't write down.
        self.lost_in_queue = max(0, len(unknown) - questions)
        return self

    @property
    def in_flight(self):
        return len(self.first_cut) + len(self.later_cut) - self.lost_in_queue

    def __str__(self):
        return (
            f"{self.answered} answered, {self.refused} refused, {self.lost_in_queue} lost in the queue, "
            f"{self.in_flight} lost in flight, {self.idle_closed} closed while idle, {dict(self.other)} else, "
            f"slowest answer after {self.slowest * 1000:.0f} ms"
        )


class Clients:
    """Clients on threads: new connections for each request, and kept-alive ones."""

    def __init__(self, port, new=4, kept_alive=4, patience=30):
        self.port, self.patience = port, patience
        self.counts = Counts()
        self.changed = threading.Condition()
        self.over = False
        self.threads = [
            threading.Thread(target=self.run, args=[kept, line])
            for kept, line in [(False, b"fast\n")] * new + [(True, b"slow\n")] * kept_alive
        ]
        for thread in self.threads:
            thread.start()

    def run(self, keep, line):
        client = None
        while not self.over:
            used = client is not None
            if client and select.select([client], [], [], 0)[0]:
                with self.changed:
                    self.counts.idle_closed += 1
                client.close()
                client = None
                continue
            client = self.ask(client, line, used)
            if client and not keep:
                client.close()
                client = None
        if client:
            client.close()

    def ask(self, client, line, used):
        """One request. Returns the connection if another may follow."""
        port, began = None, time.monotonic()
        try:
            if not client:
                client = socket.create_connection(("127.0.0.1", self.port), timeout=self.patience)
            port = client.getsockname()[1]
            client.sendall(line)
            answer = client.recv(100)
            if not answer:
                raise ConnectionResetError
            self.count(lambda counts: counts.answer(time.monotonic() - began))
            if answer == b"more\n":
                return client
        except ConnectionRefusedError:
            self.count(lambda counts: setattr(counts, "refused", counts.refused + 1))
        except (ConnectionResetError, BrokenPipeError):
            self.count(lambda counts: (counts.later_cut if used else counts.first_cut).append(port))
        except OSError as error:
            name = type(error).__name__
            self.count(lambda counts: counts.other.update([name]))
        if client:
            client.close()
        return None

    def count(self, change):
        with self.changed:
            change(self.counts)
            self.changed.notify_all()

    def wait_for_more(self, answers):
        """Waits until so many more requests were answered."""
        with self.changed:
            until = self.counts.answered + answers
            if not self.changed.wait_for(lambda: self.counts.answered >= until, self.patience):
                raise AssertionError(f"nobody answers any more: {self.counts}")

    def finish(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        return self.counts


def written(folder):
    path = pathlib.Path(folder)
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    return path
