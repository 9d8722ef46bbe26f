# SPDX-License-Identifier: GPL-2.0
"""Mail patches as text: read them, take them apart, put them together.

A source patch (patches/<target>/NAME.patch) is a mail without a number or a
date; between its '---' and its diffstat it names the files that it adds:

    From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
    From: dio-pin maintainers <dio-pin@kernel.example>
    Subject: [PATCH] subsystem: what it does

    Why.
    ---
    Adds: lib/new_file.c
     lib/Makefile | 1 +
     1 file changed, 1 insertion(+)

    diff --git a/lib/Makefile b/lib/Makefile
    ...
"""

from __future__ import annotations

import dataclasses
import email.header
import email.parser
import hashlib
import re

IDENTITY = "dio-pin maintainers <dio-pin@kernel.example>"
MAIL_LINE = b"From " + b"0" * 40 + b" Mon Sep 17 00:00:00 2001\n"
NO_BLOB = b"0" * 40
STAT_WIDTH = 50
# Whatever mail, git and quilt all take without quoting.
SAFE_PATH = re.compile(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)*")


class PatchError(Exception):
    """A text that is not the patch it should be."""


@dataclasses.dataclass(frozen=True)
class FileDiff:
    """What a patch does to one file: the text from its 'diff --git' on."""

    path: str
    text: bytes
    inserted: int
    deleted: int

    @property
    def creates(self) -> bool:
        """Does it make the file?"""
        return b"\nnew file mode " in self.text.split(b"\n@@ ", 1)[0]

    @property
    def removes(self) -> bool:
        """Does it delete the file?"""
        return b"\ndeleted file mode " in self.text.split(b"\n@@ ", 1)[0]

    def lines(self, sign: bytes) -> list[bytes]:
        """The lines that it inserts (b'+') or deletes (b'-')."""
        body = self.text.partition(b"\n@@ ")[2].split(b"\n")[1:]
        return [line[1:] for line in body if line.startswith(sign)]


@dataclasses.dataclass(frozen=True)
class Patch:
    """A mail patch: its head ends before the '---' line."""

    head: bytes
    adds: tuple[str, ...]
    diffs: tuple[FileDiff, ...]

    @property
    def subject(self) -> str:
        """The subject, decoded, without its [PATCH]."""
        mail = email.parser.BytesHeaderParser().parsebytes(
            self.head.partition(b"\n")[2])
        raw = email.header.make_header(
            email.header.decode_header(mail["Subject"] or ""))
        return re.sub(r"^\[PATCH[^]]*\]\s*", "", re.sub(r"\s+", " ", str(raw)))

    @property
    def body(self) -> str:
        """The message between the mail header and the '---'."""
        return self.head.partition(b"\n\n")[2].decode(errors="replace")

    def text(self) -> bytes:
        """The patch as it stands in its file."""
        adds = "".join(f"Adds: {path}\n" for path in self.adds).encode()
        out = self.head + b"---\n" + adds
        if self.diffs:
            out += diffstat(self.diffs).encode() + b"\n"
        return out + b"".join(diff.text for diff in self.diffs)


def _hunk_sizes(line: bytes) -> tuple[int, int]:
    """The numbers of old and new lines that a hunk's head announces."""
    match = re.match(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)
    if not match:
        raise PatchError(f"no hunk: {line.decode(errors='replace')}")
    old, new = match.groups()
    return int(old or b"1"), int(new or b"1")


def _hunk_end(lines: list[bytes], start: int) -> tuple[int, int, int]:
    """Where the hunk at start ends, and its inserted and deleted lines."""
    old, new = _hunk_sizes(lines[start])
    inserted = deleted = 0
    at = start + 1
    while old or new:
        sign = lines[at][:1] if at < len(lines) else b""
        if sign not in (b"+", b"-", b" ") or old < 0 or new < 0:
            raise PatchError(f"a hunk is cut short: {lines[start].decode()}")
        inserted += sign == b"+"
        deleted += sign == b"-"
        old -= sign != b"+"
        new -= sign != b"-"
        at += 1
        while at < len(lines) and lines[at].startswith(b"\\ "):
            at += 1
    return at, inserted, deleted


def _diff_path(line: bytes) -> str:
    """The one path of a 'diff --git a/PATH b/PATH' line."""
    match = re.fullmatch(r"diff --git a/(\S+) b/\1", line.decode(errors="replace"))
    if not match:
        raise PatchError(f"a rename, or a path with blanks: {line.decode()}")
    return match[1]


