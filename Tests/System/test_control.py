"""The control socket: commands, a Varlink client of somebody else's, and clients that misbehave."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest

from harness import PATIENCE, ROOST, ROOT, WORKER, RoostTestCase, Service

sys.path.append(str(ROOT / ".build/python"))
import varlink  # noqa: E402

READY = "echo >&$READY_FD; exec tail -f /dev/null"


def roost(*arguments, **options):
    return subprocess.run([ROOST, *arguments], capture_output=True, text=True, timeout=PATIENCE, **options)


def children():
    return pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class Client:
    """A bare connection."""

    def __init__(self, service):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(service.control + "/control")
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def send(self, method, parameters=None, **flags):
        self.socket.sendall(json.dumps({"method": method, "parameters": parameters or {}, **flags}).encode() + b"\0")

    def receive(self):
        """The next reply, or None when the master has ended the connection."""
        while b"\0" not in self.buffer:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, **flags):
        self.send(method, parameters, **flags)
        return self.receive()

    def close(self):
        self.socket.close()


class ControlTestCase(RoostTestCase):
    def client(self, service):
        client = Client(service)
        self.addCleanup(client.close)
        return client

    def release(self, text):
        path = self.script("#!/bin/sh\n" + text, "server.next")
        path.rename(self.folder / "server")

    def deployed(self, *arguments, text=READY, **options):
        self.release(text)
        return self.start(*arguments, command=[str(self.folder / "server")], **options).serving()

    def roost(self, service, command, *arguments):
        return roost(command, *arguments, "--control-directory", service.control)


class Reload(ControlTestCase):
    def test_it_returns_when_the_new_generation_serves(self):
        service = self.deployed()
        result = self.roost(service, "reload")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(
            result.stdout, r"(?s)reload requested by process \d+ of user \d+\n.*generation 2 took over.*succeeded after \d+ ms\n$"
        )
        status = json.loads(self.roost(service, "status", "--json").stdout)
        self.assertEqual(status["generation"], 2)

    def test_quietly_it_says_nothing(self):
        service = self.deployed()
        result = self.roost(service, "reload", "--quiet")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_a_worker_that_exits_is_named_with_its_status_and_its_last_words(self):
        service = self.deployed()
        self.release("echo loading >&2; echo 'no such table: users' >&2; exit 3")
        result = self.roost(service, "reload", "--quiet")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr,
            r"^roost: reload to generation 2 failed after \d+ ms: worker \d+ \(slot 0\) exited with status 3 before it was "
            r"ready; generation 1 keeps serving; its last lines on stderr:\n  \| loading\n  \| no such table: users\n$",
        )
        service.log.expect_count("^no such table: users$", 1)

    def test_a_worker_that_is_killed_or_hangs_or_cannot_be_executed_is_named_too(self):
        service = self.deployed("--ready-timeout", "300ms")
        for text, reason in [
            ("kill -SEGV $$", r"worker \d+ \(slot 0\) was killed by SIGSEGV.* before it was ready"),
            ("echo waiting for the database >&2; exec sleep 1000", r"was not ready within 300ms;.*\n  \| waiting for the database\n"),
        ]:
            self.release(text)
            result = self.roost(service, "reload", "--quiet")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, reason)
        (self.folder / "server").unlink()
        result = self.roost(service, "reload", "--quiet")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "cannot execute .*/server: No such file or directory; generation 1 keeps serving\n$")

    def test_a_worker_that_dies_while_it_settles_is_told_as_such(self):
        service = self.deployed(settle="10s")
        self.release("echo >&$READY_FD; echo late >&2; exit 9")
        result = self.roost(service, "reload", "--quiet")
        self.assertRegex(result.stderr, r"(?s)exited with status 9 (while it settled|before it was ready).*\| late\n$")

    def test_last_words_do_nothing_to_a_terminal_and_are_bounded(self):
        service = self.deployed()
        self.release("printf '\\033]0;owned\\007evil\\n' >&2; seq 100000 >&2; printf 'last, without newline' >&2; exit 1")
        result = self.roost(service, "reload", "--quiet")
        self.assertNotIn("\033", result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(lines[-1], "  | last, without newline")
        self.assertEqual(lines[-2], "  | 100000")
        self.assertEqual(len(lines), 11)

    def test_calls_during_a_reload_are_answered_for_one_that_began_after_them(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed()
        self.release(f"read go < {fifo}; {READY}")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            first = pool.submit(self.roost, service, "reload", "--quiet")
            service.expect(r"generation 2\) started")
            others = [pool.submit(self.roost, service, "reload", "--quiet") for _ in range(5)]
            service.log.expect_count("reload requested by process .* it runs when the running reload has ended", 5)
            # By now a release has landed that fails: the first caller's reload must not be blamed for it.
            self.release("echo broken >&2; exit 1")
            fifo.write_text("go\n")
            self.assertEqual(first.result().returncode, 0)
            for other in others:
                self.assertEqual(other.result().returncode, 1)
                self.assertRegex(other.result().stderr, "(?s)reload to generation 3 failed.*generation 2 keeps serving.*broken")
        # The clients may have heard of it before the log.
        service.log.expect_count("reload to generation 3 failed", 1)
        self.assertEqual(service.log.count("reload to generation .* began"), 2)

    def test_a_caller_that_gives_up_does_not_end_the_reload(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed()
        self.release(f"read go < {fifo}; {READY}")
        result = self.roost(service, "reload", "--timeout", "200ms")
        self.assertEqual(result.returncode, 124)
        self.assertIn("no verdict within 200ms; the reload continues", result.stderr)
        fifo.write_text("go\n")
        self.assertIn("succeeded", service.verdict())

    def test_without_waiting_it_only_asks(self):
        service = self.deployed("--ready-timeout", "1s")
        self.release("exit 1")
        self.assertEqual(self.roost(service, "reload", "--no-wait").returncode, 0)
        self.assertIn("failed", service.verdict())

    def test_drained_means_that_the_last_retiree_is_gone(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed(text=f"trap 'read go < {fifo}; exit 0' TERM; echo >&$READY_FD; while :; do sleep 0.05; done")
        self.release(READY)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            drained = pool.submit(self.roost, service, "reload", "--drained", "--quiet")
            service.expect("reload to generation 2 succeeded")
            status = json.loads(self.roost(service, "status", "--json").stdout)
            self.assertEqual([(w["role"], w["state"]) for w in status["workers"]], [("current", "ready"), ("retiree", "draining")])
            self.assertFalse(drained.done())
            # A reload during the drain is one like any other.
            self.assertEqual(self.roost(service, "reload").returncode, 0)
            self.assertFalse(drained.done())
            fifo.write_text("go\n")
            self.assertEqual(drained.result().returncode, 0)

    def test_a_reload_that_a_stop_overtakes_has_failed(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed()
        self.release(f"trap 'exit 0' TERM; read go < {fifo}; {READY}")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.roost, service, "reload")
            service.expect(r"generation 2\) started")
            service.signal(signal.SIGTERM)
            result = waiting.result()
        self.assertEqual(result.returncode, 1)
        self.assertIn("the service is being stopped: no reload takes place", result.stderr)

    def test_a_master_that_is_killed_is_no_success(self):
        service = self.deployed()
        self.release("exec sleep 1000")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.roost, service, "reload", "--quiet")
            service.expect(r"generation 2\) started")
            service.signal(signal.SIGKILL)
            result = waiting.result()
        self.assertEqual(result.returncode, 1)
        self.assertIn("has gone before the reload ended", result.stderr)
        service.wait()
        self.reap_orphans()

    def reap_orphans(self):
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


class Commands(ControlTestCase):
    def test_status_is_read_at_a_glance(self):
        service = self.start(
            "-n",
            "2",
            "-l",
            "http=127.0.0.1:0",
            "--name",
            "web",
            ready="notify",
            command=["sh", "-c", "systemd-notify --ready --status='12 connections'; exec tail -f /dev/null"],
        )
        address = service.address()
        service.serving()
        service.reload()
        service.log.expect_count(r"generation 1\) drained", 2)
        text = self.roost(service, "status").stdout
        pid = service.worker(1)
        self.assertRegex(text, rf"^web: generation 2 serves, master {service.pid}, up \d+s, 2 of 2 workers ready\n")
        self.assertRegex(text, r"\nlast reload, \d+s ago: reload to generation 2 succeeded after \d+ ms; 0 dropped, peak queue 0 of 4096\n")
        self.assertRegex(text, r"\nSLOT  GENERATION +PID  STATE +AGE  RESTARTS  MEMORY +CPU  STATUS\n")
        self.assertRegex(text, rf"\n +1 +2 +{pid}  ready +\d+s +0 +\d+[KM] +\d+ms  12 connections\n")
        self.assertRegex(text, rf"\nLISTENER  ADDRESS +QUEUED  PEAK  LIMIT  DROPPED\nhttp +{address} +0 +\d+ +4096 +0\n$")

    def test_status_shows_what_waits_in_the_accept_queue(self):
        path = self.folder / "web.sock"
        service = self.start("-l", "tcp=127.0.0.1:0", "-l", f"unix=unix:{path}", "--backlog", "50")
        host, port = service.address().rsplit(":", 1)
        service.serving()
        clients = [socket.create_connection((host, int(port))) for _ in range(3)]
        for _ in range(2):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            clients.append(client)
        for client in clients:
            self.addCleanup(client.close)
        listeners = json.loads(self.roost(service, "status", "--json").stdout)["listeners"]
        self.assertEqual(
            [(listener["name"], listener["queued"], listener["peak"], listener["limit"]) for listener in listeners],
            [("tcp", 3, 3, 50), ("unix", 2, 2, 50)],
        )

    def test_status_counts_restarts_and_what_workers_use(self):
        service = self.start(
            command=[sys.executable, "-c", "import os\nos.write(3, b'\\n')\nx = b'x' * 50_000_000\nwhile True: pass"]
        ).serving()
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("was killed by SIGKILL.*starting another")
        service.expect("is ready")

        def used():
            worker = json.loads(self.roost(service, "status", "--json").stdout)["workers"][0]
            self.assertEqual(worker["restarts"], 1)
            self.assertGreater(worker["memoryBytes"], 50_000_000)
            self.assertGreater(worker["cpuMilliseconds"], 20)

        self.eventually(used)

    def test_stop_waits_for_the_end(self):
        service = self.deployed()
        result = self.roost(service, "stop")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, "(?s)^stop requested by process.*drained and was killed by SIGTERM")
        self.assertEqual(service.process.wait(5), 0)

    def test_a_stop_has_not_succeeded_when_the_master_is_killed(self):
        service = self.deployed(text="trap '' TERM; " + READY)
        stop = subprocess.Popen(
            [ROOST, "stop", "--control-directory", service.control], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        service.expect("stop requested by process")
        worker = service.worker()
        service.signal(signal.SIGKILL)
        _, errors = stop.communicate(timeout=PATIENCE)
        service.wait()
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        self.assertEqual(stop.returncode, 1)
        self.assertIn("has gone before all workers had ended", errors)

    def test_the_last_reply_to_a_stop_has_no_event(self):
        service = self.deployed()
        self.assertEqual(self.client(service).call("roost.Control.Stop"), {"parameters": {"event": None}})

    def test_a_reload_that_is_only_asked_for_fails_while_the_service_stops(self):
        service = self.deployed(text="trap '' TERM; " + READY)
        service.signal(signal.SIGTERM)
        service.expect("stop requested")
        result = self.roost(service, "reload", "--no-wait")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the service is being stopped: no reload takes place", result.stderr)

    def test_a_master_that_accepts_nobody_is_waited_for_no_longer_than_asked(self):
        place = self.folder / "control"
        place.mkdir()
        full = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(full.close)
        full.bind(str(place / "control"))
        full.listen(0)
        for _ in range(3):
            waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            try:
                waiting.connect(str(place / "control"))
            except BlockingIOError:
                break
        result = roost("reload", "--timeout", "300ms", "--control-directory", str(place))
        self.assertEqual(result.returncode, 124, result.stderr)

    def test_a_second_stop_only_waits_too_and_at_once_does_not(self):
        service = self.deployed(text="trap '' TERM; echo >&$READY_FD; while :; do sleep 0.05; done")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            stops = [pool.submit(self.roost, service, "stop", "--quiet") for _ in range(2)]
            service.expect("was sent SIGTERM")
            self.assertEqual(self.roost(service, "reload").returncode, 1)
            self.assertEqual(self.roost(service, "stop", "--at-once").returncode, 0)
            self.assertEqual([stop.result().returncode for stop in stops], [0, 0])
        self.assertEqual(service.wait(), 0)

    def test_scale(self):
        service = self.deployed("--name", "web")
        result = roost("scale", "3", "web", "--control-directory", service.control)
        self.assertEqual((result.returncode, result.stdout), (0, "web: 1 → 3 workers\n"))
        service.log.expect_count("is ready", 3)
        self.assertEqual(roost("scale", "1", "--control-directory", service.control).returncode, 0)
        service.log.expect_count("drained", 2)
        self.assertEqual(roost("scale", "0", "--control-directory", service.control).returncode, 64)

    def test_scale_by_more_or_fewer(self):
        service = self.deployed("--name", "web")
        place = ["--control-directory", service.control]
        for change, status, said in [
            ("+2", 0, "web: 1 → 3 workers\n"),
            ("-1", 0, "web: 3 → 2 workers\n"),
            ("-5", 0, "web: 2 → 1 workers, as few as there can be\n"),
            ("-1", 1, "roost: web has 1 worker, as few as there can be\n"),
            ("+1", 0, "web: 1 → 2 workers\n"),
        ]:
            result = roost("scale", change, "web", *place)
            self.assertEqual((result.returncode, result.stdout + result.stderr), (status, said))
        self.assertEqual(json.loads(roost("status", "--json", *place).stdout)["workersWanted"], 2)
        for nonsense in ["+0", "-0", "1-", "+", "-", "--1", "+-1"]:
            self.assertEqual(roost("scale", nonsense, *place).returncode, 64, nonsense)

    def test_changes_at_the_same_time_add_up(self):
        service = self.deployed("--name", "web")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(roost, "scale", "+1", "--control-directory", service.control) for _ in range(6)]
            self.assertEqual({call.result().returncode for call in calls}, {0})
        status = json.loads(roost("status", "--json", "--control-directory", service.control).stdout)
        self.assertEqual(status["workersWanted"], 7)

    def test_a_service_that_is_not_running_has_its_own_exit_status(self):
        for command in [["reload"], ["status"], ["stop"], ["scale", "2"]]:
            result = roost(*command, "no-such-service")
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertRegex(result.stderr, "^roost: the service no-such-service is not running")

    def test_a_crashed_master_leaves_nothing_that_looks_running(self):
        service = self.deployed()
        service.signal(signal.SIGKILL)
        service.wait()
        while children():
            os.waitpid(-1, 0)
        self.assertEqual(self.roost(service, "status").returncode, 3)
        again = self.start("--control-directory", service.control)
        again.expect(r"generation \d serves")
        self.assertEqual(self.roost(service, "status").returncode, 0)
        again.stop()

    def test_a_control_directory_goes_with_the_master_that_has_made_it(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        failed = self.start("-l", f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(failed.wait(), 78)
        self.assertFalse(os.path.exists(failed.control))
        service = self.start("--state-directory", str(self.folder / "state")).serving()
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        service.stop()
        self.assertFalse(os.path.exists(service.control))
        # What has served is there for the next start.
        self.assertEqual(os.listdir(self.folder / "state"), ["history.json"])

    def test_a_control_directory_that_was_there_stays(self):
        place = self.folder / "control-0"
        place.mkdir()
        self.start().serving().stop()
        self.assertEqual(os.listdir(place), ["history.json"])

    def test_two_masters_of_one_name_exclude_each_other(self):
        service = self.start("-l", "127.0.0.1:0").serving()
        second = self.start("--control-directory", service.control, "--name", "web")
        self.assertEqual(second.wait(), 78)
        self.assertRegex(
            str(second.log), f"the service web is already running: process {service.pid} has locked {service.control}/lock; --name gives"
        )
        self.assertEqual(self.roost(service, "status").returncode, 0)

    def test_another_user_is_not_permitted(self):
        os.chmod(self.folder, 0o755)
        service = self.deployed()
        result = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ROOST, "reload", "--control-directory", service.control],
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.returncode, 4)
        self.assertIn("user 65534 may not operate the service", result.stderr)

    def test_a_group_can_be_permitted(self):
        os.chmod(self.folder, 0o755)
        service = self.deployed("--control-group", "games")
        for group, status in [("--groups=60", 0), ("--groups=61", 4)]:
            result = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", group, ROOST, "reload", "-q", "--control-directory", service.control],
                capture_output=True,
                text=True,
            )
            self.assertEqual(result.returncode, status, result.stderr)


class Named(RoostTestCase):
    """Services in the usual places, which are found by name. In a directory of the test's own."""

    def start_named(self, name, *arguments, **variables):
        place = f"{self.folder}/roost/{name}"
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.folder), **{"RUNTIME_DIRECTORY": place, **variables})
        (self.folder / "roost").mkdir(exist_ok=True)
        options = ["--name", name, "--ready", "pipe", "--settle", "0s", *arguments]
        service = Service([*options, "--", *WORKER], env=environment)
        self.services.append(service)
        return service.serving()

    def roost(self, *arguments, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "RUNTIME_DIRECTORY"}
        return roost(*arguments, env=dict(environment, XDG_RUNTIME_DIR=str(self.folder), **variables))

    def generation(self, name):
        return json.loads(self.roost("status", "--json", name).stdout)["generation"]

    def test_services_are_found_by_name_and_the_only_one_without(self):
        self.assertEqual(self.roost("status").returncode, 3)
        self.assertIn("no service is running", self.roost("status").stderr)
        api = self.start_named("api")
        self.assertEqual(self.roost("reload", "-q").returncode, 0)
        web = self.start_named("web")
        result = self.roost("reload")
        self.assertEqual(result.returncode, 64)
        self.assertIn("several services are running, say which: api, web", result.stderr)
        self.assertEqual(self.roost("reload", "-q", "web").returncode, 0)
        listed = self.roost("list").stdout
        self.assertRegex(listed, rf"^SERVICE  PHASE +GENERATION  WORKERS +PID  UP  LISTENERS\napi +serving +2 +1/1 +{api.pid}")
        self.assertEqual([service["name"] for service in json.loads(self.roost("list", "--json").stdout)], ["api", "web"])
        web.stop()
        self.assertRegex(self.roost("status", "web").stderr, r"the service web is not running \(running: api\)")
        self.assertEqual(self.roost("status").returncode, 0)

    def test_a_command_of_the_unit_finds_its_own_service(self):
        self.start_named("api")
        self.start_named("web")
        environment = dict(os.environ, RUNTIME_DIRECTORY=f"{self.folder}/roost/web")
        self.assertRegex(roost("status", env=environment).stdout, "^web: ")

    def test_a_name_means_the_service_of_that_name_also_within_another(self):
        # As in a hook or a worker of web, which inherits what systemd has told its master.
        within = {"RUNTIME_DIRECTORY": f"{self.folder}/roost/web"}
        self.start_named("api")
        self.start_named("web")
        self.assertEqual(self.roost("reload", "-q", "api", **within).returncode, 0)
        self.assertEqual((self.generation("api"), self.generation("web")), (2, 1))
        for command in [["reload"], ["stop"], ["scale", "2"], ["status"]]:
            result = self.roost(*command, "gone", **within)
            self.assertEqual(result.returncode, 3, command)
            self.assertRegex(result.stderr, r"^roost: the service gone is not running \(running: api, web\)")
        self.assertEqual((self.generation("api"), self.generation("web")), (2, 1))

    def test_a_name_that_the_service_of_a_directory_has_not_is_refused(self):
        self.start_named("web")
        result = self.roost("stop", "api", "--control-directory", f"{self.folder}/roost/web")
        self.assertEqual(result.returncode, 3)
        self.assertIn("the service api is not running", result.stderr)
        self.assertEqual(self.generation("web"), 1)

    def test_a_unit_may_have_a_directory_of_another_name(self):
        other = {"RUNTIME_DIRECTORY": f"{self.folder}/roost-of-web"}
        self.start_named("web", **other)
        self.assertEqual(self.roost("reload", "-q", "web", **other).returncode, 0)
        self.assertRegex(self.roost("status", **other).stdout, "^web: generation 2")

    def test_a_master_within_a_service_does_not_take_the_place_of_that(self):
        self.start_named("web")
        name = f"test-{os.getpid()}"
        self.start_named(name, RUNTIME_DIRECTORY=f"{self.folder}/roost/web", ROOST_SERVICE="web")
        self.assertEqual((self.generation("web"), self.generation(name)), (1, 1))

    def test_a_control_directory_of_its_own_is_found_by_name_where_systemd_has_made_one(self):
        own = f"{self.folder}/own"
        usual = self.folder / "roost/web"
        usual.mkdir(parents=True)
        service = self.start_named("web", "--control-directory", own)
        self.assertEqual(self.roost("reload", "-q", "web").returncode, 0)
        self.assertEqual(self.roost("reload", "-q", "web", RUNTIME_DIRECTORY=str(usual)).returncode, 0)
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(self.generation("web"), 3)
        service.stop()
        self.assertEqual(list(usual.iterdir()), [])

    def test_what_a_crashed_master_has_left_gives_way(self):
        first = self.start_named("web")
        first.signal(signal.SIGKILL)
        first.wait()
        while children():
            os.waitpid(-1, 0)
        self.start_named("web", "--control-directory", f"{self.folder}/own")
        self.assertEqual(self.generation("web"), 1)


