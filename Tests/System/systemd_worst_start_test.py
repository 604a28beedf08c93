"""A start on the worst day: of a release that nobody has tried, and of a file that can't be read. Runs inside Tests/with-systemd."""

import pathlib
import unittest

from harness import eventually
from systemd_test import FILE, NAME, shown, systemctl
from worst_day import EXITS, RECORD, Client, WorstDayTestCase


class Starts(WorstDayTestCase):
    """Nobody has asked for a reload: the first start of what is new comes on the worst day."""

    def test_a_release_that_nobody_has_tried_gives_way_to_the_last_good_one(self):
        self.configure(probation='"0s"')
        self.deploy("script", "good")
        self.install_template()
        systemctl("start", NAME)
        self.client = Client()
        self.client.expect("good", 20)
        self.recorded(lambda record: self.assertEqual(record["lastGood"], 1))
        self.deploy("script", "bad", "exits")
        self.kill_master()
        self.client.expect("good", 20)
        self.assert_told("fell_back", EXITS)
        totals = self.boot("/run/roost")
        self.client.expect("good", 20)
        self.assert_told("fell_back", "")
        totals += self.client.finish()
        self.assert_counts(totals, "good")

    def test_a_file_that_cannot_be_read_stops_no_master_from_coming_back(self):
        self.configure()
        self.deploy("script", "good")
        self.install_template()
        systemctl("start", NAME)
        self.client = Client()
        self.client.expect("good", 20)
        whole = FILE.read_text()
        for broken in (whole + "workers = [\n", whole + "wrokers = 3\n", None):
            with self.subTest(broken):
                FILE.unlink() if broken is None else FILE.write_text(broken)
                trouble = r"/etc/roost/web\.toml(:\d+:\d+)?: "
                self.assertNotEqual(systemctl("reload", NAME, check=False).returncode, 0)
                self.client.expect("good", 20)
                self.kill_master()
                self.client.expect("good", 20)
                self.assert_told("fell_back", trouble)
                self.assertRegex(self.journal("-p", "err"), trouble)
                self.assertNotEqual(systemctl("reload", NAME, check=False).returncode, 0)
        totals = self.boot("/run/roost")
        self.client.expect("good", 20)
        self.assert_told("fell_back", trouble)
        FILE.write_text(whole)
        systemctl("reload", NAME)
        eventually(self.assert_well)
        totals += self.client.finish()
        self.assert_counts(totals, "good")

    def test_without_a_record_such_a_file_is_a_failed_start(self):
        self.configure()
        FILE.write_text(FILE.read_text() + "workers = [\n")
        self.install_template()
        self.assertNotEqual(systemctl("start", NAME, check=False).returncode, 0)
        self.assertEqual((shown("ActiveState"), shown("ExecMainStatus"), shown("NRestarts")), ("failed", "78", "0"))


class Directories(WorstDayTestCase):
    """The record is the master's, in a directory that the shipped unit makes."""

    def test_the_record_is_kept_from_others_and_workers_see_their_own_directories(self):
        self.configure()
        self.deploy("script", "good")
        self.install_template()
        systemctl("start", NAME)
        self.recorded(lambda record: self.assertEqual(record["entries"][0]["verdict"], "served"))
        self.assertEqual((RECORD.stat().st_mode & 0o777, RECORD.parent.stat().st_mode & 0o022), (0o600, 0))

        def environment():
            return pathlib.Path(f"/proc/{self.workers_now()[0]}/environ").read_bytes().split(b"\0")

        self.assertFalse([one for one in environment() if one.startswith(b"STATE_DIRECTORY=")])
        systemctl("stop", NAME)
        self.change_unit(("StateDirectory=roost/%i\n", "StateDirectory=roost/%i\nStateDirectory=web\n"))
        systemctl("start", NAME)
        self.assertIn(b"STATE_DIRECTORY=/var/lib/web", environment())
        self.assertEqual(list(pathlib.Path("/var/lib/web").iterdir()), [])


if __name__ == "__main__":
    unittest.main()
