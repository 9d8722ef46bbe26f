// SPDX-License-Identifier: GPL-2.0
/*
 * A file of a network file system that is cached on the device. The cache is
 * read and written by direct I/O of page cache pages, which nobody pins: what
 * keeps them is that they are locked, or marked as being written to the cache.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_fs.h"
#include "dio_user.h"

#define FORGET_TIMEOUT	10
#define CACHE_SIZE	(16 * DIO_PAGE)

struct reader {
	int fd;
	off_t pos;
	unsigned char data[CACHE_SIZE];
	ssize_t ret;
	pthread_t thread;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;

	r->ret = pread(r->fd, r->data, CACHE_SIZE, r->pos);
	return NULL;
}

static bool reader_start(struct reader *r, struct dio_run *run, off_t pos)
{
	*r = (struct reader) {
		.fd = open(dio_target_path(run->target), O_RDONLY),
		.pos = pos,
	};
	return dio_expect(r->fd >= 0 &&
			  !pthread_create(&r->thread, NULL, reader_thread, r),
			  "no reader");
}

static bool reader_finish(struct reader *r)
{
	pthread_join(r->thread, NULL);
	close(r->fd);
	return dio_expect(r->ret == CACHE_SIZE, "result %zd", r->ret) &&
	       dio_expect(dio_pattern_is(r->data, CACHE_SIZE, r->pos),
			  "wrong data");
}

/* Whatever can be asked for to get a page out of the page cache */
static void forget_pages(struct dio_run *run)
{
	int fd = open(dio_target_path(run->target), O_RDONLY);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	dio_write_file("/proc/sys/vm/drop_caches", "1");
}

static bool read_part(struct dio_run *run, off_t pos)
{
	struct reader r;

	return reader_start(&r, run, pos) && reader_finish(&r);
}

static bool is_resident(struct dio_run *run, off_t pos)
{
	int fd = open(dio_target_path(run->target), O_RDONLY);
	bool cached = dio_is_cached(fd, pos, CACHE_SIZE);

	close(fd);
	return cached;
}

/* A page cannot be got rid of before it is in the cache. */
static bool forget_all(struct dio_run *run, off_t pos)
{
	double deadline = dio_now() + FORGET_TIMEOUT;

	do {
		forget_pages(run);
		dio_sleep_ms(10);
	} while (is_resident(run, pos) && dio_now() < deadline);
	return !is_resident(run, pos);
}

/* From the server, into the page cache, and then into the cache */
static bool fill_cache(struct dio_run *run, off_t pos)
{
	return read_part(run, pos) &&
	       dio_expect(forget_all(run, pos), "not written to the cache");
}

bool cache_fill(struct dio_run *run)
{
	run->unpinned = true;
	return fill_cache(run, 0) && read_part(run, 0);
}

/* The pages of a read are locked until the cache's data is in them. */
bool cache_read_held(struct dio_run *run)
{
	struct reader r;
	bool held;

	run->unpinned = true;
	if (!fill_cache(run, DIO_READ_POS))
		return false;
	dio_dev_hold();
	if (!reader_start(&r, run, DIO_READ_POS)) {
		dio_dev_release();
		return false;
	}
	held = !dio_dev_wait_held(false);
	forget_pages(run);
	dio_dev_release();
	return reader_finish(&r) &&
	       dio_expect(held, "not read from the cache");
}

bool cache_kill_held(struct dio_run *run)
{
	bool held;
	pid_t pid;

	run->unpinned = true;
	if (!fill_cache(run, DIO_READ_POS))
		return false;
	dio_dev_hold();
	pid = fork();
	if (!pid)
		_exit(!read_part(run, DIO_READ_POS));
	held = !dio_dev_wait_held(false);
	kill(pid, SIGKILL);
	forget_pages(run);
	dio_dev_release();
	return dio_expect(waitpid(pid, NULL, 0) == pid, "no child") &&
	       dio_expect(held, "not read from the cache") &&
	       read_part(run, DIO_READ_POS);
}

static void *writer_thread(void *arg)
{
	struct reader *w = arg;

	w->ret = pwrite(w->fd, w->data, CACHE_SIZE, w->pos);
	if (fsync(w->fd))
		w->ret = -1;
	return NULL;
}

static bool holds_fill(struct dio_run *run, off_t pos)
{
	unsigned char data[CACHE_SIZE];
	int fd = open(dio_target_path(run->target), O_RDONLY);
	ssize_t ret = pread(fd, data, CACHE_SIZE, pos);

	close(fd);
	return dio_expect(ret == CACHE_SIZE &&
			  dio_all_is(data, CACHE_SIZE, USER_FILL),
			  "wrong data in the cache");
}

/*
 * What a process writes goes to the server, and from the same pages to the
 * cache. They are marked until it is there, and cannot be got rid of.
 */
bool cache_write_held(struct dio_run *run)
{
	struct reader w = {
		.fd = open(dio_target_path(run->target), O_WRONLY),
		.pos = DIO_WRITE_POS,
	};
	bool held, stays;

	run->unpinned = true;
	/* Once ahead, so that what is held is not a look at free blocks. */
	writer_thread(&w);
	memset(w.data, USER_FILL, CACHE_SIZE);
	dio_dev_hold();
	pthread_create(&w.thread, NULL, writer_thread, &w);
	held = !dio_dev_wait_held(true);
	forget_pages(run);
	stays = is_resident(run, DIO_WRITE_POS);
	dio_dev_release();
	pthread_join(w.thread, NULL);
	close(w.fd);
	return dio_expect(w.ret == CACHE_SIZE, "result %zd", w.ret) &&
	       dio_expect(held, "not written to the cache") &&
	       dio_expect(stays, "pages gone that are being written") &&
	       dio_expect(forget_all(run, DIO_WRITE_POS), "pages stay") &&
	       holds_fill(run, DIO_WRITE_POS);
}
