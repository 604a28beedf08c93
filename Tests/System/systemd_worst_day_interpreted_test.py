"""The worst day of a release that an interpreter runs. Runs inside Tests/with-systemd."""

import unittest

from worst_day import EXITS, HANGS, MISSING, ReleasesTestCase


class Interpreted(ReleasesTestCase):
    def test_node_that_exits(self):
        self.day("node", "exits", EXITS)

    def test_node_that_hangs(self):
        self.day("node", "hangs", HANGS)

    def test_node_without_its_file(self):
        self.day("node", "missing", EXITS)

    def test_a_venv_that_exits(self):
        self.day("venv", "exits", EXITS)

    def test_a_venv_that_hangs(self):
        self.day("venv", "hangs", HANGS)

    def test_a_venv_that_is_missing(self):
        self.day("venv", "missing", MISSING)


if __name__ == "__main__":
    unittest.main()
