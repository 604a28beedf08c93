import os
import pathlib
import signal
import socket
import subprocess
import unittest

from harness import ROOST, WORKER, RoostTestCase


class Start(RoostTestCase):
    def test_pid_parent_and_arguments_stay_from_the_command_to_its_end(self):
        service = self.start("--name", "web").serving()
        place = ["--control-directory", service.control]
        arguments = [*place, "--start-attempts", "3", "--ready", "pipe", "--settle", "0s", "--name", "web", "--", *WORKER]
        command = pathlib.Path(f"/proc/{service.pid}/cmdline").read_bytes().split(b"\0")[:-1]
        self.assertEqual([part.decode() for part in command], [ROOST, "run", *arguments])
        service.reload()
        status = pathlib.Path(f"/proc/{service.pid}/status").read_text()
        self.assertIn(f"PPid:\t{os.getpid()}\n", status)
        self.assertIn("Threads:\t1\n", status)
        self.assertEqual(pathlib.Path(f"/proc/{service.pid}/cmdline").read_bytes().split(b"\0")[:-1], command)
        self.assertEqual(service.stop(), 0)

    def assert_refused(self, pattern, *arguments, command=WORKER):
        service = self.start(*arguments, command=command)
        service.expect(pattern)
        self.assertEqual(service.wait(), 78)
        self.assertEqual(service.log.count("started"), 0)

    def test_a_command_that_does_not_exist_is_refused_before_anything_is_opened(self):
        self.assert_refused("cannot execute ./app: No such file or directory", "-l", "127.0.0.1:0", command=["./app"])
        self.assert_refused("cannot execute no-such-app: it is in no directory of PATH", command=["no-such-app"])

    def test_a_command_that_is_not_executable_is_refused(self):
        path = self.script("#!/bin/sh\n", mode=0o644)
        self.assert_refused(f"cannot execute {path}: Permission denied", command=[str(path)])
        self.assert_refused(f"cannot execute {self.folder}: Is a directory", command=[str(self.folder)])

    def test_a_command_whose_interpreter_is_missing_fails_the_start_and_says_so(self):
        path = self.script("#!/no/such/interpreter\n")
        service = self.start("--start-attempts", "2", command=[str(path)])
        service.expect(f"was not started: cannot execute {path}: No such file or directory .*interpreter.*another in 100ms")
        service.expect("start failed: worker of slot 0: cannot execute")
        self.assertEqual(service.wait(), 1)

    def test_a_worker_that_never_was_is_not_told_to_drain(self):
        path = self.script("#!/no/such/interpreter\n")
        service = self.start("-n", "2", "--start-attempts", "1", command=[str(path)])
        service.expect("start failed: worker of slot 0: cannot execute")
        self.assertEqual(service.wait(), 1)
        self.assertEqual(service.log.count("was sent SIGTERM"), 0)

    @unittest.skipUnless(os.geteuid() == 0, "root alone has a capability to lose")
    def test_a_capability_that_the_master_has_not_is_named(self):
        for option, capability in [(["--nice=-5"], "sys_nice"), (["--limit", "open-files=2000000"], "sys_resource")]:
            service = self.start(*option, "--start-attempts", "1", launcher=["setpriv", f"--bounding-set=-{capability}"])
            service.expect(f"start failed: .*: cannot set .* needs CAP_{capability.upper()}\\b")
            self.assertEqual(service.wait(), 1)

    def test_a_worker_that_exits_is_tried_again_and_then_the_start_has_failed(self):
        service = self.start("-n", "2", command=["sh", "-c", "test $ROOST_SLOT = 1 && exit 3; echo >&$READY_FD; exec tail -f /dev/null"])
        service.expect(r"\(slot 1, generation 1\) exited with status 3 before it was ready; starting another in 100ms")
        service.expect(r"\(slot 1, generation 1\) exited with status 3 before it was ready; starting another in 200ms")
        service.expect(r"start failed: worker \d+ \(slot 1\) exited with status 3 before it was ready")
        service.expect(r"\(slot 0, generation 1\) was sent SIGTERM")
        self.assertEqual(service.wait(), 1)

    def test_a_worker_that_is_never_ready_fails_the_start(self):
        service = self.start("--ready-timeout", "200ms", "--start-attempts", "1", command=["tail", "-f", "/dev/null"])
        service.expect(r"start failed: worker \d+ \(slot 0\) was not ready within 200ms")
        self.assertEqual(service.wait(), 1)

    def test_a_port_in_use_is_refused_by_name_and_place(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            self.assert_refused(f"cannot listen on http={address}: Address already in use .*ss -lntpx", "-l", f"http={address}")

    def test_a_port_means_ipv6_and_ipv4(self):
        service = self.start("-l", "0")
        port = int(service.address().rsplit(":", 1)[1])
        service.serving()
        for host in ["127.0.0.1", "::1"]:
            socket.create_connection((host, port)).close()

    def test_a_socket_file_that_a_dead_process_left_is_replaced_and_removed_at_the_end(self):
        path = self.folder / "x.sock"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        service = self.start("-l", f"unix:{path}").serving()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        self.assertEqual(service.stop(), 0)
        self.assertFalse(path.exists())

    def test_a_socket_file_that_somebody_listens_on_is_left_alone(self):
        path = self.folder / "x.sock"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen()
            self.assert_refused("cannot listen on .*x.sock: Address already in use", "-l", f"unix:{path}")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))

    def test_a_file_that_is_no_socket_is_left_alone(self):
        path = self.script("precious")
        self.assert_refused("the file exists and isn't a socket", "-l", f"unix:{path}")
        self.assertEqual(path.read_text(), "precious")

    def test_the_pid_file_is_there_while_the_master_is(self):
        path = self.folder / "pid"
        service = self.start("--pid-file", str(path)).serving()
        self.assertEqual(path.read_text(), f"{service.pid}\n")
        service.stop()
        self.assertFalse(path.exists())

    def test_a_refused_master_leaves_the_pid_file_of_another_alone(self):
        path = self.folder / "pid"
        path.write_text("1\n")
        self.assert_refused("cannot execute", "--pid-file", str(path), command=["./nothing"])
        self.assertEqual(path.read_text(), "1\n")

    def test_a_pid_file_that_another_has_taken_over_is_not_removed(self):
        path = self.folder / "pid"
        service = self.start("--pid-file", str(path)).serving()
        path.write_text("1\n")
        service.stop()
        self.assertEqual(path.read_text(), "1\n")

    def test_a_pid_file_that_cannot_be_written_is_refused(self):
        self.assert_refused("cannot write the pid file .*No such file", "--pid-file", str(self.folder / "no/pid"))

    def test_a_reload_that_is_asked_for_before_the_master_is_there_waits_for_it(self):
        def ask():
            # Blocked until the program blocks it itself: no program can help what comes before its first instruction.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
            os.kill(os.getpid(), signal.SIGHUP)

        service = self.start(preexec_fn=ask)
        service.expect("reload requested by SIGHUP")
        self.assertIn("succeeded", service.verdict())


