"""Readiness without cooperation: servers that say nothing are seen to accept."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import ROOT, RoostTestCase, state

SERVERS = ROOT / "Tests/System/servers"
GO = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.001)\n"

# Each begins to accept when the file exists that is its argument.
ASYNCIO = (
    GO
    + """
import asyncio, socket
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()
async def main():
    await (await asyncio.start_server(answer, sock=socket.socket(fileno=3))).serve_forever()
asyncio.run(main())
"""
)
HTTP_SERVER = (
    GO
    + """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments): pass
server = http.server.{name}(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"""
)
SOCKETSERVER = (
    GO
    + """
import socket, socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline() not in (b"\\r\\n", b""): pass
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
server = socketserver.ForkingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"""
)
NODE = """
const fs = require("fs"), http = require("http")
const server = http.createServer((request, response) => response.end("ok"))
const wait = setInterval(() => { if (fs.existsSync(process.argv[2])) { clearInterval(wait); server.listen({fd: 3}) } }, 2)
process.on("SIGTERM", () => process.exit(0))
"""
# Its own process never accepts; its children do, in sessions of their own.
PREFORKING = (
    GO
    + """
import signal, socket
listener = socket.socket(fileno=3)
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        while True:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
            connection.close()
    children.append(pid)
def stop(*_):
    for pid in children: os.kill(pid, signal.SIGTERM)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
signal.pause()
while True: signal.pause()
"""
)


def get(address, timeout=30):
    """The status line of an answer."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.makefile("rb").readline().decode().strip()


class Accepting(RoostTestCase):
    @classmethod
    def setUpClass(cls):
        cls.built = tempfile.TemporaryDirectory()
        cls.has_ring = subprocess.run(["cc", "-E", "-"], input="#include <liburing.h>", text=True, capture_output=True).returncode == 0
        cls.acceptor = os.path.join(cls.built.name, "acceptor")
        options = ["-DWITH_RING", "-luring"] if cls.has_ring else []
        subprocess.run(["cc", "-pthread", "-o", cls.acceptor, SERVERS / "acceptor.c", *options], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.built.cleanup()

    def becomes_ready(self, command, listeners=("http=127.0.0.1:0",)):
        """Starts a server that waits for a file, sees that it isn't ready, lets it go, and sees that it is and serves."""
        go = self.folder / f"go-{len(self.services)}"
        options = [option for listener in listeners for option in ("--listen", listener)]
        service = self.start(*options, ready="accepting", command=[*command, str(go)])
        address = service.address()
        service.expect(r"worker \d+ .* started")
        self.looked(service)
        self.assertEqual(service.log.count("is ready"), 0)
        go.touch()
        service.serving()
        self.assertEqual(get(address), "HTTP/1.1 200 OK")
        return service

    def looked(self, service):
        """Waits until the master has looked at its worker a few times: that are some reads each."""
        before = self.reads(service)
        self.eventually(lambda: self.assertGreater(self.reads(service), before + 15))

    def reads(self, service):
        lines = pathlib.Path(f"/proc/{service.pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["syscr"])

    def test_c_programs_that_wait_in_each_way(self):
        for way in ["thread", "poll", "ppoll", "select", "epoll"]:
            with self.subTest(way):
                self.becomes_ready([self.acceptor, way], ["a=127.0.0.1:0", f"b=unix:{self.folder}/{way}"])

    def test_io_uring(self):
        if not self.has_ring or pathlib.Path("/proc/sys/kernel/io_uring_disabled").read_text().strip() == "2":
            self.skipTest("LOUD: there is no liburing, or the kernel has no io_uring")
        for way in ["ring", "registered-ring"]:
            with self.subTest(way):
                self.becomes_ready([self.acceptor, way])

    def test_a_ring_that_accepts_on_one_of_two_listeners_is_not_guessed_about(self):
        if not self.has_ring:
            self.skipTest("LOUD: there is no liburing")
        service = self.start(
            "-l",
            "a=127.0.0.1:0",
            "-l",
            "b=127.0.0.1:0",
            "--ready-timeout",
            "500ms",
            "--start-attempts",
            "1",
            ready="accepting",
            command=[self.acceptor, "ring"],
        )
        service.expect("start failed: .* not ready within 500ms: it was never seen to accept on a, b")
        self.assertEqual(service.wait(), 1)

    def test_python_servers(self):
        servers = {
            "asyncio": ASYNCIO,
            "http.server": HTTP_SERVER.replace("{name}", "HTTPServer"),
            "threading http.server": HTTP_SERVER.replace("{name}", "ThreadingHTTPServer"),
            "socketserver": SOCKETSERVER,
        }
        for name, server in servers.items():
            with self.subTest(name):
                self.becomes_ready([sys.executable, str(self.script(server))])

    @unittest.skipUnless(shutil.which("node"), "LOUD: node isn't installed")
    def test_node(self):
        self.becomes_ready(["node", str(self.script(NODE, "server.js"))])

    def test_the_children_of_a_preforking_server_count(self):
        self.becomes_ready([sys.executable, str(self.script(PREFORKING))])

    def test_a_shell_around_the_server_with_exec_and_without(self):
        for line in ['exec "$0" "$@"', 'trap "kill \\$!" TERM; "$0" "$@" & wait']:
            with self.subTest(line):
                self.becomes_ready(["sh", "-c", line, self.acceptor, "poll"])

    def test_a_server_with_an_address_of_its_own_is_not_ready(self):
        own = "import socket\ns = socket.create_server(('127.0.0.1', 0))\nwhile True: s.accept()"
        service = self.start(
            "-l",
            "http=127.0.0.1:0",
            "--ready-timeout",
            "500ms",
            "--start-attempts",
            "1",
            ready="accepting",
            command=[sys.executable, "-c", own],
        )
        service.expect("start failed: .* not ready within 500ms: it was never seen to accept on http")
        self.assertEqual(service.wait(), 1)

    def test_each_listener_has_to_be_accepted_on(self):
        one = "import socket\ns = socket.socket(fileno=3)\nwhile True: s.accept()"
        service = self.start(
            "-l",
            "one=127.0.0.1:0",
            "-l",
            "two=127.0.0.1:0",
            "--ready-timeout",
            "500ms",
            "--start-attempts",
            "1",
            ready="accepting",
            command=[sys.executable, "-c", one],
        )
        service.expect("start failed: .* not ready within 500ms: it was never seen to accept on two$")
        self.assertEqual(service.wait(), 1)

    def test_the_current_workers_acceptance_is_not_the_candidates(self):
        script = self.script(f"#!/bin/sh\nexec {self.acceptor} poll\n")
        service = self.start("-l", "http=127.0.0.1:0", "--ready-timeout", "1s", ready="accepting", command=[str(script)])
        address = service.address()
        service.serving()
        script.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
        self.assertRegex(service.reload(), "failed .* not ready within 1s: it was never seen to accept on http")
        self.assertEqual(get(address), "HTTP/1.1 200 OK")
        script.write_text(f"#!/bin/sh\nexec {self.acceptor} epoll\n")
        self.assertRegex(service.reload(), "succeeded")

    def test_an_idle_master_does_not_look(self):
        service = self.becomes_ready([self.acceptor, "epoll"])

        def switches():
            lines = pathlib.Path(f"/proc/{service.pid}/status").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

        service.recorded()
        self.eventually(lambda: self.assertEqual(state(service.pid), "S"))
        before = switches()
        # While a worker is awaited a look is due every 100 ms; this takes another service a second.
        self.start_bare("-l", "http=127.0.0.1:0", "--", self.acceptor, "poll").serving()
        self.assertLessEqual(switches() - before, 2)

    def test_workers_that_may_not_be_looked_at_are_refused_at_the_start(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("LOUD: needs root and setpriv")
        limited = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
        service = self.start(
            "-l", "http=127.0.0.1:0", "--user", "nobody", ready="accepting", command=[self.acceptor, "poll"], launcher=limited
        )
        service.expect("cannot see when a worker accepts: the workers run as user 65534 .* lacks CAP_SYS_PTRACE")
        self.assertEqual(service.wait(), 78)

    def test_workers_of_another_user_are_seen_by_root(self):
        if os.getuid() != 0:
            self.skipTest("LOUD: needs root")
        os.chmod(self.built.name, 0o755)
        service = self.start("-l", "http=127.0.0.1:0", "--user", "nobody", ready="accepting", command=[self.acceptor, "poll"])
        service.serving()

    def test_a_listener_is_needed(self):
        service = self.start(ready="accepting")
        service.expect("\"accepting\" has a meaning only with 'listen'")
        self.assertEqual(service.wait(), 64)


# Says what its second argument is, if it isn't empty, accepts from then on, and says the third when the file of the first
# exists.
SPEAKING = """
import os, socket, sys, threading, time
def say(text):
    if text: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.encode(), "\\0" + os.environ["NOTIFY_SOCKET"][1:])
def accept():
    listener = socket.socket(fileno=3)
    while True: listener.accept()
say(sys.argv[2])
threading.Thread(target=accept, daemon=True).start()
print("accepting", file=sys.stderr, flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.001)
say(sys.argv[3])
while True: time.sleep(100)
"""


class Automatic(RoostTestCase):
    """What holds where nobody has chosen: no --ready at all."""

    def speaking(self, first, second, *options):
        self.go = self.folder / "go"
        return self.start_bare(
            "-l",
            "http=127.0.0.1:0",
            "--name",
            "speaking",
            "--settle",
            "0s",
            *options,
            "--",
            sys.executable,
            "-c",
            SPEAKING,
            str(self.go),
            first,
            second,
        )

    def test_a_server_that_says_nothing_is_ready_by_accepting(self):
        service = self.speaking("", "")
        after = int(service.expect(r"is ready after (\d+) ms")[1])
        self.assertGreaterEqual(after, 1000, "it had the time to say that it speaks for itself")
        service.serving()

    def test_a_server_that_sends_messages_is_ready_by_its_word(self):
        service = self.speaking("STATUS=warming up", "READY=1")
        service.expect("^accepting$")
        # Another one that says nothing gets ready by the sighting meanwhile.
        silent = [sys.executable, "-c", SPEAKING, "/nonexistent", "", ""]
        self.start_bare("-l", "http=127.0.0.1:0", "--", *silent).serving()
        self.assertEqual(service.log.count("is ready"), 0)
        self.go.touch()
        service.serving()

    def test_a_server_that_sends_messages_and_never_its_readiness_is_not_ready(self):
        service = self.speaking("STATUS=up", "", "--ready-timeout", "2s", "--start-attempts", "1")
        service.expect("start failed: .* not ready within 2s: it sent messages, but no READY=1")
        self.assertEqual(service.wait(), 1)

    def test_ready_1_is_readiness_before_anything_is_seen(self):
        self.start_bare("-l", "http=127.0.0.1:0", "--", "sh", "-c", "systemd-notify --ready; exec tail -f /dev/null").serving()

    def test_without_listeners_only_ready_1_counts(self):
        service = self.start_bare("--ready-timeout", "1500ms", "--start-attempts", "1", "--", "tail", "-f", "/dev/null")
        service.expect("start failed: .* not ready within 1s500ms$")
        self.assertEqual(service.wait(), 1)

    def test_where_workers_cannot_be_looked_at_ready_1_counts(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("LOUD: needs root and setpriv")
        limited = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
        self.go = self.folder / "go"
        service = self.start_bare(
            "-l",
            "http=127.0.0.1:0",
            "--user",
            "nobody",
            "--ready-timeout",
            "2s",
            "--start-attempts",
            "1",
            "--",
            sys.executable if sys.executable.startswith("/usr") else "/usr/bin/python3",
            "-c",
            SPEAKING,
            str(self.go),
            "",
            "",
            launcher=limited,
        )
        service.expect("the master can't see whether workers accept, so only READY=1 counts: the workers run as user 65534")
        service.expect("start failed: .* not ready within 2s")
        self.assertEqual(service.wait(), 1)


if __name__ == "__main__":
    unittest.main()
