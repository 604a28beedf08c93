"""Every recipe as a service of the shipped unit, under a real systemd. Runs inside Tests/with-systemd."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

from recipes import BUILD, EXAMPLES, PATIENCE, RELEASE, ROOT, eventually
from systemd_test import BIN, UNITS, InstalledTestCase, systemctl

JAVA = ROOT / "Tests/Recipes/java"
# What these lose is one request of a connection at a reload; the pages of the recipes say why.
LOSING = {
    "go-plain",
    "node-plain",
    "perl-starman",
    "proxies-nginx",
    "python-granian",
    "python-hypercorn",
    "python-uvicorn",
    "python-waitress",
}
# Servers that change their user by themselves.
OWN_USER = {"php-fpm", "proxies-nginx"}
# How many requests of each client are answered before the next step.
SOME = 5
# A draining server ends a connection that has been silent for half a second. Clients that a busy machine has kept from asking for
# nearly as long may be told so instead of being answered.
SILENCE = 0.4
# A connection that a retiree has ended may get to another one of the same generation.
RETIREES = 2
FIRST_PORT = 8101


class Client:
    """Asks a service all the time, a little: over each of its addresses, by a new connection and by a kept-alive one."""

    def __init__(self, hosts, port):
        self.hosts = hosts
        self.port = port
        self.answered = 0
        self.generations = set()
        self.failures = []
        # After so long a silence that it may be the machine's doing.
        self.excused = 0
        self.last_answers = {}
        self.is_over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        kept = {}
        while not self.is_over:
            for host in self.hosts:
                self.ask(http.client.HTTPConnection(host, self.port, timeout=PATIENCE), {"Connection": "close"}, "new")
                client = kept.pop(host, None) or http.client.HTTPConnection(host, self.port, timeout=PATIENCE)
                if self.ask(client, {}, "kept alive"):
                    kept[host] = client
            time.sleep(0.02)
        for client in kept.values():
            client.close()

    def ask(self, client, headers, kind):
        """Whether the connection can be used again."""
        try:
            client.request("GET", "/", headers=headers)
            response = client.getresponse()
            text = response.read()
            if (response.status, text[:5]) != (200, b"hello"):
                raise OSError(f"{response.status} {text!r}")
        except (OSError, http.client.HTTPException) as error:
            silence = time.monotonic() - self.last_answers.pop(client, time.monotonic())
            if silence >= SILENCE:
                self.excused += 1
            else:
                self.failures.append(f"{client.host}, {kind}: {error!r} {silence:.3f} s after the last answer")
            client.close()
            return False
        self.answered += 1
        self.last_answers[client] = time.monotonic()
        self.generations.add(response.headers["X-Generation"])
        if response.will_close:
            del self.last_answers[client]
            client.close()
        return not response.will_close

    @property
    def connections(self):
        """One of each kind for each address."""
        return 2 * len(self.hosts)

    def finish(self):
        self.is_over = True
        self.thread.join(PATIENCE)


class Recipe:
    def __init__(self, file, port):
        self.file = file
        self.name = f"{file.parent.name}-{file.stem}".replace("_", "-")
        self.port = port
        self.unit = f"roost@{self.name}.service"
        self.folder = BIN / "srv" / self.name
        self.is_dual_stack = re.search(r'listen = \["http=8080"\]', file.read_text()) is not None

    def install(self):
        """The recipe's files in a folder of their own, with the places that they name moved there."""
        self.folder.mkdir(parents=True)
        for path in [self.folder.parent.parent, self.folder.parent, self.folder]:
            path.chmod(0o755)
        for file in self.files():
            copy = self.folder / file.name
            shutil.copy(file, copy)
            if file.parent != BUILD / "go" and file.suffix != ".class":
                copy.write_text(self.moved(file.read_text()))
        text = self.moved(self.file.read_text())
        if self.name not in OWN_USER:
            text = f'user = "www-data"\n{text}'
        pathlib.Path(f"/etc/roost/{self.name}.toml").write_text(text)

    def files(self):
        """Its own, and what scripts/test-recipes has compiled for it."""
        yield from (file for file in self.file.parent.iterdir() if file.is_file())
        if self.file.parent.name == "shell":
            yield EXAMPLES / "python/plain.py"
        if self.file.parent.name == "go":
            yield from (BUILD / "go").iterdir()
        if self.file.parent == JAVA:
            yield from (BUILD / "java").iterdir()

    def moved(self, text):
        for old, new in [
            (RELEASE, str(self.folder)),
            ("/run/roost/web/", f"/run/roost/{self.name}/"),
            ("/run/web-", f"/run/{self.name}-"),
            ("8080", str(self.port)),
        ]:
            text = text.replace(old, new)
        return text

    def shown(self, name):
        return systemctl("show", self.unit, "--value", "--property", name).stdout.strip()

    def journal(self, *arguments):
        return subprocess.run(
            ["journalctl", "--no-pager", "-o", "cat", "-u", self.unit, *arguments], capture_output=True, text=True, check=True
        ).stdout


