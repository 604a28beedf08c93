"""`roost logs` with a real journal. Runs inside Tests/with-systemd."""

import os
import signal
import subprocess
import threading
import unittest

from harness import PATIENCE, ROOST, eventually
from systemd_test import BIN, NAME, ROOST_BIN, UNITS, SystemdTestCase, follow_journal, shown, systemctl


class Logs(SystemdTestCase):
    def logs(self, *arguments, user=None):
        launcher = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return subprocess.run([*launcher, ROOST_BIN, "logs", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def started(self):
        self.deploy('echo "hello from $ROOST_GENERATION" >&2; exec /run/roost-test/demo-worker')
        self.install()
        systemctl("start", NAME)
        # What workers write comes after the master's own line.
        follow_journal("hello from 1", "hello from 1")

    def test_the_journal_of_a_service_that_runs_is_shown(self):
        self.started()
        for arguments in [], ["web"]:
            result = self.logs(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(f"roost[{shown('MainPID')}]: generation 1 serves with 2 workers", result.stdout)
            self.assertEqual(result.stdout.count("hello from 1"), 2)
            # What systemd says belongs to it.
            self.assertRegex(result.stdout, r"systemd\[1\]: Started .*web, under Roost")
        self.assertEqual(len(self.logs("-n", "3").stdout.splitlines()), 3)
        self.assertNotIn("hello from 1", self.logs("--since", "tomorrow").stdout)
        self.assertNotEqual(self.logs("--since", "whenever").returncode, 0)

    def test_it_is_followed(self):
        self.started()
        with subprocess.Popen([ROOST_BIN, "logs", "-f", "-n", "1", "web"], stdout=subprocess.PIPE, text=True) as follower:
            timer = threading.Timer(PATIENCE, follower.kill)
            timer.start()
            try:
                follower.stdout.readline()
                systemctl("reload", NAME)
                found = [
                    line
                    for line in iter(follower.stdout.readline, "")
                    if "hello from 2" in line or "reload to generation 2 succeeded" in line
                ][:1]
            finally:
                timer.cancel()
                follower.send_signal(signal.SIGINT)
        self.assertEqual(len(found), 1)

    def test_after_a_death_and_a_stop_it_is_shown_too(self):
        self.started()
        os.kill(int(shown("MainPID")), signal.SIGKILL)
        follow_journal("Main process exited", " serves with ")
        systemctl("stop", NAME)
        result = self.logs("web")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("Main process exited, code=killed, status=9/KILL", result.stdout)
        self.assertIn("hello from 1", result.stdout)
        result = self.logs("never-was")
        self.assertEqual((result.returncode, result.stdout), (3, ""))

    def test_a_unit_of_its_own_and_another_programs_unit(self):
        self.configure()
        (UNITS / "web.service").write_text(subprocess.run([ROOST_BIN, "unit", "web"], capture_output=True, text=True, check=True).stdout)
        systemctl("daemon-reload")
        systemctl("start", "web")
        self.assertIn("generation 1 serves", self.logs("web").stdout)
        systemctl("stop", "web")
        self.assertIn("generation 1 serves", self.logs("web").stdout)
        # The name is that of something else by now, which isn't the service.
        (UNITS / "web.service").write_text("[Service]\nExecStart=/bin/echo something else\n")
        systemctl("daemon-reload")
        systemctl("start", "web")
        self.assertEqual(self.logs("web").returncode, 3)

    def test_a_user_sees_what_the_journal_lets_it_see(self):
        self.started()
        # It may not ask the master, nor read the system's journal.
        self.assertEqual(self.logs("web", user=65534).returncode, 4)
        # As systemd-tmpfiles(8) and a group would do it.
        subprocess.run(["chmod", "-R", "a+rX", "/run/log/journal"], check=True)
        result = self.logs("web", user=65534)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("generation 1 serves with 2 workers", result.stdout)

    def test_a_master_that_is_no_units_main_process_keeps_its_own(self):
        """Whatever cgroup it is in: its stderr leads elsewhere."""
        control = BIN / "control"
        service = subprocess.Popen(
            [ROOST, "run", "--name", "other", "--control-directory", str(control), "--", "sh", "-c", "echo mine >&2; exec sleep 1000"],
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(service.wait)
        self.addCleanup(service.terminate)

        def assert_shown():
            self.assertIn("  | mine\n", self.logs("--control-directory", str(control)).stdout)

        eventually(assert_shown)


if __name__ == "__main__":
    unittest.main()
