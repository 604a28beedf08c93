"""What a worker is told on its command line, and what it gets from other supervisors."""

import json
import os
import shutil
import socket
import sys
import unittest

from harness import RoostTestCase

# Writes its arguments and its environment into a file beside it, for each generation, and is ready then.
WITNESS = """
import json, os, signal, sys
with open(os.path.dirname(sys.argv[0]) + "/seen-" + os.environ["ROOST_GENERATION"], "w") as file:
    json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, file)
os.write(int(os.environ["READY_FD"]), b"\\n")
signal.pause()
"""

# What einhorn's own client for Ruby does, and those for other languages: a line of JSON, or YAML with its ends of lines escaped.
EINHORN = """
import json, os, signal, socket, sys
assert int(os.environ["EINHORN_MASTER_PID"]) == os.getppid()
assert [os.environ[f"EINHORN_FD_{i}"] for i in range(int(os.environ["EINHORN_FD_COUNT"]))] == ["3", "4"]
for number in 3, 4: assert socket.socket(fileno=os.dup(number)).getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
print("waiting", file=sys.stderr, flush=True)
while not os.path.exists(sys.argv[2]): signal.sigtimedwait([], 0.005)
pid = os.getpid()
json_line = json.dumps({"command": "worker:ack", "pid": pid}) + "\\n"
yaml_line = f"---\\ncommand: worker:ack\\npid: {pid}\\n".replace("%", "%25").replace("\\n", "%0A") + "\\n"
if sys.argv[1] == "descriptor":
    os.write(int(os.environ["EINHORN_SOCK_FD"]), json_line.encode())
else:
    client = socket.socket(socket.AF_UNIX)
    client.connect(os.environ["EINHORN_SOCK_PATH"])
    client.sendall((json_line if sys.argv[1] == "json" else yaml_line).encode())
    client.close()
signal.pause()
"""


class Placeholders(RoostTestCase):
    def witness(self, *options, arguments=(), **start):
        service = self.start(*options, command=[sys.executable, str(self.script(WITNESS)), *arguments], **start)
        addresses = [service.address() for _ in range(sum(option == "-l" for option in options))]
        service.serving()
        return service, addresses, self.seen(1)

    def seen(self, generation):
        return json.loads((self.folder / f"seen-{generation}").read_text())

    def test_every_placeholder_is_filled_in_for_each_worker(self):
        path = f"{self.folder}/admin.sock"
        service, addresses, seen = self.witness(
            "-l",
            "http=127.0.0.1:0",
            "-l",
            f"admin=unix:{path}",
            "--environment",
            "URL=http://{address:http}/{slot}",
            arguments=[
                "--fd",
                "{fd}",
                "{fd:admin}",
                "{port:http}",
                "{address:http}",
                "{address:admin}",
                "{slot}/{generation}",
                "{ready-fd}",
            ],
        )
        port = addresses[0].rsplit(":", 1)[1]
        self.assertEqual(seen["arguments"], ["--fd", "3", "4", port, addresses[0], path, "0/1", "5"])
        self.assertEqual(seen["environment"]["URL"], f"http://{addresses[0]}/0")
        self.assertEqual(seen["environment"]["READY_FD"], "5")
        self.assertRegex(service.reload(), "succeeded")
        self.assertEqual(self.seen(2)["arguments"][6], "0/2")

    def test_what_only_looks_alike_stays_as_it_is(self):
        arguments = ['{"a": {"b": [1]}}', "${HOME}", "f'{i}'", "{{slot}}", "{}", "{{.Name}}", "a{1,2}b"]
        _, _, seen = self.witness(arguments=arguments)
        self.assertEqual(seen["arguments"], ['{"a": {"b": [1]}}', "${HOME}", "f'{i}'", "{slot}", "{}", "{{.Name}}", "a{1,2}b"])

    def test_a_variable_that_is_filled_in_replaces_the_inherited_one(self):
        _, _, seen = self.witness("--environment", "PLACE={slot}", env={**os.environ, "PLACE": "inherited"})
        self.assertEqual(seen["environment"]["PLACE"], "0")

    def test_environment_files_are_not_filled_in(self):
        file = self.script("SECRET={slot}{unknown}\n", "environment")
        _, _, seen = self.witness("--environment-file", str(file))
        self.assertEqual(seen["environment"]["SECRET"], "{slot}{unknown}")

    def test_a_mistake_is_told_before_anything_is_started(self):
        service = self.start("-l", "http=127.0.0.1:0", command=["/bin/true", "{fd:htp}"])
        service.expect('--: command: \'{fd:htp}\': there is no listener "htp": did you mean "http"\\?')
        self.assertEqual(service.wait(), 64)

    def test_a_port_that_systemd_does_not_give_is_told(self):
        # Only the socket itself tells that it has no port.
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(f"{self.folder}/adopted")
        listener.listen()

        def adopt():
            os.dup2(listener.fileno(), 3)

        launcher = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
        service = self.start(
            "-l",
            "systemd:web",
            "--start-attempts",
            "1",
            command=["/bin/true", "{port:web}"],
            launcher=launcher,
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"},
            pass_fds=[3],
            preexec_fn=adopt,
        )
        service.expect("start failed: .* the listener web has no port")
        self.assertEqual(service.wait(), 1)


