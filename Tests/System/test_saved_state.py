"""What a master hands over to its new binary, with all that can be in it: the fixtures of Tests/RoostMasterTests have it.

Whoever changes what is saved raises StateFormat.current, says how the former format becomes the new one, and makes the
fixtures of the new one, as root:

    cd Tests/System; MAKE_FIXTURES=1 python3 -B -m unittest test_saved_state

Those of the former format stay, for a test of what they become. Those of this format aren't made again: a form that has
changed has another number. Without the variable, what masters hand over is compared with the fixtures, which may lack nothing
that is saved."""

import fcntl
import json
import os
import re
import signal
import socket
import sys
import unittest

from harness import ROOT, stand_still
from test_upgrade import UpgradeTestCase

FIXTURES = ROOT / "Tests/RoostMasterTests/Fixtures"
MAKES = "MAKE_FIXTURES" in os.environ
# An option may be newer than the fixtures: a state that lacks it has its standard value (`Defaulted`).
OPTION = re.compile(r"(\.settings|\.generations\[\])\.\w+$")

# In the place of the master's new binary: keeps what it is handed over, and refuses.
RECORDER = f"""#!{sys.executable}
import json, os
answer, state = map(int, os.environ["ROOST_PROVE"].split(":")[1:])
with open("FOLDER/recorded", "wb") as file: file.write(open(state, "rb").read())
os.write(answer, json.dumps({{"problem": "recorded"}}).encode())
"""

SERVER = """
import os, select, signal, socket, sys
kind, generation, slot = sys.argv[1], os.environ["ROOST_GENERATION"], os.environ["ROOST_SLOT"]
def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(text, os.environ["NOTIFY_SOCKET"].replace("@", chr(0)))
if kind == "fails":
    sys.exit("no database")
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, lambda *_: tell(b"X_ROOST_RELOAD=1"))
print("generation", generation, file=sys.stderr, flush=True)
tell(b"STATUS=warming up")
if "READY_FD" in os.environ:
    os.write(int(os.environ["READY_FD"]), b"\\n")
elif not (kind == "candidate" and slot == "1"):
    tell(b"READY=1")
poll = select.epoll()
for number in range(3, 3 + int(os.environ.get("LISTEN_FDS", 0))):
    poll.register(number)
if kind == "candidate":
    signal.pause()
poll.poll()
signal.pause()
"""


def paths(value, path=""):
    """Where there is something, in a state: names without the numbers of elements. A list of words or numbers may be empty."""
    if isinstance(value, dict):
        return {path}.union(*(paths(child, f"{path}.{name}") for name, child in value.items()))
    if isinstance(value, list):
        return {path}.union(*(paths(child, path + "[]") for child in value if isinstance(child, (dict, list))))
    return set() if value is None else {path}


