"""What workers write, and what people see on a terminal."""

import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

from harness import PATIENCE, ROOST, Log, RoostTestCase, wait_for_exit

READY = "echo >&$READY_FD; exec tail -f /dev/null"


class Terminal:
    """A pseudo-terminal of 100 columns, and what was written to it."""

    def __init__(self, arguments, columns=100, **popen):
        self.main, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = dict(os.environ, TERM="xterm-256color")
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            arguments, stdin=end, stdout=end, stderr=end, env=dict(environment, **popen.pop("env", {})), start_new_session=True, **popen
        )
        os.close(end)
        self.text = ""
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.main, 65536)
            except OSError as error:
                if error.errno == errno.EIO:
                    return
                raise
            with self.changed:
                self.text += data.decode()
                self.changed.notify_all()

    def expect(self, pattern):
        with self.changed:
            if not self.changed.wait_for(lambda: re.search(pattern, self.text), PATIENCE):
                raise AssertionError(f"{pattern!r} isn't in:\n{self.text!r}")

    def wait(self):
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        os.close(self.main)
        return status

    def screen(self):
        """The lines that are left when the cursor movements have been carried out."""
        lines, row = [""], 0
        for part in re.split(r"(\x1b\[\d*[A-Za-z]|\r?\n)", self.text):
            if match := re.fullmatch(r"\x1b\[(\d*)A", part):
                row = max(0, row - int(match[1] or 1))
            elif part == "\x1b[J":
                lines[row:] = [""]
            elif part.endswith("\n"):
                row += 1
                while len(lines) <= row:
                    lines.append("")
            elif not part.startswith("\x1b"):
                lines[row] += part
        return [line for line in lines if line]


