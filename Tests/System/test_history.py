"""What is recorded of the releases that have served, and what comes back of it: after restarts, by hand and by itself."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from harness import PATIENCE, ROOST, RoostTestCase, eventually, wait_for_exit

# Says of which release it is and what it was given, and is ready at once.
SERVER = """#!/bin/sh
echo "release {name} with '$SETTING'" >&2
{before}
echo >&$READY_FD
exec tail -f /dev/null
"""
EXITS, HANGS = "exit 3", "exec tail -f /dev/null"


class HistoryTestCase(RoostTestCase):
    """Releases are directories, and a link says which one is configured."""

    def setUp(self):
        super().setUp()
        # By a path that is resolved itself, to be compared with.
        self.root = pathlib.Path(os.path.realpath(self.folder))
        self.current = self.root / "current"
        self.state = self.root / "state"
        self.file = self.root / "web.toml"
        self.state.mkdir(mode=0o700)

    @property
    def record(self):
        return self.state / "history.json"

    def recorded(self):
        return json.loads(self.record.read_text())["history"]

    def release(self, name, before=""):
        """A release whose server does something before it is ready."""
        path = self.root / name
        path.mkdir(exist_ok=True)
        server = path / "server"
        server.write_text(SERVER.format(name=name, before=before))
        server.chmod(0o755)
        return path

    def deploy(self, name, before=""):
        self.release(name, before)
        following = self.root / "next"
        following.symlink_to(name)
        following.rename(self.current)

    def configure(self, **options):
        options = {
            "ready": '"pipe"',
            "settle": '"0s"',
            "restart-delay": '"1ms"',
            "restart-delay-limit": '"5ms"',
            "environment": '{ SETTING = "first" }',
            "state-directory": f'"{self.state}"',
            **options,
        }
        lines = [f'command = ["{self.current}/server"]', *(f"{name} = {value}" for name, value in options.items())]
        self.file.write_text("\n".join(lines) + "\n")

    def run_service(self, *arguments, **popen):
        return self.start_bare("--config", str(self.file), "--name", "web", *arguments, **popen)

    def run_recorded(self, *arguments, **options):
        """A service whose first release has proved itself."""
        self.deploy("good")
        self.configure(probation='"0s"', **options)
        service = self.run_service(*arguments)
        service.expect("generation 1 has served for .*: it is the last good one from now on")
        self.written(lambda record: self.assertEqual(record["lastGood"], 1))
        return service

    def written(self, assertion):
        """The record is written by another process, after what it tells."""
        return eventually(lambda: assertion(self.recorded()), (AssertionError, FileNotFoundError, KeyError))

    def killed(self, service):
        """The master dies, and its workers with it."""
        children = service.children()
        service.signal(signal.SIGKILL)
        service.wait()
        for pid in children:
            wait_for_exit(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def roost(self, service, *arguments):
        return subprocess.run([ROOST, *arguments, "--control-directory", service.control], capture_output=True, text=True, timeout=PATIENCE)

    def status(self, service):
        """What it says, and its exit status."""
        result = self.roost(service, "status", "--json")
        return json.loads(result.stdout), result.returncode

    def history(self, service):
        return json.loads(self.roost(service, "history", "--json").stdout)

    def verdicts(self, service):
        return [(entry["generation"], entry["verdict"], entry["recordOf"]) for entry in self.history(service)["entries"]]

    def assert_serves(self, service, generation, *, record_of=None, divergence=None):
        found, status = self.status(service)
        self.assertEqual((found["generation"], found["divergence"], found["condition"]), (generation, divergence, "whole"))
        self.assertEqual(status, 0 if divergence is None else 1)
        entry = self.history(service)["entries"][-1] if record_of else None
        if entry:
            self.assertEqual((entry["generation"], entry["recordOf"]), (generation, record_of))


class Restarts(HistoryTestCase):
    def test_a_roll_that_stops_half_way_is_not_what_served_last(self):
        service = self.run_recorded(workers="2", surge="1")
        self.deploy("bad", 'mkdir "$0.first" 2>/dev/null || exit 3')
        self.assertRegex(service.reload(), "failed .*; 1 of 2 slots had moved to generation 2")
        self.written(lambda record: self.assertTrue(record["refused"]))
        self.assertEqual(self.verdicts(service), [(1, "served", None), (2, "failed", None)])
        self.killed(service)
        service = self.run_service()
        service.expect("generation 3 serves with 2 workers")
        self.assert_serves(service, 3, record_of=1, divergence="fell_back")

    def test_a_start_with_a_limit_gives_what_served_last_its_time(self):
        service = self.run_recorded(**{"start-limit": '"2s"'})
        self.assertEqual(service.stop(), 0)
        self.deploy("hanging", HANGS)
        service = self.run_service()
        service.expect("generation 2 can't be started: no generation got ready within 2s, .*; falling back to what generation 1 ran")
        service.expect("generation 3 serves")
        self.assert_serves(service, 3, record_of=1, divergence="fell_back")

    def test_the_number_of_a_reload_that_could_not_be_prepared_is_not_used_again(self):
        service = self.run_recorded()
        self.file.write_text(self.file.read_text() + "no-such-option = 1\n")
        self.assertIn("failed", service.reload())
        self.written(lambda record: self.assertEqual(record["newest"], 2))
        self.assertEqual(self.verdicts(service), [(1, "served", None), (2, "failed", None)])
        self.killed(service)
        service = self.run_service()
        service.expect("generation 3 serves")

    def test_the_number_of_a_reload_that_its_master_did_not_outlive_is_not_used_again(self):
        service = self.run_recorded()
        self.deploy("hanging", HANGS)
        service.signal(signal.SIGHUP)
        self.written(lambda record: self.assertEqual((record["newest"], record["entries"][-1]["verdict"]), (2, "starting")))
        self.killed(service)
        self.deploy("good")
        service = self.run_service()
        service.expect("generation 3 serves")

    def test_two_services_cannot_share_a_record(self):
        service = self.run_recorded()
        other = self.start_bare("--config", str(self.file), "--name", "other")
        other.expect("history.json is the record of another service; give each service its own directory")
        other.expect("generation 1 serves")
        other.expect("history.json is the record of another service; .* may not come back")
        self.assertEqual(json.loads(self.record.read_text())["service"], "web")
        self.assert_serves(service, 1)

    def test_a_refused_release_is_not_started_by_a_restart_until_a_reload_asks_for_it(self):
        service = self.run_recorded()
        self.deploy("bad", EXITS)
        self.assertIn("failed", service.reload())
        self.written(lambda record: self.assertTrue(record["refused"]))
        self.killed(service)
        service = self.run_service()
        service.expect(
            "generation 3 starts with what generation 1 ran, instead of what is configured: it can't be used, or couldn't get ready"
        )
        service.expect("generation 3 serves")
        self.assert_serves(service, 3, record_of=1, divergence="fell_back")
        self.assertEqual(service.log.count("release bad"), 0)
        # Asked for again it is tried, and refused again.
        self.assertEqual(self.roost(service, "reload", "-q").returncode, 1)
        service.log.expect_count("release bad", 1)
        self.assertEqual(service.log.count("release bad"), 1)
        self.deploy("mended")
        self.assertEqual(self.roost(service, "reload", "-q").returncode, 0)
        self.assert_serves(service, 5)

    def test_something_else_that_is_configured_is_started(self):
        service = self.run_recorded()
        self.deploy("bad", EXITS)
        self.assertIn("failed", service.reload())
        self.assertEqual(service.stop(), 0)
        self.deploy("better")
        service = self.run_service()
        service.expect("generation 3 serves")
        self.assert_serves(service, 3)
        service.log.expect_count("release better with 'first'", 1)

    def test_a_reload_that_failed_to_the_release_that_serves_refuses_nothing(self):
        needed = self.root / "database"
        needed.touch()
        self.deploy("good", f"test -e {needed} || exit 4")
        self.configure(probation='"0s"')
        service = self.run_service()
        service.expect("last good one")
        needed.unlink()
        self.assertIn("failed", service.reload())
        needed.touch()
        self.assertEqual(service.stop(), 0)
        service = self.run_service()
        service.expect("generation 3 serves")
        self.assert_serves(service, 3)
        self.assertEqual(service.log.count("instead of what is configured"), 0)

    def test_a_first_release_that_cannot_get_ready_is_replaced_by_the_last_good_one(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        self.deploy("bad", EXITS)
        service = self.run_service()
        service.expect(
            r"generation 2 can't be started: worker \d+ \(slot 0\) exited with status 3 before it was ready; falling back to what "
            "generation 1 ran, which served well, as generation 3"
        )
        service.expect("generation 3 serves")
        service.log.expect_count("release bad", 3)
        self.assertEqual(service.log.count("release bad"), 3)
        self.assert_serves(service, 3, record_of=1, divergence="fell_back")
        found, _ = self.status(service)
        self.assertRegex(found["trouble"], "^fell back to what generation 1 ran, not what is configured: .*exited with status 3")
        metrics = self.roost(service, "metrics").stdout
        self.assertRegex(metrics, r'roost_diverged\{service="web"\} 1\n')
        self.assertRegex(metrics, r'roost_fallbacks_total\{service="web"\} 1\n')

    def test_a_first_release_that_hangs_is_tried_once(self):
        self.assertEqual(self.run_recorded(**{"ready-timeout": '"1s"'}).stop(), 0)
        self.deploy("bad", HANGS)
        service = self.run_service()
        service.expect("generation 2 can't be started: .* was not ready within 1s.*; falling back to what generation 1 ran")
        service.expect("generation 3 serves")
        service.log.expect_count("release bad", 1)
        self.assertEqual(service.log.count("release bad"), 1)

    def test_a_release_that_is_not_there_and_a_broken_file_start_what_served_last(self):
        # Of a file that isn't TOML nobody can tell where it says that the record is.
        control = str(self.root / "control")
        place = ["--state-directory", str(self.state), "--control-directory", control]
        service = self.run_recorded(*place)
        self.killed(service)
        self.current.unlink()
        whole = self.file.read_text()
        file = rf"{self.file}:\d+:\d+: "
        for generation, text, trouble in (2, "", "No such file"), (3, "wrokers = 3\n", file), (4, "workers = [\n", file):
            with self.subTest(text):
                self.file.write_text(whole + text)
                service = self.run_service(*place)
                service.control = control
                service.expect(f"generation {generation} starts with what generation \\d ran, instead of what is configured")
                service.expect(f"generation {generation} serves")
                found, status = self.status(service)
                self.assertEqual((found["divergence"], status), ("fell_back", 1))
                self.assertRegex(found["trouble"], trouble)
                self.assertRegex(str(service.log), f" error .*({trouble})")
                self.assertEqual(service.stop(), 0)
                # Who doesn't want that gets none.
                self.assertEqual(self.run_service(*place, "--no-fallback").wait(), 78)

    def test_without_fallback_what_is_configured_is_started_or_nothing(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        self.deploy("bad", EXITS)
        service = self.run_service("--no-fallback", "--start-attempts", "5")
        self.assertEqual(service.wait(), 1)
        service.log.expect_count("release bad", 5)
        self.assertEqual(service.log.count("release bad"), 5)
        self.current.unlink()
        self.assertEqual(self.run_service("--no-fallback").wait(), 78)

    def test_a_start_limit_ends_what_cannot_get_ready(self):
        self.deploy("bad", EXITS)
        self.configure(**{"start-limit": '"1s"'})
        began = time.monotonic()
        service = self.run_service()
        service.expect("nothing serves: .* exited with status 3 before it was ready; trying again until it works")
        service.expect("start failed: no generation got ready within 1s, which is 'start-limit'")
        self.assertEqual(service.wait(), 1)
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_a_start_that_took_too_long_refuses_nothing_that_has_served(self):
        needed = self.root / "database"
        needed.touch()
        self.deploy("good", f"test -e {needed} || exit 4")
        self.configure(probation='"0s"', **{"start-limit": '"1s"'})
        service = self.run_service()
        service.expect("last good one")
        self.assertEqual(service.stop(), 0)
        needed.unlink()
        self.assertEqual(self.run_service().wait(), 1)
        needed.touch()
        service = self.run_service()
        service.expect("generation 3 serves")
        self.assert_serves(service, 3)

    def test_a_start_never_gives_up_while_a_dependency_is_away(self):
        needed = self.root / "database"
        self.deploy("good", f"test -e {needed} || exit 4")
        self.configure()
        service = self.run_service()
        service.log.expect_count("exited with status 4", 10)
        found, status = self.status(service)
        self.assertEqual((found["phase"], found["condition"], status), ("down", "down", 2))
        self.assertRegex(found["trouble"], "exited with status 4 before it was ready")
        needed.touch()
        service.expect("generation 1 serves")
        self.assert_serves(service, 1)

    def test_a_reload_that_fails_while_the_service_starts_is_not_blamed_for_the_start(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        self.deploy("bad", EXITS)
        # Slow enough that the reload comes before the third try.
        self.configure(**{"restart-delay": '"3s"', "restart-delay-limit": '"3s"'})
        service = self.run_service()
        service.expect("generation 2.* exited with status 3")
        self.deploy("worse", "exit 5")
        self.assertEqual(self.roost(service, "reload", "-q").returncode, 1)
        service.expect(r"generation 2 can't be started: .*status 3.*; falling back to what generation 1 ran, .*, as generation 4")
        service.expect("generation 4 serves")
        reasons = {entry["generation"]: entry["reason"] or "" for entry in self.history(service)["entries"]}
        self.assertIn("exited with status 3", reasons[2])
        self.assertIn("exited with status 5", reasons[3])

    def test_numbers_go_on(self):
        service = self.run_recorded()
        self.assertIn("succeeded", service.reload())
        # One that is being started has its number, too.
        self.deploy("hanging", HANGS)
        service.signal(signal.SIGHUP)
        service.log.expect_count("release hanging", 1)
        self.written(lambda record: self.assertEqual([entry["generation"] for entry in record["entries"]], [1, 2, 3]))
        self.killed(service)
        self.deploy("good")
        service = self.run_service()
        service.expect("generation 4 serves")
        self.assertEqual(self.verdicts(service), [(1, "served", None), (2, "served", None), (3, "failed", None), (4, "served", None)])
        self.assertIn("the master was gone", self.roost(service, "history").stdout)


class Rollback(HistoryTestCase):
    def second_release(self, **options):
        """A service that has gone on from a good release to another with another setting."""
        service = self.run_recorded(**options)
        self.deploy("second")
        self.configure(probation='"0s"', environment='{ SETTING = "second" }', **options)
        self.assertIn("succeeded", service.reload())
        service.expect("generation 2 has served")
        return service

    def crash(self, service, times):
        """The worker dies so often after it has got ready."""
        for count in range(times):
            os.kill(service.worker(), signal.SIGKILL)
            service.expect("was killed by SIGKILL after serving")
            if count < times - 1:
                service.expect("is ready after")

    def test_it_brings_back_what_served_with_its_own_configuration(self):
        service = self.second_release()
        service.log.expect_count("release second with 'second'", 1)
        result = self.roost(service, "rollback")
        self.assertEqual(result.returncode, 0, result.stderr)
        service.expect("rollback to generation 1 requested by process")
        service.log.expect_count("release good with 'first'", 2)
        self.assert_serves(service, 3, record_of=1, divergence="rolled_back")
        found, _ = self.status(service)
        self.assertEqual(found["trouble"], "what generation 1 ran serves, not what is configured")
        # And once more, to what isn't the same.
        self.assertEqual(self.roost(service, "rollback").returncode, 0)
        service.log.expect_count("release second with 'second'", 2)
        self.assert_serves(service, 4, record_of=2, divergence="rolled_back")
        self.assertEqual(self.roost(service, "reload", "-q").returncode, 0)
        self.assert_serves(service, 5)

    def test_it_goes_to_the_generation_that_is_named(self):
        service = self.second_release()
        self.deploy("third")
        self.assertIn("succeeded", service.reload())
        self.deploy("bad", EXITS)
        self.assertIn("failed", service.reload())
        self.assertEqual(self.roost(service, "rollback", "1").returncode, 0)
        service.log.expect_count("release good with 'first'", 2)
        self.assert_serves(service, 5, record_of=1, divergence="rolled_back")
        for wrong, reason in (4, "a generation 4 has served"), (99, "a generation 99 has served"):
            result = self.roost(service, "rollback", str(wrong))
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn(reason, result.stderr)
        self.assert_serves(service, 5, record_of=1, divergence="rolled_back")

    def test_with_nothing_to_go_back_to_it_says_so(self):
        service = self.run_recorded()
        result = self.roost(service, "rollback")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no record of another generation that has served; 'roost history' shows what is", result.stderr)

    def test_it_stays_over_a_restart_until_a_reload(self):
        service = self.second_release()
        self.assertEqual(self.roost(service, "rollback").returncode, 0)
        self.written(lambda record: self.assertTrue(record["refused"]))
        self.killed(service)
        service = self.run_service()
        service.expect("generation 4 serves")
        self.assert_serves(service, 4, divergence="rolled_back")
        service.log.expect_count("release good with 'first'", 1)
        self.assertEqual(service.stop(), 0)
        service = self.run_service()
        service.expect("generation 5 serves")
        self.assertEqual(self.roost(service, "reload", "-q").returncode, 0)
        self.assert_serves(service, 6)
        self.assertEqual(service.stop(), 0)
        service = self.run_service()
        service.expect("generation 7 serves")
        self.assert_serves(service, 7)
        service.log.expect_count("release second with 'second'", 1)

    def test_it_ends_when_something_else_is_configured(self):
        service = self.second_release()
        self.assertEqual(self.roost(service, "rollback").returncode, 0)
        self.assertEqual(service.stop(), 0)
        self.deploy("third")
        service = self.run_service()
        service.expect("generation 4 serves")
        self.assert_serves(service, 4)
        service.log.expect_count("release third with 'second'", 1)

    def test_what_was_deleted_cannot_come_back(self):
        service = self.second_release()
        (self.root / "good/server").unlink()
        result = self.roost(service, "rollback")
        self.assertEqual(result.returncode, 1)
        self.assertIn("good/server", result.stderr)
        found, status = self.status(service)
        self.assertEqual((found["generation"], found["condition"], status), (2, "whole", 1))

    def test_where_a_release_keeps_failing_the_last_good_one_comes_back_by_itself(self):
        service = self.run_recorded(rollback='"automatic"')
        # The second one is on probation when it begins to fail.
        self.configure(probation='"60s"', rollback='"automatic"')
        self.deploy("crashing")
        self.assertIn("succeeded", service.reload())
        self.crash(service, 3)
        service.expect("workers of generation 2 keep failing; rolling back to what generation 1 ran")
        service.expect("rollback to generation 1 requested by the master, because generation 2 keeps failing")
        service.expect("reload to generation 3 succeeded")
        self.assert_serves(service, 3, record_of=1, divergence="rolled_back")
        self.assertRegex(self.roost(service, "metrics").stdout, r'roost_crash_loops_total\{service="web"\} 1\n')
        # What comes back isn't replaced in turn.
        self.crash(service, 4)
        self.assertEqual(self.status(service)[0]["generation"], 3)

    def test_otherwise_it_only_says_so(self):
        service = self.run_recorded()
        self.configure(probation='"60s"')
        self.deploy("crashing")
        self.assertIn("succeeded", service.reload())
        self.crash(service, 3)
        service.log.expect_count("workers of generation 2 keep failing; 'roost rollback' brings back what served before", 1)
        self.assertEqual(self.status(service)[0]["generation"], 2)


class Reloads(HistoryTestCase):
    def hanging_reload(self):
        service = self.run_recorded()
        self.deploy("hanging", HANGS)
        waiting = subprocess.Popen(
            [ROOST, "reload", "--control-directory", service.control], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        service.log.expect_count("release hanging", 1)
        return service, waiting

    def test_a_reload_is_cancelled(self):
        service, waiting = self.hanging_reload()
        result = self.roost(service, "cancel")
        self.assertEqual((result.returncode, result.stdout), (0, "the reload to generation 2 is cancelled\n"))
        _, errors = waiting.communicate(timeout=PATIENCE)
        self.assertEqual(waiting.returncode, 1)
        self.assertRegex(errors, r"it was cancelled by process \d+ of user \d+")
        service.expect(r"reload to generation 2 failed .*it was cancelled by process .*; generation 1 keeps serving")
        self.assert_serves(service, 1, divergence="reload_failed")
        result = self.roost(service, "cancel")
        self.assertEqual((result.returncode, result.stderr.strip()), (1, "roost: no reload is running"))

    def test_a_reload_replaces_the_one_that_hangs(self):
        service, waiting = self.hanging_reload()
        self.deploy("mended")
        result = self.roost(service, "reload", "--replace", "-q")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        _, errors = waiting.communicate(timeout=PATIENCE)
        self.assertEqual(waiting.returncode, 1)
        self.assertRegex(errors, r"it was replaced by another one, requested by process \d+ of user \d+")
        service.log.expect_count("release mended", 1)
        self.assert_serves(service, 3)


class Record(HistoryTestCase):
    def test_nobody_else_may_read_it(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        self.run_recorded()
        self.assertEqual(self.record.stat().st_mode & 0o7777, 0o600)
        self.assertIn("SETTING=first", self.record.read_text())
        self.assertEqual([path.name for path in self.state.iterdir()], ["history.json"])

    def test_one_that_is_damaged_is_put_aside_and_the_service_starts(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        whole = self.record.read_text()
        damaged = [
            b"",
            b"{",
            whole[: len(whole) // 2].encode(),
            b"[1]",
            b'{"format":1}',
            b'{"format":2,"history":{}}',
            os.urandom(5000),
            re.sub(r'"generation":1', '"generation":-9223372036854775808', whole).encode(),
            re.sub(r'"generation":1', '"generation":9223372036854775807', whole).encode(),
        ]
        for text in damaged:
            with self.subTest(text[:60]):
                self.record.write_bytes(text)
                service = self.run_service()
                service.expect(r" warning cannot read .*/history.json: .*; it is put aside as history.json.unusable")
                service.expect("generation 1 serves")
                self.assertEqual((self.state / "history.json.unusable").read_bytes(), text)
                self.written(lambda record: self.assertEqual(record["lastGood"], 1))
                self.assertEqual(service.stop(), 0)

    def test_one_with_a_configuration_that_cannot_be_used_keeps_nothing_from_starting(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        record = json.loads(self.record.read_text())
        record["history"]["entries"][0]["configuration"] = {"worker": 5}
        self.record.write_text(json.dumps(record))
        service = self.run_service()
        service.expect("generation 2 serves")
        self.assert_serves(service, 2)
        result = self.roost(service, "rollback", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("what generation 1 ran is no longer recorded; 'roost history' shows what is", result.stderr)

    def spoiled(self, spoil):
        """A service that finds a record in the place of which something else has come."""
        self.assertEqual(self.run_recorded().stop(), 0)
        spoil()
        service = self.run_service()
        service.expect(r" warning cannot read .*/history.json: .*; it is put aside as history.json.unusable")
        service.expect("generation 1 serves")
        self.written(lambda record: self.assertEqual(record["lastGood"], 1))
        self.assertTrue(self.record.is_file() and not self.record.is_symlink())

    def test_a_link_is_refused_and_what_it_leads_to_stays(self):
        elsewhere = self.root / "elsewhere"

        def link():
            self.record.rename(elsewhere)
            elsewhere.write_text(elsewhere.read_text().replace('"lastGood":1', '"lastGood":7'))
            self.record.symlink_to(elsewhere)

        self.spoiled(link)
        self.assertIn('"lastGood":7', elsewhere.read_text())

    def test_what_others_may_write_is_refused(self):
        self.spoiled(lambda: self.record.chmod(0o666))

    def test_what_is_no_file_is_refused_and_holds_nobody(self):
        def pipe():
            self.record.unlink()
            os.mkfifo(self.record)

        self.spoiled(pipe)

    def test_where_it_cannot_be_written_the_service_serves_and_says_so_once(self):
        self.deploy("good")
        self.configure(**{"state-directory": f'"{self.root}/absent/state"'})
        service = self.run_service()
        service.expect(
            " warning cannot record in .*/absent/state/history.json which generation serves: .*; what served last may not come back"
        )
        for _ in range(3):
            self.assertIn("succeeded", service.reload())
        self.assertEqual(self.status(service)[1], 0)
        self.assertEqual(service.log.count("cannot record in"), 1)
        # It is tried again every ten seconds, also where nothing happens.
        (self.root / "absent").mkdir()
        service.expect("recording in .*/absent/state again which generation serves")
        self.assertEqual(service.stop(), 0)

    def test_a_directory_in_which_others_may_write_is_refused(self):
        self.state.chmod(0o777)
        self.deploy("good")
        self.configure()
        service = self.run_service()
        service.expect(" warning cannot record in .*/state/history.json which generation serves: ")
        self.assertEqual(self.status(service)[1], 0)
        self.assertEqual(list(self.state.iterdir()), [])

    def test_so_many_are_kept_and_the_last_good_one(self):
        service = self.run_recorded(history="2")
        # None of these proves itself.
        self.configure(history="2", probation='"60s"')
        for _ in range(4):
            self.assertIn("succeeded", service.reload())
        self.assertEqual(self.verdicts(service), [(1, "served", None), (4, "served", None), (5, "served", None)])
        self.deploy("bad", EXITS)
        for _ in range(4):
            self.assertIn("failed", service.reload())
        self.assertEqual([found[0] for found in self.verdicts(service)], [1, 4, 5, 8, 9])
        self.assertEqual(self.roost(service, "rollback", "3").returncode, 1)
        self.assertEqual(self.roost(service, "rollback", "4").returncode, 0)

    def test_history_is_listed(self):
        service = self.run_recorded()
        self.deploy("bad", EXITS)
        self.assertIn("failed", service.reload())
        lines = self.roost(service, "history").stdout.splitlines()
        self.assertRegex(lines[0], "^GENERATION +BEGAN +SERVED +RELEASE +VERDICT$")
        self.assertRegex(lines[1], r"^ +2 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +- .* failed: worker \d+ \(slot 0\) exited with status 3")
        self.assertRegex(lines[2], r"^ +1 .* serves, the last good one$")

    def test_it_stays_with_the_control_socket_where_no_place_is_named(self):
        self.deploy("good")
        service = self.start(command=[f"{self.current}/server"], ready="pipe").serving()
        eventually(lambda: self.assertTrue((pathlib.Path(service.control) / "history.json").exists()))


class Upgrades(HistoryTestCase):
    def test_probation_and_history_go_on(self):
        service = self.run_recorded()
        self.deploy("second")
        self.configure(probation='"3s"')
        self.assertIn("succeeded", service.reload())
        began = time.monotonic()
        before = self.history(service)
        self.assertEqual(before["lastGood"], 1)
        for _ in range(2):
            result = self.roost(service, "upgrade")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.history(service), before)
        service.expect("generation 2 has served for .*: it is the last good one from now on")
        self.assertLess(time.monotonic() - began, 3 + 2.5, "the probation has begun anew")
        self.assertEqual(self.history(service)["lastGood"], 2)
        self.assertEqual(self.roost(service, "rollback").returncode, 0)
        service.log.expect_count("release good with 'first'", 2)

    def test_a_divergence_and_its_reason_go_on(self):
        self.assertEqual(self.run_recorded().stop(), 0)
        self.deploy("bad", EXITS)
        service = self.run_service()
        service.expect("generation 3 serves")
        before = self.status(service)[0]
        self.assertEqual(self.roost(service, "upgrade").returncode, 0)
        after, status = self.status(service)
        names = ["generation", "divergence", "trouble", "condition", "phase"]
        self.assertEqual([after[name] for name in names], [before[name] for name in names])
        self.assertEqual((after["divergence"], status), ("fell_back", 1))


if __name__ == "__main__":
    unittest.main()
