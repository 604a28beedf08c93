"""Listeners that a reload adds, removes, moves and changes; sockets from systemd and its fd store; queues and flags."""

import array
import datetime
import errno
import fcntl
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading

from harness import DEMO_WORKER, PATIENCE, ROOST, Load, RoostTestCase, stand_still

# Ready at once; answers one connection after the other with its generation and the listener's name, and drains by
# accepting nothing more. "hold" in the request keeps the worker until the test says so.
ECHO = """
import os, selectors, signal, socket, sys
names = os.environ.get("LISTEN_FDNAMES", "").split(":")
listeners = [socket.socket(fileno=3 + i) for i in range(int(os.environ.get("LISTEN_FDS", 0)))]
ready = int(os.environ["READY_FD"])
selector = selectors.DefaultSelector()
for name, listener in zip(names, listeners):
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, name)
mine, stop = socket.socketpair()
stop.setblocking(False)
signal.set_wakeup_fd(stop.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
selector.register(mine, selectors.EVENT_READ, None)
if os.environ["ROOST_GENERATION"] in sys.argv[1:]:
    sys.exit(3)
os.write(ready, b"\\n")
while True:
    for key, _ in selector.select():
        if key.data is None:
            sys.exit(0)
        try:
            client, _ = key.fileobj.accept()
        except BlockingIOError:
            continue
        client.setblocking(True)
        request = client.recv(100)
        if b"hold" in request:
            open(request.split()[1]).read()
        client.sendall(f"{os.environ['ROOST_GENERATION']} {key.data}\\n".encode())
        client.close()
"""


def connect(address):
    """A connection to an address as the log shows it."""
    if address.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        target = address[5:]
    else:
        client = socket.socket(socket.AF_INET6 if address.startswith("[") else socket.AF_INET)
        host, port = address.rsplit(":", 1)
        target = (host.strip("[]"), int(port))
    client.settimeout(PATIENCE)
    try:
        client.connect(target)
    except BaseException:
        client.close()
        raise
    return client


def ask(address, request=b"x"):
    """What a worker answers: its generation and the listener's name."""
    with connect(address) as client:
        client.sendall(request)
        return client.makefile().read().split()


def refusal(address):
    """The error of connecting, or None."""
    try:
        connect(address).close()
    except OSError as error:
        return error.errno
    return None


def free_port():
    """One that the kernel gives to nobody else meanwhile: below those that it chooses for clients."""
    while True:
        try:
            with socket.create_server(("127.0.0.1", random.randrange(20000, 32000))) as listener:
                return listener.getsockname()[1]
        except OSError:
            pass


def queue(number, pid):
    """How many connections wait in a listener of another process, and how many can."""
    pidfd = os.pidfd_open(pid)
    try:
        # pidfd_getfd(2), which the module doesn't have.
        import ctypes

        copy = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)
        assert copy >= 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(pidfd)
    with socket.socket(fileno=copy) as listener:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, 24)[0], struct.unpack_from("I", info, 28)[0]


class ListenersTestCase(RoostTestCase):
    def configure(self, *listen, command=None, more=""):
        """Writes the configuration. A listener is an address, or a table as it stands in the file."""
        if command is None:
            command = [sys.executable, str(self.script(ECHO, "echo.py"))]
        listen = ", ".join(one if one.startswith("{") else json.dumps(one) for one in listen)
        (self.folder / "web.toml").write_text(
            f'command = {json.dumps(command)}\nready = "pipe"\nsettle = "0s"\nlisten = [{listen}]\n{more}'
        )

    def served(self, *listen, environment=None, **options):
        self.configure(*listen, **options)
        service = self.start_bare(
            "--start-attempts", "3", "--config", str(self.folder / "web.toml"), env={**os.environ, **(environment or {})}
        )
        return service.serving()

    def reload_with(self, service, *listen, **options):
        self.configure(*listen, **options)
        verdict = service.reload()
        self.assertIn("succeeded", verdict)

    def reload_fails(self, service, pattern, *listen, **options):
        self.configure(*listen, **options)
        self.assertRegex(service.reload(), f"^failed .*{pattern}.*keeps serving")

    def tcp(self):
        return f"127.0.0.1:{free_port()}"

    def unix(self, name):
        return f"unix:{self.folder / name}"

    def sockets(self, service):
        """The sockets that the master has: their numbers and inodes."""
        found = {}
        for number in os.listdir(f"/proc/{service.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{service.pid}/fd/{number}")
            except FileNotFoundError:
                continue
            if target.startswith("socket:"):
                found[int(number)] = target
        return found

    def tcp_listeners(self, service):
        """Those of them that are TCP."""
        found = {}
        for number, target in self.sockets(service).items():
            try:
                queue(number, service.pid)
                found[number] = target
            except OSError:
                pass
        return found

    def workers_of(self, service, generation):
        """The pids of those that live."""
        started = [re.search(rf"worker (\d+) \(slot \d+, generation {generation}\) started", line) for line in service.log.lines]
        return [pid for pid in (int(match[1]) for match in started if match) if pid in service.children()]

    def open_files(self, service):
        folder = f"/proc/{service.pid}/fd"
        return sorted(os.readlink(f"{folder}/{number}").split(":")[0] for number in os.listdir(folder))


