"""The master executes its own new binary in place: nobody notices, whatever is going on."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

from harness import DEMO_WORKER, PATIENCE, ROOST, Load, RoostTestCase, Service, eventually
from surroundings import needs_open_files

WAITS = "echo >&$READY_FD; exec tail -f /dev/null"
STUBBORN = (
    "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.write(int(os.environ['READY_FD']), b'\\n')\n"
    "while True: signal.pause()"
)


class UpgradeTestCase(RoostTestCase):
    def setUp(self):
        super().setUp()
        # Binaries of this test's own, which a new version can take the place of.
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        for name in ["roost", "roost-master"]:
            shutil.copy(pathlib.Path(ROOST).parent / name, self.programs)

    def start(self, *arguments, **options):
        return super().start(*arguments, program=str(self.programs / "roost"), **options)

    def roost(self, command, service, *arguments, **options):
        return subprocess.Popen(
            [ROOST, command, "--control-directory", service.control, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def told(self, process):
        """Exit status, stdout and stderr of a command."""
        output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output, errors

    def upgrade(self, service, times=1):
        for _ in range(times):
            status, output, errors = self.told(self.roost("upgrade", service))
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(output, r": upgraded from version [\d.]+ to version [\d.]+\n$")

    def replace(self, text, mode=0o755):
        """Puts another program in the place of the master's binary."""
        following = self.programs / "next"
        following.write_text(text)
        following.chmod(mode)
        following.rename(self.programs / "roost-master")

    def descriptors(self, service):
        return len(os.listdir(f"/proc/{service.pid}/fd"))

    def status(self, service):
        return json.loads(self.told(self.roost("status", service, "--json"))[1])


