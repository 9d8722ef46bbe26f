// SPDX-License-Identifier: GPL-2.0
/*
 * What the direct I/O selftests do I/O to: the device itself, a file on one of
 * several file systems, a loop device, and a SCSI disk that the kernel's own
 * SCSI target makes of the device.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dio_common.h"

#define MOUNT_POINT	DIO_MOUNT_POINT
#define TARGET_CORE	"/sys/kernel/config/target/core"
#define STORE		TARGET_CORE "/iblock_0/dio_selftest"
#define FABRIC		"/sys/kernel/config/target/loopback"
#define WWN		FABRIC "/naa.6001405d10d10d10"
#define TPG		WWN "/tpgt_1"
#define LUN		TPG "/lun/lun_0"
#define SCSI_TIMEOUT	30	/* seconds to wait for the disk to show up */
#define FORGET_TIMEOUT	2	/* and for the page cache to let go */

struct target {
	const char *name;
	const char *fs;		/* NULL: not a file system */
	const char *mkfs;
	int (*setup)(void);
	void (*teardown)(void);
};

static char loop_path[64];
static int loop_fd;
static char scsi_path[64];

/* Gone with the last one who has it open, be that a test that is killed. */
static int loop_setup(void)
{
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, nr, backing, ret = 0;

	control = open("/dev/loop-control", O_RDWR);
	if (control < 0)
		return -errno;
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(loop_path, sizeof(loop_path), "/dev/loop%d", nr);
	loop_fd = open(loop_path, O_RDWR);
	backing = open(dio_dev_path(), O_RDWR);
	if (loop_fd < 0 || backing < 0 ||
	    ioctl(loop_fd, LOOP_SET_FD, backing) ||
	    ioctl(loop_fd, LOOP_SET_STATUS64, &info) ||
	    ioctl(loop_fd, LOOP_SET_DIRECT_IO, 1))
		ret = -errno;
	close(backing);
	return ret;
}

