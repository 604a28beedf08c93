"""A cgroup for each worker, under a real systemd that delegates that of the unit. Runs inside Tests/with-systemd."""

import os
import pathlib
import re
import signal
import unittest

from harness import eventually, state, wait_for_exit
from systemd_test import BIN, NAME, SystemdTestCase, follow_journal, shown, systemctl
from test_strays import SERVER, ask

GROUPS = pathlib.Path("/sys/fs/cgroup")
# A process that does all it can not to be found: no parents, no session, no limit that tells whose it is.
ESCAPE = """
import resource

def escaping(task):
    if os.fork() > 0: os._exit(0)
    resource.setrlimit(10, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    task()

def leave(task):
    stray(lambda: escaping(task))
    os.wait()
"""


def group(pid):
    """The cgroup of a process, beside those of version 1 that the machine may have."""
    return re.search("^0::(.*)$", pathlib.Path(f"/proc/{pid}/cgroup").read_text(), re.M)[1]


class Cgroups(SystemdTestCase):
    def serve(self, text, **options):
        self.deploy_python(text)
        self.install(ready='"pipe"', **options)

    def deploy_python(self, text):
        following = BIN / "next"
        following.write_text(SERVER + ESCAPE + text)
        following.chmod(0o755)
        following.rename(self.release)

    def unit(self):
        return GROUPS / shown("ControlGroup").lstrip("/")

    def groups(self):
        """The cgroups of workers that are there."""
        return sorted(path.name for path in self.unit().glob("worker-*"))

    def answers(self, count=40):
        return [ask("127.0.0.1:8080") for _ in range(count)]

    def assert_only(self, name):
        self.assertEqual({answer for answer, _ in self.answers()}, {name})

    def assert_in_groups(self, count):
        """So many workers serve, each in a cgroup of its own."""
        main = shown("MainPID")
        found = {group(pid) for _, pid in self.answers(100)}
        self.assertEqual({pathlib.PurePath(path).name for path in found}, set(self.groups()))
        self.assertEqual(len(found), count)
        self.assertEqual(group(main), shown("ControlGroup") + "/master")

    def test_each_worker_has_one_from_its_first_moment_to_its_last(self):
        self.serve("say(); serve('one')")
        systemctl("start", NAME)
        self.assert_in_groups(2)
        before = self.groups()
        systemctl("reload", NAME)
        follow_journal(*["drained and was killed by SIGTERM"] * 2)
        eventually(lambda: self.assertEqual(len(self.groups()), 2))
        self.assertFalse(set(before) & set(self.groups()))
        self.assert_in_groups(2)
        lost = self.answers(1)[0][1]
        os.kill(lost, signal.SIGKILL)
        follow_journal("was killed by SIGKILL", "is ready")
        self.assert_in_groups(2)
        self.assertEqual(shown("ActiveState"), "active")
        unit = self.unit()
        systemctl("stop", NAME)
        eventually(lambda: self.assertFalse(unit.exists()))
        self.assertEqual(shown("Result"), "success")

    def test_workers_of_any_user_can_read_it_whatever_the_umask(self):
        # Where runtimes look for how much memory and how many processors there are.
        self.serve("say(); serve('one')")
        self.change_unit(("[Service]\n", "[Service]\nUMask=0077\n"))
        systemctl("start", NAME)
        for path in [self.unit() / "master", *self.unit().glob("worker-*")]:
            self.assertEqual(path.stat().st_mode & 0o777, 0o755)

    def test_no_process_gets_out_of_it(self):
        self.serve("say(); serve('good')")
        systemctl("start", NAME)
        self.deploy_python("leave(lambda: serve('bad')); sys.exit(1)")
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        follow_journal("left process")
        # They drain, and one that is ended while it answers resets.
        eventually(lambda: self.assert_only("good"), (AssertionError, ConnectionError))
        eventually(lambda: self.assertEqual(len(self.groups()), 2))

    def test_all_of_it_is_killed_in_one_go(self):
        self.serve("say(); serve('good')", drain_timeout='"500ms"', workers="1")
        systemctl("start", NAME)
        # It forks as fast as it can, and what it has forked does the same for a while.
        self.deploy_python(
            "ignoring()\n"
            "def breed():\n"
            "    for _ in range(200):\n"
            "        if os.fork() == 0:\n"
            "            os.setsid()\n"
            "            signal.pause()\n"
            "    serve('bad')\n"
            "leave(breed); sys.exit(1)"
        )
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        follow_journal("did not end within 500ms: killing it")
        eventually(lambda: self.assertEqual(len(self.groups()), 1))
        self.assert_only("good")

    def test_what_has_no_listener_stays_until_the_service_is_stopped(self):
        self.serve("stray(lambda: quietly(signal.pause)); say(); serve('good')", workers="1")
        systemctl("start", NAME)
        (served,) = {pid for _, pid in self.answers(5)}
        helper = int(pathlib.Path(f"/proc/{served}/task/{served}/children").read_text())
        self.deploy_python("say(); serve('better')")
        systemctl("reload", NAME)
        follow_journal("drained and was killed by SIGTERM")
        self.assert_only("better")
        self.assertNotEqual(state(helper), None)
        self.assertEqual(len(self.groups()), 2)
        # What was its cgroup goes with the next that does.
        os.kill(helper, signal.SIGKILL)
        wait_for_exit(helper)
        systemctl("reload", NAME)
        follow_journal(*["drained and was killed by SIGTERM"] * 2)
        eventually(lambda: self.assertEqual(len(self.groups()), 1))

    def test_an_upgraded_master_finds_them_again(self):
        self.serve("say(); serve('one')")
        systemctl("start", NAME)
        os.kill(int(shown("MainPID")), signal.SIGUSR2)
        follow_journal("upgraded the master")
        self.assert_in_groups(2)
        self.deploy_python("say(); serve('two')")
        systemctl("reload", NAME)
        self.assert_only("two")
        follow_journal(*["drained and was killed by SIGTERM"] * 2)
        eventually(lambda: self.assertEqual(len(self.groups()), 2))
        self.assert_in_groups(2)

    def test_so_does_one_that_systemd_has_started_anew(self):
        self.serve("say(); serve('one')")
        systemctl("start", NAME)
        os.kill(int(shown("MainPID")), signal.SIGKILL)
        follow_journal(" serves with ", " serves with ")
        self.assert_in_groups(2)

    def test_the_master_of_another_user_has_them_too(self):
        # Who may not read what belongs to root may not be able to execute this Python.
        self.serve("")
        self.deploy('exec /run/roost-test/demo-worker "$@"')
        self.configure(ready='"notify"')
        self.change_unit(("NotifyAccess=main", "NotifyAccess=main\nUser=nobody"))
        systemctl("start", NAME)
        systemctl("reload", NAME)
        follow_journal(*["drained and exited with status 0"] * 2)
        eventually(lambda: self.assertEqual(len(self.groups()), 2))
        for name in self.groups():
            (pid,) = (self.unit() / name / "cgroup.procs").read_text().split()
            self.assertEqual(pathlib.Path(f"/proc/{pid}/comm").read_text(), "demo-worker\n")

    def test_where_they_cannot_be_made_that_is_told_once_and_strays_are_found_all_the_same(self):
        self.serve("say(); serve('good')")
        self.change_unit(("NotifyAccess=main", "NotifyAccess=main\nProtectControlGroups=yes"))
        systemctl("start", NAME)
        told = "the unit's cgroup is delegated, but workers get no cgroups of their own: cannot make the cgroup"
        self.assertEqual(self.journal().count(told), 1)
        self.deploy_python("stray(lambda: serve('bad')); sys.exit(1)")
        self.assertEqual(systemctl("reload", NAME, check=False).returncode, 1)
        # They drain, and one that is ended while it answers resets.
        eventually(lambda: self.assert_only("good"), (AssertionError, ConnectionError))

    def test_without_delegation_nothing_is_touched(self):
        self.serve("say(); serve('one')")
        self.change_unit(("Delegate=pids\n", ""))
        systemctl("start", NAME)
        self.assertEqual(group(shown("MainPID")), shown("ControlGroup"))
        self.assertEqual(self.groups(), [])
        self.assertNotIn("cgroup", self.journal())


del SystemdTestCase
if __name__ == "__main__":
    unittest.main()
