"""The example units under a real systemd. Runs inside Tests/with-systemd."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from harness import DEMO_WORKER, Load, PATIENCE, ROOST, ROOT, wait_for_exit

BIN = pathlib.Path("/run/roost-test")
UNITS = pathlib.Path("/run/systemd/system")


def systemctl(*arguments, check=True):
    result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    if check and result.returncode != 0:
        journal = subprocess.run(["journalctl", "-u", "web", "-n", "30", "--no-pager"], capture_output=True, text=True)
        raise AssertionError(f"systemctl {arguments}: {result.stderr}\n{journal.stdout}")
    return result


def shown(name):
    return systemctl("show", "web", "--value", "--property", name).stdout.strip()


def greeting(path="/", port=8080):
    """The whole answer of the server."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client.makefile().read()


def follow_journal(*patterns):
    """Waits until the journal of the service has these lines, one after the other."""
    command = ["journalctl", "-f", "-n", "all", "-o", "cat", "-u", "web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        timer = threading.Timer(PATIENCE, follower.kill)
        timer.start()
        wanted = list(patterns)
        for line in follower.stdout:
            if wanted[0] in line:
                wanted.pop(0)
            if not wanted:
                break
        timer.cancel()
        follower.kill()
    if wanted:
        raise AssertionError(f"the journal has no line with {wanted[0]!r}")


class Systemd(unittest.TestCase):
    def setUp(self):
        # Each test reads the journal from its beginning.
        subprocess.run(["journalctl", "--rotate", "--vacuum-time=1us"], check=True, capture_output=True)
        BIN.mkdir(exist_ok=True)
        for program in [ROOST, f"{ROOST}-master", DEMO_WORKER]:
            shutil.copy(program, BIN)
        self.release = BIN / "server"
        self.deploy('exec /run/roost-test/demo-worker "$@"')

    def tearDown(self):
        systemctl("stop", "web.socket", "web.service", check=False)
        systemctl("reset-failed", check=False)
        for unit in UNITS.glob("web.*"):
            unit.unlink()

    def deploy(self, script):
        following = BIN / "next"
        following.write_text(f"#!/bin/sh\n{script}\n")
        following.chmod(0o755)
        following.rename(self.release)

    def install(self, listen="http=8080", options=""):
        """The shipped unit, with the paths of the test."""
        text = (ROOT / "systemd/web.service").read_text()
        for shipped, tested in [
            ("/usr/bin/roost", f"{BIN}/roost"), ("/srv/web/current/server", str(self.release)),
            ("--listen http=8080", f"--listen {listen} --settle 100ms {options}"),
        ]:
            self.assertIn(shipped, text)
            text = text.replace(shipped, tested)
        (UNITS / "web.service").write_text(text)
        systemctl("daemon-reload")

    def test_start_returns_when_the_workers_are_ready_and_the_status_says_so(self):
        self.install()
        systemctl("start", "web")
        self.assertIn("of generation 1 ", greeting())
        self.assertEqual(shown("StatusText"), "generation 1 serves: 2 of 2 workers ready")
        self.assertEqual(shown("ActiveState"), "active")

    def test_reloads_under_load_lose_nothing_and_keep_the_main_pid(self):
        self.install()
        systemctl("start", "web")
        main = shown("MainPID")
        load = Load("127.0.0.1:8080")
        generation = 1
        for command in [["systemctl", "reload", "web"], ["kill", "-HUP", main]] * 5:
            subprocess.run(command, check=True, timeout=PATIENCE)
            generation += 1
            follow_journal(f"reload to generation {generation} succeeded")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertEqual(shown("MainPID"), main)
        self.assertEqual(shown("ActiveState"), "active")
        self.assertEqual(shown("NRestarts"), "0")

    def test_a_bad_release_leaves_the_service_active_and_the_status_says_why(self):
        self.install()
        systemctl("start", "web")
        self.deploy("exit 3")
        systemctl("reload", "web")
        follow_journal("reload to generation 2 failed")
        self.assertIn("of generation 1 ", greeting())
        self.assertRegex(shown("StatusText"), r"generation 1 serves: 2 of 2 workers ready.*; reload to generation 2 failed: worker \d+ \(slot \d\) exited with status 3")
        self.assertEqual(shown("ActiveState"), "active")

    def test_a_stop_waits_for_a_request_in_flight(self):
        self.install()
        systemctl("start", "web")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(greeting("/sleep?seconds=2")))
        asking.start()
        # Answers to later requests say that the one before them has arrived.
        for _ in range(50):
            greeting()
        systemctl("stop", "web")
        asking.join()
        self.assertTrue(answers[0].startswith("HTTP/1.1 200 OK"), answers)
        self.assertIn("slept for 2.0 s", answers[0])
        self.assertEqual(shown("Result"), "success")

    def test_a_start_that_fails_is_a_failed_start(self):
        self.install(options="--start-attempts 1")
        self.deploy("exit 3")
        self.assertNotEqual(systemctl("start", "web", check=False).returncode, 0)
        self.assertNotEqual(shown("ActiveState"), "active")

    def test_what_cannot_work_is_not_tried_again(self):
        self.install()
        with socket.create_server(("127.0.0.1", 8080)):
            self.assertNotEqual(systemctl("start", "web", check=False).returncode, 0)
        self.assertEqual(shown("ActiveState"), "failed")
        self.assertEqual(shown("ExecMainStatus"), "78")
        self.assertEqual(shown("NRestarts"), "0")

    def test_a_killed_master_is_replaced_and_none_of_its_workers_lives_on(self):
        self.install(options="--pid-file /run/web.pid")
        systemctl("start", "web")
        main = int(shown("MainPID"))
        workers = [int(pid) for pid in pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        self.assertEqual(len(workers), 2)
        os.kill(main, signal.SIGKILL)
        for pid in workers:
            wait_for_exit(pid)
        follow_journal("Main process exited", "generation 1 serves")
        self.assertIn("of generation 1 ", greeting())
        self.assertEqual(shown("NRestarts"), "1")

    def test_a_socket_unit_holds_connections_while_the_service_restarts(self):
        shutil.copy(ROOT / "systemd/web.socket", UNITS)
        self.install(listen="systemd:http")
        systemctl("start", "web.socket")
        # Nobody serves yet: the connection starts the service, and waits for it.
        self.assertIn("of generation 1 ", greeting())
        load = Load("127.0.0.1:8080", kept_alive=0, new=4)
        systemctl("restart", "web.service")
        systemctl("reload", "web.service")
        follow_journal("reload to generation 2 succeeded")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)

    def test_systemd_waits_longer_than_its_timeouts_where_the_master_needs_it(self):
        self.install()
        unit = UNITS / "web.service"
        text = unit.read_text().replace("TimeoutStopSec=90", "TimeoutStopSec=1").replace("TimeoutStartSec=90", "TimeoutStartSec=1")
        unit.write_text(text)
        systemctl("daemon-reload")
        self.deploy("exec /run/roost-test/demo-worker --ready-delay 2")
        systemctl("start", "web")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(greeting("/sleep?seconds=3")))
        asking.start()
        for _ in range(50):
            greeting()
        systemctl("stop", "web")
        asking.join()
        self.assertIn("slept for 3.0 s", answers[0])
        self.assertEqual(shown("Result"), "success")

    def test_a_watchdog_of_systemd_is_content(self):
        self.install()
        text = (UNITS / "web.service").read_text()
        (UNITS / "web.service").write_text(text.replace("WatchdogSec=30", "WatchdogSec=200ms"))
        systemctl("daemon-reload")
        systemctl("start", "web")
        before = shown("WatchdogTimestampMonotonic")
        for _ in range(1000):
            greeting()
            if shown("WatchdogTimestampMonotonic") != before:
                break
        self.assertNotEqual(shown("WatchdogTimestampMonotonic"), before)
        self.assertEqual(shown("NRestarts"), "0")

    def test_the_unit_is_well_formed_and_hardened(self):
        self.install()
        result = subprocess.run(["systemd-analyze", "verify", str(UNITS / "web.service")], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
