"""Runs the real roost with real workers, and waits for what happens: for log lines, messages, exits, never for time."""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import surroundings

surroundings.restore()

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOST = os.environ.get("ROOST", str(ROOT / ".build/debug/roost"))
LOAD = os.environ.get("ROOST_LOAD", str(ROOT / ".build/debug/roost-load"))
DEMO_WORKER = os.environ.get("DEMO_WORKER", str(ROOT / "Examples/DemoWorker/.build/release/demo-worker"))
# Generous: a machine that is busy with other tests must not fail one.
PATIENCE = float(os.environ.get("PATIENCE", 60))
PR_SET_CHILD_SUBREAPER = 36

# A shell worker that is ready at once and waits for its end.
WORKER = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]

libc = ctypes.CDLL(None, use_errno=True)


# Exit statuses of `roost status` where a master has answered: the service is whole, isn't, or is down.
ANSWERED = (0, 1, 2)


class Log:
    """Lines that somebody writes, in the order of their coming. Each expectation goes on after the last one's line."""

    def __init__(self):
        self.lines = []
        self.position = 0
        self.changed = threading.Condition(threading.RLock())
        self.ended = False

    def read_from(self, stream):
        for line in stream:
            self.add(line.rstrip("\n"))
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def add(self, line):
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def expect(self, pattern):
        """The next line that matches."""
        # Other lines may come without end.
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                while self.position < len(self.lines):
                    match = re.search(pattern, self.lines[self.position])
                    self.position += 1
                    if match:
                        return match
                if self.ended or not self.changed.wait(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"no line matches {pattern!r} in:\n{self}")

    def expect_count(self, pattern, count):
        """Waits until so many lines match, wherever they are."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.count(pattern) >= count, PATIENCE):
                raise AssertionError(f"fewer than {count} lines match {pattern!r} in:\n{self}")

    def count(self, pattern):
        with self.changed:
            return sum(bool(re.search(pattern, line)) for line in self.lines)

    def __str__(self):
        return "\n".join(self.lines)


class Upstream:
    """Takes the place of systemd: what a service tells it is in `log`, a line for each assignment."""

    def __init__(self, folder):
        self.path = str(folder / "upstream")
        self.log = Log()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            datagram = self.socket.recv(65536)
            # systemd takes no longer ones: what they say is never heard.
            if len(datagram) > 4096:
                self.log.add(f"dropped {len(datagram)} bytes")
                continue
            for line in datagram.decode().split("\n"):
                self.log.add(line)


class Service:
    """A running `roost run`."""

    def __init__(self, arguments, launcher=(), program=ROOST, **popen):
        self.process = subprocess.Popen(
            [*launcher, program, "run", *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True, **popen
        )
        self.pid = self.process.pid
        self.log = Log()
        self.reader = threading.Thread(target=self.log.read_from, args=[self.process.stderr], daemon=True)
        self.reader.start()

    def expect(self, pattern):
        return self.log.expect(pattern)

    def address(self):
        return self.expect(r" listening on [^=]+=(\S+)$")[1]

    def serving(self):
        """Waits until the first generation is complete. Its number is higher than 1 where something is recorded."""
        self.expect(r"generation \d+ serves")
        return self

    def signal(self, number):
        os.kill(self.pid, number)

    def reload(self):
        """A reload and its verdict: the last words of its line."""
        self.signal(signal.SIGHUP)
        return self.verdict()

    def verdict(self):
        return self.expect(r" reload to generation \d+ ((succeeded|failed).*)")[1]

    def children(self):
        return children_of(self.pid)

    def saw_all_processes(self):
        """Whether the search for outsiders after the last reload saw all; None if it hasn't ended."""
        command = [ROOST, "status", "--json", "--control-directory", self.control]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE).stdout)["sawAllProcesses"]

    def all_children(self):
        return children_of(self.pid, copies=True)

    def recorded(self, generation=1, verdict=None):
        """Waits until the record has the verdict of this generation, or another one, and nothing writes it any more."""

        def is_written():
            entries = json.loads(pathlib.Path(self.control, "history.json").read_text())["history"]["entries"]
            verdicts = [entry["verdict"] for entry in entries if entry["generation"] == generation]
            assert verdicts and (verdicts[0] == verdict if verdict else verdicts[0] != "starting"), verdicts
            assert_all(name(pid) != "roost-master" for pid in self.all_children())

        eventually(is_written, (AssertionError, FileNotFoundError))

    def worker(self, slot=0):
        """The pid of the worker that started last in a slot, as the log says."""
        pids = [m[1] for line in self.log.lines if (m := re.search(rf"worker (\d+) \(slot {slot}, .*\) started", line))]
        return int(pids[-1])

    def wait(self):
        """The exit status, when the log is complete."""
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        if not self.reader.is_alive():
            self.process.stderr.close()
        return status

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()


