"""What a service needs comes later than the service: a database, an address, a port. A start goes on until it is there, and who
connects meanwhile waits. Runs inside Tests/with-systemd."""

import shutil
import socket
import subprocess
import threading
import time
import unittest

from harness import PATIENCE, eventually
from systemd_test import BIN, NAME, shown, systemctl
from worst_day import WorstDayTestCase

DATABASE_PORT = 6390
# How long the database is away. One more than systemd would wait by itself.
AWAY = 30
START_TIMEOUT = 20

# Can't do without the database, as most can't, and answers with what that has.
SERVER = f"""
import socket, sys

def database():
    connection = socket.create_connection(("127.0.0.1", {DATABASE_PORT}), timeout=5)
    connection.sendall(b"GET greeting\\r\\n")
    return connection.recv(100).split(b"\\r\\n")[1]

try:
    database()
except OSError as error:
    sys.exit(f"the database is away: {{error}}")
listener = socket.socket(fileno=3)
while True:
    client, _ = listener.accept()
    client.sendall(database())
    client.close()
"""


class DependenciesTestCase(WorstDayTestCase):
    def waiting_clients(self, count, port=8080):
        """Clients that have connected, and what each is answered in the end."""
        answers = []

        def wait(client):
            with client:
                try:
                    answers.append(client.recv(100))
                except ConnectionResetError:
                    answers.append(b"")

        clients = [socket.create_connection(("127.0.0.1", port), timeout=AWAY + PATIENCE) for _ in range(count)]
        threads = [threading.Thread(target=wait, args=[client]) for client in clients]
        for thread in threads:
            thread.start()

        def joined():
            for thread in threads:
                thread.join()
            return answers

        return joined

    def assert_down(self, reason):
        """Everything that can be asked says that nobody serves, and why. Once it is known."""
        eventually(lambda: self.assertRegex(shown("StatusText"), f"^down.*{reason}"), (AssertionError,))
        self.assertRegex(systemctl("status", "--no-pager", "-l", "-n", "0", NAME, check=False).stdout, f'Status: "down.*{reason}')
        self.assertEqual(shown("ActiveState"), "activating")
        found, status = self.status()
        self.assertEqual((found["phase"], found["condition"], status), ("down", "down", 2), found)
        self.assertRegex(found["trouble"], reason)
        text = self.roost("status", "web")
        self.assertEqual(text.returncode, 2)
        self.assertRegex(text.stdout, f"(?s)^web: DOWN, no worker serves, .*{reason}")
        self.assertRegex(self.roost("list").stdout, r"\nweb +down +1 ")
        self.assertRegex(self.roost("metrics", "web").stdout, r'roost_phase\{service="web",roost_phase="down"\} 1\n')
        return found


class Database(DependenciesTestCase):
    def answer(self, command):
        with socket.create_connection(("127.0.0.1", DATABASE_PORT), timeout=5) as connection:
            connection.sendall(command)
            return connection.recv(100)

    def start_database(self):
        database = subprocess.Popen(
            ["redis-server", "--port", str(DATABASE_PORT), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"], stdout=subprocess.DEVNULL
        )
        self.addCleanup(database.wait, PATIENCE)
        self.addCleanup(database.terminate)
        eventually(lambda: self.assertEqual(self.answer(b"SET greeting hello\r\n"), b"+OK\r\n"), (OSError, AssertionError))

    @unittest.skipUnless(shutil.which("redis-server"), "redis isn't installed")
    def test_a_service_waits_for_its_database_and_its_clients_with_it(self):
        (BIN / "server.py").write_text(SERVER)
        self.configure(**{"command": f'["/usr/bin/python3", "-B", "{BIN}/server.py"]', "restart-delay-limit": '"1s"'})
        self.install_template()
        self.change_unit(("TimeoutStartSec=90", f"TimeoutStartSec={START_TIMEOUT}"))
        began = time.monotonic()
        systemctl("start", "--no-block", NAME)
        eventually(lambda: socket.create_connection(("127.0.0.1", 8080)).close(), OSError)
        answers = self.waiting_clients(5)
        found = self.assert_down(r"worker \d+ \(slot \d\) exited with status 1 before it was ready")
        self.assertIn("the database is away: [Errno 111] Connection refused", str(found["waiting"][0]["lastWords"]))
        self.assertRegex(self.roost("status", "web").stdout, r"\n  \| the database is away: .*Connection refused\n")
        time.sleep(max(0, began + AWAY - time.monotonic()))
        self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("activating", "0"))
        self.start_database()
        self.assertEqual(answers(), [b"hello"] * 5)
        eventually(lambda: self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("active", "0")))
        self.assert_well()
        eventually(lambda: self.assertRegex(shown("StatusText"), "^generation 1 serves: 2 of 2 workers ready"))


class Listeners(DependenciesTestCase):
    ADDRESS = "192.0.2.7"

    def start_without(self, listener, reason):
        """A service of two listeners, of which one can't be opened. Returns what those get who have connected to the other."""
        # Not by being seen: the server accepts on the first one only.
        self.configure(
            listen=f'["http=127.0.0.1:8080", "late={listener}"]',
            ready='"none"',
            **{"ready-after": '"100ms"', "restart-delay-limit": '"500ms"'},
        )
        self.deploy("script", "good")
        self.install_template()
        systemctl("start", "--no-block", NAME)
        eventually(lambda: socket.create_connection(("127.0.0.1", 8080)).close(), OSError)
        answers = self.waiting_clients(5)
        self.assert_down(reason)
        return answers

    def assert_serves(self, answers, address, port):
        self.assertEqual(answers(), [b"good\n"] * 5)
        eventually(lambda: self.assertEqual((shown("ActiveState"), shown("NRestarts")), ("active", "0")))
        socket.create_connection((address, port), timeout=PATIENCE).close()
        self.assert_well()

    def test_an_address_that_comes_later_is_waited_for(self):
        answers = self.start_without(f"{self.ADDRESS}:8081", rf"cannot listen on late={self.ADDRESS}:8081: Cannot assign requested address")
        subprocess.run(["ip", "address", "add", f"{self.ADDRESS}/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", f"{self.ADDRESS}/32", "dev", "lo"], check=True)
        self.assert_serves(answers, self.ADDRESS, 8081)

    def test_a_port_that_another_process_has_for_a_while_is_waited_for(self):
        with socket.create_server(("127.0.0.1", 8081)):
            began = time.monotonic()
            answers = self.start_without("127.0.0.1:8081", "cannot listen on late=127.0.0.1:8081: Address already in use")
            # Longer than all that it takes to give up.
            time.sleep(max(0, began + 5 - time.monotonic()))
            self.assert_down("Address already in use")
        self.assert_serves(answers, "127.0.0.1", 8081)

    def test_a_stop_ends_the_waiting(self):
        with socket.create_server(("127.0.0.1", 8081)):
            answers = self.start_without("127.0.0.1:8081", "Address already in use")
            systemctl("stop", NAME)
            self.assertEqual((shown("ActiveState"), shown("Result")), ("inactive", "success"))
            self.assertEqual(answers(), [b""] * 5)


if __name__ == "__main__":
    unittest.main()
