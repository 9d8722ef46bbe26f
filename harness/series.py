#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Join patches and added files into the series that users get.

From patches/<target>/ and the added files it makes build/<target>/series/:
complete mail patches in order, a cover letter, and quilt's 'series'. It needs
git's configuration for SIGNOFF only, and no kernel tree.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import email.utils
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterable

import lib
import mailpatch
from mailpatch import FileDiff, Patch, PatchError

BASE_LINE = re.compile(r"# base: (\S.*)")
# Patch n of the joined series is dated n minutes after this.
EPOCH = 1767225600
# Where the project's own things are, and so no added file can be.
OWN = re.compile(r"(\.ci|\.git|build|harness|patches)(/|$)"
                 r"|(README\.md|Makefile|MAINTAINERS|COPYING|\.gitignore|\.shellcheckrc)$")


@dataclasses.dataclass
class Stage:
    """Comment lines of a series file, and the patches that follow them."""

    comments: list[str]
    names: list[str]


@dataclasses.dataclass
class Sources:
    """Everything that a target's series is made from."""

    target: str
    root: pathlib.Path = lib.ROOT

    @property
    def folder(self) -> pathlib.Path:
        """Where the target's patches are."""
        return self.root / "patches" / self.target

    @property
    def series_file(self) -> pathlib.Path:
        """The order of the patches."""
        return self.folder / "series"

    def lines(self) -> list[str]:
        """The series file's lines; the first must name the base."""
        if not self.series_file.is_file():
            lib.die(f"no {self.show(self.series_file)}")
        lines = self.series_file.read_text().splitlines()
        if not lines or not BASE_LINE.fullmatch(lines[0]):
            lib.die(f"{self.show(self.series_file)}: the first line must be "
                    "'# base: PACKAGE VERSION'")
        return lines

    def base(self) -> str:
        """The base that the series file names."""
        match = BASE_LINE.fullmatch(self.lines()[0])
        assert match
        return match[1]

    def stages(self) -> list[Stage]:
        """The series file, cut before each block of comments."""
        stages = [Stage([], [])]
        for line in self.lines():
            if line.strip() and not line.startswith("#"):
                stages[-1].names.append(line.strip())
                continue
            if stages[-1].names:
                stages.append(Stage([], []))
            stages[-1].comments.append(line)
        return stages

    def names(self) -> list[str]:
        """The patch files, in order."""
        return [name for stage in self.stages() for name in stage.names]

    def show(self, path: pathlib.Path) -> str:
        """A path as people write it."""
        return str(path.relative_to(self.root))

    def patch(self, name: str) -> Patch:
        """One source patch."""
        path = self.folder / name
        try:
            return mailpatch.parse(path.read_bytes())
        except FileNotFoundError:
            lib.die(f"{self.show(self.series_file)} names {name}, which is not there")
        except PatchError as error:
            lib.die(f"{self.show(path)}: {error}")

    def added_file(self, path: str) -> pathlib.Path:
        """Where an added file's content is: the target's own file wins."""
        own = self.folder / "files" / path
        return own if own.is_file() else self.root / path


def check_added_path(path: str) -> str | None:
    """What is wrong with the path of an added file, if anything is."""
    if not mailpatch.SAFE_PATH.fullmatch(path) or ".." in path.split("/"):
        return "is no plain path"
    if OWN.match(path):
        return "is the project's own path here"
    return None


def load(sources: Sources) -> dict[str, Patch]:
    """All source patches by name, after checking how they fit together."""
    patches: dict[str, Patch] = {}
    adder: dict[str, str] = {}
    for name in sources.names():
        if name in patches:
            lib.die(f"{sources.show(sources.series_file)} names {name} twice")
        patch = patches[name] = sources.patch(name)
        for diff in patch.diffs:
            if diff.path in adder:
                lib.die(f"{name} edits {diff.path}, which {adder[diff.path]} adds; "
                        "edit the added file itself")
            if diff.creates:
                lib.die(f"{name} creates {diff.path}; it must name it in an Adds: line")
        for path in patch.adds:
            wrong = check_added_path(path)
            if wrong:
                lib.die(f"{name} adds {path}, which {wrong}")
            if path in adder:
                lib.die(f"{name} adds {path}, which {adder[path]} adds too")
            if not sources.added_file(path).is_file():
                lib.die(f"{name} adds {path}, which is not there")
            adder[path] = name
    return patches


def added_diff(sources: Sources, path: str) -> FileDiff:
    """An added file as a diff."""
    file = sources.added_file(path)
    try:
        return mailpatch.new_file(path, file.read_bytes(), os.access(file, os.X_OK))
    except PatchError as error:
        lib.die(str(error))


def with_added(sources: Sources, patch: Patch) -> Patch:
    """A source patch with the files that it adds."""
    diffs = [*patch.diffs, *(added_diff(sources, path) for path in patch.adds)]
    diffs.sort(key=lambda diff: diff.path.encode())
    return Patch(patch.head, (), tuple(diffs))


def user_identity() -> str:
    """The submitter, from git's configuration."""
    found = []
    for key in ("user.name", "user.email"):
        result = subprocess.run(["git", "config", key], capture_output=True,
                                text=True, check=False)
        if not result.stdout.strip():
            lib.die(f"SIGNOFF needs {key} in git's configuration")
        found.append(result.stdout.strip())
    return f"{found[0]} <{found[1]}>"


