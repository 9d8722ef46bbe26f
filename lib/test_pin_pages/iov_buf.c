// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of every kind, and iterators over parts of it.
 */
#include <linux/kernel.h>
#include <linux/moduleloader.h>
#include <linux/vmalloc.h>
#include "iov_buf.h"

const struct part whole[] = { { 0, BUF_PAGES * P }, END };

static void make_user(struct buf *buf, char __user *uaddr)
{
	int i;

	buf->uaddr = uaddr;
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = user_page(uaddr + i * P);
}

static void make_user_small(struct buf *buf)
{
	make_user(buf, user_map_pages(BUF_PAGES));
}

static void make_user_huge(struct buf *buf)
{
	make_user(buf, user_map_huge() + 5 * P);
}

static void free_linear(void *addr)
{
	free_pages((unsigned long)addr, BUF_ORDER);
}

static void make_linear(struct buf *buf)
{
	int i;

	buf->addr = (void *)__get_free_pages(GFP_KERNEL | __GFP_COMP,
					     BUF_ORDER);
	REQUIRE(buf->addr);
	test_defer(free_linear, buf->addr);
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = virt_to_page(buf->addr + i * P);
}

static void free_small(void *page)
{
	put_page(page);
}

static void free_vmap(void *addr)
{
	vunmap(addr);
}

/* Single pages, which are not next to each other except by chance. */
static void make_vmap(struct buf *buf)
{
	int i;

	for (i = 0; i < BUF_PAGES; i++) {
		struct page *page = alloc_page(GFP_KERNEL);

		REQUIRE(page);
		test_defer(free_small, page);
		buf->pages[i ^ 1] = page;
	}
	buf->addr = vmap(buf->pages, BUF_PAGES, VM_MAP, PAGE_KERNEL);
	REQUIRE(buf->addr);
	test_defer(free_vmap, buf->addr);
}

static void free_module_memory(void *addr)
{
	module_memfree(addr);
}

static void make_module(struct buf *buf)
{
	int i;

	if (!IS_ENABLED(CONFIG_MODULES))
		test_skip("no CONFIG_MODULES");

	buf->addr = module_alloc(BUF_PAGES * P);
	REQUIRE(buf->addr);
	test_defer(free_module_memory, buf->addr);
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = vmalloc_to_page(buf->addr + i * P);
}

/* Memory of the kernel image. */
static void make_image(struct buf *buf)
{
	static char image[BUF_PAGES * P] __page_aligned_bss;
	unsigned long pfn = PHYS_PFN(__pa_symbol(image));
	int i;

	buf->addr = image;
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = pfn_to_page(pfn + i);
}

static size_t segs_size(const struct part *segs, unsigned int nr_segs)
{
	size_t size = 0;

	while (nr_segs--)
		size += segs[nr_segs].to - segs[nr_segs].from;
	return size;
}

static void iter_iovec(struct buf *buf, const struct part *segs,
		       unsigned int nr_segs, unsigned int direction,
		       struct iov_iter *iter)
{
	unsigned int i;

	for (i = 0; i < nr_segs; i++) {
		buf->iov[i].iov_base = buf->uaddr + segs[i].from;
		buf->iov[i].iov_len = segs[i].to - segs[i].from;
	}
	iov_iter_init(iter, direction, buf->iov, nr_segs,
		      segs_size(segs, nr_segs));
}

static void iter_kvec(struct buf *buf, const struct part *segs,
		      unsigned int nr_segs, unsigned int direction,
		      struct iov_iter *iter)
{
	unsigned int i;

	for (i = 0; i < nr_segs; i++) {
		buf->kvec[i].iov_base = buf->addr + segs[i].from;
		buf->kvec[i].iov_len = segs[i].to - segs[i].from;
	}
	iov_iter_kvec(iter, direction, buf->kvec, nr_segs,
		      segs_size(segs, nr_segs));
}

static void iter_bvec(struct buf *buf, const struct part *segs,
		      unsigned int nr_segs, unsigned int direction,
		      struct iov_iter *iter)
{
	unsigned int i;

	for (i = 0; i < nr_segs; i++) {
		buf->bvec[i].bv_page = buf->pages[segs[i].from / P];
		buf->bvec[i].bv_offset = segs[i].from % P;
		buf->bvec[i].bv_len = segs[i].to - segs[i].from;
	}
	iov_iter_bvec(iter, direction, buf->bvec, nr_segs,
		      segs_size(segs, nr_segs));
}

/* The offset of a segment may reach beyond its first page. */
static void iter_bvec_far(struct buf *buf, const struct part *segs,
			  unsigned int nr_segs, unsigned int direction,
			  struct iov_iter *iter)
{
	unsigned int i;

	iter_bvec(buf, segs, nr_segs, direction, iter);
	for (i = 0; i < nr_segs; i++) {
		buf->bvec[i].bv_page = buf->pages[0];
		buf->bvec[i].bv_offset = segs[i].from;
	}
}

const struct buf_kind user_small = { make_user_small, iter_iovec, true };
const struct buf_kind user_huge = { make_user_huge, iter_iovec, true };
const struct buf_kind bvec_page = { make_linear, iter_bvec };
const struct buf_kind bvec_far = { make_linear, iter_bvec_far };
const struct buf_kind kvec_linear = { make_linear, iter_kvec };
const struct buf_kind kvec_vmap = { make_vmap, iter_kvec };
const struct buf_kind kvec_module = { make_module, iter_kvec };
const struct buf_kind kvec_image = { make_image, iter_kvec };

const struct buf_kind *const every_kind[NR_KINDS] = {
	&user_small, &bvec_page, &kvec_linear,
};

struct buf *make_buf(const struct buf_kind *kind)
{
	struct buf *buf = test_alloc(sizeof(*buf));
	int i;

	buf->kind = kind;
	kind->make(buf);
	for (i = 0; i < BUF_PAGES; i++)
		buf->refs[i] = page_refs(buf->pages[i]);
	return buf;
}

void make_iter(struct buf *buf, const struct part *segs, unsigned int direction,
	       struct iov_iter *iter)
{
	unsigned int nr_segs = 0;

	while (segs[nr_segs].from != SIZE_MAX)
		nr_segs++;
	buf->kind->iter(buf, segs, nr_segs, direction, iter);
}

/* Pages of the buffer are held as they should, or not at all if @nr is 0. */
void expect_held(struct buf *buf, unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < BUF_PAGES; i++) {
		unsigned int pins = i >= first && i - first < nr;

		if (!buf->kind->pins || !nr)
			EXPECT_EQ(page_refs(buf->pages[i]), buf->refs[i]);
		else if (PageCompound(buf->pages[i]))
			EXPECT_EQ(page_pins(buf->pages[i]), nr);
		else
			EXPECT_EQ(page_pins(buf->pages[i]), pins);
	}
}
