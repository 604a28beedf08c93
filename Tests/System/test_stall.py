"""A machine that stands still, as a virtual one does that is moved or saved: nobody took too long who wasn't run."""

import json
import signal
import sys
import time
import unittest

from harness import RoostTestCase, held, stand_still

# Takes a second to get ready and a second to drain: of its own time, which doesn't go on while it is stopped.
SLOW = """
import os, signal, time
def work():
    for _ in range(20):
        time.sleep(0.05)
def drain(*_):
    work()
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
work()
os.write(int(os.environ["READY_FD"]), b"\\n")
while True:
    signal.pause()
"""


# Takes a second to get ready, and goes at once.
SLOW_START = """
import os, signal, time
time.sleep(1)
os.write(int(os.environ["READY_FD"]), b"\\n")
signal.pause()
"""


class Stall(RoostTestCase):
    def setUp(self):
        super().setUp()
        self.service = self.start("--ready-timeout", "3s", "--drain-timeout", "3s", command=[sys.executable, "-c", SLOW])
        self.service.serving()

    def stand_still(self, *pids, seconds=5):
        """Nothing of the service runs for a while. The workers go on first: they were late anyway if the master did."""
        stand_still([*pids, self.service.pid], seconds)

    def test_a_drain_goes_on(self):
        # Beyond its deadline, and not quite.
        for used, seconds in (0, 5), (0, 2.8), (0.5, 2.4):
            with self.subTest(seconds):
                retiree = self.service.worker()
                self.assertIn("succeeded", self.service.reload())
                time.sleep(used)
                self.stand_still(retiree, seconds=seconds)
                self.service.expect(
                    " warning nothing ran for .*s, as when a virtual machine is paused or moved: deadlines are postponed by as much"
                )
                self.service.expect(rf"worker {retiree} .* drained and exited with status 0")
        self.assertEqual(self.service.stop(), 0)

    def test_a_candidate_still_gets_ready(self):
        self.service.signal(signal.SIGHUP)
        self.service.expect(r"worker \d+ \(slot 0, generation 2\) started")
        self.stand_still(self.service.worker())
        self.service.expect("nothing ran for")
        self.assertIn("succeeded", self.service.verdict())
        self.assertEqual(self.service.stop(), 0)

    def test_who_hangs_is_given_up_afterwards(self):
        hanging = self.service.worker()
        with held(hanging):
            self.assertIn("succeeded", self.service.reload())
            # However often: it has three seconds of the master's time.
            for _ in range(3):
                self.stand_still(seconds=2)
                self.service.expect("nothing ran for")
            self.service.expect(rf"worker {hanging} .* did not drain within .*: killing its process group")
        self.assertEqual(self.service.stop(), 0)


class HeldBack(RoostTestCase):
    """A removed listener holds stop signals back until its queues are empty."""

    def test_a_stop_signal_that_is_held_back_after_a_stall_is_not_put_off_by_it(self):
        listen = ["a=127.0.0.1:0,reuseport=true", "b=127.0.0.1:0,reuseport=true"]
        service = self.start_bare("--config", str(self.configuration(listen))).serving()
        self.configuration(listen[:1])
        service.signal(signal.SIGHUP)
        # The first slot's worker is held back; the second slot is taken over when the master goes on.
        service.expect("generation 2 took over in slot 0")
        service.expect(r"worker \d+ \(slot 1, generation 2\) started")
        stand_still([service.pid], 5)
        self.assertIn("succeeded", service.verdict())
        service.log.expect_count(r"generation 1\) (drained and|did not drain)", 2)
        self.assertEqual(service.log.count("did not drain"), 0, str(service.log))
        self.assertEqual(service.stop(), 0)

    def configuration(self, listen):
        lines = [
            f"command = {json.dumps([sys.executable, '-c', SLOW_START])}",
            f"listen = {json.dumps(listen)}",
            'ready = "pipe"',
            "workers = 2",
            "surge = 1",
            'settle = "0s"',
            'drain-timeout = "2s"',
        ]
        return self.script("\n".join(lines) + "\n", "web.toml")


if __name__ == "__main__":
    unittest.main()
