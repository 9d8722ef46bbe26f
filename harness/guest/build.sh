#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest/build.sh: build the guest, the same for every kernel of $TARGET: the
# selftests, the tools they use, a shell, and the program that runs it all.
# The result is build/<target>/guest/initramfs.cpio.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/stage.sh"

# What a make that called this was told is not meant for the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL

GUEST=$OUT/guest
STAGE=$GUEST/root
TOOLS=(mkfs.ext4 mkfs.ext2 e2fsck mkfs.xfs xfs_repair mkfs.vfat fsck.vfat
       mkfs.btrfs btrfs)

build_init()
{
	gcc -O2 -Wall -Wextra -Werror -static -o "$GUEST/init" \
		"$HARNESS/guest/init.c"
}

# In their own directory: one level up, Linux 5.4 wants rsync for its headers,
# and ends well where a target was not built.
build_selftests()
{
	mkdir -p "$GUEST/selftests"
	make -C "$OUT/linux/tools/testing/selftests/mm" \
		OUTPUT="$GUEST/selftests" CC="ccache gcc" \
		USERLDFLAGS=-static USERCFLAGS=-Werror all
}

# Every applet for which there is no real tool.
add_busybox()
{
	local applet

	install -D "$(command -v busybox)" "$STAGE/bin/busybox"
	for applet in $(busybox --list); do
		[[ -e $STAGE/sbin/$applet || $applet == busybox ]] ||
			ln -s busybox "$STAGE/bin/$applet"
	done
}

stage()
{
	local tool

	rm -rf "$STAGE"
	mkdir -p "$STAGE"/{bin,dev,etc,mnt,proc,run,sbin,selftests,sys,tmp,usr}
	ln -s ../bin ../sbin "$STAGE/usr/"
	ln -s /proc/mounts "$STAGE/etc/mtab"
	cp "$GUEST/init" "$STAGE/init"
	find "$GUEST/selftests" -type f -perm -u+x \
		-exec cp -t "$STAGE/selftests" {} +
	for tool in "${TOOLS[@]}"; do
		add_tool "$tool"
	done
	add_busybox
}

# Called anew below: errors do not end a function that `step` calls itself.
if [[ ${1:-} == logged ]]; then
	build_init
	build_selftests
	stage
	pack "$STAGE" "$GUEST/initramfs.cpio"
	exit
fi

load_target
need make gcc ccache cpio busybox "${TOOLS[@]}"
mkdir -p "$GUEST"
step "build the guest" "$LOGS/build-guest.log" "$0" logged
