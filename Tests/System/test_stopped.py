"""Stopped workers: by a terminal, by an operator, by a debugger, by themselves. None is shown as ready, none is kept from draining."""

import datetime
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading

from harness import ANSWERED, PATIENCE, ROOST, Log, RoostTestCase, held, state, wait_for_exit


class Stopped(RoostTestCase):
    def status(self, service):
        command = [ROOST, "status", "--json", "--control-directory", service.control]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        # Whoever is stopped serves nobody.
        self.assertIn(result.returncode, ANSWERED, result.stderr)
        return json.loads(result.stdout)

    def states(self, service):
        return [worker["state"] for worker in self.status(service)["workers"]]

    def metric(self, service, name):
        command = [ROOST, "metrics", "--control-directory", service.control]
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        return next(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if name in line)

    def stop_worker(self, service, slot=0):
        pid = service.worker(slot)
        os.kill(pid, signal.SIGSTOP)
        service.expect(rf"worker {pid} \(slot {slot}, generation \d+\) was stopped by SIGSTOP: it does nothing until SIGCONT")
        return pid

    def test_a_stopped_worker_is_not_shown_as_ready(self):
        service = self.start("-n", "2").serving()
        pid = self.stop_worker(service)
        self.assertEqual(self.states(service), ["stopped", "ready"])
        result = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("1 of 2 workers ready", result.stdout)
        self.assertRegex(result.stdout, rf"{pid} +stopped")
        self.assertEqual(self.metric(service, 'role="current",state="ready"'), 1)
        self.assertEqual(self.metric(service, 'role="current",state="stopped"'), 1)
        os.kill(pid, signal.SIGCONT)
        service.expect(rf"worker {pid} \(slot 0, generation 1\) continues")
        self.assertEqual(self.states(service), ["ready", "ready"])
        self.assertEqual(self.metric(service, 'role="current",state="stopped"'), 0)

    def test_one_that_has_not_said_that_it_is_ready_is_stopped_too(self):
        service = self.start(command=["tail", "-f", "/dev/null"])
        service.expect("started")
        self.stop_worker(service)
        self.assertEqual(self.states(service), ["stopped"])

    def stops_itself(self, settle):
        """The next release is stopped as soon as it has said that it is ready. Returns the service with its candidate."""
        service = self.start("--settle", settle, command=[str(self.script("#!/bin/sh\necho >&$READY_FD\nexec tail -f /dev/null\n"))])
        service.serving()
        self.script("#!/bin/sh\necho >&$READY_FD\nkill -STOP $$\nexec tail -f /dev/null\n")
        service.signal(signal.SIGHUP)
        service.expect(r"slot 0, generation 2\) was stopped by SIGSTOP")
        return service, service.worker()

    def test_a_candidate_that_is_stopped_does_not_take_over(self):
        service, _ = self.stops_itself("1s")
        service.expect(r"reload to generation 2 failed .* was stopped by a signal while it settled; generation 1 keeps serving")
        self.assertEqual([worker["generation"] for worker in self.status(service)["workers"] if worker["role"] == "current"], [1])

    def test_one_that_goes_on_is_observed_anew(self):
        service, pid = self.stops_itself("3s")
        os.kill(pid, signal.SIGCONT)
        service.expect("reload to generation 2 succeeded")

        def moment(pattern):
            line = next(line for line in service.log.lines if re.search(pattern, line))
            return datetime.datetime.fromisoformat(line.split()[0])

        # By the clock of the log, which has milliseconds.
        self.assertGreaterEqual((moment("reload to generation 2 succeeded") - moment("continues")).total_seconds(), 2.999)

    def test_a_retiree_that_is_stopped_drains(self):
        service = self.start().serving()
        pid = self.stop_worker(service)
        self.assertIn("succeeded", service.reload())
        service.expect(rf"worker {pid} .* drained and was killed by SIGTERM")
        wait_for_exit(pid)

    def test_so_does_what_is_left_of_a_group(self):
        script = (
            f"{sys.executable} -c 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP)' & echo $! > {self.folder}/pid; "
            "echo >&$READY_FD; wait"
        )
        service = self.start("--drain-timeout", f"{int(PATIENCE)}s", command=["sh", "-c", script]).serving()
        child = int((self.folder / "pid").read_text())
        self.eventually(lambda: self.assertEqual(state(child), "T"))
        os.kill(service.worker(), signal.SIGKILL)
        wait_for_exit(child)
        service.expect("is ready")
        self.assertEqual(service.log.count("did not drain"), 0)

    def test_one_stop_among_many_of_others_at_once_is_heard(self):
        # The kernel tells of the oldest child first, and of all of them there is one signal.
        count = 300
        path = self.folder / "pids"
        script = (
            f"test $ROOST_GENERATION = 1 && for i in $(seq {count}); do setsid sh -c 'echo $$ >> {path}; exec tail -f /dev/null' & done; "
            f"until test $(wc -l < {path}) = {count}; do sleep 0.05; done; echo >&$READY_FD; exec tail -f /dev/null"
        )
        service = self.start(command=["sh", "-c", script]).serving()
        left = [int(pid) for pid in path.read_text().split()]
        first = service.worker()
        self.assertIn("succeeded", service.reload())
        wait_for_exit(first)
        # Theirs is the master now, and the third worker is younger than they are.
        self.eventually(lambda: self.assertGreater(len(service.children()), count))
        self.assertIn("succeeded", service.reload())
        service.expect("generation 2. drained")
        pid = service.worker()
        os.kill(service.pid, signal.SIGSTOP)
        for one in [*left, pid]:
            os.kill(one, signal.SIGSTOP)
            self.eventually(lambda: self.assertEqual(state(one), "T"))
        os.kill(service.pid, signal.SIGCONT)
        service.expect(rf"worker {pid} .* was stopped by SIGSTOP")
        self.assertEqual(self.states(service), ["stopped"])

    def test_and_what_is_left_behind_when_the_master_ends(self):
        script = f"setsid sh -c 'echo $$ > {self.folder}/pid; kill -STOP $$' & echo >&$READY_FD; exec tail -f /dev/null"
        service = self.start(command=["sh", "-c", script]).serving()
        path = self.folder / "pid"
        self.eventually(lambda: self.assertTrue(path.exists() and path.read_text()))
        self.eventually(lambda: self.assertEqual(state(int(path.read_text())), "T"))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("did not end within"), 0)

    def test_a_stop_of_the_service_ends_stopped_workers(self):
        service = self.start("-n", "2").serving()
        self.stop_worker(service, 0)
        self.stop_worker(service, 1)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("drained and was killed by SIGTERM"), 2)

    def test_a_debugger_that_holds_a_worker_shows(self):
        service = self.start().serving()
        pid = service.worker()
        with held(pid):
            self.assertEqual(self.states(service), ["stopped"])
        self.eventually(lambda: self.assertEqual(self.states(service), ["ready"]))

    def test_a_worker_that_stops_itself_again_and_again_does_not_fill_the_log(self):
        toggles = """
import os, signal, time
os.write(int(os.environ["READY_FD"]), b"\\n")
worker = os.getpid()
if os.fork() == 0:
    while True:
        os.kill(worker, signal.SIGSTOP)
        os.kill(worker, signal.SIGCONT)
while True: signal.pause()
"""
        service = self.start("-n", "1", command=[sys.executable, "-c", toggles]).serving()
        service.expect("further stops of it aren't logged until it has run for a minute")
        # The master has its turn for others all the while.
        self.assertEqual(len(self.status(service)["workers"]), 1)
        for _ in range(3):
            self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGQUIT)
        self.assertEqual(service.wait(), 0)
        self.assertLessEqual(service.log.count("was stopped by SIGSTOP"), 4 * 10)

    def test_exits_are_read_among_stops(self):
        service = self.start("-n", "4").serving()
        pids = [service.worker(slot) for slot in range(4)]
        for pid in pids[:2]:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids[2:]:
            os.kill(pid, signal.SIGKILL)
        service.log.expect_count("was killed by SIGKILL", 2)
        service.log.expect_count("was stopped by SIGSTOP", 2)
        for pid in pids[:2]:
            os.kill(pid, signal.SIGKILL)
        service.log.expect_count("was killed by SIGKILL", 4)
        service.log.expect_count("is ready", 8)
        self.assertEqual(service.stop(), 0)


