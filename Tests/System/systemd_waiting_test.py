"""Nothing that systemd doesn't do can make the master wait. Runs inside Tests/with-systemd."""

import os
import signal
import socket
import subprocess
import unittest

from harness import PATIENCE
from systemd_test import NAME, ROOST_BIN, SystemdTestCase, follow_journal, shown, systemctl


class Journal(SystemdTestCase):
    """The journal is there, and doesn't read."""

    def stop_journal(self):
        pid = int(systemctl("show", "systemd-journald", "--value", "--property", "MainPID").stdout)
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        return pid

    def fill_journal(self):
        # By one socket after the other: what one has sent and nobody has read is limited too.
        while self.fill_by_one():
            pass

    def fill_by_one(self):
        sent = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                while True:
                    sender.sendto(b"MESSAGE=x", "/run/systemd/journal/socket")
                    sent += 1
            except BlockingIOError:
                return sent

    def roost(self, *arguments):
        return subprocess.run([str(ROOST_BIN), *arguments, "web"], capture_output=True, text=True, timeout=PATIENCE)

    def test_reloads_go_on_and_what_is_lost_is_counted(self):
        self.install(settle='"0s"')
        systemctl("start", NAME)
        pid = self.stop_journal()
        self.fill_journal()
        for _ in range(5):
            self.assertEqual(self.roost("reload").returncode, 0)
        os.kill(pid, signal.SIGCONT)
        # A line that is written when there is room tells of those that weren't.
        self.assertEqual(self.roost("reload").returncode, 0)
        follow_journal("lines of this log were lost: it wasn't read")
        self.assertEqual(shown("NRestarts"), "0")


if __name__ == "__main__":
    unittest.main()
