"""Retirees that go on to accept, and what the others wait for."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

from harness import PATIENCE, ROOST, ROOT, RoostTestCase

# Keeps each connection open until the client closes it, and says its name to each. What it does when it is told to stop is the
# test's.
SERVER = f"""#!{sys.executable}
import os, select, signal, socket, sys, threading, time

listener = socket.socket(fileno=3)
clients = []

def greet():
    client, _ = listener.accept()
    client.sendall(b"NAME\\n")
    clients.append(client)

def ready():
    os.write(int(os.environ["READY_FD"]), b"\\n")

def until_closed():
    while clients:
        for client in select.select(clients, [], [])[0]:
            if not client.recv(1000):
                clients.remove(client)
                client.close()

def serve():
    # Ends when it is told to by `stopped`.
    while not stopped:
        for one in select.select([listener, *clients], [], [], 0.05)[0]:
            if one is listener:
                greet()
            elif not one.recv(1000):
                clients.remove(one)
                one.close()

def serve_one_after_the_other():
    while True:
        client, _ = listener.accept()
        client.sendall(b"NAME\\n")
        while client.recv(1000): pass
        client.close()

stopped = []
def heed():
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

def ignore():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

"""
IGNORES = "ignore(); ready(); serve()"
DRAINS = "heed(); ready(); serve(); listener.close(); until_closed()"
KEEPS_LISTENER = "heed(); ready(); serve(); until_closed()"
# It closes the listener, which the epoll set goes on to watch since the master and the other workers have it open.
EPOLL = """
heed()
watch = select.epoll()
watch.register(listener, select.EPOLLIN)
ready()
while not stopped:
    if watch.poll(0.05): greet()
listener.close()
until_closed()
"""
ONE_AFTER_THE_OTHER = "ignore(); ready(); serve_one_after_the_other()"
LEAVES_CHILD = """
if os.fork() == 0:
    ignore()
    serve()
