import json
import os
import pathlib
import resource
import signal
import subprocess
import sys

from harness import RoostTestCase
from surroundings import needs_open_files

# Tells everything about itself that a worker can see of what it was given.
WITNESS = r"""
import ctypes, json, os, signal, sys
number = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(number))
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
descriptors = {}
for name in os.listdir("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink("/proc/self/fd/" + name)
    except FileNotFoundError:
        pass
facts = {
    "descriptors": descriptors, "environment": dict(os.environ), "pid": os.getpid(), "group": os.getpgid(0),
    "parent": os.getppid(), "death": number.value, "directory": os.getcwd(), "blocked": int(status["SigBlk"], 16),
    "ignored": int(status["SigIgn"], 16), "arguments": sys.argv[1:],
}
os.write(int(os.environ["READY_FD"]), b"\n")
open(sys.argv[1], "w").write(json.dumps(facts))
signal.pause()
"""


class Spawn(RoostTestCase):
    def witness(self, *arguments, **popen):
        """What a worker sees. The facts come through a FIFO, so that they are waited for."""
        fifo = self.folder / "facts"
        os.mkfifo(fifo)
        command = [sys.executable, "-c", WITNESS, str(fifo), "two words", ""]
        service = self.start(*arguments, command=command, **popen)
        with open(fifo) as facts:
            return service, json.loads(facts.read())

    def test_listeners_come_first_and_nothing_else_is_open(self):
        unix = self.folder / "x.sock"
        service, facts = self.witness("-l", "a=127.0.0.1:0", "-l", f"b=unix:{unix}", "--name", "web")
        descriptors = facts["descriptors"]
        self.assertEqual(descriptors["0"], "/dev/null")
        self.assertRegex(descriptors["3"], "^socket:")
        self.assertRegex(descriptors["4"], "^socket:")
        self.assertRegex(descriptors["5"], "^pipe:")
        # 6 is the FIFO or the listing of the folder: the worker's own.
        self.assertLessEqual(set(descriptors) - {"6"}, set("012345"))
        environment = facts["environment"]
        self.assertEqual(environment["LISTEN_FDS"], "2")
        self.assertEqual(environment["LISTEN_FDNAMES"], "a:b")
        self.assertEqual(environment["LISTEN_PID"], str(facts["pid"]))
        self.assertEqual(environment["READY_FD"], "5")
        self.assertEqual((environment["ROOST_SERVICE"], environment["ROOST_SLOT"], environment["ROOST_GENERATION"]), ("web", "0", "1"))

    def test_a_worker_has_a_group_of_its_own_and_dies_with_the_master(self):
        service, facts = self.witness("--stop-signal", "QUIT")
        self.assertEqual(facts["group"], facts["pid"])
        self.assertEqual(facts["parent"], service.pid)
        self.assertEqual(facts["death"], signal.SIGQUIT)

    def test_arguments_come_as_they_were_written(self):
        _, facts = self.witness()
        self.assertEqual(facts["arguments"][1:], ["two words", ""])

    def test_whatever_the_master_was_started_with_a_worker_starts_clean(self):
        def spoil():
            for number in [signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1, signal.SIGCHLD, 40]:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            for number in range(3, 40):
                os.dup2(0, number)

        spoiled = dict(
            os.environ,
            LISTEN_FDS="3",
            LISTEN_PID="1",
            LISTEN_FDNAMES="x",
            LISTEN_PIDFDID="1",
            WATCHDOG_USEC="1000000",
            WATCHDOG_PID="1",
            NOTIFY_SOCKET=self.upstream().path,
            MAINPID="1",
            MAINPIDFDID="1",
            FDSTORE="9",
            SYSTEMD_EXEC_PID="1",
            ROOST_STATE="1:3",
            READY_FD="9",
            ROOST_ANYTHING="x",
        )
        _, facts = self.witness(preexec_fn=spoil, close_fds=False, stdin=subprocess.DEVNULL, env=spoiled)
        self.assertEqual(facts["blocked"], 0)
        # Python ignores SIGPIPE and SIGXFSZ itself.
        self.assertEqual(facts["ignored"] & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1), 0)
        self.assertLessEqual(set(facts["descriptors"]) - {"4"}, set("0123"))
        environment = facts["environment"]
        for name in [
            "LISTEN_FDS",
            "LISTEN_FDNAMES",
            "LISTEN_PIDFDID",
            "WATCHDOG_USEC",
            "WATCHDOG_PID",
            "MAINPID",
            "MAINPIDFDID",
            "FDSTORE",
            "SYSTEMD_EXEC_PID",
            "ROOST_STATE",
            "ROOST_ANYTHING",
        ]:
            self.assertNotIn(name, environment)
        self.assertEqual(environment["READY_FD"], "3")
        self.assertTrue(environment["NOTIFY_SOCKET"].startswith("@roost/"))

    def test_descriptors_that_were_closed_are_nobodys(self):
        facts = self.folder / "facts"
        os.mkfifo(facts)
        command = 'exec "$0" "$@" <&- >&- 2>&-'
        text = f'it=$(ls -l /proc/$$/fd); echo "$it" > {facts}; echo >&$READY_FD; exec tail -f /dev/null'
        self.start("-l", "127.0.0.1:0", "--direct-stderr", command=["sh", "-c", text], launcher=["sh", "-c", command])
        with open(facts) as file:
            listing = file.read()
        for number in [0, 1, 2]:
            self.assertRegex(listing, rf" {number} -> /dev/null\n")
        self.assertRegex(listing, r" 3 -> socket:")

    @needs_open_files(4096)
    def test_the_master_may_have_more_files_than_its_workers(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))

        service = self.start("-n", "30", preexec_fn=limit).serving()
        self.assertEqual(resource.prlimit(service.pid, resource.RLIMIT_NOFILE), (4096, 4096))
        self.assertEqual(resource.prlimit(service.worker(), resource.RLIMIT_NOFILE), (64, 4096))
        self.assertIn("succeeded", service.reload())
        # The new binary mustn't take the raised limit for what it was started with.
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(resource.prlimit(service.pid, resource.RLIMIT_NOFILE), (4096, 4096))
        self.assertIn("succeeded", service.reload())
        self.assertEqual(resource.prlimit(service.worker(), resource.RLIMIT_NOFILE), (64, 4096))

    def test_a_descriptor_that_systemd_is_said_to_have_passed_must_be_open(self):
        for named in ["systemd:x", "127.0.0.1:0"]:
            service = self.start("-l", named, launcher=["sh", "-c", 'LISTEN_FDS=2 LISTEN_FDNAMES=x:y LISTEN_PID=$$ exec "$0" "$@"'])
            self.assertEqual(service.wait(), 78)
            self.assertRegex(str(service.log), "cannot take the descriptors that systemd passed: Bad file descriptor")

    def test_what_is_no_text_in_the_environment_reaches_workers_unchanged(self):
        word = b"gr\xfc\xdfe \xc3\xa9 \xf4\x8f\xbe\x80"
        facts = self.folder / "facts"
        os.mkfifo(facts)
        text = f'printf %s "$WORD" > {facts}; echo >&$READY_FD; exec tail -f /dev/null'
        service = self.start(command=["sh", "-c", text], env={**os.environb, b"WORD": word})
        self.assertEqual(facts.read_bytes(), word)
        service.serving()
        # It is a part of the state.
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        os.kill(service.worker(), signal.SIGKILL)
        self.assertEqual(facts.read_bytes(), word)

    def test_a_hundred_listeners_arrive_in_their_order(self):
        options = [part for index in range(100) for part in ["-l", f"n{index}=127.0.0.1:0"]]
        service, facts = self.witness(*options)
        ports = [service.address().rsplit(":", 1)[1] for _ in range(100)]
        self.assertEqual(facts["environment"]["LISTEN_FDNAMES"], ":".join(f"n{index}" for index in range(100)))
        inodes = [facts["descriptors"][str(3 + index)] for index in range(100)]
        by_inode = {}
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            parts = line.split()
            by_inode[f"socket:[{parts[9]}]"] = str(int(parts[1].split(":")[1], 16))
        self.assertEqual([by_inode[inode] for inode in inodes], ports)

    def test_a_moved_link_is_followed_by_a_reload_and_not_by_a_restart(self):
        for release in ["1", "2"]:
            (self.folder / release).mkdir()
            self.script(
                f"#!/bin/sh\necho release {release} in $PWD and $(/bin/pwd) >&2; echo >&$READY_FD; exec tail -f /dev/null\n",
                f"{release}/server",
            )
        link = self.folder / "current"
        link.symlink_to("1")
        service = self.start(command=[str(link / "server")], cwd=str(link), env=dict(os.environ, PWD=str(link)))
        one = f"release 1 in {self.folder}/1 and {self.folder}/1"
        two = f"release 2 in {self.folder}/2 and {self.folder}/2"
        service.serving()
        service.log.expect_count(one, 1)
        link.unlink()
        link.symlink_to("2")
        os.kill(service.worker(), signal.SIGKILL)
        service.log.expect_count(one, 2)
        service.expect("is ready")
        self.assertIn("succeeded", service.reload())
        service.log.expect_count(two, 1)

    def test_a_relative_command_is_taken_from_the_working_directory(self):
        self.script("#!/bin/sh\necho >&$READY_FD; exec tail -f /dev/null\n")
        self.start(command=["./server"], cwd=str(self.folder)).serving()