@unittest.skipUnless(os.geteuid() == 0, "users and groups of workers need root")
class SavedState(UpgradeTestCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.server = self.script(SERVER, "server.py")
        self.script(RECORDER.replace("FOLDER", str(self.folder)), "recorder")
        self.file = self.folder / "web.toml"

    def configure(self, kind, text):
        self.file.write_text(
            f'name = "web"\ncommand = ["{sys.executable}", "{self.server}", "{kind}", "{{fd:plain}}"]\nsettle = "0s"\n'
            f'state-directory = "{self.folder}/state"\n{text}'
        )

    def begin(self, launcher=(), pass_fds=(), **environment):
        return self.start_bare(
            "--config",
            str(self.file),
            program=str(self.programs / "roost"),
            cwd="/",
            launcher=launcher,
            pass_fds=pass_fds,
            env={"PATH": os.environ["PATH"], "HOME": "/root", **environment},
        )

    def background(self, service, command, *arguments):
        """A command that waits for longer than the test."""
        process = self.roost(command, service, *arguments)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def record(self, service, is_wanted):
        """The state of which this holds, as the master hands it over."""
        master, kept = self.programs / "roost-master", self.programs / "kept"
        master.rename(kept)
        (self.folder / "recorder").rename(master)

        def recorded():
            self.assertIn("recorded", self.told(self.roost("upgrade", service))[2])
            state = json.loads((self.folder / "recorded").read_text())
            self.assertTrue(is_wanted(state["running"]), state["running"]["supervisor"])
            return state

        state = self.eventually(recorded)
        master.rename(self.folder / "recorder")
        kept.rename(master)
        return state

    def current(self, service, slot):
        """The pid of whoever has a slot."""
        workers = self.status(service)["workers"]
        return next(worker["pid"] for worker in workers if (worker["role"], worker["slot"]) == ("current", slot))

    def check(self, scene, state):
        """Keeps the state as a fixture where there is none, and compares it with what is kept."""
        fixture = FIXTURES / f"state-{state['format']}-{scene}.json"
        if MAKES and not fixture.exists():
            text = json.dumps(state, indent=1)
            for part, other in [
                (str(self.folder), "/srv/web"),
                (os.path.realpath(sys.executable), "/usr/bin/python3"),
                (sys.executable, "/usr/bin/python3"),
                (os.environ["PATH"], "/usr/bin:/bin"),
            ]:
                text = text.replace(part, other)
            fixture.write_text(text + "\n")
        kept = set()
        for file in FIXTURES.glob(f"state-{state['format']}-*.json"):
            kept |= paths(json.loads(file.read_text()))
        unknown = [path for path in paths(state) - kept if not OPTION.search(path)]
        self.assertEqual(sorted(unknown), [], "is saved, and in no fixture")


class Reloading(SavedState):
    def test_a_reload_with_all_that_was_before_it(self):
        passed = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))]
        upstream = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        upstream.bind(f"{self.folder}/upstream")
        for resource in [*passed, upstream]:
            self.addCleanup(resource.close)
        self.configure("stubborn", self.text(ready="pipe", probation="100ms"))
        service = self.begun(passed)
        service.expect("it is the last good one")
        # Who waits for the last retiree, which won't go.
        self.configure("serves", self.text(ready="notify", probation="1h", more='after-takeover = "echo hook >&2; sleep 1000"'))
        self.background(service, "reload", "--drained")
        service.expect("reload to generation 2 succeeded")
        service.expect("still accepts connections")
        self.assertEqual(self.told(self.roost("rollback", service, "-q"))[0], 0)
        service.expect("generation 3 has served")
        self.assertEqual(self.told(self.roost("rollback", service, "-q", "2"))[0], 0)
        self.configure("fails", self.text(ready="notify", probation="1h"))
        self.assertEqual(self.told(self.roost("reload", service, "-q"))[0], 1)
        # Until another has to wait, as it has to the second time where the first didn't get ready before.
        while True:
            os.kill(self.current(service, 1), signal.SIGKILL)
            if service.expect(r"slot 1, generation 4\) was killed .*; starting another( in 1h)?$")[1]:
                break
            service.expect(r"slot 1 generation 4 \| generation 4")
        os.kill(self.current(service, 0), signal.SIGSTOP)
        self.configure(
            "candidate", self.text(ready="automatic", probation="1h", more='[probe]\npath = "/"\nstatus = 204\ntimeout = "1h"\n')
        )
        self.background(service, "reload")
        service.expect("reload to generation 6 began")
        service.expect(r"slot 1 generation 6 \| generation 6")
        self.fill(upstream)
        self.background(service, "reload")
        service.expect("it runs when the running reload has ended")
        for name, text in [
            ("control", b'{"method":"roost.Control.Subscribe","more":true}\0{"method"'),
            ("einhorn.sock", b'{"command"'),
        ]:
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.connect(f"{service.control}/{name}")
            client.sendall(text)
        state = self.record(
            service, lambda state: state["spoken"] and state["probes"] and state["upstream"] and state["einhorn"]["clients"]
        )
        self.check("reloading", state)

    def text(self, ready, probation, more=""):
        return f"""
            directory = "{self.folder}"
            ready = "{ready}"
            probation = "{probation}"
            workers = 2
            compatibility = ["einhorn", "server-starter"]
            user = "root"
            supplementary-group = ["nogroup"]
            umask = "0027"
            nice = 1
            drain-timeout = "1h"
            restart-delay = "1h"
            restart-delay-limit = "1h"
            start-attempts = 3
            start-limit = "1h"
            hook-timeout = "1h"
            before-reload = "true"
            log-prefix = true
            allow-worker-reload = true
            pid-file = "{self.folder}/pid"
            control-group = "nogroup"
            metrics = "unix:{self.folder}/metrics"
            limit = {{ open-files = [64, 128], core-size = 0 }}
            environment = {{ WHERE = "{{port:plain}}" }}
            listen = [
              {{ name = "plain", address = "127.0.0.1:0" }},
              {{ name = "six", address = "[::1]:0", ipv6-only = true, freebind = true, nonblocking = true }},
              {{ name = "admin", address = "unix:{self.folder}/admin", mode = "0660", user = "nobody", group = "nogroup" }},
              {{ name = "quic", address = "udp:127.0.0.1:0", reuseport = "cpu" }},
              {{ name = "given", address = "systemd:given" }},
            ]
            {more}"""

    def begun(self, passed):
        """A service that systemd might have started: with sockets, of which one is not wanted, and a place to keep others."""
        # Higher than those that the shell makes of them.
        numbers = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in passed]
        for number in numbers:
            self.addCleanup(os.close, number)
        place = f'exec 3<&{numbers[0]} 4<&{numbers[1]}; export LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=given:unused; exec "$@"'
        return self.begin(launcher=["bash", "-c", place, "bash"], pass_fds=numbers, NOTIFY_SOCKET=f"{self.folder}/upstream", FDSTORE="64")

    def fill(self, upstream):
        """Nothing more can be told to whoever reads there."""
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                try:
                    sender.sendto(b"x", socket.MSG_DONTWAIT, upstream.getsockname())
                except BlockingIOError:
                    return


