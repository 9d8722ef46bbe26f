// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what a bio holds on its pages: that it takes the right kind of
 * hold, once for each page, and gives back what it took.
 */
#include <kunit/user_mem.h>
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/uio.h>
#include <linux/vmstat.h>
#include "blk.h"

#define P		PAGE_SIZE
#define MAX_VECS	16
#define USER_PAGES	16

static void put_test_disk(void *disk)
{
	put_disk(disk);
}

/* A disk that nobody can open, for its limits. */
static struct block_device *make_bdev(struct kunit *test)
{
	struct gendisk *disk = blk_alloc_disk(NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, disk);
	kunit_defer(test, put_test_disk, disk);
	return disk->part0;
}

static void put_test_bio(void *bio)
{
	bio_put(bio);
}

static struct bio *alloc_bio(struct kunit *test, struct block_device *bdev,
			     unsigned short nr_vecs)
{
	struct bio *bio = bio_alloc(bdev, nr_vecs, REQ_OP_READ, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bio);
	return bio;
}

/* A bio that is not meant for any disk. */
static struct bio *make_bio(struct kunit *test, unsigned short nr_vecs)
{
	struct bio *bio = alloc_bio(test, NULL, nr_vecs);

	kunit_defer(test, put_test_bio, bio);
	return bio;
}

static struct bio *make_disk_bio(struct kunit *test, unsigned short nr_vecs)
{
	struct bio *bio = alloc_bio(test, make_bdev(test), nr_vecs);

	kunit_defer(test, put_test_bio, bio);
	return bio;
}

/* The kinds of hold that a bio can have. */
static void hold_pinned(struct kunit *test, struct bio *bio,
			struct folio *folio, unsigned int nr)
{
	bio_set_flag(bio, BIO_PAGE_PINNED);
	if (!nr)
		return;

	KUNIT_ASSERT_TRUE(test, try_grab_page(&folio->page, FOLL_PIN));
	KUNIT_ASSERT_EQ(test, folio_add_pins(folio, nr - 1), 0);
}

static void hold_reffed(struct kunit *test, struct bio *bio,
			struct folio *folio, unsigned int nr)
{
	bio_set_flag(bio, BIO_PAGE_REFFED);
	folio_ref_add(folio, nr);
}

static void hold_none(struct kunit *test, struct bio *bio, struct folio *folio,
		      unsigned int nr)
{
}

typedef void (*hold_fn)(struct kunit *test, struct bio *bio,
			struct folio *folio, unsigned int nr);

#define MAX_FOLIOS	8

/* Folios that are next to each other, all of one size. */
struct folios {
	struct folio *folio[MAX_FOLIOS];
	unsigned int nr;
	unsigned int order;
};

static void put_folios(void *data)
{
	struct folios *f = data;

	while (f->nr--)
		folio_put(f->folio[f->nr]);
}

static struct folios *make_large(struct kunit *test)
{
	struct folios *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->order = 3;
	f->folio[0] = folio_alloc(GFP_KERNEL, f->order);
	KUNIT_ASSERT_NOT_NULL(test, f->folio[0]);
	f->nr = 1;
	kunit_defer(test, put_folios, f);
	return f;
}

static struct folios *make_small(struct kunit *test)
{
	struct folios *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_NOT_NULL(test, page);
	split_page(page, 3);
	for (f->nr = 0; f->nr < MAX_FOLIOS; f->nr++)
		f->folio[f->nr] = page_folio(page + f->nr);
	kunit_defer(test, put_folios, f);
	return f;
}

/* A run of bytes in the folios. */
struct run {
	unsigned int from;
	unsigned int to;
};

static const struct run runs[] = {
	{ 0, 1 },
	{ 0, 512 },
	{ 512, 1024 },
	{ P - 1, P },
	{ 0, P },
	{ P, 2 * P },
	{ P - 1, P + 1 },
	{ 512, P + 512 },
	{ 2 * P + 100, 3 * P },
	{ P, 3 * P },
	{ 100, 3 * P },
	{ P - 1, 6 * P + 1 },
	{ 3 * P + 1, 8 * P },
	{ 0, 8 * P },
	{ 8 * P - 1, 8 * P },
	{ }
};

