"""Small stumbles of operators under a real systemd. Runs inside Tests/with-systemd."""

import json
import re
import subprocess
import unittest

from harness import PATIENCE, ROOT
from systemd_test import NAME, ROOST_BIN, UNITS, SystemdTestCase, follow_journal, greeting, shown, systemctl


def roost(*arguments, **run):
    return subprocess.run([ROOST_BIN, *arguments], capture_output=True, text=True, timeout=PATIENCE, **run)


class Names(SystemdTestCase):
    def headline(self, *arguments):
        result = roost("doctor", *arguments)
        self.assertEqual(result.stderr, "")
        return result.stdout.splitlines()[0]

    def test_the_template_s_unit_is_found_by_the_name_of_the_service(self):
        self.install()
        self.assertEqual(self.headline("--unit", "web"), "roost@web.service, the service web, as there is no web.service")
        (UNITS / "web.service").write_text(roost("unit", "web").stdout)
        systemctl("daemon-reload")
        self.assertEqual(self.headline("--unit", "web"), "web.service, the service web")
        self.assertEqual(self.headline("--unit", NAME), "roost@web.service, the service web")

    def test_where_there_is_neither(self):
        result = roost("doctor", "--unit", "web")
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertIn("systemd has no unit web.service, nor roost@web.service to compare: it is not-found", result.stderr)

    def test_a_file_of_etc(self):
        self.configure()
        result = roost("check", "web.toml", cwd="/")
        self.assertEqual(result.returncode, 0, result)
        self.assertTrue(result.stdout.startswith("/etc/roost/web.toml: valid; the service web: "), result)
        # Not for what runs: a reload would read another file as soon as there is one here.
        result = roost("run", "web.toml", cwd="/")
        self.assertEqual(result.returncode, 64)
        self.assertIn("there is no web.toml here; the one in /etc/roost is that of: roost run web\n", result.stderr)


class FailedReloads(SystemdTestCase):
    def fail_reload(self, command):
        self.deploy("echo 'cannot open the database' >&2; exit 3")
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 1)
        follow_journal("keeps serving")
        return result

    def assert_told(self, text, count=1):
        self.assertEqual(len(re.findall(r"reload to generation \d+ failed after", text)), count, text)

    def test_systemctl_has_it_in_the_journal_once(self):
        self.install(workers="1")
        systemctl("start", NAME)
        self.fail_reload(["systemctl", "reload", NAME])
        follow_journal("Reload failed for")
        journal = self.journal("-o", "cat")
        self.assert_told(journal)
        self.assertEqual(journal.count("cannot open the database"), 1, journal)
        # Whoever has typed it looks there, as systemctl says.
        status = systemctl("status", "--no-pager", "-l", NAME, check=False).stdout
        self.assertRegex(
            status, r"Status: .*; reload to generation \d+ failed: worker \d+ \(slot 0\) exited with status 3 before it was ready"
        )
        self.assertRegex(status, r" roost\[\d+\]: reload to generation \d+ failed after \d+ ms: worker \d+ \(slot 0\) exited with status 3")
        self.assertRegex(status, r" web\[\d+\]: cannot open the database")
        entries = [json.loads(line) for line in self.journal("-p", "err", "-o", "json").splitlines()]
        self.assertIn("reload-failed", [entry.get("ROOST_EVENT") for entry in entries])

    def test_what_only_the_command_knows_is_in_the_journal(self):
        self.install(workers="1", ready_timeout='"1s"')
        systemctl("start", NAME)
        self.change_unit(("reload --quiet %i", "reload --quiet --timeout 50ms %i"))
        self.deploy("exec sleep 1000")
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        follow_journal("roost: no verdict within 50ms; the reload continues")

    def test_a_person_is_told(self):
        self.install(workers="1")
        systemctl("start", NAME)
        result = self.fail_reload([ROOST_BIN, "reload", "--quiet", "web"])
        self.assert_told(result.stderr)
        self.assertIn("\n  | cannot open the database\n", result.stderr)
        self.assert_told(self.journal("-o", "cat"))

    def test_a_unit_of_another_is_told_in_its_own_journal(self):
        self.install(workers="1")
        systemctl("start", NAME)
        self.fail_reload(["systemd-run", "--quiet", "--wait", "--unit=deploy", "--", str(ROOST_BIN), "reload", "--quiet", "web"])
        subprocess.run(["journalctl", "--sync"], check=True)
        journal = subprocess.run(["journalctl", "--no-pager", "-o", "cat", "-u", "deploy"], capture_output=True, text=True)
        self.assert_told(journal.stdout)


