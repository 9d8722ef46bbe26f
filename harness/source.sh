#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Put the target's pristine source into build/<target>/base, once: from
# Debian's package or from KERNEL_SRC, a tree or a tarball. The file base.from
# beside it says where it came from: a name for people, and a fingerprint that
# tells whether it is still the same.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
load_target
need git tar xz sha1sum

base=$OUT/base
stamp=$OUT/base.from
new=$OUT/base.new

# make_value NAME DIR: a variable at the head of a kernel's Makefile
make_value()
{
	sed -n "s/^$1 = *//p;/^NAME/q" "$2/Makefile" 2>/dev/null
}

# is_git DIR: is DIR the top of a git work tree, not a folder within one?
is_git()
{
	local top

	top=$(git -C "$1" rev-parse --show-toplevel 2>/dev/null) &&
		[[ $top -ef $1 ]]
}

# check_version DIR NAME: refuse what is not this target's kernel
check_version()
{
	local version sublevel

	[[ -f $1/Kbuild && -f $1/Kconfig && -f $1/MAINTAINERS && -d $1/mm ]] ||
		die "$2 is no kernel source"
	version=$(make_value VERSION "$1").$(make_value PATCHLEVEL "$1")
	sublevel=$(make_value SUBLEVEL "$1")
	[[ $version == "$VERSION" ]] ||
		die "$2 is Linux $version; the target $TARGET needs $VERSION"
	((sublevel >= OLDEST_SUBLEVEL)) ||
		die "$2 is Linux $version.$sublevel; the oldest that works is" \
		    "$VERSION.$OLDEST_SUBLEVEL"
}

# note_untested NAME: what the series was tested on, if not on this base
note_untested()
{
	local sublevel

	sublevel=$(make_value SUBLEVEL "$base")
	[[ ,$TESTED_SUBLEVELS, == *,$sublevel,* ]] ||
		note "$1 is Linux $VERSION.$sublevel; tested on" \
		     "$VERSION.{$TESTED_SUBLEVELS}"
}

# fingerprint SRC: what changes when SRC does
fingerprint()
{
	if [[ -f $1 ]]; then
		stat -c '%n %s %Y' "$1"
	elif is_git "$1"; then
		git -C "$1" rev-parse --verify HEAD
	else
		(cd "$1" && find . -type f -printf '%p %s %T@\n') | sort | sha1sum
	fi
}

# unpack SRC: into $new, with new time stamps, so that make rebuilds objects
# that were made from another source
unpack()
{
	if [[ -f $1 ]]; then
		tar -x -m -f "$1" -C "$new" --strip-components=1
	elif is_git "$1"; then
		git -C "$1" archive HEAD | tar -x -m -C "$new"
	else
		tar -c -C "$1" --exclude-vcs . | tar -x -m -C "$new"
	fi
}

# check_tree DIR: what can be said before a tree is copied
check_tree()
{
	check_version "$1" "$1"
	if ! is_git "$1"; then
		[[ ! -e $1/.config && ! -e $1/include/generated ]] ||
			die "$1 holds a build; 'make mrproper' there first"
	elif [[ -n $(git -C "$1" status --porcelain -uno) ]]; then
		note "$1 has uncommitted changes; they are left out"
	fi
}

# no_package: where the source is, for a target that no package brings
no_package()
{
	local version=$VERSION.${TESTED_SUBLEVELS##*,} kernel=https://git.kernel.org
	local tarballs=https://cdn.kernel.org/pub/linux/kernel/v${VERSION%%.*}.x

	echo "the target $TARGET has no package; name its source with" \
	     "KERNEL_SRC=TREE-OR-TARBALL, from 'git clone --depth 1 --branch" \
	     "v$version $kernel/pub/scm/linux/kernel/git/stable/linux.git' or" \
	     "$tarballs/linux-$version.tar.xz (sha256sums.asc beside it)"
}

# find_source: sets src, a file or a tree, and name, or refuses
find_source()
{
	if [[ -n $KERNEL_SRC ]]; then
		src=$(realpath -e "$KERNEL_SRC" 2>/dev/null) ||
			die "KERNEL_SRC=$KERNEL_SRC does not exist"
		name=
		if [[ -d $src ]]; then
			check_tree "$src"
		fi
		return
	fi
	[[ -n $SOURCE_PACKAGE ]] || die "$(no_package)"
	src=$SOURCE_TARBALL
	[[ -f $src ]] || "$HARNESS/deps.sh" "$SOURCE_PACKAGE"
	name="$SOURCE_PACKAGE $(dpkg-query -W -f '${Version}' "$SOURCE_PACKAGE")"
}

main()
{
	local src name print

	find_source
	print=$(fingerprint "$src") || die "$src has no commit"
	if [[ -d $base && -f $stamp && $(tail -n 1 "$stamp") == "$print" ]]; then
		note_untested "$src"
		return
	fi
	trap 'rm -rf "$new"' EXIT
	rm -rf "$new"
	mkdir -p "$new"
	attempt "unpacking $src" "$LOGS/unpack.log" unpack "$src" ||
		die "cannot unpack $src; the log: $LOGS/unpack.log"
	check_version "$new" "$src"
	: "${name:=v$VERSION.$(make_value SUBLEVEL "$new")}"
	rm -rf "$base" "$stamp"
	mv "$new" "$base"
	printf '%s\n%s\n' "$name" "$print" >"$stamp.new"
	mv "$stamp.new" "$stamp"
	note "base: $name"
	note_untested "$src"
}

main "$@"
