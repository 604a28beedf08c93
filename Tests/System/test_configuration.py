"""Configuration files: what is wrong with bad ones, and what good ones do."""

import ctypes
import json
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import unittest

from harness import ROOST, ROOT, RoostTestCase, wait_for_exit

BAD = ROOT / "Tests/Configurations/bad"

# Tells what it has found around itself, and is ready then.
WITNESS = """
import json, os, resource, signal, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
facts = {
    "arguments": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd(), "umask": os.umask(0),
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": sorted(os.getgroups()), "nice": os.nice(0),
    "open files": resource.getrlimit(resource.RLIMIT_NOFILE), "core": resource.getrlimit(resource.RLIMIT_CORE),
    "capabilities": {name: status[name] for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"]},
    "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")},
    "death signal": None,
}
open("/dev/stderr", "w").write("through the path of stderr\\n")
with open(sys.argv[1], "w") as file:
    json.dump(facts, file)
if "READY_FD" in os.environ:
    os.write(int(os.environ["READY_FD"]), b"\\n")
else:
    import socket
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    s.sendto(b"READY=1\\nSTATUS=witness", "\\0" + address[1:] if address[0] == "@" else address)
signal.pause()
"""


class Bad(unittest.TestCase):
    def test_every_bad_file_is_refused_with_place_reason_and_remedy(self):
        files = sorted(BAD.glob("*.toml"))
        self.assertGreaterEqual(len(files), 60)
        for file in files:
            with self.subTest(file.name):
                expected = [line[10:] for line in file.read_text().splitlines() if line.startswith("# expect: ")]
                result = subprocess.run([ROOST, "check", str(file)], capture_output=True, text=True)
                found = [line.removeprefix(f"roost: {file}:").strip() for line in result.stderr.splitlines()]
                self.assertEqual((found, result.returncode, result.stdout), (expected, 78, ""))

    def test_a_file_that_cannot_be_read_is_refused(self):
        for path, reason in [("/no/such.toml", "No such file"), ("/etc/", "Is a directory")]:
            result = subprocess.run([ROOST, "check", path], capture_output=True, text=True)
            self.assertEqual(result.returncode, 78)
            self.assertRegex(result.stderr, f"^roost: {path}: cannot be read: {reason}")

    def test_a_service_does_not_start_with_a_bad_file(self):
        result = subprocess.run([ROOST, "run", "--config", str(BAD / "workers-zero.toml")], capture_output=True, text=True)
        self.assertEqual(result.returncode, 78)
        self.assertIn(":2:11: workers: 0 is out of range", result.stderr)


