"""The units under a real systemd. Runs inside Tests/with-systemd."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from harness import DEMO_WORKER, PATIENCE, ROOST, ROOT, Load, children_of, eventually, wait_for_exit

BIN = pathlib.Path("/run/roost-test")
NAME = "roost@web"
ROOST_BIN = BIN / "usr/bin/roost"
FILE = pathlib.Path("/etc/roost/web.toml")
UNITS = pathlib.Path("/run/systemd/system")
VERSION = int(subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1])


def systemctl(*arguments, check=True):
    result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=PATIENCE)
    if check and result.returncode != 0:
        journal = subprocess.run(["journalctl", "-u", NAME, "-n", "30", "--no-pager"], capture_output=True, text=True)
        raise AssertionError(f"systemctl {arguments}: {result.stderr}\n{journal.stdout}")
    return result


def shown(name):
    return systemctl("show", NAME, "--value", "--property", name).stdout.strip()


def greeting(path="/", port=8080):
    """The whole answer of the server."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client.makefile().read()


def follow_journal(*patterns):
    """Waits until the journal of the service has these lines, one after the other."""
    command = ["journalctl", "-f", "-n", "all", "-o", "cat", "-u", NAME]
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


class InstalledTestCase(unittest.TestCase):
    """Roost is installed as scripts/install does it."""

    def assert_served_by(self, generation):
        """A former worker may accept connections until it has read its stop signal."""
        eventually(lambda: self.assertIn(f"of generation {generation} ", greeting()))

    def setUp(self):
        # Each test reads the journal from its beginning.
        subprocess.run(["journalctl", "--rotate", "--vacuum-time=1us"], check=True, capture_output=True)
        BIN.mkdir(exist_ok=True)
        build = str(pathlib.Path(ROOST).parent)
        subprocess.run(
            [str(ROOT / "scripts/install")],
            check=True,
            stdout=subprocess.DEVNULL,
            env=dict(os.environ, BUILD=build, PREFIX=str(BIN / "usr")),
        )

    def install_template(self):
        """The shipped template, as scripts/install puts it there, for the paths of the test."""
        text = (BIN / "usr/lib/systemd/system/roost@.service").read_text()
        self.assertIn(f"ExecStart={ROOST_BIN} run", text)
        (UNITS / "roost@.service").write_text(text)
        drop_ins = BIN / "usr/lib/systemd/system/roost@.service.d"
        if drop_ins.exists():
            shutil.copytree(drop_ins, UNITS / "roost@.service.d", dirs_exist_ok=True)
        systemctl("daemon-reload")


class SystemdTestCase(InstalledTestCase):
    def setUp(self):
        super().setUp()
        shutil.copy(DEMO_WORKER, BIN)
        self.release = BIN / "server"
        self.deploy('exec /run/roost-test/demo-worker "$@"')

    def tearDown(self):
        systemctl("stop", "web.socket", "web.service", NAME, check=False)
        systemctl("reset-failed", check=False)
        for unit in [*UNITS.glob("web.*"), *UNITS.glob("roost@*")]:
            shutil.rmtree(unit) if unit.is_dir() else unit.unlink()
        FILE.unlink(missing_ok=True)
        # What has served is remembered, and the number of the next generation comes after.
        for place in "/run/roost", "/var/lib/roost":
            shutil.rmtree(place, ignore_errors=True)

    def deploy(self, script):
        following = BIN / "next"
        following.write_text(f"#!/bin/sh\n{script}\n")
        following.chmod(0o755)
        following.rename(self.release)

    def configure(self, **options):
        """The ten lines of the README's quick start, more or less."""
        options = {"listen": '["http=8080"]', "settle": '"100ms"', "workers": "2", **options}
        lines = [f'command = ["{self.release}"]']
        lines += [f"{name.replace('_', '-')} = {value}" for name, value in options.items()]
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text("\n".join(lines) + "\n")

    def install(self, **options):
        self.configure(**options)
        self.install_template()

    def change_unit(self, *changes):
        text = (UNITS / "roost@.service").read_text()
        for shipped, wanted in changes:
            self.assertIn(shipped, text)
            text = text.replace(shipped, wanted)
        (UNITS / "roost@.service").write_text(text)
        systemctl("daemon-reload")

    def journal(self, *arguments):
        return subprocess.run(["journalctl", "--no-pager", "-u", NAME, *arguments], capture_output=True, text=True, check=True).stdout