class Usage(RoostTestCase):
    def assert_usage(self, pattern, *arguments):
        result = subprocess.run([ROOST, *arguments], capture_output=True, text=True)
        self.assertEqual(result.returncode, 64, result.stderr)
        self.assertRegex(result.stderr, pattern)

    def test_what_makes_no_sense_is_refused_with_what_would(self):
        self.assert_usage("Say what to run: .* a command after '--'", "run", "--listen", "8080")
        self.assert_usage("'80x' is no address: use 8080, ", "run", "-l", "80x", "--", "true")
        self.assert_usage("'5' is no duration: use .*500ms", "run", "--settle", "5", "--", "true")
        self.assert_usage("--workers: 0 is out of range, expected a whole number from 1 to 1024", "run", "-n", "0", "--", "true")
        self.assert_usage("--surge: 0 is out of range", "run", "--surge", "0", "--", "true")
        self.assert_usage('--listen: there are two listeners named "a"', "run", "-l", "a=1", "-l", "a=2", "--", "true")
        self.assert_usage('"a" and "b" have the same address', "run", "-l", "a=1", "-l", "b=1", "--", "true")
        self.assert_usage("'KILL' can't ask a worker to stop", "run", "--stop-signal", "KILL", "--", "true")
        self.assert_usage("--ready-after: has a meaning only with 'ready' set to \"none\"", "run", "--ready-after", "1s", "--", "true")
        self.assert_usage("--ready-timeout: has no meaning", "run", "--ready", "none", "--ready-timeout", "1s", "--", "true")
        self.assert_usage("no name for a service", "run", "--name", "a/b", "--", "true")
        self.assert_usage("Argument 3 isn't UTF-8", "run", "--", b"\xff")
        self.assert_usage("--settel", "run", "--settel", "1s", "--", "true")

    def test_the_master_is_not_to_be_started_by_hand(self):
        result = subprocess.run([f"{ROOST}-master"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 70)
        self.assertIn("use 'roost run'", result.stderr)
