"""Listeners that outlive the master, under a real systemd. Runs inside Tests/with-systemd."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import counting
from harness import ROOT, Load, eventually
from systemd_test import BIN, NAME, ROOST_BIN, UNITS, SystemdTestCase, follow_journal, greeting, shown, systemctl

KILLS = 20


class Outliving(SystemdTestCase):
    def setUp(self):
        super().setUp()
        self.notes = counting.written(BIN / "notes")
        (BIN / "counting-worker.py").write_text(counting.WORKER)
        self.deploy(f"exec {sys.executable} -B {BIN}/counting-worker.py {self.notes}")

    def kill_master(self, time):
        """Kills the master for this time, and returns when the next one serves."""
        main = int(shown("MainPID"))
        os.kill(main, signal.SIGKILL)
        follow_journal(" serves with ", *["Main process exited", " serves with "] * time)
        self.assertNotEqual(int(shown("MainPID")), main)

    def twenty_kills(self):
        systemctl("start", NAME)
        clients = counting.Clients(8080)
        try:
            for time in range(1, KILLS + 1):
                clients.wait_for_more(200)
                self.kill_master(time)
            clients.wait_for_more(200)
        finally:
            counts = clients.finish().settle(self.notes)
        print(f"\n{self.id()}: {KILLS} kills: {counts}", flush=True)
        self.assertEqual((counts.refused, counts.lost_in_queue, dict(counts.other)), (0, 0, {}), str(counts))
        self.assertGreater(counts.answered, KILLS * 200)
        self.assertEqual(shown("NRestarts"), str(KILLS))
        return counts

    def test_twenty_kills_of_the_master_lose_what_its_workers_had_accepted_and_nothing_else(self):
        self.install()
        counts = self.twenty_kills()
        # No more than each client can have on its way at each kill.
        self.assertLessEqual(counts.in_flight, KILLS * 8)

    def test_twenty_kills_with_kill_mode_control_group_lose_nothing(self):
        self.install()
        self.change_unit(("KillMode=mixed", "KillMode=control-group"))
        counts = self.twenty_kills()
        self.assertEqual(counts.in_flight, 0, str(counts))

    def test_restarts_with_kill_mode_control_group_lose_nothing(self):
        self.install()
        self.change_unit(("KillMode=mixed", "KillMode=control-group"))
        systemctl("start", NAME)
        clients = counting.Clients(8080)
        try:
            for _ in range(5):
                clients.wait_for_more(200)
                systemctl("restart", NAME)
        finally:
            counts = clients.finish().settle(self.notes)
        self.assertEqual((counts.refused, counts.lost_in_queue, counts.in_flight, dict(counts.other)), (0, 0, 0, {}), str(counts))

    def test_twenty_kills_with_a_socket_unit_lose_what_workers_had_accepted_and_nothing_else(self):
        shutil.copy(ROOT / "systemd/web.socket", UNITS)
        self.install()
        self.change_unit(("FileDescriptorStoreMax=512", "FileDescriptorStoreMax=0"))
        systemctl("start", "web.socket")
        counts = self.twenty_kills()
        self.assertLessEqual(counts.in_flight, KILLS * 8)


class Kept(SystemdTestCase):
    def stored(self):
        return shown("NFileDescriptorStore")

    def outsiders(self):
        """What is told of processes that have a listener open and don't belong to the service, when all have been looked at."""

        def told():
            status = json.loads(subprocess.run([ROOST_BIN, "status", "--json"], capture_output=True, check=True).stdout)
            self.assertIsNotNone(status["sawAllProcesses"])
            return status["outsiders"]

        return eventually(told)

    def test_listeners_are_in_the_store_while_they_are_configured(self):
        self.install(listen='["http=8080", "unix:/run/roost-test/a.sock"]')
        systemctl("start", NAME)
        self.assertEqual(self.stored(), "2")
        self.configure(listen='["http=8080", "b=8081", "c=8082"]')
        systemctl("reload", NAME)
        self.assertEqual(self.stored(), "3")
        self.configure(listen='["http=8080"]')
        systemctl("reload", NAME)
        self.assertEqual(self.stored(), "1")
        # Nothing of this is worth a warning.
        self.assertNotIn("Cannot store more fds", self.journal())
        self.assertEqual(self.outsiders(), [])
        self.assertNotIn("belong to this service", self.journal())

    def test_a_restart_keeps_who_waits(self):
        self.install(listen='["http=8080", "u=unix:/run/roost-test/a.sock"]')
        systemctl("start", NAME)
        file = pathlib.Path("/run/roost-test/a.sock")
        inode = file.stat().st_ino
        load = Load("127.0.0.1:8080", kept_alive=0, new=4)
        for _ in range(3):
            systemctl("restart", NAME)
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertEqual(file.stat().st_ino, inode)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(file))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn("of generation ", client.makefile().read())

    def test_a_stop_ends_it_and_the_next_start_begins_anew(self):
        self.install(listen='["http=8080", "u=unix:/run/roost-test/a.sock"]')
        systemctl("start", NAME)
        systemctl("stop", NAME)
        with self.assertRaises(ConnectionRefusedError):
            greeting()
        systemctl("start", NAME)
        self.assertIn("of generation ", greeting())

    def test_what_is_configured_no_more_when_the_next_master_starts_is_dropped(self):
        self.install(listen='["http=8080", "b=8081"]')
        systemctl("start", NAME)
        self.configure(listen='["http=8080"]')
        os.kill(int(shown("MainPID")), signal.SIGKILL)
        follow_journal(" serves with ", "which systemd kept and which no listener of the configuration uses", " serves with ")
        self.assertEqual(self.stored(), "1")
        with self.assertRaises(ConnectionRefusedError):
            greeting(port=8081)
        self.assertIn("of generation ", greeting())


class SocketUnits(SystemdTestCase):
    def socket_unit(self, name, *lines):
        (UNITS / f"{name}.socket").write_text("\n".join(["[Socket]", *lines, "Service=roost@web.service"]) + "\n")
        self.addCleanup(systemctl, "stop", f"{name}.socket", check=False)

    def test_several_units_and_types_are_adopted_by_name_and_by_address(self):
        self.socket_unit("web.http", "ListenStream=127.0.0.1:8080", "FileDescriptorName=http")
        self.socket_unit("web.other", "ListenStream=8081", "ListenStream=/run/roost-test/o.sock")
        self.install(listen='["http=127.0.0.1:8080", "port=8081", "file=unix:/run/roost-test/o.sock"]')
        systemctl("start", "web.http.socket", "web.other.socket", NAME)
        self.assertNotIn("warning", self.journal("-o", "cat"))
        for port in [8080, 8081]:
            self.assertIn("of generation 1 ", greeting(port=port))
        # What systemd has opened isn't kept twice.
        self.assertEqual(shown("NFileDescriptorStore"), "0")
        # Held while the service is down: the answer comes from the next master.
        with socket.socket(socket.AF_UNIX) as client:
            systemctl("stop", NAME)
            client.connect("/run/roost-test/o.sock")
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn("of generation ", client.makefile().read())

    def test_a_socket_unit_with_another_address_is_a_failed_start_that_says_so(self):
        self.socket_unit("web", "ListenStream=8081", "FileDescriptorName=http")
        self.install()
        systemctl("start", "web.socket")
        self.assertNotEqual(systemctl("start", NAME, check=False).returncode, 0)
        self.assertIn("cannot adopt http=*:8080: systemd passed a socket of this name, but it is [::]:8081 ", self.journal("-o", "cat"))
        self.assertEqual(shown("ExecMainStatus"), "78")


if __name__ == "__main__":
    unittest.main()
