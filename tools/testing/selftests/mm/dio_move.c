// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are pinned, by a registered buffer of io_uring or by a direct
 * read in flight, stay in their frames, mapped and soft-dirty, whatever the
 * kernel is asked to do with them: to swap them out, to migrate them, to merge
 * or to free them. So fork() finds them there, and what a device writes into
 * them arrives.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_move.h"

#define ROUNDS		30
#define PASSES		3
#define ROUNDS_TIMEOUT	120
#define HUGETLB_TRIES	200
#define PM_SOFT_DIRTY	0x0080000000000000ULL

struct presser {
	struct press press;
	pthread_t thread;
	int passes;
	bool stop;
};

static bool any_moved(const unsigned long *now, const unsigned long *pfns)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (now[i] && now[i] != pfns[i])
			return true;
	return false;
}

/*
 * The page table of hugetlb is read without its lock, so that an entry can be
 * seen while it is taken out and put back: look again.
 */
bool frames_stay(const struct dio_run *run, const unsigned long *pfns,
		 enum dio_mem mem)
{
	int tries = mem == DIO_MEM_HUGETLB ? HUGETLB_TRIES : 1;
	unsigned long now[PAGES];

	while (tries--) {
		if (!dio_expect(!dio_pfns(run->buf.data, now, PAGES),
				"no frames to be read"))
			return false;
		if (!memcmp(now, pfns, sizeof(now)))
			return true;
		if (any_moved(now, pfns))
			return dio_expect(false, "pages moved");
		dio_sleep_ms(1);
	}
	return dio_expect(false, "pages not mapped");
}

/* What lies behind the segments, in each page */
static void store(unsigned char *data, unsigned char byte)
{
	int i;

	for (i = 0; i < PAGES; i++)
		memset(data + i * DIO_PAGE + SEGMENT, byte, DIO_PAGE - SEGMENT);
}

static bool stored(const unsigned char *data, unsigned char byte)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (!dio_all_is(data + i * DIO_PAGE + SEGMENT,
				DIO_PAGE - SEGMENT, byte))
			return false;
	return true;
}

/* In the child, once the parent has stored */
static bool child_right(const unsigned char *data, const unsigned long *pfns,
			unsigned char byte, int go)
{
	unsigned long own[PAGES];
	char none;
	int i;

	if (read(go, &none, 1) || !stored(data, byte) ||
	    dio_pfns(data, own, PAGES))
		return false;
	for (i = 0; i < PAGES; i++)
		if (own[i] == pfns[i])
			return false;
	return true;
}

/* The parent stores while the child is there. */
static bool fork_round(const struct dio_run *run, const unsigned long *pfns,
		       enum dio_mem mem, unsigned char byte)
{
	unsigned char *data = run->buf.data;
	int status = -1;
	bool stay;
	int go[2];
	pid_t pid;

	if (pipe(go))
		return false;
	store(data, byte);
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(!child_right(data, pfns, byte, go[0]));
	}
	store(data, byte + 1);
	stay = frames_stay(run, pfns, mem);
	close(go[0]);
	close(go[1]);
	waitpid(pid, &status, 0);
	return dio_expect(!status, "child: %#x", status) && stay &&
	       dio_expect(stored(data, byte + 1), "wrong data");
}

