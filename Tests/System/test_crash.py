import os
import signal

from harness import RoostTestCase


class Crash(RoostTestCase):
    def test_a_killed_worker_is_replaced_in_its_slot_and_the_others_stay(self):
        service = self.start("-n", "2").serving()
        other = service.worker(1)
        os.kill(service.worker(0), signal.SIGKILL)
        service.expect(r"\(slot 0, generation 1\) was killed by SIGKILL after serving .*; starting another$")
        service.expect(r"\(slot 0, generation 1\) is ready")
        self.assertIn(other, service.children())

    def test_a_worker_that_keeps_failing_is_restarted_later_each_time(self):
        counter = self.folder / "count"
        script = f"echo x >> {counter}; test $(wc -l < {counter}) -gt 1 && exit 5; echo >&$READY_FD; exec tail -f /dev/null"
        service = self.start(command=["sh", "-c", script]).serving()
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("starting another$")
        service.expect("exited with status 5 before it was ready; starting another in 100ms")
        service.expect("exited with status 5 before it was ready; starting another in 200ms")
        service.expect("exited with status 5 before it was ready; starting another in 400ms")

    def test_all_workers_that_die_at_once_are_replaced(self):
        service = self.start("-n", "4").serving()
        for slot in range(4):
            os.kill(service.worker(slot), signal.SIGKILL)
        service.log.expect_count("starting another$", 4)
        service.log.expect_count("is ready", 8)
        self.assertEqual(len(service.children()), 4)

    def test_a_current_worker_that_dies_before_a_candidate_is_started_is_replaced_at_once(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.start("--before-reload", f"read go < {fifo}").serving()
        service.signal(signal.SIGHUP)
        service.expect("before-reload began")
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("was killed by SIGKILL after serving .*; starting another$")
        service.expect(r"generation 1\) is ready")
        fifo.write_text("go\n")
        self.assertIn("succeeded", service.verdict())

    def test_a_current_worker_that_dies_during_a_reload_comes_back_when_the_reload_fails(self):
        script = "test $ROOST_GENERATION = 2 && exec tail -f /dev/null; echo >&$READY_FD; exec tail -f /dev/null"
        service = self.start("--ready-timeout", "60s", command=["sh", "-c", script]).serving()
        service.signal(signal.SIGHUP)
        current = service.worker()
        service.expect("generation 2. started")
        candidate = service.worker()
        os.kill(current, signal.SIGKILL)
        service.expect("was killed by SIGKILL after serving .*; its successor is on its way")
        os.kill(candidate, signal.SIGKILL)
        self.assertIn("failed", service.verdict())
        service.expect("generation 1. is ready")
