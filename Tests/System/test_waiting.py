"""Nothing that others don't read, answer or own can make the master wait."""

import array
import ctypes
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys

from harness import ANSWERED, PATIENCE, ROOST, WORKER, RoostTestCase, Service, libc
from surroundings import children

# How many datagrams wait for a reader, at most one more.
QUEUE = int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text())


class SilentUpstream:
    """A NOTIFY_SOCKET that nobody reads until somebody does."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.descriptors = []

    def fill(self):
        """Until there is no room for another datagram."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self.path)
            for _ in range(QUEUE + 2):
                try:
                    sender.send(b"X_FILL=1")
                except BlockingIOError:
                    return
        raise AssertionError("the queue can't be filled")

    def read_until(self, *wanted):
        """Reads messages until one begins with each of these, in this order. Returns all."""
        messages = []
        self.socket.settimeout(PATIENCE)
        wanted = list(wanted)
        while wanted:
            data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
            for _, _, numbers in ancillary:
                descriptors = array.array("i")
                descriptors.frombytes(numbers)
                self.descriptors += descriptors
            messages.append(data.decode())
            if messages[-1].startswith(wanted[0]):
                wanted.pop(0)
        return messages

    def close(self):
        self.socket.close()
        for number in self.descriptors:
            os.close(number)


class Upstream(RoostTestCase):
    """The supervisor above is there, and doesn't read what it is told."""

    def setUp(self):
        super().setUp()
        self.silent = SilentUpstream(self.folder / "upstream")
        self.addCleanup(self.silent.close)

    def served(self, *arguments, **environment):
        variables = dict(os.environ, NOTIFY_SOCKET=self.silent.path, **environment)
        return self.start(*arguments, env=variables).serving()

    def roost(self, *arguments):
        return subprocess.run(
            [ROOST, *arguments, "--control-directory", self.services[0].control], capture_output=True, text=True, timeout=PATIENCE
        )

    def test_reloads_go_on_workers_are_replaced_and_the_service_stops(self):
        service = self.served()
        for _ in range(QUEUE):
            self.assertIn("succeeded", service.reload())
        self.assertEqual(self.roost("status").returncode, 0)
        self.assertEqual(self.roost("reload").returncode, 0)
        os.kill(service.worker(), signal.SIGKILL)
        service.expect("was killed by SIGKILL after serving .*; starting another")
        service.expect("is ready after")
        self.assertEqual(service.stop(), 0)

    def test_a_stop_at_once_comes_through(self):
        self.silent.fill()
        service = self.served()
        service.signal(signal.SIGQUIT)
        self.assertEqual(service.wait(), 0)

    def test_what_it_reads_later_is_the_newest_reload_and_state_once(self):
        self.silent.fill()
        service = self.served()
        for _ in range(3):
            self.assertIn("succeeded", service.reload())
        messages = [message for message in self.silent.read_until("READY=1") if not message.startswith("X_FILL")]
        # Both: of a reload that it has asked for by a signal systemd takes no end without a beginning.
        self.assertEqual(len(messages), 2, messages)
        self.assertRegex(messages[0], r"^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading to generation 4")
        # The former generation may be draining yet.
        self.assertRegex(messages[1], r"^READY=1\nSTATUS=generation 4 serves: 1 of 1 workers ready")

    def test_listeners_reach_the_store_whenever_it_is_read(self):
        self.silent.fill()
        service = self.served("--listen", "a=127.0.0.1:0", "--listen", "b=127.0.0.1:0", FDSTORE="64")
        self.silent.read_until("FDSTORE=1\nFDNAME=", "FDSTORE=1\nFDNAME=")
        ports = {line.rsplit(":", 1)[1] for line in service.log.lines if " listening on " in line}
        kept = set()
        for number in self.silent.descriptors:
            with socket.socket(fileno=os.dup(number)) as listener:
                kept.add(str(listener.getsockname()[1]))
        self.assertEqual(kept, ports)

    def test_what_waits_survives_an_upgrade(self):
        self.silent.fill()
        service = self.served("--listen", "127.0.0.1:0", FDSTORE="64")
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        messages = self.silent.read_until("FDSTORE=1\nFDNAME=", "READY=1")
        self.assertEqual(len(self.silent.descriptors), 1, messages)

    def test_what_is_lost_in_the_end_is_told(self):
        self.silent.fill()
        service = self.served("--listen", "127.0.0.1:0", FDSTORE="64")
        self.assertEqual(service.stop(), 0)
        service.expect(" warning systemd doesn't keep .* for the next master: NOTIFY_SOCKET isn't being read")
        service.expect(" warning cannot tell systemd the state of the service: NOTIFY_SOCKET isn't being read")

    def test_a_watchdog_that_is_not_read_is_fed_when_it_is(self):
        self.silent.fill()
        self.served(WATCHDOG_USEC="100000")
        messages = self.silent.read_until("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1")
        self.assertNotIn("WATCHDOG=1", messages[1 : QUEUE - 1], "one is enough")

    def test_a_socket_that_vanishes_is_told_once(self):
        service = self.served()
        self.silent.socket.close()
        os.unlink(self.silent.path)
        for _ in range(3):
            self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("cannot tell systemd the state of the service: Connection refused|No such file"), 1)

    def test_a_socket_that_is_made_anew_is_found(self):
        service = self.served()
        self.silent.close()
        os.unlink(self.silent.path)
        self.silent = SilentUpstream(self.folder / "upstream")
        self.assertIn("succeeded", service.reload())
        self.silent.read_until("RELOADING=1", "READY=1")

    def vanish(self):
        """The supervisor above isn't there, as one that executes itself anew."""
        self.silent.close()
        os.unlink(self.silent.path)

    def come_back(self):
        self.silent = SilentUpstream(self.folder / "upstream")

    def test_what_it_misses_for_a_moment_it_is_told_when_it_is_back(self):
        # Bound where nobody finds it: the name comes later.
        self.vanish()
        service = self.served("--listen", "a=127.0.0.1:0", "--listen", "b=127.0.0.1:0", FDSTORE="64")
        self.come_back()
        self.silent.read_until("FDSTORE=1\nFDNAME=", "FDSTORE=1\nFDNAME=", "READY=1")
        self.assertEqual(len(self.silent.descriptors), 2)
        self.assertEqual(service.log.count("cannot tell systemd|doesn't keep"), 0)

    def test_the_end_of_a_reload_is_told_when_it_is_back(self):
        service = self.served()
        self.silent.read_until("READY=1")
        self.vanish()
        self.assertIn("succeeded", service.reload())
        self.come_back()
        self.silent.read_until("RELOADING=1", "READY=1")

    def test_what_is_given_up_is_told_once_and_stored_by_the_next_worker(self):
        self.vanish()
        service = self.served("--listen", "a=127.0.0.1:0", FDSTORE="64")
        service.expect(" warning systemd doesn't keep roost/a=127.0.0.1%3A0 for the next master: No such file")
        service.log.expect_count(" warning cannot tell systemd the state of the service: No such file", 1)
        self.assertIn("succeeded", service.reload())
        self.come_back()
        self.assertIn("succeeded", service.reload())
        messages = self.silent.read_until("FDSTORE=1\nFDNAME=roost/a", "READY=1")
        self.assertEqual(sum(message.startswith("FDSTORE=1") for message in messages), 1)
        self.assertEqual(service.log.count("cannot tell systemd|doesn't keep"), 2)
        self.assertEqual(service.stop(), 0)


