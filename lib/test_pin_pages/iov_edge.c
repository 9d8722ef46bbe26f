// SPDX-License-Identifier: GPL-2.0
/*
 * What iov_iter_extract_pages() refuses, where it stops, and what it does with
 * the pages of a process that cannot be pinned as they are.
 */
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "iov_buf.h"

static const struct limits no_limit = { SIZE_MAX, BUF_PAGES };

static bool page_is_zero(struct page *page)
{
	return is_zero_pfn(page_to_pfn(page));
}

/* @ret, in place of pages; the iterator does not move, no array is left. */
static void expect_none(struct iov_iter *iter, const struct limits *limits,
			iov_iter_extraction_t flags, ssize_t ret)
{
	struct page *array[BUF_PAGES], **pages = array;
	size_t count = iov_iter_count(iter), offset;

	EXPECT_EQ(iov_iter_extract_pages(iter, &pages, limits->maxsize,
					 limits->maxpages, flags, &offset),
		  ret);
	EXPECT(pages == array);
	pages = NULL;
	EXPECT_EQ(iov_iter_extract_pages(iter, &pages, limits->maxsize,
					 limits->maxpages, flags, &offset),
		  ret);
	EXPECT(!pages);
	EXPECT_EQ(iov_iter_count(iter), count);
}

static void expect_error(struct iov_iter *iter, int error)
{
	expect_none(iter, &no_limit, 0, error);
}

/* The next extraction returns @size bytes. */
static void expect_size(struct iov_iter *iter, ssize_t size)
{
	struct page *array[BUF_PAGES], **pages = array;
	size_t offset;

	REQUIRE_EQ(iov_iter_extract_pages(iter, &pages, SIZE_MAX, BUF_PAGES, 0,
					  &offset), size);
	if (iov_iter_extract_will_pin(iter))
		unpin_user_pages(pages, DIV_ROUND_UP(offset + size, P));
}

static void refuse_flags(void)
{
	struct iov_iter iter;
	int i, bit;

	for (i = 0; i < NR_KINDS; i++) {
		struct buf *buf = make_buf(every_kind[i]);

		make_iter(buf, whole, READ, &iter);
		for (bit = 0; bit < 32; bit++)
			expect_none(&iter, &no_limit,
				    (__force iov_iter_extraction_t)BIT(bit),
				    -EINVAL);
		expect_held(buf, 0, 0);
	}
}

static void extract_nothing(void)
{
	static const struct limits no_size = { 0, BUF_PAGES };
	static const struct limits no_pages = { SIZE_MAX, 0 };
	struct iov_iter iter;
	int i;

	for (i = 0; i < NR_KINDS; i++) {
		struct buf *buf = make_buf(every_kind[i]);

		make_iter(buf, whole, READ, &iter);
		expect_none(&iter, &no_size, 0, 0);
		expect_none(&iter, &no_pages, 0, 0);
		iov_iter_advance(&iter, BUF_PAGES * P);
		expect_none(&iter, &no_limit, 0, 0);
		expect_held(buf, 0, 0);
	}
}

static void will_pin(void)
{
	struct iov_iter iter;
	int i;

	for (i = 0; i < NR_KINDS; i++) {
		struct buf *buf = make_buf(every_kind[i]);

		make_iter(buf, whole, READ, &iter);
		EXPECT_EQ(iov_iter_extract_will_pin(&iter),
			  every_kind[i]->pins);
	}
}

/* What the counters of pins show. */
static void check_count(const struct buf_kind *kind, int pins)
{
	struct buf *buf = make_buf(kind);
	struct pin_count before, after;
	struct iov_iter iter;

	before = read_pin_count();
	make_iter(buf, whole, READ, &iter);
	expect_size(&iter, BUF_PAGES * P);
	after = read_pin_count();
	EXPECT_EQ(after.acquired - before.acquired, pins);
	EXPECT_EQ(after.released - before.released, pins);
}

