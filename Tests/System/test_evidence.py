"""What happened to connections that waited while a reload ran: drops and queues, made by real connections."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import sys
import time
import urllib.request

from harness import PATIENCE
from test_control import READY
from test_metrics import MetricsTestCase


class Queues(MetricsTestCase):
    """Real connections that nobody accepts: the workers of these tests only hold the listener."""

    def connect(self, address, count):
        """Connections that are begun, and not waited for."""
        host, port = address.rsplit(":", 1)
        connections = []
        for _ in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            self.assertIn(connection.connect_ex((host, int(port))), [0, 115])
            self.addCleanup(connection.close)
            connections.append(connection)
        return connections

    def during_a_reload(self, *listeners):
        """A service with a candidate that waits for a word."""
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed(*[word for listener in listeners for word in ["-l", listener]])
        addresses = [service.address() for _ in listeners]
        service.serving()
        self.release(f"read go < {fifo}; {READY}")
        service.signal(signal.SIGHUP)
        service.expect(r"generation 2\) started")
        return service, addresses, fifo

    def test_drops_and_the_peak_are_in_the_verdict_the_status_and_the_metrics(self):
        service, [address], fifo = self.during_a_reload("http=127.0.0.1:0,backlog=1")
        # The kernel lets one more than the limit wait. It drops the rest, again each time that a client tries again.
        self.connect(address, 10)
        self.eventually(lambda: self.assertGreaterEqual(self.listener(service)["dropped"], 8))
        self.assertEqual(self.listener(service)["queued"], 2)
        fifo.write_text("go\n")
        found = service.expect(r"succeeded after \d+ ms; (\d+) dropped, peak queue 2 of 1$")
        dropped = int(found[1])
        self.assertGreaterEqual(dropped, 8)
        verdict = self.verdict(service)
        self.assertEqual(
            (verdict["dropped"], verdict["peakQueue"], verdict["queueLimit"], verdict["queueListener"]), (dropped, 2, 1, "http")
        )
        self.assertIn(f"; {dropped} dropped, peak queue 2 of 1", verdict["message"])
        samples = self.samples(service)
        labels = {"listener": "http", "address": address}
        self.assertEqual(samples.value("roost_last_reload_dropped"), dropped)
        self.assertEqual(samples.value("roost_last_reload_queue_peak"), 2)
        self.assertGreaterEqual(samples.value("roost_listener_dropped_total", **labels), dropped)
        self.assertEqual(samples.value("roost_listener_queue_length", **labels), 2)
        self.assertEqual(samples.value("roost_listener_queue_limit", **labels), 1)
        text = self.roost(service, "status").stdout
        self.assertRegex(text, rf"\nLISTENER .* DROPPED\nhttp +{address} +2 +2 +1 +[1-9]\d*\n$")

    def listener(self, service, index=0):
        return json.loads(self.roost(service, "status", "--json").stdout)["listeners"][index]

    def test_what_was_dropped_before_the_reload_is_not_its_own(self):
        service = self.deployed("-l", "http=127.0.0.1:0,backlog=1")
        address = service.address()
        service.serving()
        connections = self.connect(address, 6)
        self.eventually(lambda: self.assertGreaterEqual(self.listener(service)["dropped"], 4))
        # Who was dropped tries again after a second: gone, it can't.
        for connection in connections:
            connection.close()
        self.assertRegex(service.reload(), r"succeeded after \d+ ms; 0 dropped, peak queue 2 of 1$")

    def test_a_peak_that_is_gone_by_the_end_of_the_reload_was_seen(self):
        service, [path], fifo = self.during_a_reload(f"http=unix:{self.folder}/web.sock")
        connections = [socket.socket(socket.AF_UNIX) for _ in range(37)]
        for connection in connections:
            self.addCleanup(connection.close)
            connection.connect(str(self.folder / "web.sock"))
        # Between two notices: it is the timer that sees them.
        self.eventually(
            lambda: self.assertEqual(self.samples(service).value("roost_listener_queue_length", listener="http", address=path), 37)
        )
        fifo.write_text("go\n")
        # Of a unix socket nobody counts drops: there are none, connect(2) waits or fails.
        self.assertRegex(service.verdict(), r"succeeded after \d+ ms; peak queue 37 of 4096$")
        verdict = self.verdict(service)
        self.assertEqual((verdict["dropped"], verdict["peakQueue"], verdict["queueLimit"]), (None, 37, 4096))

    def test_the_timer_alone_sees_what_comes_and_goes_between_two_events(self):
        server = "import os, socket, sys, time\ns = socket.socket(fileno=3)\nos.write(int(os.environ['READY_FD']), b'\\n')\n"
        accepting = self.script(
            f"#!{sys.executable}\n{server}while True:\n  open('{self.folder}/accept').read()\n  for _ in range(5): s.accept()\n",
            "accepting",
        )
        os.mkfifo(self.folder / "accept")
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        self.release(f"exec {accepting}")
        service = self.start("--name", "web", "-l", "http=127.0.0.1:0", command=[str(self.folder / "server")])
        address = service.address()
        service.serving()
        self.release(f"read go < {fifo}; {READY}")
        service.signal(signal.SIGHUP)
        service.expect(r"generation 2\) started")
        self.connect(address, 5)
        # Longer than some intervals of the timer; nothing else happens that would have the queue looked at.
        time.sleep(0.3)
        (self.folder / "accept").write_text("go\n")
        host, port = address.rsplit(":", 1)
        self.eventually(lambda: self.assertEqual(self.queued(int(port)), 0))
        fifo.write_text("go\n")
        self.assertRegex(service.verdict(), r"0 dropped, peak queue 5 of 4096$")

    def queued(self, port):
        """What /proc says, which doesn't have the master look."""
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                return int(fields[4].split(":")[1], 16)
        return None

    def test_of_several_listeners_the_fullest_is_named_and_drops_add_up(self):
        service, addresses, fifo = self.during_a_reload(
            "large=127.0.0.1:0,backlog=1000", "small=127.0.0.1:0,backlog=2", "tiny=127.0.0.1:0,backlog=1"
        )
        self.connect(addresses[0], 20)
        self.connect(addresses[1], 2)
        self.connect(addresses[2], 4)
        self.eventually(lambda: self.assertGreaterEqual(self.listener(service, 2)["dropped"], 2))
        self.connect(addresses[1], 3)
        self.eventually(lambda: self.assertGreaterEqual(self.listener(service, 1)["dropped"], 2))
        fifo.write_text("go\n")
        dropped = int(service.expect(r"succeeded after \d+ ms; (\d+) dropped, peak queue 2 of 1 \(tiny\)$")[1])
        self.assertGreaterEqual(dropped, 4)

    def test_a_failed_reload_carries_it_in_log_answer_and_systemd_status(self):
        upstream = self.upstream()
        service = self.deployed("-l", "http=127.0.0.1:0,backlog=1", env=dict(os.environ, NOTIFY_SOCKET=upstream.path))
        address = service.address()
        service.serving()
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        self.release(f"read go < {fifo}; exit 3")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.roost, service, "reload")
            service.expect(r"generation 2\) started")
            self.connect(address, 5)
            self.eventually(lambda: self.assertGreaterEqual(self.listener(service)["dropped"], 3))
            fifo.write_text("go\n")
            found = service.expect(r"failed .* exited with status 3 .*; generation 1 keeps serving; (\d+) dropped, peak queue 2 of 1$")
            self.assertEqual(answer.result().returncode, 1)
            self.assertIn(f"generation 1 keeps serving; {found[1]} dropped, peak queue 2 of 1", answer.result().stderr)
        upstream.log.expect(rf"^STATUS=.*reload to generation 2 failed: .*; {found[1]} dropped, peak queue 2 of 1$")
        # The next reload takes it away.
        self.release(READY)
        self.assertIn("succeeded", service.reload())


