// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of a direct read in flight, while the kernel wants to swap them
 * out, to migrate, merge or free them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dio_move.h"

#define PUSHES		3
#define KSM		"/sys/kernel/mm/ksm/"
#define KSM_TIMEOUT	60

/* A direct read of the first PAGES pages that is in flight */
struct held {
	struct iovec iov[PAGES];
	struct dio_req req;
	unsigned long pfns[PAGES];
};

static bool start_read(struct dio_run *run, struct held *h)
{
	int i, ret;

	for (i = 0; i < PAGES; i++) {
		h->iov[i].iov_base = run->buf.data + i * DIO_PAGE;
		h->iov[i].iov_len = SEGMENT;
	}
	h->req = (struct dio_req) {
		.fd = run->fd,
		.pos = DIO_READ_POS,
		.iov = h->iov,
		.nr_iov = PAGES,
		.method = DIO_AIO,
	};
	run->pages = PAGES;
	ret = dio_start_held(&h->req);
	return dio_expect(!ret, "not held: %s", strerror(-ret)) &&
	       !dio_pfns(run->buf.data, h->pfns, PAGES);
}

static bool finish_read(struct dio_run *run, struct held *h)
{
	ssize_t ret = dio_finish_held(&h->req);
	off_t pos = DIO_READ_POS;
	int i;

	if (!dio_expect(ret == PAGES * SEGMENT, "result %zd", ret))
		return false;
	for (i = 0; i < PAGES; i++, pos += SEGMENT)
		if (!dio_pattern_is(h->iov[i].iov_base, SEGMENT, pos))
			run->lost = true;
	return !run->lost;
}

bool held(struct dio_run *run)
{
	const struct way *way = run->arg;
	struct held h;
	bool good;

	run->stock = DIO_LOST;
	if (!dio_run_buffer(run, way->mem, SIZE, FILL) || !start_read(run, &h))
		return false;
	good = fork_under_press(run);
	return finish_read(run, &h) && good;
}

bool held_soft_dirty(struct dio_run *run)
{
	struct held h;
	bool good;

	run->stock = DIO_LOST;
	if (!dio_run_buffer(run, DIO_MEM_4K, 2 * SIZE, FILL) ||
	    !start_read(run, &h))
		return false;
	good = clear_soft_dirty(run);
	return finish_read(run, &h) && dirty_right(run) && good;
}

static long full_scans(void)
{
	char text[32];

	return dio_read_file(KSM "full_scans", text, sizeof(text)) ? 0 :
	       atol(text);
}

static bool all_same(const unsigned char *data)
{
	unsigned long pfns[PAGES];
	int i;

	if (dio_pfns(data, pfns, PAGES))
		return false;
	for (i = 1; i < PAGES; i++)
		if (pfns[i] != pfns[0])
			return false;
	return true;
}

/*
 * KSM has merged the pages that nobody holds, and has seen the others. Those
 * have data of their own, as a page that cannot be merged is in the way of all
 * with the same data.
 */
static bool merge_others(struct dio_run *run)
{
	double deadline = dio_now() + KSM_TIMEOUT;
	unsigned char *others = run->buf.data + SIZE;
	bool done;
	long scans;

	if (!dio_need(!madvise(run->buf.data, run->buf.size, MADV_MERGEABLE),
		      "no KSM"))
		return false;
	dio_write_file(KSM "sleep_millisecs", "10");
	dio_write_file(KSM "pages_to_scan", "2000");
	dio_write_file(KSM "run", "1");
	scans = full_scans();
	do {
		dio_sleep_ms(20);
		done = all_same(others) && full_scans() > scans + 3;
	} while (!done && dio_now() < deadline);
	dio_write_file(KSM "run", "0");
	return dio_expect(done, "not merged by KSM");
}

bool held_ksm(struct dio_run *run)
{
	struct held h;
	bool good;

	if (!dio_run_buffer(run, DIO_MEM_4K, 2 * SIZE, FILL) ||
	    !start_read(run, &h))
		return false;
	memset(run->buf.data + SIZE, FILL + 1, SIZE);
	good = merge_others(run);
	good = frames_stay(run, h.pfns, DIO_MEM_4K) && good;
	return finish_read(run, &h) && good;
}

/* The pages that nobody holds are freed, so the others could have been. */
static bool free_others(struct dio_run *run)
{
	size_t i, absent = 0;

	if (!dio_need(!madvise(run->buf.data, run->buf.size, MADV_FREE),
		      "no MADV_FREE"))
		return false;
	for (i = 0; i < PUSHES; i++) {
		madvise(run->buf.data, run->buf.size, MADV_PAGEOUT);
		absent = press_absent(run->buf.data + SIZE, PAGES);
	}
	return dio_expect(absent, "no page was freed");
}

bool held_free(struct dio_run *run)
{
	struct held h;
	bool good;

	if (!dio_run_buffer(run, DIO_MEM_4K, 2 * SIZE, FILL) ||
	    !start_read(run, &h))
		return false;
	good = free_others(run);
	good = frames_stay(run, h.pfns, DIO_MEM_4K) && good;
	return finish_read(run, &h) && good;
}
