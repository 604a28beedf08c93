import fcntl
import json
import os
import signal
import socket
import subprocess

from harness import PATIENCE, ROOST, WORKER, RoostTestCase


class Upstream(RoostTestCase):
    """What systemd hears."""

    def served(self, *arguments, **options):
        upstream = self.upstream()
        environment = dict(os.environ, NOTIFY_SOCKET=upstream.path, **options.pop("environment", {}))
        return self.start(*arguments, env=environment, **options), upstream.log

    def test_ready_comes_when_the_first_generation_is_complete(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        script = f"test $ROOST_SLOT = 1 && read go < {fifo}; echo >&$READY_FD; exec tail -f /dev/null"
        service, log = self.served("-n", "2", command=["sh", "-c", script])
        log.expect("^EXTEND_TIMEOUT_USEC=30000000$")
        log.expect("^STATUS=starting: 1 of 2 workers ready$")
        self.assertEqual(log.count("^READY=1$"), 0)
        fifo.write_text("go\n")
        log.expect("^READY=1$")
        log.expect("^STATUS=generation 1 serves: 2 of 2 workers ready$")

    def test_a_reload_is_announced_with_its_time_and_ends_with_ready(self):
        service, log = self.served()
        log.expect("^READY=1$")
        service.signal(signal.SIGHUP)
        log.expect("^RELOADING=1$")
        self.assertRegex(log.expect("^MONOTONIC_USEC=(.*)")[1], r"^\d+$")
        log.expect("^STATUS=reloading to generation 2: reading the configuration")
        log.expect("^EXTEND_TIMEOUT_USEC=")
        log.expect("^STATUS=reloading to generation 2: 0 of 1 workers ready")
        log.expect("^READY=1$")
        log.expect("^STATUS=generation 2 serves: 1 of 1 workers ready")

    def test_a_failed_reload_ends_with_ready_too_and_the_status_says_why(self):
        service, log = self.served(command=["sh", "-c", "test $ROOST_GENERATION = 2 && exit 3; echo >&$READY_FD; exec tail -f /dev/null"])
        log.expect("^READY=1$")
        service.signal(signal.SIGHUP)
        log.expect("^RELOADING=1$")
        log.expect("^READY=1$")
        log.expect(
            r"^STATUS=generation 1 serves: 1 of 1 workers ready; "
            r"reload to generation 2 failed: worker \d+ \(slot 0\) exited with status 3 before it was ready$"
        )
        service.signal(signal.SIGHUP)
        log.expect("^STATUS=generation 3 serves: 1 of 1 workers ready(; 1 draining)?$")

    def test_a_long_reason_with_line_breaks_does_not_hide_the_end_of_a_reload(self):
        file = self.folder / "web.toml"
        valid = f'command = {json.dumps(WORKER)}\nready = "pipe"\nsettle = "0s"\n'
        file.write_text(valid)
        upstream = self.upstream()
        self.start_bare("--config", str(file), env=dict(os.environ, NOTIFY_SOCKET=upstream.path)).serving()
        upstream.log.expect("^READY=1$")
        for key in ["ä" * 2500, "a\\nMAINPID=1\\nb"]:
            file.write_text(valid + f'"{key}" = 1\n')
            self.services[0].signal(signal.SIGHUP)
            upstream.log.expect("^RELOADING=1$")
            upstream.log.expect("^READY=1$")
            upstream.log.expect("^STATUS=generation 1 serves: 1 of 1 workers ready; reload to generation .* failed: .*web.toml")
        self.assertEqual(upstream.log.count("^dropped|^MAINPID"), 0)

    def test_a_roll_that_stops_half_way_leaves_two_generations_that_serve(self):
        script = "test $ROOST_GENERATION.$ROOST_SLOT = 2.1 && exit 3; echo >&$READY_FD; exec tail -f /dev/null"
        service, log = self.served("-n", "2", "--surge", "1", command=["sh", "-c", script])
        log.expect("^READY=1$")
        service.signal(signal.SIGHUP)
        log.expect("^RELOADING=1$")
        log.expect("^READY=1$")
        log.expect("^STATUS=generations 1 and 2 serve: 2 of 2 workers ready; ")
        status = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE)
        self.assertRegex(status.stdout, "^[^\n]*: generations 1 and 2 serve, ")

    def test_stopping_is_announced_with_time_for_the_drain(self):
        service, log = self.served()
        log.expect("^READY=1$")
        service.stop()
        log.expect("^STOPPING=1$")
        log.expect("^STATUS=stopping: 1 worker drains$")
        log.expect("^EXTEND_TIMEOUT_USEC=")

    def test_a_start_that_fails_never_looks_up(self):
        service, log = self.served("--start-attempts", "1", command=["false"])
        self.assertEqual(service.wait(), 1)
        log.expect("^STOPPING=1$")
        self.assertEqual(log.count("^READY=1$"), 0)

    def test_what_a_worker_says_is_not_forwarded(self):
        script = (
            "systemd-notify --ready --status=mine; systemd-notify STOPPING=1 MAINPID=1 FDSTORE=1 WATCHDOG=1; echo said >&2; "
            "exec tail -f /dev/null"
        )
        service, log = self.served(ready="notify", command=["sh", "-c", script])
        service.expect("^said$")
        service.stop()
        log.expect("^STATUS=stopping")
        self.assertEqual(log.count("mine|MAINPID|FDSTORE|WATCHDOG"), 0)
        self.assertEqual(log.count("^STOPPING=1$"), 1)

    def test_the_watchdog_is_fed_as_often_as_systemd_asks(self):
        upstream = self.upstream()
        script = f'export WATCHDOG_PID=$$ WATCHDOG_USEC=200000 NOTIFY_SOCKET={upstream.path}; exec "$@"'
        control = ["--control-directory", str(self.folder / "c")]
        master = subprocess.Popen(
            ["sh", "-c", script, "sh", ROOST, "run", *control, "--ready", "pipe", "--", *WORKER], stderr=subprocess.DEVNULL
        )
        for _ in range(5):
            upstream.log.expect("^WATCHDOG=1$")
        master.terminate()
        self.assertEqual(master.wait(PATIENCE), 0)

    def test_a_worker_s_crash_is_seen_in_the_status(self):
        counter = self.folder / "count"
        script = f"echo x >> {counter}; test $(wc -l < {counter}) -gt 1 && exit 5; echo >&$READY_FD; exec tail -f /dev/null"
        service, log = self.served(command=["sh", "-c", script])
        log.expect("^STATUS=generation 1 serves: 1 of 1 workers ready$")
        # The log comes after what systemd hears.
        service.serving()
        os.kill(service.worker(), signal.SIGKILL)
        log.expect("^STATUS=down: none of 1 workers serves; ")