static void loop_teardown(void)
{
	close(loop_fd);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

static int iblock_setup(void)
{
	int ret;

	mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	ret = make_dir(TARGET_CORE "/iblock_0");
	if (!ret)
		ret = make_dir(STORE);
	if (!ret)
		ret = dio_write_file(STORE "/control", "udev_path=%s",
				     dio_dev_path());
	if (!ret)
		ret = dio_write_file(STORE "/enable", "1");
	return ret;
}

static int fabric_setup(void)
{
	int ret;

	ret = make_dir(FABRIC);
	if (!ret)
		ret = make_dir(WWN);
	if (!ret)
		ret = make_dir(TPG);
	if (!ret)
		ret = dio_write_file(TPG "/nexus", "naa.6001405d10d10d11");
	if (!ret)
		ret = make_dir(LUN);
	if (!ret && symlink(STORE, LUN "/store"))
		ret = -errno;
	return ret;
}

/* The disk is probed in the background. */
static int scsi_find(void)
{
	char address[32], dir[128];
	double deadline = dio_now() + SCSI_TIMEOUT;
	struct dirent *entry = NULL;
	DIR *list;
	int host, channel, id;

	if (dio_read_file(TPG "/address", address, sizeof(address)) ||
	    sscanf(address, "%d:%d:%d", &host, &channel, &id) != 3)
		return -ENODEV;
	snprintf(dir, sizeof(dir), "/sys/class/scsi_device/%d:%d:%d:0/device/block",
		 host, channel, id);
	while (!entry && dio_now() < deadline) {
		dio_sleep_ms(10);
		list = opendir(dir);
		while (list && (entry = readdir(list)))
			if (entry->d_name[0] != '.')
				break;
		if (entry)
			snprintf(scsi_path, sizeof(scsi_path), "/dev/%.50s",
				 entry->d_name);
		if (list)
			closedir(list);
	}
	return entry ? 0 : -ENODEV;
}

/* The node is there before the disk can be opened. */
static bool scsi_opens(void)
{
	int fd = open(scsi_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int scsi_setup(void)
{
	double deadline = dio_now() + SCSI_TIMEOUT;
	int ret;

	ret = iblock_setup();
	if (!ret)
		ret = fabric_setup();
	if (!ret)
		ret = scsi_find();
	while (!ret && !scsi_opens()) {
		if (dio_now() > deadline)
			return -ENODEV;
		dio_sleep_ms(10);
	}
	return ret;
}

static void scsi_teardown(void)
{
	unlink(LUN "/store");
	rmdir(LUN);
	rmdir(TPG);
	rmdir(WWN);
	rmdir(STORE);
	rmdir(TARGET_CORE "/iblock_0");
}

/* On top of the file system that it stands on, so that the paths stay. */
static int overlay_setup(void)
{
	if (mkdir(MOUNT_POINT "/lower", 0700) ||
	    mkdir(MOUNT_POINT "/upper", 0700) ||
	    mkdir(MOUNT_POINT "/work", 0700) ||
	    mount("none", MOUNT_POINT, "overlay", 0, "lowerdir=" MOUNT_POINT
		  "/lower,upperdir=" MOUNT_POINT "/upper,workdir=" MOUNT_POINT
		  "/work"))
		return -errno;
	return 0;
}

#define MKFS_EXT4 \
	"mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 %s 65536 >/dev/null"

/* Without what Linux 5.4 does not know, where mkfs knows it. */
#define MKFS_XFS \
	"mkfs.xfs -q -f -K -m bigtime=0,inobtcount=0 %1$s 2>/dev/null || " \
	"mkfs.xfs -q -f -K %1$s"

static const struct target targets[DIO_NR_TARGETS] = {
	[DIO_BDEV] = { "block device" },
	[DIO_EXT4] = { "ext4", "ext4", MKFS_EXT4 },
	[DIO_XFS] = { "xfs", "xfs", MKFS_XFS },
	[DIO_EXT2] = { "ext2", "ext2",
		"mkfs.ext2 -q -F -E nodiscard %s 65536 >/dev/null" },
	[DIO_VFAT] = { "vfat", "vfat",
		"mkfs.vfat -F 32 -s 1 %s >/dev/null 2>&1" },
	[DIO_LOOP] = { "loop", .setup = loop_setup,
		       .teardown = loop_teardown },
	[DIO_SG] = { "SCSI disk", .setup = scsi_setup,
		     .teardown = scsi_teardown },
	[DIO_BTRFS] = { "btrfs", "btrfs", "mkfs.btrfs -q -f -K %s >/dev/null" },
	[DIO_OVERLAY] = { "overlayfs", "ext4", MKFS_EXT4, overlay_setup },
	[DIO_GIVEN] = { .setup = dio_given_mount },
};

static int fs_setup(const struct target *t)
{
	char command[256];

	snprintf(command, sizeof(command), t->mkfs, dio_dev_path());
	if (system(command))
		return -ENOPKG;	/* most likely, there is no mkfs */
	mkdir(MOUNT_POINT, 0700);
	if (mount(dio_dev_path(), MOUNT_POINT, t->fs, MS_NOATIME, NULL))
		return -errno;
	return 0;
}

const char *dio_target_name(enum dio_target target)
{
	return target == DIO_GIVEN ? dio_given.name : targets[target].name;
}

/* What position, length and memory of a direct I/O are a multiple of */
size_t dio_target_align(enum dio_target target)
{
	return target == DIO_GIVEN ? dio_given.align : DIO_SECTOR;
}

/* Does the I/O go by the page cache where it can? */
bool dio_target_direct(enum dio_target target, bool write)
{
	return target != DIO_GIVEN || !dio_given.buffered[write];
}

static bool can_write(enum dio_target target)
{
	return target != DIO_GIVEN ||
	       dio_given.can & (DIO_CAN_WRITE | DIO_CAN_APPEND);
}

static bool is_file(enum dio_target target)
{
	return target == DIO_GIVEN || targets[target].fs;
}

const char *dio_target_path(enum dio_target target)
{
	if (target == DIO_LOOP)
		return loop_path;
	if (target == DIO_SG)
		return scsi_path;
	return is_file(target) ? MOUNT_POINT "/file" : dio_dev_path();
}

/* Another file beside it; file systems only */
const char *dio_target_scratch(void)
{
	return MOUNT_POINT "/scratch";
}

/*
 * A file that is only appended to is written past the page cache, and
 * asynchronously: on Linux 6.1, zonefs fails to do it otherwise.
 */
static ssize_t append_all(int fd, void *data)
{
	struct iovec iov = { data, DIO_REGION };
	struct dio_req req = {
		.fd = fd,
		.write = true,
		.iov = &iov,
		.nr_iov = 1,
		.method = DIO_AIO,
	};
	ssize_t ret = dio_start(&req);

	return ret ? ret : dio_finish(&req);
}

/*
 * Is any page of the range in the page cache? Yes, if that cannot be told. The
 * mapping is private, as some files can be mapped in no other way.
 */
bool dio_is_cached(int fd, off_t pos, size_t len)
{
	size_t i, pages = (len + DIO_PAGE - 1) / DIO_PAGE;
	unsigned char *in = calloc(pages, 1);
	void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, pos);
	bool cached;

	cached = !in || map == MAP_FAILED || mincore(map, len, in);
	for (i = 0; !cached && i < pages; i++)
		cached = in[i] & 1;
	if (map != MAP_FAILED)
		munmap(map, len);
	free(in);
	return cached;
}

/*
 * Gets a range that was written back out of the page cache. A page may stay for
 * a moment, such as on btrfs until its extent is in the tree; a direct write that
 * finds it there goes by way of the cache itself.
 */
void dio_forget(int fd, off_t pos, size_t len)
{
	double deadline = dio_now() + FORGET_TIMEOUT;

	while (len) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (!dio_is_cached(fd, pos, len) || dio_now() > deadline)
			break;
		dio_sleep_ms(5);
	}
}

/* Fills the region with the pattern, so that it has its blocks, too. */
int dio_target_fill(enum dio_target target)
{
	bool append = target == DIO_GIVEN && dio_given.can & DIO_CAN_APPEND;
	unsigned char *data = aligned_alloc(DIO_PAGE, DIO_REGION);
	int fd, ret = 0;
	ssize_t done;

	if (!data)
		return -ENOMEM;
	dio_pattern_fill(data, DIO_REGION, 0);
	fd = open(dio_target_path(target),
		  O_RDWR | (append ? O_TRUNC | O_DIRECT : O_CREAT), 0600);
	done = append ? append_all(fd, data) : pwrite(fd, data, DIO_REGION, 0);
	if (done != DIO_REGION || fsync(fd))
		ret = -errno;
	else if (!append)
		dio_forget(fd, 0, DIO_REGION);
	if (fd >= 0)
		close(fd);
	free(data);
	return ret;
}

/*
 * Makes the other file anew: @written bytes of the pattern from @from on,
 * holes up to @size. Returns it open for direct I/O.
 */
int dio_scratch_create(off_t from, size_t written, size_t size)
{
	unsigned char *data = malloc(written);
	int fd, ret = 0;

	if (written && !data)
		return -ENOMEM;
	dio_pattern_fill(data, written, from);
	fd = open(dio_target_scratch(), O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, size) ||
	    pwrite(fd, data, written, from) != (ssize_t)written || fsync(fd))
		ret = -errno;
	else
		dio_forget(fd, from, written);
	free(data);
	close(fd);
	if (ret)
		return ret;
	fd = open(dio_target_scratch(), O_RDWR | O_DIRECT);
	return fd < 0 ? -errno : fd;
}