class Changes(ListenersTestCase):
    def test_an_added_listener_is_served_and_the_others_stay(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}")
        self.assertEqual(refusal(second), errno.ECONNREFUSED)
        self.reload_with(service, f"b={second}", f"a={first}")
        service.expect("generation 1. drained")
        self.assertEqual([ask(first), ask(second)], [["2", "a"], ["2", "b"]])

    def test_an_added_listener_is_open_before_the_candidate_starts(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}")
        self.configure(f"a={first}", f"b={second}")
        service.signal(signal.SIGHUP)
        service.expect(f"listening on b={second}$")
        service.expect("generation 2. started")

    def test_a_removed_listener_is_closed_when_its_last_worker_is_gone(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}", f"b={second}")
        fifo = self.folder / "held"
        os.mkfifo(fifo)
        with connect(first) as client:
            client.sendall(f"hold {fifo}".encode())
            with open(fifo, "w"):  # The worker has the request.
                self.reload_with(service, f"a={first}")
                service.expect(f"b={second} is closed to new connections")
                self.assertEqual(refusal(second), errno.ECONNREFUSED)
                self.assertEqual(ask(first), ["2", "a"])
                self.assertEqual(service.log.count(f"closed b={second}"), 0)
            self.assertEqual(client.makefile().read(), "1 a\n")
        service.expect(f"closed b={second}")
        socket.create_server(("127.0.0.1", int(second.split(":")[1]))).close()

    def test_connections_that_are_queued_on_a_removed_listener_are_served(self):
        # A worker that is busy with one connection has the others queued when their listener is removed.
        for address in [self.tcp(), self.unix("b.sock")]:
            with self.subTest(address):
                staying = self.tcp()
                service = self.served(f"a={staying}", f"b={address}")
                fifo = self.folder / f"held-{len(self.services)}"
                os.mkfifo(fifo)
                holder = connect(address)
                holder.sendall(f"hold {fifo}".encode())
                held = open(fifo, "w")
                clients = [connect(address) for _ in range(50)]
                for client in clients:
                    client.sendall(b"x")
                self.configure(f"a={staying}")
                service.signal(signal.SIGHUP)
                service.expect("reload to generation 2 succeeded")
                self.assertIn(refusal(address), [errno.ECONNREFUSED, errno.ENOENT])
                held.close()
                answers = [client.makefile().read() for client in [holder, *clients]]
                self.assertEqual(answers, ["1 b\n"] * 51)
                for client in [holder, *clients]:
                    client.close()
                service.expect("closed b=" + re.escape(address))
                self.assertEqual(service.stop(), 0)

    def test_they_are_served_when_nothing_ran_for_a_while(self):
        staying, address = self.tcp(), self.tcp()
        service = self.served(f"a={staying}", f"b={address}")
        fifo = self.folder / "held"
        os.mkfifo(fifo)
        clients = [connect(address) for _ in range(20)]
        clients[0].sendall(f"hold {fifo}".encode())
        held = open(fifo, "w")
        for client in clients[1:]:
            client.sendall(b"x")
        old = service.worker()
        self.reload_with(service, f"a={staying}")
        # Longer than the stop signal is held back.
        stand_still([service.pid, old], 7)
        held.close()
        self.assertEqual([client.makefile().read() for client in clients], ["1 b\n"] * 20)
        for client in clients:
            client.close()
        self.assertEqual(service.stop(), 0)

    def test_a_stop_waits_for_no_queue(self):
        staying, other = self.tcp(), self.tcp()
        # A worker that accepts nothing and obeys its stop signal.
        service = self.served(f"a={staying}", f"b={other}", command=["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"])
        old = service.worker()
        with connect(other):
            self.reload_with(service, f"a={staying}")
            # It has not been told, for the sake of whoever is queued.
            self.assertIn(old, service.children())
            self.assertEqual(service.stop(), 0)
        self.assertRegex(str(service.log), rf"worker {old} .* drained and was killed by SIGTERM")

    def test_a_worker_that_does_not_accept_is_told_to_drain_after_a_while(self):
        staying, other = self.tcp(), self.tcp()
        service = self.served(
            f"a={staying}", f"b={other}", command=["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"], more='drain-timeout = "2s"\n'
        )
        with connect(other) as client:
            self.reload_with(service, f"a={staying}", more='drain-timeout = "2s"\n')
            service.log.expect_count("gets its stop signal when it has accepted the connections queued on closed listeners", 1)
            # A quarter of the drain timeout.
            service.expect("generation 1. drained and was killed by SIGTERM")
            times = [
                datetime.datetime.fromisoformat(line.split()[0])
                for line in str(service.log).splitlines()
                if re.search("generation 2 took over|generation 1. was sent SIGTERM and has 2s to drain", line)
            ]
            self.assertGreaterEqual(times[1] - times[0], datetime.timedelta(milliseconds=499))
            service.expect(f"warning closed b={other} with 1 waiting: no worker that had it has accepted them")
            with self.assertRaises(ConnectionResetError):
                client.recv(1)

    def test_a_moved_listener_is_an_added_and_a_removed_one(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}")
        self.reload_with(service, f"a={second}")
        self.assertEqual(refusal(first), errno.ECONNREFUSED)
        self.assertEqual(ask(second), ["2", "a"])
        service.expect(f"closed a={first}")

    def test_a_renamed_listener_is_the_same_socket(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}", f"b={second}")
        before = self.tcp_listeners(service)
        self.assertEqual(len(before), 2)
        self.reload_with(service, f"b={first}", f"a={second}")
        service.expect("generation 1. drained")
        self.assertEqual([ask(first), ask(second)], [["2", "b"], ["2", "a"]])
        self.assertEqual(self.tcp_listeners(service), before)
        self.assertEqual(service.log.count("listening on"), 2)
        self.assertEqual(service.log.count("closed"), 0)

    def test_options_that_can_be_changed_in_place_are(self):
        address, file = self.tcp(), self.folder / "a.sock"
        table = '{{ name = "{}", address = "{}", {} }}'.format
        service = self.served(table("t", address, "backlog = 100"), table("u", f"unix:{file}", 'mode = "0600"'))
        [number] = self.tcp_listeners(service)
        self.assertEqual(queue(number, service.pid)[1], 100)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        inode = file.stat().st_ino
        self.reload_fails(
            service,
            "exited with status 3",
            table("t", address, "backlog = 200"),
            table("u", f"unix:{file}", 'mode = "0660"'),
            command=[sys.executable, str(self.folder / "echo.py"), "2"],
        )
        self.assertEqual(queue(number, service.pid)[1], 100)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.reload_with(service, table("t", address, "backlog = 200"), table("u", f"unix:{file}", 'mode = "0660"'))
        self.assertEqual(queue(number, service.pid)[1], 200)
        self.assertEqual((file.stat().st_mode & 0o777, file.stat().st_ino), (0o660, inode))
        service.expect("generation 1. drained")
        self.assertEqual(ask(f"unix:{file}"), ["3", "u"])

    def test_what_cannot_be_changed_in_an_open_socket_is_refused_by_name(self):
        address = self.tcp()
        service = self.served(f"a={address}")
        table = f'{{ name = "a", address = "{address}", nonblocking = true }}'
        self.reload_fails(service, f"'nonblocking' of the listener a={address} has changed, .* restarted", table)
        self.assertEqual(ask(address), ["1", "a"])

    def test_a_reload_of_the_command_line_alone_changes_no_listener(self):
        service = self.start("-l", "a=127.0.0.1:0", command=[sys.executable, str(self.script(ECHO))])
        address = service.address()
        service.serving()
        self.assertIn("succeeded", service.reload())
        service.expect("generation 1. drained")
        self.assertEqual(ask(address), ["2", "a"])
        self.assertEqual(service.log.count("listening on"), 1)


