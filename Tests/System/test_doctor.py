"""`roost doctor` finds what is wrong with a worker, and nothing where nothing is."""

import json
import signal
import subprocess
import sys

from harness import DEMO_WORKER, PATIENCE, ROOST, ROOT, RoostTestCase, wait_for_exit

CORPUS = ROOT / "Tests/Doctor"


class DoctorTests(RoostTestCase):
    def doctor(self, *arguments, command, **run):
        return subprocess.run(
            [ROOST, "doctor", *arguments, "--", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, **run
        )

    def examine(self, name, *arguments):
        """What isn't as it should be, and what wasn't looked at; of a worker in the corpus."""
        command = [sys.executable, "-B", str(CORPUS / f"{name}.py")]
        result = self.doctor("--json", "--ready", "notify", "--ready-timeout", "10s", *arguments, command=command)
        report = json.loads(result.stdout)
        found = {finding["check"]: finding for finding in report["findings"] if finding["outcome"] != "ok"}
        failed = any(finding["outcome"] == "failure" for finding in found.values())
        self.assertEqual(result.returncode, 1 if failed else 0, result)
        for finding in found.values():
            self.assertTrue(finding["mend"], finding)
        self.assertEqual(result.stderr, "")
        return found, report["notChecked"]

    def assert_found(self, name, expected, *arguments, skipped=()):
        """Exactly these: a check and what its text has to match, for each finding."""
        found, not_checked = self.examine(name, *arguments)
        self.assertEqual(set(found), set(expected), found)
        for check, (outcome, pattern) in expected.items():
            self.assertEqual(found[check]["outcome"], outcome)
            self.assertRegex(found[check]["text"], pattern)
        self.assertEqual(not_checked, list(skipped))

    def test_a_good_worker_has_nothing_to_mend(self):
        self.assert_found("good", {})

    def test_a_good_worker_on_a_unix_socket(self):
        self.assert_found("good", {}, "--listen", f"unix:{self.folder}/web.sock")
        self.assertFalse((self.folder / "web.sock").exists())

    def test_the_demo_worker(self):
        result = self.doctor("--slow-path", "/sleep?seconds=1", "--backlog", "100", command=[DEMO_WORKER])
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        marks = [line[0] for line in result.stdout.splitlines()[1:] if line]
        self.assertEqual(marks, ["✓"] * 10 + ["a"], result.stdout)
        self.assertRegex(result.stdout, r"✓ requests +400 of 400 requests answered")
        self.assertRegex(result.stdout, r"✓ in flight +\d of \d requests answered .*, one of them for /sleep\?seconds=1\n")
        self.assertRegex(result.stdout, r"✓ handover +0 of \d{3,} requests failed")

    def test_a_configuration_whose_sockets_systemd_would_pass(self):
        path = self.folder / "web.toml"
        command = json.dumps([sys.executable, "-B", str(CORPUS / "good.py")])
        path.write_text(f'command = {command}\nlisten = ["systemd:http"]\n')
        result = subprocess.run([ROOST, "doctor", "--config", path], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        self.assertRegex(result.stdout, r"✓ listeners +accepts on http=127\.0\.0\.1:\d+\n")

    def test_a_listener_for_datagrams_leaves_what_needs_no_connection(self):
        result = self.doctor("--listen", "udp:127.0.0.1:0", "--ready", "none", "--ready-after", "50ms", command=["sleep", "1000"])
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("not checked: listeners, requests, backlog, in flight, kept alive, handover\n", result.stdout)

    def test_a_port_of_its_own(self):
        self.assert_found(
            "own_port",
            {
                "listeners": (
                    "failure",
                    r"no process accepts on http=127\.0\.0\.1:\d+, but the worker listens at 127\.0\.0\.1:\d+ on its own",
                )
            },
            skipped=["requests", "in flight", "kept alive", "handover"],
        )

    def test_never_ready(self):
        self.assert_found(
            "never_ready",
            {"ready": ("failure", "not ready within 500ms")},
            "--ready-timeout",
            "500ms",
            skipped=["listeners", "requests", "backlog", "in flight", "kept alive", "exit", "sockets", "children", "handover"],
        )

    def test_accepting_once_and_stopping(self):
        self.assert_found(
            "accepts_once",
            {"requests": ("failure", r"\d of \d requests failed: no answer in time")},
            skipped=["in flight", "kept alive", "handover"],
        )

    def test_a_listener_for_ipv6_and_ipv4_whose_addresses_it_cannot_read(self):
        """And one for IPv4 is as it should be."""
        not_looked_at = ["in flight", "kept alive", "handover"]
        found, not_checked = self.examine("reads_ipv4", "--listen", "web=0")
        self.assertEqual((list(found), not_checked), (["requests"], not_looked_at))
        self.assertRegex(found["requests"]["text"], r"^(\d) of \1 requests failed: .*; of 8 to a listener of IPv4 alone, none: ")
        self.assertEqual(found["requests"]["mend"], 'listen = ["web=0.0.0.0:0"]')
        self.assertEqual(self.examine("reads_ipv4", "--listen", "web=0.0.0.0:0"), ({}, []))

    def test_a_listener_for_ipv6_and_ipv4_on_which_it_answers_ipv6_alone(self):
        found, not_checked = self.examine("reads_ipv6", "--listen", "web=0")
        self.assertEqual((list(found), not_checked), (["requests"], ["in flight", "kept alive", "handover"]))
        self.assertRegex(found["requests"]["text"], r"^over IPv6 all is answered, and over IPv4 (\d) of \1 requests failed: ")
        self.assertIn('listen = ["web=0.0.0.0:0"], ', found["requests"]["mend"])

    def test_a_good_worker_on_a_listener_for_ipv6_and_ipv4(self):
        self.assert_found("good", {}, "--listen", "web=0")

    def test_a_worker_that_answers_nobody_is_not_told_to_use_ipv4(self):
        found, _ = self.examine("drops_everything", "--listen", "web=0")
        self.assertNotIn("IPv4", found["requests"]["text"] + found["requests"]["mend"])

    def test_shutting_the_listener(self):
        self.assert_found(
            "shuts_down", {"sockets": ("failure", r"by the time it had exited, http=\S+ refused connections")}, skipped=["handover"]
        )

    def test_shutting_a_unix_listener(self):
        self.assert_found(
            "shuts_down", {"sockets": ("failure", "refused connections")}, "--listen", f"unix:{self.folder}/web.sock", skipped=["handover"]
        )

    def test_unlinking_the_path(self):
        self.assert_found(
            "unlinks",
            {"sockets": ("failure", r"the file of \S+web\.sock was gone")},
            "--listen",
            f"unix:{self.folder}/web.sock",
            skipped=["handover"],
        )

    def test_a_shrunken_backlog(self):
        self.assert_found("shrinks_backlog", {"backlog": ("warning", r"that of http=\S+ from 100 to 5")}, "--backlog", "100")

    def test_no_drain(self):
        self.assert_found(
            "drops_requests",
            {
                "in flight": ("failure", r"[1-4] of \d requests lost"),
                "handover": ("failure", r"[1-9]\d* of \d+ requests failed while .*: the connection was closed before the answer"),
            },
            skipped=["kept alive"],
        )

    def test_kept_alive_connections_that_are_not_told(self):
        self.assert_found("keeps_alive", {"kept alive": ("failure", r"4 of 4 connections continued")})

    def test_an_ignored_stop_signal(self):
        self.assert_found(
            "ignores_stop",
            {"exit": ("failure", "still there 1s after SIGTERM")},
            "--drain-timeout",
            "1s",
            skipped=["kept alive", "handover"],
        )

    def test_a_child_left_behind(self):
        self.assert_found("leaves_child", {"children": ("failure", r"process \d+ \(sleep 1000\)")})

    def test_a_worker_that_exits_shows_its_last_words(self):
        result = self.doctor(command=["sh", "-c", "echo no database >&2; exit 3"])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"✗ ready +exited with status 3 before it was ready\n +\| no database\n +→ ")

    def test_a_server_that_speaks_something_else(self):
        command = [sys.executable, "-B", "-c", SMTP]
        result = self.doctor(command=command)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"✗ requests .*the answer isn't HTTP")
        self.assertIn("→ a server that speaks something else: --no-http", result.stdout)
        result = self.doctor("--no-http", command=command)
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"✓ handover +0 of \d+ connections failed")

    def test_a_worker_that_dies_under_load(self):
        script = f"import sys; sys.path.insert(0, {str(CORPUS)!r})\n{DYING}"
        result = self.doctor(command=[sys.executable, "-B", "-c", script])
        self.assertEqual(result.returncode, 1, result)
        self.assertRegex(result.stdout, r"✗ requests +exited with status 4 after \d+ requests\n +\| out of paper\n +→ ")
        self.assertIn("\n1 failure\n", result.stdout)

    def test_answers_in_chunks(self):
        script = f"import sys; sys.path.insert(0, {str(CORPUS)!r})\n{CHUNKS}"
        result = self.doctor(command=[sys.executable, "-B", "-c", script])
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"✓ requests +400 of 400 requests answered")
        self.assertRegex(result.stdout, r"✓ kept alive +4 of 4")

    def test_answers_that_end_with_the_connection(self):
        script = f"import sys; sys.path.insert(0, {str(CORPUS)!r})\n{UNTIL_CLOSE}"
        result = self.doctor(command=[sys.executable, "-B", "-c", script])
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"✓ requests +400 of 400 requests answered")
        self.assertIn("not checked: in flight, kept alive\n", result.stdout)

    def test_answers_that_are_errors(self):
        script = f"import sys; sys.path.insert(0, {str(CORPUS)!r})\n{ERRORS}"
        result = self.doctor(command=[sys.executable, "-B", "-c", script])
        self.assertEqual(result.returncode, 1, result)
        self.assertRegex(result.stdout, r"✗ requests +(\d) of \1 requests failed: status 503")

    def test_what_a_worker_writes_is_shown_where_that_is_wanted(self):
        command = ["sh", "-c", "echo out; echo error >&2; exit 1"]
        self.assertEqual(self.doctor(command=command).stderr, "")
        result = self.doctor("--output", command=command)
        self.assertEqual(set(result.stderr.splitlines()), {"slot 0 generation 1 | out", "slot 0 generation 1 | error"})

    def test_what_cannot_be_run(self):
        result = self.doctor(command=["/nowhere/server"])
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertIn("cannot execute /nowhere/server", result.stderr)
        # No machine has this one (RFC 5737).
        result = self.doctor("--listen", "192.0.2.1:8080", command=["true"])
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertIn("this machine doesn't have the address", result.stderr)

    def test_an_interrupt_takes_the_worker_with_it(self):
        command = [sys.executable, "-B", "-c", f"import os\nprint(os.getpid(), file=open({str(self.folder / 'pid')!r}, 'w'))\n{DEAF}"]
        doctor = subprocess.Popen([ROOST, "doctor", "--", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pid = self.eventually(self.pid)
        doctor.send_signal(signal.SIGINT)
        doctor.communicate(timeout=PATIENCE)
        self.assertEqual(doctor.returncode, 130)
        wait_for_exit(pid)

    def pid(self):
        path = self.folder / "pid"
        self.assertTrue(path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())


# Greets whoever comes, and drains.
SMTP = """
import os, select, signal, socket, threading
told, tell = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(tell, b"!"))
listener = socket.socket(fileno=3)
listener.setblocking(False)
name = os.environ["NOTIFY_SOCKET"]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", "\\0" + name[1:] if name[0] == "@" else name)
while told not in select.select([listener, told], [], [])[0]:
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        continue
    with client:
        try:
            client.sendall(b"220 ready\\r\\n\\r\\n")
        except OSError:
            pass
"""
ANSWER = """
from good import Server
class Chunked(Server):
    def answer(self, client, is_last):
        client.sendall({answer})
        {after}
Chunked().run()
"""
CHUNKS = ANSWER.format(
    answer="b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\nConnection: ' + (b'close' if is_last else b'keep-alive')"
    " + b'\\r\\n\\r\\n3;x=y\\r\\nabc\\r\\nA\\r\\n0123456789\\r\\n0\\r\\nTrailer: x\\r\\n\\r\\n'",
    after="return is_last",
)
UNTIL_CLOSE = ANSWER.format(answer="b'HTTP/1.1 200 OK\\r\\n\\r\\nto the end'", after="return True")
ERRORS = ANSWER.format(answer="b'HTTP/1.1 503 Service Unavailable\\r\\nContent-Length: 0\\r\\n\\r\\n'", after="return is_last")
DYING = """
import os, sys
from good import Server
class Dying(Server):
    def serve(self, client):
        if len(self.threads) == 5:
            print("out of paper", file=sys.stderr, flush=True)
            os._exit(4)
        super().serve(client)
Dying().run()
"""
# Never gets ready, and hears no stop signal.
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: signal.pause()
"""
