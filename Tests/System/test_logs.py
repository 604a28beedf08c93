"""`roost logs` without a journal: what the master has kept of what its workers wrote."""

import os
import signal
import unittest

from harness import RoostTestCase
from test_control import Client, roost

SAYS = "echo before; echo one >&2; printf 'two \\033[31m\\n' >&2; echo >&$READY_FD; exec tail -f /dev/null"


class Logs(RoostTestCase):
    def serving(self, text=SAYS, *arguments):
        self.script("#!/bin/sh\n" + text)
        return self.start("--name", "web", *arguments, command=[str(self.folder / "server")]).serving()

    def logs(self, service, *arguments):
        return roost("logs", "web", "--control-directory", service.control, *arguments)

    def outputs(self, service):
        client = Client(service)
        self.addCleanup(client.close)
        return client.call("roost.Control.Logs")["parameters"]["outputs"]

    def shown(self, service, *arguments):
        result = self.logs(service, *arguments)
        self.assertEqual(
            (result.returncode, result.stderr), (0, "roost: the service web doesn't write to the journal; the last lines of its workers:\n")
        )
        return result.stdout

    def test_the_last_lines_of_each_worker_are_shown(self):
        service = self.serving(SAYS, "-n", "2")
        pids = [service.worker(slot) for slot in range(2)]
        # What it does to a terminal is gone.
        expected = [
            {"pid": pid, "slot": slot, "generation": 1, "hasExited": False, "lines": ["one", "two [31m"]} for slot, pid in enumerate(pids)
        ]
        # It says so and that it is ready by different ways.
        self.eventually(lambda: self.assertEqual(self.outputs(service), expected))
        self.assertEqual(
            self.shown(service),
            "".join(f"worker {pid} (slot {slot}, generation 1):\n  | one\n  | two [31m\n" for slot, pid in enumerate(pids)),
        )
        self.assertEqual(self.shown(service, "-n", "1").count("  | "), 2)

    def test_those_that_are_gone_are_remembered_also_over_an_upgrade(self):
        service = self.serving(
            "echo I am $$ >&2; echo >&$READY_FD; exec tail -f /dev/null", "--restart-delay", "1ms", "--restart-delay-limit", "1ms"
        )
        killed = []
        for count in range(1, 13):
            killed.append(service.worker())
            os.kill(killed[-1], signal.SIGKILL)
            service.log.expect_count("is ready after", count + 1)

        def assert_remembered():
            outputs = self.outputs(service)
            # Not of all time.
            self.assertEqual([(output["pid"], output["hasExited"]) for output in outputs[:-1]], [(pid, True) for pid in killed[-10:]])
            self.assertEqual([output["lines"] for output in outputs], [[f"I am {output['pid']}"] for output in outputs])
            self.assertEqual((outputs[-1]["pid"], outputs[-1]["hasExited"]), (service.worker(), False))

        self.eventually(assert_remembered)
        self.assertEqual(roost("upgrade", "--control-directory", service.control).returncode, 0)
        assert_remembered()
        self.assertIn(f"worker {killed[-1]} (slot 0, generation 1), which has exited:\n  | I am {killed[-1]}\n", self.shown(service))

    def test_a_failed_reload_is_told_with_its_last_words(self):
        service = self.serving()
        self.script("#!/bin/sh\necho 'no such table' >&2; exit 3")
        self.assertIn("failed", service.reload())
        self.assertRegex(self.shown(service), r"\nreload to generation 2 failed .* exited with status 3 .*\n  \| no such table\n$")

    def test_a_worker_that_writes_to_stderr_itself_is_told(self):
        service = self.serving(SAYS, "--direct-stderr")
        self.assertIsNone(self.outputs(service)[0]["lines"])
        self.assertIn("writes to the master's stderr itself (direct-stderr)\n", self.shown(service))

    def test_many_workers_tell_fewer_lines(self):
        service = self.serving(
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >&2; done; echo >&$READY_FD; exec tail -f /dev/null", "-n", "2"
        )
        last = [str(number) for number in range(3, 13)]
        self.eventually(lambda: self.assertEqual([output["lines"] for output in self.outputs(service)], [last] * 2))

    def test_there_is_nothing_to_follow_or_to_search(self):
        service = self.serving()
        for arguments, word in [["-f"], "follow"], [["--since", "today"], "search"]:
            result = self.logs(service, *arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn(f"the service web doesn't write to the journal, so there is nothing to {word}: ", result.stderr)

    def test_a_service_that_is_not_running_and_has_no_journal(self):
        result = roost("logs", "roost-test-that-never-was")
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("the service roost-test-that-never-was is not running", result.stderr)
        result = roost("logs", "--control-directory", str(self.folder / "nowhere"))
        self.assertEqual((result.returncode, result.stdout), (3, ""))

    def test_usage(self):
        self.assertEqual(roost("logs", "web", "-n", "-1").returncode, 64)


if __name__ == "__main__":
    unittest.main()