class Failures(ListenersTestCase):
    def test_failing_to_open_one_changes_nothing(self):
        first, second, file = self.tcp(), self.tcp(), self.folder / "b.sock"
        service = self.served(f"a={first}")
        worker, before = service.worker(), self.sockets(service)
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            self.reload_fails(service, f"cannot listen on d={taken}: Address already in use", f"b=unix:{file}", f"c={second}", f"d={taken}")
        self.assertEqual(ask(first), ["1", "a"])
        self.assertEqual(refusal(second), errno.ECONNREFUSED)
        self.assertFalse(file.exists())
        # The process that has read the configuration is about to end.
        self.eventually(lambda: self.assertEqual(service.children(), [worker]))
        self.eventually(lambda: self.assertEqual(self.sockets(service), before))
        self.assertEqual(service.log.count("started"), 1)
        self.reload_with(service, f"b=unix:{file}", f"c={second}")
        self.assertEqual(ask(second), ["3", "c"])

    def test_one_that_overlaps_with_an_open_one_is_told_which(self):
        service = self.served("a=0")
        port = service.log.lines[0].rsplit(":", 1)[1]
        self.reload_fails(service, f"it overlaps with a=.*:{port} of this service", f"a=127.0.0.1:{port}")

    def test_a_failed_reload_closes_what_it_has_added_and_keeps_what_it_has_removed(self):
        first, second, file = self.tcp(), self.tcp(), self.folder / "c.sock"
        service = self.served(f"a={first}")
        failing = [sys.executable, str(self.folder / "echo.py"), "2"]
        self.reload_fails(service, "exited with status 3", f"b={second}", f"c=unix:{file}", command=failing)
        self.assertEqual(ask(first), ["1", "a"])
        service.expect(f"closed b={second}")
        service.expect(f"closed c=unix:{file}")
        self.assertEqual(refusal(second), errno.ECONNREFUSED)
        self.assertFalse(file.exists())
        self.reload_with(service, f"b={second}", f"c=unix:{file}")
        self.assertEqual([ask(second), ask(f"unix:{file}")], [["3", "b"], ["3", "c"]])

    def test_an_address_is_taken_back_while_its_former_workers_drain(self):
        for address in [self.tcp(), f"[::1]:{free_port()}", self.unix("b.sock")]:
            with self.subTest(address):
                staying = self.tcp()
                service = self.served(f"a={staying}", f"b={address}")
                fifo = self.folder / f"held-{len(self.services)}"
                os.mkfifo(fifo)
                with connect(address) as client:
                    client.sendall(f"hold {fifo}".encode())
                    with open(fifo, "w"):
                        self.reload_with(service, f"a={staying}")
                        self.assertIn(refusal(address), [errno.ECONNREFUSED, errno.ENOENT])
                        self.reload_with(service, f"a={staying}", f"b={address}")
                        for _ in range(50):
                            self.assertEqual(ask(address), ["3", "b"])
                    self.assertEqual(client.makefile().read(), "1 b\n")
                service.expect("closed b=" + re.escape(address))
                # Neither the file nor the address went with the former listener.
                self.assertEqual(ask(address), ["3", "b"])
                self.assertEqual(service.stop(), 0)


