"""What is done about an exit depends on what it was."""

import os
import signal
import sys

from harness import RoostTestCase, wait_for_exit

# Serves, and ends with status 0 when somebody writes to it.
RECYCLES = """
import os, sys
os.write(int(os.environ["READY_FD"]), b"\\n")
with open(sys.argv[1]) as fifo:
    fifo.read()
"""

# Leaves a process behind that ignores the stop signal, in a session of its own.
LEAVES = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(3, 100)
    print("left", os.getpid(), file=sys.stderr, flush=True)
    while True:
        signal.pause()
"""


class Recycling(RoostTestCase):
    def test_a_worker_that_ends_with_status_0_after_serving_is_replaced_at_once_each_time(self):
        fifo = self.folder / "end"
        os.mkfifo(fifo)
        service = self.start("--restart-delay", "1h", "--restart-delay-limit", "1h", command=[sys.executable, "-c", RECYCLES, str(fifo)])
        service.serving()
        for _ in range(5):
            pid = service.worker()
            # Opening waits for the worker that reads, and closing ends it.
            open(fifo, "w").close()
            service.expect(rf" info worker {pid} .* ended after serving .*, with status 0; starting another$")
            service.expect("is ready after")
        self.assertEqual(service.stop(), 0)

    def test_one_that_does_so_without_end_is_slowed_down(self):
        service = self.start(command=["sh", "-c", "echo >&$READY_FD; sleep 0.01"])
        service.log.expect_count("with status 0; starting another$", 5)
        service.expect(r" info worker .* ended after serving .*, with status 0; starting another in 1s$")
        self.assertEqual(service.stop(), 0)


class Drains(RoostTestCase):
    def test_a_retiree_that_dies_has_not_drained(self):
        script = "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        script += 'os.write(int(os.environ["READY_FD"]), b"\\n")\nsignal.pause()\n'
        service = self.start(command=[sys.executable, "-c", script]).serving()
        pid = service.worker()
        self.assertEqual(service.stop(), 0)
        service.expect(rf" warning worker {pid} .* was killed by SIGKILL while it drained, \d+ ms after SIGTERM$")

    def test_one_that_exits_with_another_status_has_not_drained_either(self):
        script = "trap 'exit 3' TERM; echo >&$READY_FD; while :; do sleep 0.05; done"
        service = self.start(command=["sh", "-c", script]).serving()
        self.assertEqual(service.stop(), 0)
        service.expect(r" warning worker .* exited with status 3 while it drained, \d+ ms after SIGTERM$")


class Leftovers(RoostTestCase):
    def left(self):
        ready = 'os.write(int(os.environ["READY_FD"]), b"\\n")\n'
        service = self.start(command=[sys.executable, "-c", f"{LEAVES}{ready}signal.pause()\n"])
        service.serving()
        service.log.expect_count("^left ", 1)
        return service, int(next(line for line in service.log.lines if line.startswith("left ")).split()[1])

    def test_quit_does_not_wait_for_what_workers_have_left(self):
        service, pid = self.left()
        service.signal(signal.SIGQUIT)
        service.expect(f"process {pid}.* is killed at once")
        self.assertEqual(service.wait(), 0)
        self.assertEqual(service.log.count(f"process {pid}.* was sent SIGTERM"), 0)
        wait_for_exit(pid)

    def test_a_second_signal_ends_the_wait(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT:
            with self.subTest(number):
                service, pid = self.left()
                service.signal(signal.SIGTERM)
                service.expect(f"process {pid}.* was sent SIGTERM")
                service.signal(number)
                self.assertEqual(service.wait(), 0)
                self.assertEqual(service.log.count("did not end within 5 s"), 0)
                wait_for_exit(pid)
