"""A bad release, and then everything else that goes wrong on the same day: what served last goes on, nobody is refused, and
everything that can be asked says what isn't right. Runs inside Tests/with-systemd."""

import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

from harness import PATIENCE, eventually, wait_for_exit
from systemd_test import FILE, NAME, ROOST_BIN, SystemdTestCase, shown, systemctl

# Where sites are. In /run nothing is pinned.
SITE = pathlib.Path("/srv/web")
CURRENT = SITE / "current"
RECORD = pathlib.Path("/var/lib/roost/web/history.json")
# For each connection the name of the release, and the end.
NODE = """
const net = require("net")
if (MODE === "exits") process.exit(3)
if (MODE === "hangs") setInterval(() => {}, 1e6)
else net.createServer((socket) => { socket.on("error", () => {}); socket.end(RELEASE + "\\n") }).listen({fd: 3})
process.on("SIGTERM", () => process.exit(0))
"""
PYTHON = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)
if MODE == "exits": sys.exit(3)
if MODE == "hangs": signal.pause()
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    try: client.sendall(RELEASE.encode() + b"\\n")
    except OSError: pass
    client.close()
"""
BINARY = """
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  if (strcmp(MODE, "exits") == 0) return 3;
  if (strcmp(MODE, "hangs") == 0) for (;;) pause();
  for (;;) {
    int connection = accept(3, NULL, NULL);
    if (connection < 0) continue;
    if (send(connection, RELEASE "\\n", strlen(RELEASE) + 1, MSG_NOSIGNAL) < 0) {}
    close(connection);
  }
}
"""


def node(folder, name, mode):
    (folder / "server.js").write_text(f"const RELEASE = '{name}', MODE = '{mode}'\n{NODE}")


def venv(folder, name, mode):
    if mode != "missing":
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (folder / "app.py").write_text(f"RELEASE, MODE = '{name}', '{mode}'\n{PYTHON}")


def binary(folder, name, mode):
    subprocess.run(
        ["cc", "-o", folder / "server", "-x", "c", "-", f'-DRELEASE="{name}"', f'-DMODE="{mode}"'], input=BINARY, text=True, check=True
    )


def script(folder, name, mode):
    (folder / "app.py").write_text(f"RELEASE, MODE = '{name}', '{mode}'\n{PYTHON}")
    (folder / "server").write_text('#!/bin/sh\nexec /usr/bin/python3 -B "$(dirname "$0")/app.py"\n')
    (folder / "server").chmod(0o755)


# What a release consists of, what runs it, and what is missing where it is incomplete.
KINDS = {
    "node": (node, ["node", f"{CURRENT}/server.js"], "server.js"),
    "venv": (venv, [f"{CURRENT}/venv/bin/python", "-B", f"{CURRENT}/app.py"], "venv"),
    "binary": (binary, [f"{CURRENT}/server"], "server"),
    "script": (script, [f"{CURRENT}/server"], "server"),
}


# How each is told.
REFUSED = "what is configured was refused before; only a reload starts it"
EXITS = r"worker \d+ \(slot \d\) exited with status \d+ before it was ready"
HANGS = r"worker \d+ \(slot \d\) was not ready within 4s"
MISSING = "cannot execute .*: No such file or directory"


class Client:
    """Connects every few milliseconds, and counts what becomes of it."""

    def __init__(self, port=8080):
        self.port = port
        self.counts = collections.Counter()
        self.changed = threading.Condition()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.003):
            result = self.ask()
            with self.changed:
                self.counts[result] += 1
                self.changed.notify_all()

    def ask(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                # What a worker had accepted ends with it, where that is killed.
                return client.recv(100).decode().strip() or "cut"
        except ConnectionRefusedError:
            return "refused"
        except (ConnectionResetError, BrokenPipeError):
            return "cut"

    def expect(self, name, more):
        """Waits for so many more answers of a release."""
        with self.changed:
            wanted = self.counts[name] + more
            if not self.changed.wait_for(lambda: self.counts[name] >= wanted, PATIENCE):
                raise AssertionError(f"no answers of {name} any more: {self.counts}")

    def finish(self):
        self.over.set()
        self.thread.join()
        return self.counts


class WorstDayTestCase(SystemdTestCase):
    workers = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The machine's own stays as it is.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", SITE.parent], check=True)

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["umount", "--lazy", SITE.parent], check=True)
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        shutil.rmtree(SITE, ignore_errors=True)
        SITE.mkdir()
        self.client = None
        shutil.rmtree(RECORD.parent, ignore_errors=True)

    def tearDown(self):
        super().tearDown()
        if self.client:
            self.client.finish()

    def deploy(self, kind, name=None, mode="serves"):
        """Moves the link to another release, as deployments do."""
        # The class above has a server of its own.
        if name is None:
            return
        make, _, missing = KINDS[kind]
        folder = SITE / name
        folder.mkdir()
        make(folder, name, mode)
        if mode == "missing" and (folder / missing).exists():
            (folder / missing).unlink()
        following = SITE / "following"
        following.symlink_to(name)
        following.rename(CURRENT)

    def configure(self, kind="script", **options):
        options = {"listen": '["http=8080"]', "workers": str(self.workers), "settle": '"0s"', "restart-delay": '"10ms"', **options}
        FILE.parent.mkdir(exist_ok=True)
        options.setdefault("command", json.dumps(KINDS[kind][1]))
        FILE.write_text("\n".join(f"{name} = {value}" for name, value in options.items()) + "\n")

    def roost(self, *arguments):
        return subprocess.run([str(ROOST_BIN), *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def status(self):
        result = self.roost("status", "--json", "web")
        return json.loads(result.stdout) if result.stdout else {}, result.returncode

    def workers_now(self):
        found, _ = self.status()
        return {worker["slot"]: worker["pid"] for worker in found["workers"] if worker["role"] == "current" and worker["state"] == "ready"}

    def recorded(self, assertion):
        """The record is written by another process."""
        eventually(lambda: assertion(json.loads(RECORD.read_text())["history"]), (AssertionError, FileNotFoundError, KeyError))

    # MARK: What goes wrong

    def kill_master(self):
        main, restarts = int(shown("MainPID")), int(shown("NRestarts"))
        workers = self.workers_now().values()
        os.kill(main, signal.SIGKILL)
        for pid in workers:
            wait_for_exit(pid)
        eventually(lambda: self.assertEqual((shown("NRestarts"), shown("ActiveState")), (str(restarts + 1), "active")))

    def kill_workers(self):
        for slot, pid in self.workers_now().items():
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: self.assertNotIn(self.workers_now().get(slot), [None, pid]))

    def boot(self, *vanish):
        """As far as a service sees of it. Listeners are gone meanwhile: the client that goes on is another."""
        counts = self.client.finish()
        systemctl("stop", NAME)
        for path in vanish:
            shutil.rmtree(path)
        systemctl("start", NAME)
        self.client = Client()
        return counts

    # MARK: What is said

    def assert_diverged(self, divergence):
        def look():
            found, status = self.status()
            self.assertEqual((found.get("divergence"), found.get("condition"), status), (divergence, "whole", 1), found)

        # A worker that was lost may be on its way back.
        eventually(look)

    def assert_told(self, divergence, trouble):
        """Everything that can be asked says that something else serves than what is configured."""
        self.assert_diverged(divergence)
        said = {
            "reload_failed": r"generation \d+ serves: 2 of 2 workers ready(; \d draining)?; reload to generation \d+ failed: " + trouble,
            "rolled_back": r"generation \d+ serves: 2 of 2 workers ready; what generation \d+ ran serves, not what is configured: "
            + REFUSED,
            "fell_back": r"generation \d+ serves: 2 of 2 workers ready; fell back to what generation \d+ ran, not what is configured: "
            + trouble,
        }[divergence]
        eventually(lambda: self.assertRegex(shown("StatusText"), said))
        self.assertRegex(systemctl("status", "--no-pager", "-l", "-n", "0", NAME).stdout, 'Status: "' + said)
        text = self.roost("status", "web").stdout
        self.assertRegex(
            text, said.split("(; ")[-1].split("ready; ")[-1] if divergence != "reload_failed" else "failed after .*: " + trouble
        )
        word = {"reload_failed": "last reload failed", "rolled_back": "rolled back", "fell_back": "fell back"}[divergence]
        self.assertRegex(self.roost("list").stdout, rf"\nweb +serving, {word} ")
        self.assertRegex(self.roost("metrics", "web").stdout, r'roost_diverged\{service="web"\} 1\n')

    def assert_well(self):
        found, status = self.status()
        self.assertEqual((found["divergence"], found["condition"], status), (None, "whole", 0), found)
        self.assertRegex(self.roost("metrics", "web").stdout, r'roost_diverged\{service="web"\} 0\n')

    def assert_counts(self, counts, *names):
        self.assertEqual(counts["refused"], 0, counts)
        self.assertEqual(set(counts) - {"cut"}, set(names), counts)


class ReleasesTestCase(WorstDayTestCase):
    """Each of them on one day: a reload that fails, workers that die, a master that dies, and machines that boot."""

    def day(self, kind, mode, trouble):
        if kind == "node" and not shutil.which("node"):
            self.skipTest("node isn't installed")
        if kind == "binary" and not shutil.which("cc"):
            self.skipTest("no compiler")
        # A busy machine must not take a good release for one that hangs.
        self.configure(kind, **({"ready-timeout": '"4s"'} if mode == "hangs" else {}))
        self.deploy(kind, "good")
        self.install_template()
        systemctl("start", NAME)
        self.client = Client()
        self.client.expect("good", 20)
        self.deploy(kind, "bad", mode)
        self.assertNotEqual(systemctl("reload", NAME, check=False).returncode, 0)
        self.assert_told("reload_failed", trouble)
        self.client.expect("good", 20)
        self.kill_workers()
        self.client.expect("good", 20)
        self.assert_diverged("reload_failed")
        self.recorded(lambda record: self.assertTrue(record.get("refused") or mode == "missing"))
        # What can't be found at all was never prepared, and so it is found again that it can't be.
        if mode != "missing" or kind == "node":
            trouble = REFUSED
        after = "fell_back"
        self.kill_master()
        self.client.expect("good", 20)
        self.assert_told(after, trouble)
        self.kill_master()
        self.client.expect("good", 20)
        self.assert_diverged(after)
        totals = self.boot()
        self.client.expect("good", 20)
        self.assert_diverged(after)
        totals += self.boot("/run/roost")
        self.client.expect("good", 20)
        self.assert_told(after, trouble)
        # Asked for again it is tried again, and refused as before.
        self.assertNotEqual(systemctl("reload", NAME, check=False).returncode, 0)
        self.client.expect("good", 20)
        self.deploy(kind, "mended")
        systemctl("reload", NAME)
        self.client.expect("mended", 20)
        eventually(self.assert_well)
        totals += self.client.finish()
        print(f"\n{self.id()}: {dict(totals)}", flush=True)
        self.assert_counts(totals, "good", "mended")