class Recipes(InstalledTestCase):
    def setUp(self):
        super().setUp()
        files = [*sorted(EXAMPLES.glob("*/*.toml")), JAVA / "server.toml"]
        self.recipes = [Recipe(file, FIRST_PORT + index) for index, file in enumerate(files)]
        pathlib.Path("/etc/roost").mkdir(exist_ok=True)
        for recipe in self.recipes:
            recipe.install()
        # What the pages call `python` and the like are those that scripts/test-recipes has installed.
        (UNITS / "roost@.service.d").mkdir()
        path = f"{BUILD}/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
        (UNITS / "roost@.service.d/path.conf").write_text(f"[Service]\nEnvironment=PATH={path}\n")
        self.install_template()

    def tearDown(self):
        # The rest goes with this systemd.
        systemctl("stop", "roost@*", check=False)

    def start_nginx(self, recipe):
        """In front of PHP-FPM, and no part of the service."""
        nginx = subprocess.Popen(["nginx", "-p", recipe.folder, "-c", recipe.folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        self.addCleanup(nginx.wait, PATIENCE)
        self.addCleanup(nginx.terminate)
        eventually(lambda: socket.create_connection(("127.0.0.1", recipe.port)).close(), OSError)

    def each(self, verb):
        """A few at a time: where the machine has too much to do, a server hears its stop signal so late that Roost warns of it."""
        units, together = [recipe.unit for recipe in self.recipes], 2 * os.cpu_count()
        for first in range(0, len(units), together):
            systemctl(verb, *units[first : first + together], check=False)
        for recipe in self.recipes:
            state, result = recipe.shown("ActiveState"), recipe.shown("Result")
            with self.subTest(recipe.name, verb=verb):
                self.assertEqual((state, result), ("inactive" if verb == "stop" else "active", "success"), recipe.journal())

    def ask_more(self, clients):
        before = {name: client.answered for name, client in clients.items()}
        eventually(
            lambda: self.assertEqual(
                [name for name, client in clients.items() if client.answered < before[name] + SOME], [], "these don't answer"
            )
        )

    def test_each_starts_answers_reloads_and_stops(self):
        self.each("start")
        clients = {}
        for recipe in self.recipes:
            if recipe.name == "php-fpm":
                self.start_nginx(recipe)
            clients[recipe.name] = Client(["127.0.0.1", "::1"] if recipe.is_dual_stack else ["127.0.0.1"], recipe.port)
        try:
            self.ask_more(clients)
            self.each("reload")
            self.ask_more(clients)
        finally:
            for client in clients.values():
                client.finish()
        self.each("stop")
        for recipe in self.recipes:
            with self.subTest(recipe.name):
                self.assert_served(recipe, clients[recipe.name])

    def assert_served(self, recipe, client):
        told = f"{client.failures}\n{recipe.journal()}"
        self.assertGreaterEqual(client.answered, 2 * SOME, told)
        self.assertLessEqual(len(client.failures), RETIREES * client.connections if recipe.name in LOSING else 0, told)
        self.assertRegex(recipe.journal(), "reload to generation 2 succeeded")
        self.assertNotRegex(recipe.journal(), "SIGSYS")
        # The one that its page tells of.
        if recipe.name != "shell-child":
            self.assertEqual(recipe.journal("-p", "warning"), "")
        print(
            f"{recipe.name}: {client.answered} answered, {len(client.failures)} lost, {client.excused} after a silence",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    unittest.main()