class Terminal(RoostTestCase):
    def test_tostop_of_the_terminal_does_not_stop_workers(self):
        master, terminal = pty.openpty()
        attributes = termios.tcgetattr(terminal)
        attributes[3] |= termios.TOSTOP
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        says = "while :; do echo said >&2; echo >&$READY_FD; sleep 0.01; done"
        log = Log()
        process = subprocess.Popen(
            [
                ROOST,
                "run",
                "--control-directory",
                str(self.folder / "control"),
                "--ready",
                "pipe",
                "--settle",
                "0s",
                "--direct-stderr",
                "--",
                "sh",
                "-c",
                says,
            ],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)

        def read():
            try:
                with open(master, errors="replace") as stream:
                    log.read_from(stream)
            except OSError:
                # EIO: nobody has the terminal any more.
                with log.changed:
                    log.ended = True
                    log.changed.notify_all()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            pid = int(log.expect(r"worker (\d+) \(slot 0, generation 1\) started")[1])
            log.expect("generation 1 serves")
            log.expect_count("^said", 20)
            self.assertNotEqual(state(pid), "T")
            self.assertEqual(os.getsid(pid), pid)
        finally:
            process.send_signal(signal.SIGQUIT)
            self.assertEqual(process.wait(PATIENCE), 0)
            reader.join(PATIENCE)