/* Take the hold that the pages of a run should have. */
static void hold_run(struct kunit *test, struct bio *bio, struct folios *f,
		     const struct run *run, hold_fn hold)
{
	size_t size = P << f->order;
	unsigned int i;

	for (i = 0; i < f->nr; i++) {
		size_t from = max_t(size_t, run->from, i * size);
		size_t to = min_t(size_t, run->to, (i + 1) * size);

		if (from < to)
			hold(test, bio, f->folio[i],
			     DIV_ROUND_UP(to, P) - from / P);
	}
}

/*
 * One bvec, that starts in the page of the run or, as it may in a large folio,
 * in the first page.
 */
static void add_run(struct kunit *test, struct bio *bio, struct folios *f,
		    const struct run *run, bool far)
{
	struct page *page = folio_page(f->folio[0], 0);
	unsigned int skip = far ? 0 : run->from / P;

	__bio_add_page(bio, nth_page(page, skip), run->to - run->from,
		       run->from - skip * P);
}

/* Nothing is held on the folios but what made them. */
static void expect_free(struct kunit *test, struct folios *f)
{
	unsigned int i;

	for (i = 0; i < f->nr; i++) {
		KUNIT_EXPECT_EQ(test, folio_ref_count(f->folio[i]), 1);
		KUNIT_EXPECT_EQ(test,
				kunit_page_pins(folio_page(f->folio[i], 0)), 0);
	}
}

static void check_run(struct kunit *test, struct folios *f,
		      const struct run *run, hold_fn hold, bool far)
{
	struct bio *bio = make_bio(test, 1);

	hold_run(test, bio, f, run, hold);
	add_run(test, bio, f, run, far);
	bio_release_pages(bio, false);
	expect_free(test, f);
}

/* Every run in a bio of its own. */
static void check_runs(struct kunit *test, struct folios *f, hold_fn hold)
{
	const struct run *run;

	for (run = runs; run->to; run++) {
		check_run(test, f, run, hold, false);
		if (f->order)
			check_run(test, f, run, hold, true);
	}
}

/* All runs in one bio. */
static void check_all_runs(struct kunit *test, struct folios *f, hold_fn hold)
{
	struct bio *bio = make_bio(test, ARRAY_SIZE(runs));
	const struct run *run;

	for (run = runs; run->to; run++) {
		hold_run(test, bio, f, run, hold);
		add_run(test, bio, f, run, false);
	}
	bio_release_pages(bio, false);
	expect_free(test, f);
}

static void check_release(struct kunit *test, struct folios *f, hold_fn hold)
{
	check_runs(test, f, hold);
	check_all_runs(test, f, hold);
}

static void release_pinned_small(struct kunit *test)
{
	check_release(test, make_small(test), hold_pinned);
}

static void release_pinned_large(struct kunit *test)
{
	check_release(test, make_large(test), hold_pinned);
}

static void release_reffed_small(struct kunit *test)
{
	check_release(test, make_small(test), hold_reffed);
}

static void release_reffed_large(struct kunit *test)
{
	check_release(test, make_large(test), hold_reffed);
}

static void release_none_small(struct kunit *test)
{
	check_release(test, make_small(test), hold_none);
}

static void release_none_large(struct kunit *test)
{
	check_release(test, make_large(test), hold_none);
}

/* A flag without pages: what the vector holds from before does not count. */
static void check_empty(struct kunit *test, hold_fn hold)
{
	struct folios *f = make_small(test);
	struct bio *bio = make_bio(test, 1);

	hold(test, bio, f->folio[0], 0);
	bio->bi_io_vec[0].bv_page = folio_page(f->folio[0], 0);
	bio->bi_io_vec[0].bv_len = P;
	bio->bi_io_vec[0].bv_offset = 0;
	bio_release_pages(bio, false);
	expect_free(test, f);
	bio_release_pages(bio, true);
	expect_free(test, f);
}

