#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boots a kernel with the guest under QEMU.

boot.py --shell KIND: an interactive shell in the guest on the kernel KIND.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

import lib
import reports
import tap

QEMU = "qemu-system-x86_64"
GUEST = lib.OUT / "guest"
INITRAMFS = GUEST / "initramfs.cpio"
# What is preloaded to hold servers, and folders that QEMU's 9P server serves.
HOLD = GUEST / "hold.so"
SERVED = ("served", "held", "control")
KVM = pathlib.Path("/dev/kvm")
ACCEL_CACHE = lib.OUT / "accelerator"
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")

# Memory for huge pages, and a piece of it as a device for DAX. On a busy host
# the emulated timer can miss the check that it ticks, which ends in a panic.
# Asking ACPI for the routing of PCI interrupts takes half a minute on the
# debugging kernel, where it can give up and leave the guest without its port.
COMMAND_LINE = ("console=ttyS0 panic=-1 oops=panic kasan_multi_shot "
                "no_timer_check pci=noacpi page_poison=1 hugepages=64 "
                "memmap=64M!1G")

# PID 1 says on the console every 20 s that a program is still running.
SILENCE_SECONDS = 150
# Boot, and the search for leaks at the end.
MARGIN_SECONDS = 240
# A guest under KVM prints its first line at once, or never.
PROBE_FIRST_LINE, PROBE_START = 5, 30
POLL_SECONDS = 0.2
NVME_BYTES = 256 << 20
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
VIRTIOFSD_THREADS = 64
MEMORY = "2G"
# All of the guest's memory, where virtiofsd can reach it.
SHARED_MEMORY = ["-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
                 "-machine", "memory-backend=memory"]


@dataclasses.dataclass(frozen=True)
class Boot:
    """One run of a guest: what it said, and why it was ended, if it was."""

    console_log: pathlib.Path
    channel: tap.Channel
    reports: reports.Reports
    seconds: float
    problem: str | None


def image(kind: str) -> pathlib.Path:
    """The kernel KIND, which must have been built."""
    path = lib.OUT / f"obj-{kind}" / "arch/x86/boot/bzImage"
    for needed in (path, INITRAMFS):
        if not needed.is_file():
            lib.die(f"{needed.relative_to(lib.ROOT)} is missing; "
                    f"'harness/build.sh {kind}' makes it")
    if not shutil.which(QEMU):
        lib.die(f"{QEMU} is not installed; 'make deps' installs what is needed")
    return path


def with_modules(kind: str) -> pathlib.Path:
    """The guest's files, and what it has for file systems, as one archive."""
    parts = (INITRAMFS, GUEST / "fs.cpio", lib.OUT / f"obj-{kind}" / "modules.cpio")
    whole = GUEST / f"initramfs-{kind}.cpio"
    with whole.open("wb") as out:
        for part in parts:
            if not part.is_file():
                lib.die(f"{part.relative_to(lib.ROOT)} is missing; "
                        f"'harness/build.sh {kind} modules' makes it")
            with part.open("rb") as archive:
                shutil.copyfileobj(archive, out)
    return whole


def devices(folder: pathlib.Path) -> list[str]:
    """What tests on file systems need of QEMU, its files in a new folder: 9P
    servers of nothing, of which one can be held by way of another, and whose ring
    is full soon; and an NVMe disk whose blocks have metadata beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    served, held, control = (folder / name for name in SERVED)
    disk = folder / "nvme"
    for path in (served, held, control):
        path.mkdir(parents=True)
    with disk.open("wb") as file:
        file.truncate(NVME_BYTES)
    return ["-virtfs", f"local,path={served},mount_tag=dio,security_model=none",
            "-virtfs", f"local,path={control},mount_tag=dio-control,"
            "security_model=none",
            "-fsdev", f"local,id=held,path={held},security_model=none",
            "-device", "virtio-9p-pci,fsdev=held,mount_tag=dio-held,"
            "indirect_desc=off",
            "-drive", f"if=none,id=nvme,format=raw,cache=unsafe,file={disk}",
            "-device", "nvme,id=nvme-bus,serial=dio",
            "-device", "nvme-ns,bus=nvme-bus,drive=nvme,ms=8"]


def holding(folder: pathlib.Path) -> dict[str, str]:
    """What QEMU's environment must say for that."""
    _, held, control = (str((folder / name).resolve()) for name in SERVED)
    return {"LD_PRELOAD": str(HOLD), "HOLD_SERVED": held, "HOLD_CONTROL": control}


