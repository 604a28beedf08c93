"""Text that costs too much or misleads: what Roost is given is read in the time that it deserves, and told as it is."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

from harness import ROOST, Load, RoostTestCase

COMMAND = 'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'

# Its answers begin with what isn't final (RFC 9110, 15.2).
HINTING = r"""
import os, selectors, socket, sys
selector = selectors.DefaultSelector()
for index in range(int(os.environ["LISTEN_FDS"])): selector.register(socket.socket(fileno=3 + index), selectors.EVENT_READ)
os.write(int(os.environ["READY_FD"]), b"\n")
before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * int(sys.argv[2])
while True:
    for key, _ in selector.select():
        connection, _ = key.fileobj.accept()
        with connection:
            connection.recv(4096)
            try:
                connection.sendall(before)
                connection.sendall(f"HTTP/1.1 {sys.argv[1]} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
            except OSError: pass
"""


class Cost(RoostTestCase):
    """What took a time that grew with the square of its length, or worse, has a hundredth of it. Generous: the machine may be
    busy, and the binary one for debugging."""

    def assert_quick(self, text, status, words=""):
        path = self.folder / "web.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = subprocess.run([ROOST, "check", str(path)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, status, result.stderr[:1000])
        self.assertIn(words, result.stdout + result.stderr)
        return result.stderr

    def environment(self, text):
        path = self.folder / "variables"
        path.write_text(text)
        return f'{COMMAND}environment-file = "{path}"\n'

    def test_long_values_and_long_files_of_the_environment(self):
        self.assert_quick(self.environment("A=" + "x " * 60000 + "\n"), 0)
        self.assert_quick(self.environment("A='" + "x" * 130000 + "'\n"), 0)
        self.assert_quick(self.environment("".join(f"A{i}=value\n" for i in range(50000))), 0)
        self.assert_quick(self.environment("# " + "x" * 4000000 + "\n"), 0)

    def test_a_value_that_no_process_can_be_given_is_told(self):
        self.assert_quick(
            self.environment("A=" + "x" * 800000 + "\n"),
            78,
            "variables:1:1: the variable 'A' has 800002 bytes, and the kernel gives no process more than 131071 in one (execve(2))",
        )
        self.assert_quick(f'{COMMAND}[environment]\nA = "{"x" * 800000}"\n', 78, "environment.A: has 800002 bytes")
        self.assert_quick(f'command = ["/bin/true", "{"x" * 800000}"]\n', 78, "command: an argument has 800000 bytes")

    def test_many_mistakes(self):
        for text, more in [
            (self.environment("no assignment\n" * 1_000_000), "and 999900 more"),
            (f"{COMMAND}listen = [{'2, ' * 90000}]\n", "and 924 more"),
            (f"{COMMAND}supplementary-group = [{'1.5, ' * 90000}]\n", "and 89900 more"),
            (COMMAND + "".join(f"a{i} = 0\n" for i in range(5000)), "and 1 more"),
        ]:
            lines = self.assert_quick(text, 78, more).splitlines()
            self.assertEqual(len(lines), 101)

    def test_a_place_for_what_is_no_text(self):
        nul = "contains a NUL character"
        for text, problem in [
            (b"A=1\nB=\xc3\xa4\0\n", f"variables:2:4: {nul}"),
            (b"A=1\nB=\xc3\xa4\xff\n", "variables:2:4: isn't UTF-8"),
        ]:
            (self.folder / "variables").write_bytes(text)
            self.assert_quick(f'{COMMAND}environment-file = "{self.folder}/variables"\n', 78, problem)
        for text, problem in [
            (b"# \0\n", f"web.toml:4:3: {nul}"),
            (b'name = "\xc3\xa4\xff"\n', "web.toml:4:10: isn't UTF-8"),
            (b'\nname = "a\\U00000000"\n', f"web.toml:5:10: {nul}"),
        ]:
            self.assert_quick(COMMAND.encode() + text, 78, problem)

    def test_more_listeners_than_a_service_can_have(self):
        listeners = [f'"unix:/run/{i}.sock"' for i in range(1025)]
        self.assert_quick(f"{COMMAND}listen = [{', '.join(listeners[:1024])}]\n", 0, "unix-1023.sock")
        self.assert_quick(
            f"{COMMAND}listen = [{', '.join(listeners)}]\n", 78, "listen: there are 1025 listeners, and a service can have at most 1024"
        )

    def test_more_listeners_than_there_can_be_open_files(self):
        listeners = ", ".join(f'"unix:{self.folder}/{i}.sock"' for i in range(100))
        (self.folder / "web.toml").write_text(f"{COMMAND}listen = [{listeners}]\n")
        service = self.start_bare("--config", str(self.folder / "web.toml"), launcher=["prlimit", "--nofile=64"])
        service.expect(
            r"cannot listen on unix-\d+.sock=unix:.*: Too many open files \(64 are the limit; "
            r"LimitNOFILE= in the unit raises it, or 'ulimit -n'\)"
        )
        self.assertEqual(service.wait(), 78)

    def test_many_and_deep_values(self):
        listeners = "".join(f'[[listen]]\naddress = "unix:/run/{i}.sock"\n' for i in range(1000))
        self.assert_quick(COMMAND + listeners, 0, "unix-999.sock")
        self.assert_quick(f'{COMMAND}listen = "1{",backlog=1" * 50000}"\n', 0)
        self.assert_quick(f"{COMMAND}x{'.x' * 100000} = 1\n", 78, "expected a name of fewer parts")
        self.assert_quick(f"{COMMAND}x = {'[' * 100000}\n", 78, "expected less nesting")
        self.assert_quick(f"{COMMAND}{'x' * 900000} = 1\n", 78, "there is no option")

    def test_a_large_environment_reaches_workers_and_outlives_an_upgrade(self):
        """As large as the kernel takes it: a quarter of the limit of the stack."""
        text = "".join(f"VARIABLE_{i}={'x' * 1000}\n" for i in range(1000))
        (self.folder / "variables").write_text(text)
        path = self.folder / "web.toml"
        path.write_text(f'{COMMAND}environment-file = "{self.folder}/variables"\n')
        begin = time.monotonic()
        service = self.start_bare("--config", str(path), env={**os.environ, **{f"OWN_{i}": "é" * 1000 for i in range(300)}}).serving()
        self.assertIn("succeeded", service.reload())
        service.signal(signal.SIGUSR2)
        service.expect("upgraded the master")
        self.assertIn("succeeded", service.reload())
        environment = pathlib.Path(f"/proc/{service.worker()}/environ")

        def has_all():
            # The worker has said that it is ready before it replaces itself, and while it does so it has no variables.
            variables = environment.read_bytes().split(b"\0")
            for variable in ["VARIABLE_999=" + "x" * 1000, "OWN_299=" + "é" * 1000]:
                self.assertTrue(variable.encode() in variables, variable[:12])

        self.eventually(has_all)
        self.assertLess(time.monotonic() - begin, 60)

    def test_an_environment_that_is_too_large_as_a_whole_is_told(self):
        path = self.folder / "web.toml"
        (self.folder / "variables").write_text("".join(f"VARIABLE_{i}={'x' * 1000}\n" for i in range(4000)))
        path.write_text(f'{COMMAND}start-attempts = 1\nenvironment-file = "{self.folder}/variables"\n')
        service = self.start_bare("--config", str(path))
        service.expect("start failed: .* cannot execute .*: Argument list too long .arguments and environment")
        self.assertEqual(service.wait(), 1)
        self.assert_quick(
            self.environment("".join(f"VARIABLE_{i}={'x' * 1000}\n" for i in range(8000))),
            78,
            "environment-file: the command and its variables have ",
        )


class Passed(RoostTestCase):
    def test_a_bad_variable_of_systemd_is_named(self):
        remedy = "; unset LISTEN_PID if systemd hasn't set it"
        for process, count, names, fault in [
            ("abc", "1", None, "LISTEN_PID is 'abc', which isn't a process id"),
            ("", "1", None, "LISTEN_PID is '', which isn't a process id"),
            ("$$", "x", None, "LISTEN_FDS is 'x', which isn't a number of descriptors"),
            ("$$", "0", None, "LISTEN_FDS is '0', which isn't a number of descriptors"),
            ("$$", "-1", None, "LISTEN_FDS is '-1', which isn't a number of descriptors"),
            ("$$", "40", None, "LISTEN_FDS is '40', but descriptor 3 isn't open"),
            ("$$", "1", "a:b", "LISTEN_FDNAMES is 'a:b', which has 2 names, but LISTEN_FDS is '1'"),
        ]:
            with self.subTest(fault):
                # Descriptor 3 is open where names are the fault.
                line = f'export LISTEN_PID="{process}" LISTEN_FDS="{count}"; ' + (
                    f'export LISTEN_FDNAMES="{names}"; exec 3</dev/null; ' if names else ""
                )
                service = self.start_bare("--", "tail", "-f", "/dev/null", launcher=["sh", "-c", line + 'exec "$@"', "sh"])
                service.expect(f"cannot take the descriptors that systemd passed: .* [(]{fault}{remedy}[)]$")
                self.assertEqual(service.wait(), 78)


class Interim(RoostTestCase):
    """Responses that aren't final are passed over by whoever reads responses."""

    def server(self, status, count):
        return [sys.executable, str(self.script(HINTING)), str(status), str(count)]

    def test_a_probe_passes_over_them(self):
        service = self.start("-l", "127.0.0.1:0", "--probe", "path=/", "--probe", "timeout=2s", command=self.server(200, 1)).serving()
        self.assertIn("succeeded", service.reload())
        # So does the load generator.
        listening = next(line for line in service.log.lines if " listening on " in line).split("=")[-1]
        self.assertEqual(Load(listening, kept_alive=1, new=1).finish()["failures"], 0)

    def test_a_probe_reads_what_comes_after_them(self):
        service = self.start(
            "-l", "127.0.0.1:0", "--probe", "path=/", "--probe", "timeout=1s", "--start-attempts", "1", command=self.server(503, 1)
        )
        service.expect("did not pass its probe within 1s: it answered with status 503")
        self.assertEqual(service.wait(), 1)

    def test_a_switch_of_protocols_is_an_answer(self):
        service = self.start(
            "-l", "127.0.0.1:0", "--probe", "path=/", "--probe", "timeout=1s", "--start-attempts", "1", command=self.server(101, 0)
        )
        service.expect("did not pass its probe within 1s: it answered with status 101")
        self.assertEqual(service.wait(), 1)

    def test_nobody_reads_them_for_ever(self):
        service = self.start(
            "-l", "127.0.0.1:0", "--probe", "path=/", "--probe", "timeout=1s", "--start-attempts", "1", command=self.server(200, 5000)
        )
        service.expect("did not pass its probe within 1s: its answer isn't HTTP")
        self.assertEqual(service.wait(), 1)

    def test_the_doctor_passes_over_them(self):
        result = subprocess.run([ROOST, "doctor", "--ready", "pipe", "--", *self.server(200, 2)], capture_output=True, text=True)
        self.assertRegex(result.stdout, "requests +400 of 400 requests answered")


class Runner(RoostTestCase):
    """As whom workers run: nobody is to find out afterwards that it was root."""

    def check(self, text):
        path = self.folder / "web.toml"
        path.write_text(COMMAND + text)
        os.chmod(self.folder, 0o755)
        return subprocess.run([ROOST, "check", str(path)], capture_output=True, text=True)

    @unittest.skipUnless(os.geteuid() == 0, "only root can have workers of other users")
    def test_check_says_as_whom_workers_run(self):
        for text, runner in [
            ("", "sh as ROOT (no 'user' is set)"),
            ('user = "nobody"\n', "sh as user nobody, group nogroup"),
            ('user = "root"\n', "sh as ROOT, group root"),
            ('group = "daemon"\n', "sh as ROOT, group daemon"),
            ("user = 54321\ngroup = 54322\n", "sh as user 54321, group 54322"),
            ('[environment]\nUSER = "nobody"\n', "sh as ROOT (no 'user' is set)"),
        ]:
            result = self.check(text)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, f": valid; the service web: 1 worker of {runner}\n$".replace("(", "[(]").replace(")", "[)]"))

    def test_an_option_within_a_table_is_an_error(self):
        for text in ['[environment]\nA = "b"\nuser = "nobody"\n', '[limit]\nuser = "nobody"\n', '[probe]\nuser = "nobody"\n']:
            result = self.check(text)
            self.assertEqual((result.returncode, result.stdout), (78, ""))
            self.assertIn("'user'", result.stderr)
            self.assertIn("an option belongs above the first table", result.stderr)

    def test_a_variable_of_such_a_name_can_be_had(self):
        (self.folder / "variables").write_text("user=x\n")
        command = ["sh", "-c", "echo $user $group >&2; echo >&$READY_FD; exec tail -f /dev/null"]
        service = self.start("--environment", "group=y", "--environment-file", str(self.folder / "variables"), command=command).serving()
        service.log.expect_count("^x y$", 1)