static void release_pinned_empty(struct kunit *test)
{
	check_empty(test, hold_pinned);
}

static void release_reffed_empty(struct kunit *test)
{
	check_empty(test, hold_reffed);
}

/* bio_release_page() gives back one page, also of a large folio. */
static void check_release_page(struct kunit *test, struct folios *f,
			       hold_fn hold)
{
	struct bio *bio = make_bio(test, 1);
	int last = f->order ? 7 : 0;

	hold(test, bio, f->folio[0], 2);
	bio_release_page(bio, folio_page(f->folio[0], 0));
	bio_release_page(bio, folio_page(f->folio[0], last));
	expect_free(test, f);
}

static void release_page_pinned(struct kunit *test)
{
	check_release_page(test, make_small(test), hold_pinned);
	check_release_page(test, make_large(test), hold_pinned);
}

static void release_page_reffed(struct kunit *test)
{
	check_release_page(test, make_small(test), hold_reffed);
	check_release_page(test, make_large(test), hold_reffed);
}

static void release_page_none(struct kunit *test)
{
	check_release_page(test, make_small(test), hold_none);
	check_release_page(test, make_large(test), hold_none);
}

/* A page that is marked dirty, or not, on the way. */
static void check_dirty(struct kunit *test, hold_fn hold, bool mark, bool dirty)
{
	char __user *uaddr = kunit_user_map_pages(test, 1);
	struct page *page = kunit_user_page(test, uaddr);
	struct bio *bio = make_bio(test, 1);
	int refs = page_ref_count(page);

	ClearPageDirty(page);
	hold(test, bio, page_folio(page), 1);
	__bio_add_page(bio, page, 512, 512);
	bio_release_pages(bio, mark);
	KUNIT_EXPECT_EQ(test, PageDirty(page), dirty);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), refs);
}

static void dirty_pinned(struct kunit *test)
{
	check_dirty(test, hold_pinned, true, true);
	check_dirty(test, hold_pinned, false, false);
}

static void dirty_reffed(struct kunit *test)
{
	check_dirty(test, hold_reffed, true, true);
	check_dirty(test, hold_reffed, false, false);
}

/* Pages of the kernel's own are not the bio's to mark. */
static void dirty_none(struct kunit *test)
{
	check_dirty(test, hold_none, true, false);
	check_dirty(test, hold_none, false, false);
}

/* The release comes from a worker, if the page was cleaned meanwhile. */
static void wait_until_unpinned(struct page *page)
{
	int ms;

	for (ms = 0; ms < 10000 && kunit_page_pins(page); ms += 20)
		msleep(20);
}

static void check_dirty_completion(struct kunit *test, bool cleaned)
{
	char __user *uaddr = kunit_user_map_pages(test, 1);
	struct page *page = kunit_user_page(test, uaddr);
	struct bio *bio = alloc_bio(test, NULL, 1);
	int refs = page_ref_count(page);

	hold_pinned(test, bio, page_folio(page), 1);
	__bio_add_page(bio, page, P, 0);
	bio_set_pages_dirty(bio);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	if (cleaned)
		ClearPageDirty(page);
	bio_check_pages_dirty(bio);
	wait_until_unpinned(page);
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, page_ref_count(page), refs);
}

static void dirty_completion(struct kunit *test)
{
	check_dirty_completion(test, false);
}

static void dirty_completion_deferred(struct kunit *test)
{
	check_dirty_completion(test, true);
}

/* User memory, and the parts of it that an iovec names. */
struct user_buf {
	char __user *uaddr;
	struct page *pages[USER_PAGES];
	struct iovec iov[MAX_VECS];
	unsigned int nr_segs;
	struct iov_iter iter;
	struct kunit_pins pins;
};

