import array
import contextlib
import json
import os
import pwd
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import unittest

from harness import PATIENCE, ROOST, RoostTestCase

# Says nothing to the master by itself: the test speaks for it.
SILENT = ["sh", "-c", "echo $NOTIFY_SOCKET >&2; exec tail -f /dev/null"]


class Notify(RoostTestCase):
    def silent(self, *arguments, command=SILENT, launcher=(), **popen):
        """A service with a worker that isn't ready, and a socket that leads to the master in that worker's place."""
        service = self.start(*arguments, ready="notify", command=command, launcher=launcher, **popen)
        address = service.expect("^@(roost/.*)")[1]
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.connect("\0" + address)
        return service, client

    def send_with_descriptor(self, client, message, count=1):
        """Sends the write end of a pipe along, and returns the read end: it hangs up when the master has closed its copy."""
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        client.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write_end] * count))])
        os.close(write_end)
        return read_end

    def assert_closed(self, read_end):
        self.assertTrue(select.select([read_end], [], [], PATIENCE)[0], "the master keeps the descriptor")
        self.assertEqual(os.read(read_end, 1), b"")

    def test_ready_in_a_message_with_other_assignments(self):
        service, client = self.silent()
        client.send(b"STATUS=up\nMAINPID=1\nREADY=1\n")
        service.serving()

    @unittest.skipUnless(shutil.which("systemd-notify"), "LOUD: systemd-notify isn't installed")
    def test_systemd_notify_in_a_shell_script_is_understood_and_answered(self):
        # It blocks until its BARRIER=1 is answered, and fails where it isn't.
        script = "systemd-notify --ready --status=up && echo answered >&2; exec tail -f /dev/null"
        service = self.start(ready="notify", command=["sh", "-c", script])
        service.serving()
        service.expect("^answered$")

    def test_a_barrier_is_answered_after_what_came_before_it(self):
        service, client = self.silent()
        client.send(b"READY=1")
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        service.expect("is ready after")

    def test_descriptors_are_closed_whatever_they_come_with(self):
        service, client = self.silent()
        for message in [b"READY=0", b"BARRIER=1\nSTATUS=x", b"FDSTORE=1\nFDNAME=x", b"\xff\xff", b"x" * 5000]:
            self.assert_closed(self.send_with_descriptor(client, message))
        self.assert_closed(self.send_with_descriptor(client, b"FDSTORE=1", count=253))
        before = len(os.listdir(f"/proc/{service.pid}/fd"))
        client.send(b"READY=1")
        service.serving()
        # Somebody else writes the record, for a moment.
        self.eventually(lambda: self.assertEqual(len(os.listdir(f"/proc/{service.pid}/fd")), before))

    def lingering_socket(self):
        """A TCP socket whose last close waits for what its peer doesn't read."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        client = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        self.addCleanup(peer.close)
        client.setblocking(False)
        try:
            while True:
                client.send(b"x" * 65536)
        except BlockingIOError:
            pass
        client.setblocking(True)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        return client

    # What passes sockets that linger in place of whoever runs it, many and small ones.
    PASSING = r"""
import resource, socket, struct, sys
# It also limits how many somebody may have under way (unix(7), ETOOMANYREFS).
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
sockets = []
for _ in range(int(sys.argv[2])):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    one.connect(("127.0.0.1", int(sys.argv[3])))
    one.setblocking(False)
    try:
        while True: one.send(bytes(4096))
    except BlockingIOError: pass
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    sockets.append(one)
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect("\0" + sys.argv[1])
socket.send_fds(client, [b"STATUS=x"], [one.fileno() for one in sockets])
"""

    STRANGER = ["setpriv", "--reuid=65534", "--clear-groups"]

    @contextlib.contextmanager
    def passing(self, service, client, count, user=(), messages=1):
        """The master gets the last copies of so many sockets that linger, and whatever else happens meanwhile with them."""
        service.signal(signal.SIGSTOP)
        address = client.getpeername()[1:].decode()
        # It doesn't read, and outlives who sends: else there is nothing to linger for.
        server = socket.create_server(("127.0.0.1", 0), backlog=4000)
        self.addCleanup(server.close)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = str(server.getsockname()[1])
        command = [*user, sys.executable, "-c", self.PASSING, address, str(count), port]
        for _ in range(messages):
            subprocess.run(command, check=True, timeout=PATIENCE)
        yield
        service.signal(signal.SIGCONT)

    @unittest.skipUnless(os.geteuid() == 0, "LOUD: only root can be somebody else")
    def test_a_stranger_cannot_have_a_worker_not_heard(self):
        service, client = self.silent()
        with self.passing(service, client, 200, self.STRANGER):
            pass
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        # More than there are processes to close them.
        with self.passing(service, client, 250, self.STRANGER, messages=8):
            pass
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        client.send(b"READY=1")
        service.serving()

    def test_a_barrier_is_answered_near_the_limit_of_descriptors(self):
        service, client = self.silent(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        client.send(b"READY=1")
        service.serving()

    # Sends its stdin along, so often that the master has enough of it.
    MANY = r"""