def machine(kernel: pathlib.Path, accel: str, append: str,
            initramfs: pathlib.Path = INITRAMFS) -> list[str]:
    """QEMU's command line, without where input and output go."""
    cpu = "host" if accel == "kvm" else "qemu64"
    options = "kvm" if accel == "kvm" else "tcg,thread=multi"
    return [QEMU, "-accel", options, "-cpu", cpu, "-smp", "2", "-m", MEMORY,
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initramfs),
            "-append", f"{COMMAND_LINE} {append}".rstrip()]


class FileServer:
    """virtiofsd, in a new folder, for one guest; held like the 9P server."""

    def __init__(self, folder: pathlib.Path, said: BinaryIO) -> None:
        """Start it, with a connection for QEMU in its queue."""
        source = folder / "virtiofs"
        source.mkdir()
        # It must not outlive this program; it must do with the limits and rights
        # that it is given; and who closes a file must not wait for what is held.
        command = ["setpriv", "--pdeathsig", "KILL", VIRTIOFSD,
                   "--rlimit-nofile=0", f"--thread-pool-size={VIRTIOFSD_THREADS}",
                   "-o", f"sandbox=chroot,source={source}"]
        if os.geteuid():
            command = ["unshare", "--user", "--map-root-user", *command]
        environment = {"LD_PRELOAD": str(HOLD),
                       "HOLD_CONTROL": str((folder / SERVED[-1]).resolve())}
        self.connection = socket.socket(socket.AF_UNIX)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("")
            listener.listen()
            self.connection.connect(listener.getsockname())
            self.process = subprocess.Popen(
                [*command, f"--fd={listener.fileno()}"], stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, pass_fds=[listener.fileno()],
                env=os.environ | environment)

    def options(self) -> list[str]:
        """QEMU's, for the guest's end."""
        return SHARED_MEMORY + [
            "-chardev", f"socket,id=virtiofs,fd={self.connection.fileno()}",
            "-device", "vhost-user-fs-pci,chardev=virtiofs,tag=dio"]

    def kill(self) -> None:
        """End it."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


class Guest:
    """A running guest, its console and its port each in a file."""

    def __init__(self, kernel: pathlib.Path, label: str, accel: str,
                 append: str, initramfs: pathlib.Path = INITRAMFS) -> None:
        """Start it."""
        lib.LOGS.mkdir(parents=True, exist_ok=True)
        self.folder = GUEST / f"{label}.files"
        self.console = lib.LOGS / f"{label}.console"
        self.port = lib.LOGS / f"{label}.port"
        for path in (self.console, self.port):
            path.write_bytes(b"")
        command = machine(kernel, accel, append, initramfs) + [
            "-serial", f"file:{self.console}",
            "-device", "virtio-serial-pci",
            "-chardev", f"file,id=port,path={self.port}",
            "-device", "virtserialport,chardev=port,name=harness"]
        self.server = None
        environment, passed = dict(os.environ), []
        self.stderr = lib.LOGS / f"{label}.qemu"
        with self.stderr.open("wb") as stderr:
            # Behind the port, whose name in the guest has its device's number.
            if initramfs != INITRAMFS:
                command += devices(self.folder)
                environment |= holding(self.folder)
                self.server = FileServer(self.folder, stderr)
                command += self.server.options()
                passed = [self.server.connection.fileno()]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr,
                                            env=environment, pass_fds=passed)
        self.since = time.monotonic()

    def said(self) -> tuple[int, int]:
        """How much came from console and port."""
        return self.console.stat().st_size, self.port.stat().st_size

    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.since

    def running(self) -> bool:
        """Is it? Waits a moment if so."""
        try:
            self.process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> None:
        """End it, whatever it is doing, and take its files away."""
        self.process.kill()
        self.process.wait()
        if self.server:
            self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def port_text(self) -> str:
        """What came through the port so far."""
        return self.port.read_text(errors="replace").replace("\r\n", "\n")


def probe(kernel: pathlib.Path) -> str:
    """Does KVM run a guest? A machine can have the device and not do so."""
    if not os.access(KVM, os.R_OK | os.W_OK):
        return "tcg"
    guest = Guest(kernel, "probe", "kvm", "")
    accel = "tcg"
    while guest.running() and guest.seconds() < PROBE_START:
        if "harness: start" in guest.port_text():
            accel = "kvm"
            break
        if not guest.said()[0] and guest.seconds() > PROBE_FIRST_LINE:
            break
    guest.kill()
    return accel


def accelerator(kernel: pathlib.Path) -> str:
    """KVM where it works, else emulation; found out once per machine."""
    boot_id = BOOT_ID.read_text().strip()
    if ACCEL_CACHE.is_file():
        cached = ACCEL_CACHE.read_text().split()
        if len(cached) == 2 and cached[0] == boot_id:
            return cached[1]
    accel = probe(kernel)
    lib.note(f"QEMU runs guests with {accel.upper()}")
    ACCEL_CACHE.write_text(f"{boot_id} {accel}\n")
    return accel


class Progress:
    """Says how far a guest is: every program's end, and every half minute."""

    def __init__(self, label: str) -> None:
        """Nothing has been said yet."""
        self.label = label
        self.shown = 0
        self.ticked = 0.0

    def show(self, text: str, seconds: float) -> None:
        """Look at what came through the port, `seconds` after the start."""
        lines = text[:text.rfind("\n") + 1].splitlines()
        for line in lines[self.shown:]:
            if line.startswith("harness: end "):
                lib.note(f"  {self.label}: {line.removeprefix('harness: end ')} s")
        self.shown = len(lines)
        if seconds - self.ticked >= lib.TICK_SECONDS:
            self.ticked = seconds
            last = lines[-1][:70] if lines else "booting"
            lib.note(f"  {self.label}: {lib.elapsed(seconds)}, at: {last}")