static void count_pins(void)
{
	check_count(&user_small, BUF_PAGES);
	check_count(&user_huge, BUF_PAGES);
	check_count(&bvec_page, 0);
	check_count(&kvec_linear, 0);
}

/* Every segment in a page has a pin of its own. */
static void pin_shared_page(void)
{
	static const struct part segs[] = { { 0, 512 }, { 512, P }, END };
	struct buf *buf = make_buf(&user_small);
	struct page *array[2], **pages = array;
	struct iov_iter iter;
	size_t offset;
	int i;

	make_iter(buf, segs, READ, &iter);
	for (i = 0; i < 2; i++, pages++)
		REQUIRE(iov_iter_extract_pages(&iter, &pages, P, 1, 0,
					       &offset) > 0);
	EXPECT_EQ(page_pins(buf->pages[0]), 2);
	unpin_user_pages(array, 2);
	expect_held(buf, 0, 0);
}

static void user_iter(struct iov_iter *iter, struct iovec *iov,
		      unsigned int direction, char __user *uaddr, size_t size)
{
	iov->iov_base = uaddr;
	iov->iov_len = size;
	iov_iter_init(iter, direction, iov, 1, size);
}

/* Only a source may be memory that the process cannot write to. */
static void direction_read_only(void)
{
	char __user *uaddr = user_map(2 * P, PROT_READ, 0);
	struct iov_iter iter;
	struct iovec iov;

	user_iter(&iter, &iov, READ, uaddr, 2 * P);
	expect_error(&iter, -EFAULT);
	user_iter(&iter, &iov, WRITE, uaddr, 2 * P);
	expect_size(&iter, 2 * P);
}

static void zero_page_source(void)
{
	char __user *uaddr = user_map_zero(3);
	struct page *array[BUF_PAGES], **pages = array;
	struct pin_count before = read_pin_count();
	struct iov_iter iter;
	struct iovec iov;
	size_t offset;
	int i;

	user_iter(&iter, &iov, WRITE, uaddr, 3 * P);
	REQUIRE_EQ(iov_iter_extract_pages(&iter, &pages, SIZE_MAX, BUF_PAGES, 0,
					  &offset), 3 * P);
	for (i = 0; i < 3; i++)
		EXPECT(page_is_zero(pages[i]));
	EXPECT_EQ(read_pin_count().acquired, before.acquired);
	unpin_user_pages(pages, 3);
	EXPECT_EQ(read_pin_count().released, before.released);
}

/* Where it could be written to later, even a source leaves the zero page. */
static void check_zero_page(unsigned int direction)
{
	char __user *uaddr = user_map(P, PROT_READ | PROT_WRITE, 0);
	struct iov_iter iter;
	struct iovec iov;

	REQUIRE(page_is_zero(user_page(uaddr)));
	user_iter(&iter, &iov, direction, uaddr, P);
	expect_size(&iter, P);
	EXPECT(!page_is_zero(user_page(uaddr)));
}

static void zero_page_replaced(void)
{
	check_zero_page(READ);
	check_zero_page(WRITE);
}

/* Of four pages the last two are not there. */
static char __user *map_cut_off(void)
{
	char __user *uaddr = user_map_pages(4);

	REQUIRE_EQ(vm_munmap((unsigned long)uaddr + 2 * P, 2 * P), 0);
	return uaddr;
}

static void unmapped_rest(void)
{
	char __user *uaddr = map_cut_off();
	struct iov_iter iter;
	struct iovec iov;

	user_iter(&iter, &iov, READ, uaddr + 100, 3 * P);
	expect_size(&iter, 2 * P - 100);
	expect_error(&iter, -EFAULT);
	user_iter(&iter, &iov, WRITE, uaddr + 2 * P - 1, 2);
	expect_size(&iter, 1);
	expect_error(&iter, -EFAULT);
}

static void unmapped_segment(void)
{
	char __user *uaddr = map_cut_off();
	struct iovec iov[] = {
		{ uaddr + P, 100 },
		{ uaddr + 3 * P, 0 },
		{ uaddr + 2 * P, P },
		{ uaddr, P },
	};
	struct iov_iter iter;

	iov_iter_init(&iter, READ, iov, ARRAY_SIZE(iov), 2 * P + 100);
	expect_size(&iter, 100);
	expect_error(&iter, -EFAULT);
	iov_iter_advance(&iter, P);
	expect_size(&iter, P);
}

