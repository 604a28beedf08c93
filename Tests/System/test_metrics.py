"""What a service tells in numbers, over the control socket and over HTTP, and clients that misbehave."""

import concurrent.futures
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from harness import PATIENCE, ROOT, RoostTestCase, waits
from surroundings import needs_open_files
from test_control import READY, roost

sys.path.append(str(ROOT / ".build/python"))
from prometheus_client import parser as older_parser  # noqa: E402
from prometheus_client.openmetrics import parser  # noqa: E402

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# As Prometheus 3 sends it.
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
}


class Samples(dict):
    """Values by name and labels without that of the service, which all have."""

    def __init__(self, text, parse=parser.text_string_to_metric_families, service="web"):
        super().__init__()
        for family in parse(text):
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("service") == service, sample
                key = (sample.name, *sorted(labels.items()))
                assert key not in self, key
                self[key] = sample.value

    def value(self, name, **labels):
        return self.get((name, *sorted(labels.items())))


class MetricsTestCase(RoostTestCase):
    def release(self, text):
        path = self.script("#!/bin/sh\n" + text, "server.next")
        path.rename(self.folder / "server")

    def deployed(self, *arguments, text=READY, **options):
        self.release(text)
        service = self.start("--name", "web", *arguments, command=[str(self.folder / "server")], **options)
        service.metrics = service.expect(r"serving metrics on (\S+): ")[1] if "--metrics" in arguments else None
        return service

    def roost(self, service, command, *arguments):
        return roost(command, *arguments, "--control-directory", service.control)

    def samples(self, service):
        result = self.roost(service, "metrics")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return Samples(result.stdout)

    def verdict(self, service):
        status = json.loads(self.roost(service, "status", "--json").stdout)
        return status["lastReload"]