static struct user_buf *make_user(struct kunit *test, char __user *uaddr)
{
	struct user_buf *u = kunit_kzalloc(test, sizeof(*u), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, u);
	u->uaddr = uaddr;
	for (i = 0; i < USER_PAGES; i++)
		u->pages[i] = kunit_user_page(test, uaddr + i * P);
	u->pins = kunit_read_pins();
	return u;
}

static struct user_buf *make_user_small(struct kunit *test)
{
	return make_user(test, kunit_user_map_pages(test, USER_PAGES));
}

static void add_segment(struct user_buf *u, size_t from, size_t to)
{
	u->iov[u->nr_segs].iov_base = u->uaddr + from;
	u->iov[u->nr_segs].iov_len = to - from;
	u->nr_segs++;
	iov_iter_init(&u->iter, ITER_DEST, u->iov, u->nr_segs,
		      iov_length(u->iov, u->nr_segs));
}

/* How many holds @bio has on @page: one for each bvec that touches it. */
static unsigned int bio_holds(struct bio *bio, struct page *page)
{
	unsigned int i, holds = 0;

	for (i = 0; i < bio->bi_vcnt; i++) {
		struct bio_vec *bv = &bio->bi_io_vec[i];
		unsigned long first, last, pfn = page_to_pfn(page);

		first = page_to_pfn(bv->bv_page) + bv->bv_offset / P;
		last = page_to_pfn(bv->bv_page) +
		       (bv->bv_offset + bv->bv_len - 1) / P;
		holds += pfn >= first && pfn <= last;
	}
	return holds;
}

/* Every page is pinned as often as @bio will unpin it. */
static void expect_bio_pins(struct kunit *test, struct user_buf *u,
			    struct bio *bio)
{
	unsigned int i, sum = 0;

	for (i = 0; i < USER_PAGES; i++) {
		unsigned int holds = bio_holds(bio, u->pages[i]);

		sum += holds;
		if (!PageCompound(u->pages[i]))
			KUNIT_EXPECT_EQ(test, kunit_page_pins(u->pages[i]),
					holds);
	}
	if (PageCompound(u->pages[0]))
		KUNIT_EXPECT_EQ(test, kunit_page_pins(u->pages[0]), sum);
}

/* Since the buffer was made, @acquired pins were taken, and all given back. */
static void expect_unpinned(struct kunit *test, struct user_buf *u,
			    long acquired)
{
	struct kunit_pins now = kunit_read_pins();
	int i;

	for (i = 0; i < USER_PAGES; i++)
		KUNIT_EXPECT_EQ(test, kunit_page_pins(u->pages[i]), 0);
	KUNIT_EXPECT_EQ(test, now.acquired - u->pins.acquired, acquired);
	KUNIT_EXPECT_EQ(test, now.released - u->pins.released, acquired);
}

/* Fill @bio with what the iovec names, @size bytes, and release it. */
static void check_get_pages(struct kunit *test, struct user_buf *u,
			    struct bio *bio, size_t size, long acquired)
{
	size_t count = iov_iter_count(&u->iter);

	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pages(bio, &u->iter), 0);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, size);
	KUNIT_EXPECT_EQ(test, count - iov_iter_count(&u->iter), size);
	KUNIT_EXPECT_TRUE(test, bio_flagged(bio, BIO_PAGE_PINNED));
	KUNIT_EXPECT_FALSE(test, bio_flagged(bio, BIO_PAGE_REFFED));
	expect_bio_pins(test, u, bio);
	bio_release_pages(bio, false);
	expect_unpinned(test, u, acquired);
}

static void get_pages_aligned(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 0, 4 * P);
	check_get_pages(test, u, make_disk_bio(test, MAX_VECS), 4 * P, 4);
}