def switches(pid):
    """How often a process has gone to sleep."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line]


class Idle(MetricsTestCase):
    def test_after_a_reload_and_a_scrape_the_master_has_nothing_to_wake_up_for(self):
        service = self.deployed("-l", "http=127.0.0.1:0", "--metrics", "127.0.0.1:0").serving()
        for text in [READY, "exit 1"]:
            self.release(text)
            service.reload()
        with urllib.request.urlopen(f"http://{service.metrics}/metrics", timeout=PATIENCE) as answer:
            answer.read()
        self.eventually(lambda: self.assertEqual(self.settled(service), []))
        # A while after the last reload it is looked for processes outside of the service.
        self.eventually(lambda: self.assertIsNotNone(service.saw_all_processes()))
        self.eventually(lambda: self.assertEqual(len(service.children()), 1))
        service.recorded(3)
        # It may still be on its way to sleep after the last of it.
        self.eventually(lambda: self.assertEqual(*self.in_one_second(lambda: switches(service.pid))))

    def in_one_second(self, count):
        before = count()
        time.sleep(1)
        return before, count()

    def settled(self, service):
        return [line for line in pathlib.Path("/proc/net/tcp").read_text().splitlines() if self.is_open(line, service)]

    def is_open(self, line, service):
        port = f"{int(service.metrics.rsplit(':', 1)[1]):04X}"
        fields = line.split()
        return fields[1].endswith(":" + port) and fields[3] in ["01", "08"]
