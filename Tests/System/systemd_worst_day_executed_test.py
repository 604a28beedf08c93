"""The worst day of a release that is executed itself. Runs inside Tests/with-systemd."""

import unittest

from worst_day import EXITS, HANGS, MISSING, ReleasesTestCase


class Executed(ReleasesTestCase):
    def test_a_binary_that_exits(self):
        self.day("binary", "exits", EXITS)

    def test_a_binary_that_hangs(self):
        self.day("binary", "hangs", HANGS)

    def test_a_binary_that_is_missing(self):
        self.day("binary", "missing", MISSING)

    def test_a_script_that_exits(self):
        self.day("script", "exits", EXITS)

    def test_a_script_that_hangs(self):
        self.day("script", "hangs", HANGS)

    def test_a_script_that_is_missing(self):
        self.day("script", "missing", MISSING)


if __name__ == "__main__":
    unittest.main()
