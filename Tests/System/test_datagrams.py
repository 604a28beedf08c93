"""Listeners for datagrams, as servers of QUIC need them: each is answered, whatever becomes of the workers."""

import collections
import os
import signal
import socket
import sys
import threading

from harness import PATIENCE
from test_reuseport import ReuseportTestCase, state

# Sends each datagram back, with its slot before it. It stops to receive in the moment of the stop signal.
ECHO = """
import os, select, signal, socket
echo = socket.socket(fileno=3)
echo.setblocking(False)
echo.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
wake, other_end = os.pipe()
os.set_blocking(other_end, False)
signal.set_wakeup_fd(other_end)
signal.signal(signal.SIGTERM, lambda *_: None)
os.write(int(os.environ["READY_FD"]), b"\\n")
slot = os.environ["ROOST_SLOT"].encode()
while wake not in select.select([echo, wake], [], [])[0]:
    try:
        text, sender = echo.recvfrom(2048)
    except BlockingIOError:
        continue
    echo.sendto(slot + b" " + text, sender)
"""


class Clients:
    """Threads that send datagrams and count the answers. At most so many of each are on their way."""

    WINDOW = 16

    def __init__(self, address, count=4):
        host, port = address.removeprefix("udp:").rsplit(":", 1)
        self.place = (host.strip("[]"), int(port))
        self.over = threading.Event()
        self.sent = self.answered = 0
        # The slots that have answered, for each client.
        self.slots = [set() for _ in range(count)]
        self.lost = []
        self.threads = [threading.Thread(target=self.run, args=[index]) for index in range(count)]
        self.lock = threading.Lock()
        for thread in self.threads:
            thread.start()

    def run(self, index):
        family = socket.AF_INET6 if ":" in self.place[0] else socket.AF_INET
        number = 0
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect(self.place)
            while not self.over.is_set():
                expected = set(range(number, number + self.WINDOW))
                for each in expected:
                    client.send(b"%d" % each)
                number += self.WINDOW
                try:
                    while expected:
                        slot, each = client.recv(2048).split()
                        expected.remove(int(each))
                        self.slots[index].add(int(slot))
                except OSError as error:
                    self.lost.append(f"{len(expected)}: {error}")
                with self.lock:
                    self.sent += self.WINDOW
                    self.answered += self.WINDOW - len(expected)

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def slots_of_flows(address):
    """The slots that answer so many flows that of four slots none is left out by chance."""
    host, port = address.removeprefix("udp:").rsplit(":", 1)
    host = host.strip("[]")
    slots = set()
    for _ in range(128):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect((host, int(port)))
            client.send(b"x")
            slots.add(int(client.recv(100).split()[0]))
    return slots


class Datagrams(ReuseportTestCase):
    def echo(self, workers, options="", listen="udp:127.0.0.1:0"):
        service = self.start("-l", f"quic={listen}{options}", "-n", str(workers), command=[sys.executable, "-c", ECHO])
        address = service.address()
        self.assertRegex(address, "^udp:")
        return service.serving(), address

    def assert_all_answered(self, service, clients):
        clients.finish()
        self.assertGreater(clients.sent, 100)
        self.assertEqual((clients.answered, clients.lost), (clients.sent, []))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("warning|error"), 0)

    def test_every_datagram_is_answered_across_reloads(self):
        for listen in ["udp:127.0.0.1:0", "udp:[::1]:0", "udp:0"]:
            with self.subTest(listen):
                service, address = self.echo(2, listen=listen)
                clients = Clients(address.replace("[::]", "[::1]"))
                for _ in range(10):
                    self.assertIn("succeeded", service.reload())
                self.assert_all_answered(service, clients)

    def test_every_datagram_is_answered_across_reloads_and_a_flow_keeps_its_slot(self):
        for listen in ["udp:127.0.0.1:0", "udp:[::1]:0"]:
            with self.subTest(listen):
                service, address = self.echo(4, ",reuseport=true", listen)
                self.assertEqual(self.sockets(address, "-uan"), 4)
                clients = Clients(address, 24)
                for _ in range(10):
                    self.assertIn("succeeded", service.reload())
                self.assertEqual(slots_of_flows(address), {0, 1, 2, 3})
                self.assert_all_answered(service, clients)
                self.assertEqual([len(slots) for slots in clients.slots], [1] * 24)

    def test_a_dual_stack_socket_knows_flows_of_both_kinds(self):
        service, address = self.echo(4, ",reuseport=true", "udp:0")
        port = address.rsplit(":", 1)[1]
        both = [Clients(f"127.0.0.1:{port}", 24), Clients(f"[::1]:{port}", 24)]
        service.reload()
        for clients in both:
            clients.finish()
            self.assertEqual((clients.answered, clients.lost), (clients.sent, []))
            self.assertEqual([len(slots) for slots in clients.slots], [1] * 24)
        self.assertEqual(slots_of_flows(f"udp:127.0.0.1:{port}"), {0, 1, 2, 3})
        self.assertEqual(slots_of_flows(f"udp:[::1]:{port}"), {0, 1, 2, 3})

    def test_every_datagram_is_answered_while_the_number_of_workers_changes(self):
        service, address = self.echo(1, ",reuseport=true")
        clients = Clients(address, 8)
        for round in range(5):
            self.scale(service, 4)
            service.log.expect_count(r"slot 3, generation 1\) is ready", round + 1)
            self.scale(service, 1)
            service.log.expect_count(r"slot 1, generation 1\) drained", round + 1)
        self.assert_all_answered(service, clients)

    def test_datagrams_that_wait_for_a_slot_that_goes_are_received_before_its_worker_is_told_to_drain(self):
        service, address = self.echo(2, ",reuseport=true")
        worker = service.worker(1)
        os.kill(worker, signal.SIGSTOP)
        self.eventually(lambda: self.assertEqual(state(worker), "T"))
        host, port = address.removeprefix("udp:").rsplit(":", 1)
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(24)]
        for client in clients:
            self.addCleanup(client.close)
            client.settimeout(PATIENCE)
            client.connect((host, int(port)))
            client.send(b"x")
        self.scale(service, 1)
        self.assertEqual(self.states(service), ["ready", "stopped"])
        os.kill(worker, signal.SIGCONT)
        answered = collections.Counter(client.recv(100) for client in clients)
        self.assertEqual(set(answered), {b"0 x", b"1 x"})
        self.assertEqual(sum(answered.values()), 24)
        service.expect(r"slot 1, generation 1\) drained and exited with status 0")
        for client in clients:
            client.send(b"y")
        self.assertEqual({client.recv(100) for client in clients}, {b"0 y"})

    def test_two_services_do_not_share_an_address(self):
        service, address = self.echo(1)
        second = self.start("-l", f"quic={address}", command=[sys.executable, "-c", ECHO])
        second.expect("cannot listen on quic=udp:127.0.0.1:\\d+: Address already in use")
        self.assertEqual(second.wait(), 78)

    def test_a_socket_for_datagrams_is_adopted_from_systemd(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quic:
            quic.bind(("127.0.0.1", 0))
            place = f'exec 3<&{quic.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=quic; exec "$@"'
            service = self.start(
                "-l", "systemd:quic", command=[sys.executable, "-c", ECHO], launcher=["sh", "-c", place, "sh"], pass_fds=[quic.fileno()]
            )
            address = service.address()
            self.assertEqual(address, f"udp:127.0.0.1:{quic.getsockname()[1]}")
            service.serving()
        clients = Clients(address)
        self.assertIn("succeeded", service.reload())
        self.assert_all_answered(service, clients)
