"""Files of the master's sockets, locks and pid that somebody removes while it runs, and what a reload makes of that."""

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import unittest

import test_listeners
from harness import DEMO_WORKER, PATIENCE, ROOST, WORKER, Load, Service, remove_tree
from test_listeners import ECHO, ListenersTestCase, ask, connect, refusal


class VanishedTestCase(ListenersTestCase):
    def roost(self, service, *arguments):
        return subprocess.run([ROOST, *arguments, "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE)

    def unreachable(self, service):
        result = self.roost(service, "status", "--json")
        return [one["unreachable"] for one in json.loads(result.stdout)["listeners"]]


class Listeners(VanishedTestCase):
    def setUp(self):
        super().setUp()
        self.place = self.folder / "place"
        self.place.mkdir()
        self.file = self.place / "a.sock"
        self.address = f"unix:{self.file}"

    def test_a_directory_that_is_removed_and_made_anew_gets_a_socket_by_a_reload(self):
        service = self.served(f"a={self.address}")
        shutil.rmtree(self.place)
        self.place.mkdir()
        self.assertEqual(refusal(self.address), errno.ENOENT)
        self.assertEqual(self.unreachable(service), [f"{self.file} is gone"])
        self.assertIn(f"clients can't connect to a: {self.file} is gone; a reload recreates it", self.roost(service, "status").stdout)
        self.assertIn(
            f'roost_listener_reachable{{service="web",listener="a",address="{self.address}"}} 0', self.roost(service, "metrics").stdout
        )
        self.assertIn("succeeded", service.reload())
        service.log.expect_count(f"warning clients couldn't connect to a={self.address}: {self.file} is gone", 1)
        service.expect(f"closed a={self.address}")
        self.assertEqual(ask(self.address), ["2", "a"])
        self.assertEqual(self.unreachable(service), [None])
        self.assertIn(f'listener="a",address="{self.address}"}} 1', self.roost(service, "metrics").stdout)
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count("clients couldn't connect"), 1)
        self.assertEqual(service.log.count("listening on"), 2)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(self.place), [])

    def test_a_directory_that_is_not_there_fails_the_reload(self):
        service = self.served(f"a={self.address}")
        shutil.rmtree(self.place)
        self.reload_fails(
            service, rf"cannot listen on a={self.address}: No such file or directory \(its directory isn't there\)", f"a={self.address}"
        )
        self.place.mkdir()
        self.assertIn("succeeded", service.reload())
        service.expect("generation 1. drained")
        self.assertEqual(ask(self.address), ["3", "a"])

    def test_a_socket_that_is_served_or_a_file_that_is_none_fails_it_and_stays(self):
        service = self.served(f"a={self.address}")
        self.file.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.file))
            other.listen()
            self.assertEqual(self.unreachable(service), [f"{self.file} is another file"])
            self.reload_fails(service, f"cannot listen on a={self.address}: Address already in use", f"a={self.address}")
            self.assertEqual(refusal(self.address), None)
        self.file.unlink()
        self.file.write_text("precious")
        self.reload_fails(service, f"cannot listen on a={self.address}: the file exists and isn't a socket", f"a={self.address}")
        self.assertEqual(self.file.read_text(), "precious")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(self.file.read_text(), "precious")

    def test_a_dead_socket_gives_way(self):
        service = self.served(f"a={self.address}")
        self.file.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.file))
        self.assertIn("succeeded", service.reload())
        service.expect("generation 1. drained")
        self.assertEqual(ask(self.address), ["2", "a"])

    def test_a_failed_reload_takes_the_new_one_back_and_the_next_makes_another(self):
        failing = [sys.executable, str(self.folder / "echo.py"), "2"]
        service = self.served(f"a={self.address}")
        self.file.unlink()
        self.reload_fails(service, "exited with status 3", f"a={self.address}", command=failing)
        service.expect(f"closed a={self.address}")
        self.assertEqual(refusal(self.address), errno.ENOENT)
        self.assertEqual(self.unreachable(service), [f"{self.file} is gone"])
        self.reload_with(service, f"a={self.address}")
        service.expect("generation 1. drained")
        self.assertEqual(ask(self.address), ["3", "a"])

    def test_who_is_queued_at_the_former_socket_is_served(self):
        service = self.served(f"a={self.address}")
        fifo = self.folder / "held"
        os.mkfifo(fifo)
        holder = connect(self.address)
        holder.sendall(f"hold {fifo}".encode())
        held = open(fifo, "w")
        clients = [connect(self.address) for _ in range(20)]
        for client in clients:
            client.sendall(b"x")
        self.file.unlink()
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 2 succeeded")
        self.assertEqual([ask(self.address) for _ in range(5)], [["2", "a"]] * 5)
        held.close()
        self.assertEqual([client.makefile().read() for client in [holder, *clients]], ["1 a\n"] * 21)
        for client in [holder, *clients]:
            client.close()

    def test_a_roll_gives_each_slot_the_socket_of_its_generation(self):
        script = f'test "$ROOST_GENERATION $ROOST_SLOT" = "2 1" && exit 3; exec {sys.executable} {self.script(ECHO, "echo.py")}'
        options = {"command": ["sh", "-c", script], "more": "workers = 2\nsurge = 1\n"}
        service = self.served(f"a={self.address}", **options)
        self.file.unlink()
        self.assertRegex(service.reload(), "failed .*1 of 2 slots had moved to generation 2")
        self.assertEqual([ask(self.address) for _ in range(5)], [["2", "a"]] * 5)

    def test_a_service_without_a_file_gets_its_socket_back_too(self):
        service = self.start("-l", f"a={self.address}", command=[sys.executable, str(self.script(ECHO))]).serving()
        self.file.unlink()
        self.assertIn("succeeded", service.reload())
        service.expect("generation 1. drained")
        self.assertEqual(ask(self.address), ["2", "a"])

    def test_an_upgrade_in_between_forgets_nothing(self):
        service = self.served(f"a={self.address}")
        self.file.unlink()
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertEqual(self.unreachable(service), [f"{self.file} is gone"])
        self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.eventually(lambda: self.assertEqual(ask(self.address), ["2", "a"]))
        self.assertEqual(service.stop(), 0)
        self.assertFalse(self.file.exists())

    def test_requests_elsewhere_are_not_lost(self):
        staying = self.tcp()
        more = {"command": [DEMO_WORKER], "more": "workers = 2\n"}
        self.configure(f"a={staying}", f"b={self.address}", **more)
        path = self.folder / "web.toml"
        path.write_text(path.read_text().replace('ready = "pipe"', 'ready = "notify"'))
        service = self.start_bare("--config", str(path)).serving()
        load = Load(staying)
        for _ in range(5):
            self.file.unlink()
            self.assertIn("succeeded", service.reload())
            self.assertEqual(refusal(self.address), None)
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)


