// SPDX-License-Identifier: GPL-2.0
/*
 * Bios that are filled from an iov_iter: for direct I/O, and for passthrough
 * requests.
 */
#include <linux/blkdev.h>
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/uio.h>
#include "bio.h"

#define MAX_VECS	16
#define USER_PAGES	16

/* User memory, and the parts of it that an iovec names. */
struct user_buf {
	char __user *uaddr;
	struct page *pages[USER_PAGES];
	struct iovec iov[MAX_VECS];
	unsigned int nr_segs;
	struct iov_iter iter;
	struct pin_count count;
};

static struct user_buf *make_user(char __user *uaddr)
{
	struct user_buf *u = test_alloc(sizeof(*u));
	int i;

	u->uaddr = uaddr;
	for (i = 0; i < USER_PAGES; i++)
		u->pages[i] = user_page(uaddr + i * P);
	u->count = read_pin_count();
	return u;
}

static struct user_buf *make_user_small(void)
{
	return make_user(user_map_pages(USER_PAGES));
}

/* What is behind the pages is not mapped. */
static struct user_buf *make_user_cut_off(void)
{
	char __user *uaddr = user_map_pages(USER_PAGES + 2);

	REQUIRE_EQ(vm_munmap((unsigned long)uaddr + USER_PAGES * P, 2 * P), 0);
	return make_user(uaddr);
}

static void add_segment(struct user_buf *u, size_t from, size_t to)
{
	u->iov[u->nr_segs].iov_base = u->uaddr + from;
	u->iov[u->nr_segs].iov_len = to - from;
	u->nr_segs++;
	iov_iter_init(&u->iter, READ, u->iov, u->nr_segs,
		      iov_length(u->iov, u->nr_segs));
}

/* How many holds @bio has on @page: one for each bvec that touches it. */
static unsigned int bio_holds(struct bio *bio, struct page *page)
{
	unsigned long first, last, pfn = page_to_pfn(page);
	unsigned int i, holds = 0;

	for (i = 0; i < bio->bi_vcnt; i++) {
		struct bio_vec *bv = &bio->bi_io_vec[i];

		first = page_to_pfn(bv->bv_page) + bv->bv_offset / P;
		last = page_to_pfn(bv->bv_page) +
		       (bv->bv_offset + bv->bv_len - 1) / P;
		holds += pfn >= first && pfn <= last;
	}
	return holds;
}

/* Every page is pinned as often as @bio will unpin it. */
static void expect_bio_pins(struct user_buf *u, struct bio *bio)
{
	unsigned int i, sum = 0;

	EXPECT(bio_flagged(bio, BIO_PAGE_PINNED));
	EXPECT(!bio_flagged(bio, BIO_PAGE_REFFED));
	for (i = 0; i < USER_PAGES; i++) {
		unsigned int holds = bio_holds(bio, u->pages[i]);

		sum += holds;
		if (!PageCompound(u->pages[i]))
			EXPECT_EQ(page_pins(u->pages[i]), holds);
	}
	if (PageCompound(u->pages[0]))
		EXPECT_EQ(page_pins(u->pages[0]), sum);
}

/* Since the buffer was made, @acquired pins were taken, and all given back. */
static void expect_unpinned(struct user_buf *u, long acquired)
{
	struct pin_count now = read_pin_count();
	int i;

	for (i = 0; i < USER_PAGES; i++)
		EXPECT_EQ(page_pins(u->pages[i]), 0);
	EXPECT_EQ(now.acquired - u->count.acquired, acquired);
	EXPECT_EQ(now.released - u->count.released, acquired);
}

/* Fill a bio with what the iovec names, @size bytes, and release it. */
static void check_get_pages_into(struct user_buf *u, struct bio *bio,
				 size_t size, long acquired)
{
	size_t count = iov_iter_count(&u->iter);

	EXPECT_EQ(bio_iov_iter_get_pages(bio, &u->iter), 0);
	EXPECT_EQ(bio->bi_iter.bi_size, size);
	EXPECT_EQ(count - iov_iter_count(&u->iter), size);
	expect_bio_pins(u, bio);
	bio_release_pages(bio, false);
	expect_unpinned(u, acquired);
}