def parse_diffs(data: bytes) -> list[FileDiff]:
    """Take the text of several file diffs apart."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    found: list[FileDiff] = []
    at = 0
    while at < len(lines):
        start, path = at, _diff_path(lines[at])
        inserted = deleted = 0
        at += 1
        while at < len(lines) and not lines[at].startswith(b"diff --git "):
            if lines[at].startswith((b"GIT binary patch", b"Binary files")):
                raise PatchError(f"{path} is binary")
            if not lines[at].startswith(b"@@ "):
                at += 1
                continue
            at, plus, minus = _hunk_end(lines, at)
            inserted, deleted = inserted + plus, deleted + minus
        text = b"\n".join(lines[start:at]) + b"\n"
        found.append(FileDiff(path, text, inserted, deleted))
    return found


def parse(data: bytes) -> Patch:
    """Take a mail patch apart."""
    head, mark, rest = data.partition(b"\n---\n")
    if not mark or not head.startswith(b"From "):
        raise PatchError("no mail patch: it needs a From line and a '---'")
    notes, mark, diffs = rest.partition(b"diff --git ")
    if notes and not notes.endswith(b"\n"):
        raise PatchError("text before 'diff --git' on one line")
    adds = tuple(line[len("Adds:"):].strip() for line in notes.decode().split("\n")
                 if line.startswith("Adds:"))
    return Patch(head + b"\n", adds, tuple(parse_diffs(mark + diffs)))


def blob_id(content: bytes) -> bytes:
    """The name that git gives to this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest().encode()


def new_file(path: str, content: bytes, executable: bool) -> FileDiff:
    """The diff that creates a file, as git writes it."""
    mode = b"100755" if executable else b"100644"
    head = (f"diff --git a/{path} b/{path}\n".encode() +
            b"new file mode " + mode + b"\n" +
            b"index " + NO_BLOB + b".." + blob_id(content) + b"\n")
    if not content:
        return FileDiff(path, head, 0, 0)
    if b"\0" in content:
        raise PatchError(f"{path} is binary")
    lines = content.split(b"\n")
    end = b"" if not lines[-1] else b"\\ No newline at end of file\n"
    if not lines[-1]:
        lines.pop()
    count = b"1" if len(lines) == 1 else b"1,%d" % len(lines)
    hunk = (b"--- /dev/null\n+++ b/" + path.encode() +
            b"\n@@ -0,0 +" + count + b" @@\n")
    body = b"".join(b"+" + line + b"\n" for line in lines)
    return FileDiff(path, head + hunk + body + end, len(lines), 0)


def _stat_line(diff: FileDiff, name_width: int, number_width: int, scale: float) -> str:
    """One file's line of a diffstat."""
    name = diff.path
    if len(name) > name_width:
        name = "..." + name[-(name_width - 3):]
    marks = [round(n * scale) or int(n > 0) for n in (diff.inserted, diff.deleted)]
    bar = "+" * marks[0] + "-" * marks[1]
    total = diff.inserted + diff.deleted
    return f" {name:<{name_width}} | {total:>{number_width}} {bar}".rstrip() + "\n"


def _plural(count: int, what: str, sign: str = "") -> str:
    """'1 insertion(+)', '2 insertions(+)'."""
    return f"{count} {what}{'' if count == 1 else 's'}{sign}"


def diffstat(diffs: tuple[FileDiff, ...] | list[FileDiff]) -> str:
    """A diffstat of 75 columns, with its summary, as git writes it."""
    name_width = min(max(len(diff.path) for diff in diffs), STAT_WIDTH)
    most = max(diff.inserted + diff.deleted for diff in diffs)
    number_width = len(str(most))
    room = 75 - name_width - number_width - 5
    scale = min(1.0, room / most) if most else 1.0
    out = "".join(_stat_line(d, name_width, number_width, scale) for d in diffs)
    out += f" {_plural(len(diffs), 'file')} changed"
    inserted, deleted = (sum(getattr(diff, key) for diff in diffs)
                         for key in ("inserted", "deleted"))
    if inserted or not deleted:
        out += ", " + _plural(inserted, "insertion", "(+)")
    if deleted or not inserted:
        out += ", " + _plural(deleted, "deletion", "(-)")
    out += "\n"
    return out + "".join(f" create mode {file_mode(d)} {d.path}\n"
                         if d.creates else f" delete mode {file_mode(d)} {d.path}\n"
                         for d in diffs if d.creates or d.removes)


def file_mode(diff: FileDiff) -> str:
    """The mode of a file that a diff creates or deletes."""
    match = re.search(rb"\n(?:new|deleted) file mode (\d+)", diff.text)
    assert match
    return match[1].decode()
