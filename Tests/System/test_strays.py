"""Processes that leave their worker: its group, its session, its parents. None may serve on once the worker is gone."""

import os
import pathlib
import re
import signal
import socket
import sys

from harness import RoostTestCase, stand_still, state, wait_for_exit
from surroundings import needs_open_files

# Answers each connection with a name and its pid.
SERVER = f"""#!{sys.executable}
import os, signal, socket, sys, time

def serve(name):
    listener = socket.socket(fileno=3)
    while True:
        client, _ = listener.accept()
        client.recv(1000)
        client.sendall(f"{{name}} {{os.getpid()}}\\n".encode())
        client.close()

def say(what="ready"):
    os.write(int(os.environ["READY_FD"]), b"\\n")

def stray(task):
    # The parent waits until the child has left: what it leaves behind is in a session of its own.
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.write(told, b".")
        os.close(told)
        task()
        os._exit(0)
    os.read(ready, 1)

def quietly(task):
    # As a daemon does: nothing of the parent's is open.
    os.closerange(3, 100)
    task()

def ignoring():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

"""


def ask(address):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(b"?\n")
        name, pid = client.makefile().read().split()
        return name, int(pid)


class Strays(RoostTestCase):
    def release(self, text):
        self.script(SERVER + text)

    def serve(self, text, *arguments, **popen):
        self.release(text)
        service = self.start("-l", "127.0.0.1:0", *arguments, command=[str(self.folder / "server")], **popen)
        self.address = service.address()
        return service

    def below(self, pid):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def await_strays(self, service):
        """Waits for the end of all that were told to drain."""
        for pid in re.findall(r"left process (\d+) \(server\) behind, which", str(service.log)):
            wait_for_exit(int(pid))

    def names(self, count=40):
        """Who answers, each as often as it does."""
        return sorted(ask(self.address)[0] for _ in range(count))

    def assert_only(self, name):
        self.assertEqual(self.names(), [name] * 40)

    def test_what_a_bad_release_leaves_behind_answers_no_more(self):
        service = self.serve("say(); serve('good')", "-n", "2").serving()
        current = sorted(service.children())
        self.release("stray(lambda: serve('bad')); sys.exit(3)")
        verdict = service.reload()
        found = re.search(r"failed.* exited with status 3 before it was ready, and left process (\d+) \(server\) behind;", verdict)
        self.assertTrue(found, verdict)
        wait_for_exit(int(found[1]))
        # The other candidate may have had the time to leave something too.
        self.eventually(lambda: self.assertEqual(sorted(service.children()), current))
        self.assert_only("good")
        self.release("say(); serve('better')")
        self.assertIn("succeeded", service.reload())
        # The other candidate of the bad release may be one of those that have drained.
        service.log.expect_count(r"generation 1\) drained and was killed by SIGTERM", 2)
        self.assert_only("better")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("left behind by"), 0)

    def test_one_whose_first_thread_has_ended(self):
        service = self.serve("say(); serve('good')").serving()
        self.release(
            "import ctypes, threading\n"
            "def threads():\n"
            "    threading.Thread(target=serve, args=['bad']).start()\n"
            "    ctypes.CDLL(None).pthread_exit(None)\n"
            "stray(threads); signal.pause()"
        )
        service.signal(signal.SIGHUP)
        service.expect(r"generation 2\) started")
        worker = service.worker()

        def has_ended():
            self.assertEqual([state(int(pid)) for pid in self.below(worker)], ["Z"])

        self.eventually(has_ended)
        os.kill(worker, signal.SIGKILL)
        pid = int(service.expect(r"left process (\d+) \(server\) behind, which was sent SIGTERM")[1])
        wait_for_exit(pid)
        self.assert_only("good")

    def test_a_stall_does_not_make_the_master_forget_what_a_worker_has_left(self):
        service = self.serve("say(); serve('good')").serving()
        self.release("stray(lambda: serve('bad')); signal.pause()")
        service.signal(signal.SIGHUP)
        service.expect(r"generation 2\) started")
        worker = service.worker()
        self.eventually(lambda: self.assertEqual(len(self.below(worker)), 1))
        # The worker exits while nothing of the master runs: when that goes on, the stall is told first.
        service.signal(signal.SIGSTOP)
        self.eventually(lambda: self.assertEqual(state(service.pid), "T"))
        os.kill(worker, signal.SIGKILL)
        stand_still([service.pid], 2.5)
        service.expect("nothing ran for")
        pid = int(service.expect(r"left process (\d+) \(server\) behind, which was sent SIGTERM")[1])
        wait_for_exit(pid)
        self.assert_only("good")

    def test_a_candidate_that_puts_itself_into_the_background_is_told_so(self):
        service = self.serve("say(); serve('good')").serving()
        self.release("stray(lambda: serve('bad'))")
        verdict = service.reload()
        found = re.search(
            r"failed after \d+ ms: worker \d+ \(slot 0\) exited with status 0 before it was ready, and left process (\d+) "
            r"\(server\) behind: a worker has to stay in the foreground; generation 1 keeps serving",
            verdict,
        )
        self.assertTrue(found, verdict)
        wait_for_exit(int(found[1]))
        self.assert_only("good")

    def test_so_is_a_worker_of_the_start(self):
        service = self.serve("stray(lambda: serve('bad'))", "--start-attempts", "1")
        pid = int(
            service.expect(
                r"start failed: worker \d+ \(slot 0\) exited with status 0 before it was ready, and left process (\d+) \(server\) "
                r"behind: a worker has to stay in the foreground$"
            )[1]
        )
        service.wait()
        self.assertIsNone(state(pid))

    def test_one_in_the_background_of_a_shell_too(self):
        service = self.start(command=["sh", "-c", "tail -f /dev/null & exit 0"])
        service.expect(
            r"worker \d+ \(slot 0, generation 1\) exited with status 0 before it was ready, and left process \d+ \((dash|sh|bash|tail)\) "
            r"behind: a worker has to stay in the foreground; starting another"
        )

    def test_what_ignores_the_stop_signal_is_killed(self):
        service = self.serve("say(); serve('good')").serving()
        self.release("ignoring(); stray(lambda: serve('bad')); sys.exit(1)")
        service.signal(signal.SIGHUP)
        pid = int(service.expect(r"left process (\d+) \(server\) behind, which was sent SIGTERM")[1])
        # It serves while it drains, as any retiree may.
        self.assertLessEqual(set(self.names()), {"good", "bad"})
        self.assertIsNotNone(state(pid))

    def test_and_that_after_the_drain_timeout(self):
        service = self.serve("say(); serve('good')", "--drain-timeout", "300ms").serving()
        self.release("ignoring(); stray(lambda: serve('bad')); sys.exit(1)")
        service.signal(signal.SIGHUP)
        pid = int(service.expect(r"left process (\d+) \(server\) behind, which was sent SIGTERM and has 300ms")[1])
        service.expect("did not end within 300ms: killing it")
        wait_for_exit(pid)
        self.assert_only("good")

    def test_a_process_whose_parents_have_gone_belongs_to_the_worker_that_lives(self):
        # Forks twice: its parent is gone, and the worker serves on beside it.
        text = "stray(lambda: os.fork() == 0 and serve('{0}')); os.wait(); say(); serve('{0}')"
        service = self.serve(text.format("good"), "-n", "2").serving()
        both = {ask(self.address)[1] for _ in range(200)}
        self.assertGreater(len(both), 2, "the strays answer as well")
        # The crash of one is none of the other's business.
        lost = service.worker()
        stray = [pid for pid in service.children() if pid not in [service.worker(0), service.worker(1)]]
        self.assertEqual(len(stray), 2)
        os.kill(lost, signal.SIGKILL)
        gone = int(service.expect(rf"worker {lost} .* left process (\d+) \(server\) behind, which was sent SIGTERM")[1])
        wait_for_exit(gone)
        self.assertIn(gone, stray)
        self.assertIsNotNone(state((set(stray) - {gone}).pop()))
        service.expect("is ready after")
        self.release(text.format("better"))
        self.assertIn("succeeded", service.reload())
        service.log.expect_count(r"left process \d+ \(server\) behind, which was sent SIGTERM", 3)
        self.await_strays(service)
        self.assert_only("better")

    def test_a_server_of_a_library_as_a_stray(self):
        service = self.serve("say(); serve('good')").serving()
        self.release(
            "import http.server\n"
            "def http_server():\n"
            "    server = http.server.ThreadingHTTPServer(('', 0), http.server.SimpleHTTPRequestHandler, False)\n"
            "    server.socket = socket.socket(fileno=3)\n"
            "    server.serve_forever()\n"
            "stray(http_server); time.sleep(1000)"
        )
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 2 began")
        service.expect("started")
        self.eventually(lambda: self.assertEqual(len(self.below(service.worker())), 1))
        os.kill(service.worker(), signal.SIGKILL)
        pid = int(service.expect(r"left process (\d+) \(server\) behind")[1])
        wait_for_exit(pid)
        self.assert_only("good")

    def test_whose_parent_has_no_listener_and_stays(self):
        service = self.serve("say(); serve('good')").serving()
        pid = self.folder / "pid"
        self.release(
            "def parent():\n"
            "    child = os.fork()\n"
            "    if child == 0: serve('bad')\n"
            f"    open('{pid}', 'w').write(str(child))\n"
            "    quietly(signal.pause)\n"
            "stray(parent)\n"
            f"while not os.path.exists('{pid}') or not open('{pid}').read(): time.sleep(0.01)\n"
            "sys.exit(1)"
        )
        service.signal(signal.SIGHUP)
        found = int(service.expect(r"left process (\d+) \(server\) behind")[1])
        self.assertEqual(found, int(pid.read_text()))
        wait_for_exit(found)
        self.assert_only("good")
        # Nothing of it is awaited any more, although its parent lives and doesn't reap it.
        service.expect("reload to generation 2 failed")
        self.eventually(lambda: self.assertEqual(state(found), "Z"))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("did not drain"), 0)
        self.assertEqual(
            service.log.count(r"process \d+ \(server\), left behind by worker \d+ \(slot 0, generation 2\), was sent SIGTERM"), 1
        )

    def test_a_process_without_a_listener_stays_until_the_master_ends(self):
        service = self.serve("stray(lambda: quietly(signal.pause)); say(); serve('good')").serving()
        worker = service.worker()
        self.release("say(); serve('better')")
        (helper,) = self.below(worker)
        self.assertIn("succeeded", service.reload())
        service.expect("drained and was killed by SIGTERM")
        self.assert_only("better")
        self.assertIsNotNone(state(helper))
        self.assertEqual(service.stop(), 0)
        service.expect(rf"process {helper} \(server\), left behind by worker {worker} \(slot 0, generation 1\), was sent SIGTERM")
        self.assertIsNone(state(helper))

    def test_a_worker_that_is_killed_takes_its_strays_along(self):
        service = self.serve("ignoring(); stray(lambda: serve('old')); say(); serve('old')", "--drain-timeout", "300ms").serving()
        (stray,) = map(int, self.below(service.worker()))
        self.release("say(); serve('new')")
        self.assertIn("succeeded", service.reload())
        service.expect("did not drain within 300ms: killing")
        service.expect(rf"process {stray} \(server\), left behind by worker \d+ \(slot 0, generation 1\), is killed")
        wait_for_exit(stray)
        self.assert_only("new")

    def test_a_stop_lets_strays_drain(self):
        service = self.serve("stray(lambda: serve('old')); say(); serve('old')").serving()
        (stray,) = map(int, self.below(service.worker()))
        self.assertEqual(service.stop(), 0)
        service.expect(rf"left process {stray} \(server\) behind, which was sent SIGTERM and has 1m")
        self.assertEqual(service.log.count("left behind by"), 0)

    @needs_open_files(1024)
    def test_a_hundred_workers_leave_one_each(self):
        service = self.serve("stray(lambda: serve('old')); say(); serve('old')", "-n", "100").serving()
        self.release("say(); serve('new')")
        self.assertIn("succeeded", service.reload())
        service.log.expect_count("left process .* behind, which was sent SIGTERM", 100)
        self.await_strays(service)
        self.assert_only("new")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("left behind by"), 0)

    def test_an_upgrade_while_a_stray_drains(self):
        service = self.serve("say(); serve('good')").serving()
        self.release("ignoring(); stray(lambda: serve('bad')); sys.exit(1)")
        service.signal(signal.SIGHUP)
        pid = int(service.expect(r"left process (\d+) \(server\) behind, which was sent SIGTERM")[1])
        service.expect("reload to generation 2 failed")
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(service.log.count("left process"), 2, "not told again, but for the verdict's line")
        service.signal(signal.SIGQUIT)
        service.expect(rf"process {pid} \(server\), left behind by worker \d+ \(slot 0, generation 2\), is killed")
        self.assertEqual(service.wait(), 0)
        self.assertIsNone(state(pid))

    def test_an_upgraded_master_knows_the_strays_of_workers_that_live(self):
        service = self.serve("stray(lambda: os.fork() == 0 and serve('old')); os.wait(); say(); serve('old')").serving()
        (stray,) = set(service.children()) - {service.worker()}
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.release("say(); serve('new')")
        self.assertIn("succeeded", service.reload())
        service.expect(rf"left process {stray} \(server\) behind, which was sent SIGTERM")
        wait_for_exit(stray)
        self.assert_only("new")

    def test_a_leftover_is_told_by_what_has_left_it(self):
        hook = self.script(SERVER + "stray(lambda: quietly(signal.pause))", "hook")
        self.release("say(); serve('good')")
        path = self.folder / "web.toml"
        path.write_text(
            f'command = ["{self.folder}/server"]\nready = "pipe"\nsettle = "0s"\nlisten = "127.0.0.1:0"\n'
            f'before-reload = ["{hook}"]\nafter-takeover = ["{hook}"]\n'
        )
        service = self.start_bare("--config", str(path)).serving()
        self.assertIn("succeeded", service.reload())
        service.expect("after-takeover succeeded")
        self.assertEqual(service.stop(), 0)
        for name in ["before-reload", "after-takeover"]:
            self.assertEqual(service.log.count(rf"process \d+ \(hook\), left behind by {name}, was sent SIGTERM"), 1, service.log)
