# SPDX-License-Identifier: GPL-2.0
"""The file systems that harness/fs describes, one file each."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import lib

FOLDER = lib.HARNESS / "fs"
FACT = re.compile(r'^([A-Z]+)=(?:"([^"]*)"|(\S*))$')


@dataclasses.dataclass(frozen=True)
class FileSystem:
    """A row of the table."""

    name: str
    about: str
    # What its direct I/O goes through.
    direct: str
    # How many cases dio_fs runs on it, how many of these are left on a stock
    # kernel, and how long all may take.
    cases: int
    forks: int
    seconds: int
    # What it leaves out, and why.
    note: str


def read(path: pathlib.Path) -> FileSystem:
    """One description."""
    facts = {match[1]: match[2] or match[3] or ""
             for line in path.read_text().splitlines()
             if (match := FACT.match(line))}
    for needed in ("ABOUT", "DIRECT", "CASES", "FORKS"):
        if needed not in facts:
            lib.die(f"{path.relative_to(lib.ROOT)} does not say {needed}=")
    return FileSystem(path.name, facts["ABOUT"], facts["DIRECT"],
                      int(facts["CASES"]), int(facts["FORKS"]),
                      int(facts.get("SECONDS", "120")),
                      facts.get("NOTE", ""))


def load() -> list[FileSystem]:
    """All of them."""
    return [read(path) for path in sorted(FOLDER.iterdir())
            if path.name != "README"]


def named(names: list[str]) -> list[FileSystem]:
    """Those of these names; all if there is none."""
    found = {system.name: system for system in load()}
    for name in names:
        if name not in found:
            lib.die(f"no file system '{name}'; there is: {' '.join(found)}")
    return [found[name] for name in names] if names else list(found.values())
