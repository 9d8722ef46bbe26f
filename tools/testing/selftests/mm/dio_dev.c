// SPDX-License-Identifier: GPL-2.0
/*
 * A block device whose I/O waits until the test lets it go.
 *
 * Two device-mapper devices stand on RAM disks. The lower one is suspended to
 * hold I/O: bios are queued there untouched, no data moves. The upper one,
 * which the tests and the file systems use, stays active and counts what is in
 * flight, so that a test knows when its I/O has arrived below.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dio_common.h"

#define LOWER		"dio_selftest_lower"
#define UPPER		"dio_selftest_upper"
#define MAX_RAM		4
#define WANTED_SECTORS	(400ULL << 11)	/* mkfs.xfs wants more than 300 MiB */
#define HELD_TIMEOUT	20		/* seconds; a debugging kernel is slow */

struct segment {
	char path[64];
	unsigned long long sectors;
};

struct dm_request {
	struct dm_ioctl head;
	struct {
		struct dm_target_spec spec;
		char params[104];	/* keeps the next one aligned */
	} target[MAX_RAM];
};

static char upper_path[64];
static char lower_path[64];
static int upper_minor;
static const char *backing;
static const char *cached;

static void dm_init(struct dm_request *req, const char *name)
{
	memset(req, 0, sizeof(*req));
	req->head.version[0] = DM_VERSION_MAJOR;
	req->head.data_size = sizeof(*req);
	req->head.data_start = offsetof(struct dm_request, target);
	snprintf(req->head.name, sizeof(req->head.name), "%s", name);
}

static int dm_call(unsigned long cmd, struct dm_request *req)
{
	int fd, ret = 0;

	fd = open("/dev/mapper/control", O_RDWR);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, cmd, req))
		ret = -errno;
	close(fd);
	return ret;
}

static int dm_simple(unsigned long cmd, const char *name, unsigned int flags)
{
	struct dm_request req;

	dm_init(&req, name);
	req.head.flags = flags;
	return dm_call(cmd, &req);
}

static void dm_table(struct dm_request *req, const struct segment *seg, int nr)
{
	unsigned long long start = 0;
	int i;

	req->head.target_count = nr;
	for (i = 0; i < nr; i++) {
		req->target[i].spec.sector_start = start;
		req->target[i].spec.length = seg[i].sectors;
		req->target[i].spec.next = sizeof(req->target[i]);
		strcpy(req->target[i].spec.target_type, "linear");
		snprintf(req->target[i].params, sizeof(req->target[i].params),
			 "%s 0", seg[i].path);
		start += seg[i].sectors;
	}
}

static int dm_create(const char *name, const struct segment *seg, int nr,
		     char *path, size_t path_size)
{
	struct dm_request req;
	int ret, minor;

	dm_init(&req, name);
	ret = dm_call(DM_DEV_CREATE, &req);
	if (ret)
		return ret;
	minor = (req.head.dev & 0xff) | ((req.head.dev >> 12) & 0xfff00);
	snprintf(path, path_size, "/dev/dm-%d", minor);

	dm_init(&req, name);
	dm_table(&req, seg, nr);
	ret = dm_call(DM_TABLE_LOAD, &req);
	if (!ret)
		ret = dm_simple(DM_DEV_SUSPEND, name, 0);
	return ret ? ret : minor;
}

static unsigned long long device_sectors(const char *path)
{
	unsigned long long bytes = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		bytes = 0;
	close(fd);
	return bytes / DIO_SECTOR;
}

/* In place of the RAM disks; a string that stays */
void dio_dev_set_backing(const char *path)
{
	backing = path;
}

/* What is above the device reads this file by way of the page cache. */
void dio_dev_set_cached(const char *path)
{
	cached = path;
}

/* As many RAM disks as it takes, or the one device that was named. */
static int lower_segments(struct segment *seg, unsigned long long *total)
{
	int nr;

	if (backing) {
		snprintf(seg->path, sizeof(seg->path), "%s", backing);
		*total = seg->sectors = device_sectors(backing);
		return *total > 0;
	}
	*total = 0;
	for (nr = 0; nr < MAX_RAM && *total < WANTED_SECTORS; nr++) {
		snprintf(seg[nr].path, sizeof(seg[nr].path), "/dev/ram%d", nr);
		seg[nr].sectors = device_sectors(seg[nr].path);
		if (!seg[nr].sectors)
			break;
		*total += seg[nr].sectors;
	}
	return nr;
}

