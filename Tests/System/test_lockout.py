"""Nobody is locked out of the control socket, whoever holds it and however."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

from harness import ANSWERED, PATIENCE, ROOST
from surroundings import needs_open_files
from test_control import READY, ControlTestCase

# Many clients of one kind, until stdin ends. Says "begun" when the master has taken what they have sent.
CROWD = r"""
import json, socket, sys, time
path, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
call = lambda method, more=False, **parameters: json.dumps({"method": method, "parameters": parameters, "more": more}).encode() + b"\0"
subscribe = call("roost.Control.Subscribe", more=True)
clients = []
for _ in range(count):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    clients.append(client)
    try:
        if kind == "half": client.sendall(b'{"method":"roost.Control.Sta')
        if kind == "status": client.sendall(call("roost.Control.Status"))
        if kind == "unread":
            client.setblocking(False)
            try:
                while True: client.send(call("org.varlink.service.GetInterfaceDescription", interface="roost.Control") * 100)
            except BlockingIOError: pass
        if kind == "deaf":
            client.sendall(subscribe)
        if kind == "listening":
            client.sendall(subscribe)
            client.recv(1000)
        if kind == "reload": client.sendall(call("roost.Control.Reload"))
        if kind == "drained": client.sendall(call("roost.Control.Reload", drained=True))
        if kind == "stop": client.sendall(call("roost.Control.Stop"))
    except (BrokenPipeError, ConnectionResetError):
        pass
print("begun", flush=True)
for line in sys.stdin:
    # How many have been told so much.
    told = {}
    for client in clients:
        client.setblocking(False)
        text = b""
        try:
            while part := client.recv(65536): text += part
            text = text.rsplit(b"\0", 2)[-2] if b"\0" in text else b"end"
        except BlockingIOError: text = b"open"
        except ConnectionError: text = b"reset"
        known = next((word for word, part in [("busy", b"Busy"), ("denied", b"PermissionDenied")] if part in text), "end")
        word = text.decode() if text in (b"open", b"reset") else known
        told[word] = told.get(word, 0) + 1
    print(json.dumps(told), flush=True)
