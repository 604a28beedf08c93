"""What the master answers is what its interface declares: each member of each answer, in a service that has all of them."""

import fcntl
import os
import re
import signal
import socket
import subprocess

from test_control import READY, ControlTestCase

STUBBORN = (
    "import os, signal, socket\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.write(int(os.environ['READY_FD']), b'\\n')\n"
    "listener, kept = socket.socket(fileno=3), []\n"
    "while True: kept.append(listener.accept())\n"
)


class Interface:
    """An interface as its description in the language of Varlink declares it."""

    def __init__(self, description):
        self.rest = re.findall(r"[\w.]+|->|\[\]|[?():,]", re.sub("#.*", "", description))
        self.types, self.methods, self.errors = {}, {}, {}
        while self.rest:
            kind, name = self.take(), self.take()
            if kind == "type":
                self.types[name] = self.type()
            elif kind == "error":
                self.errors[name] = self.type()
            elif kind == "method":
                self.type()
                assert self.take() == "->"
                self.methods[name] = self.type()

    def take(self):
        return self.rest.pop(0)

    def type(self):
        """A name; a tuple of a prefix and a type; a dictionary of members; or a set of words."""
        word = self.take()
        if word in ("?", "[]"):
            return word, self.type()
        if word != "(":
            return word
        members, words = {}, set()
        while (name := self.take()) != ")":
            if name == ",":
                continue
            if self.rest[0] == ":":
                self.take()
                members[name] = self.type()
            else:
                words.add(name)
        return words or members

    def problems(self, value, declared, place, seen):
        """What of a value isn't as it was declared. Where something is, is added to `seen`."""
        declared = self.types.get(declared, declared) if isinstance(declared, str) else declared
        if isinstance(declared, tuple):
            prefix, inner = declared
            if prefix == "?":
                return [] if value is None else self.problems(value, inner, place, seen)
            if not isinstance(value, list):
                return [f"{place} isn't a list"]
            return [text for element in value for text in self.problems(element, inner, place + "[]", seen)]
        seen.add(place)
        if isinstance(declared, set):
            return [] if value in declared else [f"{place} can't be {value!r}"]
        if isinstance(declared, dict):
            if not isinstance(value, dict) or not value.keys() <= declared.keys():
                return [f"{place} is {value!r}"]
            return [text for name, inner in declared.items() for text in self.problems(value.get(name), inner, f"{place}.{name}", seen)]
        wanted = {"int": int, "string": str, "bool": bool}[declared]
        return [] if type(value) is wanted else [f"{place} isn't {declared}: {value!r}"]

    def members(self, declared, place=""):
        """All that there may be."""
        declared = self.types.get(declared, declared) if isinstance(declared, str) else declared
        if isinstance(declared, tuple):
            return self.members(declared[1], place + ("[]" if declared[0] == "[]" else ""))
        inner = declared.items() if isinstance(declared, dict) else []
        return {place}.union(*(self.members(child, f"{place}.{name}") for name, child in inner))


class Answers(ControlTestCase):
    def setUp(self):
        super().setUp()
        self.seen = {}

    def check(self, client, method, parameters=None, **flags):
        client.send(f"roost.Control.{method}", parameters, **flags)
        self.look(client, method)

    def look(self, client, method):
        """Looks at each reply to a call."""
        while reply := client.receive():
            error = reply.get("error")
            declared = self.interface.errors[error.rsplit(".", 1)[1]] if error else self.interface.methods[method]
            place = error or method
            problems = self.interface.problems(reply["parameters"], declared, place, self.seen.setdefault(place, set()))
            self.assertEqual(problems, [])
            if not reply.get("continues"):
                break

    def begun(self):
        """A service with a listener that somebody else has open, too, and with metrics whose address is taken."""
        metrics, passed = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.addCleanup(metrics.close)
        self.addCleanup(passed.close)
        outsider = subprocess.Popen(["tail", "-f", "/dev/null"], pass_fds=[passed.fileno()])
        self.addCleanup(outsider.wait)
        self.addCleanup(outsider.kill)
        number = fcntl.fcntl(passed, fcntl.F_DUPFD, 100)
        self.addCleanup(os.close, number)
        place = f'exec 3<&{number}; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=given; exec "$@"'
        (self.folder / "directory").mkdir()
        self.release(f"exec python3 {self.script(STUBBORN, 'stubborn')}")
        service = self.start(
            "-n",
            "2",
            "-l",
            "http=127.0.0.1:0",
            "-l",
            f"admin=unix:{self.folder}/admin",
            "-l",
            "systemd:given",
            "--restart-delay",
            "1h",
            "--restart-delay-limit",
            "1h",
            "--drain-timeout",
            "1h",
            "--probation",
            "10ms",
            "--metrics",
            f"127.0.0.1:{metrics.getsockname()[1]}",
            "--directory",
            str(self.folder / "directory"),
            command=[str(self.folder / "server")],
            launcher=["bash", "-c", place, "bash"],
            pass_fds=[number],
        )
        return service, service.address()

    def test_they_are_as_declared_and_have_all_that_is_declared(self):
        service, address = self.begun()
        service.expect("it is the last good one")
        client = self.client(service)
        client.send("org.varlink.service.GetInterfaceDescription", {"interface": "roost.Control"})
        self.interface = Interface(client.receive()["parameters"]["description"])

        # A retiree with a connection, and what has served and failed before.
        host, port = address.rsplit(":", 1)
        self.addCleanup(socket.create_connection((host, int(port))).close)
        self.release("echo no database >&2; exit 3")
        self.check(client, "Reload", {"drained": False}, more=True)
        self.check(client, "Status")
        self.release("systemd-notify --status=fine; echo hello >&2; " + READY)
        self.check(client, "Reload", more=True)
        service.expect("still accepts connections")
        self.check(client, "Rollback", {"generation": 1}, more=True)
        self.check(client, "Rollback", {"generation": 99})
        self.check(client, "Scale", {"change": 1})
        service.expect(r"slot 2, .* is ready")

        # Who is missing.
        self.release("echo no database >&2; sleep 1; exit 3")
        os.kill(service.worker(2), signal.SIGKILL)
        service.expect(r"slot 2, .*; starting another in 1h")
        self.eventually(lambda: self.assert_has_searched(self.status(client)))
        self.check(client, "Status")

        # What goes on meanwhile.
        self.release("exec tail -f /dev/null")
        subscriber = self.client(service)
        subscriber.send("roost.Control.Subscribe", more=True)
        self.client(service).send("roost.Control.Reload")
        service.expect(r"slot 2, generation 5\) started")
        (self.folder / "admin").unlink()
        (self.folder / "directory").rmdir()
        for method in ["Status", "Logs", "Metrics", "Cancel", "Cancel", "History", "Upgrade"]:
            self.check(client, method)
        self.check(client, "Stop", {"atOnce": True}, more=True)
        self.look(subscriber, "Subscribe")
        self.assertEqual(service.wait(), 0)
        for method, declared in self.interface.methods.items():
            missing = self.interface.members(declared, method) - self.seen[method]
            # Nobody has failed where a reload has succeeded.
            self.assertEqual(missing - {f"{method}.verdict.lastWords[]"}, set())

    def assert_has_searched(self, status):
        """Since the last reload, too: what was found before that stays until then, without whether it was all."""
        self.assertTrue(status["outsiders"])
        self.assertIsNotNone(status["sawAllProcesses"])

    def status(self, client):
        return client.call("roost.Control.Status")["parameters"]["service"]
