// SPDX-License-Identifier: GPL-2.0
/*
 * Direct writes from memory that is not the process's own alone: the zero
 * page, pages shared by fork() or KSM, page cache; and segments that share a
 * page.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_user.h"

#define SOURCE_PAGES	16
#define SOURCE_SIZE	(SOURCE_PAGES * DIO_PAGE)
#define IN_FLIGHT	64	/* writes at once... */
#define IN_FLIGHT_SIZE	(8 * DIO_PAGE)	/* ...of this size each */
#define KSM		"/sys/kernel/mm/ksm/"
#define KSM_TIMEOUT	60
#define KPF_KSM_BIT	0x200000ULL
#define KPF_HUGE_ZERO	0x1400000ULL
#define SEGMENTS	10000
#define PAGE_SECTORS	(DIO_PAGE / DIO_SECTOR)

static bool write_region(struct dio_run *run, const void *data, size_t size)
{
	ssize_t ret = dio_run_io(run, true, (void *)data, size, DIO_WRITE_POS);

	return dio_expect(ret == size, "result %zd", ret);
}

static bool untouched(struct dio_run *run, size_t size)
{
	int ret = dio_buf_alloc(&run->buf, DIO_MEM_4K, size);

	return dio_expect(!ret, "no buffer: %s", strerror(-ret)) &&
	       dio_run_prefill(run, size, DIO_WRITE_POS, USER_FILL);
}

bool source_zero(struct dio_run *run)
{
	return untouched(run, SOURCE_SIZE) &&
	       write_region(run, run->buf.data, SOURCE_SIZE) &&
	       dio_run_holds(run, SOURCE_SIZE, DIO_WRITE_POS, 0);
}

bool source_zero_mixed(struct dio_run *run)
{
	off_t at;

	if (!untouched(run, SOURCE_SIZE))
		return false;
	for (at = 0; at < SOURCE_SIZE; at += 2 * DIO_PAGE)
		memset(run->buf.data + at, USER_CHILD, DIO_PAGE);
	run->pages = SOURCE_PAGES / 2;
	if (!write_region(run, run->buf.data, SOURCE_SIZE))
		return false;
	for (at = 0; at < SOURCE_SIZE; at += DIO_PAGE)
		if (!dio_run_holds(run, DIO_PAGE, DIO_WRITE_POS + at,
				   at & DIO_PAGE ? 0 : USER_CHILD))
			return false;
	return true;
}

/* A load from memory that wants huge pages maps the huge zero page. */
static bool is_huge_zero(const unsigned char *huge)
{
	unsigned long long flags = 0;
	unsigned long pfn;

	return dio_all_is(huge, 1, 0) && !dio_pfns(huge, &pfn, 1) &&
	       !dio_kpageflags(pfn, &flags) &&
	       (flags & KPF_HUGE_ZERO) == KPF_HUGE_ZERO;
}

bool source_zero_huge(struct dio_run *run)
{
	unsigned char *map, *huge;
	bool good;

	map = mmap(NULL, 2 * DIO_HUGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	huge = (void *)(((uintptr_t)map + DIO_HUGE - 1) & ~(DIO_HUGE - 1));
	madvise(huge, DIO_HUGE, MADV_HUGEPAGE);
	run->pages = SOURCE_PAGES;
	good = dio_expect(is_huge_zero(huge), "no huge zero page") &&
	       dio_run_prefill(run, SOURCE_SIZE, DIO_WRITE_POS, USER_FILL) &&
	       write_region(run, huge, SOURCE_SIZE) &&
	       dio_run_holds(run, SOURCE_SIZE, DIO_WRITE_POS, 0);
	munmap(map, 2 * DIO_HUGE);
	return good;
}

static bool start_many(struct dio_run *run, struct dio_req *req,
		       struct iovec *iov, int *started)
{
	int i, ret = 0;

	for (i = 0; i < IN_FLIGHT && !ret; i++) {
		iov[i].iov_base = run->buf.data + i * IN_FLIGHT_SIZE;
		iov[i].iov_len = IN_FLIGHT_SIZE;
		req[i] = (struct dio_req) {
			.fd = run->fd,
			.write = true,
			.pos = DIO_WRITE_POS + i * IN_FLIGHT_SIZE,
			.iov = &iov[i],
			.nr_iov = 1,
			.method = DIO_AIO,
		};
		ret = dio_start(&req[i]);
		if (!ret)
			*started = i + 1;
	}
	return dio_expect(!ret, "start: %s", strerror(-ret)) &&
	       dio_expect(!dio_dev_wait_held(true), "not held");
}

bool source_zero_in_flight(struct dio_run *run)
{
	struct dio_req req[IN_FLIGHT];
	struct iovec iov[IN_FLIGHT];
	int i, started = 0;
	ssize_t ret;
	bool good;

	if (!untouched(run, IN_FLIGHT * IN_FLIGHT_SIZE))
		return false;
	dio_warm_up(&(struct dio_req) { .fd = run->fd, .write = true });
	dio_dev_hold();
	good = start_many(run, req, iov, &started);
	dio_dev_release();
	for (i = 0; i < started; i++) {
		ret = dio_finish(&req[i]);
		good = dio_expect(ret == IN_FLIGHT_SIZE, "result %zd", ret) &&
		       good;
	}
	return good && dio_run_holds(run, IN_FLIGHT * IN_FLIGHT_SIZE,
				     DIO_WRITE_POS, 0);
}

/* Shares the memory, stores into it when @go is closed, and exits. */
static pid_t sharing_child(struct dio_run *run, int *go)
{
	int fds[2];
	char byte;
	pid_t pid;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		close(fds[1]);
		if (read(fds[0], &byte, 1))
			_exit(1);
		memset(run->buf.data, USER_CHILD, run->buf.size);
		_exit(0);
	}
	close(fds[0]);
	*go = fds[1];
	return pid;
}