class Systemd(SystemdTestCase):
    def test_start_returns_when_the_workers_are_ready_and_the_status_says_so(self):
        self.install()
        systemctl("start", NAME)
        self.assertIn("of generation 1 ", greeting())
        eventually(lambda: self.assertEqual(shown("StatusText"), "generation 1 serves: 2 of 2 workers ready"))
        self.assertEqual(shown("ActiveState"), "active")

    def test_reloads_under_load_lose_nothing_and_keep_the_main_pid(self):
        self.install()
        systemctl("start", NAME)
        main = shown("MainPID")
        load = Load("127.0.0.1:8080")
        generation = 1
        for command in [["systemctl", "reload", NAME], ["kill", "-HUP", main]] * 5:
            subprocess.run(command, check=True, timeout=PATIENCE)
            generation += 1
            follow_journal(f"reload to generation {generation} succeeded")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertEqual(shown("MainPID"), main)
        self.assertEqual(shown("ActiveState"), "active")
        self.assertEqual(shown("NRestarts"), "0")

    def test_a_reload_tells_the_truth_about_a_release_that_exits(self):
        self.install()
        systemctl("start", NAME)
        self.deploy("echo 'cannot open the database' >&2; exit 3")
        result = systemctl("reload", NAME, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("Job for roost@web.service failed", result.stderr)
        self.assertIn("of generation 1 ", greeting())
        self.assertEqual(shown("ActiveState"), "active")
        self.assertEqual(shown("ReloadResult"), "exit-code")
        eventually(
            lambda: self.assertRegex(
                shown("StatusText"),
                r"generation 1 serves: 2 of 2 workers ready.*; reload to generation 2 failed: worker \d+ \(slot \d\) exited with status "
                r"3 before it was ready; 0 dropped, peak queue \d+ of 4096$",
            )
        )
        status = systemctl("status", "--no-pager", "-l", "-n", "30", NAME, check=False).stdout
        self.assertRegex(
            status, r"roost\[\d+\]: reload to generation 2 failed .*; generation 1 keeps serving; 0 dropped, peak queue \d+ of 4096\n"
        )
        self.assertRegex(status, r"web\[\d+\]: cannot open the database")
        # The next one that works is a success again.
        self.deploy('exec /run/roost-test/demo-worker "$@"')
        systemctl("reload", NAME)
        self.assert_served_by(3)

    def test_a_reload_tells_the_truth_about_a_release_that_hangs(self):
        self.install(ready_timeout='"1s"')
        systemctl("start", NAME)
        self.deploy("exec sleep 1000")
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        self.assertIn("of generation 1 ", greeting())
        self.assertEqual(shown("ActiveState"), "active")
        self.assertIn("was not ready within 1s", self.journal())

    def test_a_reload_tells_the_truth_about_an_invalid_configuration(self):
        self.install()
        systemctl("start", NAME)
        self.configure(worker="3")
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        self.assertIn("/etc/roost/web.toml:5:1: there is no option 'worker': did you mean 'workers'?", self.journal())
        self.assertIn("of generation 1 ", greeting())
        self.assertEqual(shown("ActiveState"), "active")

    def test_a_reload_returns_after_the_takeover_and_systemd_knows_it_before(self):
        self.install(settle='"700ms"')
        systemctl("start", NAME)
        systemctl("reload", NAME)
        eventually(lambda: self.assertEqual(shown("StatusText").split(":")[0], "generation 2 serves"))
        self.assertEqual(shown("ActiveState"), "active")
        self.assertEqual(shown("SubState"), "running")
        self.assert_served_by(2)

    def test_a_reload_during_a_long_drain_does_not_wait_for_it(self):
        self.install()
        systemctl("start", NAME)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(greeting("/sleep?seconds=7")))
        asking.start()
        for _ in range(50):
            greeting()
        systemctl("reload", NAME)
        systemctl("reload", NAME)
        self.assertEqual(answers, [])
        eventually(lambda: self.assertRegex(shown("StatusText"), r"generation 3 serves: 2 of 2 workers ready; \d draining"))
        asking.join()
        self.assertIn("slept for 7.0 s", answers[0])

    def test_concurrent_reloads_all_get_a_verdict(self):
        self.install()
        systemctl("start", NAME)
        commands = [subprocess.Popen([str(ROOST_BIN), "reload", "-q", "web"]) for _ in range(5)]
        commands += [subprocess.Popen(["systemctl", "reload", NAME]) for _ in range(2)]
        self.assertEqual([command.wait(PATIENCE) for command in commands], [0] * 7)
        self.deploy("exit 1")
        commands = [subprocess.Popen([str(ROOST_BIN), "reload", "-q", "web"], stderr=subprocess.DEVNULL) for _ in range(5)]
        self.assertEqual([command.wait(PATIENCE) for command in commands], [1] * 5)

    def test_the_service_is_operated_by_name(self):
        self.install()
        systemctl("start", NAME)
        status = subprocess.run([str(ROOST_BIN), "status"], capture_output=True, text=True).stdout
        self.assertRegex(status, rf"^web: generation 1 serves, master {shown('MainPID')}, ")
        listed = subprocess.run([str(ROOST_BIN), "list"], capture_output=True, text=True).stdout
        self.assertRegex(listed, r"\nweb +serving +1 +2/2")
        systemctl("stop", NAME)
        self.assertEqual(subprocess.run([str(ROOST_BIN), "status", "web"], capture_output=True).returncode, 3)

    def test_workers_run_as_another_user_within_the_hardening(self):
        self.install(user='"nobody"', listen='["http=8080", "low=80"]')
        systemctl("start", NAME)
        main = int(shown("MainPID"))
        for worker in children_of(main):
            status = pathlib.Path(f"/proc/{worker}/status").read_text()
            self.assertIn("Uid:\t65534\t65534\t65534\t65534", status)
            self.assertIn("CapPrm:\t0000000000000000", status)
        systemctl("reload", NAME)
        self.assert_served_by(2)

    SILENT = """exec /usr/bin/python3 -c 'import socket
s = socket.socket(fileno=3)
while True:
    c, _ = s.accept()
    c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    c.close()'"""

    def test_a_silent_server_of_another_user_is_seen_to_accept_within_the_hardening(self):
        self.deploy(self.SILENT)
        self.install(user='"nobody"')
        systemctl("start", NAME)
        systemctl("reload", NAME)
        self.assertTrue(greeting().endswith("ok"))

    def test_a_made_unit_lets_the_master_see_its_workers(self):
        self.deploy(self.SILENT)
        self.configure(user='"nobody"', ready='"accepting"')
        made = subprocess.run([str(ROOST_BIN), "unit", "web"], capture_output=True, text=True, check=True).stdout
        (UNITS / "web.service").write_text(made)
        systemctl("daemon-reload")
        systemctl("start", "web")
        systemctl("reload", "web")
        self.assertTrue(greeting().endswith("ok"))
        systemctl("stop", "web")

    def test_the_journal_has_fields_and_explains_itself(self):
        self.install()
        systemctl("start", NAME)
        self.deploy("exit 3")
        systemctl("reload", NAME, check=False)
        follow_journal("reload to generation 2 failed")
        entries = [json.loads(line) for line in self.journal("-o", "json").splitlines()]
        failed = [entry for entry in entries if entry.get("ROOST_EVENT") == "reload-failed"]
        self.assertEqual(len(failed), 1)
        expected = {
            "ROOST_SERVICE": "web",
            "ROOST_GENERATION": "2",
            "PRIORITY": "3",
            "SYSLOG_IDENTIFIER": "roost",
            "_PID": shown("MainPID"),
        }
        self.assertEqual({name: failed[0][name] for name in expected}, expected)
        ready = [entry for entry in entries if entry.get("ROOST_EVENT") == "worker-ready"]
        self.assertEqual(sorted(entry["ROOST_SLOT"] for entry in ready), ["0", "1"])
        self.assertTrue(all(int(entry["WORKER_PID"]) > 1 for entry in ready))
        # In this test's own mount namespace: the machine's catalogs stay as they are.
        catalogs = "/usr/lib/systemd/catalog"
        subprocess.run(["mount", "--bind", str(BIN) + catalogs, catalogs], check=True)
        self.addCleanup(subprocess.run, ["umount", catalogs], check=True)
        subprocess.run(["journalctl", "--update-catalog"], check=True, capture_output=True)
        explained = self.journal("-x", f"MESSAGE_ID={failed[0]['MESSAGE_ID']}")
        self.assertIn("The reload of web has failed", explained)
        self.assertIn("The former workers keep serving.", explained)

    def test_a_unit_that_is_made_for_a_configuration_works(self):
        self.configure(user='"nobody"', drain_timeout='"2m"')
        made = subprocess.run([str(ROOST_BIN), "unit", "web"], capture_output=True, text=True, check=True).stdout
        self.assertIn("TimeoutStopSec=150\n", made)
        (UNITS / "web.service").write_text(made)
        verified = subprocess.run(["systemd-analyze", "verify", str(UNITS / "web.service")], capture_output=True, text=True)
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))
        systemctl("daemon-reload")
        systemctl("start", "web")
        systemctl("reload", "web")
        self.assert_served_by(2)
        systemctl("stop", "web")

    def test_a_stop_waits_for_a_request_in_flight(self):
        self.install()
        systemctl("start", NAME)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(greeting("/sleep?seconds=2")))
        asking.start()
        # Answers to later requests say that the one before them has arrived.
        for _ in range(50):
            greeting()
        systemctl("stop", NAME)
        asking.join()
        self.assertTrue(answers[0].startswith("HTTP/1.1 200 OK"), answers)
        self.assertIn("slept for 2.0 s", answers[0])
        self.assertEqual(shown("Result"), "success")

    def test_installing_a_new_version_upgrades_the_master_in_place(self):
        self.install()
        systemctl("start", NAME)
        main = shown("MainPID")
        before = os.stat(f"/proc/{main}/exe").st_ino
        load = Load("127.0.0.1:8080")
        build = str(pathlib.Path(ROOST).parent)
        for _ in range(3):
            result = subprocess.run(
                [str(ROOT / "scripts/install")],
                check=True,
                capture_output=True,
                text=True,
                env=dict(os.environ, BUILD=build, PREFIX=str(BIN / "usr")),
            )
            self.assertRegex(result.stdout, r"web: upgraded from version [\d.]+ to version [\d.]+")
            systemctl("reload", NAME)
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertEqual(shown("MainPID"), main)
        self.assertNotEqual(os.stat(f"/proc/{main}/exe").st_ino, before)
        self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("active", "0"))
        # The watchdog and the status go on too. The last retirees may still drain.
        eventually(lambda: self.assertEqual(shown("StatusText"), "generation 4 serves: 2 of 2 workers ready"))
        self.assertIn("upgraded the master from version", self.journal())

    def test_a_start_that_fails_is_a_failed_start(self):
        self.install(start_attempts="1")
        self.deploy("exit 3")
        self.assertNotEqual(systemctl("start", NAME, check=False).returncode, 0)
        self.assertNotEqual(shown("ActiveState"), "active")

    def test_what_cannot_work_is_not_tried_again(self):
        self.install()
        self.release.unlink()
        self.assertNotEqual(systemctl("start", NAME, check=False).returncode, 0)
        self.assertEqual(shown("ActiveState"), "failed")
        self.assertEqual(shown("ExecMainStatus"), "78")
        self.assertEqual(shown("NRestarts"), "0")

    def test_a_killed_master_is_replaced_and_none_of_its_workers_lives_on(self):
        self.install(pid_file='"/run/web.pid"')
        systemctl("start", NAME)
        main = int(shown("MainPID"))
        workers = children_of(main)
        self.assertEqual(len(workers), 2)
        os.kill(main, signal.SIGKILL)
        for pid in workers:
            wait_for_exit(pid)
        follow_journal("Main process exited", " serves with ")
        self.assertIn("of generation ", greeting())
        self.assertEqual(shown("NRestarts"), "1")

    def test_a_socket_unit_holds_connections_while_the_service_restarts(self):
        shutil.copy(ROOT / "systemd/web.socket", UNITS)
        self.install(listen='["systemd:http"]')
        systemctl("start", "web.socket")
        # Nobody serves yet: the connection starts the service, and waits for it.
        self.assertIn("of generation 1 ", greeting())
        load = Load("127.0.0.1:8080", kept_alive=0, new=4)
        systemctl("restart", NAME)
        systemctl("reload", NAME)
        follow_journal(" succeeded after ")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)

    def test_systemd_waits_longer_than_its_timeouts_where_the_master_needs_it(self):
        self.install()
        # Longer than a busy machine takes to get the master going, which can ask for nothing before.
        self.change_unit(("TimeoutStopSec=90", "TimeoutStopSec=5"), ("TimeoutStartSec=90", "TimeoutStartSec=5"))
        self.deploy("exec /run/roost-test/demo-worker --ready-delay 7")
        systemctl("start", NAME)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(greeting("/sleep?seconds=3")))
        asking.start()
        for _ in range(50):
            greeting()
        systemctl("stop", NAME)
        asking.join()
        self.assertIn("slept for 3.0 s", answers[0])
        self.assertEqual(shown("Result"), "success")

    def test_a_watchdog_of_systemd_is_content(self):
        self.install()
        self.change_unit(("WatchdogSec=3min", "WatchdogSec=200ms"))
        systemctl("start", NAME)
        before = shown("WatchdogTimestampMonotonic")
        for _ in range(1000):
            greeting()
            if shown("WatchdogTimestampMonotonic") != before:
                break
        self.assertNotEqual(shown("WatchdogTimestampMonotonic"), before)
        self.assertEqual(shown("NRestarts"), "0")

    def test_what_the_check_accepts_the_template_can_start(self):
        # Some machines keep CAP_SYS_RESOURCE from everybody: there only the nice value can be tried.
        bounding = int(re.search(r"CapBnd:\t(\w+)", pathlib.Path("/proc/self/status").read_text())[1], 16)
        limit = {"limit": "{ open-files = 1000000 }"} if bounding & 1 << 24 else {}
        self.install(user='"www-data"', nice="-5", **limit)
        subprocess.run([BIN / "usr/bin/roost", "check", str(FILE)], check=True, capture_output=True)
        systemctl("start", NAME)
        self.assertIn("Hello", greeting())

    def test_a_reload_finds_a_control_directory_of_the_configuration(self):
        self.install(control_directory=f'"{BIN}/own"')
        systemctl("start", NAME)
        systemctl("reload", NAME)
        eventually(lambda: self.assertIn("generation 2 serves", shown("StatusText")))
        # Not even a configuration that can't be read hides the way.
        self.configure(control_directory=f'"{BIN}/other"', wrong="1")
        self.assertNotEqual(systemctl("reload", NAME, check=False).returncode, 0)
        eventually(lambda: self.assertIn("there is no option 'wrong'", shown("StatusText")))

    def test_the_unit_is_well_formed_and_hardened(self):
        self.install()
        result = subprocess.run(["systemd-analyze", "verify", str(UNITS / "roost@.service")], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        systemctl("start", NAME)
        result = subprocess.run(["systemd-analyze", "security", "--no-pager", "roost@web.service"], capture_output=True, text=True)
        score = float(result.stdout.split("Overall exposure level for roost@web.service: ")[1].split()[0])
        self.assertLess(score, 5.0, result.stdout)


if __name__ == "__main__":
    unittest.main()
