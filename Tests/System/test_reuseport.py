"""Listeners with a socket for each slot: what waits in one is served, whatever becomes of the slot."""

import collections
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

from harness import ANSWERED, DEMO_WORKER, PATIENCE, ROOST, Load, RoostTestCase, held, state
from surroundings import needs_open_files

# Answers each connection with its slot, generation and processor. It stops to accept in the moment of the stop signal, and
# drops nothing that it has accepted.
SERVER = """
import os, select, signal, socket, sys
listener = socket.socket(fileno=3)
wake, other_end = os.pipe()
os.set_blocking(other_end, False)
signal.set_wakeup_fd(other_end)
signal.signal(signal.SIGTERM, lambda *_: None)
reads = "defer" in sys.argv
if reads:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
if "shrink" in sys.argv:
    listener.listen(1)
exec(os.environ.get("BEFORE_READY", ""))
os.write(int(os.environ["READY_FD"]), b"\\n")
answer = " ".join([os.environ["ROOST_SLOT"], os.environ["ROOST_GENERATION"], str(listener.getsockopt(socket.SOL_SOCKET, 49))])
while wake not in select.select([listener, wake], [], [])[0]:
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        continue
    client.setblocking(True)
    if reads:
        client.recv(1)
    client.sendall(answer.encode())
    client.close()
"""


def connect(address, count=1):
    host, port = address.rsplit(":", 1)
    return [socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE) for _ in range(count)]


def answer(client):
    """Slot, generation and processor of whoever has answered."""
    with client:
        text = b""
        while part := client.recv(100):
            text += part
    slot, generation, processor = text.split()
    return int(slot), int(generation), int(processor)


def slots(clients):
    """How many were answered by each slot."""
    return collections.Counter(answer(client)[0] for client in clients)