class Sockets(SystemdTestCase):
    def add_socket(self, *changes):
        text = (ROOT / "systemd/web.socket").read_text()
        for shipped, wanted in changes:
            self.assertIn(shipped, text)
            text = text.replace(shipped, wanted)
        (UNITS / "web.socket").write_text(text)
        systemctl("daemon-reload")

    def finding(self):
        report = json.loads(roost("doctor", "--json", "--unit", "web").stdout)
        (finding,) = [finding for finding in report["findings"] if finding["check"] == "TriggeredBy"]
        return finding

    def state(self):
        return [systemctl("is-active", unit, check=False).stdout.strip() for unit in (NAME, "web.socket")]

    def test_a_socket_unit_that_comes_when_the_service_runs(self):
        self.install()
        self.assertEqual(self.finding()["text"], "no .socket unit: the service opens its listeners itself")
        systemctl("start", NAME)
        self.add_socket()
        self.assertNotEqual(systemctl("start", "web.socket", check=False).returncode, 0)
        # systemd opens it for no service that runs, and a restart of that changes nothing.
        systemctl("restart", NAME)
        self.assertEqual(self.state(), ["active", "inactive"])
        finding = self.finding()
        self.assertEqual(finding["outcome"], "warning")
        self.assertRegex(finding["text"], "^web.socket is there and doesn't listen, and won't while this service runs: ")
        command = finding["mend"].partition(": ")[0]
        self.assertEqual(command, "systemctl stop roost@web.service && systemctl start web.socket roost@web.service")
        subprocess.run(command, shell=True, check=True, timeout=PATIENCE)
        self.assertEqual(self.state(), ["active", "active"])
        self.assertIn("Hello from worker", greeting())
        self.assertEqual((self.finding()["outcome"], self.finding()["text"]), ("ok", "web.socket, which listens"))
        # It isn't opened anew under the service either.
        systemctl("restart", "web.socket", check=False)
        self.assertEqual(self.state()[1], "inactive")
        self.assertEqual(self.finding()["outcome"], "warning")

    def test_a_socket_unit_before_the_first_start(self):
        self.install()
        self.add_socket()
        self.assertEqual(self.finding()["text"], "web.socket, which hasn't been started")
        systemctl("start", "web.socket")
        systemctl("start", NAME)
        self.assertEqual(self.finding()["text"], "web.socket, which listens")

    def test_a_socket_unit_of_another_service_has_the_address(self):
        for listen, stream in ('["http=8080"]', "8080"), ('["http=unix:/run/web.sock"]', "/run/web.sock"):
            with self.subTest(stream):
                self.install(listen=listen)
                self.add_socket(
                    ("Service=roost@web.service", "Service=roost@other.service"), ("ListenStream=8080", f"ListenStream={stream}")
                )
                systemctl("start", "web.socket")
                # It is tried again, so that nobody can wait for it.
                systemctl("start", "--no-block", NAME)
                follow_journal(
                    "Address already in use (systemd listens there for a .socket unit, which 'systemctl list-sockets' shows: "
                    "Service= in it has to name the unit of this service, or stop it)"
                )
                finding = self.finding()
                self.assertEqual((finding["outcome"], finding["mend"]), ("warning", "Service=roost@web.service in it"))
                self.assertEqual(finding["text"], "web.socket is for roost@other.service, and passes this service nothing")
                self.assertNotEqual(shown("ActiveState"), "active")
                systemctl("stop", NAME, "web.socket")
                systemctl("reset-failed")
                # As it says.
                self.add_socket(("ListenStream=8080", f"ListenStream={stream}"))
                systemctl("start", "web.socket", NAME)
                self.assertEqual(self.state(), ["active", "active"])
                systemctl("stop", NAME, "web.socket")
                subprocess.run(["journalctl", "--rotate", "--vacuum-time=1us"], check=True, capture_output=True)


if __name__ == "__main__":
    unittest.main()
