"""What an operator names is read: any file or pipe, and whoever waits for it can be stopped."""

import os
import pathlib
import signal
import subprocess
import threading
import unittest

from harness import ROOST, Log, RoostTestCase, Service

COMMAND = 'command = ["sh", "-c", "echo A=$A >&2; echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'


def waits_in_open(pid):
    """Whether a process waits for somebody to write to a FIFO: in the call of open(2), or in read(2)."""
    call = pathlib.Path(f"/proc/{pid}/wchan").read_text()
    return "fifo" in call or "pipe" in call or "wait_for_partner" in call


class Reading(RoostTestCase):
    def setUp(self):
        super().setUp()
        self.fifo = self.folder / "fifo"
        os.mkfifo(self.fifo)

    def assert_waits(self, pid):
        self.eventually(lambda: self.assertTrue(waits_in_open(pid)))

    def assert_ended_by(self, number, arguments, ignored=()):
        def ignore():
            for other in ignored:
                signal.signal(other, signal.SIG_IGN)

        process = subprocess.Popen([ROOST, *arguments], stderr=subprocess.PIPE, text=True, preexec_fn=ignore)
        with process:
            try:
                self.assert_waits(process.pid)
                process.send_signal(number)
                self.assertNotEqual(process.wait(60), 0)
            finally:
                process.kill()

    def test_a_stop_ends_who_waits_for_a_file(self):
        environment = self.folder / "web.toml"
        environment.write_text(f'{COMMAND}environment-file = "{self.fifo}"\n')
        command = ["--", "tail", "-f", "/dev/null"]
        for arguments in [
            ["run", "--config", self.fifo],
            ["run", "--config", environment],
            ["run", "--environment-file", self.fifo, *command],
            ["check", self.fifo],
            ["check", environment],
            ["unit", self.fifo],
            ["doctor", "--config", self.fifo],
        ]:
            for number in [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]:
                with self.subTest(f"{arguments[:2]} {number.name}"):
                    self.assert_ended_by(number, [str(word) for word in arguments])

    def test_it_does_so_in_the_background_too(self):
        """A shell lets what it starts in the background ignore SIGINT and SIGQUIT. The master doesn't ignore them either."""
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]:
            self.assert_ended_by(number, ["run", "--config", str(self.fifo)], ignored=[signal.SIGINT, signal.SIGQUIT])

    def test_a_reload_that_is_asked_for_meanwhile_waits_for_the_master(self):
        service = self.start_bare("--config", str(self.fifo))
        self.assert_waits(service.pid)
        service.signal(signal.SIGHUP)
        self.fifo.write_text(COMMAND)
        service.expect("reload requested by SIGHUP")
        service.expect("reload to generation 2 began")
        # The file is read again, and nobody has written it.
        self.eventually(lambda: self.assertEqual(len(service.children()), 2))
        self.fifo.write_text(COMMAND)
        self.assertIn("succeeded", service.verdict())

    def test_what_is_sent_to_the_service_does_not_end_the_reader_of_a_reload(self):
        path = self.folder / "web.toml"
        path.write_text(COMMAND)
        service = self.start_bare("--config", str(path)).serving()
        worker = service.worker()
        path.unlink()
        path.symlink_to(self.fifo)
        service.signal(signal.SIGHUP)
        self.eventually(lambda: self.assertEqual(len(service.children()), 2))
        reader = next(pid for pid in service.children() if pid != worker)
        self.assert_waits(reader)
        for number in [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2]:
            os.kill(reader, number)
        self.fifo.write_text(COMMAND)
        self.assertIn("succeeded", service.verdict())

    def shell(self, line):
        """A service that a shell starts, with files that only a shell makes."""
        control = str(self.folder / "control")
        service = Service.__new__(Service)
        process = subprocess.Popen(
            ["bash", "-c", line, "bash", ROOST, control], stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        service.process, service.pid, service.control = process, process.pid, control
        service.log = Log()
        service.reader = threading.Thread(target=service.log.read_from, args=[process.stderr], daemon=True)
        service.reader.start()
        self.services.append(service)
        self.addCleanup(process.stdin.close)
        return service

    def test_a_pipe_of_the_shell_is_read_and_a_reload_says_that_it_is_gone(self):
        worker = "sh -c 'echo A=$A >&2; echo >&$READY_FD; exec tail -f /dev/null'"
        gone = "cannot be read again: it was a descriptor of the command that started the service; use a file or a FIFO"
        for name, line in {
            "environment": f'exec "$1" run --control-directory "$2" --ready pipe --settle 0s --environment-file <(echo A=1) -- {worker}',
            "optional": f'exec "$1" run --control-directory "$2" --ready pipe --settle 0s --environment-file=-<(echo A=1) -- {worker}',
            "configuration": f'exec "$1" run --control-directory "$2" --environment A=1 --config <(echo \'{COMMAND}\')',
            "stdin": (
                'exec < <(echo A=1); exec "$1" run --control-directory "$2" --ready pipe --settle 0s --environment-file /dev/stdin -- '
                f"{worker}"
            ),
        }.items():
            with self.subTest(name):
                service = self.shell(line)
                service.log.expect_count("^A=1$", 1)
                service.serving()
                self.assertRegex(service.reload(), f"^failed.*/dev/.* {gone}; generation \\d+ keeps serving")
                self.assertEqual(service.stop(), 0)

    def test_an_answer_is_never_read_as_a_file(self):
        """The descriptors of the process that reads for a reload have nothing to do with those of the start."""
        variables = self.folder / "variables"
        variables.write_text("A=1\n")
        path = self.folder / "web.toml"
        path.write_text(f'{COMMAND}environment-file = "{variables}"\n')
        service = self.start_bare("--config", str(path)).serving()
        for number in range(5):
            path.write_text(f'{COMMAND}environment-file = "/dev/fd/{number}"\n')
            self.assertRegex(service.reload(), f"failed.*environment-file: /dev/fd/{number} cannot be read again")
        link = self.folder / "link"
        link.symlink_to("/dev/stdin")
        path.write_text(f'{COMMAND}environment-file = "{link}"\n')
        self.assertRegex(service.reload(), f"failed.*environment-file: {link} cannot be read again")

    def test_why_a_file_cannot_be_read_is_told(self):
        directory = self.folder / "directory"
        directory.mkdir()
        loop = self.folder / "loop"
        loop.symlink_to(loop)
        socket = self.folder / "socket"
        subprocess.run(["python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", socket], check=True)
        for path, reason in [
            (directory, "Is a directory"),
            (loop, "Too many levels of symbolic links"),
            (socket, "No such device or address"),
            (self.folder / "none", "No such file or directory"),
            ("/dev/zero", "is longer than"),
        ]:
            for arguments in [["run", "--config", path], ["run", "--environment-file", path, "--", "true"]]:
                result = subprocess.run([ROOST, *arguments], capture_output=True, text=True)
                self.assertRegex(result.stderr, f"{path}:? (cannot be read: )?{reason}")
                self.assertIn(result.returncode, [64, 78])


class Check(unittest.TestCase):
    def test_it_reads_a_pipe_of_the_shell(self):
        line = '"$0" check <(echo \'command = ["/bin/true"]\')'
        result = subprocess.run(["bash", "-c", line, ROOST], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("1 worker of /bin/true", result.stdout)
