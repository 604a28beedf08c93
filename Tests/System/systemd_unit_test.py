"""What the shipped unit allows and keeps, under a real systemd. Runs inside Tests/with-systemd."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from harness import eventually
from systemd_test import BIN, NAME, ROOST_BIN, UNITS, SystemdTestCase, follow_journal, greeting, shown, systemctl

# A server that tells what it can do, as one line of JSON for each request. Run by the machine's own Python, of any user.
TELLING = r"""
import ctypes, errno, json, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "ok"

def opened(path):
    try:
        return open(path).read()
    except OSError as error:
        return errno.errorcode[error.errno]

def written(folder):
    try:
        open(f"{folder}/{os.getpid()}", "w").close()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]

facts = {"limit": resource.getrlimit(resource.RLIMIT_NOFILE), "uid": os.getuid(), "secret": os.environ.get("SECRET")}
facts["calls"] = {name: call(number, *arguments) for name, number, arguments in CALLS}
if "CREDENTIALS_DIRECTORY" in os.environ:
    facts["credential"] = opened(os.environ["CREDENTIALS_DIRECTORY"] + "/secret")
if "STATE_DIRECTORY" in os.environ:
    facts["state"] = [written(os.environ["STATE_DIRECTORY"] + below) for below in ["", "/data"]]
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    client.recv(4096)
    text = json.dumps(facts)
    client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
    client.close()