class Compatibility(RoostTestCase):
    def test_server_starter_variables(self):
        path = f"{self.folder}/x.sock"
        service = self.start(
            "-l",
            "127.0.0.1:0",
            "-l",
            f"unix:{path}",
            "-l",
            "all=0",
            "--compatibility",
            "server-starter",
            command=[sys.executable, str(self.script(WITNESS))],
        )
        addresses = [service.address() for _ in range(3)]
        service.serving()
        seen = json.loads((self.folder / "seen-1").read_text())["environment"]
        port = addresses[2].rsplit(":", 1)[1]
        self.assertEqual(seen["SERVER_STARTER_PORT"], f"{addresses[0]}=3;{path}=4;{port}=5")
        self.assertEqual(seen["SERVER_STARTER_GENERATION"], "1")

    def test_workers_do_not_get_what_is_not_asked_for(self):
        foreign = {**os.environ, "SERVER_STARTER_PORT": "1=1", "EINHORN_FD_COUNT": "7", "EINHORN_MASTER_PID": "1"}
        service = self.start("-l", "127.0.0.1:0", command=[sys.executable, str(self.script(WITNESS))], env=foreign)
        service.serving()
        seen = json.loads((self.folder / "seen-1").read_text())["environment"]
        self.assertEqual([name for name in seen if name.startswith(("EINHORN_", "SERVER_STARTER_"))], [])

    @unittest.skipUnless(shutil.which("plackup") and shutil.which("start_server"), "LOUD: Server::Starter and Starlet aren't installed")
    def test_a_perl_server_for_server_starter_runs_unchanged(self):
        application = self.script('sub { [200, ["Content-Length" => 2], ["ok"]] }\n', "app.psgi")
        service = self.start(
            "-l",
            "127.0.0.1:0",
            "--compatibility",
            "server-starter",
            ready="accepting",
            command=["plackup", "-s", "Starlet", "--max-workers", "2", str(application)],
        )
        address = service.address()
        service.serving()
        for _ in range(3):
            host, port = address.split(":")
            with socket.create_connection((host, int(port)), 30) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 ", client.makefile("rb").readline())
            self.assertRegex(service.reload(), "succeeded")

    def einhorn(self, way, *options, **start):
        go = self.folder / "go"
        service = self.start(
            "-l",
            "a=127.0.0.1:0",
            "-l",
            "b=127.0.0.1:0",
            *options,
            command=[sys.executable, str(self.script(EINHORN)), way, str(go)],
            **start,
        )
        service.expect("^waiting$")
        self.assertEqual(service.log.count("is ready"), 0)
        go.touch()
        service.serving()
        return service

    def test_einhorn_acknowledgements_in_every_way(self):
        for way in ["descriptor", "json", "yaml"]:
            with self.subTest(way):
                service = self.einhorn(way, ready="einhorn")
                self.assertRegex(service.reload(), "succeeded")
                service.stop()
                (self.folder / "go").unlink()

    def test_without_a_choice_an_acknowledgement_is_a_word_like_ready_1(self):
        service = self.einhorn("descriptor", "--compatibility", "einhorn", ready="automatic")
        self.assertEqual(service.log.count("is ready"), 1)

    def test_nobody_else_acknowledges_for_a_worker(self):
        service = self.start(
            "-l",
            "a=127.0.0.1:0",
            "-l",
            "b=127.0.0.1:0",
            ready="einhorn",
            command=[sys.executable, str(self.script(EINHORN)), "json", str(self.folder / "go")],
        )
        service.expect("^waiting$")
        path = f"{service.control}/einhorn.sock"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            # A process that is no worker, damaged lines, and a line without end: the last one is hung up on.
            client.sendall(b'{"command":"worker:ack","pid":%d}\nx\n%%%%\n' % os.getpid())
            client.sendall(b"x" * 2000)
            client.settimeout(60)
            self.assertEqual(client.recv(1), b"")
        self.assertEqual(service.log.count("is ready"), 0)
        (self.folder / "go").touch()
        service.serving()
        service.stop()
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