class Environment(RoostTestCase):
    """What the supervisor above is said to want."""

    def test_a_bad_watchdog_is_named(self):
        for name, value in [("WATCHDOG_USEC", "soon"), ("WATCHDOG_PID", "me")]:
            with self.subTest(name):
                variables = {"WATCHDOG_USEC": "1000000", name: value}
                service = self.start(env=dict(os.environ, **variables))
                self.assertEqual(service.wait(), 78)
                service.expect(f' error cannot set up the watchdog: .*{name} is "{value}".*; unset it')

    def test_an_address_that_is_none_is_told(self):
        service = self.start(env=dict(os.environ, NOTIFY_SOCKET="somewhere"))
        service.expect(' warning cannot tell systemd the state of the service: NOTIFY_SOCKET is "somewhere", expected ')
        service.serving()


class FileSystem(RoostTestCase):
    """A file system that hangs, as one on a network does whose server is away."""

    def hang(self, path):
        """Mounts one that never answers. Returns what ends it."""
        if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            self.skipTest("needs root and /dev/fuse")
        device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        if libc.mount(b"roost-test", os.fsencode(path), b"fuse", 0, options.encode()) != 0:
            os.close(device)
            self.skipTest(f"cannot mount: {os.strerror(ctypes.get_errno())}")

        def end():
            if end in ended:
                return
            ended.append(end)
            libc.umount2(os.fsencode(path), 2)
            # Whoever waits gets an error now.
            os.close(device)

        ended = []
        self.addCleanup(end)
        return end

    def status(self, service):
        result = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True, timeout=10)
        self.assertIn(result.returncode, ANSWERED, result.stderr)
        return result.stdout

    def deployed(self, *arguments):
        """A service whose release is in a directory `app`, with a program of its own."""
        app = self.folder / "app"
        app.mkdir()
        server = app / "server"
        server.write_text("#!/bin/sh\necho >&$READY_FD\nexec tail -f /dev/null\n")
        server.chmod(0o755)
        return app, self.start("--directory", str(app), *arguments, command=["./server"]).serving()

    def test_a_reload_that_looks_there_holds_nobody_else(self):
        app, service = self.deployed("--restart-delay-limit", "100ms")
        end = self.hang(app)
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 2 began")
        self.assertIn("reloading to generation 2", self.status(service))
        end()
        self.assertIn("succeeded", service.reload() if "failed" in service.verdict() else "succeeded")

    def test_a_stop_does_not_wait_for_it(self):
        app, service = self.deployed()
        self.hang(app)
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 2 began")
        self.assertEqual(service.stop(), 0)

    def test_a_lost_worker_is_tried_again_and_the_master_goes_on(self):
        app, service = self.deployed("--restart-delay-limit", "100ms")
        end = self.hang(app)
        os.kill(service.worker(), signal.SIGKILL)
        service.expect(
            "was not started: cannot execute .*/app/server in .*/app: Connection timed out .does a file system hang.*; starting another in "
        )
        self.status(service)
        end()
        service.expect("is ready after")
        self.assertEqual(service.log.count("nothing ran for"), 0, "the master was held, and nobody stood still")
        self.assertEqual(service.stop(), 0)