class Configured(RoostTestCase):
    def configure(self, text, name="web"):
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return path

    def run_file(self, path, *options, **popen):
        return self.start_bare("--config", str(path), *options, **popen)

    def witness(self, text, *options, **popen):
        os.chmod(self.folder, 0o1777)
        self.script(WITNESS, "witness.py")
        facts = self.folder / "facts.json"
        # One that other users can execute, too.
        command = json.dumps(["/usr/bin/python3", str(self.folder / "witness.py"), str(facts)])
        path = self.configure(f'command = {command}\nsettle = "0s"\n{text}')
        service = self.run_file(path, *options, **popen).serving()
        return service, lambda: json.loads(facts.read_text())

    def test_a_service_runs_from_a_file_and_is_named_after_it(self):
        service, facts = self.witness('ready = "pipe"\nlisten = ["http=127.0.0.1:0"]\n')
        found = facts()
        self.assertEqual(found["environment"]["ROOST_SERVICE"], "web")
        self.assertEqual(found["environment"]["LISTEN_FDNAMES"], "http")

    def test_the_command_line_wins(self):
        service, facts = self.witness(
            'ready = "pipe"\nname = "file"\n[environment]\nA = "file"\nB = "file"\n',
            "--name",
            "line",
            "--environment",
            "A=line",
        )
        found = facts()["environment"]
        self.assertEqual((found["ROOST_SERVICE"], found["A"], found["B"]), ("line", "line", "file"))

    def test_the_command_line_wins_also_where_it_says_no(self):
        path = self.configure(
            'command = ["sh", "-c", "echo hello >&2; echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nlog-prefix = true\n'
        )
        service = self.run_file(path, "--no-log-prefix").serving()
        service.log.expect_count("^hello$", 1)
        service.stop()
        path.write_text(path.read_text().replace("log-prefix", "direct-stderr"))
        service = self.run_file(path, "--no-direct-stderr", "--log-prefix").serving()
        service.log.expect_count(r"^slot 0 generation 1 \| hello$", 1)

    def test_limits_of_the_command_line_may_have_two_bounds(self):
        _, facts = self.witness('ready = "pipe"\n', "--limit", "open-files=50:60")
        self.assertEqual(facts()["open files"], [50, 60])

    def test_what_workers_get_is_what_was_written(self):
        directory = self.folder / "place"
        directory.mkdir()
        service, facts = self.witness(
            f'ready = "pipe"\ndirectory = "{directory}"\numask = "0027"\nnice = 5\n'
            '[limit]\nopen-files = [100, 200]\ncore-size = 0\n[environment]\nHOME = "/nowhere"\n'
        )
        found = facts()
        self.assertEqual(found["directory"], str(directory))
        self.assertEqual(found["environment"]["PWD"], str(directory))
        self.assertEqual(found["environment"]["HOME"], "/nowhere")
        self.assertEqual(found["umask"], 0o027)
        self.assertEqual(found["nice"], 5)
        self.assertEqual(found["open files"], [100, 200])
        self.assertEqual(found["core"], [0, 0])

    def test_environment_files_are_read_anew_on_reload(self):
        variables = self.folder / "variables"
        variables.write_text('# a comment\nA=1\nB=\'two words\' # no comment\n  C="x\\"y"\n\nD=a\\\n b \nA=3\n')
        service, facts = self.witness(
            f'ready = "pipe"\nenvironment-file = ["{variables}", "-/no/such/file"]\nenvironment = {{ A = "0", E = "e" }}\n'
        )
        found = facts()["environment"]
        self.assertEqual([found[name] for name in "ABCDE"], ["3", "two words# no comment", 'x"y', "a b", "e"])
        variables.write_text("A=4\n")
        self.assertIn("succeeded", service.reload())
        found = facts()["environment"]
        self.assertEqual(found["A"], "4")
        self.assertNotIn("B", found)
        variables.write_text("A=5\nnonsense\n")
        self.assertRegex(service.reload(), f"failed.*{variables}:2:1: expected NAME=value; generation 2 keeps serving")

    def test_a_reload_reads_the_file_anew_and_an_invalid_one_changes_nothing(self):
        path = self.configure('command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n')
        service = self.run_file(path).serving()
        good = path.read_text()
        worker = service.worker()
        path.write_text(good + "workers = 2\n")
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.log.count(r"generation 2\) is ready"), 2)
        path.write_text(good + "workers = 0\nsettel = 1\n")
        self.assertRegex(
            service.reload(),
            rf"failed.*{path}:4:11: workers: 0 is out of range.*\(and 1 more; 'roost check' shows all\); generation 2 keeps serving",
        )
        path.unlink()
        self.assertRegex(service.reload(), f"failed.*{path}: cannot be read: No such file")
        path.write_text(good + "workers = 1\n")
        self.assertIn("succeeded", service.reload())
        service.expect(r"\(slot 1, generation \d+\) drained")
        self.eventually(lambda: self.assertEqual(len(service.children()), 1))
        self.assertNotEqual(worker, service.worker())

    def test_what_takes_effect_only_on_restart_is_refused_on_reload(self):
        text = 'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\nlisten = "127.0.0.1:0"\n'
        path = self.configure(text)
        service = self.run_file(path).serving()
        path.write_text(text + 'name = "other"\n')
        self.assertRegex(service.reload(), "failed.*'name' has changed, which takes effect only when the service is restarted")

    def test_the_command_of_a_reload_is_that_of_the_file(self):
        path = self.configure(
            'command = ["sh", "-c", "echo one >&2; echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'
        )
        service = self.run_file(path).serving()
        path.write_text(path.read_text().replace("echo one", "echo two"))
        self.assertIn("succeeded", service.reload())
        service.log.expect_count("^two$", 1)
        path.write_text(path.read_text().replace('"sh"', '"no-such-program"'))
        self.assertRegex(
            service.reload(), "failed.*cannot execute no-such-program: it is in no directory of PATH.*generation 2 keeps serving"
        )

    def test_hooks_run_and_a_failing_one_stops_the_reload(self):
        trace = self.folder / "trace"
        text = (
            'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nsettle = "0s"\n'
            f"before-reload = 'echo before $ROOST_SERVICE $ROOST_GENERATION $ROOST_HOOK >> {trace}'\n"
            f'after-takeover = ["sh", "-c", "echo after $ROOST_GENERATION >> {trace}"]\n'
        )
        path = self.configure(text)
        service = self.run_file(path).serving()
        self.assertFalse(trace.exists(), "a start is no reload")
        self.assertIn("succeeded", service.reload())
        service.expect("after-takeover succeeded")
        self.assertEqual(trace.read_text(), "before web 2 before-reload\nafter 2\n")
        path.write_text(text.replace("before-reload = '", "before-reload = 'echo schema is locked >&2; exit 7; "))
        self.assertRegex(service.reload(), "failed.*before-reload failed: it exited with status 7; generation 2 keeps serving")
        path.write_text(text.replace('"echo after', '"exit 4; echo after'))
        self.assertIn("succeeded", service.reload())
        service.expect("after-takeover failed: it exited with status 4; generation 4 keeps serving")
        path.write_text(text.replace("before-reload = '", 'hook-timeout = "1s"\nbefore-reload = \'sleep 1000; '))
        self.assertRegex(service.reload(), "failed.*before-reload failed: it took longer than 1 s")

    def test_a_hook_that_takes_too_long_is_ended(self):
        left = self.folder / "left"
        hook = self.script(f"import os, pathlib, signal\npathlib.Path('{left}').write_text(str(os.getpid()))\nsignal.pause()\n", "hook.py")
        path = self.configure(
            'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nhook-timeout = "1s"\n'
            f"before-reload = {json.dumps([sys.executable, str(hook)])}\n"
        )
        service = self.run_file(path).serving()
        self.assertIn("it took longer than 1 s", service.reload())
        wait_for_exit(int(left.read_text()))

    def test_a_stop_ends_a_hook(self):
        path = self.configure(
            'command = ["sh", "-c", "echo >&$READY_FD; exec tail -f /dev/null"]\nready = "pipe"\nbefore-reload = "sleep 1000"\n'
        )
        service = self.run_file(path).serving()
        service.signal(signal.SIGHUP)
        service.expect("before-reload began")
        self.assertEqual(service.stop(), 0)

    def test_workers_can_be_as_many_as_processors(self):
        service, _ = self.witness('ready = "pipe"\nworkers = "auto"\n')
        self.assertEqual(len(service.children()), len(os.sched_getaffinity(0)))

    def test_a_unix_socket_has_the_permissions_that_were_asked_for(self):
        socket = self.folder / "web.sock"
        self.witness(f'ready = "pipe"\n[[listen]]\naddress = "unix:{socket}"\nmode = "0601"\nnonblocking = true\nbacklog = 7\n')
        self.assertEqual(socket.stat().st_mode & 0o777, 0o601)

    def test_a_service_of_etc_is_run_by_its_name(self):
        result = subprocess.run([ROOST, "run", "no-such-service"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 78)
        self.assertIn("/etc/roost/no-such-service.toml: cannot be read: No such file", result.stderr)


class Unit(RoostTestCase):
    """What `roost unit` prints."""

    def unit(self, text):
        path = self.script(text, "web.toml", 0o644)
        return subprocess.run([ROOST, "unit", str(path)], capture_output=True, text=True, check=True).stdout.splitlines()

    def test_a_unit_leads_its_reload_to_a_control_directory_of_its_own(self):
        lines = self.unit('command = ["/bin/true"]\ncontrol-directory = "/srv/c d"\n')
        self.assertIn(f'ExecReload={ROOST} reload --quiet --control-directory "/srv/c d" web', lines)
        self.assertIn(f"ExecReload={ROOST} reload --quiet web", self.unit('command = ["/bin/true"]\n'))

    def test_a_unit_has_what_the_template_has(self):
        """But for what fits the configuration more tightly."""
        template = (ROOT / "systemd/roost@.service").read_text().replace("%i", "web").splitlines()
        names = lambda lines: {line.split("=")[0] for line in lines if line[:1].isalpha()}
        lines = self.unit('command = ["/bin/true"]\n')
        self.assertEqual(names(lines), names(template))
        for name in ["SyslogIdentifier", "Documentation", "RuntimeDirectory"]:
            self.assertEqual([line for line in lines if line.startswith(name)], [line for line in template if line.startswith(name)])

    def test_a_worker_of_root_can_give_up_its_privileges_itself(self):
        capabilities = next(line for line in self.unit('command = ["/bin/true"]\n') if line.startswith("Capab"))
        self.assertEqual(capabilities, "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL")


@unittest.skipUnless(os.geteuid() == 0, "only root can change users")
class Users(Configured):
    def facts_as(self, text, ready="pipe"):
        service, facts = self.witness(f'ready = "{ready}"\n{text}\n', env=dict(os.environ, SUDO_COMMAND="x"))
        return service, facts()

    def test_a_worker_runs_as_another_user_with_nothing_of_roots_left(self):
        nobody = pwd.getpwnam("nobody")
        for ready in ["pipe", "notify"]:
            with self.subTest(ready):
                service, found = self.facts_as('user = "nobody"\nlisten = ["http=127.0.0.1:0"]', ready)
                self.assertEqual(found["uids"], [nobody.pw_uid] * 3)
                self.assertEqual(found["gids"], [nobody.pw_gid] * 3)
                self.assertEqual(found["groups"], [nobody.pw_gid])
                self.assertEqual(set(found["capabilities"].values()), {"0000000000000000"})
                self.assertEqual(
                    [found["environment"][name] for name in ["HOME", "USER", "LOGNAME", "SHELL"]],
                    [nobody.pw_dir, "nobody", "nobody", nobody.pw_shell],
                )
                extra = [fd for fd in found["descriptors"] if int(fd) > (4 if ready == "pipe" else 3)]
                self.assertEqual(extra, [])
                service.log.expect_count("^through the path of stderr$", 1)
                self.assertIn("succeeded", service.reload())

    def test_a_worker_of_another_user_has_nothing_of_the_session(self):
        session = dict(
            XDG_RUNTIME_DIR="/run/user/0",
            XDG_SESSION_ID="1",
            XDG_SESSION_TYPE="tty",
            MAIL="/var/mail/root",
            SUDO_USER="x",
            SSH_AUTH_SOCK="/tmp/agent",
            DBUS_SESSION_BUS_ADDRESS="unix:path=/run/user/0/bus",
        )
        text = 'ready = "pipe"\nuser = "nobody"\n[environment]\nMAIL = "/var/mail/web"\n'
        service, found = self.witness(text, env=dict(os.environ, **session))
        environment = found()["environment"]
        self.assertEqual({name: environment[name] for name in session if name in environment}, {"MAIL": "/var/mail/web"})

    @unittest.skipUnless(os.uname().machine == "x86_64", "the number of keyctl(2)")
    def test_a_worker_of_another_user_has_a_keyring_of_its_own(self):
        ADD_KEY, KEYCTL, JOIN, SEARCH, SESSION = 248, 250, 1, 10, -3
        search = (
            "import ctypes\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            f"key = libc.syscall({KEYCTL}, {SEARCH}, {SESSION}, b'user', b'roost-test', 0)\n"
            "print('key', key, flush=True)\n"
        )
        libc = ctypes.CDLL(None, use_errno=True)

        def join():
            libc.syscall(KEYCTL, JOIN, b"roost-test")
            libc.syscall(ADD_KEY, b"user", b"roost-test", b"secret", 6, SESSION)

        for options, pattern in [((), r"^key \d+$"), (("--user", "nobody"), "^key -1$")]:
            service = self.start(
                *options,
                ready="none",
                command=["/usr/bin/python3", "-c", f"import sys\nsys.stdout = sys.stderr\n{search}import signal\nsignal.pause()"],
                preexec_fn=join,
            )
            service.expect(pattern)

    def test_groups_can_be_chosen(self):
        service, found = self.facts_as('user = "nobody"\ngroup = "daemon"\nsupplementary-group = ["adm", "sys"]')
        import grp

        ids = {name: grp.getgrnam(name).gr_gid for name in ["daemon", "adm", "sys"]}
        self.assertEqual(found["gids"], [ids["daemon"]] * 3)
        self.assertEqual(found["groups"], sorted([ids["daemon"], ids["adm"], ids["sys"]]))

    def test_a_privileged_port_is_bound_for_another_user(self):
        service, found = self.facts_as('user = 12345\ngroup = 12345\nlisten = ["http=127.0.0.7:1"]')
        self.assertEqual(found["uids"], [12345] * 3)
        self.assertRegex(str(service.log), "listening on http=127.0.0.7:1")

    def test_the_parent_death_signal_survives_the_change_of_user(self):
        service, found = self.facts_as('user = "nobody"')
        worker = service.worker()
        service.signal(signal.SIGKILL)
        from harness import wait_for_exit

        wait_for_exit(worker)
        service.wait()
        os.waitpid(worker, 0)

    def test_a_worker_of_another_user_drains_and_is_killed_with_its_group(self):
        path = self.configure(
            'command = ["sh", "-c", "trap \'\' TERM; echo >&$READY_FD; sleep 1000 & wait; wait"]\nready = "pipe"\nsettle = "0s"\n'
            'user = "nobody"\ndrain-timeout = "200ms"\n'
        )
        service = self.run_file(path).serving()
        self.assertIn("succeeded", service.reload())
        service.expect("did not drain within 200ms: killing its process group")
        service.expect("was killed .* ms after SIG")

    def test_a_master_that_is_not_root_cannot_change_users(self):
        path = self.configure('command = ["/bin/true"]\nuser = "root"\n')
        os.chmod(self.folder, 0o755)
        result = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", ROOST, "check", str(path)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 78)
        self.assertIn("only root can run workers as another user or group, and this is user 65534", result.stderr)

    def test_a_master_that_is_not_root_runs_workers_as_itself(self):
        os.chmod(self.folder, 0o1777)
        service = self.start(launcher=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]).serving()
        self.assertIn("succeeded", service.reload())
        uids = pathlib.Path(f"/proc/{service.worker()}/status").read_text().split("Uid:\t")[1].split("\n")[0].split()
        self.assertEqual(uids, ["65534"] * 4)


if __name__ == "__main__":
    unittest.main()
