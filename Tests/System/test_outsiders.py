"""Processes outside of the service that were passed one of its listeners: nobody ends them, so they are told."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest

from harness import ROOST, RoostTestCase, wait_for_exit
from test_strays import SERVER, ask

# Takes listeners over a unix socket and accepts on them, until something is written to its stdin.
HOLDER = f"""#!{sys.executable}
import os, select, socket, sys

place = socket.socket(socket.AF_UNIX)
place.bind(sys.argv[1])
place.listen()
print("ready", flush=True)
held = []
while True:
    readable, _, _ = select.select([place, sys.stdin, *held], [], [])
    for one in readable:
        if one is place:
            client, _ = place.accept()
            _, numbers, _, _ = socket.recv_fds(client, 1, 1)
            held += [socket.socket(fileno=number) for number in numbers]
            client.sendall(b"taken")
            client.close()
        elif one is sys.stdin:
            if not sys.stdin.readline(): sys.exit()
            for listener in held: listener.close()
            held = []
            print("closed", flush=True)
            break
        else:
            client, _ = one.accept()
            client.recv(1000)
            client.sendall(f"passed {{os.getpid()}}\\n".encode())
            client.close()
"""

# Passes the worker's listener to the holder at this path.
PASS = """
def hand_over(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        socket.send_fds(client, [b"."], [3])
        client.recv(100)

"""


class Outsiders(RoostTestCase):
    def setUp(self):
        super().setUp()
        self.script(HOLDER, "holder")

    def holder(self, name):
        """A process of this test: it neither descends from a master nor has started one."""
        process = subprocess.Popen(
            [str(self.folder / "holder"), str(self.folder / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def release(self, text):
        self.script(SERVER + PASS + text)

    def bad(self, name, end="sys.exit(3)"):
        self.release(f"hand_over('{self.folder}/{name}'); {end}")

    def serve(self, text="say(); serve('good')", *arguments, **popen):
        self.release(text)
        service = self.start("-l", "web=127.0.0.1:0", *arguments, command=[str(self.folder / "server")], **popen)
        self.address = service.address()
        return service.serving()

    def shown(self, service, *arguments):
        result = subprocess.run([ROOST, "status", "--control-directory", service.control, *arguments], capture_output=True, text=True)
        # The last reload may have failed.
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return result.stdout

    def status(self, service):
        return json.loads(self.shown(service, "--json"))

    def searched(self, service):
        """What the first search has found, once it has ended."""

        def status():
            status = self.status(service)
            self.assertIsNotNone(status["sawAllProcesses"])
            return status

        return self.eventually(status)

    def assert_nothing_told(self, service):
        self.assertEqual(self.searched(service)["outsiders"], [])
        self.assertEqual(service.log.count("belong to this service"), 0, service.log)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("left behind by"), 0, service.log)

    def expect_told(self, service, pid):
        service.expect(
            rf"warning process {pid} \(holder\) doesn't belong to this service, has the socket of web open and may take its "
            rf"connections, even after a reload: 'kill {pid}' ends it, if this isn't intended$"
        )

    def test_one_is_told_and_shown_after_a_reload_that_fails_and_is_not_told_again(self):
        first, second = self.holder("first"), self.holder("second")
        service = self.serve()
        self.bad("first")
        self.assertIn("failed", service.reload())
        self.expect_told(service, first.pid)
        # It answers, which is why it is told.
        self.eventually(lambda: self.assertEqual(ask(self.address)[0], "passed"))
        self.assertEqual(self.status(service)["outsiders"], [{"pid": first.pid, "name": "holder", "listeners": ["web"]}])
        self.assertRegex(
            self.shown(service),
            rf"process {first.pid} \(holder\) doesn't belong to this service, has web open and may take its connections: 'kill "
            rf"{first.pid}' ends it",
        )
        self.bad("second", "say(); serve('better')")
        self.assertIn("succeeded", service.reload())
        self.expect_told(service, second.pid)
        self.assertEqual(len(self.status(service)["outsiders"]), 2)
        # One that is gone isn't shown, without another search.
        first.terminate()
        wait_for_exit(first.pid)
        self.assertEqual([one["pid"] for one in self.status(service)["outsiders"]], [second.pid])
        # Nor one that was found to have it no more.
        second.stdin.write("close\n")
        second.stdin.flush()
        self.assertEqual(second.stdout.readline(), "closed\n")
        self.release("say(); serve('best')")
        self.assertIn("succeeded", service.reload())
        self.eventually(lambda: self.assertEqual(self.status(service)["outsiders"], []))
        self.assertEqual(service.log.count("belong to this service"), 2)
        self.assertNotIn("belong to this service", self.shown(service))

    def test_what_followed_is_an_event(self):
        holder = self.holder("holder-socket")
        service = self.serve()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{service.control}/control")
            client.sendall(b'{"method":"roost.Control.Subscribe","more":true}\0')
            events = client.makefile("rb")
            self.bad("holder-socket")
            service.signal(signal.SIGHUP)
            told = b""
            while b"outsider-found" not in told:
                part = events.read1(65536)
                self.assertTrue(part, told)
                told += part
            self.assertLess(told.index(b"reload-failed"), told.index(b"outsider-found"), "the verdict comes first")
            self.assertIn(f"process {holder.pid} (holder)".encode(), told)

    def test_an_upgraded_master_looks_again(self):
        holder = self.holder("holder-socket")
        service = self.serve()
        self.bad("holder-socket")
        service.reload()
        self.expect_told(service, holder.pid)
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.expect_told(service, holder.pid)
        self.assertEqual(len(self.status(service)["outsiders"]), 1)

    def test_a_stop_while_it_is_looked_waits_for_nothing_and_tells_nothing(self):
        self.holder("holder-socket")
        service = self.serve()
        self.bad("holder-socket")
        service.signal(signal.SIGHUP)
        service.expect("reload to generation 2 failed")
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("left behind by"), 0, service.log)

    def test_a_clean_reload_tells_nothing(self):
        service = self.serve("say(); serve('good')", "-n", "3")
        self.assertIsNone(self.status(service)["sawAllProcesses"], "nobody has looked yet")
        self.assertIn("succeeded", service.reload())
        self.assert_nothing_told(service)

    def test_nor_do_the_helpers_of_a_worker(self):
        # One in its group, one in a session of its own, and one whose parents are gone.
        service = self.serve("os.fork() and (stray(lambda: os.fork() == 0 and serve('good')), say()); serve('good')")
        self.assertIn("succeeded", service.reload())
        self.assertEqual(self.searched(service)["outsiders"], [])
        self.assertEqual(service.log.count("belong to this service"), 0, service.log)

    def test_nor_a_retiree_that_drains_slowly(self):
        service = self.serve("ignoring(); say(); serve('old')")
        old = service.worker()
        self.release("say(); serve('new')")
        self.assertIn("succeeded", service.reload())
        self.assertEqual(self.searched(service)["outsiders"], [])
        self.assertEqual([w["pid"] for w in self.status(service)["workers"] if w["role"] == "retiree"], [old])
        self.assertEqual(service.log.count("belong to this service"), 0, service.log)
        os.kill(old, signal.SIGKILL)
        self.assertEqual(service.stop(), 0)

    def test_nor_what_has_started_the_master_with_its_listener(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            # This process has it open, and so has the shell.
            launcher = ["sh", "-c", f'exec 3<&{number}; LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ exec "$0" "$@"']
            service = self.serve(launcher=launcher, pass_fds=[number])
            self.assertIn("succeeded", service.reload())
            self.assert_nothing_told(service)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "takes a capability away")
    def test_a_master_that_may_not_look_everywhere_says_so_once_and_claims_nothing(self):
        self.holder("holder-socket")
        capability = "-sys_ptrace"
        service = self.serve(launcher=["setpriv", f"--bounding-set={capability}", f"--inh-caps={capability}", "--"])
        self.bad("holder-socket")
        self.assertIn("failed", service.reload())
        found = service.expect(
            r"info (\d+) process(es)? can't be looked at, so processes outside this service may have its listeners open without "
            "being reported"
        )
        self.assertGreaterEqual(int(found[1]), 1)
        status = self.status(service)
        self.assertEqual((status["sawAllProcesses"], status["outsiders"]), (False, []))
        self.assertIn("failed", service.reload())
        self.eventually(lambda: self.assertEqual(len(service.children()), 1))
        self.assertEqual(service.log.count("can't be looked at"), 1)


if __name__ == "__main__":
    unittest.main()