static void refuse_too_many_pins(void)
{
	struct buf *buf = make_buf(&user_small);
	int extra = leave_room(buf->pages[2], 0);
	struct iov_iter iter;

	make_iter(buf, whole, READ, &iter);
	expect_size(&iter, 2 * P);
	expect_error(&iter, -ENOMEM);
	page_ref_sub(buf->pages[2], extra);
	expect_size(&iter, (BUF_PAGES - 2) * P);
	expect_held(buf, 0, 0);
}

/* Shared by fork: only a copy of the process's own can be pinned. */
static void check_shared(unsigned int direction)
{
	char __user *uaddr = user_map_pages(1);
	struct page *shared = user_page(uaddr);
	struct iov_iter iter;
	struct iovec iov;

	user_fork();
	REQUIRE_EQ(page_mapcount(shared), 2);
	user_iter(&iter, &iov, direction, uaddr, P);
	expect_size(&iter, P);
	EXPECT(user_page(uaddr) != shared);
	EXPECT_EQ(page_pins(shared), 0);
}

static void shared_source(void)
{
	check_shared(WRITE);
}

static void shared_dest(void)
{
	check_shared(READ);
}

static void kvec_iter(struct iov_iter *iter, struct kvec *kv, void *addr,
		      size_t len)
{
	kv->iov_base = addr;
	kv->iov_len = len;
	iov_iter_kvec(iter, READ, kv, 1, len);
}

/* Beyond a vmalloc area there is a hole. */
static void bad_kvec_vmap(void)
{
	struct buf *buf = make_buf(&kvec_vmap);
	struct iov_iter iter;
	struct kvec kv;

	kvec_iter(&iter, &kv, buf->addr + (BUF_PAGES - 2) * P + 100, 3 * P);
	expect_size(&iter, 2 * P - 100);
	expect_error(&iter, -EFAULT);
}

/* Addresses of a process, and of no page at all. */
static void bad_kvec_address(void)
{
	static const unsigned long bad[] = { 16, PAGE_SIZE, -PAGE_SIZE };
	struct iov_iter iter;
	struct kvec kv;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		kvec_iter(&iter, &kv, (void *)bad[i], 16);
		expect_error(&iter, -EFAULT);
	}
}

/* References on the pages of slab objects make no sense; none is taken. */
static void extract_kvec_slab(void)
{
	struct page *array[1], **pages = array;
	void *object = test_alloc(100);
	struct iov_iter iter;
	struct kvec kv;
	size_t offset;
	int refs;

	refs = page_ref_count(virt_to_page(object));
	kvec_iter(&iter, &kv, object, 50);
	REQUIRE_EQ(iov_iter_extract_pages(&iter, &pages, SIZE_MAX, 1, 0,
					  &offset), 50);
	EXPECT_EQ(offset, offset_in_page(object));
	EXPECT(pages[0] == virt_to_page(object));
	EXPECT_EQ(page_ref_count(pages[0]), refs);
}

const struct test_case extract_edge_cases[] = {
	TEST_CASE(refuse_flags),
	TEST_CASE(refuse_too_many_pins),
	TEST_CASE(extract_nothing),
	TEST_CASE(will_pin),
	TEST_CASE(count_pins),
	TEST_CASE(pin_shared_page),
	TEST_CASE(direction_read_only),
	TEST_CASE(zero_page_source),
	TEST_CASE(zero_page_replaced),
	TEST_CASE(unmapped_rest),
	TEST_CASE(unmapped_segment),
	TEST_CASE(shared_source),
	TEST_CASE(shared_dest),
	TEST_CASE(bad_kvec_vmap),
	TEST_CASE(bad_kvec_address),
	TEST_CASE(extract_kvec_slab),
	{}
};
