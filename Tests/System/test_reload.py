import itertools
import os
import signal
import socket
import sys
import threading

from harness import DEMO_WORKER, Load, RoostTestCase

# Runs the release that the link points to.
RELEASE = "#!/bin/sh\necho >&$READY_FD; exec tail -f /dev/null\n"


class Reload(RoostTestCase):
    def release(self, text):
        """Puts a release in the place of the one before, as a deployment does."""
        path = self.script(text, "server.next")
        path.rename(self.folder / "server")

    def served(self, *arguments):
        self.release(RELEASE)
        return self.start(*arguments, command=[str(self.folder / "server")]).serving()

    def test_the_drain_signal_comes_after_readiness_and_the_master_stays(self):
        service = self.served("-n", "2")
        parents = service.children()
        service.signal(signal.SIGHUP)
        for pattern in [
            "reload requested by SIGHUP",
            "reload to generation 2 began",
            "generation 2. started",
            "generation 2. started",
            "is ready",
            "is ready",
            "generation 2 took over in slots 0, 1",
            "slot 0, generation 1. was sent SIGTERM",
            "slot 1, generation 1. was sent SIGTERM",
            "reload to generation 2 succeeded",
            "drained and was killed by SIGTERM",
            "drained and was killed by SIGTERM",
        ]:
            service.expect(pattern)
        self.assertEqual(set(service.children()) & set(parents), set())
        # What looks for outsiders is gone in a moment.
        self.eventually(lambda: self.assertEqual(len(service.children()), 2))

    def assert_failed(self, service, pattern, generation=2):
        service.signal(signal.SIGHUP)
        self.assertRegex(service.verdict(), f"failed after \\d+ ms: {pattern}; generation {generation - 1} keeps serving")

    def test_a_release_that_exits_is_refused_and_the_log_says_which_why_and_what_goes_on(self):
        service = self.served()
        worker = service.worker()
        self.release("#!/bin/sh\nexit 3\n")
        self.assert_failed(service, r"worker \d+ \(slot 0\) exited with status 3 before it was ready")
        self.eventually(lambda: self.assertEqual(service.children(), [worker]))

    def test_a_release_that_is_gone_is_refused_before_anything_is_started(self):
        service = self.served()
        (self.folder / "server").unlink()
        self.assert_failed(service, f"cannot execute {self.folder}/server: No such file or directory")

    def test_a_release_whose_interpreter_is_missing_is_refused(self):
        service = self.served()
        self.release("#!/no/such/interpreter\n")
        self.assert_failed(service, f"worker of slot 0: cannot execute {self.folder}/server: No such file or directory .*")

    def test_a_release_that_is_not_executable_is_refused(self):
        service = self.served()
        (self.folder / "server").chmod(0o644)
        self.assert_failed(service, f"cannot execute {self.folder}/server: Permission denied")

    def test_a_release_that_hangs_is_refused_and_drained(self):
        service = self.served("--ready-timeout", "3s")
        self.release("#!/bin/sh\nexec tail -f /dev/null\n")
        self.assert_failed(service, r"worker \d+ \(slot 0\) was not ready within 3s")
        service.expect(r"generation 2\) was sent SIGTERM")
        service.expect(r"generation 2\) drained and was killed by SIGTERM")

    def test_a_release_that_dies_while_it_settles_is_refused(self):
        self.release(RELEASE)
        service = self.start("--settle", "60s", command=[str(self.folder / "server")]).serving()
        self.release("#!/bin/sh\necho >&$READY_FD; kill -SEGV $$\n")
        service.signal(signal.SIGHUP)
        self.assertRegex(service.verdict(), r"failed .* was killed by SIGSEGV.* while it settled; generation 1 keeps serving")

    def test_a_reload_that_is_asked_for_during_the_start_runs_after_it(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.start(
            command=["sh", "-c", f"test $ROOST_GENERATION = 1 && read go < {fifo}; echo >&$READY_FD; exec tail -f /dev/null"]
        )
        service.expect("started")
        service.signal(signal.SIGHUP)
        service.expect("reload requested by SIGHUP; it runs when the start has ended")
        fifo.write_text("go\n")
        service.serving()
        self.assertIn("succeeded", service.verdict())

    def test_a_storm_of_reloads_is_answered_by_few(self):
        upstream = self.upstream()
        service = self.start(env=dict(os.environ, NOTIFY_SOCKET=upstream.path)).serving()
        for _ in range(200):
            service.signal(signal.SIGHUP)
        service.signal(signal.SIGHUP)
        upstream.log.expect("^STATUS=generation [2-9]")
        self.assertEqual(service.stop(), 0)
        upstream.log.expect("^STATUS=stopp")
        told = [line for line in upstream.log.lines if line in ["READY=1", "RELOADING=1", "STOPPING=1"]]
        self.assertLess(len(told), 200)
        for said, answer in itertools.pairwise(told):
            self.assertFalse(said == answer == "RELOADING=1", told)
        self.assertEqual(service.log.count("failed"), 0)

    def test_a_roll_that_fails_half_way_says_how_far_it_got(self):
        script = 'test "$ROOST_GENERATION $ROOST_SLOT" = "2 1" && exit 3; echo >&$READY_FD; exec tail -f /dev/null'
        service = self.start("-n", "3", "--surge", "1", command=["sh", "-c", script]).serving()
        keepers = {service.worker(1), service.worker(2)}
        service.signal(signal.SIGHUP)
        self.assertRegex(
            service.verdict(), r"failed .* \(slot 1\) exited with status 3 before it was ready; 1 of 3 slots had moved to generation 2"
        )
        self.assertLessEqual(keepers, set(service.children()))
        self.assertIn("succeeded", service.reload())

    def test_a_roll_stops_when_a_slot_that_has_moved_loses_its_worker(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        script = (
            'test "$ROOST_GENERATION $ROOST_SLOT" = "2 1" && exec tail -f /dev/null; '
            f'echo >&$READY_FD; test "$ROOST_GENERATION" = 2 && read go < {fifo} && exit 7; exec tail -f /dev/null'
        )
        service = self.start("-n", "3", "--surge", "1", command=["sh", "-c", script]).serving()
        keepers = {service.worker(1), service.worker(2)}
        service.signal(signal.SIGHUP)
        service.expect(r"\(slot 1, generation 2\) started")
        fifo.write_text("go\n")
        self.assertRegex(
            service.verdict(), r"failed .* \(slot 0\) exited with status 7 after serving .*; 1 of 3 slots had moved to generation 2"
        )
        service.expect(r"\(slot 0, generation 2\) started")
        self.assertLessEqual(keepers, set(service.children()))

    def test_a_roll_moves_one_slot_after_the_other(self):
        service = self.start("-n", "3", "--surge", "1").serving()
        service.signal(signal.SIGHUP)
        for slot in range(3):
            service.expect(rf"\(slot {slot}, generation 2\) started")
            service.expect(f"generation 2 took over in slot {slot}$")
        service.expect("reload to generation 2 succeeded")

    def test_the_backlog_that_a_worker_has_shrunk_is_restored(self):
        script = """
import os, signal, socket
listener = socket.socket(fileno=3)
listener.listen(1)
os.write(4, b"\\n")
signal.pause()
"""
        service = self.start("-l", "127.0.0.1:0", "--backlog", "200", command=[sys.executable, "-c", script])
        address = service.address()
        service.serving()
        # More connections than the shrunk backlog holds: one that finds it full isn't answered.
        host, port = address.rsplit(":", 1)
        clients = [socket.create_connection((host, int(port)), timeout=30) for _ in range(100)]
        for client in clients:
            client.close()

    def test_workers_are_added_and_removed_by_signals(self):
        service = self.start("-n", "1").serving()
        service.signal(signal.SIGTTOU)
        service.expect("the number of workers stays at 1: it can be 1 to 1024")
        service.signal(signal.SIGTTIN)
        service.expect(r"\(slot 1, generation 1\) is ready")
        service.signal(signal.SIGTTOU)
        service.expect(r"\(slot 1, generation 1\) drained")
        self.assertEqual(len(service.children()), 1)

    def test_nothing_is_kept_after_many_reloads(self):
        service = self.start("-l", "127.0.0.1:0").serving()
        service.reload()
        service.expect("drained")

        def open_files():
            return sorted(os.readlink(f"/proc/{service.pid}/fd/{n}").split(":")[0] for n in os.listdir(f"/proc/{service.pid}/fd"))

        # The line is out a moment before the last worker's channels are closed: the listener, the control socket and one
        # notify socket stay.
        self.eventually(lambda: self.assertEqual(open_files().count("socket"), 3))
        # A while after the reload somebody looks for outsiders, and has a pipe while it does.
        self.eventually(lambda: self.assertIsNotNone(service.saw_all_processes()))
        self.eventually(lambda: self.assertEqual(len(service.all_children()), 1))
        self.eventually(lambda: self.assertEqual(open_files().count("socket"), 3))
        service.signal(signal.SIGTTOU)
        service.expect("the number of workers stays at 1")
        before = open_files()
        for _ in range(30):
            self.assertIn("succeeded", service.reload())
            service.expect("drained")
        self.eventually(lambda: self.assertEqual(open_files(), before))
        self.eventually(lambda: self.assertEqual(len(service.children()), 1))


class UnderLoad(RoostTestCase):
    """The demo worker under real requests, counted exactly."""

    def served(self, *arguments):
        link = self.folder / "server"
        self.deploy(DEMO_WORKER)
        service = self.start("-l", "http=127.0.0.1:0", *arguments, ready="notify", command=[str(link)])
        address = service.address()
        return service.serving(), address

    def deploy(self, target):
        link = self.folder / "server"
        (self.folder / "next").symlink_to(target)
        (self.folder / "next").rename(link)

    def assert_nothing_lost(self, result, generations):
        self.assertEqual(result["failures"], 0, result)
        self.assertGreater(result["keptAlive"], 0)
        self.assertGreater(result["new"], 0)
        self.assertGreaterEqual(len(result["generations"]), generations, result)

    def fifty_reloads(self, *arguments):
        service, address = self.served(*arguments)
        load = Load(address)
        for _ in range(50):
            self.assertIn("succeeded", service.reload())
        result = load.finish()
        self.assert_nothing_lost(result, 25)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("warning|error"), 0)

    def test_fifty_reloads_of_one_worker_lose_nothing(self):
        self.fifty_reloads("-n", "1")

    def test_fifty_reloads_of_four_workers_lose_nothing(self):
        self.fifty_reloads("-n", "4")

    def test_fifty_rolling_reloads_of_four_workers_lose_nothing(self):
        self.fifty_reloads("-n", "4", "--surge", "1")

    def test_releases_that_fail_lose_nothing(self):
        service, address = self.served("-n", "2", "--ready-timeout", "5s")
        load = Load(address)
        bad = [
            self.script("#!/bin/sh\nexit 3\n", "exits"),
            self.script("#!/bin/sh\nexec tail -f /dev/null\n", "hangs"),
            self.script("#!/no/such/interpreter\n", "cannot"),
            # One candidate of two gets ready and serves before the other fails.
            self.script(f"#!/bin/sh\ntest $ROOST_SLOT = 1 && exec tail -f /dev/null\nexec {DEMO_WORKER}\n", "half"),
        ]
        for release in bad:
            self.deploy(release)
            self.assertIn("failed", service.reload())
        self.deploy(DEMO_WORKER)
        self.assertIn("succeeded", service.reload())
        # From here on only the new generation answers.
        service.expect("generation 1. drained")
        service.expect("generation 1. drained")
        self.assert_nothing_lost(load.finish(), 2)

    def test_a_worker_that_takes_long_to_get_ready_loses_nothing(self):
        service, address = self.served()
        load = Load(address)
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        self.deploy(self.script(f"#!/bin/sh\nread go < {fifo}\nexec {DEMO_WORKER}\n", "slow"))
        service.signal(signal.SIGHUP)
        service.expect("generation 2. started")
        # Until the load has had a thousand more answers, the candidate isn't ready.
        self.requests(address, 1000)
        fifo.write_text("go\n")
        self.assertIn("succeeded", service.verdict())
        # From here on only the new generation answers.
        service.expect("generation 1. drained")
        self.assert_nothing_lost(load.finish(), 2)

    def test_a_request_to_the_worker_can_ask_for_a_reload(self):
        service, address = self.served("--allow-worker-reload")
        self.assertIn(b"asked for a reload", self.get(address, "/graceful"))
        service.expect(r"reload requested by worker \d+ \(slot 0, generation 1\)$")
        self.assertIn("succeeded", service.verdict())
        service.expect("generation 1. drained and exited with status 0")
        self.assertIn(b"of generation 2 ", self.get(address, "/"))

    def get(self, address, path):
        """The whole answer."""
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return client.makefile("rb").read()

    def test_a_worker_that_is_killed_among_others_costs_only_its_own_requests(self):
        service, address = self.served("-n", "2")
        os.kill(service.worker(0), signal.SIGKILL)
        service.expect(r"\(slot 0, generation 1\) was killed by SIGKILL after serving .*; starting another$")
        service.expect("is ready")
        self.requests(address, 100)

    def requests(self, address, count):
        for _ in range(count):
            self.assertTrue(self.get(address, "/").startswith(b"HTTP/1.1 200"))

    def test_a_request_in_flight_outlives_a_reload_and_a_stop(self):
        service, address = self.served()
        load = Load(address, kept_alive=0, new=1)
        answers = []
        host, port = address.rsplit(":", 1)

        def ask():
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: x\r\n\r\n")
                asked.release()
                answers.append(client.makefile("rb").readline())

        asked = threading.Semaphore(0)
        threads = [threading.Thread(target=ask) for _ in range(2)]
        threads[0].start()
        asked.acquire()
        # A later request was answered, so the one before it has arrived.
        self.requests(address, 20)
        load.finish()
        self.assertIn("succeeded", service.reload())
        threads[1].start()
        asked.acquire()
        self.requests(address, 20)
        self.assertEqual(service.stop(), 0)
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [b"HTTP/1.1 200 OK\r\n"] * 2)
