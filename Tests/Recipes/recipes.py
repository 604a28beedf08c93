"""Runs real servers under Roost through reloads under load, and counts what came of every request."""

import http.client
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/System"))

from harness import LOAD, PATIENCE, Load, RoostTestCase, eventually, stand_still  # noqa: E402, F401

EXAMPLES = ROOT / "Examples/recipes"
BUILD = ROOT / ".build/recipes"
# Where the recipes' files say that the release is.
RELEASE = "/srv/web"
RELOADS = int(os.environ.get("RELOADS", 20))
CLIENTS = 4
# One lost request of each client for each retiree: what a server may lose that closes idle connections without a warning.
ONCE_A_RETIREE = CLIENTS * RELOADS
# Time for requests to both generations at once, where a reload itself takes a few milliseconds.
SETTLE = "100ms"
# A retiree that takes so long has not drained.
DRAIN_TIMEOUT = "20s"


class Clients(Load):
    """Real requests in the background, which leave the processors to servers that boot."""

    def __init__(self, address, kept_alive=0, new=0):
        self.process = subprocess.Popen(
            ["nice", "-n", "10", LOAD, "--kept-alive", str(kept_alive), "--new", str(new), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr.readline() == "ready\n"


class Counts:
    """What came of the requests on kept-alive connections, and of those on a new connection each."""

    def __init__(self, kept_alive, new):
        self.kept_alive = kept_alive
        self.new = new

    @property
    def reasons(self):
        sums = {}
        for part in self.kept_alive, self.new:
            for reason, count in part["failureReasons"].items():
                sums[reason] = sums.get(reason, 0) + count
        return sums

    def __str__(self):
        parts = [
            f"kept-alive {self.kept_alive['failures']} of {self.kept_alive['requests']} lost",
            f"new {self.new['failures']} of {self.new['requests']} lost",
            f"slowest {max(self.kept_alive['slowestMilliseconds'], self.new['slowestMilliseconds'])} ms",
        ]
        return ", ".join(parts + [f"{reason}: {count}" for reason, count in self.reasons.items()])


class RecipeTestCase(RoostTestCase):
    """A test's doc is the recipe's name in the results."""

    def install(self, family, changes=()):
        """Puts the files of a recipe into the test's folder, with the places that they name moved there."""
        # For servers that change their user.
        self.folder.chmod(0o755)
        changes = {RELEASE: str(self.folder), **dict(changes)}
        found = set()
        for file in (EXAMPLES / family).iterdir():
            if file.is_dir():
                continue
            text = file.read_text()
            for old, new in changes.items():
                if old in text:
                    found.add(old)
                text = text.replace(old, new)
            self.script(text, file.name, file.stat().st_mode & 0o777)
        self.assertEqual(found, set(changes), "a place that the recipe doesn't name")

    def start_recipe(self, name, *options, listen="http=127.0.0.1:0"):
        environment = {**os.environ, "PATH": f"{BUILD}/venv/bin:{BUILD}/go:{os.environ['PATH']}"}
        service = self.start_bare(
            "--config",
            str(self.folder / f"{name}.toml"),
            "--listen",
            listen,
            "--settle",
            SETTLE,
            "--drain-timeout",
            DRAIN_TIMEOUT,
            *options,
            env=environment,
        )
        address = service.address()
        return service.serving(), address

    def run_recipe(self, name, listen="http=127.0.0.1:0", target=None, header="X-Generation", leaves_processes=False):
        """Reloads an installed recipe while clients ask all the time, each reload until its retirees are gone."""
        service, address = self.start_recipe(name, listen=listen)
        target = target or address
        # Not the master's children: for a moment one looks whether workers accept.
        workers = service.log.count(r"generation 1\) started")
        answered = [self.ask(target, header)]
        clients = [Clients(target, kept_alive=CLIENTS), Clients(target, new=CLIENTS)]
        try:
            for generation in range(1, RELOADS + 1):
                self.assertRegex(service.reload(), "^succeeded")
                service.log.expect_count(rf"generation {generation}\) (drained and|.* while it drained)", workers)
                if leaves_processes:
                    self.eventually(lambda: self.assertEqual(len(service.children()), workers))
                # The retirees are gone: this is an answer of the new generation.
                answered.append(self.ask(target, header))
        finally:
            counts = Counts(*[part.finish() for part in clients])
        print(f"RESULT {self.shortDescription()}: {counts}", file=sys.stderr, flush=True)
        self.assert_everybody_served(answered, header)
        self.assertEqual(service.log.count(" error | did not drain within "), 0)
        self.assertEqual(service.log.count(" left process.* behind, which"), RELOADS * workers if leaves_processes else 0)
        self.assertEqual(service.stop(), 0)
        return counts

    def assert_nothing_lost_by_standing_still(self, name, reads_bodies=True):
        """A machine stands still while a server drains, as a virtual one does that is moved. When it goes on, the clients of
        idle connections ask, and each is answered. So is a request that takes long to come; and who never asks is not
        waited for."""
        # One that no client has would be gone at once.
        service, address = self.start_recipe(name, "--workers", "1")
        witness, *clients = [http.client.HTTPConnection(address, timeout=PATIENCE) for _ in range(6)]
        for client in witness, *clients:
            self.assertFalse(self.is_last(client))
        host, port = address.rsplit(":", 1)
        silent, sender = [socket.create_connection((host, int(port)), PATIENCE) for _ in range(2)]
        if reads_bodies:
            sender.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf ")
        # Connections are accepted in the order of their coming.
        self.ask(address, "Server")
        retiree = service.worker()
        self.assertRegex(service.reload(), "^succeeded")
        while not self.is_last(witness):
            pass
        # It drains. Longer than servers keep an idle connection by themselves.
        stand_still([retiree], 6)
        for client in clients:
            self.assertTrue(self.is_last(client))
        if reads_bodies:
            # A client that pauses for longer than the grace.
            time.sleep(1)
            sender.sendall(b"whole")
            self.assertIn(b" 200 ", sender.makefile("rb").readline())
        sender.close()
        service.expect(rf"worker {retiree} .* drained and (exited with status 0|was killed by SIGTERM)")
        silent.close()
        self.assertEqual(service.stop(), 0)

    def is_last(self, client):
        """Asks on a kept-alive connection. Whether the answer says that the connection ends."""
        client.request("GET", "/")
        response = client.getresponse()
        self.assertEqual((response.status, response.read()[:5]), (200, b"hello"))
        return response.will_close

    def ask(self, address, header):
        """What a header of an answer says."""
        client = http.client.HTTPConnection(address, timeout=PATIENCE)
        client.request("GET", "/", headers={"Connection": "close"})
        response = client.getresponse()
        self.assertEqual((response.status, response.read()[:5]), (200, b"hello"))
        client.close()
        return response.headers[header]

    def assert_everybody_served(self, answered, header):
        """Each generation has answered, or where the server can't tell it, as many processes."""
        if header == "X-Generation":
            self.assertEqual(answered, [str(number) for number in range(1, RELOADS + 2)])
        else:
            self.assertEqual(len(set(answered)), RELOADS + 1)

    def assert_nothing_lost(self, counts):
        self.assertEqual(counts.reasons, {})

    def assert_lost_at_most(self, counts, kept_alive=0, new=0):
        """What the recipe's page promises."""
        self.assertLessEqual(counts.kept_alive["failures"], kept_alive, counts.reasons)
        self.assertLessEqual(counts.new["failures"], new, counts.reasons)


def free_port():
    """A port that nobody has at the moment, for servers that have to know it before Roost opens it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