class InTheStore(ListenersTestCase):
    """What systemd keeps for the next master is the socket that clients get to."""

    start_stored, name, kill = test_listeners.Stored.start_stored, test_listeners.Stored.name, test_listeners.Stored.kill

    def setUp(self):
        super().setUp()
        self.store = test_listeners.Store(self.folder)
        self.addCleanup(self.store.close)

    def test_the_new_socket_is_kept_and_the_former_is_not(self):
        file = self.folder / "a.sock"
        listener = f"a=unix:{file}"
        failing = [sys.executable, str(self.folder / "echo.py"), "2"]
        service = self.start_stored(listener).serving()
        self.store.wait_for(self.name(listener))
        file.unlink()
        self.reload_fails(service, "exited with status 3", listener, command=failing)
        self.store.wait_for()
        os.kill(self.workers_of(service, 1)[0], signal.SIGKILL)
        service.expect(r"generation 1\) is ready")
        self.reload_with(service, listener)
        service.expect("closed a=")
        self.store.wait_for(self.name(listener))
        self.kill(service)
        with connect(f"unix:{file}") as client:
            client.sendall(b"x")
            self.start_stored(listener).serving()
            self.assertEqual(client.makefile().read(), "1 a\n")


class OwnFiles(VanishedTestCase):
    """Pid file, control socket, lock, and the sockets of metrics and einhorn's clients."""

    def serving(self, *arguments, **options):
        self.pid_file = self.folder / "pid"
        self.metrics = self.folder / "metrics.sock"
        service = self.start(
            "--name",
            "web",
            "--pid-file",
            str(self.pid_file),
            "--metrics",
            f"unix:{self.metrics}",
            "--compatibility",
            "einhorn",
            *arguments,
            **options,
        ).serving()
        self.control = pathlib.Path(service.control)
        self.all = [self.pid_file, self.metrics, *(self.control / name for name in ["control", "lock", "einhorn.sock"])]
        return service

    def assert_there(self, service):
        self.assertEqual(self.pid_file.read_text(), f"{service.pid}\n")
        self.assertEqual((self.control / "lock").read_text(), f"{service.pid}\n")
        self.assertEqual((self.control / "control").stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.control / "einhorn.sock").stat().st_mode & 0o777, 0o666)
        self.assertEqual(self.roost(service, "status").returncode, 0)
        self.assertEqual(refusal(f"unix:{self.control}/einhorn.sock"), None)
        with connect(f"unix:{self.metrics}") as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            self.assertIn("200 OK", client.makefile().readline())

    def remove(self):
        for path in self.all:
            path.unlink()
        remove_tree(self.control)

    def assert_nothing_left(self):
        """But the record of what has served, for the next start."""
        self.assertEqual([path for path in self.all if path.exists()], [])
        self.assertEqual(os.listdir(self.control), ["history.json"])

    def test_a_reload_makes_them_anew(self):
        service = self.serving()
        inodes = [path.stat().st_ino for path in self.all]
        self.assertIn("succeeded", service.reload())
        self.assertEqual([path.stat().st_ino for path in self.all], inodes)
        self.assertEqual(service.log.count("recreated"), 0)
        for _ in range(2):
            self.remove()
            self.assertIn("succeeded", service.reload())
            self.assert_there(service)
        for what in [
            "the lock of the control socket",
            "the control socket: .* is gone",
            "the pid file",
            "the socket of the metrics",
            "the socket for acknowledgements",
        ]:
            self.assertEqual(service.log.count(f"warning recreated: {what}"), 2, what)
        self.assertEqual(service.stop(), 0)
        self.assert_nothing_left()

    def test_a_hup_makes_them_anew_while_the_service_starts_or_reloads(self):
        gate = self.folder / "gate"
        os.mkfifo(gate)
        self.pid_file = self.folder / "pid"
        service = self.start(
            "--pid-file", str(self.pid_file), command=["sh", "-c", f"cat {gate}; echo >&$READY_FD; exec tail -f /dev/null"]
        )
        service.expect("worker .* started")
        self.eventually(lambda: self.assertTrue(self.pid_file.exists()))
        self.pid_file.unlink()
        service.signal(signal.SIGHUP)
        service.expect("recreated: the pid file")
        self.assertEqual(self.pid_file.read_text(), f"{service.pid}\n")
        gate.write_text("")
        service.expect("generation 2. started")
        self.pid_file.unlink()
        service.signal(signal.SIGHUP)
        service.expect("recreated: the pid file")
        gate.write_text("")
        service.expect("generation 3. started")
        gate.write_text("")
        service.verdict()

    def test_an_upgrade_makes_them_anew_before_it_begins_and_after(self):
        service = self.serving()
        self.remove()
        service.signal(signal.SIGUSR2)
        service.expect("recreated")
        service.expect("upgraded the master")
        self.eventually(lambda: self.assert_there(service))
        self.assertEqual(service.stop(), 0)
        self.assert_nothing_left()

    def test_what_goes_during_an_upgrade_is_made_anew_after_it(self):
        roost, master = self.folder / "bin/roost", self.folder / "bin/roost-master"
        roost.parent.mkdir()
        real = pathlib.Path(ROOST).resolve()
        shutil.copy(real, roost)
        # The new binary takes the files away before it begins.
        shutil.copy(real.parent / "roost-master", self.folder / "bin/real")
        shutil.copy(real.parent / "roost-master", master)
        self.pid_file = self.folder / "pid"
        service = self.start("--pid-file", str(self.pid_file), program=str(roost)).serving()
        script = self.script(
            f'#!/bin/sh\ntest "$ROOST_STATE" && rm -r {self.pid_file} {service.control}\nexec {self.folder}/bin/real "$@"\n', "new"
        )
        os.replace(script, master)
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        service.expect("recreated: the pid file")
        self.assertEqual(self.roost(service, "status").returncode, 0)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(service.control), ["history.json"])

    def test_clients_that_are_connected_stay(self):
        service = self.serving()
        with connect(f"unix:{self.control}/control") as client:
            client.sendall(b'{"method":"roost.Control.Subscribe","more":true}\0')
            stream = client.makefile("rb")
            self.assertIn(b"continues", self.message(stream))
            self.remove()
            self.assertIn("succeeded", service.reload())
            while b"reload-succeeded" not in self.message(stream):
                pass
            self.assert_there(service)

    def message(self, stream):
        text = b""
        while not text.endswith(b"\0"):
            text += stream.read(1)
        return text

    def test_a_link_of_the_runtime_directory_is_made_anew(self):
        usual = self.folder / "usual"
        usual.mkdir()
        service = self.start(env=dict(os.environ, RUNTIME_DIRECTORY=str(usual))).serving()
        shutil.rmtree(usual)
        usual.mkdir()
        self.assertIn("succeeded", service.reload())
        self.assertEqual(os.readlink(usual / "control"), f"{service.control}/control")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(usual), [])

    def test_what_somebody_else_has_put_there_stays(self):
        service = self.serving()
        self.remove()
        self.control.mkdir()
        (self.control / "control").write_text("precious")
        self.metrics.write_text("precious")
        self.pid_file.write_text(f"{os.getpid()}\n")
        self.assertIn("succeeded", service.reload())
        for pattern in [
            f"error cannot open the control socket {self.control}/control: the file exists and isn't a socket",
            f"warning metrics aren't served, .*: cannot listen on metrics=unix:{self.metrics}: the file exists and isn't a socket; "
            "next try in 1s",
            f"error the pid file {self.pid_file} now belongs to process {os.getpid()}",
        ]:
            self.assertEqual(service.log.count(pattern), 1, pattern)
        self.assertEqual(service.stop(), 0)
        self.assertEqual((self.control / "control").read_text(), "precious")
        self.assertEqual(self.metrics.read_text(), "precious")
        self.assertEqual(self.pid_file.read_text(), f"{os.getpid()}\n")

    def test_a_pid_file_of_a_process_that_is_gone_gives_way(self):
        service = self.serving()
        gone = subprocess.Popen(["true"])
        gone.wait()
        self.pid_file.unlink()
        self.pid_file.write_text(f"{gone.pid}\n")
        self.assertIn("succeeded", service.reload())
        self.assertEqual(self.pid_file.read_text(), f"{service.pid}\n")

    def test_a_pid_file_of_the_same_pid_and_another_master_is_not_removed(self):
        # As where containers share a directory: all their masters have pid 1.
        service = self.serving()
        self.pid_file.unlink()
        self.pid_file.write_text(f"{service.pid}\n")
        self.assertEqual(service.stop(), 0)
        self.assertTrue(self.pid_file.exists())


