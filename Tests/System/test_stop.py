import os
import signal
import socket
import subprocess
import sys

from harness import DEMO_WORKER, PATIENCE, ROOST, RoostTestCase, state, wait_for_exit

# Ignores the stop signal. It says it is ready, and waits for good.
IGNORES = (
    "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.write(int(os.environ['READY_FD']), b'\\n')\n"
    "while True: signal.pause()"
)
STUBBORN = [sys.executable, "-c", IGNORES]


class Stop(RoostTestCase):
    def test_term_and_int_stop_gracefully(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            service = self.start("-n", "2").serving()
            service.signal(number)
            service.expect(f"stop requested by {number.name}")
            service.expect("drained and was killed by SIGTERM")
            service.expect("drained and was killed by SIGTERM")
            service.expect("stopped$")
            self.assertEqual(service.wait(), 0)

    def test_a_worker_that_ignores_the_stop_signal_is_killed_after_the_drain_timeout(self):
        service = self.start("--drain-timeout", "300ms", command=STUBBORN).serving()
        service.signal(signal.SIGTERM)
        service.expect("did not drain within 300ms: killing its process group")
        service.expect(r"was killed \d+ ms after SIGTERM")
        self.assertEqual(service.wait(), 0)

    def test_a_worker_cannot_leave_its_session(self):
        leaves = """
import os, signal
for leave in [os.setsid, lambda: os.setpgid(0, os.getpgid(os.getppid())), lambda: os.setpgid(0, 0)]:
    try:
        leave()
    except PermissionError:
        continue
    os._exit(1)
os.write(int(os.environ['READY_FD']), b'\\n')
signal.pause()
"""
        service = self.start(command=[sys.executable, "-c", leaves]).serving()
        self.assertEqual(service.stop(), 0)

    def test_a_second_stop_kills_at_once(self):
        service = self.start(command=STUBBORN).serving()
        service.signal(signal.SIGTERM)
        service.expect("was sent SIGTERM")
        service.signal(signal.SIGTERM)
        service.expect("stop at once requested by SIGTERM")
        self.assertEqual(service.wait(), 0)

    def test_quit_stops_at_once(self):
        service = self.start(command=STUBBORN).serving()
        service.signal(signal.SIGQUIT)
        service.expect("stop at once requested by SIGQUIT")
        self.assertEqual(service.wait(), 0)

    def test_a_stop_during_the_start_leaves_nothing(self):
        service = self.start(command=["tail", "-f", "/dev/null"])
        service.expect("started")
        self.assertEqual(service.stop(), 0)

    def test_a_stop_during_a_reload_stops_candidate_and_current(self):
        service = self.start("--settle", "60s").serving()
        service.signal(signal.SIGHUP)
        service.expect("generation 2. is ready")
        service.signal(signal.SIGTERM)
        service.expect("generation 1. drained")
        self.assertEqual(service.wait(), 0)

    def test_another_stop_signal_is_used_where_it_is_asked_for(self):
        script = "import os, signal\nsignal.signal(signal.SIGUSR2, lambda *_: os._exit(0))\nos.write(3, b'\\n')\nwhile True: signal.pause()"
        service = self.start("--stop-signal", "USR2", command=[sys.executable, "-c", script]).serving()
        service.signal(signal.SIGTERM)
        service.expect("was sent SIGUSR2")
        service.expect("drained and exited with status 0")
        self.assertEqual(service.wait(), 0)

    def test_new_connections_are_refused_while_workers_drain(self):
        script = (
            "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
            "os.close(3)\nos.write(4, b'\\n')\n"
            "signal.sigwait([signal.SIGTERM])\n"
            "open(os.environ['FIFO']).read()"
        )
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        service = self.start("-l", "127.0.0.1:0", command=[sys.executable, "-c", script], env=dict(os.environ, FIFO=str(fifo)))
        host, port = service.address().rsplit(":", 1)
        service.serving()
        socket.create_connection((host, int(port))).close()
        service.signal(signal.SIGTERM)
        service.expect("was sent SIGTERM")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
        fifo.write_text("")
        self.assertEqual(service.wait(), 0)

    def test_killing_the_master_leaves_no_worker(self):
        service = self.start("-n", "3", command=[DEMO_WORKER, "--port", "0"], ready="notify").serving()
        workers = service.children()
        self.assertEqual(len(workers), 3)
        service.signal(signal.SIGKILL)
        self.assertEqual(service.wait(), -signal.SIGKILL)
        # This process is a subreaper: they are its children now.
        for worker in workers:
            _, status = os.waitpid(worker, 0)
            self.assertEqual(status, 0, "each has drained and exited with 0")

    def test_a_log_that_nobody_reads_does_not_stop_the_master(self):
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        try:
            while True:
                os.write(write_end, b"x" * 65536)
        except BlockingIOError:
            os.set_blocking(write_end, True)
        fifo = self.folder / "facts"
        os.mkfifo(fifo)
        command = ["sh", "-c", f"echo $$ > {fifo}; echo >&$READY_FD; exec tail -f /dev/null"]
        master = subprocess.Popen(
            [ROOST, "run", "--control-directory", str(self.folder / "c"), "--ready", "pipe", "--settle", "0s", "--", *command],
            stderr=write_end,
        )
        first = fifo.read_text()
        master.send_signal(signal.SIGHUP)
        self.assertNotEqual(fifo.read_text(), first)
        master.send_signal(signal.SIGTERM)
        self.assertEqual(master.wait(PATIENCE), 0)
        os.close(write_end)
        os.close(read_end)

    def test_a_log_whose_reader_is_gone_does_not_stop_the_master(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        read_end, write_end = os.pipe()
        command = ["sh", "-c", f"echo $$ > {fifo}; echo >&$READY_FD; exec tail -f /dev/null"]
        master = subprocess.Popen(
            [ROOST, "run", "--control-directory", str(self.folder / "c"), "--ready", "pipe", "--settle", "0s", "--", *command],
            stderr=write_end,
        )
        os.close(write_end)
        os.close(read_end)
        first = fifo.read_text()
        master.send_signal(signal.SIGHUP)
        self.assertNotEqual(fifo.read_text(), first)
        master.send_signal(signal.SIGTERM)
        self.assertEqual(master.wait(PATIENCE), 0)


class Leftovers(RoostTestCase):
    def forking(self, child, drain_timeout="60s"):
        """A service whose first worker starts a process that says its own pid to the FIFO in $FIFO."""
        fifo = self.folder / "pid"
        os.mkfifo(fifo)
        script = f"test -p $FIFO && {{ {child} & }}; echo >&$READY_FD; exec tail -f /dev/null"
        service = self.start("--drain-timeout", drain_timeout, command=["sh", "-c", script], env=dict(os.environ, FIFO=str(fifo)))
        pid = int(fifo.read_text())
        fifo.unlink()
        return service.serving(), pid

    def test_a_child_in_the_group_of_a_crashed_worker_is_drained(self):
        service, pid = self.forking("sh -c 'echo $$ > $FIFO; exec tail -f /dev/null'")
        os.kill(service.worker(), signal.SIGKILL)
        service.expect(rf"left process {pid} \(.*\) behind, which was sent SIGTERM")
        wait_for_exit(pid)
        service.expect("is ready")
        service.stop()
        self.assertEqual(service.log.count("killing"), 0)

    def test_a_child_that_ignores_the_stop_signal_is_killed(self):
        child = (
            f"{sys.executable} -c 'import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            'open(os.environ["FIFO"], "w").write(str(os.getpid())); signal.pause()\''
        )
        service, pid = self.forking(child, drain_timeout="500ms")
        service.signal(signal.SIGTERM)
        service.expect(rf"left process {pid} \(.*\) behind")
        service.expect(r"what worker \d+ \(slot 0, generation 1\) has left behind did not end within 500ms: killing it")
        self.assertEqual(service.wait(), 0)
        self.assertIsNone(state(pid))

    def test_a_process_that_has_left_the_group_is_stopped_with_the_master(self):
        service, pid = self.forking("setsid sh -c 'echo $$ > $FIFO; exec tail -f /dev/null'")
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("generation 1. is ready")
        self.assertIsNotNone(state(pid), "a process of another group isn't the worker's any more")
        self.assertEqual(service.stop(), 0)
        service.expect(rf"process {pid} \((sh|dash|tail)\), left behind by worker \d+ \(slot 0, generation 1\), was sent SIGTERM")
        self.assertIsNone(state(pid))

    def test_a_process_that_has_left_the_group_and_ignores_the_stop_signal_is_killed(self):
        child = (
            f"setsid {sys.executable} -c 'import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            'open(os.environ["FIFO"], "w").write(str(os.getpid())); signal.pause()\''
        )
        service, pid = self.forking(child)
        service.signal(signal.SIGTERM)
        service.expect(rf"process {pid} \(.*\), left behind by worker \d+ \(slot 0, generation 1\), did not end within 5 s: killing it")
        self.assertEqual(service.wait(), 0)
        self.assertIsNone(state(pid))

    def test_orphans_are_reaped(self):
        service, pid = self.forking("sh -c 'setsid sh -c \"echo \\$\\$ > $FIFO; exec tail -f /dev/null\" & exit 0'")
        os.kill(pid, signal.SIGKILL)
        wait_for_exit(pid)
        # Whatever happens next comes after it.
        self.assertIn("succeeded", service.reload())
        self.assertNotIn(pid, service.children())