@unittest.skipUnless(os.geteuid() == 0, "only root can change users")
class WithoutRuntimeDirectory(RoostTestCase):
    """Users who have no runtime directory of their own, as in cron."""

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        hidden = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"]
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}

    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def test_they_find_the_services_of_root(self):
        name = f"test-{os.getpid()}"
        service = Service(
            ["--name", name, "--state-directory", str(self.folder / "state"), "--ready", "pipe", "--", *WORKER], env=self.environment
        )
        self.services.append(service)
        service.serving()
        result = subprocess.run([*self.as_nobody, ROOST, "status", name], capture_output=True, text=True, env=self.environment)
        self.assertIn(f"user 65534 may not operate the service {name}", result.stderr)
        self.assertEqual(result.returncode, 4)

    def test_their_own_services_say_that_they_have_no_control_socket(self):
        service = Service(["--ready", "pipe", "--", *WORKER], launcher=self.as_nobody, env=self.environment, cwd=self.folder)
        self.services.append(service)
        service.expect("warning there is no control socket, .* --control-directory names a place")
        service.serving()


class ForeignClient(ControlTestCase):
    """The Python implementation of Varlink."""

    def setUp(self):
        super().setUp()
        self.service = self.deployed("--name", "web")
        self.client = varlink.Client.new_with_address(f"unix:{self.service.control}/control")

    def open(self):
        connection = self.client.open("roost.Control")
        self.addCleanup(connection.close)
        return connection

    def test_it_finds_out_what_there_is(self):
        connection = self.client.open("org.varlink.service")
        self.addCleanup(connection.close)
        info = connection.GetInfo()
        self.assertEqual(info["interfaces"], ["org.varlink.service", "roost.Control"])
        description = connection.GetInterfaceDescription("roost.Control")["description"]
        self.assertIn("method Reload(drained: ?bool, replace: ?bool)", description)
        with self.assertRaises(varlink.InterfaceNotFound):
            connection.GetInterfaceDescription("no.such.Interface")

    def test_it_reads_the_status(self):
        status = self.open().Status()["service"]
        self.assertEqual((status["name"], status["phase"], status["pid"]), ("web", "serving", self.service.pid))

    def test_it_reloads_and_sees_how_that_goes_on(self):
        kinds = []
        for reply in self.open().Reload(False, _more=True):
            # This client drops what is null.
            if "event" in reply:
                kinds.append(reply["event"]["kind"])
            verdict = reply.get("verdict")
        self.assertTrue(verdict["succeeded"])
        self.assertEqual(
            kinds,
            ["reload-requested", "reload-began", "worker-started", "worker-ready", "took-over", "drain-began", "reload-succeeded"],
        )
        self.assertEqual(self.open().Reload()["verdict"]["generation"], 3)

    def test_it_learns_why_a_reload_has_failed(self):
        self.release("echo why >&2; exit 5")
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.open().Reload()
        self.assertEqual(caught.exception.error(), "roost.Control.ReloadFailed")
        verdict = caught.exception.parameters()["verdict"]
        self.assertEqual((verdict["succeeded"], verdict["lastWords"]), (False, ["why"]))

    def test_it_scales_and_stops(self):
        self.assertEqual(self.open().Scale(2), {"workersBefore": 1, "workers": 2})
        self.assertEqual(self.open().Scale(change=-5), {"workersBefore": 2, "workers": 1})
        for parameters in [{"workers": 0}, {"change": 0}, {"change": 2**62}, {"workers": 1, "change": 1}, {}]:
            with self.assertRaises(varlink.InvalidParameter):
                self.open().Scale(**parameters)
        self.open().Stop()
        self.assertEqual(self.service.wait(), 0)

    def test_it_subscribes_to_what_happens(self):
        events = self.open().Subscribe(_more=True)
        self.assertIsNone(next(events).get("event"))
        self.service.signal(signal.SIGTTIN)
        event = next(events)["event"]
        self.assertEqual((event["kind"], event["message"]), ("scaled", "scaling from 1 worker to 2"))
        with self.assertRaises(varlink.VarlinkError) as caught:
            self.open().Subscribe()
        self.assertEqual(caught.exception.error(), "org.varlink.service.ExpectedMore")


