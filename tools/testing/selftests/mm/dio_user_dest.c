// SPDX-License-Identifier: GPL-2.0
/*
 * Direct reads into memory that goes away while the device still works on it,
 * or that other files own: page cache, shmem, DAX.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dio_user.h"

#define DEST_PAGES	16
#define DEST_SIZE	(DEST_PAGES * DIO_PAGE)
#define OTHER_MOUNT	"/tmp/dio_selftest_other"
#define OTHER_FILE	OTHER_MOUNT "/file"
#define OTHER_DISK	"/dev/ram8"	/* not one that the tests hold */
#define DAX_DISK	"/dev/pmem0"
#define TRUNCATE_MS	200	/* long enough to be sure that it waits */
#define TRUNCATE_TIMEOUT 30

struct dest {
	const char *disk;
	const char *options;
	int fd;
	unsigned char *map;
};

struct truncation {
	int fd;
	int ret;
	bool done;
};

static void make_request(struct dio_run *run, struct dio_req *req,
			 struct iovec *iov, void *data,
			 enum dio_method method)
{
	iov->iov_base = data;
	iov->iov_len = DEST_SIZE;
	*req = (struct dio_req) {
		.fd = run->fd,
		.pos = DIO_READ_POS,
		.iov = iov,
		.nr_iov = 1,
		.method = run->target == DIO_SG ? DIO_SGIO : method,
	};
	run->pages = DEST_PAGES;
}

static bool start_read(struct dio_run *run, struct dio_req *req,
		       struct iovec *iov, void *data, enum dio_method method)
{
	int ret;

	make_request(run, req, iov, data, method);
	ret = dio_start_held(req);
	return dio_expect(!ret, "not held: %s", strerror(-ret));
}

static bool finish_read(struct dio_req *req)
{
	ssize_t ret = dio_finish_held(req);

	return dio_expect(ret == DEST_SIZE, "result %zd", ret);
}

/* What is mapped in its place meanwhile must not get the data. */
static bool munmap_in_flight(struct dio_run *run, enum dio_method method)
{
	struct dio_req req;
	struct iovec iov;

	if (!dio_run_buffer(run, DIO_MEM_4K, DEST_SIZE, USER_FILL) ||
	    !start_read(run, &req, &iov, run->buf.data, method))
		return false;
	munmap(run->buf.data, DEST_SIZE);
	mmap(run->buf.data, DEST_SIZE, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(run->buf.data, USER_CHILD, DEST_SIZE);
	return finish_read(&req) &&
	       dio_expect(dio_all_is(run->buf.data, DEST_SIZE, USER_CHILD),
			  "new memory changed");
}

bool dest_munmap(struct dio_run *run)
{
	return munmap_in_flight(run, DIO_AIO);
}

bool dest_munmap_uring(struct dio_run *run)
{
	return munmap_in_flight(run, DIO_URING);
}

/* The reader dies; its parent's copy of the memory stays as it was. */
static bool kill_in_flight(struct dio_run *run, enum dio_method method)
{
	struct dio_req req;
	struct iovec iov;
	int status = 0;
	bool held;
	pid_t pid;

	if (!dio_run_buffer(run, DIO_MEM_4K, DEST_SIZE, USER_FILL))
		return false;
	make_request(run, &req, &iov, run->buf.data, method);
	dio_dev_hold();
	pid = fork();
	if (!pid)
		_exit(dio_start(&req) || dio_finish(&req) != DEST_SIZE);
	held = !dio_dev_wait_held(false);
	kill(pid, SIGKILL);
	dio_dev_release();
	return dio_expect(held, "not held") &&
	       dio_expect(waitpid(pid, &status, 0) == pid &&
			  WIFSIGNALED(status), "status %#x", status) &&
	       dio_expect(dio_all_is(run->buf.data, DEST_SIZE, USER_FILL),
			  "the parent's memory changed");
}

bool dest_kill(struct dio_run *run)
{
	return kill_in_flight(run, DIO_READ);
}

bool dest_kill_aio(struct dio_run *run)
{
	return kill_in_flight(run, DIO_AIO);
}

bool dest_kill_uring(struct dio_run *run)
{
	return kill_in_flight(run, DIO_URING);
}

/* The child has the memory in common, whenever the data comes. */
bool dest_shmem(struct dio_run *run)
{
	struct dio_req req;
	struct iovec iov;
	int status = -1;
	int go[2];
	void *map;
	char byte;
	pid_t pid;

	map = mmap(NULL, DEST_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || pipe(go) ||
	    !start_read(run, &req, &iov, map, DIO_AIO))
		return false;
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) ||
		      !dio_pattern_is(map, DEST_SIZE, DIO_READ_POS));
	}
	if (!finish_read(&req))
		return false;
	close(go[0]);
	close(go[1]);
	return dio_expect(waitpid(pid, &status, 0) == pid && !status,
			  "the child misses data") &&
	       dio_expect(dio_pattern_is(map, DEST_SIZE, DIO_READ_POS),
			  "wrong data") && !munmap(map, DEST_SIZE);
}

static int other_mount(const struct dest *dest)
{
	char command[128];

	umount(OTHER_MOUNT);	/* a test that was killed left it */
	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F -b 4096 -E nodiscard,lazy_itable_init=0 %s >/dev/null",
		 dest->disk);
	if (system(command))
		return -ENOPKG;
	mkdir(OTHER_MOUNT, 0700);
	return mount(dest->disk, OTHER_MOUNT, "ext4", MS_NOATIME,
		     dest->options) ? -errno : 0;
}