class Observation(RoostTestCase):
    """Whoever looks at a worker to see whether it accepts may have to wait for it."""

    def test_a_worker_whose_memory_cannot_be_read_holds_nobody(self):
        server = pathlib.Path(__file__).parent / "servers" / "held_memory.py"
        # Once the other one is being looked at.
        go = self.folder / "go"
        accepts = f"import os, socket, time\nwhile not os.path.exists('{go}'): time.sleep(0.01)\nsocket.socket(fileno=3).accept()"
        service = self.start(
            "-n",
            "2",
            "--listen",
            "127.0.0.1:0",
            "--ready-timeout",
            "30s",
            ready="accepting",
            command=["sh", "-c", f'test $ROOST_SLOT = 0 && exec {sys.executable} {server}; exec {sys.executable} -c "{accepts}"'],
        )
        held = service.expect("memory is held|cannot: (.*)")
        if held[1]:
            self.skipTest(f"userfaultfd(2): {held[1]}")
        service.expect(r" warning checking whether worker \d+ accepts takes longer than 3s: ")
        go.touch()
        service.expect(r"worker \d+ \(slot 1, generation 1\) is ready")
        result = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True, timeout=10)
        self.assertIn(result.returncode, ANSWERED, result.stderr)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("left behind"), 0)


# Says READY=1 once it has said where it says it.
NOTIFYING = [
    "sh",
    "-c",
    "echo $NOTIFY_SOCKET >&2; exec python3 -c 'import os, socket, signal; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
    ' s.connect(chr(0) + os.environ["NOTIFY_SOCKET"][1:]); s.send(b"READY=1"); signal.pause()\'',
]