class Otherwise(SavedState):
    """What can't be while a reload replaces workers."""

    def test_a_service_that_serves_after_a_reload_that_a_worker_asked_for_has_failed(self):
        text = """
            ready = "notify"
            workers = 2
            drain-timeout = "1h"
            allow-worker-reload = true
            before-reload = "echo hook >&2; sleep 1000 &"
            listen = [{ name = "plain", address = "127.0.0.1:0", reuseport = true }]"""
        self.configure("serves", text)
        service = self.begin()
        host, port = service.address().rsplit(":", 1)
        service.serving()
        self.configure("fails", text)
        os.kill(service.worker(), signal.SIGUSR1)
        service.expect("reload to generation 2 failed")
        # Each slot has some of them in its queue.
        for _ in range(50):
            self.addCleanup(socket.create_connection((host, int(port))).close)
        self.assertEqual(self.told(self.roost("scale", service, "-1"))[0], 0)
        stand_still([service.pid], 2)
        service.expect("nothing ran for")
        self.check("serving", self.record(service, lambda state: state["outputs"]))

    def test_a_start_that_is_in_trouble_and_a_configuration_that_is_read_meanwhile(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        text = """
            ready = "notify"
            start-limit = "1h"
            probation = "10ms"
            listen = [{{ name = "plain", address = "{}" }}]
            metrics = "{}" """
        self.configure("serves", text.format("127.0.0.1:0", "127.0.0.1:0"))
        service = self.begin()
        service.expect("it is the last good one")
        self.assertEqual(service.stop(), 0)
        self.configure("serves", text.format(address, address))
        service = self.begin()
        service.expect("trying again in")
        program, read = self.programs / "roost", self.folder / "read"
        os.mkfifo(read)
        program.rename(self.programs / "real")
        program.write_text(f'#!/bin/sh\nread x < {read}\nexec {self.programs}/real "$@"\n')
        program.chmod(0o755)
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 3 began")
        self.check("starting", self.record(service, lambda state: state["preparation"]))

    def test_a_stop(self):
        self.configure("stubborn", 'ready = "notify"\ndrain-timeout = "1h"\nlisten = [{ name = "plain", address = "127.0.0.1:0" }]')
        service = self.begin().serving()
        self.background(service, "stop")
        service.expect("was sent SIGTERM")
        self.check("stopping", self.record(service, lambda state: True))
