#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write the commits of build/<target>/linux back to the sources.

Edits to files of the base go to patches/<target>/, files that the commits
add go to their place in this repository, and patches/<target>/series gets
the order. Nothing is written before everything has been checked.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import re

import lib
import mailpatch
import record
import series
from git import Repo
from mailpatch import FileDiff, Patch, PatchError
from record import TREE, Record
from series import Sources

FORMAT_PATCH = ("format-patch", "-1", "--stdout", "--zero-commit",
                "--no-signature", "--full-index", "--no-renames", "-N",
                "--diff-algorithm=myers", "-U3", "--src-prefix=a/", "--dst-prefix=b/")
KEPT_HEADERS = re.compile(rb"(Subject|MIME-Version|Content-[A-Za-z-]+):")
# Lines at which git am would end the message.
ENDS_MESSAGE = re.compile(r"^(---|diff -|Index: )", re.M)
NAME_LENGTH = 60


@dataclasses.dataclass
class Commit:
    """A commit as source patch, and the content of the files it adds."""

    sha: str
    patch: Patch
    files: dict[str, tuple[bytes, bool]]

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.sha[:12]} ({self.patch.subject})"


def source_head(head: bytes) -> bytes:
    """A mail's head with the fixed identity and without a date."""
    headers, _, body = head.partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", headers)[1:]
    kept = b"".join(f + b"\n" for f in fields if KEPT_HEADERS.match(f))
    sender = f"From: {mailpatch.IDENTITY}\n".encode()
    return mailpatch.MAIL_LINE + sender + kept + b"\n" + body


def check_message(commit: Commit) -> None:
    """Refuse what would not come back from a mail as it went in."""
    if ENDS_MESSAGE.search(commit.patch.body):
        lib.die(f"{commit}: its message has a line that ends a mail's message")
    if commit.patch.subject.startswith("["):
        lib.die(f"{commit}: git am drops what a subject has in brackets")
    if re.search(r"^Signed-off-by:", commit.patch.body, re.M):
        lib.die(f"{commit}: Signed-off-by is for the submitter ('make series SIGNOFF=1')")


def read_commit(repo: Repo, sha: str, in_base: set[str], adders: dict[str, Commit]) -> Commit:
    """Take a commit apart: edits of the base's files, and files it adds."""
    if not repo.run("diff-tree", "--name-only", f"{sha}^", sha):
        lib.die(f"{repo.run('show', '-s', '--format=%h (%s)', sha)} changes nothing")
    try:
        mail = mailpatch.parse(repo.raw(*FORMAT_PATCH, sha))
    except PatchError as error:
        lib.die(f"{sha[:12]}: {error}")
    added = [diff for diff in mail.diffs if diff.creates and diff.path not in in_base]
    edits = tuple(diff for diff in mail.diffs if diff not in added)
    files = {diff.path: file_content(repo, sha, diff) for diff in added}
    patch = Patch(source_head(mail.head), tuple(files), edits)
    commit = Commit(sha, patch, files)
    check_message(commit)
    for diff in edits:
        if diff.path in adders:
            lib.die(f"{commit} edits {diff.path}, which {adders[diff.path]} adds; "
                    "move the edit into that commit")
        if diff.creates:
            lib.die(f"{commit} creates {diff.path} anew, which the base has")
    for path in files:
        wrong = series.check_added_path(path)
        if wrong:
            lib.die(f"{commit} adds {path}, which {wrong}")
        adders[path] = commit
    return commit


def file_content(repo: Repo, sha: str, diff: FileDiff) -> tuple[bytes, bool]:
    """An added file's content, and whether it can be executed."""
    mode = mailpatch.file_mode(diff)
    if mode not in ("100644", "100755"):
        lib.die(f"{sha[:12]} adds {diff.path}, which is no regular file")
    return repo.raw("cat-file", "blob", f"{sha}:{diff.path}"), mode == "100755"


def read_commits(repo: Repo, root: str) -> list[Commit]:
    """All commits on top of the base."""
    if repo.run("merge-base", root, "HEAD") != root:
        lib.die(f"the history does not begin at the base {root[:12]}")
    merges = repo.lines("rev-list", "--merges", f"{root}..HEAD")
    if merges:
        lib.die(f"{merges[0][:12]} is a merge; a series has none")
    in_base = set(repo.paths("ls-tree", "-r", "-z", "--name-only", root))
    adders: dict[str, Commit] = {}
    return [read_commit(repo, sha, in_base, adders)
            for sha in repo.lines("rev-list", "--reverse", f"{root}..HEAD")]