class Counts(MetricsTestCase):
    def test_a_service_that_has_just_started(self):
        service = self.deployed("-n", "2", "-l", "http=127.0.0.1:0", "-l", f"admin=unix:{self.folder}/admin.sock")
        address = service.address()
        service.serving()
        before = time.time()
        samples = self.samples(service)
        for name, labels, value in [
            ("roost_generation", {}, 1),
            ("roost_workers_wanted", {}, 2),
            ("roost_workers_started_total", {}, 2),
            ("roost_workers_ready_total", {}, 2),
            ("roost_phase", {"roost_phase": "serving"}, 1),
            ("roost_phase", {"roost_phase": "reloading"}, 0),
            ("roost_workers", {"role": "current", "state": "ready"}, 2),
            ("roost_workers", {"role": "current", "state": "starting"}, 0),
            ("roost_reloads_total", {"result": "succeeded"}, 0),
            ("roost_reloads_total", {"result": "failed"}, 0),
            ("roost_reload_duration_seconds_count", {"result": "failed"}, 0),
            ("roost_last_reload_succeeded", {}, None),
            ("roost_last_successful_reload_time_seconds", {}, None),
            ("roost_slot_restarts_total", {"slot": "1"}, 0),
            ("roost_slot_restarts_total", {"slot": "2"}, None),
            ("roost_listener_queue_limit", {"listener": "http", "address": address}, 4096),
            ("roost_listener_queue_length", {"listener": "admin", "address": f"unix:{self.folder}/admin.sock"}, 0),
            ("roost_listener_dropped_total", {"listener": "http", "address": address}, 0),
            # Of unix sockets nobody counts it.
            ("roost_listener_dropped_total", {"listener": "admin", "address": f"unix:{self.folder}/admin.sock"}, None),
        ]:
            self.assertEqual(samples.value(name, **labels), value, (name, labels))
        self.assertAlmostEqual(samples.value("roost_start_time_seconds"), before, delta=60)
        version = roost("--version").stdout.strip()
        self.assertEqual(samples.value("roost_build_info", version=version), 1)
        for slot in ["0", "1"]:
            self.assertGreater(samples.value("roost_worker_memory_bytes", slot=slot, generation="1"), 100_000)
            self.assertIsNotNone(samples.value("roost_worker_cpu_seconds_total", slot=slot, generation="1"))

    def test_reloads_and_their_failures_are_counted_by_result_and_cause(self):
        service = self.deployed("--ready-timeout", "300ms").serving()
        before = time.time()
        self.assertIn("succeeded", service.reload())
        success = self.samples(service).value("roost_last_successful_reload_time_seconds")
        self.assertTrue(before - 1 <= success <= time.time(), success)
        for text, cause in [("exit 3", "exited"), ("kill -SEGV $$", "signalled"), ("exec sleep 1000", "not_ready")]:
            self.release(text)
            self.assertIn("failed", service.reload())
            samples = self.samples(service)
            self.assertEqual(samples.value("roost_reload_failures_total", cause=cause), 1, cause)
        (self.folder / "server").unlink()
        self.assertIn("failed", service.reload())
        samples = self.samples(service)
        for name, labels, value in [
            ("roost_reloads_total", {"result": "succeeded"}, 1),
            ("roost_reloads_total", {"result": "failed"}, 4),
            ("roost_last_reload_succeeded", {}, 0),
            ("roost_last_successful_reload_time_seconds", {}, success),
            ("roost_reload_duration_seconds_count", {"result": "failed"}, 4),
            ("roost_reload_duration_seconds_bucket", {"result": "failed", "le": "+Inf"}, 4),
            ("roost_generation", {}, 2),
            # Without a listener nothing is said of queues.
            ("roost_last_reload_dropped", {}, None),
        ]:
            self.assertEqual(samples.value(name, **labels), value, (name, labels))
        self.assertGreaterEqual(samples.value("roost_reload_duration_seconds_sum", result="failed"), 0.3)
        self.assertLess(samples.value("roost_reload_duration_seconds_bucket", result="failed", le="0.25"), 4)

    def test_crashes_are_counted_by_slot_and_cause(self):
        service = self.deployed("-n", "2").serving()
        os.kill(service.worker(1), signal.SIGKILL)
        service.expect("generation 1. is ready")
        self.release("exit 5")
        samples = self.samples(service)
        self.assertEqual(samples.value("roost_workers_lost_total", cause="signalled"), 1)
        self.assertEqual(samples.value("roost_workers_lost_total", cause="exited"), 0)
        self.assertEqual(samples.value("roost_slot_restarts_total", slot="1"), 1)
        self.assertEqual(samples.value("roost_slot_restarts_total", slot="0"), 0)
        self.assertEqual(samples.value("roost_workers_started_total"), 3)

    def test_drains_that_take_too_long_are_counted(self):
        service = self.deployed("--drain-timeout", "100ms", text="trap '' TERM; echo >&$READY_FD; while :; do sleep 0.05; done").serving()
        self.release(READY)
        service.reload()
        service.expect(r"was killed \d+ ms after SIGTERM")
        samples = self.samples(service)
        self.assertEqual(samples.value("roost_drains_timed_out_total"), 1)
        self.assertEqual(samples.value("roost_drains_total"), 1)
        self.assertEqual(samples.value("roost_workers", role="retiree", state="draining"), 0)

    def test_a_running_reload_and_its_drains_are_seen(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        service = self.deployed(text=f"trap 'read go < {fifo}; exit 0' TERM; echo >&$READY_FD; while :; do sleep 0.05; done").serving()
        self.release(f"read go < {fifo}; {READY}")
        service.signal(signal.SIGHUP)
        service.expect(r"generation 2\) started")
        samples = self.samples(service)
        self.assertEqual(samples.value("roost_phase", roost_phase="reloading"), 1)
        self.assertEqual(samples.value("roost_workers", role="candidate", state="starting"), 1)
        self.assertIsNotNone(samples.value("roost_worker_memory_bytes", slot="0", generation="2"))
        fifo.write_text("go\n")
        self.assertIn("succeeded", service.verdict())
        samples = self.samples(service)
        self.assertEqual(samples.value("roost_workers", role="retiree", state="draining"), 1)
        # A retiree has no series of its own: each reload would leave some.
        self.assertIsNone(samples.value("roost_worker_memory_bytes", slot="0", generation="1"))
        self.assertGreater(samples.value("roost_retirees_memory_bytes"), 100_000)
        fifo.write_text("go\n")
        service.expect(r"generation 1\) drained")

    def test_each_metric_is_documented_and_each_documented_one_is_there(self):
        service = self.deployed("-l", "http=127.0.0.1:0").serving()
        service.reload()
        names = {re.sub("_(bucket|count|sum)$", "", name) for name, *_ in self.samples(service)}
        page = (ROOT / "docs/metrics.md").read_text()
        self.assertEqual(names, set(re.findall(r"^\| `(roost_\w+)` \|", page, re.MULTILINE)))
        used = set(re.findall(r"expr: .*?(roost_\w+)", page))
        self.assertEqual(len(used), 8)
        self.assertLessEqual(used, names)

    def test_a_service_that_is_not_running_has_none(self):
        result = roost("metrics", "--control-directory", str(self.folder / "nowhere"))
        self.assertEqual((result.returncode, result.stdout), (3, ""))


class HTTP(MetricsTestCase):
    def setUp(self):
        super().setUp()
        self.service = self.deployed("-l", "http=127.0.0.1:0", "--metrics", "127.0.0.1:0").serving()
        host, port = self.service.metrics.rsplit(":", 1)
        self.place = (host, int(port))

    def scrape(self, path="/metrics", headers=(), method="GET"):
        request = urllib.request.Request(f"http://{self.service.metrics}{path}", headers=dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read().decode()

    def raw(self, data):
        """The first line of the answer to some bytes, and whether the connection ended."""
        with self.connection() as connection:
            connection.sendall(data)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer.split(b"\r\n")[0].decode()

    def connection(self):
        return socket.create_connection(self.place, timeout=PATIENCE)

    def test_prometheus_gets_openmetrics(self):
        status, headers, text = self.scrape(headers=PROMETHEUS)
        self.assertEqual((status, headers["Content-Type"], headers["Connection"]), (200, OPENMETRICS, "close"))
        self.assertEqual(int(headers["Content-Length"]), len(text.encode()))
        self.assertEqual(Samples(text).value("roost_workers", role="current", state="ready"), 1)
        self.assertEqual(Samples(text).keys(), self.samples(self.service).keys())

    def test_others_get_the_older_format(self):
        status, headers, text = self.scrape(headers={"Accept": "*/*"})
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        samples = Samples(text, older_parser.text_string_to_metric_families)
        self.assertEqual(samples.value("roost_workers_started_total"), 1)
        self.assertNotIn("# EOF", text)

    def test_what_has_happened_is_told_at_once(self):
        self.scrape(headers=PROMETHEUS)
        for count in range(1, 4):
            self.service.reload()
            text = self.scrape(headers=PROMETHEUS)[2]
            self.assertEqual(Samples(text).value("roost_reloads_total", result="succeeded"), count)

    def test_a_head_has_no_body(self):
        status, headers, text = self.scrape(method="HEAD", headers=PROMETHEUS)
        self.assertEqual((status, text), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_anything_else_is_refused_by_its_status(self):
        self.assertEqual(self.scrape("/")[0], 404)
        self.assertEqual(self.scrape("/metrics/x")[0], 404)
        status, headers, _ = self.scrape(method="DELETE")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        for data in [
            b"\r\n\r\n",
            b"GET /metrics\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"GET /metrics HTTP/1.1\r\n\r\n",
            b"GET /metrics HTTP/1.0\n\n",
        ]:
            self.assertEqual(self.raw(data), "HTTP/1.1 400 Bad Request", data)
        self.assertEqual(self.raw(b"GET /metrics HTTP/1.0\r\nA: " + b"b" * 9000), "HTTP/1.1 431 Request Header Fields Too Large")

    def test_a_header_of_a_megabyte_is_refused_and_never_kept(self):
        before = self.memory()
        for _ in range(20):
            with self.connection() as connection:
                connection.sendall(b"GET /metrics HTTP/1.0\r\nA: " + b"b" * 10_000)
                self.assertTrue(select.select([connection], [], [], PATIENCE)[0])
                # It is refused by now. The rest doesn't have the connection reset, with which the answer might be lost.
                for _ in range(10):
                    connection.sendall(b"b" * 100_000)
                self.assertIn(b" 431 ", connection.recv(1000))
        self.assertLess(self.memory() - before, 1_000_000)
        self.unharmed()

    def memory(self):
        pages = pathlib.Path(f"/proc/{self.service.pid}/statm").read_text().split()
        return int(pages[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.service.pid}/fd"))

    def unharmed(self):
        """The master reloads promptly, and answers."""
        began = time.monotonic()
        self.assertIn("succeeded", self.service.reload())
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.scrape()[0], 200)

    def test_clients_that_say_nothing_cost_some_descriptors_for_some_seconds(self):
        descriptors = self.descriptors()
        before = self.memory()
        with self.connection() as last:
            crowd = [self.connection() for _ in range(200)]
            for connection in crowd:
                self.addCleanup(connection.close)
            self.unharmed()
            self.assertLessEqual(self.descriptors(), descriptors + 32 + 16)
            self.assertLess(self.memory() - before, 2_000_000)
            # Those whose time is over are let go, and it takes no request of anybody's to notice.
            for connection in [last, *crowd]:
                self.assertEqual(connection.recv(1), b"")
        self.eventually(lambda: self.assertLessEqual(self.descriptors(), descriptors))
        self.unharmed()

    def test_who_sends_byte_by_byte_has_five_seconds(self):
        began = time.monotonic()
        with self.connection() as slow:
            slow.settimeout(0.05)
            answered = None
            for byte in b"GET /metrics HTTP/1.0\r\nA: " + b"b" * 8000:
                if time.monotonic() - began > 30:
                    break
                try:
                    slow.sendall(bytes([byte]))
                    answered = slow.recv(1)
                    break
                except TimeoutError:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    break
            self.assertIn(answered, [None, b""])
        self.assertTrue(3 < time.monotonic() - began < 30)
        self.unharmed()

    def test_who_never_reads_is_let_go(self):
        descriptors = self.descriptors()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            deaf.connect(self.place)
            deaf.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            self.unharmed()
            self.eventually(lambda: self.assertLessEqual(self.descriptors(), descriptors))

    def test_noise_from_many_sides_harms_nobody(self):
        descriptors = self.descriptors()
        stop = threading.Event()

        def noise():
            while not stop.is_set():
                for data in [os.urandom(3000), b"GET /metrics HTTP/1.0\r\n\r\n", b"", b"\0" * 100_000, b"GET /"]:
                    try:
                        with self.connection() as connection:
                            connection.sendall(data)
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    except OSError:
                        pass

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for _ in range(4):
                pool.submit(noise)
            try:
                for _ in range(10):
                    self.assertIn("succeeded", self.service.reload())
            finally:
                stop.set()
        self.eventually(lambda: self.assertLessEqual(self.descriptors(), descriptors))
        self.unharmed()

    def test_workers_never_get_the_socket(self):
        inode = os.stat(f"/proc/{self.service.pid}/fd/{self.metrics_descriptor()}").st_ino
        for name in os.listdir(f"/proc/{self.service.worker()}/fd"):
            self.assertNotEqual(os.stat(f"/proc/{self.service.worker()}/fd/{name}").st_ino, inode)

    def metrics_descriptor(self):
        port = f":{self.place[1]:04X}"
        inodes = [line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines() if line.split()[1].endswith(port)]
        for name in os.listdir(f"/proc/{self.service.pid}/fd"):
            if os.readlink(f"/proc/{self.service.pid}/fd/{name}") in [f"socket:[{inode}]" for inode in inodes]:
                return name
        self.fail("the master doesn't have the socket")


class Waiting(MetricsTestCase):
    """Metrics never stop a service: what can't be had is tried again."""

    def waiting(self, address, *arguments, **options):
        service = self.start("--name", "web", "--metrics", address, *arguments, **options)
        service.expect(
            rf"warning metrics aren't served, and the service runs without them: cannot listen on metrics={re.escape(address)}: .*; "
            r"next try in 1s"
        )
        return service.serving()

    def state(self, service):
        return json.loads(roost("status", "--json", "--control-directory", service.control).stdout)["metrics"]

    def assert_served(self, address):
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE) as answer:
            self.assertIn('roost_generation{service="web"}', answer.read().decode())

    def wakeups(self, service, seconds):
        """How often the master waits for something anew meanwhile."""
        before = sum(waits(service.pid).values())
        time.sleep(seconds)
        return sum(waits(service.pid).values()) - before

    def test_a_port_that_is_taken_is_served_once_it_is_free(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            service = self.waiting(address)
            found = self.state(service)
            self.assertEqual(found["address"], address)
            self.assertRegex(found["obstacle"], f"^cannot listen on metrics={address}: Address already in use ")
            # The pauses grow: the second one is longer than the first could be.
            self.eventually(lambda: self.assertGreater(self.state(service)["millisecondsLeft"], 1000))
            shown = roost("status", "--control-directory", service.control).stdout
            self.assertRegex(shown, rf"\n\nmetrics: cannot listen on metrics={address}: Address already in use .*; next try in \d+m?s\n$")
        service.expect(f"info serving metrics on {address}: http")
        self.assert_served(address)
        self.assertEqual(self.state(service), {"address": address, "obstacle": None, "millisecondsLeft": None})
        self.assertNotIn("metrics:", roost("status", "--control-directory", service.control).stdout)
        # Told once each, however often it was tried.
        self.assertEqual((service.log.count("metrics aren't served"), service.log.count("serving metrics")), (1, 1))
        # Whoever has just asked is gone by then, and nothing is tried any more.
        self.eventually(lambda: self.assertEqual(self.wakeups(service, 2.5), 0))

    def test_an_address_that_comes_later_is_served_then(self):
        # In a network of its own, whose loopback interface is down: even 127.0.0.1 isn't there.
        service = self.waiting("[fd00::1]:9100", launcher=["unshare", "--net", "--map-root-user"])
        self.assertIn("Cannot assign requested address", self.state(service)["obstacle"])
        inside = ["nsenter", "--target", str(service.pid), "--net", "--user", "--preserve-credentials"]
        subprocess.run([*inside, "ip", "address", "add", "fd00::1/128", "dev", "lo", "nodad"], check=True)
        service.expect(r"serving metrics on \[fd00::1\]:9100")

    def test_a_reload_tries_at_once(self):
        path = self.folder / "later"
        service = self.waiting(f"unix:{path}/metrics")
        self.eventually(lambda: self.assertGreater(self.state(service)["millisecondsLeft"], 5000))
        path.mkdir()
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count("serving metrics on unix:"), 1)
        self.assertIsNone(self.state(service)["obstacle"])
        # What gets lost and can't be made anew is waited for again, and fails no reload.
        (path / "metrics").unlink()
        path.rmdir()
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count("metrics aren't served, .*: No such file or directory"), 2)
        path.mkdir()
        service.expect("serving metrics on unix:")

    def test_an_upgrade_goes_on_trying(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            service = self.waiting(address)
            self.assertEqual(roost("upgrade", "--control-directory", service.control).returncode, 0)
            self.assertIn("Address already in use", self.state(service)["obstacle"])
            self.assertEqual(service.log.count("metrics aren't served"), 1)
        service.expect(f"serving metrics on {address}: ")
        self.assert_served(address)

    def test_a_listener_of_the_service_comes_first(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        service = self.waiting(address, "-l", f"http={address}")
        self.assertEqual(service.log.count(f"listening on http={address}"), 1)
        self.assertEqual(service.stop(), 0)


class Place(MetricsTestCase):
    def test_a_unix_socket_is_removed_at_the_end(self):
        path = self.folder / "metrics.sock"
        service = self.start("--name", "web", "--metrics", f"unix:{path}").serving()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n")
            answer = b""
            while part := client.recv(65536):
                answer += part
        head, text = answer.decode().split("\r\n\r\n")
        self.assertIn("200 OK", head)
        self.assertEqual(Samples(text).value("roost_generation"), 1)
        self.assertEqual(service.stop(), 0)
        self.assertFalse(path.exists())

    @needs_open_files(1024)
    def test_who_reads_slowly_gets_all_of_it(self):
        path = self.folder / "metrics.sock"
        # So much text that the kernel doesn't take it at once.
        names = [f"a-long-name-for-a-listener-that-makes-a-long-line-of-each-of-its-numbers-{number}" for number in range(600)]
        listeners = [word for number, name in enumerate(names) for word in ["-l", f"{name}=unix:{self.folder}/{number}"]]
        # Not the shell: it knows no descriptor of two digits.
        worker = [sys.executable, "-c", "import os, signal; os.write(int(os.environ['READY_FD']), b'\\n'); signal.pause()"]
        service = self.start("--name", "web", "--metrics", f"unix:{path}", *listeners, command=worker).serving()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.settimeout(PATIENCE)
            client.sendall(b"GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n")
            answer = client.recv(100)
            # The master doesn't wait for it.
            self.assertIn("succeeded", service.reload())
            while part := client.recv(10000):
                answer += part
        head, text = answer.decode().split("\r\n\r\n")
        self.assertGreater(len(text), 300_000)
        self.assertIn(f"Content-Length: {len(text)}\r\n", head)
        samples = Samples(text)
        for number, name in enumerate(names):
            self.assertEqual(samples.value("roost_listener_queue_peak", listener=name, address=f"unix:{self.folder}/{number}"), 0)

    def test_a_change_takes_effect_only_when_the_service_is_restarted(self):
        file = self.folder / "web.toml"
        text = 'command = ["/bin/sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'
        file.write_text(text)
        service = self.start_bare("--config", str(file)).serving()
        file.write_text(text + 'metrics = "127.0.0.1:0"\n')
        self.assertRegex(service.reload(), "failed .* 'metrics' has changed, which takes effect only when the service is restarted")
