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

build()
{
	local tool

	rm -rf "$STAGE"
	mkdir -p "$STAGE"/{fs,sbin,selftests}
	cp "$HARNESS"/fs/* "$STAGE/fs/"
	cp "$HARNESS/guest/fs.sh" "$STAGE/selftests/fs"
	for tool in "$HARNESS"/guest/tools/*.c; do
		gcc -O2 -Wall -Wextra -Werror -static \
			-o "$STAGE/sbin/$(basename "$tool" .c)" "$tool" \
			-lfuse3 -lpthread
	done
	for tool in dash "${TOOLS[@]}"; do
		add_tool "$tool"
	done
	pack "$STAGE" "$GUEST/fs.cpio"
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
