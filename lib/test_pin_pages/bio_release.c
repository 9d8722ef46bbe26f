// SPDX-License-Identifier: GPL-2.0
/*
 * A bio gives back the kind of hold that its flags tell, once for each page.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include "../../block/blk.h"
#include "bio.h"

static void put_test_bio(void *bio)
{
	bio_put(bio);
}

struct bio *make_bio(unsigned short nr_vecs)
{
	struct bio *bio = bio_alloc(GFP_KERNEL, nr_vecs);

	REQUIRE(bio);
	test_defer(put_test_bio, bio);
	return bio;
}

static void put_run(void *data)
{
	struct page *page = data;
	int i, nr = PageCompound(page) ? 1 : RUN_PAGES;

	for (i = 0; i < nr; i++)
		put_page(page + i);
}

static struct page *make_run(gfp_t flags)
{
	struct page *page = alloc_pages(GFP_KERNEL | flags, RUN_ORDER);

	REQUIRE(page);
	if (!PageCompound(page))
		split_page(page, RUN_ORDER);
	test_defer(put_run, page);
	return page;
}

struct page *make_small(void)
{
	return make_run(0);
}

struct page *make_large(void)
{
	return make_run(__GFP_COMP);
}

void expect_free(struct page *first)
{
	int i;

	for (i = 0; i < RUN_PAGES; i++) {
		EXPECT_EQ(page_refs(first + i), 1);
		EXPECT_EQ(page_pins(first + i), 0);
	}
}

/* The kinds of hold that a bio can have. */
static void hold_pinned(struct bio *bio, struct page *page, unsigned int nr)
{
	bio_set_flag(bio, BIO_PAGE_PINNED);
	if (!nr)
		return;

	REQUIRE(try_grab_page(page, FOLL_PIN));
	REQUIRE_EQ(page_add_pins(page, nr - 1), 0);
}

static void hold_reffed(struct bio *bio, struct page *page, unsigned int nr)
{
	bio_set_flag(bio, BIO_PAGE_REFFED);
	page_ref_add(compound_head(page), nr);
}

static void hold_none(struct bio *bio, struct page *page, unsigned int nr)
{
}

typedef void (*hold_fn)(struct bio *bio, struct page *page, unsigned int nr);

/* A run of bytes in the pages. */
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

/*
 * Add a run as one vector, and take the hold that its pages should have. The
 * vector starts in the page of the run or, if @far, in the first page.
 */
static void add_run(struct bio *bio, struct page *first, const struct run *run,
		    hold_fn hold, bool far)
{
	unsigned int i, skip = far ? 0 : run->from / P;

	for (i = run->from / P; i < DIV_ROUND_UP(run->to, P); i++)
		hold(bio, first + i, 1);
	__bio_add_page(bio, first + skip, run->to - run->from,
		       run->from - skip * P);
}

static void check_run(struct page *first, const struct run *run, hold_fn hold,
		      bool far)
{
	struct bio *bio = make_bio(1);

	add_run(bio, first, run, hold, far);
	bio_release_pages(bio, false);
	expect_free(first);
}

/* Every run in a bio of its own, and all of them in one. */
static void check_release(struct page *first, hold_fn hold)
{
	struct bio *bio = make_bio(ARRAY_SIZE(runs));
	const struct run *run;

	for (run = runs; run->to; run++) {
		check_run(first, run, hold, false);
		check_run(first, run, hold, true);
	}

	for (run = runs; run->to; run++)
		add_run(bio, first, run, hold, false);
	bio_release_pages(bio, false);
	expect_free(first);
}

static void release_pinned_small(void)
{
	check_release(make_small(), hold_pinned);
}

static void release_pinned_large(void)
{
	check_release(make_large(), hold_pinned);
}

static void release_reffed_small(void)
{
	check_release(make_small(), hold_reffed);
}

static void release_reffed_large(void)
{
	check_release(make_large(), hold_reffed);
}

static void release_none_small(void)
{
	check_release(make_small(), hold_none);
}

static void release_none_large(void)
{
	check_release(make_large(), hold_none);
}

/* A flag without pages: what the vector holds from before does not count. */
static void check_empty(hold_fn hold)
{
	struct page *first = make_small();
	struct bio *bio = make_bio(1);

	hold(bio, first, 0);
	bio->bi_io_vec[0].bv_page = first;
	bio->bi_io_vec[0].bv_len = P;
	bio->bi_io_vec[0].bv_offset = 0;
	bio_release_pages(bio, false);
	expect_free(first);
	bio_release_pages(bio, true);
	expect_free(first);
}

static void release_pinned_empty(void)
{
	check_empty(hold_pinned);
}

static void release_reffed_empty(void)
{
	check_empty(hold_reffed);
}

