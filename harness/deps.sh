#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Install the Debian packages that the harness needs and that are missing.
# Without arguments all of them, or, with NO_FS_TOOLS set, all but the tools for
# file systems; with arguments just those packages.
# It must run where only git and make are installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
load_target

packages=(
	# what unpacks and joins the source
	git python3 xz-utils patch perl
	# kernel builds
	gcc libc6-dev make flex bison bc libelf-dev libssl-dev cpio ccache
	"gcc-$NOMMU_CROSS"
	# guests
	qemu-system-x86 busybox-static e2fsprogs xfsprogs dosfstools btrfs-progs
	# checks
	shellcheck codespell sparse coccinelle quilt b4
	# kernel modules
	kmod
)
if [[ -z ${NO_FS_TOOLS:-} ]]; then
	mapfile -t -O "${#packages[@]}" packages < <(fs_words PACKAGES)
fi

if [[ -z $KERNEL_SRC && $SOURCE_PACKAGE ]]; then
	packages+=("$SOURCE_PACKAGE")
fi

# missing PACKAGE...: those that are not installed
missing()
{
	local package

	for package in "$@"; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
			grep -q '^install ok installed$' || echo "$package"
	done
}

# as_root COMMAND...: with sudo where that is needed
as_root()
{
	if ((EUID == 0)); then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

# install PACKAGE...: the lists are fetched anew, as old ones name old files
install()
{
	local apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)

	as_root "${apt[@]}" update || true
	as_root "${apt[@]}" install --no-install-recommends "$@"
}

(($# > 0)) && packages=("$@")
command -v dpkg-query >/dev/null ||
	die "this is no Debian system; install by hand: ${packages[*]}"
mapfile -t wanted < <(missing "${packages[@]}")
((${#wanted[@]} > 0)) || exit 0
if ((EUID != 0)) && ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
	die "not root, and no sudo; install as root: apt-get install ${wanted[*]}"
fi
((EUID == 0)) || command -v sudo >/dev/null ||
	die "not root, and no sudo; install as root: apt-get install ${wanted[*]}"
note "missing packages: ${wanted[*]}"
step "installing ${#wanted[@]} packages" "$ROOT/build/log/deps.log" \
	install "${wanted[@]}" ||
	die "cannot install ${wanted[*]}; the log: $ROOT/build/log/deps.log"