"""

ROOT = []
# A member of the group that is permitted, another one, and somebody who isn't.
MEMBER = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=60"]
OTHER_MEMBER = ["setpriv", "--reuid=65533", "--regid=65533", "--groups=60"]
STRANGER = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]


@unittest.skipUnless(os.geteuid() == 0, "LOUD: only root can be somebody else")
class LockoutTestCase(ControlTestCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.service = self.deployed("--control-group", "games", "--drain-timeout", "1h")

    @contextlib.contextmanager
    def crowd(self, kind, user, count=100, service=None):
        process = subprocess.Popen(
            [*user, sys.executable, "-c", CROWD, (service or self.service).control + "/control", kind, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.assertEqual(process.stdout.readline(), "begun\n")
            yield process
        finally:
            process.communicate()

    def told(self, crowd):
        crowd.stdin.write("\n")
        crowd.stdin.flush()
        return json.loads(crowd.stdout.readline())

    def command(self, *arguments, user=ROOT):
        result = subprocess.run(
            [*user, ROOST, *arguments, "--control-directory", self.service.control], capture_output=True, text=True, timeout=PATIENCE
        )
        # A service that stops serves nobody any more.
        self.assertIn(result.returncode, ANSWERED if arguments[0] == "status" else (0,), arguments)
        self.assertEqual(result.stderr, "", arguments)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.service.pid}/fd"))

    def hang(self):
        """Generation 1 takes an hour to drain, and the next one never gets ready."""
        self.release("exec sleep 1000")

    def proceed(self):
        """Ends a reload that hangs, and the next one is good."""
        self.release(READY)
        generation = max(map(int, re.findall(r"reload to generation (\d+) began", str(self.service.log))))
        self.service.log.expect_count(rf"\(slot 0, generation {generation}\) started", 1)
        os.kill(self.service.worker(), 9)
        self.service.log.expect_count(f"reload to generation {generation} failed", 1)


class Crowds(LockoutTestCase):
    def test_who_waits_for_nothing_keeps_nobody_out(self):
        for kind in ["idle", "half", "status", "unread", "deaf", "listening"]:
            for user in [ROOT, MEMBER]:
                with self.subTest(kind, user=user), self.crowd(kind, user):
                    for who in [ROOT, MEMBER, OTHER_MEMBER]:
                        self.command("status", user=who)
                        self.command("reload", "-q", user=who)
                    self.assertLess(self.descriptors(), 150)
        self.command("stop", "-q")

    def test_who_has_to_go_is_told(self):
        with self.crowd("idle", MEMBER) as crowd:
            self.command("status")
            told = self.told(crowd)
            self.assertEqual(sum(told.values()), 100)
            self.assertGreaterEqual(told["busy"], 36)
            self.assertNotIn("reset", told)

    def test_what_came_with_a_crowd_is_taken_in_its_turn(self):
        with self.crowd("idle", MEMBER, 50), self.crowd("idle", OTHER_MEMBER, 14) as few:
            # Those who are many make room.
            with self.crowd("idle", MEMBER, 80):
                self.command("status")
                self.assertEqual(self.told(few), {"open": 14})

    def test_who_waits_for_a_reload_that_hangs_keeps_nobody_out(self):
        self.hang()
        for user in [MEMBER, ROOT]:
            with self.subTest(user=user), self.crowd("reload", user) as crowd:
                for who in [ROOT, OTHER_MEMBER]:
                    self.command("status", user=who)
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    reload = pool.submit(self.roost, self.service, "reload", "-q")
                    # Not one of the crowd's.
                    self.service.expect(rf"reload requested by process (?!{crowd.pid} )\d+ of user 0; it runs when")
                    self.command("status")
                    # A crowd of a user who hasn't the master's trust has a share of the places, and the rest were refused.
                    told = self.told(crowd)
                    self.assertEqual(told, {"open": 16, "busy": 84} if user == MEMBER else {"open": 63, "busy": 37})
                    self.proceed()
                    self.assertEqual(reload.result().returncode, 0, reload.result().stderr)
            self.hang()

    def test_who_waits_for_a_drain_keeps_nobody_out(self):
        self.release(f"trap '' TERM; {READY}")
        self.command("reload", "-q")
        for user in [MEMBER, ROOT]:
            with self.subTest(user=user), self.crowd("drained", user):
                for who in [ROOT, OTHER_MEMBER]:
                    self.command("status", user=who)
                    self.command("reload", "-q", user=who)
        self.assertEqual(self.roost(self.service, "stop", "--at-once").returncode, 0)

    def test_who_waits_for_a_stop_keeps_nobody_out(self):
        self.release(f"trap '' TERM; {READY}")
        self.command("reload", "-q")
        for user in [MEMBER, ROOT]:
            with self.subTest(user=user), self.crowd("stop", user):
                for who in [ROOT, OTHER_MEMBER]:
                    self.command("status", user=who)
        with self.crowd("stop", ROOT) as crowd:
            self.assertEqual(self.roost(self.service, "stop", "--at-once").returncode, 0)
            # One of them had to go for it.
            self.assertEqual(self.told(crowd), {"end": 63, "busy": 37})
        self.assertEqual(self.service.wait(), 0)

    def test_one_member_does_not_lock_another_out(self):
        self.hang()
        with self.crowd("reload", MEMBER):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                reload = pool.submit(
                    subprocess.run,
                    [*OTHER_MEMBER, ROOST, "reload", "-q", "--control-directory", self.service.control],
                    capture_output=True,
                    text=True,
                )
                self.service.expect("reload requested by process .* of user 65533; it runs when")
                self.proceed()
                self.assertEqual(reload.result().returncode, 0, reload.result().stderr)

    def test_a_reload_that_is_waited_for_is_not_displaced_by_who_only_connects_or_listens(self):
        self.hang()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = [pool.submit(self.roost, self.service, "reload", "-q") for _ in range(4)]
            self.service.log.expect_count("reload requested by process .* of user 0", 4)
            for kind in ["idle", "half", "listening", "deaf", "unread"]:
                for user in [ROOT, MEMBER]:
                    with self.crowd(kind, user, 200):
                        self.command("status")
            self.proceed()
            for one in waiting:
                # The first one's has failed.
                self.assertNotIn("too many clients", one.result().stderr)
                self.assertIn(one.result().returncode, [0, 1])
            self.assertEqual(sorted(one.result().returncode for one in waiting), [0, 0, 0, 1])

    def test_a_few_who_wait_are_not_displaced_by_a_crowd_that_does(self):
        self.hang()
        with self.crowd("reload", ROOT, 3) as few:
            with self.crowd("reload", ROOT, 100), self.crowd("reload", MEMBER, 100):
                self.command("status")
                self.assertEqual(self.told(few), {"open": 3})
            self.proceed()

    def test_who_is_displaced_while_a_reload_runs_is_told_that_it_goes_on(self):
        self.hang()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.roost, self.service, "reload", "-q")
            self.service.expect("reload requested by process .* of user 0")
            with self.client_crowd(64):
                self.assertEqual(waiting.result().returncode, 1)
                self.assertIn(
                    "had to make room for other clients; what it waited for continues: see 'roost status'", waiting.result().stderr
                )
            self.proceed()

    @contextlib.contextmanager
    def client_crowd(self, count):
        """As many processes as clients: none of them has more than another."""
        with contextlib.ExitStack() as crowds:
            for _ in range(count):
                crowds.enter_context(self.crowd("reload", ROOT, 1))
            yield

    def test_strangers_take_no_place(self):
        os.chmod(self.service.control + "/control", 0o666)
        with self.crowd("idle", STRANGER) as idle, self.crowd("status", STRANGER) as denied:
            with self.crowd("idle", MEMBER, 60) as members:
                self.command("status")
                self.assertEqual(self.told(members), {"open": 60})
                self.assertEqual(self.told(denied), {"denied": 100})
                self.assertGreater(self.told(idle)["busy"], 90)

    def test_a_crowd_that_was_there_before_an_upgrade_keeps_nobody_out(self):
        with self.crowd("half", MEMBER, 64), self.crowd("listening", ROOT, 60) as listening:
            self.service.signal(signal.SIGUSR2)
            self.service.expect("upgraded the master")
            self.assertEqual(self.told(listening), {"open": 60})
            self.command("reload", "-q")
            self.command("reload", "-q", user=OTHER_MEMBER)


class OtherSockets(LockoutTestCase):
    """Crowds at the sockets that aren't for operators."""

    def connections(self, path, count, text=b""):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.connect(path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(text)
        return clients

    @needs_open_files(1024)
    def test_who_does_not_read_metrics_keeps_no_scraper_out(self):
        path = f"{self.folder}/metrics.sock"
        # So much text that the kernel doesn't take it at once.
        names = [f"a-long-name-for-a-listener-that-makes-a-long-line-of-each-of-its-numbers-{number}" for number in range(600)]
        listeners = [word for number, name in enumerate(names) for word in ["-l", f"{name}=unix:{self.folder}/{number}"]]
        worker = [sys.executable, "-c", "import os, signal; os.write(int(os.environ['READY_FD']), b'\\n'); signal.pause()"]
        service = self.start("--metrics", f"unix:{path}", *listeners, command=worker).serving()
        for text in [b"GET /metrics HTTP/1.0\r\n\r\n", b"GET /", b""]:
            crowd = self.connections(path, 40, text)
            [scraper] = self.connections(path, 1, b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b""
            while part := scraper.recv(65536):
                answer += part
            self.assertGreater(len(answer), 300_000)
            for client in crowd:
                client.close()
        service.stop()

    def test_a_crowd_of_others_keeps_no_worker_from_acknowledging(self):
        go = self.folder / "go"
        script = (
            "import os, signal, socket, time\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.connect(os.environ['EINHORN_SOCK_PATH'])\n"
            f"open('{go}.connected', 'w')\n"
            f"while not os.path.exists('{go}'): time.sleep(0.01)\n"
            's.sendall(b\'{"command":"worker:ack", "pid":%d}\\n\' % os.getpid())\n'
            "signal.pause()\n"
        )
        service = self.start("-l", "127.0.0.1:0", ready="einhorn", command=[sys.executable, "-c", script])
        self.eventually(lambda: self.assertTrue(os.path.exists(f"{go}.connected")))
        # It was there first, and says nothing for a while: but it is alone, and they are many.
        os.seteuid(65532)
        try:
            self.connections(service.control + "/einhorn.sock", 200)
        finally:
            os.seteuid(0)
        go.touch()
        service.serving()
        self.assertEqual(service.log.count("started"), 1)


@unittest.skipUnless(os.geteuid() == 0, "LOUD: only root can be somebody else")
class OwnUser(ControlTestCase):
    """A master that isn't root's."""

    def test_its_own_user_always_gets_in(self):
        os.chown(self.folder, 65534, 65534)
        service = self.start(
            command=["sh", "-c", f"trap '' TERM; {READY}"],
            launcher=["setpriv", "--reuid=65534", "--regid=65534", "--groups=60"],
            cwd=self.folder,
        )
        service.serving()
        crowd = subprocess.Popen(
            [sys.executable, "-c", CROWD, service.control + "/control", "drained", "100"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(crowd.stdout.readline(), "begun\n")
        for command in [["status"], ["reload", "-q"], ["stop", "--at-once", "-q"]]:
            result = subprocess.run([*MEMBER, ROOST, *command, "--control-directory", service.control], capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
        crowd.communicate()


if __name__ == "__main__":
    unittest.main()