def slug(subject: str) -> str:
    """The file name that a subject gives: its words, as many as fit."""
    words = re.sub(r"[^A-Za-z0-9._]+", "-", subject).strip("-.")
    if len(words) > NAME_LENGTH:
        words = words[:NAME_LENGTH + 1].rpartition("-")[0] or words[:NAME_LENGTH]
    return words + ".patch"


def name_commits(commits: list[Commit], known: dict[str, str]) -> dict[str, Commit]:
    """Patch file name to commit, in order; known subjects keep their file."""
    named: dict[str, Commit] = {}
    for commit in commits:
        subject = commit.patch.subject
        name = known.get(subject) or slug(subject)
        if name in named:
            lib.die(f"{commit} and {named[name]} would both be {name}; "
                    "give them different subjects")
        named[name] = commit
    return named


def renamed(old: list[str], new: list[str]) -> dict[str, str]:
    """New names that stand where an old one was: a subject was changed."""
    pairs: dict[str, str] = {}
    at = -1
    for name in new:
        if name in old:
            at = old.index(name)
        elif at + 1 < len(old) and old[at + 1] not in new:
            at += 1
            pairs[name] = old[at]
    return pairs


def rising(numbers: list[int | None]) -> set[int]:
    """The positions of a longest run, gaps allowed, that never falls.

    Of two that are as long, the one with the lower numbers.
    """
    def rank(run: list[int]) -> tuple[int, int]:
        return len(run), -sum(numbers[at] or 0 for at in run)

    best: list[list[int]] = []
    for at, number in enumerate(numbers):
        if number is None:
            best.append([])
            continue
        before = [run for run in best if run and (numbers[run[-1]] or 0) <= number]
        best.append(max(before, key=rank, default=[]) + [at])
    return set(max(best, key=rank, default=[]))


def series_text(sources: Sources, names: list[str]) -> bytes:
    """The series file with these patches; each comment stays where it is.

    A patch stays under its heading, and a new or moved one comes under that
    of the patch before it.
    """
    stages = sources.stages()
    where = {name: at for at, stage in enumerate(stages) for name in stage.names}
    old = renamed(sources.names(), names)
    wanted = [where.get(old.get(name, name)) for name in names]
    keep = rising(wanted)
    placed: list[list[str]] = [[] for _ in stages]
    at = 0
    for index, name in enumerate(names):
        if index in keep:
            at = wanted[index] or 0
        placed[at].append(name)
    lines = [line for stage, inside in zip(stages, placed)
             for line in (*stage.comments, *inside)]
    return ("\n".join(lines) + "\n").encode()


def same(repo: Repo, old: bytes, new: Patch) -> bool:
    """Is it the same patch, but for the lines where it applies?"""
    try:
        before = mailpatch.parse(old)
    except PatchError:
        return False

    def change(patch: Patch) -> str:
        text = b"".join(diff.text for diff in patch.diffs)
        return repo.run("patch-id", "--stable", stdin=text)

    return (before.head, sorted(before.adds)) == (new.head, sorted(new.adds)) \
        and change(before) == change(new)


@dataclasses.dataclass
class Update:
    """What a refresh does to the sources: contents to write, files to delete."""

    write: dict[pathlib.Path, tuple[bytes, bool]]
    delete: list[pathlib.Path]

    def differing(self) -> dict[pathlib.Path, tuple[bytes, bool]]:
        """Those that are not on disk just so."""
        return {path: (data, run) for path, (data, run) in self.write.items()
                if not path.is_file() or path.read_bytes() != data
                or os.access(path, os.X_OK) != run}

    def carry_out(self) -> None:
        """Write everything beside its place first, then move it there."""
        temporary = {path: path.with_name(path.name + ".refresh")
                     for path in self.differing()}
        try:
            for path, new in temporary.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                data, run = self.write[path]
                new.write_bytes(data)
                new.chmod(0o755 if run else 0o644)
            for path, new in temporary.items():
                os.replace(new, path)
        finally:
            for new in temporary.values():
                new.unlink(missing_ok=True)
        for path in self.delete:
            path.unlink(missing_ok=True)


