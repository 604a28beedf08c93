"""A worker that is restarted runs what its generation was started with, wherever links lead by then."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest
import urllib.request

import test_waiting
from harness import PATIENCE, ROOST
from test_upgrade import UpgradeTestCase

# Each answers with the release of what it consists of, and a bad one doesn't start.
NODE = """
const fs = require("fs"), http = require("http")
const release = require("./release.json")
if (release.name === "bad") process.exit(3)
http.createServer((request, response) => response.end(`${release.name} ${process.argv.slice(2)}`)).listen({fd: 3}, () =>
  fs.writeSync(Number(process.env.READY_FD), "\\n"))
process.on("SIGTERM", () => process.exit(0))
"""

PYTHON = """
import http.server, os, socket, sys
from release import NAME
import packages
if NAME == "bad": sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"{NAME} {packages.NAME} {os.environ.get('SETTINGS', '')}".strip().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
os.write(int(os.environ["READY_FD"]), b"\\n")
server.serve_forever()
"""

BINARY = """
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  static const char text[] = "HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" RELEASE;
  char request[4096];
  if (strcmp(RELEASE, "bad") == 0) return 3;
  if (write(atoi(getenv("READY_FD")), "\\n", 1) != 1) return 1;
  for (;;) {
    int connection = accept(3, NULL, NULL);
    if (connection < 0) continue;
    if (read(connection, request, sizeof request) > 0 && write(connection, text, sizeof text - 1) < 0) return 1;
    close(connection);
  }
}
"""

WITNESS = """
import json, os, signal, sys
seen = {"arguments": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd()}
# In one piece: nothing of the master's comes in between.
os.write(2, json.dumps(seen).encode() + b"\\n")
os.write(int(os.environ["READY_FD"]), b"\\n")
signal.pause()
"""


class PinnedTestCase(UpgradeTestCase):
    def setUp(self):
        super().setUp()
        # By a path that is resolved itself, to be compared with.
        self.app = pathlib.Path(os.path.realpath(self.folder)) / "app"
        self.current = self.app / "current"
        (self.app / "releases").mkdir(parents=True)

    def release(self, name):
        path = self.app / "releases" / name
        path.mkdir(exist_ok=True)
        return path

    def deploy(self, name):
        """Moves the link, as deployments do."""
        following = self.app / "next"
        following.symlink_to(f"releases/{name}")
        following.rename(self.current)
        return self.release(name)

    def executable(self, path, text):
        path.write_text(text)
        path.chmod(0o755)

    def compiled(self, path, name):
        if not shutil.which("cc"):
            self.skipTest("no compiler")
        following = path.with_name("following")
        subprocess.run(["cc", "-o", following, "-x", "c", "-", f'-DRELEASE="{name}"'], input=BINARY, text=True, check=True)
        following.rename(path)

    def serve(self, *arguments, command, workers=2, **options):
        service = self.start(
            "-l", "127.0.0.1:0", "-n", str(workers), "--name", "web", "--restart-delay", "1ms", *arguments, command=command, **options
        )
        service.web = service.address()
        return service.serving()

    def ask(self, service):
        with urllib.request.urlopen(f"http://{service.web}/", timeout=PATIENCE) as response:
            return response.read().decode()

    def current_worker(self, service, slot=0, generation=1):
        """The pid of the worker of a generation that was started last."""
        pattern = rf"worker (\d+) \(slot {slot}, generation {generation}\) started"
        return int([m[1] for line in service.log.lines if (m := re.search(pattern, line))][-1])

    def lose(self, service, slot=0, generation=1):
        """Kills a worker, and waits until another is in its place."""
        os.kill(self.current_worker(service, slot, generation), signal.SIGKILL)
        pid = service.expect(rf"worker (\d+) \(slot {slot}, generation {generation}\) started")[1]
        service.expect(rf"worker {pid} \(slot {slot}, generation {generation}\) is ready")

    def bad_release_and_crashes(self, service, expected, slots=2):
        """After a reload that fails, every worker is lost. All that serves then was started anew."""
        self.assertEqual(self.ask(service), expected)
        self.deploy("bad")
        self.assertIn("failed", service.reload())
        for slot in range(slots):
            self.lose(service, slot)
        for _ in range(4 * slots):
            self.assertEqual(self.ask(service), expected)


class Programs(PinnedTestCase):
    def node(self, *arguments):
        if not shutil.which("node"):
            self.skipTest("node isn't installed")
        for name in ["good", "bad"]:
            release = self.release(name)
            (release / "server.js").write_text(NODE)
            (release / "release.json").write_text(json.dumps({"name": name}))
        self.deploy("good")
        return self.serve(*arguments, command=["node", f"{self.current}/server.js", f"--root={self.current}"])

    def test_node(self):
        service = self.node()
        self.bad_release_and_crashes(service, f"good --root={self.app}/releases/good")
        arguments = pathlib.Path(f"/proc/{self.current_worker(service)}/cmdline").read_bytes().split(b"\0")
        self.assertEqual(arguments[:2], [b"node", f"{self.app}/releases/good/server.js".encode()])

    def python(self):
        for name in ["good", "bad"]:
            release = self.release(name)
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", release / "venv"], check=True)
            [packages] = (release / "venv/lib").glob("python*/site-packages")
            (packages / "packages.py").write_text(f"NAME = '{name}'\n")
            (release / "app.py").write_text(PYTHON)
            (release / "release.py").write_text(f"NAME = '{name}'\n")
            (release / "settings").write_text("")
        self.deploy("good")

    def test_python_finds_the_packages_of_its_release(self):
        self.python()
        service = self.serve(
            "--directory",
            str(self.current),
            "--environment",
            f"SETTINGS={self.current}/settings",
            command=[f"{self.current}/venv/bin/python", "-B", "app.py"],
        )
        self.bad_release_and_crashes(service, f"good good {self.app}/releases/good/settings")
        arguments = pathlib.Path(f"/proc/{self.current_worker(service)}/cmdline").read_bytes().split(b"\0")
        self.assertEqual(arguments[0], f"{self.app}/releases/good/venv/bin/python".encode())

    def test_python_is_found_in_the_path_of_its_release(self):
        self.python()
        service = self.serve(
            "--directory",
            str(self.current),
            "--environment",
            f"PATH={self.current}/venv/bin:/usr/bin:/bin",
            command=["python", "-B", "app.py"],
        )
        self.bad_release_and_crashes(service, "good good")

    def test_a_binary_keeps_its_name(self):
        for name in ["good", "bad"]:
            self.compiled(self.release(name) / "server", name)
        self.deploy("good")
        service = self.serve(command=[f"{self.current}/server"])
        self.bad_release_and_crashes(service, "good")
        self.assertEqual(pathlib.Path(f"/proc/{self.current_worker(service)}/comm").read_text(), "server\n")

    def test_a_script_executes_what_is_beside_it(self):
        for name in ["good", "bad"]:
            release = self.release(name)
            self.compiled(release / "server", name)
            self.executable(release / "run", '#!/bin/sh\nexec "$(dirname "$0")/server"\n')
        self.deploy("good")
        service = self.serve(command=[f"{self.current}/run"])
        self.bad_release_and_crashes(service, "good")

    def test_a_shell_reads_the_script_of_its_release(self):
        for name in ["good", "bad"]:
            release = self.release(name)
            self.compiled(release / "server", name)
            (release / "run").write_text('exec "$(dirname "$0")/server"\n')
        self.deploy("good")
        service = self.serve(command=["sh", f"{self.current}/run"])
        self.bad_release_and_crashes(service, "good")

    def test_an_upgrade_of_the_master_keeps_the_pin(self):
        service = self.node()
        self.deploy("bad")
        self.assertIn("failed", service.reload())
        self.upgrade(service, times=2)
        for slot in range(2):
            self.lose(service, slot)
        for _ in range(8):
            self.assertEqual(self.ask(service), f"good --root={self.app}/releases/good")


class Files(PinnedTestCase):
    def test_a_binary_that_was_replaced_at_its_path_is_still_executed(self):
        for upgrades in [0, 1]:
            with self.subTest(upgrades=upgrades):
                server = self.app / "server"
                self.compiled(server, "good")
                service = self.serve(command=[str(server)], workers=1)
                self.compiled(server, "bad")
                self.assertIn("failed", service.reload())
                self.upgrade(service, times=upgrades)
                self.lose(service)
                self.assertEqual(self.ask(service), "good")
                server.unlink()
                self.lose(service)
                self.assertEqual(self.ask(service), "good")
                self.assertEqual(self.status(service)["obstacles"], [])

    def test_nothing_of_it_is_lost_where_a_file_system_may_hang(self):
        # Such a one anywhere, and another process looks for a release.
        hanging = self.folder / "hanging"
        hanging.mkdir()
        test_waiting.FileSystem.hang(self, hanging)
        release = self.deploy("good")
        server = self.app / "server"
        self.compiled(server, "good")
        service = self.serve("--directory", str(self.current), command=[str(server)], workers=1)
        self.assertIn("succeeded", service.reload())
        self.compiled(server, "bad")
        self.assertIn("failed", service.reload())
        self.lose(service, generation=2)
        self.assertEqual(self.ask(service), "good")
        server.unlink()
        self.assertEqual(self.status(service)["obstacles"], [])
        shutil.rmtree(release)
        reason = f"its directory {release} was deleted"
        self.assertEqual(self.status(service)["obstacles"], [{"generation": 2, "reason": reason}])

    def test_a_directory_that_was_deleted_is_told_before_it_is_needed(self):
        for upgrades in [0, 1]:
            with self.subTest(upgrades=upgrades):
                release = self.deploy("good")
                self.compiled(release / "server", "good")
                service = self.serve("--directory", str(self.current), command=["./server"], workers=1)
                self.assertEqual(self.status(service)["obstacles"], [])
                self.deploy("bad")
                self.assertIn("failed", service.reload())
                shutil.rmtree(release)
                self.upgrade(service, times=upgrades)
                reason = f"its directory {release} was deleted"
                self.assertEqual(self.status(service)["obstacles"], [{"generation": 1, "reason": reason}])
                text = self.told(self.roost("status", service))[1]
                self.assertIn(f"\ngeneration 1 can't be restarted: {reason}; a reload replaces it\n", text)
                self.assertEqual(self.ask(service), "good")
                # Another in its place is not the same.
                self.compiled(self.release("good") / "server", "good")
                self.assertEqual(self.status(service)["obstacles"], [{"generation": 1, "reason": reason}])
                os.kill(self.current_worker(service), signal.SIGKILL)
                service.expect(f"was not started: cannot enter the directory {release}: it was deleted")
                self.deploy("good")
                self.assertIn("succeeded", service.reload())
                self.assertEqual(self.status(service)["obstacles"], [])
                self.assertEqual(service.stop(), 0)

    def test_a_script_that_is_gone_is_told_too(self):
        release = self.deploy("good")
        self.compiled(self.app / "server", "good")
        self.executable(release / "run", f"#!/bin/sh\nexec {self.app}/server\n")
        service = self.serve(command=[f"{self.current}/run"], workers=1)
        self.assertEqual(self.status(service)["obstacles"], [])
        (release / "run").unlink()
        self.assertEqual(self.status(service)["obstacles"], [{"generation": 1, "reason": f"its executable {release}/run is gone"}])

    def test_a_generation_takes_two_descriptors_and_gives_them_back(self):
        self.compiled(self.app / "server", "good")
        service = self.serve(command=[str(self.app / "server")], workers=2)

        def kept():
            links = []
            for number in os.listdir(f"/proc/{service.pid}/fd"):
                # Some may be closed by now, such as the pipe of what writes the record.
                with contextlib.suppress(FileNotFoundError):
                    links.append(os.readlink(f"/proc/{service.pid}/fd/{number}"))
            return sorted(link for link in links if link in [str(self.app / "server"), os.getcwd()])

        expected = sorted([str(self.app / "server"), os.getcwd()])
        self.assertEqual(kept(), expected)
        for _ in range(5):
            self.assertIn("succeeded", service.reload())
            service.expect("drained")
        self.eventually(lambda: self.assertEqual(kept(), expected))
        # A worker has none of them.
        own = pathlib.Path(f"/proc/{service.worker()}/fd")
        links = [os.readlink(own / number) for number in os.listdir(own)]
        self.assertFalse(set(expected) & set(links), links)

    def test_a_user_who_is_not_let_in_is_told_so(self):
        if os.geteuid() != 0:
            self.skipTest("only root may change the user")
        self.folder.chmod(0o755)
        closed = self.app / "closed"
        (closed / "release").mkdir(parents=True)
        closed.chmod(0o700)
        service = self.start("--directory", str(closed / "release"), "--user", "nobody", "--start-attempts", "1")
        service.expect(f"cannot enter the directory {closed}/release: Permission denied .as user ")
        self.assertEqual(service.wait(), 1)


class Texts(PinnedTestCase):
    def witness(self, *options, arguments=()):
        release = self.deploy("good")
        (release / "witness.py").write_text(WITNESS)
        service = self.start(*options, command=[sys.executable, str(release / "witness.py"), *arguments])
        return service.serving(), self.seen(service, 1)

    def seen(self, service, count):
        """What the worker has told that was started so far."""
        service.log.expect_count(r'^\{"arguments"', count)
        return json.loads([line for line in service.log.lines if line.startswith('{"arguments"')][-1])

    def test_the_directory_is_a_placeholder(self):
        release = self.release("good")
        service, seen = self.witness(
            "--directory",
            str(self.current),
            "--environment",
            "ROOT={directory}/etc",
            arguments=["--root={directory}", "{directory}:{slot}", "{{directory}}"],
        )
        self.assertEqual(seen["arguments"], [f"--root={release}", f"{release}:0", "{directory}"])
        self.assertEqual(seen["environment"]["ROOT"], f"{release}/etc")
        self.deploy("bad")
        os.kill(self.current_worker(service), signal.SIGKILL)
        again = self.seen(service, 2)
        self.assertEqual((again["arguments"], again["directory"]), (seen["arguments"], str(release)))

    def test_paths_are_pinned_where_they_are_whole(self):
        release = self.release("good")
        (release / "lib").mkdir()
        (release / "settings").write_text("")
        _, seen = self.witness(
            "--environment",
            f"LIBRARIES={self.current}/lib:/usr/lib:{self.current}/lib/*",
            "--environment",
            "TEXT=/bin/sh",
            arguments=[
                f"--settings={self.current}/settings",
                f"{self.current}/lib",
                f"{self.current}/log-{{slot}}.txt",
                f"{self.current}/new.sock",
                f"say {self.current}/lib",
                "/dev/stdin",
                "/etc/localtime",
                "/no/such/path",
                "./lib",
            ],
        )
        self.assertEqual(
            seen["arguments"],
            [
                f"--settings={release}/settings",
                f"{release}/lib",
                f"{release}/log-0.txt",
                f"{release}/new.sock",
                f"say {self.current}/lib",
                "/dev/stdin",
                "/etc/localtime",
                "/no/such/path",
                "./lib",
            ],
        )
        self.assertEqual(seen["environment"]["LIBRARIES"], f"{release}/lib:/usr/lib:{release}/lib/*")
        self.assertEqual(seen["environment"]["TEXT"], "/bin/sh")


class Warnings(PinnedTestCase):
    def check(self, text):
        path = self.folder / "web.toml"
        path.write_text(text)
        result = subprocess.run([ROOST, "check", str(path)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("web.toml: valid; the service web", result.stdout)
        return result.stderr

    def test_check_names_what_it_cannot_pin_and_the_remedy(self):
        self.deploy("good")
        errors = self.check(
            f'command = ["sh", "-c", "exec node {self.current}/server.js"]\nenvironment = {{ OPTIONS = "-Xmx1g -Droot={self.current}" }}\n'
        )
        self.assertEqual(errors.count("\n"), 2, errors)
        self.assertRegex(
            errors,
            rf"web.toml: warning: argument 2 of the command contains {self.current}/server.js, which leads through a "
            rf"symbolic link to {self.app}/releases/good/server.js and can't be pinned there: .*write {{directory}}",
        )
        self.assertRegex(errors, rf"warning: the variable OPTIONS contains {self.current}, which leads through")

    def test_check_is_silent_where_everything_is_pinned(self):
        self.deploy("good")
        self.assertEqual(
            self.check(
                f'directory = "{self.current}"\ncommand = ["sh", "-c", "exec node {{directory}}/server.js", "{self.current}/x"]\n'
                f'environment = {{ ROOT = "{self.current}", URL = "http://localhost/current" }}\n'
            ),
            "",
        )

    def test_the_doctor_warns_too(self):
        self.deploy("good")
        command = [ROOST, "doctor", "--json", "--ready-timeout", "10s", "--", "sh", "-c", f"exec cat {self.current}/none"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        findings = {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}
        self.assertEqual(findings["release"]["outcome"], "warning")
        self.assertIn(f"argument 2 of the command contains {self.current}/none, which leads through", findings["release"]["text"])
        self.assertIn("{directory}", findings["release"]["mend"])


if __name__ == "__main__":
    unittest.main()