class ReuseportTestCase(RoostTestCase):
    def served(self, workers, *arguments, options="", listen="127.0.0.1:0", server=(), **popen):
        command = [sys.executable, "-c", SERVER, *server]
        listen = f"web={listen},nonblocking=true,reuseport=true{options}"
        service = self.start("-l", listen, "-n", str(workers), *arguments, command=command, **popen)
        address = service.address()
        return service.serving(), address

    def roost(self, service, *arguments):
        result = subprocess.run(
            [ROOST, *arguments, "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE
        )
        # A slot whose worker is stopped or on its way has nobody who serves, and status says so.
        self.assertIn(result.returncode, ANSWERED if arguments[0] == "status" else (0,), result)
        return result.stdout

    def scale(self, service, workers):
        self.roost(service, "scale", str(workers))

    def status(self, service):
        return json.loads(self.roost(service, "status", "--json"))

    def listener(self, service):
        return self.status(service)["listeners"][0]

    def states(self, service):
        return [worker["state"] for worker in self.status(service)["workers"]]

    def sockets(self, address, options="-tln"):
        """How many sockets listen there."""
        port = address.rsplit(":", 1)[1]
        return len(subprocess.run(["ss", options + "H", f"sport = {port}"], capture_output=True, text=True).stdout.splitlines())

    def socket_of(self, pid):
        return os.readlink(f"/proc/{pid}/fd/3")

    def stopped_with_queue(self, service, address, slot=1, count=60):
        """Stops a slot's worker, and returns connections of which some wait for it, with their number."""
        worker = service.worker(slot)
        os.kill(worker, signal.SIGSTOP)
        self.eventually(lambda: self.assertEqual(state(worker), "T"))
        clients = connect(address, count)
        others = []

        def settled():
            others[:] = [client for client in clients if self.is_answered(client)]
            self.assertEqual(self.listener(service)["queued"], count - len(others))

        self.eventually(settled)
        waiting = count - len(others)
        self.assertGreater(waiting, 0)
        self.assertLess(waiting, count)
        return clients, waiting

    def is_answered(self, client):
        client.setblocking(False)
        try:
            return client.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return False
        finally:
            client.settimeout(PATIENCE)


class Sockets(ReuseportTestCase):
    def test_each_slot_has_a_socket_of_its_own_which_its_next_workers_inherit(self):
        service, address = self.served(3)
        before = [self.socket_of(service.worker(slot)) for slot in range(3)]
        self.assertEqual(len(set(before)), 3)
        self.assertEqual(self.sockets(address), 3)
        service.reload()
        self.assertEqual([self.socket_of(service.worker(slot)) for slot in range(3)], before)
        os.kill(service.worker(1), signal.SIGKILL)
        service.expect(r"slot 1, generation 2\) is ready")
        self.assertEqual(self.socket_of(service.worker(1)), before[1])

    @needs_open_files(1024)
    def test_connections_are_spread_over_all_slots(self):
        for listen in ["127.0.0.1:0", "[::1]:0", "0"]:
            with self.subTest(listen):
                service, address = self.served(4, listen=listen)
                answered = slots(connect(address, 400))
                self.assertEqual(sorted(answered), [0, 1, 2, 3])
                # A fourth each, by chance: six standard deviations.
                self.assertGreater(min(answered.values()), 50)
                self.assertEqual(service.stop(), 0)

    def test_the_address_of_somebody_else_is_not_joined(self):
        for kind, prefix in [(socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "udp:")]:
            with socket.socket(socket.AF_INET, kind) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                other.bind(("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    other.listen()
                service = self.start("-l", f"web={prefix}127.0.0.1:{other.getsockname()[1]},reuseport=true")
                service.expect(f"cannot listen on web={prefix}127.0.0.1:\\d+: Address already in use")
                self.assertEqual(service.wait(), 78)

    def test_queues_and_limits_add_up_and_a_backlog_that_workers_have_shrunk_is_restored_in_all(self):
        service, address = self.served(3, options=",backlog=100", server=["shrink"])
        self.assertEqual(
            self.listener(service),
            {"name": "web", "address": address, "queued": 0, "limit": 300, "peak": 0, "dropped": 0, "unreachable": None},
        )
        for slot in range(3):
            os.kill(service.worker(slot), signal.SIGSTOP)
            self.eventually(lambda: self.assertEqual(state(service.worker(slot)), "T"))
        clients = connect(address, 90)
        self.eventually(lambda: self.assertEqual(self.listener(service)["queued"], 90))
        self.assertEqual(self.listener(service)["peak"], 90)
        for slot in range(3):
            os.kill(service.worker(slot), signal.SIGCONT)
        self.assertEqual(sum(slots(clients).values()), 90)

    def test_no_connection_waits_for_a_slot_whose_worker_is_gone(self):
        # The worker of slot 1 dies once it was ready, and is waited for by nobody while it backs off.
        dies = 'import pathlib\nif os.environ["ROOST_SLOT"] == "1" and pathlib.Path(os.environ["FLAG"]).exists(): sys.exit(3)'
        flag = self.folder / "flag"
        service, address = self.served(3, env=dict(os.environ, BEFORE_READY=dies, FLAG=str(flag)))
        flag.touch()
        os.kill(service.worker(1), signal.SIGKILL)
        service.expect(r"slot 1, generation 1\) exited with status 3 before it was ready; starting another in 100ms")
        answered = slots(connect(address, 200))
        self.assertEqual(sorted(answered), [0, 2])
        flag.unlink()
        service.expect(r"slot 1, generation 1\) is ready")
        self.eventually(lambda: self.assertIn(1, slots(connect(address, 20))))

    def test_a_slot_has_the_connections_of_its_processor(self):
        processors = sorted(os.sched_getaffinity(0))
        if processors[:2] != [0, 1]:
            self.skipTest("needs the processors 0 and 1")
        command = [sys.executable, "-c", SERVER]
        service = self.start("-l", "web=127.0.0.1:0,nonblocking=true,reuseport=cpu", "-n", "2", command=command)
        address = service.address()
        service.serving()
        self.addCleanup(os.sched_setaffinity, 0, processors)
        for processor in [0, 1, 0]:
            os.sched_setaffinity(0, [processor])
            answers = [answer(client) for client in connect(address, 30)]
            self.assertEqual(answers, [(processor, 1, processor)] * 30)


class Scaling(ReuseportTestCase):
    def test_slots_that_go_take_their_sockets_with_them_and_come_back(self):
        service, address = self.served(1)
        for round in range(3):
            self.scale(service, 5)
            service.log.expect_count(r"slot 4, generation 1\) is ready", round + 1)
            self.assertEqual(self.sockets(address), 5)
            self.eventually(lambda: self.assertEqual(sorted(slots(connect(address, 100))), [0, 1, 2, 3, 4]))
            self.scale(service, 1)
            self.eventually(lambda: self.assertEqual(self.sockets(address), 1))
            self.assertEqual(slots(connect(address, 20)), {0: 20})
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("warning|error"), 0)

    def test_what_waits_for_a_slot_that_goes_is_accepted_before_its_worker_is_told_to_drain(self):
        service, address = self.served(2)
        clients, waiting = self.stopped_with_queue(service, address)
        self.scale(service, 1)
        self.assertEqual(self.states(service), ["ready", "stopped"])
        # Nothing new waits there.
        self.assertEqual(slots(connect(address, 100)), {0: 100})
        self.assertEqual(self.listener(service)["queued"], waiting)
        self.assertEqual(service.log.count("SIGTERM"), 0)
        os.kill(service.worker(1), signal.SIGCONT)
        self.assertEqual(slots(clients), {0: len(clients) - waiting, 1: waiting})
        service.expect(r"slot 1, generation 1\) drained and exited with status 0")
        self.eventually(lambda: self.assertEqual(self.sockets(address), 1))

    def test_handshakes_that_have_begun_are_waited_for(self):
        service, address = self.served(2, server=["defer"])
        # With TCP_DEFER_ACCEPT a handshake ends when the first byte comes.
        clients = connect(address, 40)
        port = address.rsplit(":", 1)[1]
        listed = subprocess.run(["ss", "-tnH", "state", "syn-recv", f"sport = {port}"], capture_output=True, text=True)
        self.assertEqual(len(listed.stdout.splitlines()), 40)
        self.scale(service, 1)
        for _ in range(5):
            self.assertEqual(self.states(service), ["ready", "emptying"])
        for client in clients:
            client.send(b"x")
        answered = slots(clients)
        self.assertEqual(sum(answered.values()), 40)
        self.assertGreater(answered[1], 0)
        service.expect(r"slot 1, generation 1\) drained and exited with status 0")

    def test_when_the_worker_dies_before_its_queue_is_empty_another_empties_it(self):
        service, address = self.served(2)
        clients, waiting = self.stopped_with_queue(service, address)
        self.scale(service, 1)
        os.kill(service.worker(1), signal.SIGKILL)
        service.expect(r"slot 1, generation 1\) was killed by SIGKILL after serving .*; starting another$")
        self.assertEqual(slots(clients), {0: len(clients) - waiting, 1: waiting})
        service.expect(r"slot 1, generation 1\) drained and exited with status 0")
        self.eventually(lambda: self.assertEqual(self.sockets(address), 1))

    def test_a_slot_that_is_wanted_again_stays(self):
        service, address = self.served(2)
        clients, waiting = self.stopped_with_queue(service, address)
        self.scale(service, 1)
        self.scale(service, 2)
        self.assertEqual(self.states(service), ["ready", "stopped"])
        os.kill(service.worker(1), signal.SIGCONT)
        self.assertEqual(slots(clients), {0: len(clients) - waiting, 1: waiting})
        self.assertEqual(self.states(service), ["ready", "ready"])
        self.assertEqual(sorted(slots(connect(address, 50))), [0, 1])
        self.assertEqual(service.log.count("SIGTERM"), 0)

    def test_a_reload_takes_a_slot_along_whose_queue_is_not_empty(self):
        service, address = self.served(2)
        clients, waiting = self.stopped_with_queue(service, address)
        with held(service.worker(1)):
            self.scale(service, 1)
            self.assertIn("succeeded", service.reload())
            # The next worker of the slot serves what has waited for the one that hangs.
            self.assertEqual(slots(clients), {0: len(clients) - waiting, 1: waiting})
            service.expect(r"slot 1, generation 2\) drained and exited with status 0")
            self.assertEqual(self.sockets(address), 2, "a process has it that may still accept")
        service.expect(r"slot 1, generation 1\) drained and exited with status 0")
        self.eventually(lambda: self.assertEqual(self.sockets(address), 1))

    def test_a_queue_that_is_not_emptied_in_time_is_told_and_reset(self):
        service, address = self.served(2, "--drain-timeout", "1s")
        clients, waiting = self.stopped_with_queue(service, address)
        with held(service.worker(1)):
            self.scale(service, 1)
            service.expect("warning slot 1 is removed although connections may be waiting for it: its worker did not accept them within 1s")
            service.expect(r"slot 1, generation 1\) was sent SIGTERM")
            service.expect(r"slot 1, generation 1\) did not drain within 1s")
        self.eventually(lambda: self.assertEqual(self.sockets(address), 1))
        outcomes = collections.Counter()
        for client in clients:
            try:
                outcomes[answer(client)[0]] += 1
            except ConnectionResetError:
                outcomes["reset"] += 1
        self.assertEqual(outcomes, {0: len(clients) - waiting, "reset": waiting})

    def test_a_failed_reload_with_more_workers_leaves_nothing_behind(self):
        file = self.folder / "web.toml"
        fails = 'if os.environ["ROOST_SLOT"] == "3": sys.exit(3)'

        def configure(workers):
            file.write_text(
                f'name = "web"\nworkers = {workers}\nready = "pipe"\nsettle = "0s"\n'
                f'listen = ["web=127.0.0.1:0,nonblocking=true,reuseport=true"]\n'
                f"command = {json.dumps([sys.executable, '-c', SERVER])}\n"
                f"environment = {{ BEFORE_READY = {json.dumps(fails)} }}\n"
            )

        configure(2)
        service = self.start_bare("--config", str(file))
        address = service.address()
        service.serving()
        configure(4)
        self.assertIn("slot 3) exited with status 3 before it was ready", service.reload())
        self.eventually(lambda: self.assertEqual(self.sockets(address), 2))
        self.assertEqual(sorted(slots(connect(address, 60))), [0, 1])
        configure(3)
        self.assertIn("succeeded", service.reload())
        self.eventually(lambda: self.assertEqual(sorted(slots(connect(address, 60))), [0, 1, 2]))


class UnderLoad(ReuseportTestCase):
    """The demo worker under real requests, counted exactly."""

    def demo(self, workers):
        service = self.start("-l", "http=127.0.0.1:0,reuseport=true", "-n", str(workers), ready="notify", command=[DEMO_WORKER])
        address = service.address()
        return service.serving(), address, Load(address)

    def assert_nothing_lost(self, service, load):
        result = load.finish()
        self.assertEqual(result["failures"], 0, result)
        self.assertGreater(result["keptAlive"], 0)
        self.assertGreater(result["new"], 0)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("warning|error"), 0)

    def test_a_hundred_reloads_of_four_slots_lose_nothing(self):
        service, address, load = self.demo(4)
        for _ in range(100):
            self.assertIn("succeeded", service.reload())
        self.assert_nothing_lost(service, load)

    def test_scaling_from_one_to_eight_and_back_loses_nothing(self):
        service, address, load = self.demo(1)
        for round in range(5):
            self.scale(service, 8)
            service.log.expect_count(r"slot 7, generation 1\) is ready", round + 1)
            self.scale(service, 1)
            service.log.expect_count(r"slot 1, generation 1\) drained", round + 1)
        self.eventually(lambda: self.assertEqual(self.sockets(address), 1))
        self.assert_nothing_lost(service, load)

    def test_scaling_between_and_during_reloads_loses_nothing(self):
        service, address, load = self.demo(2)
        for _ in range(5):
            service.signal(signal.SIGHUP)
            self.scale(service, 4)
            service.signal(signal.SIGHUP)
            self.scale(service, 2)
            service.signal(signal.SIGHUP)
            self.assertIn("succeeded", service.verdict())
        self.eventually(lambda: self.assertEqual(self.states(service), ["ready", "ready"]))
        self.assert_nothing_lost(service, load)


class Mixtures(ReuseportTestCase):
    """With what else happens to slots and listeners."""

    def test_a_stop_while_a_slot_is_emptied(self):
        before = (
            "import time\nif os.environ['ROOST_SLOT'] == '1':\n"
            "    os.write(int(os.environ['READY_FD']), b'\\n')\n"
            "    while True: signal.pause()"
        )
        service, address = self.served(2, "--drain-timeout", "3s", env=dict(os.environ, BEFORE_READY=before))
        clients = connect(address, 16)
        self.roost(service, "scale", "1")
        self.eventually(lambda: self.assertIn("emptying", self.roost(service, "status")))
        service.signal(signal.SIGTERM)
        # Until then queues would be looked at many times.
        service.expect(r"\(slot 1, generation 1\) did not drain within 3s: killing")
        self.assertEqual(service.wait(), 0)
        for client in clients:
            client.close()

    def roll(self, ending):
        """Rolls from the listener a to b over two slots. Returns how many connections to a were answered, of how many."""
        file, addresses = self.folder / "web.toml", [free_address(), free_address()]

        def configure(listener):
            command = json.dumps([sys.executable, str(self.script(ending + SERVER))])
            file.write_text(
                f'command = {command}\nready = "pipe"\n'
                'workers = 2\nsurge = 1\nsettle = "1s"\n'
                f'drain-timeout = "40s"\nlisten = ["{listener},reuseport=true,nonblocking=true"]\n'
            )

        configure(f"a={addresses[0]}")
        service = self.start_bare("--config", str(file)).serving()
        configure(f"b={addresses[1]}")
        reloading = subprocess.Popen([ROOST, "reload", "-q", "--control-directory", service.control], stderr=subprocess.DEVNULL)
        clients = []
        while reloading.poll() is None:
            try:
                clients += connect(addresses[0])
            except ConnectionRefusedError:
                break  # The roll is over, and a is gone.
            time.sleep(0.02)
        self.assertGreater(len(clients), 20)
        # An answer or a reset: nothing is left hanging.
        generations = collections.Counter(answer(client)[1] for client in clients)
        return service, addresses, reloading.wait(PATIENCE), generations

    def test_a_roll_to_another_listener_loses_nobody(self):
        _, addresses, status, generations = self.roll("")
        self.assertEqual((status, set(generations)), (0, {1}))
        self.assertEqual(len(slots(connect(addresses[1], 40))), 2)

    def test_a_roll_that_stops_half_way_leaves_each_listener_to_those_who_have_it(self):
        service, addresses, status, generations = self.roll(
            "import os, sys\nif os.environ['ROOST_GENERATION'] == '2' and os.environ['ROOST_SLOT'] == '1': sys.exit(3)\n"
        )
        self.assertEqual((status, set(generations)), (1, {1}))
        for address, slot in zip(addresses, [1, 0], strict=True):
            self.assertEqual(slots(connect(address, 20)), {slot: 20})


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


if __name__ == "__main__":
    unittest.main()