static void get_pages_unaligned(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 512, 4 * P + 512);
	add_segment(u, 6 * P + 1024, 7 * P + 512);
	check_get_pages(test, u, make_disk_bio(test, MAX_VECS), 5 * P - 512, 7);
}

static void get_pages_huge(struct kunit *test)
{
	struct user_buf *u = make_user(test, kunit_user_map_huge(test) + 3 * P);

	add_segment(u, 512, 4 * P + 512);
	add_segment(u, 8 * P, 9 * P);
	add_segment(u, 9 * P, 9 * P + 512);
	check_get_pages(test, u, make_disk_bio(test, MAX_VECS), 5 * P + 512, 7);
}

/* Four segments next to each other in one page: one bvec, and one pin. */
static void get_pages_merged(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	add_segment(u, 0, 512);
	add_segment(u, 512, 1024);
	add_segment(u, 1024, 2048);
	add_segment(u, 2048, 4096);
	check_get_pages(test, u, bio, 4096, 4);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 1);
}

/* Segments in one page that do not merge: a pin for each of them. */
static void get_pages_same_page(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	add_segment(u, 512, 1024);
	add_segment(u, 0, 512);
	add_segment(u, 0, 1024);
	add_segment(u, 0, 1024);
	check_get_pages(test, u, bio, 3072, 4);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 4);
}

/* The end of one segment and the start of the next, in a page between. */
static void get_pages_merged_edge(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 0, P + 512);
	add_segment(u, P + 512, 3 * P);
	check_get_pages(test, u, make_disk_bio(test, MAX_VECS), 3 * P, 4);
}

/* The bio is full: the rest is left in the iterator, and not held. */
static void get_pages_full(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, 1);
	unsigned int i, max = bio->bi_max_vecs;

	for (i = 0; i <= max; i++)
		add_segment(u, i * P, i * P + 512);
	check_get_pages(test, u, bio, max * 512, max);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&u->iter), 512);
}

/* The tail that is no whole block: its page is given back at once. */
static void get_pages_trimmed(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	blk_queue_logical_block_size(bdev_get_queue(bio->bi_bdev), P);
	add_segment(u, 0, 2 * P + 512);
	check_get_pages(test, u, bio, 2 * P, 4);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&u->iter), 512);
}

/* An error: the bio stays empty, which its release has to see. */
static void expect_get_pages_error(struct kunit *test, struct user_buf *u,
				   struct bio *bio, int error, long acquired)
{
	size_t count = iov_iter_count(&u->iter);

	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pages(bio, &u->iter), error);
	KUNIT_EXPECT_EQ(test, bio->bi_vcnt, 0);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&u->iter), count);
	expect_unpinned(test, u, acquired);
	bio_release_pages(bio, false);
	expect_unpinned(test, u, acquired);
}

static void get_pages_trimmed_all(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	blk_queue_logical_block_size(bdev_get_queue(bio->bi_bdev), P);
	add_segment(u, P - 512, P + 512);
	expect_get_pages_error(test, u, bio, -EFAULT, 2);
}

static void get_pages_unmapped(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	u->uaddr += USER_PAGES * P;
	add_segment(u, 0, 2 * P);
	vm_munmap((unsigned long)u->uaddr, 2 * P);
	expect_get_pages_error(test, u, bio, -EFAULT, 0);
}

/* What was there before the fault stays in the bio. */
static void get_pages_unmapped_rest(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	size_t end = USER_PAGES * P;

	vm_munmap((unsigned long)u->uaddr + end, 2 * P);
	add_segment(u, end - P - 512, end + P);
	check_get_pages(test, u, make_disk_bio(test, MAX_VECS), P + 512, 2);
}

static void get_pages_refused(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_disk_bio(test, MAX_VECS);
	int refs = INT_MAX / 2 - page_ref_count(u->pages[0]);

	page_ref_add(u->pages[0], refs);
	add_segment(u, 0, 2 * P);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pages(bio, &u->iter), -ENOMEM);
	KUNIT_EXPECT_EQ(test, page_ref_count(u->pages[0]), INT_MAX / 2);
	page_ref_sub(u->pages[0], refs);
	bio_release_pages(bio, false);
	expect_unpinned(test, u, 0);
}

