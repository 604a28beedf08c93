"""A smoke probe before takeover: what the master asks a worker that is ready, on a listener of its own."""

import os
import signal
import socket
import sys
import unittest

from harness import Load, RoostTestCase, state

# Accepts on every inherited listener, and answers each path with the status that a file of this name holds, 404 without one.
# It reads the files anew for each request, and tells which listener was asked.
SERVER = """
import os, selectors, signal, socket, sys
folder = sys.argv[1]
names = os.environ["LISTEN_FDNAMES"].split(":")
selector = selectors.DefaultSelector()
for index, name in enumerate(names): selector.register(socket.socket(fileno=3 + index), selectors.EVENT_READ, name)
# Told to drain, it finishes what it is doing: the signal is looked at between two requests.
wake, waker = os.pipe()
os.set_blocking(waker, False)
signal.set_wakeup_fd(waker)
signal.signal(signal.SIGTERM, lambda *_: None)
selector.register(wake, selectors.EVENT_READ, None)
os.write(int(os.environ["READY_FD"]), b"\\n")
while True:
    for key, _ in selector.select():
        if key.data is None: sys.exit()
        try: connection, _ = key.fileobj.accept()
        except BlockingIOError: continue
        with connection:
            path = connection.recv(4096).split()[1].decode()
            try: status = open(folder + path).read().strip()
            except OSError: status = "404"
            print(f"asked {os.environ['ROOST_GENERATION']} on {key.data}: {path} {status}", file=sys.stderr, flush=True)
            if status == "silent": signal.pause()
            if status == "nonsense": connection.sendall(b"nonsense\\r\\n")
            elif status == "hangup": pass
            else:
                head = f"HTTP/1.1 {status} X\\r\\nContent-Length: 100000\\r\\nConnection: close\\r\\n\\r\\n"
                connection.sendall(head.encode() + b"x" * 100000)
"""