/* Pages of the range that a process saved in rounds would be asked for again */
static int soft_dirty(const unsigned char *data)
{
	off_t at = (uintptr_t)data / DIO_PAGE * sizeof(unsigned long long);
	unsigned long long entry[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	int i, dirty = 0;

	if (fd < 0 || pread(fd, entry, sizeof(entry), at) != sizeof(entry))
		dirty = -1;
	for (i = 0; i < PAGES && dirty >= 0; i++)
		dirty += !!(entry[i] & PM_SOFT_DIRTY);
	close(fd);
	return dirty;
}

/* Of the pages that are held, and of those behind them */
bool dirty_right(struct dio_run *run)
{
	int pinned = soft_dirty(run->buf.data);
	int others = soft_dirty(run->buf.data + SIZE);

	if (!dio_expect(!others, "soft-dirty bits were not cleared"))
		return false;
	run->lost = pinned != PAGES;
	return dio_expect(!run->lost, "%d pages soft-dirty", pinned);
}

/* New memory is soft-dirty, where there is such a thing. */
bool clear_soft_dirty(struct dio_run *run)
{
	return dio_need(soft_dirty(run->buf.data) == PAGES &&
			!dio_write_file("/proc/self/clear_refs", "4"),
			"no soft-dirty bits");
}

static void *press_thread(void *arg)
{
	struct presser *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		press_push(&p->press);
		__atomic_add_fetch(&p->passes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool fork_rounds(const struct dio_run *run, struct presser *p)
{
	double deadline = dio_now() + ROUNDS_TIMEOUT;
	unsigned long pfns[PAGES];
	int i, passes = 0;
	bool good;

	good = !dio_pfns(run->buf.data, pfns, PAGES);
	for (i = 0; good && (i < ROUNDS || passes < PASSES); i++) {
		good = fork_round(run, pfns, p->press.mem, i) &&
		       dio_expect(dio_now() < deadline, "%d rounds, %d passes",
				  i, passes);
		passes = __atomic_load_n(&p->passes, __ATOMIC_RELAXED);
	}
	return good;
}

/* Forks and stores while another thread presses, as run->arg says. */
bool fork_under_press(const struct dio_run *run)
{
	const struct way *way = run->arg;
	struct presser p = {
		.press = { .kind = way->kind, .mem = way->mem, .buf = &run->buf },
	};
	bool good;

	if (!press_start(&p.press))
		return false;
	if (pthread_create(&p.thread, NULL, press_thread, &p)) {
		press_stop(&p.press);
		return false;
	}
	good = fork_rounds(run, &p);
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	pthread_join(p.thread, NULL);
	return press_stop(&p.press) && good;
}

/* The first PAGES pages of the buffer */
static bool register_buffer(struct dio_run *run, enum dio_mem mem, size_t size,
			    struct iovec *iov, struct dio_uring **ring)
{
	int ret;

	run->stock = dio_stock_fork_spares_registered(mem) ? DIO_KEPT : DIO_LOST;
	if (!dio_run_buffer(run, mem, size, FILL))
		return false;
	iov->iov_base = run->buf.data;
	iov->iov_len = SIZE;
	ret = dio_uring_open(ring, iov);
	run->pages = PAGES;
	return dio_expect(!ret, "register: %s", strerror(-ret));
}

static bool read_registered(struct dio_run *run, struct iovec *iov,
			    struct dio_uring *ring)
{
	struct dio_req req = {
		.fd = run->fd,
		.pos = DIO_READ_POS,
		.iov = iov,
		.nr_iov = 1,
		.uring = ring,
	};
	ssize_t ret = dio_uring_submit(&req);

	if (!ret)
		ret = dio_uring_wait(ring);
	if (!dio_expect(ret == SIZE, "result %zd", ret))
		return false;
	run->lost = !dio_pattern_is(run->buf.data, SIZE, DIO_READ_POS);
	return !run->lost;
}

static bool registered(struct dio_run *run)
{
	const struct way *way = run->arg;
	struct dio_uring *ring;
	struct iovec iov;
	bool good;

	if (!register_buffer(run, way->mem, SIZE, &iov, &ring))
		return false;
	good = fork_under_press(run);
	good = read_registered(run, &iov, ring) && good;
	dio_uring_close(ring);
	return good;
}

static bool registered_soft_dirty(struct dio_run *run)
{
	struct dio_uring *ring;
	struct iovec iov;
	bool good;

	if (!register_buffer(run, DIO_MEM_4K, 2 * SIZE, &iov, &ring))
		return false;
	good = clear_soft_dirty(run);
	good = read_registered(run, &iov, ring) && dirty_right(run) && good;
	dio_uring_close(ring);
	return good;
}

static const struct way swap_4k = { DIO_MEM_4K, PRESS_SWAP };
static const struct way swap_thp = { DIO_MEM_THP, PRESS_SWAP };
static const struct way compact_4k = { DIO_MEM_4K, PRESS_COMPACT };
static const struct way compact_thp = { DIO_MEM_THP, PRESS_COMPACT };
static const struct way offline_4k = { DIO_MEM_4K, PRESS_OFFLINE };
static const struct way offline_thp = { DIO_MEM_THP, PRESS_OFFLINE };
static const struct way offline_hugetlb = { DIO_MEM_HUGETLB, PRESS_OFFLINE };

/* Compaction leaves hugetlb alone, and there is no swap for it. */
static const struct dio_case bdev_cases[] = {
	{ "registered 4K, swap-out and fork", registered, &swap_4k },
	{ "registered THP, swap-out and fork", registered, &swap_thp },
	{ "registered 4K, compaction and fork", registered, &compact_4k },
	{ "registered THP, compaction and fork", registered, &compact_thp },
	{ "registered 4K, soft offline and fork", registered, &offline_4k },
	{ "registered THP, soft offline and fork", registered, &offline_thp },
	{ "registered hugetlb, soft offline and fork", registered,
	  &offline_hugetlb },
	{ "registered 4K, soft-dirty cleared", registered_soft_dirty },
	{ "read into 4K, swap-out and fork", held, &swap_4k },
	{ "read into THP, swap-out and fork", held, &swap_thp },
	{ "read into 4K, compaction and fork", held, &compact_4k },
	{ "read into THP, compaction and fork", held, &compact_thp },
	{ "read into 4K, soft offline and fork", held, &offline_4k },
	{ "read into THP, soft offline and fork", held, &offline_thp },
	{ "read into hugetlb, soft offline and fork", held, &offline_hugetlb },
	{ "read into 4K, soft-dirty cleared", held_soft_dirty },
	{ "read into 4K, KSM", held_ksm },
	{ "read into 4K, MADV_FREE", held_free },
};

/* Other ways to take the pages */
static const struct dio_case file_cases[] = {
	{ "read into 4K, swap-out and fork", held, &swap_4k },
	{ "read into THP, soft offline and fork", held, &offline_thp },
};

static const struct dio_set sets[] = {
	{ DIO_BDEV, bdev_cases, ARRAY_SIZE(bdev_cases) },
	{ DIO_XFS, file_cases, ARRAY_SIZE(file_cases) },
	{ DIO_EXT2, file_cases, ARRAY_SIZE(file_cases) },
};

int main(void)
{
	dio_run_sets(sets, ARRAY_SIZE(sets));
}
