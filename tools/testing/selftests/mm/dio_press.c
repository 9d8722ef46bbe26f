// SPDX-License-Identifier: GPL-2.0
/*
 * Pressing pages to move: to swap, elsewhere by compaction, or elsewhere
 * because their frame is to be taken out of use, which migrates just them.
 * Memory that nobody holds is pressed along, to know that it works.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "dio_move.h"

#define SWAP_DISK	"/dev/ram9"	/* not one that the tests hold */
#define SWAP_PAGES	4096
#define SWAP_MAGIC	"SWAPSPACE2"
#define SCATTERED	(8UL << 20)	/* at first */
#define SCATTERED_MAX	(128UL << 20)
#define CONTROL_PAGES	16
#define OFFLINE_MS	5
#define PAGES_MAX	64

/* Where swapon() looks for it, in a page of its own */
static int make_swap(void)
{
	static char page[DIO_PAGE];
	unsigned int *head = (unsigned int *)(page + 1024);
	int fd = open(SWAP_DISK, O_WRONLY);
	int ret = 0;

	if (fd < 0)
		return -errno;
	head[0] = 1;			/* version */
	head[1] = SWAP_PAGES - 1;	/* the last page */
	memcpy(page + DIO_PAGE - strlen(SWAP_MAGIC), SWAP_MAGIC,
	       strlen(SWAP_MAGIC));
	if (write(fd, page, DIO_PAGE) != DIO_PAGE || fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

static bool start_swap(void)
{
	int ret;

	swapoff(SWAP_DISK);	/* a test that was killed left it */
	ret = make_swap();
	if (!ret && swapon(SWAP_DISK, 0))
		ret = -errno;
	return dio_need(!ret, "no swap on %s: %s", SWAP_DISK, strerror(-ret));
}

/* Pages of the range that are not mapped */
size_t press_absent(const void *data, size_t pages)
{
	unsigned long pfns[PAGES_MAX];
	size_t i, absent = 0;

	if (pages > PAGES_MAX || dio_pfns(data, pfns, pages))
		return 0;
	for (i = 0; i < pages; i++)
		absent += !pfns[i];
	return absent;
}

/* A huge page is asked for as a whole, too: a part makes the kernel split it. */
static void page_out(const struct dio_buf *buf, enum dio_mem mem)
{
	uintptr_t huge = (uintptr_t)buf->data & ~(DIO_HUGE - 1);

	if (mem == DIO_MEM_THP)
		madvise((void *)huge, DIO_HUGE, MADV_PAGEOUT);
	madvise(buf->data, buf->size, MADV_PAGEOUT);
}

static bool control_alloc(struct dio_buf *control, enum dio_mem mem)
{
	if (dio_buf_alloc(control, mem, CONTROL_PAGES * DIO_PAGE))
		return false;
	memset(control->data, 1, control->size);
	return true;
}

static bool push_swap(struct press *press)
{
	struct dio_buf control;
	bool moved;

	page_out(press->buf, press->mem);
	if (!control_alloc(&control, press->mem))
		return false;
	page_out(&control, press->mem);
	moved = press_absent(control.data, CONTROL_PAGES);
	dio_buf_free(&control);
	return moved;
}

/* Every other page, all over the place */
static void *scatter(size_t size)
{
	unsigned char *map, *page;

	map = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return map;
	madvise(map, size, MADV_NOHUGEPAGE);
	memset(map, 1, size);
	for (page = map; page < map + size; page += 2 * DIO_PAGE)
		madvise(page, DIO_PAGE, MADV_DONTNEED);
	return map;
}

/* Twice as much each time, until that happens to lie where it has to move. */
static bool push_compact(struct press *press)
{
	long before = dio_vmstat("pgmigrate_success ");
	size_t size = press->scattered;
	void *map = scatter(size);
	bool moved;

	if (map == MAP_FAILED)
		return false;
	dio_write_file("/proc/sys/vm/compact_memory", "1");
	munmap(map, size);
	moved = dio_vmstat("pgmigrate_success ") > before;
	if (!moved && size < SCATTERED_MAX)
		press->scattered *= 2;
	return moved;
}

static bool start_offline(void)
{
	return dio_need(!madvise(NULL, 0, MADV_SOFT_OFFLINE),
			"no MADV_SOFT_OFFLINE");
}

/* Takes a page of memory from the kernel for good, so it is done but once. */
static bool offline_control(enum dio_mem mem)
{
	unsigned long before, after;
	struct dio_buf control;
	bool moved;

	if (!control_alloc(&control, mem))
		return false;
	moved = !dio_pfns(control.data, &before, 1) &&
		!madvise(control.data, DIO_PAGE, MADV_SOFT_OFFLINE) &&
		!dio_pfns(control.data, &after, 1) && after != before &&
		dio_all_is(control.data, control.size, 1);
	dio_buf_free(&control);
	return moved;
}

/* The kernel logs each: give the console some time. */
static bool push_offline(struct press *press)
{
	const struct dio_buf *buf = press->buf;

	dio_sleep_ms(OFFLINE_MS);
	madvise(buf->data, DIO_PAGE, MADV_SOFT_OFFLINE);
	madvise(buf->data + buf->size - DIO_PAGE, DIO_PAGE, MADV_SOFT_OFFLINE);
	return !press->moved && offline_control(press->mem);
}

static const struct {
	const char *name;
	bool (*start)(void);
	bool (*push)(struct press *press);
} kinds[] = {
	[PRESS_SWAP]	= { "swapped out", start_swap, push_swap },
	[PRESS_COMPACT]	= { "compacted", NULL, push_compact },
	[PRESS_OFFLINE]	= { "taken offline", start_offline, push_offline },
};

bool press_start(struct press *press)
{
	press->moved = 0;
	press->scattered = SCATTERED;
	return !kinds[press->kind].start || kinds[press->kind].start();
}

void press_push(struct press *press)
{
	press->moved += kinds[press->kind].push(press);
}

/* True if memory that nobody holds did move. */
bool press_stop(struct press *press)
{
	if (press->kind == PRESS_SWAP)
		swapoff(SWAP_DISK);
	return dio_expect(press->moved, "nothing was %s",
			  kinds[press->kind].name);
}