/* A source of zero pages takes no pins, however often it is in the bio. */
static void get_pages_zero(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, USER_PAGES * P, PROT_READ,
					    MAP_POPULATE);
	struct bio *bio = make_disk_bio(test, MAX_VECS);
	struct kunit_pins before = kunit_read_pins();
	struct kunit_pins now;
	struct iov_iter iter;

	iov_iter_ubuf(&iter, ITER_SOURCE, uaddr, 4 * P);
	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pages(bio, &iter), 0);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 4 * P);
	bio_release_pages(bio, false);
	now = kunit_read_pins();
	KUNIT_EXPECT_EQ(test, now.acquired, before.acquired);
	KUNIT_EXPECT_EQ(test, now.released, before.released);
}

static struct bio *make_append_bio(struct kunit *test, unsigned int sectors)
{
	struct bio *bio = make_disk_bio(test, MAX_VECS);

	bdev_get_queue(bio->bi_bdev)->limits.max_zone_append_sectors = sectors;
	bio->bi_opf = REQ_OP_ZONE_APPEND;
	return bio;
}

static void zone_append_merged(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_append_bio(test, 128);

	add_segment(u, 0, 512);
	add_segment(u, 512, 1024);
	add_segment(u, 1024, P + 512);
	check_get_pages(test, u, bio, P + 512, 4);
}

/* More than one append can take: the pages beyond are given back. */
static void zone_append_limit(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct bio *bio = make_append_bio(test, 2 * P / SECTOR_SIZE);

	add_segment(u, 0, 5 * P);
	check_get_pages(test, u, bio, 2 * P, 5);
}

/* On memory of the kernel's own the bio holds nothing. */
static void check_kernel_iter(struct kunit *test, struct folios *f,
			      struct iov_iter *iter)
{
	struct bio *bio = make_disk_bio(test, iov_iter_is_bvec(iter) ? 0 : MAX_VECS);

	KUNIT_EXPECT_EQ(test, bio_iov_iter_get_pages(bio, iter), 0);
	KUNIT_EXPECT_EQ(test, bio->bi_iter.bi_size, 3 * P);
	KUNIT_EXPECT_EQ(test, iov_iter_count(iter), 0);
	KUNIT_EXPECT_FALSE(test, bio_flagged(bio, BIO_PAGE_PINNED));
	KUNIT_EXPECT_FALSE(test, bio_flagged(bio, BIO_PAGE_REFFED));
	expect_free(test, f);
	bio_release_pages(bio, true);
	expect_free(test, f);
}

static void get_pages_bvec(struct kunit *test)
{
	struct folios *f = make_large(test);
	struct iov_iter iter;
	struct bio_vec bv;

	bv.bv_page = folio_page(f->folio[0], 1);
	bv.bv_offset = 512;
	bv.bv_len = 3 * P;
	iov_iter_bvec(&iter, ITER_DEST, &bv, 1, 3 * P);
	check_kernel_iter(test, f, &iter);
}

static void get_pages_kvec(struct kunit *test)
{
	struct folios *f = make_large(test);
	struct iov_iter iter;
	struct kvec kv;

	kv.iov_base = folio_address(f->folio[0]) + P + 512;
	kv.iov_len = 3 * P;
	iov_iter_kvec(&iter, ITER_DEST, &kv, 1, 3 * P);
	check_kernel_iter(test, f, &iter);
}

/* A passthrough request, as far as it is needed to map memory into it. */
static struct request *make_request(struct kunit *test)
{
	struct request *rq = kunit_kzalloc(test, sizeof(*rq), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rq);
	rq->q = bdev_get_queue(make_bdev(test));
	rq->cmd_flags = REQ_OP_DRV_IN;
	return rq;
}