/* bio_release_page() gives back one page, also of a compound page. */
static void check_release_page(hold_fn hold)
{
	struct page *small = make_small(), *large = make_large();
	struct bio *bio = make_bio(1);

	hold(bio, small, 1);
	bio_release_page(bio, small);
	expect_free(small);

	hold(bio, large, 2);
	bio_release_page(bio, large);
	bio_release_page(bio, large + RUN_PAGES - 1);
	expect_free(large);
}

static void release_page_pinned(void)
{
	check_release_page(hold_pinned);
}

static void release_page_reffed(void)
{
	check_release_page(hold_reffed);
}

static void release_page_none(void)
{
	check_release_page(hold_none);
}

/* The vector is the parent's, and so are the holds. */
static void check_clone(hold_fn hold)
{
	static const struct run run = { 512, 3 * P };
	struct page *first = make_small();
	struct bio *bio = make_bio(1), *clone;

	add_run(bio, first, &run, hold, false);
	clone = bio_clone_fast(bio, GFP_KERNEL, &fs_bio_set);
	REQUIRE(clone);
	EXPECT(!bio_flagged(clone, BIO_PAGE_PINNED));
	EXPECT(!bio_flagged(clone, BIO_PAGE_REFFED));
	bio_release_pages(clone, true);
	bio_put(clone);
	EXPECT(page_refs(first) > 1);
	bio_release_pages(bio, false);
	expect_free(first);
}

static void clone_holds_nothing(void)
{
	check_clone(hold_pinned);
	check_clone(hold_reffed);
}

/* Pages of a process that are marked dirty, or not, on the way. */
static void check_dirty_page(struct page *page, hold_fn hold, bool mark,
			     bool dirty)
{
	struct page *head = compound_head(page);
	struct bio *bio = make_bio(1);
	int refs = page_refs(page);

	ClearPageDirty(head);
	hold(bio, page, 1);
	__bio_add_page(bio, page, 512, 512);
	bio_release_pages(bio, mark);
	EXPECT_EQ(PageDirty(head), dirty);
	EXPECT_EQ(page_refs(page), refs);
}

/* If marked, the pages are @dirty. */
static void check_dirty(hold_fn hold, bool dirty)
{
	struct page *small = user_page(user_map_pages(1));
	struct page *large = user_page(user_map_huge() + 3 * P);

	check_dirty_page(small, hold, false, false);
	check_dirty_page(small, hold, true, dirty);
	check_dirty_page(large, hold, false, false);
	check_dirty_page(large, hold, true, dirty);
}

static void dirty_pinned(void)
{
	check_dirty(hold_pinned, true);
}

static void dirty_reffed(void)
{
	check_dirty(hold_reffed, true);
}

/* Pages of the kernel's own are not the bio's to mark. */
static void dirty_none(void)
{
	check_dirty(hold_none, false);
}

/* The release comes from a worker, if the page was cleaned meanwhile. */
static void wait_until_released(struct page *page, int refs)
{
	int ms;

	for (ms = 0; ms < 10000 && page_refs(page) != refs; ms += 20)
		msleep(20);
}

static void check_dirty_completion(hold_fn hold, bool cleaned)
{
	struct page *page = user_page(user_map_pages(1));
	struct bio *bio = bio_alloc(GFP_KERNEL, 1);
	int refs = page_refs(page);

	hold(bio, page, 1);
	__bio_add_page(bio, page, P, 0);
	bio_set_pages_dirty(bio);
	EXPECT(PageDirty(page));
	if (cleaned)
		ClearPageDirty(page);
	bio_check_pages_dirty(bio);
	wait_until_released(page, refs);
	EXPECT(PageDirty(page));
	EXPECT_EQ(page_refs(page), refs);
}

static void dirty_completion(void)
{
	check_dirty_completion(hold_pinned, false);
	check_dirty_completion(hold_reffed, false);
}

static void dirty_completion_deferred(void)
{
	check_dirty_completion(hold_pinned, true);
	check_dirty_completion(hold_reffed, true);
}

const struct test_case bio_release_cases[] = {
	TEST_CASE(release_pinned_small),
	TEST_CASE(release_pinned_large),
	TEST_CASE(release_pinned_empty),
	TEST_CASE(release_reffed_small),
	TEST_CASE(release_reffed_large),
	TEST_CASE(release_reffed_empty),
	TEST_CASE(release_none_small),
	TEST_CASE(release_none_large),
	TEST_CASE(release_page_pinned),
	TEST_CASE(release_page_reffed),
	TEST_CASE(release_page_none),
	TEST_CASE(clone_holds_nothing),
	TEST_CASE(dirty_pinned),
	TEST_CASE(dirty_reffed),
	TEST_CASE(dirty_none),
	TEST_CASE(dirty_completion),
	TEST_CASE(dirty_completion_deferred),
	{}
};