class Misbehaviour(ControlTestCase):
    def setUp(self):
        super().setUp()
        self.service = self.deployed()

    def tearDown(self):
        self.assertEqual(self.roost(self.service, "status").returncode in (0, 1), True, "the master goes on")
        self.assertIn("succeeded", self.service.reload())

    def gone(self, data):
        client = self.client(self.service)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.socket.sendall(data)
        self.assertIsNone(client.receive())

    def test_garbage_ends_the_connection(self):
        for data in [
            b"\0",
            b"hello\0",
            b"[]\0",
            b"{}\0",
            b'{"method": 1}\0',
            b'{"method": "a", "parameters": []}\0',
            b"\xff\xfe\0",
            b'{"method":"roost.Control.Status"' + b"[" * 1000 + b"\0",
            b"GET / HTTP/1.1\r\n\r\n\0",
            os.urandom(5000) + b"\0",
        ]:
            self.gone(data)

    def test_half_a_message_is_no_message(self):
        client = self.client(self.service)
        client.socket.sendall(b'{"method":"roost.Control.Sta')
        client.socket.shutdown(socket.SHUT_WR)
        self.assertIsNone(client.receive())

    def test_a_hundred_megabytes_are_not_kept(self):
        before = self.memory()
        client = self.client(self.service)
        sent = 0
        try:
            while sent < 100_000_000:
                sent += client.socket.send(b"a" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertLess(sent, 100_000_000)
        self.assertLess(self.memory() - before, 2_000_000)

    def test_pipelined_megabytes_wait_outside(self):
        self.release("exec sleep 1000")
        client = self.client(self.service)
        client.send("roost.Control.Reload")
        self.service.expect("started")
        before = self.memory()
        client.socket.setblocking(False)
        try:
            while True:
                client.socket.send(b'{"method":"roost.Control.Status"}\0' * 1000)
        except BlockingIOError:
            pass
        self.assertLess(self.memory() - before, 2_000_000)
        client.close()
        os.kill(self.service.worker(), signal.SIGKILL)
        self.service.expect("failed")
        self.release(READY)

    def memory(self):
        text = pathlib.Path(f"/proc/{self.service.pid}/smaps_rollup").read_text()
        return int(text.split("Private_Dirty:")[1].split()[0]) * 1024

    def test_clients_that_only_connect_do_not_lock_operators_out(self):
        idle = [self.client(self.service) for _ in range(200)]
        self.assertEqual(self.roost(self.service, "reload", "-q").returncode, 0)
        self.assertLess(len(os.listdir(f"/proc/{self.service.pid}/fd")), 100)
        for client in idle:
            client.close()

    def test_one_who_only_listens_makes_room(self):
        subscribers = []
        for _ in range(72):
            subscribers.append(self.client(self.service))
            subscribers[-1].call("roost.Control.Subscribe", more=True)
        self.assertEqual(self.roost(self.service, "reload", "-q").returncode, 0)
        self.assertEqual(subscribers[0].receive(), {"error": "roost.Control.Busy", "parameters": {}})
        self.assertIsNone(subscribers[0].receive())
        self.assertEqual(subscribers[-1].receive()["parameters"]["event"]["kind"], "reload-requested")

    def test_without_descriptors_the_master_does_not_spin(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        service = self.deployed(preexec_fn=limit)
        clients = [self.client(service) for _ in range(50)]
        service.expect("cannot accept a client of the control socket for now: Too many open files")
        before = self.cpu(service)
        time.sleep(1)
        self.assertLess(self.cpu(service) - before, 10)
        for client in clients:
            client.close()
        self.assertEqual(self.roost(service, "status").returncode, 0)

    def cpu(self, service):
        fields = pathlib.Path(f"/proc/{service.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_a_subscriber_that_does_not_read_is_let_go(self):
        client = self.client(self.service)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.call("roost.Control.Subscribe", more=True)
        for _ in range(1500):
            self.service.signal(signal.SIGTTIN)
            self.service.expect("scaling from 1 ")
            self.service.signal(signal.SIGTTOU)
            self.service.expect("scaling from 2 ")
        # The control socket and the worker's notify socket.
        self.eventually(lambda: self.assertEqual(len(self.sockets()), 2))

    def sockets(self):
        links = []
        for descriptor in os.listdir(f"/proc/{self.service.pid}/fd"):
            # Unless it was closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{self.service.pid}/fd/{descriptor}"))
        return [link for link in links if link.startswith("socket")]

    def test_one_who_vanishes_while_waiting_is_forgotten(self):
        self.release("exec sleep 1000")
        clients = [self.client(self.service) for _ in range(3)]
        for client, more in zip(clients, [True, False, False], strict=True):
            client.send("roost.Control.Reload", more=more)
        self.service.expect("started")
        for client in clients:
            client.close()
        self.eventually(lambda: self.assertEqual(len(self.sockets()), 3))
        os.kill(self.service.worker(), signal.SIGKILL)
        self.service.expect("generation 2 failed")
        os_worker = self.service.expect(r"worker (\d+) .*generation 3\) started")[1]
        os.kill(int(os_worker), signal.SIGKILL)
        self.service.expect("generation 3 failed")
        self.release(READY)

    def test_waiting_costs_nothing(self):
        self.release("exec sleep 1000")
        client = self.client(self.service)
        client.send("roost.Control.Reload")
        self.service.expect("started")
        # Half-closed: it sends nothing more, and still wants the answer.
        client.socket.shutdown(socket.SHUT_WR)
        self.service.recorded(2, "starting")
        before = self.switches()
        time.sleep(0.5)
        self.assertLess(self.switches() - before, 5)
        os.kill(self.service.worker(), signal.SIGKILL)
        self.service.expect("failed")
        self.assertEqual(client.receive()["error"], "roost.Control.ReloadFailed")
        self.assertIsNone(client.receive())
        self.release(READY)

    def switches(self):
        """How often the master has run."""
        return int(pathlib.Path(f"/proc/{self.service.pid}/schedstat").read_text().split()[2])

    def test_calls_on_one_connection_are_answered_in_their_order(self):
        client = self.client(self.service)
        client.send("org.varlink.service.GetInfo")
        client.send("roost.Control.Reload")
        client.send("roost.Control.Status", oneway=True)
        client.send("roost.Control.Status")
        client.send("roost.Control.Nonsense")
        client.send("no.such.Interface.Method")
        client.send("roost.Control.Scale", {"workers": "many"})
        client.send("roost.Control.Reload", {"drained": 1})
        client.send("roost.Control.Scale", {"workers": 1.5, "else": -1e3})
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(client.receive()["parameters"]["product"], "roost")
        self.assertTrue(client.receive()["parameters"]["verdict"]["succeeded"])
        self.assertEqual(client.receive()["parameters"]["service"]["generation"], 2)
        self.assertEqual(client.receive()["error"], "org.varlink.service.MethodNotFound")
        self.assertEqual(
            client.receive(), {"error": "org.varlink.service.InterfaceNotFound", "parameters": {"interface": "no.such.Interface"}}
        )
        self.assertEqual(client.receive()["parameters"], {"parameter": "workers"})
        self.assertEqual(client.receive()["parameters"], {"parameter": "drained"})
        self.assertEqual(client.receive()["parameters"], {"parameter": "workers"})
        self.assertIsNone(client.receive())

    def test_a_message_may_come_in_pieces(self):
        client = self.client(self.service)
        for byte in b'{"method":"roost.Control.Status"}\0':
            client.socket.sendall(bytes([byte]))
        self.assertEqual(client.receive()["parameters"]["service"]["phase"], "serving")


if __name__ == "__main__":
    unittest.main()
