"""What listeners, probes and sightings are doing when the master executes its new binary."""

import json
import os
import socket
import subprocess
import sys
import unittest

from harness import DEMO_WORKER, PATIENCE, ROOST, Load, RoostTestCase, wait_for_exit
from test_listeners import ECHO, connect
from test_probe import SERVER as PROBED

ACCEPTING = "import socket; listener = socket.socket(fileno=3)\nwhile True: listener.accept()[0].close()"
SILENT = (
    "import socket, sys, time\nlistener = socket.socket(fileno=3)\n"
    "exec(open(sys.argv[1]).read())\n"
    "while True:\n    client, _ = listener.accept()\n"
    "    client.close()"
)


class UpgradeOfSockets(RoostTestCase):
    def roost(self, service, *arguments):
        result = subprocess.run(
            [ROOST, *arguments, "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE
        )
        self.assertEqual(result.returncode, 0, result)
        return result.stdout

    def reloading(self, service):
        return subprocess.Popen([ROOST, "reload", "-q", "--control-directory", service.control], stderr=subprocess.PIPE, text=True)

    def status(self, service):
        return json.loads(self.roost(service, "status", "--json"))

    def test_sockets_of_slots_keep_their_order_and_their_steering(self):
        service = self.start("-l", "127.0.0.1:0,reuseport=true", "-n", "4", ready="notify", command=[DEMO_WORKER])
        load = Load(service.address())
        service.serving()
        for workers in [2, 4, 1, 3]:
            self.roost(service, "upgrade")
            self.roost(service, "scale", str(workers))
            self.roost(service, "upgrade")
            self.eventually(lambda: self.assertEqual([worker["state"] for worker in self.status(service)["workers"]], ["ready"] * workers))
            self.roost(service, "reload", "-q")
        self.roost(service, "upgrade")
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertEqual(service.stop(), 0)

    def test_a_removed_listener_is_emptied_by_workers_that_drain_later(self):
        file = self.folder / "web.toml"
        script = self.script(ECHO)
        gate = self.folder / "gate"
        os.mkfifo(gate)

        def configure(*listen):
            command = json.dumps([sys.executable, str(script)])
            file.write_text(f'command = {command}\nready = "pipe"\nsettle = "0s"\ndrain-timeout = "40s"\nlisten = {json.dumps(listen)}\n')

        configure("a=127.0.0.1:0", f"b=unix:{self.folder}/b.sock")
        service = self.start_bare("--config", str(file)).serving()
        # The worker is busy, and two wait in the queue of the listener that goes.
        busy, waiting = connect(f"unix:{self.folder}/b.sock"), []
        busy.sendall(f"hold {gate}".encode())
        waiting = [connect(f"unix:{self.folder}/b.sock") for _ in range(2)]
        for client in waiting:
            client.sendall(b"x")
        configure("a=127.0.0.1:0")
        self.roost(service, "reload", "-q")
        self.roost(service, "upgrade")
        gate.write_text("")
        self.assertEqual([client.makefile().read() for client in [busy, *waiting]], ["1 b\n"] * 3)
        service.expect("generation 1. drained and exited with status 0")
        service.expect("closed b=")
        for client in [busy, *waiting]:
            client.close()

    def test_a_candidate_that_is_probed_is_asked_again(self):
        health = self.folder / "health"
        health.write_text("200")
        service = self.start(
            "-l",
            "http=127.0.0.1:0,nonblocking=true",
            "--probe",
            "path=/health",
            "--ready-timeout",
            "60s",
            command=[sys.executable, str(self.script(PROBED)), str(self.folder)],
        )
        service.serving()
        health.write_text("503")
        reloading = self.reloading(service)
        service.expect("asked 2 on probe: /health 503")
        self.roost(service, "upgrade")
        service.expect("upgraded the master")
        service.expect("asked 2 on probe: /health 503")
        following = self.folder / "following"
        following.write_text("200")
        following.rename(health)
        self.assertEqual(reloading.communicate(timeout=PATIENCE), (None, ""))
        self.assertEqual(reloading.returncode, 0)

    def test_a_command_that_asks_does_not_outlive_it(self):
        pids = self.folder / "pids"
        service = self.start(
            "-l",
            "http=127.0.0.1:0",
            "--probe",
            f"command=test $ROOST_GENERATION = 1 || {{ echo $$ >> {pids}; exec sleep 1000; }}",
            "--probe",
            "timeout=60s",
        ).serving()
        reloading = self.reloading(service)
        for count in range(1, 4):
            self.eventually(lambda: self.assertEqual(len(pids.read_text().split()) if pids.exists() else 0, count))
            self.roost(service, "upgrade")
        self.eventually(lambda: self.assertEqual(len(pids.read_text().split()), 4))
        for pid in pids.read_text().split()[:3]:
            wait_for_exit(int(pid))
        service.stop()
        reloading.communicate(timeout=PATIENCE)

    def test_a_worker_that_speaks_has_to_say_that_it_is_ready_after_any_number(self):
        script = f"systemd-notify --status=warming; exec {sys.executable} -c '{ACCEPTING}'"
        service = self.start(
            "-l",
            "127.0.0.1:0",
            ready="automatic",
            command=["sh", "-c", f"test $ROOST_GENERATION = 1 && exec {sys.executable} -c '{ACCEPTING}'; {script}"],
        ).serving()
        reloading = self.reloading(service)
        self.eventually(lambda: self.assertIn("warming", self.roost(service, "status")))
        for _ in range(3):
            self.roost(service, "upgrade")
        # One that says nothing and was started later is ready by a sighting: so long this one's would have counted, too.
        self.start("-l", "127.0.0.1:0", ready="automatic", command=[sys.executable, "-c", ACCEPTING]).serving()
        self.assertIsNone(reloading.poll())
        self.assertIn("candidate, starting", self.roost(service, "status"))
        service.stop()
        reloading.communicate(timeout=PATIENCE)

    def test_a_candidate_is_seen_to_accept_after_it(self):
        gate = self.folder / "gate.py"
        gate.write_text("")
        service = self.start("-l", "127.0.0.1:0", ready="accepting", command=[sys.executable, "-c", SILENT, str(gate)]).serving()
        gate.write_text(f"import os\nopen({str(self.folder / 'started')!r}, 'w').close()\nopen({str(self.folder / 'go')!r}).read()")
        os.mkfifo(self.folder / "started")
        os.mkfifo(self.folder / "go")
        reloading = self.reloading(service)
        (self.folder / "started").read_text()
        self.roost(service, "upgrade")
        (self.folder / "go").write_text("")
        self.assertEqual(reloading.communicate(timeout=PATIENCE), (None, ""))
        self.assertEqual(reloading.returncode, 0)

    def test_metrics_are_served_on_and_counters_go_on(self):
        service = self.start("--metrics", f"unix:{self.folder}/metrics", "-l", "127.0.0.1:0").serving()
        service.reload()
        before = os.stat(self.folder / "metrics").st_ino
        self.roost(service, "upgrade")
        service.reload()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.folder / "metrics"))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            text = client.makefile().read()
        self.assertRegex(text, r'roost_reloads_total\{[^}]*result="succeeded"[^}]*\} 2\n')
        self.assertEqual(os.stat(self.folder / "metrics").st_ino, before)


if __name__ == "__main__":
    unittest.main()