static bool child_stores(pid_t pid, int go)
{
	int status = -1;

	close(go);
	return dio_expect(waitpid(pid, &status, 0) == pid && !status,
			  "child: %#x", status);
}

/* The child stores while the parent's write is in flight. */
bool source_forked(struct dio_run *run)
{
	struct iovec iov;
	struct dio_req req = {
		.fd = run->fd,
		.write = true,
		.pos = DIO_WRITE_POS,
		.iov = &iov,
		.nr_iov = 1,
		.method = run->target == DIO_SG ? DIO_SGIO : DIO_AIO,
	};
	bool stored;
	ssize_t ret;
	pid_t pid;
	int go;

	if (!dio_run_buffer(run, DIO_MEM_4K, SOURCE_SIZE, USER_FILL))
		return false;
	iov.iov_base = run->buf.data;
	iov.iov_len = SOURCE_SIZE;
	run->pages = SOURCE_PAGES;
	pid = sharing_child(run, &go);
	ret = dio_start_held(&req);
	stored = child_stores(pid, go);
	if (!dio_expect(!ret, "not held: %s", strerror(-ret)))
		return false;
	ret = dio_finish_held(&req);
	return stored && dio_expect(ret == SOURCE_SIZE, "result %zd", ret) &&
	       dio_run_holds(run, SOURCE_SIZE, DIO_WRITE_POS, USER_FILL);
}

/* A write that goes by the page cache dirties no page of it. */
static bool write_direct(struct dio_run *run, size_t size)
{
	long dirtied;
	bool good;

	fsync(run->fd);		/* only clean pages count when dirtied */
	dirtied = dio_vmstat("nr_dirtied ");
	good = write_region(run, run->buf.data, size);
	dirtied = dio_vmstat("nr_dirtied ") - dirtied;
	return good && dio_expect(dirtied < size / DIO_PAGE / 2,
				  "%ld pages dirtied: not direct", dirtied);
}

bool source_forked_direct(struct dio_run *run)
{
	size_t size = DIO_REGION - DIO_WRITE_POS;
	bool good;
	pid_t pid;
	int go;

	if (!dio_run_buffer(run, DIO_MEM_4K, size, USER_FILL))
		return false;
	run->pages = size / DIO_PAGE;
	pid = sharing_child(run, &go);
	good = write_direct(run, size);
	return child_stores(pid, go) && good &&
	       dio_run_holds(run, size, DIO_WRITE_POS, USER_FILL);
}

static bool all_merged(const unsigned char *data, size_t pages)
{
	unsigned long pfn[SOURCE_PAGES * 16];
	unsigned long long flags = 0;
	size_t i;

	if (dio_pfns(data, pfn, pages) || dio_kpageflags(pfn[0], &flags))
		return false;
	for (i = 1; i < pages; i++)
		if (pfn[i] != pfn[0])
			return false;
	return flags & KPF_KSM_BIT;
}

