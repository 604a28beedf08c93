"""Dependencies are declared, needed, and point down only, as docs/architecture.md has the layers."""

import functools
import json
import pathlib
import re
import subprocess
import unittest

from sources import ROOT, TidyTestCase, written_in

IMPORT = re.compile(r"^\s*(?:@\w+(?:\(\w+\))? )*(?:\w+ )?import (?:(?:struct|class|enum|protocol|func|var|let|typealias) )?(\w+)", re.M)
# What comes with the compiler, and needs no declaration.
SYSTEM = {"Foundation", "Glibc", "Synchronization", "Testing"}
# What decides, and so neither sees nor does anything.
PURE = ["RoostCore", "RoostHTTPDrain"]
# What is linked into the master and into the servers of others, and what else they may need
# (docs/decisions/0002-two-binaries.md).
SMALL = {"roost-master": {"Logging"}, "RoostWorker": set()}


class Target:
    def __init__(self, description):
        self.name = description["name"]
        self.is_test = description["type"] == "test"
        self.folder = pathlib.Path(description.get("path") or f"{'Tests' if self.is_test else 'Sources'}/{self.name}")
        kinds = (next(iter(dependency.items())) for dependency in description["dependencies"])
        # The products of others have the names of their modules.
        self.dependencies = {value[0] for _, value in kinds}

    @functools.cached_property
    def imports(self):
        """The modules, with one of the files that import each."""
        sources = (source for source in written_in("Swift") if source.path.is_relative_to(self.folder))
        # What a tutorial shows is no part of a target.
        sources = (source for source in sources if ".docc" not in str(source))
        return {module: source for source in sources for module in IMPORT.findall(source.code)}


@functools.cache
def targets():
    # Another folder than that of a build, which would have to end first.
    command = ["swift", "package", "--scratch-path", ".build/tidy", "dump-package"]
    package = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return {target.name: target for target in map(Target, json.loads(package.stdout)["targets"])}


def linked(name):
    """The target and all that it depends on, ours and others'."""
    found, left = set(), [name]
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += targets()[name].dependencies if name in targets() else []
    return found


class Layers(TidyTestCase):
    def layers(self):
        """For each target, how many layers are above its own."""
        section = (ROOT / "docs/architecture.md").read_text().partition("\n## Layers\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\d+\. (.*)$", section, re.M)
        return {name: row for row, text in enumerate(rows) for name in re.findall(r"`([\w-]+)`", text)}

    def test_the_layers_are_those_of_all_targets(self):
        self.assertEqual(sorted(self.layers()), sorted(name for name, target in targets().items() if not target.is_test))

    def test_no_target_depends_on_one_of_its_own_layer_or_above(self):
        layers = self.layers()
        self.assert_none(
            f"{name} depends on {other}"
            for name in layers
            for other in targets()[name].dependencies & layers.keys()
            if layers[other] <= layers[name]
        )


class Imports(TidyTestCase):
    def test_what_is_imported_is_declared(self):
        self.assert_none(
            f"{source} imports {module}, which Package.swift doesn't declare for {target.name}"
            for target in targets().values()
            for module, source in target.imports.items()
            if module not in target.dependencies | SYSTEM
        )

    def test_what_is_declared_is_imported(self):
        self.assert_none(
            f"Package.swift has {target.name} depend on {name}, which none of its files imports"
            for target in targets().values()
            for name in target.dependencies - target.imports.keys()
        )

    def test_what_decides_imports_nothing(self):
        self.assert_none(f"{source} imports {module}" for name in PURE for module, source in targets()[name].imports.items())

    def test_the_master_and_workers_stay_small(self):
        for name, allowed in SMALL.items():
            needed = linked(name)
            self.assertEqual(needed - targets().keys(), allowed, f"{name} needs products of others")
            self.assert_none(
                f"{source} imports {module}, which gets linked into {name}"
                for part in needed & targets().keys()
                for module, source in targets()[part].imports.items()
                if module.startswith("Foundation")
            )

    def test_the_worker_does_without_libsystemd(self):
        self.assertNotIn("CRoostSystemd", linked("RoostWorker"))


if __name__ == "__main__":
    unittest.main()
