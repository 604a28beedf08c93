"""Small stumbles of the command line: what is typed by habit, and what a command does beside a service that runs."""

import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import unittest

import surroundings
from harness import PATIENCE, ROOST, ROOT, RoostTestCase, Service

GOOD = [sys.executable, "-B", str(ROOT / "Tests/Doctor/good.py")]
IS_ROOT = os.geteuid() == 0
READY = 'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'


def roost(*arguments, **run):
    return subprocess.run([ROOST, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **run)


class UsualPlace(RoostTestCase):
    """Services that are found by name alone, and no others."""

    def setUp(self):
        super().setUp()
        if IS_ROOT and not surroundings._hidden:
            self.skipTest("services of this machine can't be put out of reach")
        runtime = self.folder / "run"
        runtime.mkdir()
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}

    def roost(self, *arguments):
        return roost(*arguments, env=self.environment)

    def start_named(self, name, *arguments, command):
        # Generations would go on counting where another test has left a record.
        state = self.folder / f"state-{name}"
        state.mkdir()
        service = Service(
            ["--name", name, "--state-directory", str(state), "--ready", "pipe", "--settle", "0s", *arguments, "--", *command],
            env=self.environment,
        )
        self.services.append(service)
        return service.serving()

    def start_file(self, path):
        service = Service(["--config", str(path)], env=self.environment)
        self.services.append(service)
        return service.serving()


class Words(unittest.TestCase):
    def assert_advised(self, arguments, *expected):
        result = roost(*arguments)
        self.assertEqual((result.returncode, result.stdout), (64, ""), arguments)
        for text in expected:
            self.assertIn(text, result.stderr)

    def test_words_of_other_tools_say_what_to_type(self):
        self.assert_advised(["restart", "web"], "there is no 'roost restart'", "'roost reload web'", "'systemctl restart roost@web'")
        self.assert_advised(["restart", "--drained", "web"], "'roost reload web'")
        self.assert_advised(["restart"], "'roost reload NAME'")
        self.assert_advised(["start", "web"], "'systemctl start roost@web'", "'roost run web'")
        self.assert_advised(["enable", "web"], "'systemctl enable --now roost@web'")
        self.assert_advised(["kill", "web"], "'roost stop web'")
        self.assert_advised(["log", "web"], "'roost logs web'")
        self.assert_advised(["ps"], "'roost list'")
        self.assert_advised(["configtest", "web"], "'roost check web'")

    def test_they_are_in_no_help_and_no_other_word_is_touched(self):
        self.assertNotIn("restart", roost("--help").stdout)
        result = roost("rubbish")
        self.assertEqual(result.returncode, 64)
        self.assertNotIn("there is no 'roost", result.stderr)
        for command in re.findall(r"^  (\w+)  ", roost("--help").stdout.partition("SUBCOMMANDS:")[2], re.M):
            self.assertNotIn("there is no 'roost", roost(command, "--help").stdout + roost(command, "--help").stderr)
        # As a value it is one.
        self.assertEqual(roost("check", "restart").returncode, 78)


class Files(RoostTestCase):
    """The file in the place of a name or of a command."""

    def setUp(self):
        super().setUp()
        self.file = self.folder / "web.toml"
        self.file.write_text(READY)

    def test_run_takes_a_file_as_it_stands_and_reads_it_anew(self):
        for path, extra in (str(self.file), {}), ("web.toml", {"cwd": self.folder}):
            with self.subTest(path):
                self.file.write_text(READY)
                service = self.start_bare(path, **extra).serving()
                self.file.write_text(READY + "workers = 2\n")
                self.assertIn("succeeded", service.reload())
                status = json.loads(roost("status", "--json", "--control-directory", service.control).stdout)
                self.assertEqual((status["name"], status["workersWanted"]), ("web", 2))
                service.stop()

    def test_a_file_that_is_not_there_is_no_service(self):
        result = roost("run", "none.toml", cwd=self.folder)
        self.assertEqual(result.returncode, 78)
        self.assertIn("none.toml: cannot be read: No such file or directory", result.stderr)
        self.assertNotIn("/etc/roost", result.stderr)

    def test_a_file_in_the_place_of_a_command(self):
        result = roost("run", "--", "web.toml", cwd=self.folder)
        self.assertEqual(result.returncode, 64)
        self.assertIn("'web.toml' is a configuration file, not a command: roost run --config web.toml", result.stderr)
        result = roost("doctor", "--", "web.toml", cwd=self.folder)
        self.assertEqual(result.returncode, 64)
        self.assertIn("roost doctor --config web.toml", result.stderr)

    def test_a_program_may_have_any_name(self):
        program = self.script("#!/bin/sh\necho >&$READY_FD\nexec tail -f /dev/null\n", name="server.toml")
        self.start(command=[str(program)]).serving()

    def test_a_command_in_the_place_of_a_name(self):
        result = roost("run", "./server", cwd=self.folder)
        self.assertEqual(result.returncode, 64)
        self.assertIn("'./server' isn't the name of a service; a command comes after '--': roost run -- ./server", result.stderr)

    def test_check_finds_the_file_of_the_working_directory(self):
        result = roost("check", "web.toml", cwd=self.folder)
        self.assertEqual(result.returncode, 0, result)
        self.assertTrue(result.stdout.startswith("web.toml: valid; the service web: "), result)

    def test_check_looks_in_etc_then(self):
        result = roost("check", "no-such-service.toml", cwd=self.folder)
        self.assertEqual(result.returncode, 78)
        self.assertIn("/etc/roost/no-such-service.toml: cannot be read", result.stderr)
        self.assertIn("/etc/roost/no-such-service.toml: cannot be read", roost("check", "no-such-service").stderr)