class TwoMasters(VanishedTestCase):
    """Two masters of one name, which share a control directory."""

    def master(self, *arguments, **options):
        self.control = self.folder / "control"
        service = Service(
            ["--control-directory", str(self.control), "--name", "web", "--ready", "pipe", "--settle", "0s", *arguments, "--", *WORKER],
            **options,
        )
        service.control = str(self.control)
        self.services.append(service)
        return service

    def test_a_second_one_is_refused_after_the_lock_was_removed_and_the_first_locks_anew(self):
        first = self.master().serving()
        (self.control / "lock").unlink()
        second = self.master()
        second.expect(
            f"cannot open the control socket {self.control}/control: process {first.pid} listens there, although it doesn't hold the lock"
        )
        self.assertEqual(second.wait(), 78)
        self.assertEqual(self.roost(first, "status").returncode, 0)
        self.assertIn("succeeded", first.reload())
        third = self.master()
        third.expect(f"is already running: process {first.pid} has locked")
        self.assertEqual(third.wait(), 78)
        self.assertEqual(first.stop(), 0)
        self.assertEqual(os.listdir(self.control), ["history.json"])

    def test_one_that_ends_leaves_lock_and_socket_of_the_other_alone(self):
        first = self.master().serving()
        remove_tree(self.control)
        second = self.master().serving()
        self.assertIn("succeeded", first.reload())
        self.assertEqual(
            first.log.count(
                f"error two masters of the service web are running: process {second.pid} has locked {self.control}/lock since this "
                "one's lock was removed; one of them has to be stopped"
            ),
            1,
        )
        self.assertEqual(first.stop(), 0)
        self.assertEqual((self.control / "lock").read_text(), f"{second.pid}\n")
        self.assertIn(f"master {second.pid}", self.roost(second, "status").stdout)
        third = self.master()
        third.expect(f"is already running: process {second.pid} has locked")
        self.assertEqual(third.wait(), 78)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(os.listdir(self.control), ["history.json"])

    def test_the_one_that_stays_makes_its_files_anew_when_the_other_has_ended(self):
        first = self.master().serving()
        remove_tree(self.control)
        second = self.master().serving()
        self.assertIn("succeeded", first.reload())
        self.assertEqual(second.stop(), 0)
        self.assertIn("succeeded", first.reload())
        self.assertIn(f"master {first.pid}", self.roost(first, "status").stdout)
        self.assertEqual((self.control / "lock").read_text(), f"{first.pid}\n")

    def test_what_a_killed_one_has_left_gives_way(self):
        pid_file, metrics = self.folder / "pid", self.folder / "metrics.sock"
        arguments = [
            "--pid-file",
            str(pid_file),
            "--metrics",
            f"unix:{metrics}",
            "--compatibility",
            "einhorn",
            "-l",
            f"unix:{self.folder}/a.sock",
        ]
        for _ in range(3):
            service = self.master(*arguments).serving()
            worker = service.worker()
            service.signal(signal.SIGKILL)
            service.wait()
            os.waitpid(worker, 0)
            self.assertTrue((self.control / "lock").exists())
        service = self.master(*arguments).serving()
        self.assertEqual(pid_file.read_text(), f"{service.pid}\n")
        self.assertEqual(self.roost(service, "status").returncode, 0)
        self.assertEqual(service.log.count("warning|error"), 0)
        self.assertEqual(service.stop(), 0)
        self.assertEqual([path.name for path in [pid_file, metrics, self.folder / "a.sock"] if path.exists()], [])


if __name__ == "__main__":
    unittest.main()