class UnixPaths(ListenersTestCase):
    def test_a_stale_file_is_replaced_by_a_reload_and_a_live_one_is_not(self):
        address, file = self.tcp(), self.folder / "b.sock"
        service = self.served(f"a={address}")
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(file))
        other.listen()
        inode = file.stat().st_ino
        self.reload_fails(service, "Address already in use", f"b=unix:{file}")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(file))
        self.assertEqual(file.stat().st_ino, inode)
        other.close()
        self.reload_with(service, f"b=unix:{file}")
        self.assertEqual(ask(f"unix:{file}"), ["3", "b"])
        self.assertEqual(service.stop(), 0)
        self.assertFalse(file.exists())

    def test_a_file_that_a_killed_master_left_is_replaced(self):
        file = self.folder / "a.sock"
        service = self.served(f"a=unix:{file}")
        service.signal(signal.SIGKILL)
        worker = service.worker()
        service.wait()
        os.waitpid(worker, 0)
        self.assertTrue(file.exists())
        self.served(f"a=unix:{file}")
        self.assertEqual(ask(f"unix:{file}"), ["1", "a"])

    def test_a_successor_s_file_is_not_removed(self):
        file = self.folder / "b.sock"
        service = self.served(f"a={self.tcp()}", f"b=unix:{file}")
        file.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(file))
            successor.listen()
            self.reload_with(service, f"a={self.tcp()}")
            service.expect("closed b=")
            self.assertEqual(refusal(f"unix:{file}"), None)


class Freebind(ListenersTestCase):
    """An address that the machine doesn't have: TEST-NET-1 (RFC 5737), and a local one of IPv6."""

    def test_without_it_the_start_fails_and_names_it(self):
        for address in "192.0.2.1:8080", "[fd00::192:0:2:1]:8080", "udp:192.0.2.1:8080":
            with self.subTest(address):
                self.configure(f"a={address}")
                service = self.start_bare("--start-attempts", "3", "--config", str(self.folder / "web.toml"))
                service.expect(rf"error cannot listen on a={re.escape(address)}: Cannot assign requested address \(.*freebind=true")
                self.assertEqual(service.wait(), 78)

    def test_with_it_the_address_is_waited_for(self):
        addresses = ["a=192.0.2.1:8080", "b=[fd00::192:0:2:1]:8080", "c=udp:192.0.2.1:8080", "d=udp:[fd00::192:0:2:1]:8080"]
        service = self.served(*[f"{address},freebind=true" for address in addresses])
        self.assertEqual([service.log.count(re.escape(f"listening on {address}") + "$") for address in addresses], [1] * 4)

    def test_with_it_an_address_that_comes_later_is_served(self):
        options = {"launcher": ["unshare", "--net", "--map-root-user"]}
        self.configure('{ name = "a", address = "192.0.2.1:8080", freebind = true, reuseport = true }', more="workers = 1\n")
        service = self.start_bare("--start-attempts", "3", "--config", str(self.folder / "web.toml"), **options).serving()
        inside = ["nsenter", "--target", str(service.pid), "--net", "--user", "--preserve-credentials"]
        # A slot that comes later has its own socket at the address, which isn't there yet.
        self.assertEqual(subprocess.run([ROOST, "scale", "2", "--control-directory", service.control]).returncode, 0)
        service.expect(r"\(slot 1, generation 1\) is ready")
        subprocess.run([*inside, "sh", "-c", "ip link set lo up && ip address add 192.0.2.1/32 dev lo"], check=True)
        client = "import socket; c = socket.create_connection(('192.0.2.1', 8080)); c.sendall(b'x'); print(c.makefile().read())"
        answer = subprocess.run([*inside, sys.executable, "-c", client], check=True, capture_output=True, text=True).stdout
        self.assertEqual(answer.split(), ["1", "a"])

    def test_a_reload_that_changes_it_keeps_the_socket(self):
        service = self.served("a=192.0.2.1:8080,freebind=true")
        before = self.tcp_listeners(service)
        # What is bound stays bound.
        self.reload_with(service, "a=192.0.2.1:8080")
        service.expect("drained")
        self.assertEqual(self.tcp_listeners(service), before)
        # It holds for one that is opened.
        self.reload_fails(service, "Cannot assign requested address", "b=192.0.2.1:8081")
        self.reload_with(service, "b=192.0.2.1:8081,freebind=true")


