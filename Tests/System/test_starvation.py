"""Whoever never stops sending, the master goes on: each source is read a bounded amount a turn, and one that floods comes last."""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest

from harness import PATIENCE, ROOST
from test_control import ControlTestCase

# A worker that writes as fast as it can to what its environment names, and never a line.
NO_LINE = """
import os
while True:
    os.write(int(os.environ["READY_FD"]), b"x" * 65536)
"""

# As much as fits at a time, again and again; between its messages the queue is empty for moments.
MESSAGES = """
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
while True: s.send(b"EXTEND_TIMEOUT_USEC=1")
"""

# Acknowledgements of nobody, on its own socket and on many connections to everybody's.
ACKNOWLEDGEMENTS = """
import os, select, socket
own = socket.socket(fileno=int(os.environ["EINHORN_SOCK_FD"]))
all = [own]
for _ in range(30):
    one = socket.socket(socket.AF_UNIX)
    one.connect(os.environ["EINHORN_SOCK_PATH"])
    all.append(one)
for one in all: one.setblocking(False)
text = b'{"command":"worker:ack","pid":1}\\n' * 1000
print("flooding", file=os.sys.stderr, flush=True)
while True:
    for one in select.select([], all, [])[1]:
        try: one.send(text)
        except BlockingIOError: pass
        except (BrokenPipeError, ConnectionResetError): all.remove(one)
"""


class StarvationTestCase(ControlTestCase):
    def flooding(self, script, *arguments, ready, **options):
        return self.start(*arguments, ready=ready, command=[sys.executable, "-c", script], **options)

    def latency(self, service, count=15):
        """The slowest but one of some calls for the status, in seconds: one may have bad luck on a machine that is busy."""
        times = []
        for _ in range(count):
            began = time.monotonic()
            with contextlib.closing(self.client(service)) as client:
                self.assertIn("service", client.call("roost.Control.Status")["parameters"])
            times.append(time.monotonic() - began)
        return sorted(times)[-2]

    def assert_answers_at_once(self, service):
        # Idle it is a few milliseconds. Four floods share the processors with the master.
        self.assertLess(self.latency(service), 0.25)

    def assert_nothing_stood_still(self, service):
        self.assertEqual(service.log.count("nothing ran|stood still"), 0)


class Workers(StarvationTestCase):
    def test_a_readiness_pipe_without_a_line_keeps_nobody_waiting_and_no_deadline(self):
        service = self.flooding(NO_LINE, "-n", "4", "--ready-timeout", "3s", "--start-attempts", "1", ready="pipe")
        service.log.expect_count("started", 4)
        self.assert_answers_at_once(service)
        began = time.monotonic()
        service.expect("was not ready within 3s")
        self.assertLess(time.monotonic() - began, 4)
        service.expect("start failed")
        self.assert_nothing_stood_still(service)

    def test_a_release_that_floods_its_readiness_pipe_fails_in_its_time(self):
        service = self.deployed("--ready-timeout", "2s", "-n", "2")
        self.release(f"exec {sys.executable} -c '{NO_LINE}'")
        result = self.roost(service, "reload", "-q")
        self.assertEqual(result.returncode, 1)
        duration = int(re.search(r"failed after (\d+) ms: .* was not ready within 2s", result.stderr)[1])
        self.assertLess(duration, 3000)
        self.assert_nothing_stood_still(service)

    def test_what_is_no_line_is_told_once_and_read_no_more(self):
        service = self.flooding(NO_LINE, "--ready-timeout", "60s", ready="pipe")
        service.expect(
            r"worker \d+ \(slot 0, generation 1\) has written 65536 bytes to its readiness pipe without a line: nothing more is read of it"
        )
        before = cpu(service.pid)
        time.sleep(1)
        self.assertLess(cpu(service.pid) - before, 10)
        self.assertEqual(service.log.count("readiness pipe"), 1)

    def test_a_line_of_any_length_that_fits_means_ready(self):
        script = "import os, signal\nos.write(int(os.environ['READY_FD']), b'x' * 60000 + b'\\n')\nsignal.pause()"
        self.flooding(script, ready="pipe").serving()

    def test_messages_without_end_keep_nobody_waiting_and_no_deadline(self):
        service = self.flooding(MESSAGES, "-n", "4", "--ready-timeout", "3s", "--start-attempts", "1", ready="notify")
        service.log.expect_count("started", 4)
        self.assert_answers_at_once(service)
        service.expect("was not ready within 3s")
        service.expect("start failed")
        self.assert_nothing_stood_still(service)

    def test_acknowledgements_without_end_keep_nobody_waiting_and_no_deadline(self):
        service = self.flooding(
            ACKNOWLEDGEMENTS,
            "-l",
            "127.0.0.1:0",
            "-n",
            "2",
            "--ready-timeout",
            "5s",
            "--start-attempts",
            "1",
            "--compatibility",
            "einhorn",
            ready="notify",
        )
        service.log.expect_count("^flooding$", 2)
        self.assert_answers_at_once(service)
        service.expect("was not ready within 5s")
        service.expect("start failed")
        self.assert_nothing_stood_still(service)

    def test_what_a_worker_wrote_last_is_told_whatever_the_length_of_its_pipe(self):
        # F_SETPIPE_SZ
        script = "import fcntl, os\nfcntl.fcntl(2, 1031, 1 << 20)\nos.write(2, b'x\\n' * 400000 + b'the reason\\n')\nos._exit(3)\n"
        service = self.deployed()
        self.release(f'exec {sys.executable} -c "{script}"')
        result = self.roost(service, "reload", "-q")
        self.assertEqual(result.stderr.splitlines()[-1], "  | the reason")