static void check_get_pages(struct user_buf *u, size_t size, long acquired)
{
	check_get_pages_into(u, make_bio(MAX_VECS), size, acquired);
}

static void get_pages_aligned(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 0, 4 * P);
	check_get_pages(u, 4 * P, 4);
}

static void get_pages_unaligned(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 512, 4 * P + 512);
	add_segment(u, 6 * P + 1024, 7 * P + 512);
	check_get_pages(u, 5 * P - 512, 7);
}

static void get_pages_huge(void)
{
	struct user_buf *u = make_user(user_map_huge() + 3 * P);

	add_segment(u, 512, 4 * P + 512);
	add_segment(u, 8 * P, 9 * P);
	add_segment(u, 9 * P, 9 * P + 512);
	check_get_pages(u, 5 * P + 512, 7);
}

/* Four segments next to each other in one page: one bvec, and one pin. */
static void get_pages_merged(void)
{
	struct user_buf *u = make_user_small();
	struct bio *bio = make_bio(MAX_VECS);

	add_segment(u, 0, 512);
	add_segment(u, 512, 1024);
	add_segment(u, 1024, 2048);
	add_segment(u, 2048, 4096);
	check_get_pages_into(u, bio, 4096, 4);
	EXPECT_EQ(bio->bi_vcnt, 1);
}

/* The end of one segment and the start of the next, in a page between. */
static void get_pages_merged_edge(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 0, P + 512);
	add_segment(u, P + 512, 3 * P);
	check_get_pages(u, 3 * P, 4);
}

/* Segments in one page that do not merge: a pin for each of them. */
static void get_pages_same_page(void)
{
	struct user_buf *u = make_user_small();
	struct bio *bio = make_bio(MAX_VECS);

	add_segment(u, 512, 1024);
	add_segment(u, 0, 512);
	add_segment(u, 0, 1024);
	add_segment(u, 0, 1024);
	check_get_pages_into(u, bio, 3072, 4);
	EXPECT_EQ(bio->bi_vcnt, 4);
}

/* The bio is full: the rest is left in the iterator, and not held. */
static void get_pages_full(void)
{
	struct user_buf *u = make_user_small();
	struct bio *bio = make_bio(4);
	unsigned int i, max = bio->bi_max_vecs;

	for (i = 0; i <= max; i++)
		add_segment(u, i * P, i * P + 512);
	check_get_pages_into(u, bio, max * 512, max);
	EXPECT_EQ(iov_iter_count(&u->iter), 512);
}

/* An error: the bio stays empty, which its release has to see. */
static void get_pages_unmapped(void)
{
	struct user_buf *u = make_user_cut_off();
	struct bio *bio = make_bio(MAX_VECS);

	add_segment(u, USER_PAGES * P, USER_PAGES * P + 512);
	EXPECT_EQ(bio_iov_iter_get_pages(bio, &u->iter), -EFAULT);
	EXPECT_EQ(bio->bi_vcnt, 0);
	EXPECT_EQ(iov_iter_count(&u->iter), 512);
	bio_release_pages(bio, false);
	expect_unpinned(u, 0);
}

/* What was there before the fault stays in the bio. */
static void get_pages_unmapped_rest(void)
{
	struct user_buf *u = make_user_cut_off();

	add_segment(u, (USER_PAGES - 1) * P - 512, (USER_PAGES + 1) * P);
	check_get_pages(u, P + 512, 2);
}

static void get_pages_refused(void)
{
	struct user_buf *u = make_user_small();
	int extra = leave_room(u->pages[0], 0);
	struct bio *bio = make_bio(MAX_VECS);

	add_segment(u, 0, 2 * P);
	EXPECT_EQ(bio_iov_iter_get_pages(bio, &u->iter), -ENOMEM);
	EXPECT_EQ(iov_iter_count(&u->iter), 2 * P);
	EXPECT_EQ(page_refs(u->pages[0]), PIN_REF_LIMIT);
	page_ref_sub(u->pages[0], extra);
	bio_release_pages(bio, false);
	expect_unpinned(u, 0);
}