class Output(RoostTestCase):
    def output_of(self, *options, text, stdout=subprocess.PIPE):
        """A service whose stdout is read, too."""
        service = self.start(*options, command=["sh", "-c", text], stdout=stdout)
        service.output = Log()
        if stdout == subprocess.PIPE:
            thread = threading.Thread(target=service.output.read_from, args=[service.process.stdout], daemon=True)
            thread.start()
            self.addCleanup(self.end, service, thread)
        return service

    def end(self, service, thread):
        if service.process.poll() is None:
            service.signal(signal.SIGQUIT)
        service.process.wait(PATIENCE)
        thread.join(PATIENCE)
        service.process.stdout.close()

    def test_what_workers_write_is_passed_on_untouched(self):
        service = self.output_of(text=f"echo out; printf 'err\\tor\\n  two\\n' >&2; {READY}").serving()
        service.output.expect("^out$")
        service.log.expect_count("^err\tor$", 1)
        service.log.expect_count("^  two$", 1)

    def test_stdout_is_the_masters_own(self):
        service = self.output_of(text=f"it=$(readlink /proc/$$/fd/1); echo $it > {self.folder}/one; {READY}").serving()
        self.assertEqual((self.folder / "one").read_text().strip(), os.readlink(f"/proc/{service.pid}/fd/1"))

    def test_stderr_can_be_the_masters_own_too(self):
        service = self.output_of("--direct-stderr", text=f"it=$(readlink /proc/$$/fd/2); echo $it > {self.folder}/two; {READY}").serving()
        self.assertEqual((self.folder / "two").read_text().strip(), os.readlink(f"/proc/{service.pid}/fd/2"))

    def test_all_bytes_arrive_in_their_order_however_many_there_are(self):
        target = self.folder / "log"
        script = (
            "import os, sys\nfor i in range(200000): sys.stderr.write(f'line {i}\\n')\nos.write(3, b'\\n')\nimport signal; signal.pause()"
        )
        with open(target, "wb") as file:
            process = subprocess.Popen(
                [ROOST, "run", "--ready", "pipe", "--control-directory", str(self.folder / "c"), "--", sys.executable, "-c", script],
                stderr=file,
            )
            self.eventually(lambda: self.assertIn(b"line 199999\n", target.read_bytes()[-200000:]))
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 0)
        # Bytes are passed on as they come, so a line of the master's own may stand within one of the worker's.
        passed = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z (info|warning|error) .*\n", "", target.read_text())
        wanted = "".join(f"line {index}\n" for index in range(200000))
        # Not assertEqual, which would print both.
        self.assertTrue(passed == wanted, f"{len(passed)} of {len(wanted)} bytes, or others")

    def test_a_flood_that_nobody_reads_holds_back_the_worker_and_not_the_master(self):
        read_end, write_end = os.pipe()
        process = subprocess.Popen(
            [
                ROOST,
                "run",
                "-n",
                "2",
                "--ready",
                "pipe",
                "--settle",
                "0s",
                "--drain-timeout",
                "200ms",
                "--control-directory",
                str(self.folder / "c"),
                "--",
                "sh",
                "-c",
                "echo >&$READY_FD; exec yes flood >&2",
            ],
            stderr=write_end,
            stdout=subprocess.DEVNULL,
        )
        os.close(write_end)
        control = ["--control-directory", str(self.folder / "c")]
        try:
            self.eventually(lambda: self.assertEqual(subprocess.run([ROOST, "status", *control], capture_output=True).returncode, 0))
            for _ in range(3):
                self.assertEqual(subprocess.run([ROOST, "reload", "-q", *control], timeout=PATIENCE).returncode, 0)
            before = self.cpu(process.pid)
            time.sleep(1)
            self.assertLess(self.cpu(process.pid) - before, 10, "the master waits")
            rss = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
            self.assertLess(rss, 60_000_000)
        finally:
            subprocess.run([ROOST, "stop", "-q", *control], timeout=PATIENCE)
            self.assertEqual(process.wait(PATIENCE), 0)
            os.close(read_end)

    def cpu(self, pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_a_flood_that_is_read_does_not_keep_the_master_from_working(self):
        service = self.start(
            "--drain-timeout", "200ms", command=["sh", "-c", "echo >&$READY_FD; exec yes flood >&2"], stdout=subprocess.DEVNULL
        )
        control = ["--control-directory", service.control]
        self.eventually(lambda: self.assertEqual(subprocess.run([ROOST, "status", *control], capture_output=True).returncode, 0))
        for _ in range(3):
            result = subprocess.run([ROOST, "reload", "-q", *control], timeout=PATIENCE, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
        subprocess.run([ROOST, "stop", "-q", *control], timeout=PATIENCE)
        self.assertEqual(service.process.wait(PATIENCE), 0)

    def test_a_worker_that_ignores_sigpipe_drains_without_a_master(self):
        script = (
            f"trap '' PIPE; trap 'echo draining >&2; echo more >&2; echo drained > {self.folder}/done; exit 0' TERM; "
            "echo >&$READY_FD; while :; do sleep 0.05; done"
        )
        service = self.start(command=["sh", "-c", script]).serving()
        service.signal(signal.SIGKILL)
        service.process.wait(PATIENCE)
        self.eventually(lambda: self.assertTrue((self.folder / "done").exists()))
        self.reap()
        service.reader.join(PATIENCE)

    def test_a_worker_that_writes_on_without_a_master_does_not_wait_for_it(self):
        # More than a pipe holds: it would wait for a reader for ever, and keep the listeners.
        text = (
            "import os, signal\n"
            "def drain(*_):\n"
            "    os.write(2, b'x' * 200000)\n"
            "    os._exit(0)\n"
            "signal.signal(signal.SIGTERM, drain)\n"
            "os.write(int(os.environ['READY_FD']), b'\\n')\n"
            "while True: signal.pause()\n"
        )
        service = self.start(command=[sys.executable, "-c", text]).serving()
        service.signal(signal.SIGKILL)
        service.process.wait(PATIENCE)
        service.reader.join(PATIENCE)
        wait_for_exit(service.worker())
        self.reap()

    def unread(self, *arguments, command, **options):
        """A service whose stderr is a pipe that the test reads when it likes, its read end, and how to talk to it."""
        read_end, write_end = os.pipe()
        control = str(self.folder / "c")
        process = subprocess.Popen(
            [ROOST, "run", "--ready", "pipe", "--settle", "0s", "--control-directory", control, *arguments, "--", *command],
            stderr=write_end,
            stdout=write_end if options.pop("shared", False) else subprocess.DEVNULL,
        )
        os.close(write_end)
        self.addCleanup(self.end_unread, process, read_end)
        return process, read_end, ["--control-directory", control]

    def end_unread(self, process, read_end):
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.reap()
            raise
        finally:
            os.close(read_end)

    def status(self, control):
        result = subprocess.run([ROOST, "status", "--json", *control], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_a_pipe_that_workers_fill_too_does_not_stop_the_master(self):
        text = (
            "import os\n"
            "os.write(int(os.environ['READY_FD']), b'\\n')\n"
            "number = 2 if os.fork() == 0 else 1\n"
            "while True: os.write(number, b'x' * 4096)\n"
        )
        process, read_end, control = self.unread("--drain-timeout", "200ms", command=[sys.executable, "-c", text], shared=True)
        self.eventually(lambda: self.assertEqual(self.status(control)["phase"], "serving"))
        for _ in range(40):
            # Room for one part, for which the worker and the master race.
            for _ in range(10):
                os.read(read_end, 4096)
                time.sleep(0.003)
            time.sleep(0.03)
            where = pathlib.Path(f"/proc/{process.pid}/wchan").read_text()
            self.assertNotIn("pipe_write", where, "the master waits for the reader")
        self.status(control)
        subprocess.run([ROOST, "stop", "--at-once", "-q", *control], timeout=PATIENCE)
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_terminal_that_is_not_read_does_not_stop_the_master(self):
        # Of a terminal poll(2) says that it can be written to when there is room for less than is written.
        main, end = pty.openpty()
        self.addCleanup(os.close, main)
        control = ["--control-directory", str(self.folder / "c")]
        process = subprocess.Popen(
            [
                ROOST,
                "run",
                "--ready",
                "pipe",
                "--settle",
                "0s",
                "--drain-timeout",
                "200ms",
                *control,
                "--",
                "sh",
                "-c",
                "echo >&$READY_FD; exec yes flood >&2",
            ],
            stderr=end,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(end)
        try:
            self.eventually(lambda: self.assertEqual(self.status(control)["phase"], "serving"))
            for _ in range(5):
                os.read(main, 100)
                self.status(control)
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 0)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
                self.reap()

    def test_workers_that_are_lost_while_nobody_reads_cost_no_descriptors_and_bounded_memory(self):
        text = "echo >&$READY_FD; head -c 60000 /dev/zero >&2; exit 1"
        process, read_end, control = self.unread("--restart-delay", "1ms", "--restart-delay-limit", "2ms", command=["sh", "-c", text])

        def restarts(count):
            workers = self.status(control)["workers"]
            self.assertGreaterEqual(workers[0]["restarts"] if workers else 0, count)

        self.eventually(lambda: restarts(40))
        links = [os.readlink(link) for link in pathlib.Path(f"/proc/{process.pid}/fd").iterdir() if os.path.islink(link)]
        self.assertLess(len([link for link in links if link.startswith("pipe:")]), 10, links)
        rss = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
        self.assertLess(rss, 40_000_000)

    def test_the_last_words_of_a_service_wait_for_a_slow_reader(self):
        text = "head -c 65536 /dev/zero >&2; echo LAST >&2; exit 3"
        process, read_end, _ = self.unread("--start-attempts", "1", command=["sh", "-c", text])
        # No more parts fit by then: the log's lines take room too.
        self.eventually(lambda: self.assertGreater(self.queued(read_end), 60000))
        received = b""
        while part := os.read(read_end, 65536):
            received += part
        self.assertEqual(process.wait(PATIENCE), 1)
        self.assertIn(b"LAST\n", received)

    def queued(self, read_end):
        return struct.unpack("i", fcntl.ioctl(read_end, termios.FIONREAD, b"\0" * 4))[0]

    def reap(self):
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def test_lines_can_be_prefixed(self):
        text = "echo out $ROOST_SLOT; printf 'a\\nb' >&2; echo >&$READY_FD; sleep 0.2; echo c >&2; printf 'no end'; exec tail -f /dev/null"
        service = self.output_of("--log-prefix", "-n", "2", text=text).serving()
        for slot in range(2):
            service.output.expect_count(rf"^slot {slot} generation 1 \| out {slot}$", 1)
            service.log.expect_count(rf"^slot {slot} generation 1 \| a$", 1)
            service.log.expect_count(rf"^slot {slot} generation 1 \| bc$", 1)
        service.reload()
        service.output.expect_count(r"^slot 0 generation 2 \| out 0$", 1)
        # What has no end is passed on when there is nothing more to come.
        service.output.expect_count(r"^slot 0 generation 1 \| no end$", 1)

    def test_a_line_without_end_is_passed_on_in_parts(self):
        text = "head -c 20000 /dev/zero | tr '\\0' x >&2; " + READY
        service = self.output_of("--log-prefix", text=text).serving()
        service.log.expect_count(r"^slot 0 generation 1 \| x{8192}$", 2)

    def test_the_last_words_are_there_whatever_the_mode(self):
        for option in [[], ["--log-prefix"]]:
            service = self.output_of(*option, text=f"test $ROOST_GENERATION = 1 || {{ echo bad config >&2; exit 1; }}; {READY}").serving()
            result = subprocess.run([ROOST, "reload", "-q", "--control-directory", service.control], capture_output=True, text=True)
            self.assertRegex(result.stderr, r"  \| bad config\n$")


class OnATerminal(RoostTestCase):
    def terminal(self, *arguments, **options):
        terminal = Terminal(arguments, **options)
        self.addCleanup(lambda: terminal.process.poll() is None and terminal.process.kill())
        return terminal

    def release(self, text):
        path = self.script("#!/bin/sh\n" + text, "server.next")
        path.rename(self.folder / "server")

    def test_a_reload_is_shown_worker_by_worker_as_it_goes_on(self):
        # One for each: two readers of one might both be let go by one writer.
        gates = [self.folder / f"go{slot}" for slot in range(2)]
        for gate in gates:
            os.mkfifo(gate)
        self.release(READY)
        service = self.start("-n", "2", command=[str(self.folder / "server")], settle="300ms").serving()
        self.release(f"read go < {self.folder}/go$ROOST_SLOT; {READY}")
        terminal = self.terminal(ROOST, "reload", "--control-directory", service.control)
        terminal.expect(r"reloading to generation 2  \d+\.\ds")
        terminal.expect(r"slot 1  generation 2  pid \d+  starting  0\.[1-9]s")
        for gate in gates:
            gate.write_text("go\n")
        terminal.expect("ready, settling")
        self.assertEqual(terminal.wait(), 0)
        screen = terminal.screen()
        self.assertRegex(screen[-1], r"^✓ reload to generation 2 succeeded after \d+ ms$")
        self.assertEqual(len([line for line in screen if "settled, serving" in line]), 2, screen)
        self.assertEqual(len([line for line in screen if "generation 1" in line]), 2, screen)
        self.assertLessEqual(max(len(line) for line in screen), 100)

    def test_a_failed_reload_says_why_below(self):
        self.release(READY)
        service = self.start(command=[str(self.folder / "server")]).serving()
        self.release("echo sorry >&2; exit 3")
        terminal = self.terminal(ROOST, "reload", "--control-directory", service.control)
        self.assertEqual(terminal.wait(), 1)
        self.assertRegex(terminal.text.replace("\r", ""), r"roost: reload to generation 2 failed.*status 3.*\n  \| sorry\n$")

    def test_ctrl_c_ends_the_waiting_and_not_the_reload(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        self.release(READY)
        service = self.start(command=[str(self.folder / "server")]).serving()
        self.release(f"read go < {fifo}; {READY}")
        terminal = self.terminal(ROOST, "reload", "--control-directory", service.control)
        terminal.expect("starting")
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.wait(), -signal.SIGINT)
        fifo.write_text("go\n")
        self.assertIn("succeeded", service.verdict())

    def test_status_can_be_watched(self):
        service = self.start("--name", "web").serving()
        terminal = self.terminal(ROOST, "status", "--watch", "--control-directory", service.control, columns=60)
        terminal.expect("generation 1 serves")
        service.reload()
        terminal.expect("generation 2 serves")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait()
        self.assertEqual(len([line for line in terminal.screen() if line.startswith("web")]), 1)
        self.assertLessEqual(max(len(line) for line in terminal.screen()), 60)

    def test_the_log_is_for_people(self):
        terminal = self.terminal(
            ROOST,
            "run",
            "--ready",
            "pipe",
            "--log-prefix",
            "--control-directory",
            str(self.folder / "c"),
            "--",
            "sh",
            "-c",
            f"echo hello; {READY}",
        )
        terminal.expect(r"\x1b\[2m\d\d:\d\d:\d\d\.\d{3}\x1b\[0m generation 1 serves")
        terminal.expect(r"\x1b\[36mslot 0 generation 1 \| \x1b\[0mhello")
        terminal.process.send_signal(signal.SIGTTOU)
        terminal.expect(r"\x1b\[33mthe number of workers stays at 1")
        terminal.process.terminate()
        self.assertEqual(terminal.wait(), 0)

    def test_colours_can_be_refused(self):
        service = self.start("--name", "web").serving()
        terminal = self.terminal(ROOST, "status", "--control-directory", service.control, env={"NO_COLOR": "1"})
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn("\x1b", terminal.text)

    def test_a_closed_pipe_is_no_crash(self):
        service = self.start("-n", "30").serving()
        result = subprocess.run(
            f"{ROOST} status --control-directory {service.control} | head -n 1", shell=True, capture_output=True, text=True
        )
        self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()