ready()
signal.pause()
"""


class Retirees(RoostTestCase):
    def release(self, text, name="old"):
        self.script(SERVER.replace("NAME", name) + text)

    def serve(self, text, *arguments, address="127.0.0.1:0", **popen):
        self.release(text)
        service = self.start("-l", f"web={address}", *arguments, command=[str(self.folder / "server")], **popen)
        self.address = service.address()
        return service.serving()

    @contextlib.contextmanager
    def connected(self, expected="old"):
        with self.connection() as client:
            self.assertEqual(client.makefile().readline(), f"{expected}\n")
            yield client

    def connection(self):
        if self.address.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.address.removeprefix("unix:"))
            return client
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE)

    def replace(self, service):
        """Returns the pid of the worker that retires."""
        old = service.worker()
        self.release("heed(); ready(); serve()", "new")
        self.assertIn("succeeded", service.reload())
        return old

    def roost(self, command, service, *arguments):
        return subprocess.run(
            [ROOST, command, "--control-directory", service.control, *arguments], capture_output=True, text=True, check=True
        ).stdout

    def status(self, service):
        return json.loads(self.roost("status", service, "--json"))

    def retiree(self, service):
        return next(worker for worker in self.status(service)["workers"] if worker["role"] == "retiree")

    def looked_at(self, service, holds=lambda retiree: True):
        """The retiree in the status, when it was looked at."""

        def seen():
            retiree = self.retiree(service)
            self.assertIsNotNone(retiree["looked"])
            self.assertTrue(holds(retiree), retiree)
            return retiree

        return self.eventually(seen)

    def gauge(self, service):
        return re.search(r"^roost_retirees_accepting\{.*\} (\d+)$", self.roost("metrics", service), re.M)[1]

    def assert_nothing_told(self, service):
        self.assertEqual(service.log.count("still accepts"), 0, service.log)
        self.assertEqual(self.gauge(service), "0")

    def end(self, service, pid):
        os.kill(pid, signal.SIGKILL)
        service.expect(rf"worker {pid} \(.*\) was killed by SIGKILL while it drained")

    def test_one_that_ignores_the_stop_signal_is_told_once_with_its_connections(self):
        service = self.serve(IGNORES, "--drain-timeout", "10m")
        with self.connected() as one, self.connected() as other:
            peers = {"{}:{}".format(*client.getsockname()) for client in (one, other)}
            old = self.replace(service)
            told = service.expect(
                rf"warning worker {old} \(slot 0, generation 1\) was sent SIGTERM 1s ago and still accepts connections; it has "
                r"2 open connections \(from ([0-9.:]+), ([0-9.:]+)\) and may continue until its drain timeout ends in 9m59s$"
            )
            self.assertEqual({told[1], told[2]}, peers)
            retiree = self.looked_at(service)
            self.assertEqual((retiree["pid"], retiree["accepts"], retiree["connections"], set(retiree["peers"])), (old, True, 2, peers))
            self.assertRegex(
                self.roost("status", service),
                rf"worker {old} \(slot 0, generation 1\) was told to stop and still accepts connections; it has 2 open connections "
                r"\(from 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+\), as seen \d+s ago",
            )
            self.assertEqual(self.gauge(service), "1")
            current = next(worker for worker in self.status(service)["workers"] if worker["role"] == "current")
            self.assertEqual([current[name] for name in ("accepts", "connections", "peers", "looked")], [None, None, [], None])
        # The next look sees that they are gone, and tells it no more.
        self.looked_at(service, lambda retiree: retiree["connections"] == 0)
        self.assertTrue(self.retiree(service)["accepts"])
        self.end(service, old)
        self.assertEqual(service.log.count("still accepts"), 1)
        self.assertEqual(self.gauge(service), "0")

    def test_more_peers_than_five_are_counted(self):
        service = self.serve(IGNORES)
        with contextlib.ExitStack() as open_ones:
            for _ in range(7):
                open_ones.enter_context(self.connected())
            old = self.replace(service)
            service.expect(r"it has 7 open connections \(from ([0-9.:]+, ){4}[0-9.:]+ and 2 more\) and may continue")
            self.assertEqual(len(self.looked_at(service)["peers"]), 5)
            self.end(service, old)

    def test_one_that_drains_is_not_told_and_what_it_waits_for_is_shown(self):
        service = self.serve(DRAINS)
        with self.connected() as client:
            old = self.replace(service)
            retiree = self.looked_at(service)
            self.assertEqual((retiree["accepts"], retiree["connections"]), (False, 1))
            self.assertEqual(retiree["peers"], ["{}:{}".format(*client.getsockname())])
            self.assertRegex(
                self.roost("status", service),
                rf"worker {old} \(slot 0, generation 1\) waits for 1 open connection \(from 127\.0\.0\.1:\d+\), as seen",
            )
            self.assert_nothing_told(service)
        service.expect(rf"worker {old} \(.*\) drained and exited with status 0")

    def test_one_that_keeps_the_listener_and_accepts_no_more_is_not_told(self):
        service = self.serve(KEEPS_LISTENER)
        with self.connected():
            self.replace(service)
            retiree = self.looked_at(service)
            # It has it open: whether it will accept is more than anybody can see.
            self.assertEqual((retiree["accepts"], retiree["connections"]), (None, 1))
            self.assert_nothing_told(service)

    def test_nor_one_whose_epoll_set_still_watches_what_it_has_closed(self):
        service = self.serve(EPOLL)
        with self.connected():
            self.replace(service)
            self.assertEqual(self.looked_at(service)["accepts"], False)
            self.assert_nothing_told(service)

    def test_one_that_is_stopped_accepts_nothing(self):
        service = self.serve(IGNORES)
        old = self.replace(service)
        os.kill(old, signal.SIGSTOP)
        self.assertIsNone(self.looked_at(service)["accepts"])
        self.assert_nothing_told(service)
        self.end(service, old)

    def test_one_that_drains_at_once_is_never_looked_at(self):
        service = self.serve("heed(); ready(); serve()", "--settle", "0s")
        old = self.replace(service)
        service.expect(rf"worker {old} \(.*\) drained and exited")
        self.assert_nothing_told(service)
        self.assertEqual([worker["role"] for worker in self.status(service)["workers"]], ["current"])

    def test_one_that_serves_in_the_thread_that_accepts_is_seen_by_its_connections(self):
        service = self.serve(ONE_AFTER_THE_OTHER)
        with self.connected():
            old = self.replace(service)
            retiree = self.looked_at(service)
            self.assertEqual((retiree["accepts"], retiree["connections"]), (None, 1))
        # Of several, since those that the new worker accepts are no sign.
        with contextlib.ExitStack() as open_ones:

            def accepted():
                client = open_ones.enter_context(self.connection())
                self.assertEqual(client.makefile().readline(), "old\n")

            self.eventually(accepted)
            service.expect(rf"worker {old} \(.*\) was sent SIGTERM \ds ago and still accepts connections; it has 1 open connection")
            self.end(service, old)

    def test_of_unix_sockets_the_connections_are_counted(self):
        service = self.serve(IGNORES, address=f"unix:{self.folder}/web.socket")
        with self.connected(), self.connected():
            old = self.replace(service)
            service.expect(r"still accepts connections; it has 2 open connections and may continue until")
            retiree = self.looked_at(service)
            self.assertEqual((retiree["connections"], retiree["peers"]), (2, []))
            self.end(service, old)

    def test_clients_of_ipv4_at_a_listener_of_ipv6_are_told_as_such(self):
        service = self.serve(IGNORES, address="*:0")
        self.address = "127.0.0.1:" + self.address.rsplit(":", 1)[1]
        with self.connected() as client:
            old = self.replace(service)
            service.expect(r"it has 1 open connection \(from {}:{}\) and".format(*client.getsockname()))
            self.end(service, old)

    def test_connections_that_it_has_made_itself_do_not_count(self):
        with socket.create_server(("127.0.0.1", 0)) as backend:
            # From the listener's port, at another address of this machine.
            here = '("127.0.0.2", listener.getsockname()[1])'
            self.release(f"upstream = socket.create_connection({backend.getsockname()}, source_address={here}); " + IGNORES)
            service = self.start("-l", "web=127.0.0.1:0", command=[str(self.folder / "server")])
            service.serving()
            old = self.replace(service)
            service.expect(r"still accepts connections; it has no open connection and may continue")
            self.end(service, old)

    def test_what_it_has_left_behind_is_told_too(self):
        service = self.serve(LEAVES_CHILD)
        with self.connected():
            old = self.replace(service)
            service.expect(rf"worker {old} \(slot 0, generation 1\) left process \d+ \(server\) behind, which was sent SIGTERM")
            service.expect(
                rf"what worker {old} \(slot 0, generation 1\) has left behind was sent SIGTERM \ds ago and still accepts connections; "
                r"it has 1 open connection"
            )
            self.assertEqual(self.retiree(service)["state"], "remains")
            os.killpg(old, signal.SIGKILL)

    def test_a_reload_that_waits_for_retirees_says_how_many_went_on_and_shows_it_as_it_happens(self):
        service = self.serve(IGNORES, "-n", "2")
        old = [service.worker(slot) for slot in range(2)]
        self.release("heed(); ready(); serve()", "new")
        reload = subprocess.Popen([ROOST, "reload", "--drained", "--control-directory", service.control], stdout=subprocess.PIPE, text=True)
        self.addCleanup(reload.communicate)
        service.log.expect_count("still accepts connections", 2)
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        output = reload.communicate(timeout=PATIENCE)[0]
        self.assertEqual(reload.returncode, 0)
        self.assertEqual(len(re.findall(r"^worker \d+ .* still accepts connections", output, re.M)), 2, output)
        # The next reload's retirees are others.
        self.assertNotIn("old workers", self.verdict(service)["message"])

    def verdict(self, service):
        """Of a reload that waits for the retirees."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(f"{service.control}/control")
            client.sendall(b'{"method":"roost.Control.Reload","parameters":{"drained":true}}\0')
            reply = b""
            while not reply.endswith(b"\0"):
                reply += client.recv(65536)
            return json.loads(reply[:-1])["parameters"]["verdict"]

    def test_the_verdict_counts_them(self):
        service = self.serve(IGNORES)
        old = service.worker()
        self.release("heed(); ready(); serve()", "new")

        def end_when_told():
            service.log.expect_count("still accepts connections", 1)
            os.kill(old, signal.SIGKILL)

        thread = threading.Thread(target=end_when_told)
        thread.start()
        self.addCleanup(thread.join)
        message = self.verdict(service)["message"]
        self.assertRegex(message, r"^reload to generation 2 succeeded .*; 1 old worker still accepted connections after its stop signal$")

    def test_an_upgraded_master_looks_anew_and_does_not_tell_it_again(self):
        service = self.serve(IGNORES)
        with self.connected():
            old = self.replace(service)
            service.expect("still accepts connections")
            service.signal(signal.SIGUSR2)
            service.expect("upgraded the master")
            self.assertEqual(self.looked_at(service)["connections"], 1)
            self.assertEqual(self.gauge(service), "1")
            self.assertEqual(service.log.count("still accepts"), 1)
            self.end(service, old)

    def test_on_a_stop_it_is_told_as_well(self):
        service = self.serve(IGNORES)
        old = service.worker()
        with self.connected():
            service.signal(signal.SIGTERM)
            service.expect(rf"worker {old} \(.*\) was sent SIGTERM 1s ago and still accepts connections; it has 1 open connection \(from")
            os.kill(old, signal.SIGKILL)
            self.assertEqual(service.wait(), 0)
            self.assertEqual(service.log.count("left behind by"), 0, service.log)

    def test_one_at_which_nobody_can_look_holds_neither_the_master_nor_looks_at_others(self):
        held = ROOT / "Tests/System/servers/held_memory.py"
        self.release(IGNORES)
        line = f"trap '' TERM; test $ROOST_SLOT = 0 || exec {self.folder}/server; echo >&$READY_FD; exec {sys.executable} {held}"
        service = self.start("-n", "2", "-l", "web=127.0.0.1:0", command=["sh", "-c", line])
        found = service.expect("memory is held|cannot: (.*)")
        if found[1]:
            self.skipTest(f"userfaultfd(2): {found[1]}")
        service.log.expect_count("generation 1 serves", 1)
        stuck, other = service.worker(0), service.worker(1)
        self.assertIn("succeeded", service.reload())
        service.expect(rf"info checking what worker {stuck} \(.*\) still does takes longer than 10s: whether it accepts")
        service.expect(rf"worker {other} \(.*\) was sent SIGTERM \d+s ago and still accepts connections")
        retirees = {worker["pid"]: worker for worker in self.status(service)["workers"] if worker["role"] == "retiree"}
        self.assertEqual((retirees[stuck]["accepts"], retirees[stuck]["connections"]), (None, None))
        service.signal(signal.SIGQUIT)
        self.assertEqual(service.wait(), 0)
        self.assertEqual(service.log.count("left behind"), 0, service.log)

    def serve_as_nobody(self, **popen):
        # This process's Python may be nobody else's.
        self.folder.chmod(0o755)
        subprocess.run(["cc", "-o", self.folder / "acceptor", ROOT / "Tests/System/servers/acceptor.c", "-lpthread"], check=True)
        self.script(f"#!/bin/sh\ntrap '' TERM\necho >&$READY_FD\nexec {self.folder}/acceptor poll\n")
        service = self.start("-l", "web=127.0.0.1:0", "--user", "nobody", command=[str(self.folder / "server")], **popen).serving()
        old = service.worker()
        self.assertIn("succeeded", service.reload())
        return service, old

    @unittest.skipUnless(os.geteuid() == 0, "LOUD: needs root")
    def test_one_of_another_user_is_seen_by_root(self):
        service, old = self.serve_as_nobody()
        service.expect(rf"worker {old} \(.*\) was sent SIGTERM 1s ago and still accepts connections; it has no open connection and")
        service.signal(signal.SIGQUIT)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "LOUD: takes a capability away")
    def test_of_one_that_may_not_be_looked_at_nothing_is_claimed(self):
        capability = "-sys_ptrace"
        service, old = self.serve_as_nobody(launcher=["setpriv", f"--bounding-set={capability}", f"--inh-caps={capability}", "--"])
        retiree = self.looked_at(service)
        self.assertEqual((retiree["accepts"], retiree["connections"], retiree["peers"]), (None, None, []))
        self.assert_nothing_told(service)
        self.assertNotIn(f"worker {old} (slot", self.roost("status", service))
        service.signal(signal.SIGQUIT)


if __name__ == "__main__":
    unittest.main()