# Answers for the reader, and changes what it answers.
LIAR = """#!{python}
import json, os, sys
if "ROOST_PREPARE" not in os.environ: os.execv("{real}", ["{real}", *sys.argv[1:]])
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(write, 3)
    os.environ["ROOST_PREPARE"] = f"{{os.getppid()}}:3"
    os.execv("{real}", sys.argv)
os.close(write)
answer = json.load(os.fdopen(read))
os.waitpid(child, 0)
configuration = answer["configuration"]
exec(open("{lie}").read())
os.write(3, json.dumps(answer).encode())
"""


class Lie(RoostTestCase):
    def test_the_master_believes_no_reader(self):
        programs = self.folder / "bin"
        programs.mkdir()
        shutil.copy(pathlib.Path(ROOST).parent / "roost-master", programs)
        shutil.copy(ROOST, programs / "real")
        lie = self.folder / "lie"
        lie.write_text("")
        program = programs / "roost"
        program.write_text(LIAR.format(python=sys.executable, real=programs / "real", lie=lie))
        program.chmod(0o755)
        path = self.folder / "web.toml"
        path.write_text(COMMAND + 'listen = "a=127.0.0.1:0"\n')
        # The master executes again what it was started as.
        service = self.start_bare("--config", str(path), program=str(programs / "real"))
        service.serving()
        shutil.copy(programs / "real", programs / "kept")
        os.rename(programs / "kept", programs / "other")
        text = program.read_text().replace(str(programs / "real"), str(programs / "other"))
        program.write_text(text)
        os.rename(program, programs / "real")
        self.assertIn("succeeded", service.reload())
        for change, reason in [
            ("configuration['settings']['workers'] = -1", "'workers' is -1, expected 1 to 1024"),
            ("configuration['settings']['workers'] = 2**62", "'workers' is 4611686018427387904, expected 1 to 1024"),
            ("configuration['settings']['surge'] = 0", "'surge' is 0"),
            ("configuration['settings']['startAttempts'] = 0", "'start-attempts' is 0"),
            ("configuration['settings']['drainTimeout'] = 2**63 - 1", "'drain-timeout' is 9223372036854775807 ms"),
            ("configuration['settings']['beforeReload'] = True", "the hooks of 'settings' aren't those of 'worker'"),
            ("configuration['settings']['probeTimeout'] = 5", "'probe' and 'probeTimeout' come together"),
            ("configuration['worker']['command'] = []", "'command' names no program"),
            ("configuration['worker']['environment'] = ['LISTEN_PID=']", "'LISTEN_PID' is set by Roost itself"),
            ("configuration['worker']['nice'] = 2**32", "'nice' is 4294967296, expected -20 to 19"),
            (
                "configuration['worker']['identity'] = {'user': 2**32, 'group': 0, 'groups': []}",
                "'worker.identity.user' is 4294967296, expected 0 to 4294967295",
            ),
            ("configuration['worker']['identity'] = {'user': -1, 'group': 0, 'groups': []}", "'worker.identity.user' is -1"),
            ("configuration['listeners'][0]['backlog'] = 2**32", "'listeners.backlog' is 4294967296"),
            ("configuration['listeners'] *= 2", "there are two listeners named 'a'"),
            ("configuration['listeners'][0]['address'] = {'unix': 'relative'}", "'unix:relative' is no address"),
        ]:
            lie.write_text(change)
            self.assertIn("failed", verdict := service.reload())
            self.assertIn(f"the new configuration can't be used: {reason}", verdict)
        lie.write_text("")
        self.assertIn("succeeded", service.reload())