/* A page that has too many pins in the middle: those before it are taken. */
static void get_pages_refused_rest(void)
{
	struct user_buf *u = make_user_small();
	int extra = leave_room(u->pages[2], 0);
	struct bio *bio = make_bio(MAX_VECS);

	add_segment(u, 0, P);
	add_segment(u, P + 512, 4 * P);
	EXPECT_EQ(bio_iov_iter_get_pages(bio, &u->iter), 0);
	EXPECT_EQ(page_refs(u->pages[2]), PIN_REF_LIMIT);
	page_ref_sub(u->pages[2], extra);
	EXPECT_EQ(bio->bi_iter.bi_size, 2 * P - 512);
	EXPECT_EQ(iov_iter_count(&u->iter), 2 * P);
	expect_bio_pins(u, bio);
	bio_release_pages(bio, false);
	expect_unpinned(u, 2);
}

/* A source of zero pages takes no pins, however often it is in the bio. */
static void get_pages_zero(void)
{
	struct iovec iov = { user_map_zero(4), 4 * P };
	struct pin_count before = read_pin_count();
	struct bio *bio = make_bio(MAX_VECS);
	struct pin_count after;
	struct iov_iter iter;

	iov_iter_init(&iter, WRITE, &iov, 1, iov.iov_len);
	EXPECT_EQ(bio_iov_iter_get_pages(bio, &iter), 0);
	EXPECT_EQ(bio->bi_iter.bi_size, 4 * P);
	bio_release_pages(bio, false);
	after = read_pin_count();
	EXPECT_EQ(after.acquired, before.acquired);
	EXPECT_EQ(after.released, before.released);
}

/* On memory of the kernel's own the bio holds nothing. */
static void check_kernel_iter(struct page *first, struct iov_iter *iter)
{
	struct bio *bio = make_bio(MAX_VECS);

	EXPECT_EQ(bio_iov_iter_get_pages(bio, iter), 0);
	EXPECT_EQ(bio->bi_iter.bi_size, 3 * P);
	EXPECT_EQ(iov_iter_count(iter), 0);
	EXPECT(!bio_flagged(bio, BIO_PAGE_PINNED));
	EXPECT(!bio_flagged(bio, BIO_PAGE_REFFED));
	expect_free(first);
	bio_release_pages(bio, true);
	expect_free(first);
}

static void get_pages_bvec(void)
{
	struct page *first = make_large();
	struct bio_vec bv = {
		.bv_page = first + 1,
		.bv_offset = 512,
		.bv_len = 3 * P,
	};
	struct iov_iter iter;

	iov_iter_bvec(&iter, READ, &bv, 1, 3 * P);
	check_kernel_iter(first, &iter);
}

static void get_pages_kvec(void)
{
	struct page *first = make_large();
	struct kvec kv = { page_address(first) + P + 512, 3 * P };
	struct iov_iter iter;

	iov_iter_kvec(&iter, READ, &kv, 1, 3 * P);
	check_kernel_iter(first, &iter);
}

static void put_test_queue(void *q)
{
	blk_cleanup_queue(q);
}

/* A passthrough request, as far as it is needed to map memory into it. */
static struct request *make_request(void)
{
	struct request *rq = test_alloc(sizeof(*rq));

	rq->q = blk_alloc_queue(GFP_KERNEL);
	REQUIRE(rq->q);
	blk_queue_make_request(rq->q, NULL);
	test_defer(put_test_queue, rq->q);
	rq->cmd_flags = REQ_OP_DRV_IN;
	return rq;
}

static int map_user(struct user_buf *u, struct request *rq)
{
	return blk_rq_map_user_iov(rq->q, rq, NULL, &u->iter, GFP_KERNEL);
}