class Probe(RoostTestCase):
    def server(self, *options, health="200", **start):
        self.answer(health)
        service = self.start(
            "-l",
            "http=127.0.0.1:0,nonblocking=true",
            *options,
            command=[sys.executable, str(self.script(SERVER)), str(self.folder)],
            **start,
        )
        self.address = service.address()
        return service

    def answer(self, status, path="health"):
        new = self.folder / "new"
        new.write_text(status)
        new.rename(self.folder / path)

    def get(self):
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), 60) as client:
            client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            return client.makefile("rb").readline()

    def test_a_reload_succeeds_when_the_candidate_has_answered_on_its_own_listener(self):
        service = self.server("--probe", "path=/health")
        service.serving()
        self.assertRegex(service.reload(), "succeeded")
        for generation in 1, 2:
            service.log.expect_count(f"asked {generation} on probe: /health 200", 1)
        self.assertIn(b"200", self.get())

    def test_a_reload_fails_with_the_reason_and_the_current_generation_goes_on(self):
        service = self.server("--probe", "path=/health", "--probe", "timeout=500ms").serving()
        for status, reason in [
            ("503", "it answered with status 503"),
            ("nonsense", "its answer isn't HTTP"),
            ("hangup", "it closed the connection"),
            ("silent", "it has not answered"),
        ]:
            with self.subTest(status):
                self.answer(status)
                self.assertRegex(service.reload(), rf"failed .* did not pass its probe within 500ms: {reason}; generation 1 keeps serving")
        self.answer("200")
        self.assertIn(b"200", self.get())
        self.assertRegex(service.reload(), "succeeded")

    def test_it_is_asked_again_until_it_passes(self):
        service = self.server("--probe", "path=/health").serving()
        self.answer("503")
        service.signal(signal.SIGHUP)
        for _ in range(3):
            service.expect("asked 2 on probe: /health 503")
        self.answer("200")
        self.assertRegex(service.verdict(), "succeeded")

    def test_another_status_and_another_path(self):
        self.answer("204", "warm?x=1")
        service = self.server("--probe", "path=/warm?x=1", "--probe", "status=204", health="503").serving()
        self.assertRegex(service.reload(), "succeeded")

    def test_a_service_whose_first_generation_does_not_pass_does_not_start(self):
        service = self.server("--probe", "path=/health", "--probe", "timeout=200ms", "--start-attempts", "2", health="500")
        service.expect("did not pass its probe within 200ms: it answered with status 500; starting another")
        service.expect("start failed: .* did not pass its probe within 200ms: it answered with status 500")
        self.assertEqual(service.wait(), 1)

    def test_what_replaces_a_crashed_worker_is_not_asked(self):
        service = self.server("--probe", "path=/health").serving()
        self.answer("503")
        worker = service.worker()
        os.kill(worker, signal.SIGKILL)
        service.expect("is ready after")
        self.assertEqual(service.log.count("asked 1 on probe"), 1)
        self.assertIn(b"503", self.get())

    def test_a_command_asks_by_the_address_in_its_environment(self):
        ask = (
            f'{sys.executable} -c \'import os, urllib.request; print(urllib.request.urlopen("http://" + '
            'os.environ["ROOST_PROBE_ADDRESS"] + "/health").status, os.environ["ROOST_GENERATION"], file=__import__("sys").stderr)\''
        )
        service = self.server("--probe", f"command={ask}", "--probe", "timeout=20s")
        service.expect("^200 1$")
        service.serving()
        self.assertRegex(service.reload(), "succeeded")
        self.assertEqual(service.log.count("^200 2$"), 1)

    def test_a_command_that_fails_is_run_again_and_its_last_words_are_told(self):
        service = self.server(
            "--probe",
            f"command=test -e {self.folder}/good || {{ echo not good >&2; exit 3; }}",
            "--probe",
            "timeout=1s",
            "--start-attempts",
            "1",
        )
        service.expect("^not good$")
        service.expect("^not good$")
        service.expect("start failed: .* did not pass its probe within 1s: the command exited with status 3, saying: not good")
        self.assertEqual(service.wait(), 1)

    def test_a_command_that_hangs_is_killed_with_all_that_it_has_started(self):
        pids = self.folder / "pids"
        service = self.server(
            "--probe",
            f"command=echo $$ >{pids}; tail -f /dev/null & echo $! >>{pids}; wait",
            "--probe",
            "timeout=1s",
            "--start-attempts",
            "1",
        )
        service.expect("start failed: .* did not pass its probe within 1s: it has not answered")
        self.assertEqual(service.wait(), 1)
        for pid in pids.read_text().split():
            self.eventually(lambda: self.assertIn(state(int(pid)), [None, "Z"]))

    def test_a_command_that_does_not_exist_is_told_before_anything_is_started(self):
        file = self.script('command = ["/bin/true"]\nlisten = "127.0.0.1:0"\nprobe = { command = ["/no/such"] }\n', "web.toml")
        service = self.start_bare("--config", str(file))
        service.expect("cannot execute /no/such")
        self.assertEqual(service.wait(), 78)

    def test_placeholders_name_the_probes_listener(self):
        witness = (
            "import os, sys; os.write(2, ' '.join(['args', *sys.argv[1:], '\\n']).encode()); "
            "os.write(int(os.environ['READY_FD']), b'\\n'); import signal; signal.pause()"
        )
        service = self.start(
            "-l",
            "http=127.0.0.1:0",
            "--probe",
            "command=echo address $ROOST_PROBE_ADDRESS >&2",
            command=[sys.executable, "-c", witness, "{fd:probe}", "{address:probe}"],
        )
        service.log.expect_count(r"^args 4 127\.0\.0\.1:\d+ $", 1)
        service.log.expect_count(r"^address ", 1)
        addresses = {line.split()[-1] for line in service.log.lines if line.startswith(("args ", "address "))}
        self.assertEqual(len(addresses), 1, addresses)
        service.serving()

    def test_the_master_keeps_no_descriptor_of_a_probe(self):
        service = self.server("--probe", "path=/health", "-n", "2").serving()
        self.assertRegex(service.reload(), "succeeded")
        service.log.expect_count("drained and", 2)
        count = len(os.listdir(f"/proc/{service.pid}/fd"))
        for number in range(3):
            self.assertRegex(service.reload(), "succeeded")
            service.log.expect_count("drained and", 4 + 2 * number)
        self.eventually(lambda: self.assertLessEqual(len(os.listdir(f"/proc/{service.pid}/fd")), count))

    def test_nothing_is_lost_while_candidates_fail_their_probes(self):
        service = self.server("--probe", "path=/health", "--probe", "timeout=200ms", "-n", "2").serving()
        self.answer("200", "live")
        load = Load(self.address, kept_alive=0, new=4, path="/live")
        self.answer("503")
        for _ in range(3):
            self.assertRegex(service.reload(), "failed")
        self.answer("200")
        for _ in range(3):
            self.assertRegex(service.reload(), "succeeded")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertGreater(result["requests"], 100)


if __name__ == "__main__":
    unittest.main()
