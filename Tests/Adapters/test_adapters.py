"""The adapters for Swift servers: real requests across reloads, counted exactly, on SwiftNIO and on Hummingbird."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "System"))
from harness import DEMO_WORKER, PATIENCE, ROOST, ROOT, Load, RoostTestCase, stand_still  # noqa: E402

BUILD = pathlib.Path(os.environ.get("ADAPTER_WORKERS", ROOT / "Examples/HummingbirdWorker/.build/release"))
GREETER = os.environ.get("GREETER", str(ROOT / "Examples/Greeter/.build/debug/greeter"))
RELOADS = 20
BACKLOG = 777


class Adapter:
    """What holds for each worker. `COMMAND` starts it; `SLOW` is a path that it answers after two seconds."""

    SLOW = "/slow"

    def served(self, *arguments):
        listen = f"http=127.0.0.1:0,backlog={BACKLOG}"
        service = self.start("-l", listen, *arguments, ready="notify", command=self.COMMAND)
        address = service.address()
        return service.serving(), address

    def reloads(self, workers):
        """Requests on kept-alive and on new connections across reloads: all of them answered."""
        service, address = self.served("-n", str(workers))
        load = Load(address, kept_alive=8, new=8)
        for _ in range(RELOADS):
            self.assertIn("succeeded", service.reload())
        service.log.expect_count("drained and exited with status 0", RELOADS * workers)
        result = load.finish()
        print(f"{self.id()}: {json.dumps(result)}", flush=True)
        self.assertEqual(result["failures"], 0, result)
        self.assertGreater(result["keptAlive"], RELOADS)
        self.assertGreater(result["new"], RELOADS)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("warning|error"), 0)

    def test_reloads_of_one_worker_lose_nothing(self):
        self.reloads(1)

    def test_reloads_of_two_workers_lose_nothing(self):
        self.reloads(2)

    def test_the_backlog_is_the_operators_after_start_and_reload(self):
        service, _ = self.served()
        self.assertEqual(self.limit(service), BACKLOG)
        self.assertIn("succeeded", service.reload())
        self.assertEqual(self.limit(service), BACKLOG)

    def limit(self, service):
        status = subprocess.run(
            [ROOST, "status", "--control-directory", service.control, "--json"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return json.loads(status.stdout)["listeners"][0]["limit"]

    def test_the_worker_itself_keeps_the_backlog(self):
        """Without a master that would repair it. A unix listener's queue is as long as the kernel allows: what it was isn't known."""
        longest = int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text())
        for listener, limit in [(self.listener(), BACKLOG), (self.unix_listener(), longest)]:
            with listener, self.alone(listener):
                self.assertEqual(accept_limit(listener), limit)

    def drain(self, worker, listener):
        """Sends the stop signal, and waits until the worker has let go of the listener."""
        worker.stop()
        held = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
        self.eventually(lambda: self.assertNotIn(held, worker.open_files()))

    def listener(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.assertEqual(accept_limit(listener), BACKLOG)
        return listener

    def unix_listener(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / "listener"))
        listener.listen(BACKLOG)
        self.assertEqual(accept_limit(listener), BACKLOG)
        return listener

    def alone(self, listener=None, environment=None):
        return Alone(self.folder, self.COMMAND, listener, environment or {})

    def test_a_long_request_outlives_a_reload(self):
        service, address = self.served()
        with connect(address) as client:
            client.sendall(f"GET {self.SLOW} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            # Connections are accepted in the order of their coming: the long request has arrived.
            self.assertTrue(get(address, "/").startswith(b"HTTP/1.1 200"))
            self.assertIn("succeeded", service.reload())
            answer = client.makefile("rb").read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
        self.assertIn(b"connection: close", answer.lower())
        service.expect("generation 1. drained and exited with status 0")

    def test_while_draining_an_idle_connection_is_granted_one_more_request(self):
        listener = self.listener()
        with listener, self.alone(listener) as worker:
            with connect(listener.getsockname()) as idle, connect(listener.getsockname()) as used:
                for client in [idle, used]:
                    self.assertNotIn(b"connection: close", ask(client).lower())
                self.drain(worker, listener)
                self.assertIn(b"connection: close", ask(used).lower())
                self.assertEqual(used.recv(1), b"")
                self.assertEqual(idle.recv(1), b"")
            self.assertEqual(worker.wait(), 0)

    def test_while_draining_the_first_request_of_a_connection_is_waited_for(self):
        listener = self.listener()
        with listener, self.alone(listener) as worker:
            with connect(listener.getsockname()) as fresh:
                # Connections are accepted in the order of their coming: this one is by now.
                self.assertTrue(get(listener.getsockname(), "/").startswith(b"HTTP/1.1 200"))
                self.drain(worker, listener)
                self.assertIn(b"connection: close", ask(fresh).lower())
            self.assertEqual(worker.wait(), 0)

    def test_while_draining_a_machine_that_stands_still_takes_nobodys_grace(self):
        """As a virtual one does that is moved: clients stood still too, and ask when it goes on."""
        listener = self.listener()
        with listener, self.alone(listener) as worker:
            with connect(listener.getsockname()) as fresh, connect(listener.getsockname()) as idle:
                self.assertNotIn(b"connection: close", ask(idle).lower())
                self.drain(worker, listener)
                stand_still([worker.process.pid], 2.5)
                for client in [fresh, idle]:
                    self.assertIn(b"connection: close", ask(client).lower())
            self.assertEqual(worker.wait(), 0)

    def test_a_drain_accepts_no_more(self):
        listener = self.listener()
        with listener, self.alone(listener) as worker:
            with connect(listener.getsockname()) as client:
                client.sendall(f"GET {self.SLOW} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.assertTrue(get(listener.getsockname(), "/").startswith(b"HTTP/1.1 200"))
                self.drain(worker, listener)
                with connect(listener.getsockname()) as later:
                    later.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(client.makefile("rb").read().startswith(b"HTTP/1.1 200"))
                    self.assertEqual(worker.wait(), 0)
                    # It is still in the queue, for whoever accepts next.
                    with listener.accept()[0] as waiting:
                        self.assertTrue(waiting.recv(100).startswith(b"GET / HTTP/1.1"))

    def test_outside_roost_it_serves_on_its_own_address(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command, environment = self.own_address(port)
        with Alone(self.folder, command, None, environment) as worker:
            self.assertTrue(get(("127.0.0.1", port), "/").startswith(b"HTTP/1.1 200"))
            worker.stop()
            self.assertEqual(worker.wait(), 0)


class DemoWorker(Adapter, RoostTestCase):
    """RoostNIO."""

    COMMAND = [DEMO_WORKER]
    SLOW = "/sleep?seconds=2"

    def own_address(self, port):
        return [*self.COMMAND, "--port", str(port)], {}

    def test_a_worker_that_is_watched_says_that_it_is_alive(self):
        listener = self.listener()
        with listener, self.alone(listener, {"WATCHDOG_USEC": "100000"}) as worker:
            for _ in range(5):
                worker.expect(b"WATCHDOG=1")


class ServiceWorker(Adapter, RoostTestCase):
    """RoostServiceLifecycle, with a server on RoostNIO."""

    COMMAND = [str(BUILD / "service-worker")]

    def own_address(self, port):
        return [*self.COMMAND, str(port)], {}

    def test_the_group_ends_in_the_opposite_order_of_its_start(self):
        service, address = self.served()
        with connect(address) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(get(address, "/").startswith(b"HTTP/1.1 200"))
            service.signal(signal.SIGTERM)
            self.assertTrue(client.makefile("rb").read().startswith(b"HTTP/1.1 200"))
        service.expect("the server is drained")
        service.expect("the store is closed")
        service.expect("drained and exited with status 0")
        self.assertEqual(service.wait(), 0)

    def test_a_worker_that_is_watched_says_that_it_is_alive_also_while_it_drains(self):
        listener = self.listener()
        with listener, self.alone(listener, {"WATCHDOG_USEC": "100000"}) as worker:
            worker.expect(b"WATCHDOG=1")
            with connect(listener.getsockname()) as client:
                client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(get(listener.getsockname(), "/").startswith(b"HTTP/1.1 200"))
                worker.stop()
                worker.expect(b"STOPPING=1")
                for _ in range(5):
                    worker.expect(b"WATCHDOG=1")


class HummingbirdWorker(Adapter, RoostTestCase):
    """RoostHummingbird."""

    COMMAND = [str(BUILD / "hummingbird-worker")]

    def own_address(self, port):
        return self.COMMAND, {"PORT": str(port)}

    def test_a_response_has_a_date_as_hummingbird_gives_it(self):
        _, address = self.served()
        self.assertRegex(get(address, "/").decode(), r"(?i)\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")


class Greeter(RoostTestCase):
    """RoostWorker alone: what its tutorial comes to."""

    def test_reloads_lose_nothing(self):
        service = self.start("-l", "127.0.0.1:0", "-n", "2", ready="notify", command=[GREETER])
        address = service.address()
        service.serving()
        over = threading.Event()
        greetings = []

        def ask():
            while not over.is_set():
                with connect(address) as client:
                    greetings.append(client.makefile("rb").read())

        with concurrent.futures.ThreadPoolExecutor() as pool:
            clients = [pool.submit(ask) for _ in range(4)]
            try:
                for _ in range(RELOADS):
                    self.assertIn("succeeded", service.reload())
                service.log.expect_count("drained and exited with status 0", RELOADS * 2)
            finally:
                over.set()
        for client in clients:
            # A connection that failed is an error here.
            client.result(PATIENCE)
        print(f"{self.id()}: {len(greetings)} greetings", flush=True)
        self.assertGreater(len(greetings), RELOADS)
        self.assertEqual([text for text in greetings if not text.startswith(b"Hello from process")], [])


class Alone:
    """A worker without a master: it inherits a listener, and what it says is read here."""

    def __init__(self, folder, command, listener, environment):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(PATIENCE)
        # Autobind: a fresh abstract address.
        self.notify.bind("")
        variables = {**os.environ, **environment, "NOTIFY_SOCKET": "@" + self.notify.getsockname()[1:].decode()}
        # The shell puts the listener in its place, and says whose it is: its pid is the worker's own.
        place = ""
        if listener:
            place = f"exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; "
        self.process = subprocess.Popen(
            ["bash", "-c", place + 'exec "$@"', "bash", *command],
            env=variables,
            pass_fds=[listener.fileno()] if listener else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        try:
            self.expect(b"READY=1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.notify.close()

    def expect(self, assignment):
        """Waits for a message with it."""
        while assignment not in self.notify.recv(4096).split(b"\n"):
            pass

    def open_files(self):
        listing = ["ls", "-l", f"/proc/{self.process.pid}/fd"]
        return subprocess.run(listing, capture_output=True, text=True, timeout=PATIENCE).stdout

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(PATIENCE)


def connect(address):
    if isinstance(address, str):
        host, port = address.rsplit(":", 1)
        address = (host, int(port))
    return socket.create_connection(address, timeout=PATIENCE)


def get(address, path):
    """The whole answer on a connection of its own."""
    with connect(address) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client.makefile("rb").read()


def ask(client):
    """The answer on a connection that goes on."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = client.recv(65536)
        if not part:
            raise AssertionError(f"closed after {answer!r}")
        answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
    while len(body) < length:
        body += client.recv(65536)
    return head


def accept_limit(listener):
    """The backlog that a listening socket has."""
    if listener.family == socket.AF_UNIX:
        return unix_accept_limit(os.fstat(listener.fileno()).st_ino)
    # struct tcp_info: of a listening socket, tcpi_sacked is the limit of its queue.
    return struct.unpack_from("=I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0]


def unix_accept_limit(inode):
    """As the kernel tells it to ss(8): Send-Q of a listening socket is its backlog."""
    lines = subprocess.run(["ss", "-xlnH"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    for line in lines.splitlines():
        fields = line.split()
        if str(inode) in fields:
            return int(fields[3])
    raise AssertionError(f"no listening socket {inode} in:\n{lines}")


if __name__ == "__main__":
    unittest.main()