class Others(StarvationTestCase):
    @contextlib.contextmanager
    def processes(self, script, count, *arguments):
        running = [
            subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        try:
            for process in running:
                self.assertEqual(process.stdout.readline(), "begun\n")
            yield
        finally:
            for process in running:
                process.kill()
                process.communicate()

    def test_calls_without_end_keep_nobody_waiting(self):
        service = self.deployed("-n", "4")
        script = (
            "import socket, sys\n"
            "import threading\n"
            "def read(s):\n"
            "    while s.recv(1 << 20): pass\n"
            "for i in range(4):\n"
            "    s = socket.socket(socket.AF_UNIX)\n"
            "    s.connect(sys.argv[1])\n"
            "    threading.Thread(target=read, args=[s], daemon=True).start()\n"
            '    threading.Thread(target=lambda s=s: [s.sendall(b\'{"method":"roost.Control.Status"}\\0\' * 400) for _ in '
            "iter(int, 1)], daemon=True).start()\n"
            "print('begun', flush=True)\n"
            "threading.Event().wait()\n"
        )
        with self.processes(script, 1, service.control + "/control"):
            self.assert_answers_at_once(service)
            # What comes last of all comes in its turn, too.
            began = time.monotonic()
            service.signal(signal.SIGUSR2)
            service.expect("upgraded the master")
            self.assertLess(time.monotonic() - began, 10)
            self.assertIn("succeeded", service.reload())

    def test_signals_without_end_keep_nobody_waiting_and_no_other_signal(self):
        service = self.deployed()
        # Lower than TERM, and of those that wait the kernel gives out the lowest first (signal(7)).
        script = (
            "import os, signal, sys\n"
            "pid = int(sys.argv[1])\n"
            "os.kill(pid, signal.SIGUSR1)\n"
            "print('begun', flush=True)\n"
            "try:\n"
            "    while True: os.kill(pid, signal.SIGUSR1)\n"
            "except ProcessLookupError: pass\n"
        )
        with self.processes(script, 2, service.pid):
            self.assert_answers_at_once(service)
            self.assertIn("succeeded", service.reload())
            began = time.monotonic()
            self.assertEqual(service.stop(), 0)
            self.assertLess(time.monotonic() - began, 10)


def cpu(pid):
    """What a process has used of the processor, in hundredths of a second."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Acceptors(StarvationTestCase):
    """Whoever knocks goes on knocking, also where the master has no descriptor left."""

    def acceptors(self, service):
        yield "a client of the control socket", service.control + "/control"
        yield "a client of the metrics", str(self.folder / "metrics.sock")
        yield "a client of einhorn's", service.control + "/einhorn.sock"

    def complete(self, *arguments):
        return self.deployed("--metrics", f"unix:{self.folder}/metrics.sock", "-l", "127.0.0.1:0", "--compatibility", "einhorn", *arguments)

    def test_without_descriptors_nobody_spins_and_all_recovers(self):
        service = self.complete()
        # Whoever writes that would need a descriptor, too, and say that there is none.
        service.recorded()
        usual = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        for name, path in self.acceptors(service):
            with self.subTest(name), contextlib.ExitStack() as connections:
                connections.callback(resource.prlimit, service.pid, resource.RLIMIT_NOFILE, usual)
                resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
                client = connections.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(PATIENCE)
                client.connect(path)
                service.expect(f"cannot accept {name} for now: Too many open files")
                lines = len(service.log.lines)
                before = cpu(service.pid)
                time.sleep(3)
                self.assertLess(cpu(service.pid) - before, 10)
                self.assertEqual(len(service.log.lines), lines)
                resource.prlimit(service.pid, resource.RLIMIT_NOFILE, usual)
                service.expect(f"can accept {name} again")
                self.assert_answers_at_once(service)
                if "metrics" in name:
                    client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    self.assertIn(b" 200 ", client.recv(1000))
                elif "control" in name:
                    client.sendall(b'{"method":"org.varlink.service.GetInfo"}\0')
                    self.assertIn(b"product", client.recv(1000))
        self.assertIn("succeeded", service.reload())

    def test_without_descriptors_an_operator_still_gets_in(self):
        service = self.start().serving()
        service.recorded()
        numbers = [int(number) for number in os.listdir(f"/proc/{service.pid}/fd")]
        usual = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (max(numbers) + 1, usual[1]))

        def roost(command):
            return subprocess.run(
                [ROOST, command, "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE
            )

        with contextlib.ExitStack() as clients:
            # Each takes a number that is free, and waits for something.
            for _ in range(max(numbers) + 1 - len(numbers)):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(f"{service.control}/control")
                client.sendall(b'{"method":"roost.Control.Subscribe","more":true}\0')
            for _ in range(2):
                self.assertEqual(roost("status").returncode, 0)
            reload = roost("reload")
            self.assertEqual(reload.returncode, 1)
            self.assertIn("Too many open files", reload.stderr)
        self.assertEqual(roost("stop").returncode, 0)
        self.assertEqual(service.wait(), 0)

    def test_ten_thousand_who_come_and_go_leave_no_line(self):
        service = self.complete()
        lines = len(service.log.lines)
        for name, path in self.acceptors(service):
            with self.subTest(name):
                for _ in range(10_000):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(path)
                self.assert_answers_at_once(service)
        self.assertEqual(service.log.lines[lines:], [])


if __name__ == "__main__":
    unittest.main()
