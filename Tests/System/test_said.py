"""What a worker can have the master say is bounded."""

import sys

from harness import RoostTestCase

# Asks for a reload without end, and says when it has done so often.
ASKS = """
import os, socket, sys, time
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
client.send(b"READY=1")
for _ in range(5000):
    client.send(b"X_ROOST_RELOAD=1")
client.send(b"STATUS=asked")
print("asked", file=sys.stderr, flush=True)
time.sleep(3600)
"""


class Reloads(RoostTestCase):
    def asked(self, *arguments, settle="0s"):
        service = self.start(*arguments, ready="notify", settle=settle, command=[sys.executable, "-c", ASKS])
        service.log.expect_count("^asked$", 1)
        return service

    def test_one_that_may_not_ask_for_reloads_is_told_so_once(self):
        service = self.asked()
        service.expect("asked for a reload, which --allow-worker-reload would allow")
        # Every message was handled by now: each takes its room in the queue.
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.log.count("asked for a reload"), 1)

    def test_one_that_may_ask_is_heard_once_while_a_reload_runs(self):
        service = self.asked("--allow-worker-reload", settle="1h")
        self.assertEqual(service.stop(), 0)
        # By the worker and by its successor, before and while a reload runs.
        self.assertLessEqual(service.log.count("reload requested by worker"), 4)

    def test_one_whose_reloads_fail_at_once_is_not_heard_without_end(self):
        script = self.script(f"#!{sys.executable}\n" + ASKS.replace("range(5000)", "range(50000)"))
        service = self.start("--allow-worker-reload", ready="notify", command=[str(script)])
        # Its program was read by now.
        service.serving()
        script.unlink()
        service.log.expect_count("^asked$", 1)
        self.assertEqual(service.stop(), 0)
        self.assertLess(len(service.log.lines), 200)


class Flags(RoostTestCase):
    def test_a_candidate_that_has_the_listener_stop_to_block_is_told(self):
        script = self.script("#!/bin/sh\necho >&$READY_FD\nexec tail -f /dev/null\n")
        service = self.start("--listen", "127.0.0.1:0", command=[str(script)]).serving()
        script.write_text(f"#!{sys.executable}\nimport os\nos.set_blocking(3, False)\nos._exit(5)\n")
        self.assertIn("exited with status 5 before it was ready", service.reload())
        service.log.expect_count(r" warning tcp-0=.* no longer blocks: a worker of generation 2 has set O_NONBLOCK", 1)