/* What the other file really holds from its start on; at most @size bytes */
ssize_t dio_scratch_load(void *data, size_t size)
{
	int fd = open(dio_target_scratch(), O_RDONLY);
	ssize_t ret;

	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	ret = pread(fd, data, size, 0);
	close(fd);
	return ret;
}

/* What the target really holds, past the page cache, taking no pins */
int dio_target_load(enum dio_target target, void *data, size_t len, off_t pos)
{
	int fd, ret = 0;

	fd = open(dio_target_path(target), O_RDONLY);
	if (fd < 0)
		return -errno;
	/* What cannot be written to need not know fsync(). */
	if ((fsync(fd) && errno != EINVAL) ||
	    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		ret = -errno;
	else if (pread(fd, data, len, pos) != (ssize_t)len)
		ret = -EIO;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return ret;
}

int dio_target_setup(enum dio_target target)
{
	const struct target *t = &targets[target];
	int ret = 0;

	if (t->fs)
		ret = fs_setup(t);
	if (!ret && t->setup)
		ret = t->setup();
	if (!ret && can_write(target))
		ret = dio_target_fill(target);
	return ret;
}

static void unmount_all(void)
{
	while (!umount(MOUNT_POINT))
		;
}

void dio_target_teardown(enum dio_target target)
{
	const struct target *t = &targets[target];

	if (is_file(target)) {
		unmount_all();
		rmdir(MOUNT_POINT);
	} else if (t->teardown) {
		t->teardown();
	}
}

/* Away with what a test left behind that was killed */
void dio_target_clear(void)
{
	dio_dev_release();
	unmount_all();
	scsi_teardown();
}

int dio_target_open(enum dio_target target)
{
	int mode = can_write(target) ? O_RDWR : O_RDONLY;
	int fd = open(dio_target_path(target), mode | O_DIRECT);

	return fd < 0 ? -errno : fd;
}