class BesideARunningService(RoostTestCase):
    def doctor(self, *arguments, command=GOOD):
        before = set(pathlib.Path("/tmp").glob("roost-doctor.*"))
        result = roost("doctor", "--json", "--ready", "notify", *arguments, "--", *command)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        self.assertEqual(set(pathlib.Path("/tmp").glob("roost-doctor.*")), before)
        return json.loads(result.stdout)

    def assert_moved(self, report, pattern):
        (note,) = report["notes"]
        self.assertRegex(note, pattern)
        (ready,) = [finding for finding in report["findings"] if finding["check"] == "listeners"]
        self.assertEqual(ready["outcome"], "ok")
        return ready["text"]

    def start_good(self, listener):
        service = self.start("--listen", listener, ready="notify", command=GOOD)
        return service, service.address()

    def test_a_port_is_left_to_the_service(self):
        for host in "127.0.0.1:", "[::1]:", "":
            with self.subTest(host):
                service, address = self.start_good(f"http={host}0")
                service.serving()
                port = address.rpartition(":")[2]
                report = self.doctor("--listen", f"http={host}{port}")
                text = self.assert_moved(report, rf"^http={re.escape(host or '*:')}{port} is in use, as by the service that runs: ")
                self.assertNotRegex(text, rf":{port}\b")
                self.assertTrue(text.startswith(f"accepts on http={host or '[::]:'}"), text)
                self.assertEqual(service.log.count("lost|drain|generation 2"), 0)
                service.stop()

    def test_a_port_that_would_be_shared_is_left_to_the_service_too(self):
        service, address = self.start_good("http=127.0.0.1:0,reuseport=true")
        service.serving()
        self.assert_moved(self.doctor("--listen", f"http={address},reuseport=true"), rf"^http={address} is in use")

    def test_a_unix_socket_is_left_to_the_service(self):
        path = self.folder / "web.sock"
        service, _ = self.start_good(f"http=unix:{path}")
        service.serving()
        inode = path.stat().st_ino
        text = self.assert_moved(
            self.doctor("--listen", f"http=unix:{path}"), rf"^http=unix:{path} is in use, .* gets http=unix:/tmp/roost-doctor"
        )
        self.assertIn("accepts on http=unix:/tmp/roost-doctor.", text)
        self.assertEqual(path.stat().st_ino, inode)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))

    def test_an_address_of_nobody_stays_as_it_is(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        report = self.doctor("--listen", f"http=127.0.0.1:{port}")
        self.assertEqual(report["notes"], [])
        self.assertIn(f"accepts on http=127.0.0.1:{port}", [finding["text"] for finding in report["findings"]])

    def test_people_are_told_too(self):
        service, address = self.start_good("http=127.0.0.1:0")
        result = roost("doctor", "--listen", f"http={address}", "--", *GOOD)
        self.assertRegex(result.stdout.splitlines()[1], rf"^  http={address} is in use, .* gets http=127\.0\.0\.1:\d+ in its place$")


class FixedOptions(UsualPlace):
    """What a reload can't change is called by the name under which it stands in the file."""

    def test_each_option_by_its_name(self):
        folder = self.folder / "control"
        path = self.folder / "web.toml"
        text = READY + f'control-directory = "{folder}"\n'
        path.write_text(text)
        service = self.start_file(path)
        group = os.getegid()
        for changed, told in (
            (text.replace("/control", "/other"), "'control-directory' has changed, which takes effect only when"),
            (text + f"control-group = {group}\n", "'control-group' has changed, which"),
            (
                text.replace("/control", "/other") + f'control-group = {group}\nmetrics = "9100"\nname = "x"\npid-file = "/run/x"\n',
                "'name', 'pid-file', 'control-directory', 'control-group' and 'metrics' have changed, which",
            ),
        ):
            path.write_text(changed)
            self.assertIn(f": {told}", service.reload())
        path.write_text(text)
        self.assertIn("succeeded", service.reload())

    def test_a_directory_that_goes_with_the_name_is_not_told(self):
        path = self.folder / "stumble-one.toml"
        path.write_text(READY)
        service = self.start_file(path)
        path.write_text(READY + 'name = "stumble-two"\n')
        self.assertIn(": 'name' has changed, which takes effect only when", service.reload())


@unittest.skipUnless(IS_ROOT, "only root can try what other users may do")
class Access(RoostTestCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.app = self.folder / "app"
        self.app.mkdir(mode=0o755)
        self.server = self.script("#!/bin/sh\n", name="app/server")

    def check(self, probe="", **options):
        path = self.folder / "web.toml"
        values = {"command": [str(self.server)], "user": "nobody", "directory": str(self.app), **options}
        path.write_text("".join(f"{name.replace('_', '-')} = {json.dumps(value)}\n" for name, value in values.items()) + probe)
        result = roost("check", path)
        lines = [line.removeprefix(f"roost: {path}: ") for line in result.stderr.splitlines()]
        self.assertEqual((result.returncode, result.stdout != ""), (78, False) if lines else (0, True), result)
        return lines

    def test_nothing_is_told_where_nothing_refuses(self):
        self.assertEqual(self.check(before_reload=[str(self.server)], after_takeover="true"), [])

    def test_the_first_that_refuses_on_the_way_to_command_directory_and_hooks(self):
        self.folder.chmod(0o700)
        because = f"(mode 700 of {self.folder}, which is root:root's)"
        self.assertEqual(
            self.check(before_reload=[str(self.server)], after_takeover=[str(self.server)]),
            [
                f"the user nobody can't enter {self.app} {because}",
                f"the user nobody can't execute {self.server} {because}",
                f"the user nobody can't execute {self.server} for 'before-reload' {because}",
                f"the user nobody can't execute {self.server} for 'after-takeover' {because}",
            ],
        )
        # Root gets everywhere.
        self.assertEqual(self.check(user="root"), [])

    def test_the_command_of_a_probe(self):
        probe = self.script("#!/bin/sh\n", name="ask", mode=0o700)
        self.assertEqual(
            self.check(f'probe = {{ command = ["{probe}"] }}\n', listen="127.0.0.1:0"),
            [f"the user nobody can't execute {probe} for 'probe' (mode 700 of {probe}, which is root:root's)"],
        )

    def test_the_file_itself(self):
        self.server.chmod(0o744)
        self.assertEqual(self.check(), [f"the user nobody can't execute {self.server} (mode 744 of {self.server}, which is root:root's)"])

    def test_a_script_has_to_be_read(self):
        self.server.chmod(0o711)
        self.assertEqual(
            self.check(),
            [f"the user nobody can't read {self.server}, as its interpreter has to (mode 711 of {self.server}, which is root:root's)"],
        )

    def test_the_interpreter_of_a_script(self):
        interpreter = self.folder / "interpreter"
        interpreter.write_bytes(pathlib.Path("/bin/sh").read_bytes())
        interpreter.chmod(0o750)
        self.server.write_text(f"#! {interpreter} -e\n")
        self.assertEqual(
            self.check(),
            [
                f"the user nobody can't execute {interpreter}, the interpreter of {self.server} (mode 750 of {interpreter}, which is "
                "root:root's)"
            ],
        )

    def test_groups_count(self):
        self.app.chmod(0o750)
        os.chown(self.app, 0, 1)
        self.assertEqual(len(self.check()), 2)
        self.assertEqual(self.check(supplementary_group=["daemon"]), [])
        self.assertEqual(self.check(group="daemon"), [])

    def test_links_are_followed_as_a_start_does(self):
        # A start goes by what the link leads to.
        closed = self.folder / "closed"
        closed.mkdir(mode=0o700)
        (closed / "current").symlink_to(self.app)
        self.assertEqual(self.check(command=[str(closed / "current/server")], directory=str(closed / "current")), [])
        self.start(
            "--user",
            "nobody",
            "--directory",
            str(closed / "current"),
            "--ready-after",
            "10ms",
            command=["/bin/sh", "-c", "exec tail -f /dev/null"],
            ready="none",
        ).serving()


class Terminals(UsualPlace):
    """What is different where a person looks on."""

    def terminal(self, command, rows=24, columns=80):
        """The near end of a terminal that a command controls."""
        number, far = pty.openpty()
        self.addCleanup(os.close, number)
        resize(number, rows, columns)
        pid = os.fork()
        if pid == 0:
            try:
                os.login_tty(far)
                os.execve(ROOST, [ROOST, *command], self.environment)
            finally:
                os._exit(127)
        os.close(far)
        return pid, number

    def read_until(self, number, pattern, text=""):
        """What comes, up to a line that matches."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, text, re.DOTALL):
            self.assertLess(time.monotonic(), deadline, f"no {pattern!r} in {text!r}")
            text += os.read(number, 65536).decode()
        return text

    SLOW = ["sh", "-c", "trap '' TERM; echo >&$READY_FD; exec tail -f /dev/null"]

    def test_the_first_interrupt_says_what_a_second_does(self):
        control = str(self.folder / "control")
        pid, number = self.terminal(["run", "--control-directory", control, "--ready", "pipe", "--settle", "0s", "--", *self.SLOW])
        self.read_until(number, "generation 1 serves")
        os.write(number, b"\x03")
        text = self.read_until(number, "Ctrl-C again stops at once")
        self.assertEqual(text.count("Ctrl-C again"), 1)
        os.write(number, b"\x03")
        self.assertNotIn("Ctrl-C again", self.read_until(number, "stopped\r\n").partition("stop at once requested")[2])
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_nobody_is_told_where_nobody_looks_on_or_nothing_is_left(self):
        service = self.start(command=self.SLOW).serving()
        service.signal(signal.SIGINT)
        service.expect("was sent SIGTERM")
        service.signal(signal.SIGINT)
        service.wait()
        self.assertEqual(service.log.count("again"), 0, service.log)

    def start_many(self):
        service = self.start("--workers", "12", "--name", "many")
        service.serving()
        return service

    def screen(self, service, *command, rows, columns=80):
        pid, number = self.terminal([*command, "--control-directory", service.control], rows, columns)
        self.addCleanup(end, pid)
        return number, Screen(rows, columns)

    def test_a_status_that_is_taller_than_the_screen_shows_what_fits(self):
        service = self.start_many()
        number, screen = self.screen(service, "status", "--watch", rows=10)
        for _ in range(3):
            screen.show(self.read_until(number, r"more lines\r\n\x1b\[\?7h"))
            self.assertEqual(screen.scrolled, 0, screen)
            self.assertRegex(screen.lines[0], "^many: generation 1 serves")
            # A line of its own for the cursor; headline, blank, head of the table, and of twelve workers what fits.
            self.assertEqual(screen.lines[8:], ["… 7 more lines", ""], screen)
            self.assertEqual([line.split()[0] for line in screen.lines[2:8]], ["SLOT", "0", "1", "2", "3", "4"])

    def test_a_screen_that_changes_its_size_is_drawn_anew(self):
        service = self.start_many()
        number, screen = self.screen(service, "status", "--watch", rows=10)
        screen.show(self.read_until(number, r"more lines\r\n\x1b\[\?7h"))
        for rows, columns, expected in (6, 40, r"… 1\d more lines\n"), (30, 100, None), (2, 20, None), (10, 80, r"… 7 more lines\n"):
            with self.subTest((rows, columns)):
                resize(number, rows, columns)
                # Whatever the terminal makes of what it shows, and wherever its cursor stands then.
                screen.resize(rows, columns)
                text = self.read_until(number, r"\x1b\[H\x1b\[J.*\x1b\[\?7h")
                screen.show(text[text.index("\x1b[H") :])
                self.assertNotIn("#", str(screen), screen)
                self.assertEqual(screen.scrolled, 0, screen)
                self.assertTrue(screen.lines[0].startswith("many: generation"), screen)
                self.assertRegex("\n".join(screen.lines[-2:]), f"^{expected}$" if expected else "^(?!.*more lines)")

    def test_what_fits_is_shown_as_it_is(self):
        service = self.start_many()
        number, screen = self.screen(service, "status", "--watch", rows=16)
        screen.show(self.read_until(number, r"\x1b\[\?7h"))
        self.assertNotIn("more lines", str(screen))
        self.assertEqual((screen.lines[14].split()[0], screen.lines[15], screen.scrolled), ("11", "", 0), screen)


class ReloadAll(UsualPlace):
    GOOD = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]

    def release(self, name):
        """A service whose release can be changed."""
        path = self.script("#!/bin/sh\necho >&$READY_FD\nexec tail -f /dev/null\n", name=name)
        return path, self.start_named(name, command=[str(path)])

    def test_where_none_runs(self):
        result = self.roost("reload", "--all")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (3, "", "roost: no service is running\n"))

    def test_every_service_one_after_the_other(self):
        (_, one), (_, two) = self.release("one"), self.release("two")
        result = self.roost("reload", "--all", "--drained")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        lines = result.stdout.splitlines()
        self.assertEqual([line for line in lines if not re.match("one: |two: ", line)], [])
        told = [line.partition(" succeeded")[0] for line in lines if "succeeded" in line]
        self.assertEqual(told, ["one: reload to generation 2", "two: reload to generation 2"])
        # The second begins when the first is over.
        self.assertEqual(lines, sorted(lines, key=lambda line: line[:4]))
        one.log.expect_count("drained and", 1)
        two.log.expect_count("drained and", 1)
        result = self.roost("reload", "--all", "--quiet")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_one_that_fails_is_told_and_the_others_get_their_turn(self):
        _, (_, two) = self.release("one"), self.release("two")
        self.script("#!/bin/sh\necho out of paper >&2\nexit 3\n", name="one")
        result = self.roost("reload", "--all", "--quiet")
        self.assertEqual((result.returncode, result.stdout), (1, ""), result)
        self.assertRegex(result.stderr, r"^roost: one: reload to generation 2 failed .*\n  \| out of paper\n$")
        two.expect("reload to generation 2 succeeded")
        self.script("#!/bin/sh\nexec tail -f /dev/null\n", name="one")
        result = self.roost("reload", "--all", "--timeout", "300ms", "--quiet")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^roost: one: no verdict within 300ms; the reload continues, .*\n$")
        two.expect("reload to generation 3 succeeded")

    def test_a_master_that_takes_no_call_is_told_too(self):
        (_, one), (_, two) = self.release("one"), self.release("two")
        one.signal(signal.SIGSTOP)
        try:
            result = self.roost("reload", "--all", "--quiet", "--timeout", "300ms")
        finally:
            one.signal(signal.SIGCONT)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, "^roost: one: no verdict within 300ms")
        two.expect("reload to generation 2 succeeded")

    def test_they_are_only_asked(self):
        (_, one), (_, two) = self.release("one"), self.release("two")
        self.assertEqual(self.roost("reload", "--all", "--no-wait").returncode, 0)
        for service in one, two:
            service.expect("reload to generation 2 succeeded")

    def test_all_and_one_contradict_each_other(self):
        for arguments in ["web"], ["--control-directory", "/run/x"]:
            result = self.roost("reload", "--all", *arguments)
            self.assertEqual(result.returncode, 64)
            self.assertIn("--all doesn't go with a name or --control-directory", result.stderr)

    def test_an_upgrade_of_all_where_none_runs_is_no_failure(self):
        result = self.roost("upgrade", "--all")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "no service is running\n", ""))


class Screen:
    """What a terminal shows of what a program writes: as much of one as the program uses."""

    PARTS = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n])")

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = self.scrolled = 0
        self.wraps = True

    def resize(self, rows, columns):
        """All that it shows is wrong from now on."""
        self.rows, self.columns = rows, columns
        self.cells = [["#"] * columns for _ in range(rows)]
        self.row, self.column = rows - 1, 0

    def show(self, text):
        for private, number, final, back, end, character in self.PARTS.findall(text):
            if back:
                self.column = 0
            elif end:
                self._down()
            elif character:
                self._put(character)
            elif private:
                assert number == "7", text
                self.wraps = final == "h"
            else:
                self._act(final, int(number or "1"))

    def _put(self, character):
        if self.column == self.columns:
            if self.wraps:
                self.column = 0
                self._down()
            else:
                self.column -= 1
        self.cells[self.row][self.column] = character
        self.column += 1

    def _down(self):
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.scrolled += 1
        self.cells = self.cells[1:] + [[" "] * self.columns]

    def _act(self, final, number):
        if final == "A":
            self.row = max(0, self.row - number)
        elif final == "H":
            self.row = self.column = 0
        elif final == "J":
            self.cells[self.row][self.column :] = [" "] * (self.columns - self.column)
            self.cells[self.row + 1 :] = [[" "] * self.columns for _ in range(self.rows - self.row - 1)]
        else:
            assert final == "m", final

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def __str__(self):
        return "\n".join(self.lines)


def resize(number, rows, columns):
    fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def end(pid):
    """A child that is still there."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    unittest.main()
