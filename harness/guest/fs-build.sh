#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest/fs-build.sh: what the guest has for tests on many file systems: their
# descriptions and the tools that these name. The result is
# build/<target>/guest/fs.cpio, which is unpacked over the guest's other files.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/stage.sh"

GUEST=$OUT/guest
STAGE=$GUEST/fs-root
SELFTESTS=$OUT/linux/tools/testing/selftests/mm
SHARED=$GUEST/fs-shared.a

# What the selftests share, for tools that need it
build_shared()
{
	local name objects=$GUEST/fs-shared

	rm -rf "$objects" "$SHARED"
	mkdir "$objects"
	for name in case command common dev io stock target uring; do
		gcc -O2 -Wall -D_GNU_SOURCE -c \
			-o "$objects/$name.o" "$SELFTESTS/dio_$name.c"
	done
	ar rcs "$SHARED" "$objects"/*.o
}

# build_linked NAME LIBRARY: a tool whose library is there as a shared one only
build_linked()
{
	gcc -O2 -Wall -Wextra -Werror -o "$GUEST/$1" \
		"$HARNESS/guest/linked/$1.c" "-l$2"
	PATH=$GUEST:$PATH add_tool "$1"
}

build()
{
	local tool

	build_shared
	rm -rf "$STAGE"
	mkdir -p "$STAGE"/{fs,sbin,selftests}
	cp "$HARNESS"/fs/* "$STAGE/fs/"
	cp "$HARNESS/guest/fs.sh" "$STAGE/selftests/fs"
	for tool in "$HARNESS"/guest/tools/*.c; do
		gcc -O2 -Wall -Wextra -Werror -static -I "$SELFTESTS" \
			-o "$STAGE/sbin/$(basename "$tool" .c)" "$tool" \
			"$SHARED" -lfuse3 -lpthread
	done
	for tool in dash "${TOOLS[@]}"; do
		add_tool "$tool"
	done
	build_linked ceph-command rados
	pack "$STAGE" "$GUEST/fs.cpio"
	# This one is for the machine that QEMU runs on.
	gcc -O2 -Wall -Wextra -Werror -shared -fPIC \
		-o "$GUEST/hold.so" "$HARNESS/hold.c"
}

mapfile -t TOOLS < <(fs_words TOOLS)
if [[ ${1:-} == logged ]]; then
	build
	exit
fi

load_target
need cpio dash "${TOOLS[@]}"
mkdir -p "$GUEST"
step "build the guest's file systems" "$LOGS/build-fs.log" "$0" logged