class Crashes(ListenersTestCase):
    def test_a_worker_that_is_restarted_gets_the_listeners_of_its_generation(self):
        first, second = self.tcp(), self.tcp()
        service = self.served(f"a={first}")
        failing = [sys.executable, str(self.folder / "echo.py"), "2"]
        self.reload_fails(service, "exited with status 3", f"a={first}", f"b={second}", command=failing)
        service.expect(f"closed b={second}")
        os.kill(self.workers_of(service, 1)[0], signal.SIGKILL)
        service.expect(r"generation 1\) is ready")
        self.assertEqual(ask(first), ["1", "a"])
        self.reload_with(service, f"b={second}")
        service.expect(f"closed a={first}")
        os.kill(service.worker(), signal.SIGKILL)
        service.expect(r"generation 3\) is ready")
        self.assertEqual(ask(second), ["3", "b"])
        self.assertEqual(refusal(first), errno.ECONNREFUSED)

    def test_a_worker_of_the_older_generation_that_dies_while_a_reload_changes_listeners_loses_no_connection(self):
        first, second = self.tcp(), self.tcp()
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        script = f"test $ROOST_GENERATION = 2 && cat {fifo}; exec {sys.executable} {self.script(ECHO, 'echo.py')}"
        service = self.served(f"a={first}", command=["sh", "-c", script])
        self.configure(f"a={first}", f"b={second}", command=["sh", "-c", script])
        service.signal(signal.SIGHUP)
        service.expect("generation 2. started")
        os.kill(self.workers_of(service, 1)[0], signal.SIGKILL)
        service.expect("its successor is on its way")
        clients = [connect(address) for address in [first, second] * 5]
        for client in clients:
            client.sendall(b"x")
        fifo.write_text("")
        service.expect("reload to generation 2 succeeded")
        self.assertEqual([client.makefile().read() for client in clients], ["2 a\n", "2 b\n"] * 5)
        for client in clients:
            client.close()

    def test_after_a_roll_that_stopped_half_way_each_slot_has_the_listeners_of_its_own_generation(self):
        first, second = self.tcp(), self.tcp()
        script = f'test "$ROOST_GENERATION $ROOST_SLOT" = "2 1" && exit 3; exec {sys.executable} {self.script(ECHO, "echo.py")}'
        options = {"command": ["sh", "-c", script], "more": "workers = 2\nsurge = 1\n"}
        service = self.served(f"a={first}", **options)
        self.configure(f"b={second}", **options)
        self.assertRegex(service.reload(), "failed .*1 of 2 slots had moved to generation 2")
        service.log.expect_count("generation 1. drained", 1)
        self.assertEqual([ask(first), ask(second)], [["1", "a"], ["2", "b"]])
        # The replacement of the older worker is of the newest generation: the removed listener has none left.
        os.kill(self.workers_of(service, 1)[0], signal.SIGKILL)
        service.expect(f"closed a={first}")
        self.assertEqual(refusal(first), errno.ECONNREFUSED)
        self.assertEqual(ask(second), ["2", "b"])


class UnderLoad(ListenersTestCase):
    """The demo worker under real requests, counted exactly."""

    def test_twenty_changes_lose_nothing(self):
        staying = self.tcp()
        others = [self.tcp(), self.unix("x.sock"), f"[::1]:{free_port()}"]
        more = {"command": [DEMO_WORKER], "more": "workers = 2\n"}
        ready = lambda *listen: self.configure(*listen, **more)
        ready(f"a={staying}")
        path = self.folder / "web.toml"
        as_notify = lambda: path.write_text(path.read_text().replace('ready = "pipe"', 'ready = "notify"'))
        as_notify()
        service = self.start_bare("--start-attempts", "3", "--config", str(path)).serving()
        load = Load(staying)
        queued = served = 0
        for change in range(20):
            address = others[change // 2 % 3]
            if change % 2 == 0:
                ready(f"a={staying}", f"b={address}")
                as_notify()
                self.assertIn("succeeded", service.reload())
                clients = []
            else:
                # Connections that are there when the listener is removed: in its queue, or just accepted.
                clients = [connect(address) for _ in range(20)]
                for client in clients:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                ready(f"a={staying}")
                as_notify()
                self.assertIn("succeeded", service.reload())
                self.assertIn(refusal(address), [errno.ECONNREFUSED, errno.ENOENT])
            for client in clients:
                queued += 1
                served += client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
                client.close()
        result = load.finish()
        self.assertEqual((result["failures"], queued - served), (0, 0), result)
        self.assertEqual(queued, 200)
        self.assertGreaterEqual(len(result["generations"]), 10)
        service.log.expect_count("closed b=", 10)
        self.assertEqual(service.log.count("warning|error"), 0)
        self.assertEqual(service.stop(), 0)

    def test_no_descriptor_is_left_after_many_changes(self):
        staying, other, file = self.tcp(), self.tcp(), self.unix("x.sock")
        service = self.served(f"a={staying}")
        self.reload_with(service, f"a={staying}")
        service.expect("generation 1. drained")
        # What looks for outsiders after the reload, and what writes the record, have pipes.
        self.eventually(lambda: self.assertIsNotNone(service.saw_all_processes()))
        self.eventually(lambda: self.assertEqual(len(service.all_children()), 1))
        self.eventually(lambda: self.assertEqual(self.open_files(service).count("socket"), 3))
        before = self.open_files(service)
        failing = [sys.executable, str(self.folder / "echo.py"), *map(str, range(1000))]
        for _ in range(5):
            self.reload_with(service, f"b={other}", f"a={staying}", f"c={file}")
            self.reload_fails(service, "exited with status 3", f"d={self.tcp()}", command=failing)
            self.reload_with(service, f"a={staying}")
            service.expect("closed b=")
        self.eventually(lambda: self.assertEqual(len(service.children()), 1))
        self.eventually(lambda: self.assertEqual(self.open_files(service), before))


def passing(sockets, names):
    """A launcher and options that start roost as systemd would: with sockets from descriptor 3 up."""
    variables = f"LISTEN_FDS={len(sockets)} LISTEN_PID=$$ LISTEN_FDNAMES='{':'.join(names)}'"
    descriptors = [one.fileno() for one in sockets]

    def place():
        # Out of the way first: one may sit where another has to go.
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in descriptors]
        for index, number in enumerate(moved):
            os.dup2(number, 3 + index)
            # dup2 of a descriptor to itself would leave it close-on-exec; these are copies.
        for number in moved:
            os.close(number)

    launcher = ["sh", "-c", f'export {variables}; exec "$@"', "sh"]
    return {"launcher": launcher, "preexec_fn": place, "close_fds": False}