class Descriptors(RoostTestCase):
    """Whoever passes a descriptor that is slow to be closed holds nobody."""

    def lingering(self):
        """A connection that is full and lingers: whoever closes the last copy waits for an hour, unless that is switched off."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        connection = socket.create_connection(server.getsockname())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        connection.setblocking(False)
        try:
            while True:
                connection.send(bytes(65536))
        except BlockingIOError:
            return connection

    def pass_on(self, client, connection, service=None):
        """The receiver gets the last copy: a service that reads it closes it only afterwards."""
        if service:
            service.signal(signal.SIGSTOP)
        socket.send_fds(client, [b"x"], [connection.fileno()])
        connection.close()
        if service:
            service.signal(signal.SIGCONT)

    def assert_goes_on(self, service):
        result = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_a_client_has_sent_while_nobody_listened_to_it_is_closed_at_once(self):
        service = self.start().serving()
        connection = self.lingering()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{service.control}/control")
            client.sendall(json.dumps({"method": "roost.Control.Subscribe", "more": True}).encode() + b"\0")
            # From the first event on the client is only awaited to go.
            self.assert_goes_on(service)
            service.reload()
            self.assertTrue(client.recv(65536))
            self.pass_on(client, connection, service)
        self.assert_goes_on(service)
        self.assertEqual(service.stop(), 0)

    def test_what_waits_on_a_listener_that_is_removed_is_closed_at_once(self):
        file = self.folder / "web.toml"
        text = f'command = {json.dumps(WORKER)}\nready = "pipe"\nsettle = "0s"\ndrain-timeout = "1s"\n'
        file.write_text(f'{text}listen = ["web=unix:{self.folder}/web.sock"]\n')
        service = self.start_bare("--config", str(file)).serving()
        connection = self.lingering()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.folder}/web.sock")
            self.pass_on(client, connection, service)
            file.write_text(text)
            self.assertIn("succeeded", service.reload())
            service.expect("closed web=.* with 1 waiting")
            self.assert_goes_on(service)
        self.assertEqual(service.stop(), 0)

    def test_neither_is_one_that_is_hidden_in_the_queue_of_another(self):
        service = self.start("--metrics", f"unix:{self.folder}/metrics.sock").serving()
        for path in [f"{self.folder}/metrics.sock", f"{service.control}/control"]:
            with self.subTest(path), socket.socket(socket.AF_UNIX) as client:
                one, other = socket.socketpair()
                with other:
                    self.pass_on(other, self.lingering())
                client.connect(path)
                self.pass_on(client, one, service)
                self.assert_goes_on(service)
        self.assertEqual(service.stop(), 0)

    def test_a_socket_that_lingers_is_closed_at_once(self):
        service = self.start("--metrics", f"unix:{self.folder}/metrics.sock", "--compatibility", "einhorn").serving()
        for path in [f"{self.folder}/metrics.sock", f"{service.control}/einhorn.sock"]:
            with self.subTest(path), socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                self.pass_on(client, self.lingering(), service)
                self.assert_goes_on(service)
        self.assertEqual(service.stop(), 0)

    def test_neither_is_one_that_comes_out_of_band(self):
        service = self.start("--metrics", f"unix:{self.folder}/metrics.sock", "--compatibility", "einhorn").serving()
        for path in [f"{self.folder}/metrics.sock", f"{service.control}/einhorn.sock", f"{service.control}/control"]:
            with self.subTest(path), socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                connection = self.lingering()
                service.signal(signal.SIGSTOP)
                # Not send_fds, which passes no flags on.
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))
                client.sendmsg([b"x"], [rights], socket.MSG_OOB)
                connection.close()
                client.send(b"y")
                service.signal(signal.SIGCONT)
                self.assert_goes_on(service)
        self.assertEqual(service.stop(), 0)

    def test_neither_is_one_for_which_there_is_no_room(self):
        for path in ["metrics.sock", "notify"]:
            with self.subTest(path):
                limited = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
                service = self.start("--metrics", f"unix:{self.folder}/metrics.sock", ready="notify", command=NOTIFYING, preexec_fn=limited)
                address = service.expect("^@(roost/.*)")[1]
                service.serving()
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if path == "notify" else socket.SOCK_STREAM) as client:
                    client.connect(f"\0{address}" if path == "notify" else f"{self.folder}/{path}")
                    connection = self.lingering()
                    service.signal(signal.SIGSTOP)
                    with open("/dev/null") as nothing:
                        socket.send_fds(client, [b"x"], [nothing.fileno()] * 252 + [connection.fileno()])
                    connection.close()
                    service.signal(signal.SIGCONT)
                    self.assert_goes_on(service)
                    self.assertIn("succeeded", service.reload())
                self.assertEqual(service.stop(), 0)

    def test_what_is_held_while_the_master_is_upgraded_keeps_nothing_open(self):
        service = self.start("--listen", "127.0.0.1:0", "--metrics", f"unix:{self.folder}/metrics.sock").serving()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.folder}/metrics.sock")
            self.pass_on(client, self.lingering(), service)
            self.assert_goes_on(service)
            service.signal(signal.SIGUSR2)
            service.expect("upgraded the master")
            children = pathlib.Path(f"/proc/{service.pid}/task/{service.pid}/children")
            held = lambda: [pid for pid in children.read_text().split() if int(pid) != service.worker()]
            self.eventually(lambda: self.assertEqual([number for pid in held() for number in self.descriptors(pid)], []))
        self.assertEqual(service.stop(), 0)

    def test_what_is_held_ends_with_the_master(self):
        service = self.start("--metrics", f"unix:{self.folder}/metrics.sock", "--listen", "127.0.0.1:0")
        address = service.address()
        service.serving()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.folder}/metrics.sock")
            self.pass_on(client, self.lingering(), service)
            self.assert_goes_on(service)
            service.signal(signal.SIGKILL)
            service.wait()
            # Its address, and its lock.
            again = Service(["--control-directory", service.control, "--listen", address, "--ready", "pipe", "--", *WORKER])
            self.services.append(again)
            again.serving()
        self.assertEqual(again.stop(), 0)
        # What was the first master's is this process's now.
        while children():
            os.wait()

    def descriptors(self, pid):
        try:
            return os.listdir(f"/proc/{pid}/fd")
        except FileNotFoundError:
            return []
