// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of iov_iter_get_pages2() and iov_iter_get_pages_alloc2(): on whose
 * pages they take references, and that they refuse user memory that is written
 * to. This makes the kernel warn, once.
 */
#include <kunit/user_mem.h>
#include <linux/bvec.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/uio.h>

#define BUF_PAGES	4
#define OFFSET		100
#define LENGTH		(2 * PAGE_SIZE)
#define PAGES		3	/* that the bytes from OFFSET on are in */

/* The same range of bytes, whatever the kind of iterator */
struct source {
	struct iov_iter iter;
	struct page *pages[BUF_PAGES];
	struct iovec iov;
	struct kvec kvec;
	struct bio_vec bvec;
};

static char __user *map_user(struct kunit *test, struct source *source)
{
	char __user *addr = kunit_user_map_pages(test, BUF_PAGES);
	int i;

	for (i = 0; i < BUF_PAGES; i++)
		source->pages[i] = kunit_user_page(test, addr + i * PAGE_SIZE);
	return addr + OFFSET;
}

static void make_ubuf(struct kunit *test, struct source *source,
		      unsigned int direction)
{
	iov_iter_ubuf(&source->iter, direction, map_user(test, source), LENGTH);
}

static void make_iovec(struct kunit *test, struct source *source,
		       unsigned int direction)
{
	source->iov.iov_base = map_user(test, source);
	source->iov.iov_len = LENGTH;
	iov_iter_init(&source->iter, direction, &source->iov, 1, LENGTH);
}

static void free_memory(void *addr)
{
	free_pages_exact(addr, BUF_PAGES * PAGE_SIZE);
}

static void make_kernel(struct kunit *test, struct source *source)
{
	void *addr = alloc_pages_exact(BUF_PAGES * PAGE_SIZE, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, addr);
	kunit_defer(test, free_memory, addr);
	for (i = 0; i < BUF_PAGES; i++)
		source->pages[i] = virt_to_page(addr + i * PAGE_SIZE);
}

static void make_bvec(struct kunit *test, struct source *source,
		      unsigned int direction)
{
	make_kernel(test, source);
	source->bvec = (struct bio_vec) { source->pages[0], LENGTH, OFFSET };
	iov_iter_bvec(&source->iter, direction, &source->bvec, 1, LENGTH);
}

static void make_kvec(struct kunit *test, struct source *source,
		      unsigned int direction)
{
	make_kernel(test, source);
	source->kvec.iov_base = page_address(source->pages[0]) + OFFSET;
	source->kvec.iov_len = LENGTH;
	iov_iter_kvec(&source->iter, direction, &source->kvec, 1, LENGTH);
}

static ssize_t get_pages(struct source *source, struct page **array,
			 size_t *start)
{
	return iov_iter_get_pages2(&source->iter, array, LENGTH, BUF_PAGES,
				   start);
}

/* The array that is allocated is copied, to be freed here. */
static ssize_t get_pages_alloc(struct source *source, struct page **array,
			       size_t *start)
{
	struct page **pages;
	ssize_t ret;

	ret = iov_iter_get_pages_alloc2(&source->iter, &pages, LENGTH, start);
	if (ret > 0)
		memcpy(array, pages, PAGES * sizeof(*pages));
	else if (pages)
		return 0;	/* which no test expects */
	kvfree(pages);
	return ret;
}

/* @taken bytes are taken, a reference on each of their pages; or an error. */
static void check(struct kunit *test, struct source *source, ssize_t taken,
		  ssize_t (*get)(struct source *source, struct page **array,
				 size_t *start))
{
	int i, refs[BUF_PAGES], nr = taken > 0 ? PAGES : 0;
	struct page *pages[BUF_PAGES];
	size_t start = OFFSET;

	for (i = 0; i < BUF_PAGES; i++)
		refs[i] = page_ref_count(source->pages[i]);

	KUNIT_ASSERT_EQ(test, get(source, pages, &start), taken);
	KUNIT_EXPECT_EQ(test, start, OFFSET);
	for (i = 0; i < BUF_PAGES; i++)
		KUNIT_EXPECT_EQ(test, page_ref_count(source->pages[i]),
				refs[i] + (i < nr));
	KUNIT_EXPECT_EQ(test, iov_iter_count(&source->iter),
			nr ? 0 : LENGTH);

	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_PTR_EQ(test, pages[i], source->pages[i]);
		put_page(source->pages[i]);
	}
	if (nr)
		iov_iter_revert(&source->iter, LENGTH);
}

static void with_source(struct kunit *test,
			void (*make)(struct kunit *test, struct source *source,
				     unsigned int direction),
			unsigned int direction, ssize_t taken)
{
	struct source source = {};

	make(test, &source, direction);
	check(test, &source, taken, get_pages);
	check(test, &source, taken, get_pages_alloc);
}

static void source_ubuf(struct kunit *test)
{
	with_source(test, make_ubuf, ITER_SOURCE, LENGTH);
}

static void source_iovec(struct kunit *test)
{
	with_source(test, make_iovec, ITER_SOURCE, LENGTH);
}

static void destination_ubuf(struct kunit *test)
{
	with_source(test, make_ubuf, ITER_DEST, -EFAULT);
	kunit_user_mem_warned(test);
}

static void destination_iovec(struct kunit *test)
{
	with_source(test, make_iovec, ITER_DEST, -EFAULT);
	kunit_user_mem_warned(test);
}

static void destination_bvec(struct kunit *test)
{
	with_source(test, make_bvec, ITER_DEST, LENGTH);
}

static void destination_kvec(struct kunit *test)
{
	with_source(test, make_kvec, ITER_DEST, -EFAULT);
}

static struct kunit_case iov_iter_get_cases[] = {
	KUNIT_CASE(source_ubuf),
	KUNIT_CASE(source_iovec),
	KUNIT_CASE(destination_ubuf),
	KUNIT_CASE(destination_iovec),
	KUNIT_CASE(destination_bvec),
	KUNIT_CASE(destination_kvec),
	{}
};

static struct kunit_suite iov_iter_get_suite = {
	.name = "iov_iter_get_pages",
	.init = kunit_user_mem_init,
	.exit = kunit_user_mem_exit,
	.test_cases = iov_iter_get_cases,
};

kunit_test_suite(iov_iter_get_suite);