class Adopted(ListenersTestCase):
    """Ordinary addresses and sockets that .socket units pass."""

    def passed(self, *sockets):
        for one in sockets:
            self.addCleanup(one.close)
        return list(sockets)

    def start_with(self, names, sockets, *listen, **options):
        self.configure(*listen, **options)
        return self.start_bare("--start-attempts", "3", "--config", str(self.folder / "web.toml"), **passing(sockets, names))

    def inode(self, one):
        return os.readlink(f"/proc/self/fd/{one.fileno()}")

    def bound(self, family, kind, address, listening=True):
        one = socket.socket(family, kind)
        self.addCleanup(one.close)
        one.bind(address)
        if listening and kind == socket.SOCK_STREAM:
            one.listen(5)
        return one

    def tcp_socket(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return self.bound(family, socket.SOCK_STREAM, (host, 0))

    def test_tcp_and_unix_sockets_are_adopted_by_name_and_by_address(self):
        file = self.folder / "u.sock"
        named, other, ipv6 = self.tcp_socket(), self.tcp_socket(), self.tcp_socket("::1")
        unix = self.bound(socket.AF_UNIX, socket.SOCK_STREAM, str(file))
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in [named, other]] + [f"[::1]:{ipv6.getsockname()[1]}", f"unix:{file}"]
        service = self.start_with(
            ["web", "x.socket", "y.socket", "z.socket"],
            [named, other, ipv6, unix],
            f"web={addresses[0]}",
            f"b={addresses[1]}",
            f"c={addresses[2]}",
            f"d={addresses[3]}",
        ).serving()
        inodes = set(self.sockets(service).values())
        for one in [named, other, ipv6, unix]:
            self.assertIn(self.inode(one), inodes)
        self.assertEqual([ask(address) for address in addresses], [["1", name] for name in ["web", "b", "c", "d"]])
        self.assertEqual(service.log.count("warning"), 0)
        # The file is systemd's.
        self.assertEqual(service.stop(), 0)
        self.assertTrue(file.exists())

    def test_a_bare_port_is_what_a_socket_unit_makes_of_it(self):
        both = socket.socket(socket.AF_INET6)
        self.addCleanup(both.close)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.bind(("::", 0))
        both.listen()
        port = both.getsockname()[1]
        service = self.start_with(["web.socket"], [both], f"a={port}").serving()
        self.assertEqual(ask(f"127.0.0.1:{port}"), ["1", "a"])
        self.assertIn(self.inode(both), self.sockets(service).values())

    def assert_refused(self, pattern, name, one, listen):
        service = self.start_with([name], [one], listen)
        service.expect(pattern)
        self.assertEqual(service.wait(), 78)

    def test_a_mismatch_says_what_was_expected_and_what_came(self):
        other = self.tcp_socket()
        port = other.getsockname()[1]
        expected = f"127.0.0.1:{free_port()}"
        words = f"cannot adopt web={expected}: systemd passed a socket of this name, but it is "
        self.assert_refused(f"{words}127.0.0.1:{port} ", "web", other, f"web={expected}")
        self.assert_refused(
            f"{words}unix:/.*/w.sock ",
            "web",
            self.bound(socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "w.sock")),
            f"web={expected}",
        )
        datagrams = self.bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", int(expected.split(":")[1])))
        self.assert_refused(f"{words}{expected} for datagrams ", "web", datagrams, f"web={expected}")
        deaf = self.bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(expected.split(":")[1])), listening=False)
        self.assert_refused(f"{words}{expected}, which doesn't listen ", "web", deaf, f"web={expected}")

    def test_a_socket_for_ipv6_alone_is_no_bare_port(self):
        alone = socket.socket(socket.AF_INET6)
        self.addCleanup(alone.close)
        alone.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        alone.bind(("::", 0))
        alone.listen()
        port = alone.getsockname()[1]
        self.assert_refused(
            f"cannot adopt web=\\*:{port}: systemd passed a socket of this name, but it is \\[::\\]:{port} for IPv6 alone ",
            "web",
            alone,
            f"web={port}",
        )

    def test_a_socket_that_nobody_takes_is_told_and_a_reload_can_ask_for_it(self):
        one = self.tcp_socket()
        port = one.getsockname()[1]
        first = self.tcp()
        service = self.start_with(["late"], [one], f"a={first}")
        service.expect(f"systemd passed a socket named late that no listener takes, by name or by address; it is 127.0.0.1:{port}$")
        service.serving()
        inode = self.inode(one)
        # A reload that fails after it gives it back.
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            self.reload_fails(service, "Address already in use", f"a={first}", f"b=127.0.0.1:{port}", f"c={taken}")
        for _ in range(2):
            self.reload_with(service, f"a={first}", f"b=127.0.0.1:{port}")
            service.expect(r"drained")
            self.assertEqual(ask(f"127.0.0.1:{port}")[1], "b")
            self.assertIn(inode, self.sockets(service).values())
            # systemd goes on listening: nobody is refused.
            self.reload_with(service, f"a={first}")
            service.expect("closed b=")
            waiting = connect(f"127.0.0.1:{port}")
            waiting.sendall(b"x")
            self.reload_with(service, f"a={first}", "b=systemd:late")
            self.assertEqual(waiting.makefile().read().split()[1], "b")
            waiting.close()
            self.reload_with(service, f"a={first}")
            service.expect("closed b=")