class Upgrade(UpgradeTestCase):
    def test_twenty_upgrades_under_load_lose_nothing_and_reloads_go_on(self):
        service = self.start("-l", "127.0.0.1:0", "-n", "2", "--name", "web", ready="notify", command=[DEMO_WORKER])
        address = service.address()
        service.serving()
        stat = pathlib.Path(f"/proc/{service.pid}/stat").read_text().rsplit(")", 1)[1].split()
        command = pathlib.Path(f"/proc/{service.pid}/cmdline").read_bytes()
        workers = service.children()
        load = Load(address)
        for number in range(20):
            self.upgrade(service)
            if number == 9:
                # The proof may not have been reaped yet.
                self.eventually(lambda: self.assertEqual(service.children(), workers, "no worker has noticed"))
            if number >= 10:
                self.assertIn("succeeded", service.reload())
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertGreater(result["requests"], 100)
        after = pathlib.Path(f"/proc/{service.pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.assertEqual(after[1], stat[1], "the parent is the same")
        self.assertEqual(pathlib.Path(f"/proc/{service.pid}/cmdline").read_bytes(), command)
        self.assertEqual(self.status(service)["generation"], 11)
        self.assertEqual(service.stop(), 0)

    def test_the_signal_upgrades_too(self):
        service = self.start().serving()
        service.signal(signal.SIGUSR2)
        service.expect("upgrade of the master to .*/roost-master requested by SIGUSR2")
        service.expect("upgraded the master from version")
        self.assertIn("succeeded", service.reload())

    def test_nothing_is_left_open_by_many(self):
        service = self.start("-l", "127.0.0.1:0", "-n", "3").serving()
        self.upgrade(service)
        before = self.descriptors(service)
        self.upgrade(service, times=10)
        # The connection of the command before may not have been closed yet when they were counted.
        self.eventually(lambda: self.assertLessEqual(self.descriptors(service), before))
        self.eventually(lambda: self.assertEqual(len(service.children()), 3, "the proofs are reaped"))

    @needs_open_files(1024)
    def test_a_hundred_workers(self):
        service = self.start("-n", "100", "-l", "127.0.0.1:0").serving()
        workers = service.children()
        self.assertEqual(len(workers), 100)
        self.upgrade(service, times=3)
        self.eventually(lambda: self.assertEqual(service.children(), workers))
        os.kill(service.worker(57), signal.SIGKILL)
        service.expect(r"\(slot 57, generation 1\) was killed by SIGKILL after serving .*; starting another$")
        service.expect(r"\(slot 57, generation 1\) is ready")
        self.assertEqual(service.stop(), 0)

    def test_a_storm_of_signals_loses_none(self):
        # HUPs that come while the master executes itself are pending, and stand for at least one reload after the last.
        service = self.start().serving()
        for _ in range(20):
            service.signal(signal.SIGUSR2)
            service.signal(signal.SIGHUP)
        self.upgrade(service)
        service.signal(signal.SIGHUP)
        self.eventually(lambda: self.assertEqual(self.status(service)["phase"], "serving"))
        self.eventually(lambda: self.assertTrue(self.has_begun_since_the_last_request(service.log.lines)))

    def has_begun_since_the_last_request(self, lines):
        requested = max(index for index, line in enumerate(lines) if "reload requested by SIGHUP" in line)
        return any(re.search(r"reload to generation \d+ began", line) for line in lines[requested:])

    def test_new_binaries_are_found_by_their_path(self):
        service = self.start().serving()
        before = os.stat(f"/proc/{service.pid}/exe").st_ino
        following = self.programs / "next"
        shutil.copy(pathlib.Path(ROOST).parent / "roost-master", following)
        following.rename(self.programs / "roost-master")
        self.upgrade(service)
        self.assertNotEqual(os.stat(f"/proc/{service.pid}/exe").st_ino, before)

    def test_what_systemd_hears_is_only_the_status(self):
        upstream = self.upstream()
        service = self.start(env=dict(os.environ, NOTIFY_SOCKET=upstream.path)).serving()
        upstream.log.expect("^READY=1$")
        self.upgrade(service)
        service.reload()
        upstream.log.expect("^RELOADING=1$")
        upstream.log.expect("^READY=1$")
        self.assertEqual(upstream.log.count("^READY=1$"), 2)
        self.assertEqual(upstream.log.count("^RELOADING=1$"), 1)


class Meanwhile(UpgradeTestCase):
    """Whatever is going on goes on."""

    def test_a_drain_goes_on_and_its_timeout_too(self):
        service = self.start("--drain-timeout", "6s", command=["python3", "-c", STUBBORN]).serving()
        service.signal(signal.SIGHUP)
        service.expect("generation 1. was sent SIGTERM and has 6s to drain")
        self.upgrade(service, times=3)
        self.assertRegex(self.told(self.roost("status", service))[1], r"draining, \d+(ms|s) left")
        service.expect(r"generation 1\) did not drain within 6s: killing its process group")
        service.expect(r"generation 1\) was killed \d+ ms after SIGTERM")

    def test_a_request_in_flight_is_answered_by_a_retiree(self):
        service = self.start("-l", "127.0.0.1:0", ready="notify", command=[DEMO_WORKER])
        host, port = service.address().rsplit(":", 1)
        service.serving()
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
            client.sendall(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            service.reload()
            self.upgrade(service, times=3)
            service.reload()
            self.assertIn("200 OK", client.makefile().read())

    def test_a_settling_reload_goes_on_and_whoever_waits_for_it_is_answered(self):
        service = self.start(settle="1500ms").serving()
        waiting = self.roost("reload", service)
        service.expect("generation 2. is ready")
        self.upgrade(service, times=2)
        status, output, errors = self.told(waiting)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("reload to generation 2 succeeded after 1", output)
        # The client may have heard of it before the log.
        service.log.expect_count("reload to generation 2 succeeded", 1)
        self.assertEqual(service.log.count("generation 2 took over"), 1)

    def test_a_candidate_gets_ready_after_it(self):
        gates = [self.folder / f"go{slot}" for slot in range(2)]
        for gate in gates:
            os.mkfifo(gate)
        text = f"test $ROOST_GENERATION = 2 && read x < {self.folder}/go$ROOST_SLOT; {WAITS}"
        for ready, say in [("pipe", text), ("notify", text.replace("echo >&$READY_FD", "systemd-notify --ready"))]:
            service = self.start("-n", "2", command=["sh", "-c", say], ready=ready).serving()
            waiting = self.roost("reload", service)
            service.expect(r"slot 1, generation 2\) started")
            self.upgrade(service)
            for gate in gates:
                gate.write_text("\n")
                service.expect(r"generation 2\) is ready")
            self.assertEqual(self.told(waiting)[0], 0)

    def test_a_candidate_that_fails_after_it_is_told_with_its_last_words_of_before(self):
        go = self.folder / "go"
        os.mkfifo(go)
        text = f"test $ROOST_GENERATION = 2 && {{ echo no database >&2; read x < {go}; exit 7; }}; {WAITS}"
        service = self.start(command=["sh", "-c", text]).serving()
        waiting = self.roost("reload", service, "-q")
        service.expect("no database")
        self.upgrade(service)
        go.write_text("\n")
        status, _, errors = self.told(waiting)
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"exited with status 7 before it was ready; .*\n  \| no database\n$")

    def test_a_latched_reload_is_kept(self):
        service = self.start(settle="1500ms").serving()
        first = self.roost("reload", service, "-q")
        service.expect("generation 2. is ready")
        second = self.roost("reload", service, "-q")
        service.expect("it runs when the running reload has ended")
        self.upgrade(service)
        self.assertEqual([self.told(first)[0], self.told(second)[0]], [0, 0])
        service.expect("reload to generation 3 succeeded")

    def test_backoff_and_failures_are_kept(self):
        counter = self.folder / "count"
        text = f"echo x >> {counter}; test $(wc -l < {counter}) -gt 1 && exit 5; {WAITS}"
        service = self.start("--restart-delay", "400ms", command=["sh", "-c", text]).serving()
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("starting another in 400ms")
        self.upgrade(service)
        service.expect("starting another in 800ms")
        self.upgrade(service)
        service.expect("starting another in 1s600ms")
        self.assertEqual(self.status(service)["workersWanted"], 1)

    def test_a_configuration_that_is_being_read_and_hooks_that_run(self):
        go, read, values = self.folder / "go", self.folder / "read", self.folder / "environment"
        os.mkfifo(go)
        os.mkfifo(read)
        values.write_text("A=1\n")
        service = self.start(
            "--environment-file",
            str(values),
            "--before-reload",
            f"echo hook >&2; read x < {go}",
            command=["sh", "-c", f"echo A=$A >&2; {WAITS}"],
        ).serving()
        # What reads the configuration waits until it may.
        program = self.programs / "roost"
        program.rename(self.programs / "real")
        program.write_text(f'#!/bin/sh\nread x < {read}\nexec {self.programs}/real "$@"\n')
        program.chmod(0o755)
        values.write_text("A=2\n")
        waiting = self.roost("reload", service, "-q")
        service.expect("reload to generation 2 began")
        self.upgrade(service)
        read.write_text("\n")
        service.expect("before-reload began")
        service.expect("^hook$")
        self.upgrade(service)
        go.write_text("\n")
        service.expect("before-reload succeeded")
        self.assertEqual(self.told(waiting)[0], 0)
        service.log.expect_count("^A=2$", 1)

    def test_a_client_that_listens_goes_on_listening(self):
        service = self.start().serving()
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(service.control + "/control")
        client.sendall(json.dumps({"method": "roost.Control.Subscribe", "more": True}).encode() + b"\0")
        stream = client.makefile("rb")

        def events():
            buffer = b""
            while True:
                buffer += stream.read(1)
                if buffer.endswith(b"\0"):
                    event = json.loads(buffer[:-1])["parameters"]["event"]
                    yield event["kind"] if event else None
                    buffer = b""

        kinds = events()
        self.assertIsNone(next(kinds))
        self.upgrade(service)
        self.assertEqual([next(kinds), next(kinds)], ["upgrade-began", "upgraded"])
        service.reload()
        self.assertEqual(next(kinds), "reload-requested")
        client.close()

    def test_what_workers_write_goes_on(self):
        service = self.start(
            "--log-prefix", command=["sh", "-c", f"printf half >&2; {WAITS.replace('exec', 'read x;')}"], stdin=subprocess.PIPE
        ).serving()
        self.upgrade(service)
        service.stop()
        service.log.expect_count(r"^slot 0 generation 1 \| half$", 1)

    def test_a_stop_is_waited_for_across_it(self):
        service = self.start("--drain-timeout", "1s", command=["python3", "-c", STUBBORN]).serving()
        stopping = self.roost("stop", service, "-q")
        service.expect("was sent SIGTERM")
        self.upgrade(service)
        self.assertEqual(self.told(stopping)[0], 0)
        self.assertEqual(service.wait(), 0)

    def test_the_name_stays_locked_and_the_pid_file_is_removed_at_the_end(self):
        file = self.folder / "pid"
        service = self.start("--name", "web", "--pid-file", str(file)).serving()
        self.upgrade(service)
        second = subprocess.run(
            [ROOST, "run", "--name", "web", "--control-directory", service.control, "--", "true"], capture_output=True, text=True
        )
        self.assertEqual(second.returncode, 78)
        self.assertIn(f"is already running: process {service.pid} has locked", second.stderr)
        self.assertEqual(file.read_text(), f"{service.pid}\n")
        service.stop()
        self.assertFalse(file.exists())

    def test_workers_still_follow_a_killed_master(self):
        service = self.start("-n", "2").serving()
        self.upgrade(service)
        # What looks for outsiders is gone in a moment.
        self.eventually(lambda: self.assertEqual(len(service.children()), 2))
        workers = service.children()
        service.signal(signal.SIGKILL)
        service.wait()
        for worker in workers:
            os.waitpid(worker, 0)


class Older(UpgradeTestCase):
    """A master of an older format, played by a script with real sockets and a real worker, executes this one."""

    def test_a_state_of_format_2_is_gone_on_with(self):
        self.goes_on("state-2.json", 2)

    def test_a_state_of_format_5_is_gone_on_with(self):
        """A state as the program wrote it."""
        self.goes_on("state-5-serving.json", 1)

    def goes_on(self, fixture, generation):
        player = pathlib.Path(__file__).with_name("former_master.py")
        launcher = [sys.executable, str(player), str(self.programs / "roost-master"), str(self.folder), DEMO_WORKER, fixture]
        (self.folder / "c").mkdir()
        os.mkfifo(self.folder / "go")
        service = Service([], launcher=launcher, program="roost")
        service.control = str(self.folder / "c")
        self.services.append(service)
        eventually(lambda: (self.folder / "worker").read_text().split()[1], (FileNotFoundError, IndexError))
        worker, address = (self.folder / "worker").read_text().split()
        worker = int(worker)
        load = Load(address)
        (self.folder / "go").write_text("")
        service.expect("upgraded the master from version 0.2.0 to version")
        self.eventually(lambda: self.assertEqual(service.children(), [worker]))
        status = self.status(service)
        self.assertEqual([(w["pid"], w["state"]) for w in status["workers"]], [(worker, "ready")])
        status, _, errors = self.told(self.roost("reload", service, "-q"))
        self.assertEqual((status, errors), (0, ""))
        self.upgrade(service)
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        os.kill(service.worker(), signal.SIGKILL)
        service.expect(f"generation {generation + 1}. is ready")
        self.assertEqual(service.stop(), 0)


class Refused(UpgradeTestCase):
    def check(self, reason):
        """The upgrade is refused for this reason, and the service goes on."""
        service = self.start("-n", "2").serving()
        workers, before = service.children(), self.descriptors(service)
        yield service
        status, output, errors = self.told(self.roost("upgrade", service))
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(errors, rf"upgrade refused, the former version keeps running: {reason}")
        service.expect(rf"error upgrade of the master refused: {reason}")
        self.eventually(lambda: self.assertEqual(service.children(), workers, "the proof is reaped, nobody else"))
        self.eventually(lambda: self.assertLessEqual(self.descriptors(service), before))
        self.assertIn("succeeded", service.reload())

    def refuse(self, text, reason, mode=0o755):
        checking = self.check(reason)
        next(checking)
        self.replace(text, mode)
        with self.assertRaises(StopIteration):
            next(checking)

    def test_a_binary_that_does_not_run(self):
        self.refuse(
            "#!/bin/sh\nexit 1\n", r".*/roost-master ended without an answer: it doesn't run here, or its version doesn't support upgrades"
        )

    def test_a_file_that_cannot_be_executed(self):
        self.refuse("no program\n", r"cannot execute .*/roost-master: Exec format error")

    def test_a_file_without_permission(self):
        self.refuse("#!/bin/sh\n", r"cannot execute .*/roost-master: Permission denied", mode=0o644)

    def test_a_binary_that_cannot_read_the_state(self):
        self.refuse(
            "#!/usr/bin/env python3\nimport json, os\n"
            "answer, state = map(int, os.environ['ROOST_PROVE'].split(':')[1:])\nstate = json.loads(open(state).read())\n"
            "os.write(answer, json.dumps({'problem': 'format %d is too new, pid %d' % (state['format'], "
            "len(state['running']['workers']))}).encode())\n",
            r".*/roost-master: format \d+ is too new, pid 2",
        )

    def test_a_binary_that_hangs(self):
        self.refuse("#!/bin/sh\nexec sleep 1000\n", r".*/roost-master didn't answer within 10s")

    def test_a_binary_that_is_gone(self):
        checking = self.check(r"cannot execute .*/roost-master: No such file or directory")
        next(checking)
        (self.programs / "roost-master").unlink()
        with self.assertRaises(StopIteration):
            next(checking)

    def test_one_that_proves_and_then_cannot_be_executed_is_refused_too(self):
        # It answers well, and takes itself away.
        self.refuse(
            "#!/usr/bin/env python3\nimport os\nos.unlink(__file__)\n"
            "os.write(int(os.environ['ROOST_PROVE'].split(':')[1]), b'{\"version\": \"9\"}')\n",
            r"cannot execute .*/roost-master: No such file or directory",
        )


if __name__ == "__main__":
    unittest.main()
