# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# How files come into a guest's archive. Sourced, never run; STAGE is the folder
# that will be the guest's root.

# Outside of the user's path on some machines.
PATH=$PATH:/usr/sbin:/sbin

# add_tool NAME: a program of this machine, with the libraries it needs
add_tool()
{
	local path lib

	path=$(command -v "$1")
	install -D "$path" "$STAGE/sbin/$1"
	ldd "$path" | grep -o '/[^ ]*' | while read -r lib; do
		install -D "$lib" "$STAGE$lib"
	done
}

# pack FOLDER FILE: an archive for the kernel to unpack. The files belong to
# root in the guest, whoever builds it.
pack()
{
	(cd "$1" && find . | sort | cpio --quiet -o -H newc -R 0:0) >"$2.tmp"
	mv "$2.tmp" "$2"
}
