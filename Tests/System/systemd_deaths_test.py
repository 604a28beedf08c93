"""A master that dies again and again, and the drop-ins of its unit for newer versions. Runs inside Tests/with-systemd."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import counting
from harness import PATIENCE, ROOST, ROOT, eventually, wait_for_exit
from systemd_test import BIN, FILE, NAME, ROOST_BIN, UNITS, VERSION, InstalledTestCase, SystemdTestCase, greeting, shown, systemctl

DEATHS = 7
# The first version that knows what is in it.
DROP_INS = {"254-restart.conf": 254, "262-listeners.conf": 262}


class Deaths(SystemdTestCase):
    def kill_master(self, former):
        """Kills the next master as soon as there is one, and its workers with it, as systemd does."""

        def next_one():
            main = int(shown("MainPID"))
            self.assertNotIn(main, [0, *former])
            return main, pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()

        main, workers = eventually(next_one, (AssertionError, FileNotFoundError))
        os.kill(main, signal.SIGKILL)
        for pid in workers:
            wait_for_exit(int(pid))
        return main

    def test_seven_deaths_within_seconds_refuse_nobody(self):
        notes = counting.written(BIN / "notes")
        (BIN / "counting-worker.py").write_text(counting.WORKER)
        self.deploy(f"exec {sys.executable} -B {BIN}/counting-worker.py {notes}")
        self.install()
        systemctl("start", NAME)
        clients = counting.Clients(8080)
        try:
            clients.wait_for_more(100)
            killed = []
            for _ in range(DEATHS):
                killed.append(self.kill_master(killed))
            # Who connects before there is another is answered by it.
            with socket.create_connection(("127.0.0.1", 8080), timeout=PATIENCE) as client:
                client.sendall(b"fast\n")
                self.assertEqual(client.recv(100), b"more\n")
            clients.wait_for_more(100)
        finally:
            counts = clients.finish().settle(notes)
        print(f"\n{self.id()}: {counts}", flush=True)
        self.assertEqual((counts.refused, counts.lost_in_queue, dict(counts.other)), (0, 0, {}), str(counts))
        # Clients are answered as soon as there are workers, a moment before systemd is told.
        eventually(lambda: self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("active", str(DEATHS))))

    @unittest.skipIf(VERSION < 254, "this systemd has no RestartSteps")
    def test_the_pauses_grow_to_five_seconds(self):
        self.install()
        systemctl("start", NAME)
        self.assertEqual(shown("RestartUSecNext"), "100ms")
        killed = []
        for _ in range(5):
            killed.append(self.kill_master(killed))
        eventually(lambda: self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("active", "5")))
        self.assertEqual(shown("RestartUSecNext"), "5s")

    @unittest.skipIf(VERSION < 262, "this systemd loses the listeners over a stop")
    def test_a_stop_and_a_start_refuse_nobody(self):
        self.install()
        systemctl("start", NAME)
        systemctl("stop", NAME)
        answers = []
        client = threading.Thread(target=lambda: answers.append(greeting()))
        client.start()
        systemctl("start", NAME)
        client.join(PATIENCE)
        self.assertIn("of generation ", answers[0])
        # Else the next test would find the port taken.
        systemctl("stop", NAME)
        systemctl("clean", "--what=fdstore", NAME)


class Units(InstalledTestCase):
    def verify(self, unit):
        """What systemd has to say against it."""
        result = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE)
        # Programs and documents of a package that is made aren't installed where it names them.
        return [line for line in result.stderr.splitlines() if "is not executable" not in line]

    def installed(self, **environment):
        """The unit of an installation into a folder of its own, and its drop-ins."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        environment = {**os.environ, "BUILD": str(pathlib.Path(ROOST).parent), "DESTDIR": folder.name, **environment}
        subprocess.run([str(ROOT / "scripts/install")], check=True, env=environment)
        systemd = pathlib.Path(folder.name) / "usr/lib/systemd/system"
        examples = pathlib.Path(folder.name) / "usr/share/doc/roost/examples/roost@.service.d"
        self.assertEqual({path.name for path in examples.iterdir()}, set(DROP_INS))
        return systemd / "roost@.service", {path.name for path in (systemd / "roost@.service.d").glob("*")}

    def test_this_systemd_has_nothing_against_what_is_installed_for_it(self):
        unit, drop_ins = self.installed(SYSTEMD_VERSION=str(VERSION))
        self.assertEqual(drop_ins, {name for name, since in DROP_INS.items() if since <= VERSION})
        self.assertEqual(self.verify(unit), [])
        # As on the machine itself.
        here = BIN / "usr/lib/systemd/system/roost@.service"
        self.assertEqual({path.name for path in here.with_suffix(".service.d").glob("*")}, drop_ins)
        self.assertEqual(self.verify(here), [])

    def test_a_package_has_the_drop_ins_of_the_version_that_is_named_and_none_otherwise(self):
        self.assertEqual(self.installed()[1], set())
        self.assertEqual(self.installed(SYSTEMD_VERSION="253.5-1")[1], set())
        self.assertEqual(self.installed(SYSTEMD_VERSION="254")[1], {"254-restart.conf"})
        self.assertEqual(self.installed(SYSTEMD_VERSION="262~rc1")[1], set(DROP_INS))

    def test_an_older_systemd_would_complain_of_them(self):
        unit, _ = self.installed(SYSTEMD_VERSION="999")
        unknown = [line for line in self.verify(unit) if "Unknown key" in line]
        keys = {"RestartSteps": 254, "RestartMaxDelaySec": 254, "FileDescriptorStorePreserve": 254}
        self.assertEqual(len(unknown), sum(VERSION < since for since in keys.values()), unknown)

    def test_a_made_unit_has_what_the_version_knows(self):
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text('command = ["/bin/true"]\nlisten = ["http=8080"]\n')
        self.addCleanup(FILE.unlink)

        def made(*arguments):
            return subprocess.run([ROOST_BIN, "unit", "web", *arguments], capture_output=True, text=True, check=True).stdout

        self.assertEqual(made(), made("--systemd", str(VERSION)))
        for version in 252, 254, 261, 262:
            text = made("--systemd", str(version))
            self.assertIn("\nStartLimitIntervalSec=0\n", text)
            for name, since in DROP_INS.items():
                lines = [line for line in (ROOT / "systemd/roost@.service.d" / name).read_text().splitlines() if line[:1] not in "#["]
                self.assertGreater(len(lines), 0)
                for line in lines:
                    self.assertEqual(f"\n{line}\n" in text, version >= since, (version, line))
        (UNITS / "web.service").write_text(made())
        self.addCleanup((UNITS / "web.service").unlink)
        self.assertEqual(self.verify(UNITS / "web.service"), [])


if __name__ == "__main__":
    unittest.main()
