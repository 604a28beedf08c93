"""Texts that are TOML, or nearly so, and what Python's own reader makes of them, for TOMLComparisonTests.swift.

Arguments: a seed, and how many. Prints a line of JSON for each: the text, and what it means (see `form`) or null if it is refused.
"""

import json
import random
import re
import sys

import tomllib

KEYS = ["a", "b", "c", "a", "b", "c", "a-1", "_", "1", "2.5", "true", '"a"', "'b'", '""', '"\\u0061"', '"é"', "'e\u0301'", '"x y"', '"\\n"']
# fmt: off
WORDS = [
    "0", "7", "-1", "+9", "1_000", "0xFf", "0o17", "0b10", "9223372036854775807", "-9223372036854775809", "1.5", "-0.0", "1e5",
    "6.02_2E+2_3", "inf", "-nan", "true", "false", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5-07:00",
]
# fmt: on
CONTENTS = ["", "x", "é", "a b", "#", "[", "]", "{", "=", ",", "\t", "😀", "'", "\\\\", '\\"', "\\t", "\\u00e9", "\\U0001F600"]
# What single mistakes are made of.
# fmt: off
PIECES = [
    "[", "[[", "]", "]]", "{", "}", "=", ",", ".", "#", '"', "'", '"""', "'''", "\\", "\\u0000", "\\ud800", "\\e", "\\x41",
    "\\\n", "\n", "\r\n", "\r", " ", "\t", "_", "__", "0", "00", "9", "-", "+", ":", "e", "E", "x", "0x", "0o", "0b", "inf",
    "nan", "true", "1979-05-27", "T", "Z", "07:32:00", "07:32", ".5", "+01:00", "a", "b", "é", "\u00a0", "\u2028", "\ufeff",
    "\x00", "\x01", "\x1f", "\x7f", "\x85", "\v", "\f", "１",
]
# fmt: on
TIME = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt "
    "][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?|[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?"
)


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.choice = self.random.choice

    def maybe(self, probability):
        return self.random.random() < probability

    def some(self, most, make, *arguments):
        return [make(*arguments) for _ in range(self.random.randint(0, most))]

    def blank(self):
        return self.choice(["", "", " ", "\t", "  "])

    def name(self):
        dot = f"{self.blank()}.{self.blank()}"
        return dot.join(self.choice(KEYS) for _ in range(self.choice([1, 1, 1, 2, 2, 3])))

    def string(self):
        content = "".join(self.some(4, self.choice, CONTENTS))
        quote = self.choice(["'", '"'])
        if self.maybe(0.3):
            parts = self.some(3, self.choice, ["\n", "\r\n", "\\\n  ", "\\ \r\n\n", quote, quote * 2, content])
            return f"{quote * 3}{content}{''.join(parts)}{quote * 3}"
        return f"{quote}{content.replace(quote, '')}{quote}"

    def space(self):
        return self.choice(["", "", " ", "\n", "\r\n\t", "# x ]\n"])

    def value(self, depth=0):
        kind = self.random.random()
        if depth > 3 or kind < 0.35:
            word = self.choice(WORDS)
            return self.mistaken(word) if self.maybe(0.05) else word
        if kind < 0.6:
            return self.string()
        if kind < 0.8:
            elements = [f"{self.space()}{element}{self.space()}" for element in self.some(3, self.value, depth + 1)]
            return f"[{','.join(elements)}{self.choice(['', '', ',']) if elements else ''}{self.space()}]"
        return "{" + ",".join(self.some(3, self.member, depth + 1)) + self.blank() + "}"

    def member(self, depth=0):
        return f"{self.blank()}{self.name()}{self.blank()}={self.blank()}{self.value(depth)}{self.blank()}"

    def line(self):
        kind = self.random.random()
        if kind < 0.55:
            return self.member()
        brackets = self.choice([("[", "]"), ("[", "]"), ("[[", "]]")])
        return self.blank() + f"{self.blank()}{self.name()}{self.blank()}".join(brackets) + self.blank()

    def document(self):
        lines = [line + self.choice(["", "", "", "# é"]) for line in self.some(7, self.line)]
        return self.choice(["\n", "\n", "\r\n", "\n\n"]).join(lines) + self.choice(["", "\n"])

    def mistaken(self, text):
        """The text, with a part of it left out, doubled, replaced or moved."""
        begin = self.random.randint(0, len(text))
        end = min(len(text), begin + self.choice([0, 1, 1, 2, 5]))
        part = self.choice(["", self.choice(PIECES), self.choice(PIECES), text[begin:end] * 2, text[end : end + 4]])
        return text[:begin] + part + text[end:]

    def text(self):
        text = self.document()
        for _ in range(self.choice([0, 0, 1, 1, 2])):
            text = self.mistaken(text)
        return TIME.sub(in_calendar, text)


def in_calendar(match):
    """No option takes a date, so Roost only sees that it is one, and not that there is no February 30th."""
    try:
        tomllib.loads(f"a = {match[0]}")
        return match[0]
    except ValueError:
        return "1979-05-27"


def meaning(text):
    # A mark that some editors write before a text is passed over.
    try:
        value = form(tomllib.loads(text.removeprefix("\ufeff")))
    except tomllib.TOMLDecodeError:
        return None
    # No argument and no variable can contain a NUL, so no string does.
    return None if "\0" in value else value


def form(value):
    """A value in one line that can't be mistaken for another's. Names stay in their order."""
    match value:
        case bool():
            return str(value).lower()
        # No option takes other numbers, so that of these it is only seen what they are.
        case int() if -(2**63) <= value < 2**63:
            return str(value)
        case int() | float():
            return "number"
        case str():
            return f"{len(value)}:{value}"
        case list():
            return f"[{','.join(map(form, value))}]"
        case dict():
            return "{" + ",".join(f"{form(name)}={form(inner)}" for name, inner in value.items()) + "}"
        case _:
            return "time"


writer = Writer(int(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    text = writer.text()
    print(json.dumps([text, meaning(text)]))