/* Map what the iovec names into a request, and unmap it. */
static void check_map_user(struct kunit *test, struct user_buf *u, long acquired)
{
	size_t count = iov_iter_count(&u->iter);
	struct request *rq = make_request(test);

	KUNIT_ASSERT_EQ(test, 0,
			blk_rq_map_user_iov(rq->q, rq, NULL, &u->iter,
					    GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, rq->__data_len, count);
	KUNIT_EXPECT_TRUE(test, bio_flagged(rq->bio, BIO_PAGE_PINNED));
	expect_bio_pins(test, u, rq->bio);
	KUNIT_EXPECT_EQ(test, blk_rq_unmap_user(rq->bio), 0);
	expect_unpinned(test, u, acquired);
}

static void map_user_plain(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 512, 3 * P);
	add_segment(u, 4 * P, 5 * P);
	check_map_user(test, u, 4);
}

static void map_user_merged(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 0, 512);
	add_segment(u, 512, 1024);
	add_segment(u, 1024, P + 512);
	add_segment(u, P + 512, 2 * P);
	check_map_user(test, u, 5);
}

/* Too many pages for the array on the stack. */
static void map_user_many(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);

	add_segment(u, 512, 12 * P + 512);
	add_segment(u, 12 * P + 512, 13 * P);
	check_map_user(test, u, 14);
}