def watch(guest: Guest, label: str, limit: float) -> str | None:
    """Wait for the guest's end; what was wrong if it had to be ended."""
    progress = Progress(label)
    said, heard = guest.said(), 0.0
    while guest.running():
        progress.show(guest.port_text(), guest.seconds())
        if guest.said() != said:
            said, heard = guest.said(), guest.seconds()
        if guest.seconds() - heard > SILENCE_SECONDS:
            return f"hung: no output for {SILENCE_SECONDS} s"
        if guest.seconds() > limit:
            return f"still running after {limit:.0f} s"
    progress.show(guest.port_text(), guest.seconds())
    return None


def end_of(guest: Guest, channel: tap.Channel) -> str | None:
    """What was wrong with how a guest ended by itself."""
    if guest.process.returncode:
        text = guest.stderr.read_text(errors="replace").strip()
        return f"QEMU failed: {text or guest.process.returncode}"
    if channel.done:
        return None
    if not channel.programs:
        return "ended before its first program"
    return f"ended at {channel.programs[-1].name}"


def boot(kind: str, label: str, plan: Sequence[tuple[str, int]] = (),
         modules: bool = False) -> Boot:
    """Boot the kernel KIND and run the plan's programs, (name, seconds)."""
    kernel = image(kind)
    initramfs = with_modules(kind) if modules else INITRAMFS
    accel = accelerator(kernel)
    append = ",".join(f"{name}:{seconds}" for name, seconds in plan)
    # QEMU must not outlive this program, whatever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    guest = Guest(kernel, label, accel, f"plan={append}" if append else "",
                  initramfs)
    try:
        problem = watch(guest, label,
                        MARGIN_SECONDS + sum(seconds for _, seconds in plan))
        seconds = guest.seconds()
    finally:
        guest.kill()
    channel = tap.parse_channel(guest.port_text())
    problem = problem or end_of(guest, channel)
    if problem:
        problem = f"the guest {problem}; its console: {guest.console}"
    found = reports.find(guest.console.read_text(errors="replace"))
    return Boot(guest.console, channel, found, seconds, problem)


def shell(kind: str) -> None:
    """Become an interactive guest."""
    kernel = image(kind)
    accel = accelerator(kernel)
    print(f"{kind} kernel under {accel.upper()}; 'exit' powers off, "
          "Ctrl-A X ends QEMU", flush=True)
    command = machine(kernel, accel, "shell=1") + ["-serial", "mon:stdio"]
    os.execvp(command[0], command)


def program() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shell", metavar="KIND", required=True)
    shell(parser.parse_args().shell)
    return 0


if __name__ == "__main__":
    sys.exit(lib.main(program))