class Load:
    """Real requests in the background."""

    def __init__(self, address, kept_alive=4, new=4, path="/"):
        options = ["--kept-alive", str(kept_alive), "--new", str(new), "--path", path]
        self.process = subprocess.Popen(
            [LOAD, *options, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr.readline() == "ready\n"

    def finish(self):
        """What came of the requests."""

        output, errors = self.process.communicate(timeout=PATIENCE)
        return json.loads(output)


class RoostTestCase(unittest.TestCase):
    """After each test nothing of it is left: no master, no worker, no zombie."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        surroundings.hide_services()

    def setUp(self):
        adopt_orphans()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.services = []
        self.addCleanup(self.end_services)

    def start(self, *arguments, command=WORKER, ready="pipe", settle="0s", **popen):
        return self.start_bare("--ready", ready, "--settle", settle, *arguments, "--", *command, **popen)

    def start_bare(self, *arguments, **popen):
        # Not the usual place: services of the same name would exclude each other.
        control = str(self.folder / f"control-{len(self.services)}")
        # As at a terminal, where nobody says otherwise: a start that goes on without end would be waited for.
        said = any(part in ("--config", "--start-attempts", "--start-limit") for part in arguments)
        service = Service(["--control-directory", control, *([] if said else ["--start-attempts", "3"]), *arguments], **popen)
        service.control = control
        self.services.append(service)
        return service

    def end_services(self):
        stuck = []
        for service in self.services:
            if service.process.poll() is None:
                service.signal(signal.SIGQUIT)
            try:
                service.wait()
            except subprocess.TimeoutExpired:
                stuck.append(service.pid)
        left = processes_left()
        # The next test is to find nothing of it, however this one went.
        ended = surroundings.end_children()
        self.assertEqual(stuck, [], "a master didn't stop")
        self.assertEqual(left, "", f"nothing is left behind; ended: {ended}")

    def script(self, text, name="server", mode=0o755):
        """An executable file in the test's folder."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def eventually(self, assertion):
        return eventually(assertion)

    def upstream(self):
        return Upstream(self.folder)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            for service in getattr(self, "services", []):
                print(f"--- log of {self.id()}\n{service.log}\n---", flush=True)


def eventually(assertion, expected=AssertionError):
    """Waits for what no line, message or exit tells: until this error doesn't come any more."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return assertion()
        except expected:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def remove_tree(path):
    """Removes a directory in which a running master may write its record meanwhile."""
    eventually(lambda: shutil.rmtree(path), expected=OSError)


def stand_still(pids, seconds):
    """Nothing of these processes runs for so long, as in a virtual machine that is moved. Returns when all have gone on, and
    waited for something again: each has looked at the clock."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: assert_all(state(pid) == "T" for pid in pids))
    time.sleep(seconds)
    before = {pid: waits(pid) for pid in pids}
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    for pid in pids:
        eventually(lambda: assert_all(count > before[pid].get(thread, -1) for thread, count in waits(pid).items()))


HOLD = """
import ctypes, os, sys
pid = int(sys.argv[1])
PTRACE_ATTACH = 16
if ctypes.CDLL(None).ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
    sys.exit(1)
os.waitpid(pid, 0)
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(pid):
    """A process hangs, as in a debugger: no signal lets it go on, and only SIGKILL ends it."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tracer:
        try:
            if tracer.stdout.readline() != "held\n":
                raise unittest.SkipTest("the kernel lets nobody trace")
            yield
        finally:
            tracer.communicate("")


def assert_all(facts):
    assert all(facts)


def waits(pid):
    """How often each thread of a process has waited for something; of none if it is gone."""
    counts = {}
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            counts[status.parent.name] = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.M)[1])
    return counts


def adopt_orphans():
    """Whatever a master leaves behind becomes this process's child, and is seen by `processes_left`."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def children_of(master, copies=False):
    """The pids of a master's children, zombies too; with or without copies of itself, as one is that writes the record."""
    pids = [int(pid) for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()]
    # One that is gone by now has no name any more.
    return [pid for pid in pids if copies or name(pid) not in ("roost-master", "")]


def name(pid):
    """What the kernel calls a process; nothing if it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def reap_writers():
    """What writes the record of a master that was killed goes on for a moment, and ends by itself."""
    deadline = time.monotonic() + 10
    for pid in pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        while name(pid) == "roost-master" and time.monotonic() < deadline:
            try:
                os.waitpid(int(pid), os.WNOHANG)
            except ChildProcessError:
                break
            time.sleep(0.005)


def processes_left():
    """The pids of this process's children, zombies too."""
    reap_writers()
    return pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().strip()


def wait_for_exit(pid):
    """Waits until a process that isn't a child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], PATIENCE)
        if not ready:
            raise AssertionError(f"process {pid} didn't end")
    finally:
        os.close(descriptor)


def state(pid):
    """The state letter of a process in /proc/PID/stat, or None if there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return None
