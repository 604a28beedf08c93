"""No signal and no limit ends the master but those that are meant to."""

import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import threading

from harness import PATIENCE, ROOST, WORKER, Log, RoostTestCase

# With the number that signal(7) gives it, for a Python that doesn't know it.
SIGSTKFLT = 16
UNHEEDED = [
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGXCPU,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGIO,
    signal.SIGPWR,
    SIGSTKFLT,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
]


class Signals(RoostTestCase):
    def status(self, service):
        return subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE)

    def test_what_means_nothing_to_a_master_does_nothing(self):
        service = self.start().serving()
        for number in UNHEEDED:
            service.signal(number)
        self.assertEqual(self.status(service).returncode, 0)
        self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        for number in UNHEEDED:
            service.signal(number)
        self.assertEqual(service.stop(), 0)

    def test_workers_have_the_defaults(self):
        service = self.start("--restart-delay-limit", "100ms").serving()
        for number in signal.SIGPIPE, signal.SIGXFSZ, signal.SIGALRM, signal.SIGRTMIN:
            pid = service.worker()
            os.kill(pid, number)
            service.expect(f"worker {pid} .* was killed by ")
            service.expect("is ready")

    def test_a_log_that_has_reached_its_limit_does_not_end_the_service(self):
        file = self.folder / "log"
        with open(file, "w") as log:
            control = str(self.folder / "c")
            process = subprocess.Popen(
                [ROOST, "run", "--control-directory", control, "--ready", "pipe", "--settle", "0s", "--", *WORKER], stderr=log
            )
        self.eventually(lambda: self.assertIn("generation 1 serves", file.read_text()))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file.stat().st_size + 10, resource.RLIM_INFINITY))
        for _ in range(3):
            reload = subprocess.run([ROOST, "reload", "--control-directory", control], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(reload.returncode, 0, reload.stderr)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_an_upgrade_under_a_limit_of_file_sizes(self):
        service = self.start().serving()
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(resource.prlimit(service.pid, resource.RLIMIT_FSIZE), (10, resource.RLIM_INFINITY))
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (10, 10))
        service.signal(signal.SIGUSR2)
        service.expect(
            r" error upgrade of the master refused: cannot write the state: File too large \(.*RLIMIT_FSIZE.*\); version .* keeps running"
        )
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)

    def test_a_start_under_a_limit_that_is_too_low_fails_and_says_so(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        service = self.start(preexec_fn=limit)
        service.expect(r"^\S+Z error cannot write the state: File too large \(.*RLIMIT_FSIZE.*\)$")
        self.assertEqual(service.wait(), 70)
        # Where nothing can be said, the status says it.
        with open(self.folder / "errors", "wb") as file:
            result = subprocess.run(
                [ROOST, "run", "--control-directory", str(self.folder / "c"), "--", *WORKER],
                stderr=file,
                preexec_fn=limit,
                timeout=PATIENCE,
            )
        self.assertEqual(result.returncode, 70)

    def test_what_is_meant_for_the_master_does_not_reach_the_reader_of_the_configuration(self):
        fifo = self.folder / "environment"
        os.mkfifo(fifo)
        file = self.folder / "web.toml"
        text = f'command = {json.dumps(WORKER)}\nready = "pipe"\nsettle = "0s"\n'
        file.write_text(text)
        service = self.start_bare("--config", str(file)).serving()
        file.write_text(f'{text}environment-file = "{fifo}"\n')
        for name in "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGINT":
            service.signal(signal.SIGHUP)
            service.expect("reload to generation .* began")
            [reader] = self.eventually(lambda: self.others(service))
            os.kill(reader, getattr(signal, name))
            with open(fifo, "w") as environment:
                environment.write("A=1\n")
            self.assertIn("succeeded", service.verdict(), name)

    def others(self, service):
        pids = {int(line.split("worker ")[1].split()[0]) for line in service.log.lines if "worker " in line and "started" in line}
        others = [pid for pid in service.children() if pid not in pids]
        self.assertEqual(len(others), 1)
        return others


class Terminal(RoostTestCase):
    """A master in the foreground of a terminal that goes."""

    def start_on_terminal(self, launcher=()):
        """A master whose controlling terminal this is. Returns its pid, its log, and the terminal's other end."""
        control, own = pty.openpty()
        log = Log()

        def own_terminal():
            os.setsid()
            fcntl.ioctl(own, termios.TIOCSCTTY, 0)

        command = [ROOST, "run", "--control-directory", str(self.folder / "c"), "--ready", "pipe", "--settle", "0s", "--", *WORKER]
        process = subprocess.Popen([*launcher, *command], stdin=own, stdout=own, stderr=subprocess.PIPE, text=True, preexec_fn=own_terminal)
        threading.Thread(target=log.read_from, args=[process.stderr], daemon=True).start()
        self.addCleanup(process.stderr.close)
        self.addCleanup(self.end, process)
        os.close(own)
        log.expect("generation 1 serves")
        return process, log, control

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def test_closing_the_terminal_stops_the_service(self):
        process, log, control = self.start_on_terminal()
        os.close(control)
        log.expect("stop requested by SIGHUP, because the terminal is gone")
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_shell_that_hangs_up_its_jobs_stops_the_service(self):
        # A shell sends its jobs a SIGHUP when its terminal is gone. The master may see that one only.
        shell = """
import os, signal, subprocess, sys
job = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: os.setpgid(0, 0))
signal.signal(signal.SIGHUP, lambda *_: os.kill(job.pid, signal.SIGHUP))
sys.exit(job.wait())
"""
        process, log, control = self.start_on_terminal([sys.executable, "-c", shell])
        os.close(control)
        log.expect("stop requested by SIGHUP, because the terminal is gone")
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_with_nohup_the_service_goes_on_and_can_be_reloaded(self):
        process, log, control = self.start_on_terminal(["sh", "-c", 'trap "" HUP; exec "$@"', "sh"])
        os.close(control)
        log.expect("the terminal is gone; SIGHUP is ignored, because the master was started with it ignored, as by nohup")
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            log.expect("reload to generation .* succeeded")
        self.assertEqual(log.count("stop requested"), 0)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_process_that_sends_it_asks_for_a_reload(self):
        process, log, control = self.start_on_terminal()
        process.send_signal(signal.SIGHUP)
        log.expect("reload requested by SIGHUP$")
        log.expect("reload to generation 2 succeeded")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        os.close(control)