int dio_dev_create(void)
{
	struct segment ram[MAX_RAM], lower;
	int nr, ret;

	dio_dev_destroy();
	nr = lower_segments(ram, &lower.sectors);
	if (!nr)
		return -ENODEV;
	ret = dm_create(LOWER, ram, nr, lower_path, sizeof(lower_path));
	if (ret < 0)
		return ret;
	strcpy(lower.path, lower_path);
	upper_minor = dm_create(UPPER, &lower, 1, upper_path,
				sizeof(upper_path));
	return upper_minor < 0 ? upper_minor : 0;
}

/* Also of a test that was killed */
void dio_dev_destroy(void)
{
	dio_dev_release();
	dm_simple(DM_DEV_REMOVE, UPPER, 0);
	dm_simple(DM_DEV_REMOVE, LOWER, 0);
}

const char *dio_dev_path(void)
{
	return upper_path;
}

/* A server may have pages for a while after it has answered. */
static int drop_cache(const char *path)
{
	double deadline = dio_now() + HELD_TIMEOUT;
	int fd = open(path, O_RDONLY);
	int ret = 0;
	off_t size;

	if (fd < 0)
		return -errno;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		ret = -errno;
	while (!ret && size && dio_is_cached(fd, 0, size)) {
		if (dio_now() > deadline)
			ret = -ETIMEDOUT;
		else
			dio_forget(fd, 0, size);
	}
	close(fd);
	return ret;
}

/* A read has to arrive on the device, so nothing below the test may have it. */
int dio_dev_hold(void)
{
	int ret = 0;

	sync();
	if (cached)
		ret = drop_cache(cached);
	if (ret)
		return ret;
	if (dio_given.holds)
		return dio_given_step("hold");
	return dm_simple(DM_DEV_SUSPEND, LOWER, DM_SUSPEND_FLAG |
			 DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG);
}

/* It may not be held at all. */
int dio_dev_release(void)
{
	if (dio_given.holds)
		return dio_given_step("resume");
	return dm_simple(DM_DEV_SUSPEND, LOWER, 0);
}

static bool in_flight(bool write)
{
	unsigned int nr[2] = { 0, 0 };
	char path[64], text[64];

	snprintf(path, sizeof(path), "/sys/block/dm-%d/inflight", upper_minor);
	if (dio_read_file(path, text, sizeof(text)) ||
	    sscanf(text, "%u %u", &nr[0], &nr[1]) != 2)
		return false;
	return nr[write] > 0;
}

static bool task_runs(const char *dir, const char *tid, const char *name)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "%s/%.20s/stat", dir, tid);
	if (dio_read_file(path, text, sizeof(text)))
		return false;
	at = strrchr(text, ')');
	return at && at[2] == 'R' && strstr(text, name);
}

/* No task in @dir that has @name in its name, but for the calling one */
static bool all_sleep(const char *dir, const char *name)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	bool sleep = true;

	while (list && sleep && (entry = readdir(list))) {
		if (atoi(entry->d_name) <= 0 ||
		    atoi(entry->d_name) == syscall(SYS_gettid))
			continue;
		sleep = !task_runs(dir, entry->d_name, name);
	}
	if (list)
		closedir(list);
	return sleep;
}

/*
 * Threads of the test and io_uring's workers. These are listed there too, but
 * in Linux 5.4, where a work queue's workers have its name while they work.
 */
static bool others_sleep(void)
{
	return all_sleep("/proc/self/task", "") &&
	       all_sleep("/proc", "+io_ring");
}

/*
 * Wait until a bio has arrived on the held device and nobody is still on the
 * way to submit more.
 */
int dio_dev_wait_held(bool write)
{
	double deadline = dio_now() + HELD_TIMEOUT;
	bool given = dio_given.holds;

	if (given && dio_given_step("arrive"))
		return -ETIMEDOUT;
	while (!(given || in_flight(write)) || !others_sleep()) {
		if (dio_now() > deadline)
			return -ETIMEDOUT;
		dio_sleep_ms(1);
	}
	return 0;
}