class Store:
    """Takes the place of systemd with an fd store."""

    def __init__(self, folder):
        self.kept = []
        self.names = []
        self.changed = threading.Condition()
        self.path = str(folder / "store")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(4 * 16))
            said = dict(line.split("=", 1) for line in data.decode().split("\n"))
            came = array.array("i")
            for _, _, content in ancillary:
                came.frombytes(content)
            with self.changed:
                for number in came:
                    os.set_inheritable(number, False)
                if "FDSTORE" in said:
                    assert ":" not in said["FDNAME"] and len(said["FDNAME"]) <= 255
                    self.kept += [(said["FDNAME"], number) for number in came]
                if "FDSTOREREMOVE" in said:
                    for name, number in self.kept:
                        if name == said["FDNAME"]:
                            os.close(number)
                    self.kept = [(name, number) for name, number in self.kept if name != said["FDNAME"]]
                self.changed.notify_all()

    def wait_for(self, *names):
        with self.changed:
            if not self.changed.wait_for(lambda: sorted(name for name, _ in self.kept) == sorted(names), PATIENCE):
                raise AssertionError(f"kept are {self.kept}, expected {names}")

    def close(self):
        for _, number in self.kept:
            os.close(number)


class Stored(ListenersTestCase):
    """The fd store: what systemd keeps for the next master."""

    def setUp(self):
        super().setUp()
        self.store = Store(self.folder)
        self.addCleanup(self.store.close)

    def start_stored(self, *listen, others=(), **options):
        """Starts a master with what the store has, in another order."""
        self.configure(*listen, **options)
        environment = dict(os.environ, NOTIFY_SOCKET=self.store.path, FDSTORE="16")
        kept = [(socket.socket(fileno=os.dup(number)), name) for name, number in reversed(self.store.kept)]
        kept = [*others, *kept]
        passed = passing([one for one, _ in kept], [name for _, name in kept]) if kept else {}
        service = self.start_bare("--start-attempts", "3", "--config", str(self.folder / "web.toml"), env=environment, **passed)
        for one, _ in kept:
            one.close()
        return service

    def name(self, listener):
        name, address = listener.split("=", 1)
        return f"roost/{name}=" + address.replace(":", "%3A")

    def kill(self, service):
        workers = service.children()
        service.signal(signal.SIGKILL)
        service.wait()
        for worker in workers:
            os.waitpid(worker, 0)

    def test_slots_that_the_next_master_is_not_to_have_serve_what_waits_for_them(self):
        listener = f"a={self.tcp()}"
        address, wanted = listener.split("=")[1], f"{listener},reuseport=true,nonblocking=true"
        service = self.start_stored(wanted, more="workers = 1\n").serving()
        for slot in [1, 2]:
            service.signal(signal.SIGTTIN)
            service.expect(rf"\(slot {slot}, generation 1\) is ready")
        self.store.wait_for(self.name(listener), *[self.name(listener).replace("roost/", f"roost/{slot}/") for slot in [1, 2]])
        self.kill(service)
        clients = [connect(address) for _ in range(30)]
        for client in clients:
            client.sendall(b"x")
        service = self.start_stored(wanted, more="workers = 1\n").serving()
        self.assertEqual([client.makefile().read() for client in clients], ["1 a\n"] * 30)
        service.expect(r"\(slot 2, generation 1\) drained")
        for client in clients:
            client.close()
        self.assertEqual(ask(address), ["1", "a"])

    def test_listeners_outlive_a_killed_master_with_what_is_queued(self):
        listeners = [f"a={self.tcp()}", f"b={self.unix('b.sock')}", "c=127.0.0.1:0"]
        addresses = [one.split("=")[1] for one in listeners[:2]]
        service = self.start_stored(*listeners).serving()
        addresses.append(next(line.rsplit("=", 1)[1] for line in service.log.lines if "listening on c=" in line))
        self.store.wait_for(*map(self.name, listeners))
        for _ in range(3):
            self.kill(service)
            clients = [connect(address) for address in addresses * 10]
            for client in clients:
                client.sendall(b"x")
            service = self.start_stored(*listeners).serving()
            self.assertEqual([client.makefile().read() for client in clients], ["1 a\n", "1 b\n", "1 c\n"] * 10)
            for client in clients:
                client.close()
            self.store.wait_for(*map(self.name, listeners))

    def test_a_reload_keeps_what_it_adds_and_drops_what_it_removes(self):
        first, second, third = f"a={self.tcp()}", f"b={self.tcp()}", f"b={self.tcp()}"
        service = self.start_stored(first, second).serving()
        self.store.wait_for(self.name(first), self.name(second))
        self.reload_with(service, second)
        self.store.wait_for(self.name(second))
        self.reload_with(service, third)
        self.store.wait_for(self.name(third))
        failing = [sys.executable, str(self.folder / "echo.py"), "4"]
        self.reload_fails(service, "exited with status 3", first, third, command=failing)
        self.store.wait_for(self.name(third))

    def test_a_stop_leaves_them_with_systemd_and_the_file_too(self):
        listeners = [f"a={self.tcp()}", f"b={self.unix('b.sock')}"]
        service = self.start_stored(*listeners).serving()
        self.store.wait_for(*map(self.name, listeners))
        self.assertEqual(service.stop(), 0)
        clients = [connect(one.split("=")[1]) for one in listeners]
        for client in clients:
            client.sendall(b"x")
        self.start_stored(*listeners).serving()
        self.assertEqual([client.makefile().read() for client in clients], ["1 a\n", "1 b\n"])
        for client in clients:
            client.close()

    def test_what_is_not_configured_any_more_is_dropped(self):
        listeners = [f"a={self.tcp()}", f"b={self.tcp()}", f"c={self.tcp()}"]
        service = self.start_stored(*listeners).serving()
        self.store.wait_for(*map(self.name, listeners))
        self.kill(service)
        moved = f"b={self.tcp()}"
        renamed = "d=" + listeners[2].split("=")[1]
        service = self.start_stored(listeners[0], moved, renamed)
        service.expect(f"closing {listeners[1].split('=')[1]}, which systemd kept and which no listener of the configuration uses")
        service.serving()
        # The renamed one is the same socket, under the name that systemd has for it.
        self.store.wait_for(self.name(listeners[0]), self.name(moved), self.name(listeners[2]))
        self.assertEqual(ask(renamed.split("=")[1]), ["1", "d"])
        self.assertEqual(refusal(listeners[1].split("=")[1]), errno.ECONNREFUSED)

    def test_a_name_that_belies_its_socket_is_not_believed(self):
        wanted = f"a={self.tcp()}"
        other = socket.create_server(("127.0.0.1", 0))
        service = self.start_stored(wanted, others=[(other, self.name(wanted))])
        service.expect("closing 127.0.0.1:.* which systemd kept and which no listener of the configuration uses")
        service.serving()
        self.assertEqual(ask(wanted.split("=")[1]), ["1", "a"])

    def test_a_stored_unix_socket_without_its_file_is_opened_anew(self):
        for successor in [False, True]:
            with self.subTest(successor=successor):
                file = self.folder / f"{successor}.sock"
                listener = f"a=unix:{file}"
                service = self.start_stored(listener).serving()
                self.store.wait_for(self.name(listener))
                self.kill(service)
                file.unlink()
                if successor:  # And a dead one at that.
                    with socket.socket(socket.AF_UNIX) as other:
                        other.bind(str(file))
                service = self.start_stored(listener)
                service.expect("closing unix:.* which systemd kept and which no listener of the configuration uses")
                service.serving()
                self.assertEqual(ask(f"unix:{file}"), ["1", "a"])
                self.store.wait_for(self.name(listener))
                service.stop()
                self.store.close()
                self.store.kept = []

    def test_an_adopted_one_is_as_configured_whatever_its_workers_have_made_of_it(self):
        listener = f"a={self.tcp()}"
        service = self.start_stored(listener, more="backlog = 300\n").serving()
        self.store.wait_for(self.name(listener))
        copy = socket.socket(fileno=os.dup(self.store.kept[0][1]))
        self.addCleanup(copy.close)
        self.kill(service)
        self.assertTrue(fcntl.fcntl(copy, fcntl.F_GETFL) & os.O_NONBLOCK, "its worker has set it")
        command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]
        service = self.start_stored(listener, more="backlog = 200\n", command=command).serving()
        self.assertFalse(fcntl.fcntl(copy, fcntl.F_GETFL) & os.O_NONBLOCK)
        self.assertEqual(struct.unpack_from("I", copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0], 200)

    def test_without_a_store_nothing_is_sent_there(self):
        for size in [{"FDSTORE": "0"}, {}]:
            environment = {name: value for name, value in os.environ.items() if name != "INVOCATION_ID"}
            environment |= {"NOTIFY_SOCKET": self.store.path, **size}
            self.configure(f"a={self.tcp()}")
            service = self.start_bare("--start-attempts", "3", "--config", str(self.folder / "web.toml"), env=environment).serving()
            self.assertEqual(service.stop(), 0)
        self.assertEqual(self.store.kept, [])