def sign(head: bytes, identity: str) -> bytes:
    """A patch's head with a Signed-off-by at the end of its trailers."""
    last = head.rstrip(b"\n").rpartition(b"\n\n")[2]
    trailers = all(re.match(rb"[A-Z][A-Za-z-]*: |\s", line)
                   for line in last.split(b"\n"))
    gap = b"\n" if trailers else b"\n\n"
    return head.rstrip(b"\n") + gap + f"Signed-off-by: {identity}\n".encode()


def number(head: bytes, index: int, total: int, thread: str) -> bytes:
    """A patch's head with its number, its date, and its place in the thread.

    b4 goes by the message's names, and wants a subject on one line.
    """
    if b"Subject: =?" not in head:
        head = re.sub(rb"^(Subject: .*)\n (.*)", rb"\1 \2", head, 1, re.M)
    fields = f"Date: {mail_date(index)}\nMessage-Id: <{index}.{thread}>\n"
    if index:
        fields += f"In-Reply-To: <0.{thread}>\nReferences: <0.{thread}>\n"
    mark = f"Subject: [PATCH {index:0{len(str(total))}d}/{total}]"
    return head.replace(b"Subject: [PATCH]", (fields + mark).encode(), 1)


def mail_date(index: int) -> str:
    """The date of the patch with this number."""
    when = datetime.datetime.fromtimestamp(EPOCH + 60 * index, datetime.timezone.utc)
    return email.utils.format_datetime(when)


def thread_name(sources: Sources, patches: Iterable[Patch]) -> str:
    """What the names of a series' messages end with: another for any change."""
    content = b"".join(patch.text() for patch in patches)
    return f"{sources.target}.{mailpatch.blob_id(content).decode()[:16]}@kernel.example"


def cover_letter(sources: Sources, patches: list[Patch], thread: str) -> bytes:
    """The cover letter: the target's text, a shortlog and the whole diffstat."""
    path = sources.folder / "cover-letter"
    if not path.is_file():
        lib.die(f"no {sources.show(path)}")
    subject, _, text = path.read_text().partition("\n")
    head = (mailpatch.MAIL_LINE.decode() + f"From: {mailpatch.IDENTITY}\n"
            f"Subject: [PATCH] {subject}\n")
    if not (subject + text).isascii():
        head += ("MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
                 "Content-Transfer-Encoding: 8bit\n")
    out = number(head.encode(), 0, len(patches), thread).decode()
    out += f"\n{text.strip()}\n\n{mailpatch.IDENTITY.split(' <')[0]} ({len(patches)}):\n"
    out += "".join(f"  {patch.subject}\n" for patch in patches) + "\n"
    if patches:
        out += mailpatch.diffstat(total_stat(patches))
    return (out + f"\nbase: {sources.base()}\n").encode()


def total_stat(patches: list[Patch]) -> list[FileDiff]:
    """What a whole series does to each file, for its diffstat."""
    total: dict[str, FileDiff] = {}
    for diff in (diff for patch in patches for diff in patch.diffs):
        old = total.get(diff.path, FileDiff(diff.path, diff.text, 0, 0))
        total[diff.path] = dataclasses.replace(
            old, inserted=old.inserted + diff.inserted,
            deleted=old.deleted + diff.deleted)
    return [total[path] for path in sorted(total)]


def join(sources: Sources, identity: str | None = None) -> dict[str, bytes]:
    """The joined series: file name to content, the 'series' file among them."""
    joined = {name: with_added(sources, patch) for name, patch in load(sources).items()}
    width = max(4, len(str(len(joined))))
    numbered = {name: f"{index:0{width}d}-{name}"
                for index, name in enumerate(joined, 1)}
    thread = thread_name(sources, joined.values())
    out = {"0000-cover-letter.patch":
           cover_letter(sources, list(joined.values()), thread)}
    for index, (name, patch) in enumerate(joined.items(), 1):
        head = sign(patch.head, identity) if identity else patch.head
        head = number(head, index, len(joined), thread)
        out[numbered[name]] = dataclasses.replace(patch, head=head).text()
    lines = [numbered.get(line.strip(), line) for line in sources.lines()]
    out["series"] = ("\n".join(lines) + "\n").encode()
    return out


def write(files: dict[str, bytes], folder: pathlib.Path) -> None:
    """Replace a folder by these files, whole or not at all."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        for name, content in files.items():
            (new / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def make(identity: str | None = None) -> pathlib.Path:
    """Join the target's series and write it to its folder."""
    lib.target_facts()
    folder = lib.OUT / "series"
    write(join(Sources(lib.TARGET), identity), folder)
    return folder


def patch_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The patches of a joined series, in order, without the cover letter."""
    return [folder / line for line in (folder / "series").read_text().splitlines()
            if line.strip() and not line.startswith("#")]


def program() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="join the series of $TARGET")
    parser.add_argument("--signoff", action="store_true",
                        help="add the Signed-off-by of git's user")
    signoff = parser.parse_args().signoff
    folder = make(user_identity() if signoff else None)
    count = len(patch_files(folder))
    print(f"{folder.relative_to(lib.ROOT)}: {count} patches and a cover letter")
    return 0


if __name__ == "__main__":
    lib.main(program)