def plan(repo: Repo, sources: Sources, old: Record, named: dict[str, Commit]) -> Update:
    """Compare the commits with the sources."""
    exact = old.base == sources.base()
    update = Update({}, [])
    for name, commit in named.items():
        path = sources.folder / name
        text = commit.patch.text()
        if not exact and path.is_file() and same(repo, path.read_bytes(), commit.patch):
            text = path.read_bytes()
        update.write[path] = text, False
        for added, content in commit.files.items():
            update.write[sources.added_file(added)] = content
    update.write[sources.series_file] = series_text(sources, list(named)), False
    update.delete = unused(sources, old, update)
    return update


def unused(sources: Sources, old: Record, update: Update) -> list[pathlib.Path]:
    """The sources of the old series that neither this nor any target names."""
    elsewhere: set[pathlib.Path] = set()
    for folder in sources.folder.parent.iterdir():
        other = Sources(folder.name, sources.root)
        if folder.name != sources.target and other.series_file.is_file():
            elsewhere |= {other.added_file(path) for name in other.names()
                          for path in other.patch(name).adds}
    before = {sources.root / path for path in old.sources}
    return sorted(before - set(update.write) - elsewhere)


def refuse_changed(sources: Sources, old: Record, update: Update) -> None:
    """Refuse to overwrite what was edited since 'make tree'."""
    pending = {*update.differing(), *update.delete}
    edited = [path for path, was in old.sources.items()
              if record.file_hash(sources, path) != was
              and sources.root / path in pending]
    if edited:
        lib.die(f"changed since 'make tree': {record.some(edited)}; "
                "undo that, or follow the end of patches/README")


def refuse_strangers(sources: Sources, old: Record, update: Update) -> None:
    """Refuse to overwrite a file that the tree was not made from."""
    strangers = [sources.show(path) for path in update.differing()
                 if path.exists() and sources.show(path) not in old.sources]
    if strangers:
        lib.die(f"{record.some(strangers)}: in the way of files that the commits add, "
                "and different; compare them and move them away")


def say(sources: Sources, update: Update) -> None:
    """List what a refresh changes."""
    for path in update.differing():
        print(f"{'edited' if path.exists() else 'new':8}{sources.show(path)}")
    for path in update.delete:
        print(f"{'deleted':8}{sources.show(path)}")


def check(sources: Sources, update: Update) -> int:
    """Count the sources that a refresh would leave as they are."""
    differing = update.differing()
    say(sources, update)
    wrong = len(differing) + len(update.delete)
    print(f"{len(update.write) - len(differing)} passed, {wrong} failed, 0 skipped")
    return 1 if wrong else 0


def program() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="write the tree back to the sources")
    parser.add_argument("--check", action="store_true",
                        help="write nothing; count what would stay as it is")
    only_check = parser.parse_args().check
    lib.target_facts()
    old = record.load()
    if old is None:
        lib.die("no tree to refresh from; 'make tree' makes it")
    repo, sources = Repo(TREE), Sources(lib.TARGET)
    busy = repo.in_progress()
    if busy:
        lib.die(f"{TREE.relative_to(lib.ROOT)} has {busy} half done; finish it first")
    edits = repo.changes()
    if edits:
        lib.die(f"{TREE.relative_to(lib.ROOT)} has edits that are not committed: "
                f"{record.some(edits)}")
    named = name_commits(read_commits(repo, old.root), old.subjects)
    update = plan(repo, sources, old, named)
    if only_check:
        return check(sources, update)
    refuse_changed(sources, old, update)
    refuse_strangers(sources, old, update)
    if old.base != sources.base():
        lib.note(f"the base is {old.base}, the series names {sources.base()}")
    say(sources, update)
    update.carry_out()
    old.sources = record.hashes(sources, series.load(sources))
    old.subjects = {commit.patch.subject: name for name, commit in named.items()}
    old.head = old.previous = repo.head()
    old.save()
    record.mark(repo, old.head)
    lib.note(f"{len(named)} patches; {sources.show(sources.folder)} is up to date")
    return 0


if __name__ == "__main__":
    lib.main(program)