class Shared(ListenersTestCase):
    """What runtimes do to the socket that they share."""

    SERVER = """
import asyncio, os, socket
async def main():
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"1 a\\n")
        writer.close()
    server = await asyncio.start_server(answer, sock=socket.socket(fileno=3))
    os.write(int(os.environ["READY_FD"]), b"\\n")
    await server.serve_forever()
asyncio.run(main())
"""

    def flags(self, service, number):
        text = pathlib.Path(f"/proc/{service.pid}/fdinfo/{number}").read_text()
        return int(text.split("flags:")[1].split()[0], 8)

    def test_the_backlog_is_restored_after_readiness_and_a_crash_and_the_flags_are_left_alone(self):
        address = self.tcp()
        command = [sys.executable, str(self.script(self.SERVER))]
        service = self.served(f"a={address}", command=command, more="backlog = 300\n")
        [number] = self.tcp_listeners(service)
        self.assertEqual(queue(number, service.pid)[1], 300)
        # asyncio has made it non-blocking, for everybody.
        self.assertTrue(self.flags(service, number) & os.O_NONBLOCK)
        self.assertEqual(ask(address), ["1", "a"])
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("starting another")
        service.expect("is ready")
        self.eventually(lambda: self.assertEqual(queue(number, service.pid)[1], 300))
        self.assertIn("succeeded", service.reload())
        self.assertEqual(queue(number, service.pid)[1], 300)
        self.assertTrue(self.flags(service, number) & os.O_NONBLOCK)
        self.assertEqual(ask(address), ["1", "a"])

    def test_a_runtime_that_listens_anew_does_shrink_it(self):
        """Else the test above would prove nothing."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=300)
        self.addCleanup(listener.close)
        import asyncio

        async def serve():
            server = await asyncio.start_server(lambda *_: None, sock=listener.dup())
            server.close()

        asyncio.run(serve())
        limit = struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0]
        self.assertEqual(limit, 100)


if __name__ == "__main__":
    import unittest

    unittest.main()