class Adopted(RoostTestCase):
    """Sockets from systemd."""

    def start_with(self, names, sockets, *arguments):
        """Starts roost as systemd would: sockets from descriptor 3 up, and its own pid in LISTEN_PID."""
        variables = f"LISTEN_FDS={len(sockets)} LISTEN_PID=$$ LISTEN_FDNAMES={':'.join(names)}"
        descriptors = [listener.fileno() for listener in sockets]

        def place():
            # Out of the way first: one may sit where another has to go.
            moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in descriptors]
            for index, number in enumerate(moved):
                os.dup2(number, 3 + index)

        launcher = ["sh", "-c", f'export {variables}; exec "$@"', "sh"]
        return self.start(*arguments, launcher=launcher, preexec_fn=place, close_fds=False)

    def listeners(self, count):
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        for listener in sockets:
            self.addCleanup(listener.close)
        return sockets

    def test_sockets_are_adopted_by_their_names(self):
        sockets = self.listeners(2)
        ports = [listener.getsockname()[1] for listener in sockets]
        service = self.start_with(["http", "admin"], sockets, "-l", "systemd:admin", "-l", "web=systemd:http")
        service.expect(f"listening on admin=127.0.0.1:{ports[1]}$")
        service.expect(f"listening on web=127.0.0.1:{ports[0]}$")
        service.serving()
        self.assertEqual(service.stop(), 0)

    def test_a_name_that_systemd_has_not_passed_is_refused_with_those_it_has(self):
        service = self.start_with(["http"], self.listeners(1), "-l", "systemd:https")
        service.expect("cannot adopt https=systemd:https: systemd passed no socket of this name, but http ")
        self.assertEqual(service.wait(), 78)

    def test_a_socket_that_nobody_takes_is_told(self):
        service = self.start_with(["http"], self.listeners(1))
        service.expect("systemd passed a socket named http that no listener takes")

    def test_a_socket_that_does_not_listen_is_refused(self):
        plain = socket.socket()
        self.addCleanup(plain.close)
        service = self.start_with(["http"], [plain], "-l", "systemd:http")
        service.expect("it is neither a listening stream socket nor a UDP socket")
        self.assertEqual(service.wait(), 78)