/* Map what the iovec names into a request, and unmap it. */
static void check_map_user(struct user_buf *u, long acquired)
{
	size_t count = iov_iter_count(&u->iter);
	struct request *rq = make_request();

	REQUIRE_EQ(map_user(u, rq), 0);
	EXPECT_EQ(rq->__data_len, count);
	expect_bio_pins(u, rq->bio);
	EXPECT_EQ(blk_rq_unmap_user(rq->bio), 0);
	expect_unpinned(u, acquired);
}

static void map_user_plain(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 512, 3 * P);
	add_segment(u, 4 * P, 5 * P);
	check_map_user(u, 4);
}

static void map_user_merged(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 0, 512);
	add_segment(u, 512, 1024);
	add_segment(u, 1024, P + 512);
	add_segment(u, P + 512, 2 * P);
	check_map_user(u, 5);
}

static void map_user_many(void)
{
	struct user_buf *u = make_user_small();

	add_segment(u, 512, 12 * P + 512);
	add_segment(u, 12 * P + 512, 13 * P);
	check_map_user(u, 14);
}

/* The pages of a read are dirty when it is done. */
static void map_user_dirty(void)
{
	struct user_buf *u = make_user_small();

	ClearPageDirty(u->pages[0]);
	ClearPageDirty(u->pages[1]);
	ClearPageDirty(u->pages[2]);
	add_segment(u, 512, P + 512);
	check_map_user(u, 2);
	EXPECT(PageDirty(u->pages[0]));
	EXPECT(PageDirty(u->pages[1]));
	EXPECT(!PageDirty(u->pages[2]));
}

/* Fail to do so. */
static void check_map_user_error(struct user_buf *u, struct request *rq,
				 int error, long acquired)
{
	EXPECT_EQ(map_user(u, rq), error);
	EXPECT(!rq->bio);
	expect_unpinned(u, acquired);
}

static void map_user_unmapped(void)
{
	struct user_buf *u = make_user_cut_off();

	add_segment(u, (USER_PAGES - 2) * P, USER_PAGES * P);
	add_segment(u, USER_PAGES * P, USER_PAGES * P + 512);
	check_map_user_error(u, make_request(), -EFAULT, 2);
}

static void map_user_refused(void)
{
	struct user_buf *u = make_user_small();
	int extra = leave_room(u->pages[3], 0);

	add_segment(u, 0, 6 * P);
	EXPECT_EQ(map_user(u, make_request()), -ENOMEM);
	EXPECT_EQ(page_refs(u->pages[3]), PIN_REF_LIMIT);
	page_ref_sub(u->pages[3], extra);
	expect_unpinned(u, 3);
}

/* What does not fit into one bio goes to the next, but not into the request. */
static void map_user_too_large(void)
{
	struct user_buf *u = make_user_small();
	struct request *rq = make_request();

	rq->q->limits.max_hw_sectors = 3 * P / SECTOR_SIZE;
	add_segment(u, 0, 8 * P);
	check_map_user_error(u, rq, -EINVAL, 8 + 5);
}

const struct test_case bio_user_cases[] = {
	TEST_CASE(get_pages_aligned),
	TEST_CASE(get_pages_unaligned),
	TEST_CASE(get_pages_huge),
	TEST_CASE(get_pages_merged),
	TEST_CASE(get_pages_merged_edge),
	TEST_CASE(get_pages_same_page),
	TEST_CASE(get_pages_full),
	TEST_CASE(get_pages_unmapped),
	TEST_CASE(get_pages_unmapped_rest),
	TEST_CASE(get_pages_refused),
	TEST_CASE(get_pages_refused_rest),
	TEST_CASE(get_pages_zero),
	TEST_CASE(get_pages_bvec),
	TEST_CASE(get_pages_kvec),
	TEST_CASE(map_user_plain),
	TEST_CASE(map_user_merged),
	TEST_CASE(map_user_many),
	TEST_CASE(map_user_dirty),
	TEST_CASE(map_user_unmapped),
	TEST_CASE(map_user_refused),
	TEST_CASE(map_user_too_large),
	{}
};