/* Fail to do so. */
static void expect_map_user_error(struct kunit *test, struct user_buf *u,
				  struct request *rq, int error, long acquired)
{
	KUNIT_EXPECT_EQ(test, error,
			blk_rq_map_user_iov(rq->q, rq, NULL, &u->iter,
					    GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, rq->bio);
	expect_unpinned(test, u, acquired);
}

static void check_map_user_unmapped(struct kunit *test, size_t from,
				    long acquired)
{
	struct user_buf *u = make_user_small(test);
	size_t end = USER_PAGES * P;

	vm_munmap((unsigned long)u->uaddr + end, 2 * P);
	add_segment(u, from, end);
	add_segment(u, end, end + 512);
	expect_map_user_error(test, u, make_request(test), -EFAULT, acquired);
}

static void map_user_unmapped(struct kunit *test)
{
	check_map_user_unmapped(test, (USER_PAGES - 2) * P, 2);
	check_map_user_unmapped(test, 0, USER_PAGES);
}

/* What does not fit into one bio goes to the next, but not into the request. */
static void map_user_too_large(struct kunit *test)
{
	struct user_buf *u = make_user_small(test);
	struct request *rq = make_request(test);

	rq->q->limits.max_hw_sectors = 3 * P / SECTOR_SIZE;
	add_segment(u, 0, 8 * P);
	expect_map_user_error(test, u, rq, -EINVAL, 8 + 5);
}

/* A vector with a hole in it, for a device that wants none: it is copied. */
static void map_user_gap(struct kunit *test)
{
	struct folios *f = make_large(test);
	struct request *rq = make_request(test);
	struct bio_vec bv[2];
	struct iov_iter iter;

	blk_queue_virt_boundary(rq->q, P - 1);
	bvec_set_page(&bv[0], folio_page(f->folio[0], 0), 512, 0);
	bvec_set_page(&bv[1], folio_page(f->folio[0], 1), 512, 512);
	iov_iter_bvec(&iter, ITER_DEST, bv, 2, 1024);
	KUNIT_ASSERT_EQ(test, 0,
			blk_rq_map_user_iov(rq->q, rq, NULL, &iter, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, rq->__data_len, 1024);
	KUNIT_EXPECT_EQ(test, bio_sectors(rq->bio), 2);
	KUNIT_EXPECT_EQ(test, blk_rq_unmap_user(rq->bio), 0);
	expect_free(test, f);
}

/* A request for a device that takes one segment, which is at most a page. */
static struct request *make_request_small(struct kunit *test)
{
	struct request *rq = make_request(test);

	rq->q->limits.max_segments = 1;
	rq->q->limits.seg_boundary_mask = P - 1;
	return rq;
}

/* Map memory of the kernel that starts at an odd address: it is copied. */
static int map_kern_odd(struct kunit *test, struct request *rq, size_t len)
{
	char *buf = kunit_kmalloc(test, len + 1, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	return blk_rq_map_kern(rq->q, rq, buf + 1, len, GFP_KERNEL);
}

static void map_kern_too_large(struct kunit *test)
{
	struct request *rq = make_request_small(test);

	KUNIT_EXPECT_EQ(test, map_kern_odd(test, rq, 2 * P), -EINVAL);
	KUNIT_EXPECT_NULL(test, rq->bio);
}

/* What does not fit into the request is freed: pages that leak are missing. */
static void map_kern_too_many(struct kunit *test)
{
	const unsigned long many = 8192;
	struct request *rq = make_request_small(test);
	unsigned long i, refused = 0, before;

	KUNIT_ASSERT_EQ(test, map_kern_odd(test, rq, P), 0);
	before = global_zone_page_state(NR_FREE_PAGES);
	for (i = 0; i < many; i++)
		refused += map_kern_odd(test, rq, 1) == -EINVAL;
	KUNIT_EXPECT_EQ(test, refused, many);
	KUNIT_EXPECT_GT(test, global_zone_page_state(NR_FREE_PAGES) + many / 2,
			before);
	bio_endio(rq->bio);
}

static struct kunit_case bio_pages_cases[] = {
	KUNIT_CASE(release_pinned_small),
	KUNIT_CASE(release_pinned_large),
	KUNIT_CASE(release_pinned_empty),
	KUNIT_CASE(release_reffed_small),
	KUNIT_CASE(release_reffed_large),
	KUNIT_CASE(release_reffed_empty),
	KUNIT_CASE(release_none_small),
	KUNIT_CASE(release_none_large),
	KUNIT_CASE(release_page_pinned),
	KUNIT_CASE(release_page_reffed),
	KUNIT_CASE(release_page_none),
	KUNIT_CASE(dirty_pinned),
	KUNIT_CASE(dirty_reffed),
	KUNIT_CASE(dirty_none),
	KUNIT_CASE(dirty_completion),
	KUNIT_CASE(dirty_completion_deferred),
	KUNIT_CASE(get_pages_aligned),
	KUNIT_CASE(get_pages_unaligned),
	KUNIT_CASE(get_pages_huge),
	KUNIT_CASE(get_pages_merged),
	KUNIT_CASE(get_pages_merged_edge),
	KUNIT_CASE(get_pages_same_page),
	KUNIT_CASE(get_pages_full),
	KUNIT_CASE(get_pages_trimmed),
	KUNIT_CASE(get_pages_trimmed_all),
	KUNIT_CASE(get_pages_unmapped),
	KUNIT_CASE(get_pages_unmapped_rest),
	KUNIT_CASE(get_pages_refused),
	KUNIT_CASE(get_pages_zero),
	KUNIT_CASE(get_pages_bvec),
	KUNIT_CASE(get_pages_kvec),
	KUNIT_CASE(zone_append_merged),
	KUNIT_CASE(zone_append_limit),
	KUNIT_CASE(map_user_plain),
	KUNIT_CASE(map_user_merged),
	KUNIT_CASE(map_user_many),
	KUNIT_CASE(map_user_unmapped),
	KUNIT_CASE(map_user_too_large),
	KUNIT_CASE(map_user_gap),
	KUNIT_CASE(map_kern_too_large),
	KUNIT_CASE(map_kern_too_many),
	{}
};

static struct kunit_suite bio_pages_suite = {
	.name		= "bio_pages",
	.init		= kunit_user_mem_init,
	.exit		= kunit_user_mem_exit,
	.test_cases	= bio_pages_cases,
};

kunit_test_suite(bio_pages_suite);