/* A file of another file system, mapped */
static bool dest_create(struct dest *dest, int map_flags)
{
	unsigned char data[DEST_SIZE];
	int ret;

	if (!dio_need(!access(dest->disk, F_OK), "no %s", dest->disk))
		return false;
	ret = other_mount(dest);
	if (!dio_expect(!ret, "%s: %s", dest->disk, strerror(-ret)))
		return false;
	memset(data, USER_FILL, DEST_SIZE);
	dest->fd = open(OTHER_FILE, O_RDWR | O_CREAT, 0600);
	if (!dio_expect(dest->fd >= 0 && write(dest->fd, data, DEST_SIZE) ==
			DEST_SIZE && !fsync(dest->fd), "%s: %s", OTHER_FILE,
			strerror(errno)))
		return false;
	dest->map = mmap(NULL, DEST_SIZE, PROT_READ | PROT_WRITE, map_flags,
			 dest->fd, 0);
	return dio_expect(dest->map != MAP_FAILED, "mmap: %s", strerror(errno));
}

static void dest_unmount(struct dest *dest)
{
	if (dest->map && dest->map != MAP_FAILED)
		munmap(dest->map, DEST_SIZE);
	if (dest->fd >= 0)
		close(dest->fd);
	umount(OTHER_MOUNT);
	rmdir(OTHER_MOUNT);
}

/* From the disk: mounted anew, nothing is left in any cache. */
static bool dest_load(struct dest *dest, unsigned char *data)
{
	bool good;
	int fd;

	munmap(dest->map, DEST_SIZE);
	dest->map = NULL;
	close(dest->fd);
	dest->fd = -1;
	umount(OTHER_MOUNT);
	good = !mount(dest->disk, OTHER_MOUNT, "ext4", 0, dest->options);
	fd = open(OTHER_FILE, O_RDONLY);
	good = good && read(fd, data, DEST_SIZE) == DEST_SIZE;
	close(fd);
	return dio_expect(good, "%s: %s", OTHER_FILE, strerror(errno));
}

/* The pages are written back, and so clean, before the data arrives. */
static bool read_to_file(struct dio_run *run, struct dest *dest)
{
	struct dio_req req;
	struct iovec iov;
	bool clean;

	if (!start_read(run, &req, &iov, dest->map, DIO_AIO))
		return false;
	clean = !fsync(dest->fd);
	return finish_read(&req) && dio_expect(clean, "fsync failed") &&
	       dio_expect(dio_pattern_is(dest->map, DEST_SIZE, DIO_READ_POS),
			  "wrong data");
}

static bool shared_file(struct dio_run *run, struct dest *dest)
{
	unsigned char data[DEST_SIZE];
	bool good;

	good = dest_create(dest, MAP_SHARED) && read_to_file(run, dest) &&
	       !fsync(dest->fd) && dest_load(dest, data) &&
	       dio_expect(dio_pattern_is(data, DEST_SIZE, DIO_READ_POS),
			  "data gone from the file");
	dest_unmount(dest);
	return good;
}

bool dest_shared_file(struct dio_run *run)
{
	struct dest dest = { .disk = OTHER_DISK, .fd = -1 };

	return shared_file(run, &dest);
}

bool dest_dax(struct dio_run *run)
{
	struct dest dest = { .disk = DAX_DISK, .options = "dax", .fd = -1 };

	return shared_file(run, &dest);
}

bool dest_private_file(struct dio_run *run)
{
	struct dest dest = { .disk = OTHER_DISK, .fd = -1 };
	unsigned char data[DEST_SIZE];
	bool good;

	good = dest_create(&dest, MAP_PRIVATE) && read_to_file(run, &dest) &&
	       dest_load(&dest, data) &&
	       dio_expect(dio_all_is(data, DEST_SIZE, USER_FILL),
			  "the file changed");
	dest_unmount(&dest);
	return good;
}

static void *truncate_thread(void *arg)
{
	struct truncation *t = arg;

	t->ret = ftruncate(t->fd, 0);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool join_in_time(pthread_t thread)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += TRUNCATE_TIMEOUT;
	return !pthread_timedjoin_np(thread, NULL, &deadline);
}

/*
 * A DAX page is the file's block itself, which cannot be given away while the
 * device writes into it: the truncation waits, and is woken afterwards.
 */
static bool truncate_file(struct dio_run *run, struct dest *dest, bool waits)
{
	static struct truncation t;	/* outlives a thread that hangs */
	struct dio_req req;
	struct iovec iov;
	pthread_t thread;
	bool waited;

	if (!start_read(run, &req, &iov, dest->map, DIO_AIO))
		return false;
	t = (struct truncation) { .fd = dest->fd };
	pthread_create(&thread, NULL, truncate_thread, &t);
	dio_sleep_ms(TRUNCATE_MS);
	waited = !__atomic_load_n(&t.done, __ATOMIC_ACQUIRE);
	return finish_read(&req) &&
	       dio_expect(join_in_time(thread), "truncation hangs") &&
	       dio_expect(!t.ret, "truncation failed") &&
	       dio_expect(!waits || waited, "truncation did not wait");
}

static bool truncate_in_flight(struct dio_run *run, struct dest *dest,
			       bool waits)
{
	bool good;

	good = dest_create(dest, MAP_SHARED) &&
	       truncate_file(run, dest, waits);
	dest_unmount(dest);
	return good;
}

bool dest_shared_file_truncate(struct dio_run *run)
{
	struct dest dest = { .disk = OTHER_DISK, .fd = -1 };

	return truncate_in_flight(run, &dest, false);
}

bool dest_dax_truncate(struct dio_run *run)
{
	struct dest dest = { .disk = DAX_DISK, .options = "dax", .fd = -1 };

	return truncate_in_flight(run, &dest, true);
}