"""
# By their numbers, which newer calls have in common on all machines: pkey_alloc, pidfd_getfd, one that no kernel has.
PKEY, FORBIDDEN, UNKNOWN = (
    ("pkey", 330 if os.uname().machine == "x86_64" else 289, (0, 0)),
    ("forbidden", 438, (-1, 0, 0)),
    ("unknown", 4000, ()),
)


class TellingTestCase(SystemdTestCase):
    def telling(self, *calls):
        (BIN / "telling.py").write_text(f"CALLS = {list(calls)!r}\n{TELLING}")
        (BIN / "telling.py").chmod(0o644)
        BIN.chmod(0o755)
        self.deploy(f"exec /usr/bin/python3 -B {BIN}/telling.py")

    def facts(self):
        return json.loads(greeting().split("\n")[-1])

    def unit_of_its_own(self):
        made = subprocess.run([ROOST_BIN, "unit", "web"], capture_output=True, text=True, check=True).stdout
        (UNITS / "web.service").write_text(made)
        self.addCleanup((UNITS / "web.service").unlink, missing_ok=True)
        systemctl("daemon-reload")


class SystemCalls(TellingTestCase):
    def test_what_runtimes_ask_for_is_allowed_and_the_rest_fails_and_kills_nobody(self):
        self.telling(PKEY, FORBIDDEN, UNKNOWN)
        self.install(user='"www-data"')
        systemctl("start", NAME)
        calls = self.facts()["calls"]
        # A machine may have no protection keys.
        self.assertIn(calls["pkey"], ["ok", "ENOSPC", "EINVAL"])
        self.assertEqual(calls["forbidden"], "EPERM")
        self.assertIn(calls["unknown"], ["EPERM", "ENOSYS"])

    def test_a_worker_that_is_killed_for_a_system_call_is_told_with_why(self):
        self.install(start_attempts="1")
        self.change_unit(("SystemCallErrorNumber=EPERM\n", ""))
        systemctl("start", NAME)
        self.telling(FORBIDDEN)
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        why = r"was killed by SIGSYS \(.*a system call that SystemCallFilter= or SystemCallArchitectures= of the unit doesn't allow\)"
        self.assertRegex(self.journal("-o", "cat"), f"{why} before it was ready")
        eventually(lambda: self.assertRegex(shown("StatusText"), why))
        self.assertIn("of generation 1 ", greeting())


class Limits(TellingTestCase):
    def test_workers_get_the_soft_limit_and_the_master_raises_its_own(self):
        self.telling()
        self.install()
        systemctl("start", NAME)
        limits = pathlib.Path(f"/proc/{shown('MainPID')}/limits").read_text()
        soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits).groups()
        self.assertEqual(soft, hard)
        # systemd goes as far as a machine lets it that has a lower hard limit.
        self.assertEqual(self.facts()["limit"], [min(65536, int(hard)), int(hard)])

    def test_the_configuration_has_the_last_word(self):
        self.telling()
        self.install(limit="{ open-files = [100, 200] }")
        systemctl("start", NAME)
        self.assertEqual(self.facts()["limit"], [100, 200])


class SecondStart(TellingTestCase):
    """Another unit for a service that runs."""

    def assert_refused(self, second, first):
        systemctl("start", first)
        main = systemctl("show", first, "--value", "-p", "MainPID").stdout
        inode = os.stat("/run/roost/web/control").st_ino
        self.assertNotEqual(systemctl("start", second, check=False).returncode, 0)
        self.assertEqual(systemctl("show", second, "--value", "-p", "ExecMainStatus").stdout, "78\n")
        journal = subprocess.run(["journalctl", "-u", second, "-o", "cat"], capture_output=True, text=True).stdout
        self.assertIn(f"the service web is already running: process {main.strip()} has locked /run/roost/web/lock", journal)
        # The first one has noticed nothing, and is operated as before.
        self.assertEqual(systemctl("show", first, "--value", "-p", "MainPID").stdout, main)
        self.assertEqual(os.stat("/run/roost/web/control").st_ino, inode)
        systemctl("reload", first)
        self.assertEqual(subprocess.run([ROOST_BIN, "status", "web"], capture_output=True).returncode, 0)
        self.assert_served_by(2)
        systemctl("stop", first)
        self.assertEqual(subprocess.run([ROOST_BIN, "list"], capture_output=True, text=True).stdout.count("web"), 0)

    def test_a_made_unit_beside_the_template_is_refused_and_takes_nothing_away(self):
        self.install()
        self.unit_of_its_own()
        self.assert_refused("web.service", "roost@web.service")

    def test_the_journal_knows_of_which_unit_the_reason_is_although_it_reads_it_late(self):
        self.install()
        self.unit_of_its_own()
        systemctl("start", "roost@web.service")
        journald = int(systemctl("show", "systemd-journald", "--value", "-p", "MainPID").stdout)
        os.kill(journald, signal.SIGSTOP)
        try:
            self.assertNotEqual(systemctl("start", "web.service", check=False).returncode, 0)
        finally:
            os.kill(journald, signal.SIGCONT)
        subprocess.run(["journalctl", "--sync"], check=True)
        journal = subprocess.run(["journalctl", "-u", "web.service", "-o", "cat"], capture_output=True, text=True).stdout
        self.assertIn("the service web is already running: process ", journal)

    def test_the_template_beside_a_made_unit_is_refused_and_takes_nothing_away(self):
        self.install()
        self.unit_of_its_own()
        self.assert_refused("roost@web.service", "web.service")


class OtherUser(TellingTestCase):
    """What systemd makes for the unit's user, and workers of the file's user do with it (docs/operating.md)."""

    def setUp(self):
        super().setUp()
        self.telling()
        (BIN / "secret").write_text("SECRET=42")
        self.addCleanup(shutil.rmtree, "/var/lib/web", ignore_errors=True)

    def with_lines(self, *lines):
        self.change_unit(("[Service]\n", "[Service]\n" + "".join(f"{line}\n" for line in lines)))
        systemctl("start", NAME)
        return self.facts()

    def test_credentials_cannot_be_opened_by_the_files_user(self):
        self.install(user='"www-data"')
        facts = self.with_lines(f"LoadCredential=secret:{BIN}/secret")
        self.assertEqual((facts["uid"], facts["credential"]), (33, "EACCES"))

    def test_credentials_can_be_opened_by_the_units_user(self):
        self.install()
        facts = self.with_lines("User=www-data", f"LoadCredential=secret:{BIN}/secret")
        self.assertEqual((facts["uid"], facts["credential"]), (33, "SECRET=42"))

    def test_a_credential_that_the_master_reads_is_in_the_environment_of_the_files_user(self):
        self.install(user='"www-data"', environment_file=f'["/run/credentials/{NAME}.service/secret"]')
        facts = self.with_lines(f"LoadCredential=secret:{BIN}/secret")
        self.assertEqual((facts["uid"], facts["secret"]), (33, "42"))
        systemctl("reload", NAME)
        # The former worker is killed by its stop signal, perhaps with a connection.
        follow_journal("generation 1) drained")
        self.assertEqual(self.facts()["secret"], "42")

    def test_a_state_directory_is_the_units_users_and_one_within_it_can_be_given_away(self):
        self.install(user='"www-data"')
        self.assertEqual(self.with_lines("StateDirectory=web")["state"], ["EACCES", "ENOENT"])
        systemctl("stop", NAME)
        # systemd takes the directory back before it runs the next command, with all that is in it.
        chown = "ExecStartPre=chown www-data: /var/lib/web"
        facts = self.with_lines(chown)
        self.assertEqual((facts["uid"], facts["state"]), (33, ["EACCES", "ENOENT"]))
        systemctl("stop", NAME)
        self.change_unit((chown, ""))
        facts = self.with_lines("ExecStartPre=+install -d -o www-data /var/lib/web/data")
        self.assertEqual((facts["uid"], facts["state"]), (33, ["EACCES", "ok"]))
        systemctl("restart", NAME)
        self.assertEqual(self.facts()["state"], ["EACCES", "ok"])
        # What the worker of before has written is still its own.
        self.assertEqual(len(list(pathlib.Path("/var/lib/web/data").iterdir())), 4)
        self.assertEqual({path.stat().st_uid for path in pathlib.Path("/var/lib/web/data").iterdir()}, {33})

    def test_a_state_directory_of_the_units_user(self):
        self.install()
        self.assertEqual(self.with_lines("User=www-data", "StateDirectory=web")["state"][0], "ok")


if __name__ == "__main__":
    unittest.main()