/* The same data in all pages, and KSM makes one of them. */
static bool merge_pages(struct dio_run *run, size_t pages)
{
	double deadline = dio_now() + KSM_TIMEOUT;
	bool merged;

	if (!dio_run_buffer(run, DIO_MEM_4K, pages * DIO_PAGE, USER_FILL) ||
	    !dio_need(!madvise(run->buf.data, run->buf.size, MADV_MERGEABLE),
		      "no KSM"))
		return false;
	dio_write_file(KSM "sleep_millisecs", "10");
	dio_write_file(KSM "pages_to_scan", "2000");
	dio_write_file(KSM "run", "1");
	do {
		dio_sleep_ms(20);
		merged = all_merged(run->buf.data, pages);
	} while (!merged && dio_now() < deadline);
	dio_write_file(KSM "run", "0");
	run->pages = pages;
	return dio_expect(merged, "not merged by KSM");
}

bool source_ksm(struct dio_run *run)
{
	return merge_pages(run, SOURCE_PAGES) &&
	       write_region(run, run->buf.data, SOURCE_SIZE) &&
	       dio_run_holds(run, SOURCE_SIZE, DIO_WRITE_POS, USER_FILL);
}

bool source_ksm_direct(struct dio_run *run)
{
	size_t pages = SOURCE_PAGES * 16, size = pages * DIO_PAGE;

	return merge_pages(run, pages) && write_direct(run, size) &&
	       dio_run_holds(run, size, DIO_WRITE_POS, USER_FILL);
}

/* The target's own page cache, from which another part of it is written */
bool source_page_cache(struct dio_run *run)
{
	unsigned char *map, back[SOURCE_SIZE];
	int fd = open(dio_target_path(run->target), O_RDONLY);
	bool good;

	map = mmap(NULL, SOURCE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (!dio_expect(map != MAP_FAILED, "mmap: %s", strerror(errno)))
		return false;
	dio_run_pins(run, true, SOURCE_PAGES);
	good = write_region(run, map, SOURCE_SIZE) &&
	       !dio_target_load(run->target, back, SOURCE_SIZE, DIO_WRITE_POS) &&
	       dio_expect(dio_pattern_is(back, SOURCE_SIZE, 0),
			  "wrong data written");
	munmap(map, SOURCE_SIZE);
	return good;
}

/* What one call takes: the kernel's limit, or the SCSI disk's */
static int segments_per_call(const struct dio_run *run)
{
	return run->target == DIO_SG ? 200 : 1000;
}

/* Sectors of one page in turn, again and again */
static bool segments_io(struct dio_run *run, bool write, off_t pos)
{
	int i, done, nr = segments_per_call(run);
	struct iovec iov[1000];
	ssize_t ret;

	for (i = 0; i < nr; i++) {
		iov[i].iov_base = run->buf.data +
				  i % PAGE_SECTORS * DIO_SECTOR;
		iov[i].iov_len = DIO_SECTOR;
	}
	for (done = 0; done < SEGMENTS; done += nr) {
		ret = dio_run_iov(run, write, iov, nr, pos);
		if (!dio_expect(ret == nr * DIO_SECTOR, "result %zd", ret))
			return false;
	}
	run->pages = SEGMENTS;
	return true;
}

/* Any of the segments that brought data to a sector may have been the last. */
static bool sector_from_any(struct dio_run *run, int sector)
{
	const unsigned char *data = run->buf.data + sector * DIO_SECTOR;
	int i;

	for (i = sector; i < segments_per_call(run); i += PAGE_SECTORS)
		if (dio_pattern_is(data, DIO_SECTOR,
				   DIO_READ_POS + i * DIO_SECTOR))
			return true;
	return false;
}

bool segments_read(struct dio_run *run)
{
	int i;

	if (!dio_run_buffer(run, DIO_MEM_4K, DIO_PAGE, USER_FILL) ||
	    !segments_io(run, false, DIO_READ_POS))
		return false;
	for (i = 0; i < PAGE_SECTORS; i++)
		if (!dio_expect(sector_from_any(run, i), "wrong data"))
			return false;
	return true;
}

bool segments_write(struct dio_run *run)
{
	size_t size = segments_per_call(run) * DIO_SECTOR, at;
	unsigned char *back = malloc(size);
	bool good;

	if (!back || !dio_run_buffer(run, DIO_MEM_4K, DIO_PAGE, 0))
		return false;
	dio_pattern_fill(run->buf.data, DIO_PAGE, 0);
	good = segments_io(run, true, DIO_WRITE_POS) &&
	       !dio_target_load(run->target, back, size, DIO_WRITE_POS);
	for (at = 0; good && at < size; at += DIO_SECTOR)
		good = dio_expect(dio_pattern_is(back + at, DIO_SECTOR,
						 at % DIO_PAGE),
				  "wrong data written");
	free(back);
	return good;
}
