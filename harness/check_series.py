#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Check the series without building it.

The messages, that every patch file is used, the MAINTAINERS entry, that the
joined series applies to the base, checkpatch, and the kernel-doc of what it
touches. The text that the series brings is left in a folder for the spelling
check. With --text, only what needs no base is checked.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import lib
import mailpatch
import series
from git import AmError, Scratch
from mailpatch import Patch
from series import Sources

COLUMNS = 75
BASE = lib.OUT / "base"
# Added files go to every target, older ones allow 80 columns: today's limit.
CHECKPATCH = ("--strict", "--show-types", "--no-summary", "-q", "--max-line-length=100",
              "--ignore", "MISSING_SIGN_OFF,FILE_PATH_CHANGES")
# For a patch to another kernel; which words it spells in CamelCase is the same.
NO_TREE = (*CHECKPATCH, "--no-tree", "--root=.")
# What may be longer: quoted output and tables, addresses, trailers.
MAY_BE_LONG = re.compile(r"\s|.*://|[A-Z][A-Za-z-]+: ")
EXPORT = re.compile(rb"EXPORT_SYMBOL(?:_GPL)?\((\w+)\)")


def message_faults(patch: Patch) -> Iterator[str]:
    """What is wrong with a patch's subject and body."""
    if len(patch.subject) >= COLUMNS:
        yield f"the subject has {len(patch.subject)} columns"
    if not re.match(r"[\w/,.-]+(?: [\w/-]+)?(?:: [\w/,.-]+)*: \S", patch.subject):
        yield "the subject does not begin with a subsystem"
    if not patch.body.strip():
        yield "there is no body"
    for line in patch.body.splitlines():
        if len(line) > COLUMNS and not MAY_BE_LONG.match(line):
            yield f"{len(line)} columns: {line}"
        if line.startswith("Signed-off-by:"):
            yield "a Signed-off-by is for the submitter"


def check_messages(tally: lib.Tally, patches: dict[str, Patch]) -> None:
    """Check every patch's message."""
    for name, patch in patches.items():
        tally.judge(f"message: {name}", list(message_faults(patch)))


def check_unused(tally: lib.Tally, sources: Sources, patches: dict[str, Patch]) -> None:
    """Every patch file and every target's own file must be in the series."""
    files = sources.folder / "files"
    used = {sources.folder / name for name in patches}
    used |= {files / path for patch in patches.values() for path in patch.adds}
    there = [*sources.folder.glob("*.patch"),
             *(path for path in files.rglob("*") if path.is_file())]
    tally.judge(f"series: {len(patches)} patches, every file used",
                [f"{sources.show(path)} is not in the series"
                 for path in there if path not in used])


def check_maintainers(tally: lib.Tally, sources: Sources, patches: dict[str, Patch]) -> None:
    """The first patch that adds a file brings the entry of MAINTAINERS."""
    adding = [patch for patch in patches.values() if patch.adds]
    if not adding:
        return
    inserted = [line for diff in adding[0].diffs if diff.path == "MAINTAINERS"
                for line in diff.lines(b"+")]
    entry = sources.root / "MAINTAINERS"
    ours = entry.read_bytes() if entry.is_file() else b""
    if ours.strip() and b"\n".join(inserted).strip() == ours.strip():
        tally.ok("MAINTAINERS: the same lines here and in the series")
    else:
        print(f"  '{adding[0].subject}' inserts other lines than MAINTAINERS has")
        tally.fail("MAINTAINERS")


def kernel_doc(root: pathlib.Path, path: str) -> Counter[str]:
    """What kernel-doc says about a file, without line numbers."""
    result = subprocess.run([BASE / "scripts" / "kernel-doc", "-none", path], cwd=root,
                            capture_output=True, text=True, check=False)
    said = (result.stdout + result.stderr).splitlines()
    return Counter(re.sub(r":\d+:", ":", line) for line in said
                   if "warning" in line or "error" in line)


