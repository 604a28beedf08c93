"""Nothing is longer than what fits a screen and a head."""

import unittest

from sources import TidyTestCase, functions, without, written_in

# Lines of a function.
FUNCTION = 55
# Lines of a file in Sources.
FILE = 370
# Characters of a line of Swift or C (ruff.toml has the width of Python), without what its strings hold: texts are as long as they are.
LINE = 120
# Of a line that is a comment.
COMMENT = 145


class Lengths(TidyTestCase):
    def test_functions(self):
        for language in ["Swift", "C", "Python"]:
            found = [(source, *function) for source in written_in(language) for function in functions(source)]
            self.assertGreater(len(found), 50, f"functions of {language} are overlooked")
            self.assert_none(
                f"{source}:{line}: {name} has {length} lines, more than {FUNCTION}"
                for source, name, line, length in found
                if length > FUNCTION
            )

    def test_files(self):
        self.assert_none(
            f"{source} has {length} lines, more than {FILE}"
            for source in written_in("Swift", "C")
            if source.is_in("Sources") and (length := source.text.count("\n")) > FILE
        )

    def test_lines(self):
        self.assert_none(
            f"{source}:{number} is {len(line)} wide: {line.strip()}"
            for source in written_in("Swift", "C")
            for number, line in enumerate(without(source.text, source.language, strings="").splitlines(), 1)
            if len(line) > (COMMENT if line.strip().startswith("//") else LINE)
        )


if __name__ == "__main__":
    unittest.main()
