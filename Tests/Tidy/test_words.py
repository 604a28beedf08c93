"""What is never written here."""

import re
import unittest

from sources import TidyTestCase, sources, written_in

# This file has to name them.
OWN = "Tests/Tidy/test_words.py"


class Words(TidyTestCase):
    def assert_nowhere(self, pattern, files, text=lambda source: source.text):
        self.assert_none(
            f"{source}:{number}: {line.strip()}"
            for source in files
            if str(source) != OWN
            for number, line in enumerate(text(source).splitlines(), 1)
            if re.search(pattern, line)
        )

    def test_nothing_is_left_to_be_done(self):
        self.assert_nowhere(r"\b(TODO|FIXME|XXX)\b", [source for source in sources() if source.is_in("Sources")])

    def test_nothing_prints_but_by_the_functions_that_wait_for_nobody(self):
        swift = [source for source in written_in("Swift") if source.is_in("Sources")]
        self.assert_nowhere(r"\b(print|debugPrint|dump|NSLog)\(", swift, lambda source: source.code)

    def test_nothing_knows_the_machine_on_which_it_was_written(self):
        self.assert_nowhere(r"(?<![\w.*])/(work|home|root)/[\w.]", sources())

    def test_linters_are_told_nothing_in_passing(self):
        self.assert_nowhere(r"swiftlint:|swift-format-ignore|# type:", sources())


if __name__ == "__main__":
    unittest.main()