def undocumented(scratch: Scratch, patches: dict[str, Patch], path: str) -> list[str]:
    """The functions that the series exports from a file without kernel-doc."""
    new: set[bytes] = set()
    for diff in (diff for patch in patches.values() for diff in patch.diffs):
        if diff.path == path:
            exported, dropped = (set(EXPORT.findall(b"\n".join(diff.lines(sign))))
                                 for sign in (b"+", b"-"))
            new |= exported - dropped
    text = (scratch.path / path).read_bytes()
    return [name.decode() for name in sorted(new) if EXPORT.search(text)
            and not re.search(rb"^ \* " + name + rb"(?:\(\))? - ", text, re.M)]


def check_kernel_doc(tally: lib.Tally, scratch: Scratch, patches: dict[str, Patch]) -> None:
    """Nothing about touched files that the base does not show, and all exports."""
    for path in scratch.touched:
        if not path.endswith((".c", ".h")) or not (scratch.path / path).is_file():
            continue
        before = kernel_doc(BASE, path) if (BASE / path).is_file() else Counter()
        faults = [*(kernel_doc(scratch.path, path) - before).elements(),
                  *(f"{path}: {name}() is exported without kernel-doc"
                    for name in undocumented(scratch, patches, path))]
        tally.judge(f"kernel-doc: {path}", faults)


def checkpatch(tree: pathlib.Path, patch: pathlib.Path) -> str:
    """What a kernel tree's checkpatch says about a joined patch."""
    options = CHECKPATCH if tree == BASE else NO_TREE
    result = subprocess.run(["perl", "scripts/checkpatch.pl", *options, patch],
                            cwd=tree, capture_output=True, text=True, check=False)
    said = (result.stdout + result.stderr).strip()
    return said if said or not result.returncode else "checkpatch failed"


def check_checkpatch(tally: lib.Tally, tree: pathlib.Path,
                     files: list[pathlib.Path]) -> None:
    """checkpatch has nothing to say about any patch."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, said in zip(files, pool.map(partial(checkpatch, tree), files)):
            tally.judge(f"checkpatch: {path.name}", said.splitlines())


def write_texts(folder: pathlib.Path, patches: dict[str, Patch]) -> None:
    """Leave what a patch says and inserts as one file for the spelling check."""
    for name, patch in patches.items():
        lines = [line for diff in patch.diffs for line in diff.lines(b"+")]
        text = f"{patch.subject}\n{patch.body}\n".encode()
        (folder / f"{name}.txt").write_bytes(text + b"\n".join(lines) + b"\n")


def check_tree(tally: lib.Tally, files: list[pathlib.Path],
               joined: dict[str, Patch]) -> None:
    """The series applies to the base; the kernel-doc of the result."""
    with Scratch(files) as scratch:
        scratch.from_files(BASE)
        try:
            scratch.am()
        except AmError as error:
            tally.judge("git am", [f"{error.patch.name} does not apply at "
                                   f"{error.places()}"])
            return
        tally.ok(f"git am: {len(files)} patches on the base")
        check_kernel_doc(tally, scratch, joined)


def program() -> int:
    """The command line: the folder for the texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", metavar="TREE", type=pathlib.Path,
                        help="only as text; a kernel tree that has checkpatch")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    tally = lib.Tally()
    sources = Sources(lib.TARGET)
    files = series.patch_files(series.make())
    source = series.load(sources)
    joined = {path.name: mailpatch.parse(path.read_bytes()) for path in files}
    check_unused(tally, sources, source)
    check_messages(tally, joined)
    check_maintainers(tally, sources, source)
    write_texts(arguments.folder, joined)
    check_checkpatch(tally, arguments.text or BASE, files)
    if not arguments.text:
        check_tree(tally, files, joined)
    return tally.summary()


if __name__ == "__main__":
    lib.main(program)
