#!/sbin/dash
# SPDX-License-Identifier: GPL-2.0
#
# fs NAME[+GROUP]: runs dio_fs, or only one group of its cases, on the file system
# that /fs/NAME describes. dio_fs calls this again for each step: fs NAME STEP
# DEVICE DIRECTORY. What a description can say is in harness/fs/README. The shell
# is not busybox's, which has small versions of some of the tools built in.
set -eu

name=${1%+*}
TYPE=$name
MOUNT=noatime
OPTIONS=
PROGRAM=dio_fs

# Kernel modules are loaded when they are needed.
echo /bin/modprobe >/proc/sys/kernel/modprobe

do_mount()
{
	mount -t "$TYPE" -o "$MOUNT" "$1" "$2"
}

do_unmount()
{
	umount "$2"
}

do_prepare()
{
	:
}

# null_blk SETTING...: makes /dev/dio_null, which keeps what is written to it
disk=/sys/kernel/config/nullb/dio_null
null_blk()
{
	mkdir "$disk"
	for setting in "$@" memory_backed=1; do
		echo "${setting#*=}" >"$disk/${setting%%=*}"
	done
	echo 1 >"$disk/power"
}

# map_device NAME TABLE: makes a device-mapper device, and prints its node; the
# links that udev would make are not there
map_device()
{
	dmsetup create --noudevrules --noudevsync "$1" --table "$2"
	echo "/dev/$(grep -lx "$1" /sys/block/dm-*/dm/name | cut -d / -f 4)"
}

unmap_device()
{
	dmsetup remove --noudevrules --noudevsync "$1"
}

# within SECONDS COMMAND...: until that is true, or fail
within()
{
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

# process_is_gone PID: all of its threads have let go of what they had, files
# included; it may be a zombie
process_is_gone()
{
	[ ! -e "/proc/$1" ] || {
		grep -q "^State:.Z" "/proc/$1/status" &&
		grep -q "^Threads:.1$" "/proc/$1/status"
	}
}

# bind_cache DIRECTORY: has cachefiles use it, for as long as somebody has the
# file open through which it was told so
bind_cache()
{
	exec 3<>/dev/cachefiles
	echo "dir $1" >&3
	echo bind >&3
	sleep 1000000 &
	echo $! >"$1.pid"
	exec 3>&-
}

# And unmounts it, which is possible when cachefiles has let go of it
unbind_cache()
{
	kill "$(cat "$1.pid")"
	rm "$1.pid"
	within 10 umount "$1"
}

# A network of this machine's own. What was received is freed at once: a CPU that
# has it on its list for later has pages of a server's cache with it.
use_loopback()
{
	echo 0 >/proc/sys/net/core/skb_defer_max
	ip link set lo up
}

# serve_nfs DIRECTORY FLAGS: has nfsd export it to this machine, as the root of
# version 4's. The tables are those that mountd fills when it is asked. FLAGS are
# NFSEXP_..., of include/uapi/linux/nfsd/export.h.
nfsd=/proc/fs/nfsd
serve_nfs()
{
	forever=2147483647
	use_loopback
	rpcbind-yes >/tmp/rpcbind.pid
	mkdir -p /var/lib/nfs/v4recovery
	modprobe nfsd
	mount -t nfsd nfsd "$nfsd"
	echo "nfsd 127.0.0.1 $forever dio" >/proc/net/rpc/auth.unix.ip/channel
	echo "dio $1 $forever $2 0 0 0" >/proc/net/rpc/nfsd.export/channel
	printf '%s\n' "dio 1 \x00000000 $forever $1" >/proc/net/rpc/nfsd.fh/channel
	echo 10 >"$nfsd/nfsv4leasetime"
	echo tcp 2049 >"$nfsd/portlist"
	echo 4 >"$nfsd/threads"
	echo Y >"$nfsd/v4_end_grace"
}

# And unmounts the directory, which nfsd has files open in for a moment more
unserve_nfs()
{
	echo 0 >"$nfsd/threads"
	umount "$nfsd"
	kill "$(cat /tmp/rpcbind.pid)"
	for table in auth.unix.ip nfsd.fh nfsd.export; do
		echo 1 >"/proc/net/rpc/$table/flush"
	done
	within 10 umount "$1"
}

# read_held FILE: reads that a network file system's device is held for, into
# memory, and into a file of another file system
other=/tmp/other
read_held()
{
	mkfs.ext4 -q -F -E nodiscard /dev/ram8
	mkdir -p "$other"
	mount -t ext4 /dev/ram8 "$other"
	read-held "$1" "$other/mapped"
	umount "$other"
}

# Makes the device to stand on, if that is not RAM disks.
do_device()
{
	:
}

# And takes it away.
do_release()
{
	[ ! -d "$disk" ] || rmdir "$disk"
}

# shellcheck source=/dev/null
. "/fs/$name"

if [ $# = 1 ]; then
	do_device
	export ONLY=
	if [ "$name" != "$1" ]; then
		ONLY=${1#*+}
		OPTIONS="$OPTIONS -o $ONLY"
	fi
	status=0
	# shellcheck disable=SC2086 # it is several words, or none
	$PROGRAM $OPTIONS "$name" "$0" "$name" || status=$?
	do_release
	exit "$status"
fi
step=$2
shift 2
"do_$step" "$@"