import socket, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect("\0" + sys.argv[1])
for _ in range(3): socket.send_fds(client, [b"STATUS=x"], [0] * 253)
"""

    NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def limit_processes(self, service, count):
        """As somebody else's, for root's aren't limited."""
        number = "unlimited" if count == resource.RLIM_INFINITY else count
        subprocess.run([*self.NOBODY, "prlimit", f"--pid={service.pid}", f"--nproc={number}:"], check=True)

    @unittest.skipUnless(os.geteuid() == 0, "LOUD: only root can be somebody else")
    def test_what_could_not_be_closed_is_closed_later(self):
        most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        self.folder.chmod(0o777)
        service, client = self.silent(launcher=self.NOBODY)
        self.limit_processes(service, 1)
        end = self.send_with_descriptor(client, b"BARRIER=1")
        client.send(b"READY=1")
        service.serving()
        self.assertEqual(select.select([end], [], [], 0)[0], [])
        self.limit_processes(service, most)
        self.assert_closed(end)

    @unittest.skipUnless(os.geteuid() == 0, "LOUD: only root can be somebody else")
    def test_where_nothing_can_be_closed_others_are_heard(self):
        most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        self.folder.chmod(0o777)
        service, client = self.silent(launcher=self.NOBODY)
        self.limit_processes(service, 1)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        address = client.getpeername()[1:].decode()
        subprocess.run(
            ["setpriv", "--reuid=65533", "--clear-groups", sys.executable, "-c", self.MANY, address],
            stdin=write_end,
            check=True,
            timeout=PATIENCE,
        )
        os.close(write_end)
        client.send(b"READY=1")
        service.serving()
        # What comes with more waits until there is a way.
        end = self.send_with_descriptor(client, b"BARRIER=1")
        service.expect(r" warning worker \d+ \(slot 0, generation 1\) .* its messages wait until it can")
        self.assertEqual(select.select([end, read_end], [], [], 0)[0], [])
        self.limit_processes(service, most)
        self.assert_closed(end)
        self.assert_closed(read_end)
        self.assertEqual(service.stop(), 0)

    def test_a_worker_with_too_many_that_cannot_be_closed_is_told(self):
        service, client = self.silent()
        with self.passing(service, client, 200):
            pass
        service.expect(
            r" warning worker \d+ \(slot 0, generation 1\) has passed descriptors that can't be closed: its messages are no longer read"
        )

    def test_what_lingers_does_not_hold_up_the_start_of_another_worker(self):
        service, client = self.silent("--ready-timeout", "60s", "--restart-delay-limit", "100ms")
        client.send(b"READY=1")
        service.serving()
        for _ in range(15):
            worker = service.worker()
            with self.passing(service, client, 250):
                os.kill(worker, signal.SIGKILL)
            client.connect("\0" + service.expect("^@(roost/.*)")[1])
            client.send(b"READY=1")
            service.expect(r"is ready after \d+ ms")

    def test_a_socket_that_lingers_does_not_hold_up_the_master(self):
        service, client = self.silent()
        operator = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(operator.close)
        operator.connect(service.control + "/control")
        for sender, message in [(client, b"STATUS=x"), (operator, b'{"method":')]:
            lingering = self.lingering_socket()
            # So that the master's copy is the last one.
            service.signal(signal.SIGSTOP)
            sender.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lingering.fileno()]))])
            lingering.close()
            service.signal(signal.SIGCONT)
            result = subprocess.run([ROOST, "status", "--control-directory", service.control], capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (2, ""), "nobody is ready yet")
        client.send(b"READY=1")
        service.serving()

    def test_a_status_is_clipped_to_whole_characters(self):
        service, client = self.silent()
        client.send("READY=1\nSTATUS=x{}".format("é" * 2000).encode())
        service.serving()
        result = subprocess.run([ROOST, "status", "--json", "--control-directory", service.control], capture_output=True, text=True)
        self.assertEqual(json.loads(result.stdout)["workers"][0]["status"], "x" + "é" * 127)

    def test_what_is_no_message_is_dropped_whole(self):
        service, client = self.silent()
        for message in [b"", b"READY=1\0STATUS=x", b"READY=1\nSTATUS=\xff", b"READY=1\n" + b"x" * 4096, b"READY=2", b"ready=1"]:
            client.send(message)
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        self.assertEqual(service.log.count("is ready"), 0)
        client.send(b"READY=1\n" + b"x" * 4088)
        service.serving()

    def test_any_number_of_unread_messages_is_taken(self):
        service, client = self.silent()
        client.settimeout(PATIENCE)
        for _ in range(5000):
            client.send(b"STATUS=x")
        client.send(b"READY=1")
        service.serving()

    @unittest.skipUnless(os.getuid() == 0, "LOUD: only root can make the queues long")
    def test_workers_that_flood_the_master_with_messages_cannot_keep_it_from_a_reload_or_a_stop(self):
        script = (
            "import os, socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.connect('\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
            "s.send(b'READY=1')\nwhile True: s.send(b'STATUS=x')"
        )
        # As long as systemd sets them; in a network namespace of its own, to which the length belongs.
        long_queues = ["unshare", "--net", "sh", "-c", 'echo 512 > /proc/sys/net/unix/max_dgram_qlen; exec "$@"', "sh"]
        service = self.start("-n", "16", ready="notify", command=[sys.executable, "-c", script], launcher=long_queues)
        service.serving()
        self.assertIn("succeeded", service.reload())
        self.assertEqual(service.stop(), 0)

    def test_the_last_word_of_a_worker_comes_before_its_exit(self):
        script = (
            "import os, socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.sendto(b'READY=1', '\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
            "os._exit(7)"
        )
        service = self.start("--start-attempts", "1", ready="notify", command=[sys.executable, "-c", script])
        service.expect(r"worker (\d+) \(slot 0, generation 1\) is ready")
        service.expect("serves")
        service.expect("exited with status 7 after serving")

    def test_the_last_words_of_many_that_exit_together_come_before_their_exits(self):
        service = self.start("-n", "30", command=["sh", "-c", "echo >&$READY_FD; exit 7"])
        service.log.expect_count("exited with status 7", 30)
        self.assertEqual(service.log.count("before it was ready"), 0)

    @unittest.skipUnless(os.getuid() == 0, "LOUD: only root can be somebody else")
    def test_a_message_of_a_foreign_user_does_not_count(self):
        service, client = self.silent()
        address = client.getpeername()
        nobody = pwd.getpwnam("nobody").pw_uid
        child = os.fork()
        if child == 0:
            os.setuid(nobody)
            stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            stranger.sendto(b"READY=1", address)
            os._exit(0)
        os.waitpid(child, 0)
        self.assert_closed(self.send_with_descriptor(client, b"BARRIER=1"))
        self.assertEqual(service.log.count("is ready"), 0)

    @unittest.skipUnless(os.getuid() == 0, "LOUD: only root can be somebody else")
    def test_a_worker_that_has_changed_its_user_is_understood(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        script = (
            f"import os, signal, socket\nos.setuid({nobody})\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.sendto(b'READY=1', '\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
            "signal.pause()"
        )
        self.start(ready="notify", command=[sys.executable, "-c", script]).serving()

    def test_a_worker_that_asks_for_time_gets_it(self):
        service, client = self.silent("--ready-timeout", "3s", "--start-attempts", "1")
        client.send(b"EXTEND_TIMEOUT_USEC=60000000")
        # Longer than the ready timeout of a second service that is started after the first has its time.
        other = self.start("--ready-timeout", "4s", "--start-attempts", "1", command=SILENT)
        other.expect("start failed")
        other.wait()
        client.send(b"READY=1")
        service.serving()

    def test_a_reload_can_be_asked_for_by_a_worker_that_is_allowed_to(self):
        script = ["sh", "-c", "echo $NOTIFY_SOCKET >&2; systemd-notify --ready; exec tail -f /dev/null"]
        service, client = self.silent("--allow-worker-reload", command=script)
        service.serving()
        client.send(b"X_ROOST_RELOAD=1")
        service.expect(r"reload requested by worker \d+ \(slot 0, generation 1\)$")
        self.assertIn("succeeded", service.verdict())

    def test_a_reload_that_a_worker_may_not_ask_for_is_told_and_not_done(self):
        service, client = self.silent()
        client.send(b"X_ROOST_RELOAD=1\nREADY=1")
        service.expect("asked for a reload, which --allow-worker-reload would allow")
        service.stop()
        self.assertEqual(service.log.count("began"), 0)


class OtherReadiness(RoostTestCase):
    def test_a_line_on_the_pipe_says_ready_and_half_a_line_does_not(self):
        fifo = self.folder / "go"
        os.mkfifo(fifo)
        script = f"printf half >&$READY_FD; read go < {fifo}; echo >&$READY_FD; exec tail -f /dev/null"
        service = self.start(command=["sh", "-c", script])
        service.expect("started")
        fifo.write_text("go\n")
        service.expect("is ready after")

    def test_a_closed_pipe_does_not_say_ready(self):
        service = self.start("--ready-timeout", "300ms", "--start-attempts", "1", command=["sh", "-c", "exec 3>&-; exec tail -f /dev/null"])
        service.expect("start failed: .* was not ready within 300ms")
        service.wait()

    def test_without_a_channel_a_worker_is_ready_at_its_age(self):
        service = self.start("--ready-after", "200ms", ready="none", command=SILENT)
        after = int(service.expect(r"is ready after (\d+) ms")[1])
        self.assertGreaterEqual(after, 200)
