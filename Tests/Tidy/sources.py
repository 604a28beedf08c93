"""The files that are ours, and what in them is code."""

import ast
import functools
import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What builds and interpreters leave among the files.
FOREIGN = re.compile(r"\.build.*|\.git|\.swiftpm|\.ruff_cache|__pycache__|node_modules")
SHEBANG = re.compile(r"#!.*\b(python3|bash|sh)\b")
LANGUAGES = {".swift": "Swift", ".c": "C", ".h": "C", ".py": "Python", ".sh": "shell", ".md": "Markdown"}
INTERPRETED = {"python3": "Python", "bash": "shell", "sh": "shell"}


class TidyTestCase(unittest.TestCase):
    def assert_none(self, complaints):
        """Tells all of them at once."""
        complaints = sorted(set(complaints))
        if complaints:
            self.fail("\n" + "\n".join(complaints))


class Source:
    """A file of text, by its path from the root."""

    def __init__(self, path):
        self.path = path
        self.text = (ROOT / path).read_text(errors="replace")
        shebang = None if path.suffix else SHEBANG.match(self.text)
        self.language = INTERPRETED[shebang[1]] if shebang else LANGUAGES.get(path.suffix)

    def __str__(self):
        return str(self.path)

    def is_in(self, *folders):
        return self.path.parts[0] in folders

    @functools.cached_property
    def code(self):
        """The text with blanks in place of what comments and strings say."""
        return without(self.text, self.language, comments=" ", strings=" ")


@functools.cache
def sources():
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not FOREIGN.fullmatch(name)]
        found += [pathlib.Path(folder, name).relative_to(ROOT) for name in names if not FOREIGN.fullmatch(name)]
    return [Source(path) for path in sorted(found)]


def written_in(*languages):
    return [source for source in sources() if source.language in languages]


# Swift has literals of regular expressions too, and raw strings.
OPENINGS = {
    "Swift": re.compile(r'//[^\n]*|/\*.*?\*/|(?<=[(,=\s])/(?![\s/*])(?:\\.|[^/\\\n])+/|#*"""|#*"', re.S),
    "C": re.compile(r"//[^\n]*|/\*.*?\*/|\"|'", re.S),
}


def without(text, language, comments=None, strings=None):
    """The text with this in place of each character of comments and of strings; their line breaks stay."""
    parts, position = [], 0
    while found := OPENINGS[language].search(text, position):
        is_string = found[0][-1] in "\"'" and not found[0].startswith("/")
        end = end_of_string(text, found) if is_string else found.end()
        filling = comments if found[0].startswith(("//", "/*")) else strings
        part = text[found.start() : end]
        parts += [text[position : found.start()], part if filling is None else re.sub(r"[^\n]", filling, part)]
        position = end
    return "".join(parts) + text[position:]


def end_of_string(text, opening):
    """Where the string ends that begins so. It may have code in it, which may have strings in it."""
    mark = opening[0].strip("#")
    sharps = opening[0].removesuffix(mark)
    part = re.compile(rf"{mark}{sharps}|\\{sharps}(\(|.)", re.S)
    position = opening.end()
    while found := part.search(text, position):
        position = found.end()
        if found[0].startswith(mark):
            return position
        if found[1] == "(":
            position = end_of_interpolation(text, position)
    return len(text)


def end_of_interpolation(text, position):
    depth = 1
    while depth and (found := re.compile(r'[()]|#*"""|#*"').search(text, position)):
        position = end_of_string(text, found) if '"' in found[0] else found.end()
        depth += {"(": 1, ")": -1}.get(found[0], 0)
    return position


def functions(source):
    """Name, first line and number of lines of each function, also of those within others."""
    return {"Swift": swift_functions, "C": c_functions, "Python": python_functions}[source.language](source)


SWIFT_FUNCTION = re.compile(r"( *)(?:[@a-z][\w()]* )*(?:func (\S+?) ?[(<]|(init|deinit|subscript)\b|var (\w+): [^=]*\{$)")
# What begins a line that is indented as a function's first, and goes on with what that has begun.
SIGNATURE = (")", "->", "where ", "throws")


def swift_functions(source):
    """By indentation, which swift-format keeps. Those that are nothing but a switch aren't among them: they are tables."""
    lines = source.code.splitlines()
    # What lines of text within a string say is no code; a line of a comment counts.
    is_text = [bool(line.strip()) for line in source.text.splitlines()]
    is_code = [bool(line.strip()) for line in without(source.text, "Swift", strings=" ").splitlines()]
    for first, line in enumerate(lines):
        if not (match := SWIFT_FUNCTION.match(line)):
            continue
        indent, name = match[1], next(filter(None, match.groups()[1:]))
        last = next(
            (
                at
                for at in range(first + 1, len(lines))
                if lines[at].strip() and not lines[at].startswith(indent + " ") and not lines[at].strip().startswith(SIGNATURE)
            ),
            first,
        )
        if not lines[last].startswith(indent + "}"):
            continue
        opening = next(at for at in range(first, last) if lines[at].endswith("{"))
        statements = [line.strip() for line in lines[opening + 1 : last] if re.match(indent + r"  \S", line)]
        if not statements or not is_switch(statements):
            texts = sum(is_text[at] and not is_code[at] for at in range(first, last))
            yield name, first + 1, last + 1 - first - texts


def is_switch(statements):
    return re.match(r"(return )?switch ", statements[0]) and all(re.match(r"case |default|\}", line) for line in statements[1:])


def c_functions(source):
    """Each begins and ends in the first column, where else only labels and directives of the preprocessor are."""
    lines = source.code.splitlines()
    for last, line in enumerate(lines):
        if line == "}":
            first = next(at for at in reversed(range(last)) if re.match(r"\w.*[^:]$", lines[at]))
            name = re.match(r"[^(]*?(\w+)\(", lines[first])
            yield name[1] if name else lines[first], first + 1, last + 1 - first


def python_functions(source):
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno + 1 - node.lineno
