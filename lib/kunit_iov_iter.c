// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of page extraction: iov_iter_extract_pages() on every kind of
 * iterator, and fault_in_iov_iter_pinnable().
 *
 * ITER_PIPE and ITER_DISCARD are not here: they are refused with a warning.
 */
#include <kunit/user_mem.h>
#include <linux/bvec.h>
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/moduleloader.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#define P		PAGE_SIZE
#define BUF_PAGES	16
#define BUF_ORDER	4
#define MAX_SEGS	8
#define XA_FIRST	3	/* index of the buffer's first page, not aligned */

/* A part of the buffer: the bytes from one offset up to another. */
struct part {
	size_t from;
	size_t to;
};

#define END	{ SIZE_MAX, SIZE_MAX }

/* Every class of offset and length, each a segment by itself. */
static const struct part every_part[] = {
	{ 0, 1 },
	{ 0, P - 1 },
	{ 0, P },
	{ 0, P + 1 },
	{ 1, 2 },
	{ 1, P - 1 },
	{ 1, P },
	{ 1, P + 1 },
	{ P - 1, P },
	{ P - 1, P + 1 },
	{ P - 1, 2 * P + 1 },
	{ 512, 1024 },
	{ 512, P + 512 },
	{ 0, 4 * P },
	{ 2 * P, 3 * P },
	{ 3 * P, 7 * P + 100 },
	{ 5 * P + 100, 11 * P - 100 },
	{ BUF_PAGES * P - 1, BUF_PAGES * P },
	{ 1, BUF_PAGES * P - 1 },
	{ 0, BUF_PAGES * P },
	END
};

/* Several segments in one iterator. */
static const struct part segments[][MAX_SEGS] = {
	{ { 0, P }, { P, 2 * P }, { 2 * P, 5 * P }, END },
	{ { 7 * P, 8 * P }, { 3 * P + 1, 5 * P }, { 0, 1 }, END },
	{ { P - 1, P + 1 }, { 2 * P, 2 * P + 1 }, { 4 * P - 1, 9 * P }, END },
	/* empty ones in front, in the middle and at the end */
	{ { 0, 0 }, { 5, 5 }, { P, 3 * P }, END },
	{ { 0, P }, { 3 * P, 3 * P }, { 2, 2 }, { 2 * P, 3 * P }, END },
	{ { 512, 2 * P }, { 4 * P, 5 * P }, { 6 * P, 6 * P }, { 7, 7 }, END },
	{ { 1, 1 }, { 0, 7 }, { 2, 2 }, { 7, P }, { P, P }, END },
	/* parts of one page, next to each other, overlapping and the same */
	{ { 0, 512 }, { 512, 1024 }, { 1024, P }, END },
	{ { 0, 1024 }, { 512, P + 512 }, { P, P + 512 }, END },
	{ { 100, 200 }, { 100, 200 }, { 100, 200 }, { 100, 200 }, END },
};

struct limits {
	size_t maxsize;
	unsigned int maxpages;
};

static const struct limits every_limit[] = {
	{ SIZE_MAX, BUF_PAGES + 1 },
	{ SIZE_MAX, 1 },
	{ SIZE_MAX, 2 },
	{ SIZE_MAX, BUF_PAGES - 1 },
	{ P, BUF_PAGES },
	{ P - 1, 2 },
	{ P + 1, 2 },
	{ 3 * P, 2 },
	{ 1000, BUF_PAGES },
	{ }
};

/* A buffer, and the iterator over a part of it. */
struct buf {
	const struct buf_kind *kind;
	void *addr;
	char __user *uaddr;
	struct page *pages[BUF_PAGES];
	int refs[BUF_PAGES];
	struct xarray xa;
	union {
		struct iovec iov[MAX_SEGS];
		struct kvec kvec[MAX_SEGS];
		struct bio_vec bvec[MAX_SEGS];
	};
};

struct buf_kind {
	void (*make)(struct kunit *test, struct buf *buf);
	void (*iter)(struct buf *buf, const struct part *segs,
		     unsigned int nr_segs, unsigned int direction,
		     struct iov_iter *iter);
	bool pins;
};

static void make_user(struct kunit *test, struct buf *buf)
{
	int i;

	buf->uaddr = kunit_user_map_pages(test, BUF_PAGES);
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = kunit_user_page(test, buf->uaddr + i * P);
}

static void make_user_huge(struct kunit *test, struct buf *buf)
{
	int i;

	buf->uaddr = kunit_user_map_huge(test) + 5 * P;
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = kunit_user_page(test, buf->uaddr + i * P);
}

static void free_linear(void *addr)
{
	free_pages((unsigned long)addr, BUF_ORDER);
}

static void make_linear(struct kunit *test, struct buf *buf)
{
	int i;

	buf->addr = (void *)__get_free_pages(GFP_KERNEL | __GFP_COMP,
					     BUF_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, buf->addr);
	kunit_defer(test, free_linear, buf->addr);
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = virt_to_page(buf->addr + i * P);
}

static void put_folio(void *folio)
{
	folio_put(folio);
}

static struct folio *make_folio(struct kunit *test, unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, order);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	kunit_defer(test, put_folio, folio);
	return folio;
}

static void free_vmap(void *addr)
{
	vunmap(addr);
}

/* Single pages, which are not next to each other except by chance. */
static void make_vmap(struct kunit *test, struct buf *buf)
{
	int i;

	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i ^ 1] = folio_page(make_folio(test, 0), 0);
	buf->addr = vmap(buf->pages, BUF_PAGES, VM_MAP, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf->addr);
	kunit_defer(test, free_vmap, buf->addr);
}

static void free_module_memory(void *addr)
{
	module_memfree(addr);
}

static void make_module(struct kunit *test, struct buf *buf)
{
	int i;

	if (!IS_ENABLED(CONFIG_MODULES))
		kunit_skip(test, "no CONFIG_MODULES");

	buf->addr = module_alloc(BUF_PAGES * P);
	KUNIT_ASSERT_NOT_NULL(test, buf->addr);
	kunit_defer(test, free_module_memory, buf->addr);
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = vmalloc_to_page(buf->addr + i * P);
}

/* Memory of the kernel image. */
static void make_image(struct kunit *test, struct buf *buf)
{
	static char image[BUF_PAGES * P] __page_aligned_bss;
	unsigned long pfn = PHYS_PFN(__pa_symbol(image));
	int i;

	buf->addr = image;
	for (i = 0; i < BUF_PAGES; i++)
		buf->pages[i] = pfn_to_page(pfn + i);
}

static void free_xarray(void *xa)
{
	xa_destroy(xa);
}

/* Put a new folio of 1 << @order pages where page @i of the buffer is. */
static void store_folio(struct kunit *test, struct buf *buf, unsigned int i,
			unsigned int order)
{
	unsigned long index = XA_FIRST + i;
	XA_STATE_ORDER(xas, &buf->xa, index, order);
	struct folio *folio = make_folio(test, order);
	unsigned int k;

	do {
		xas_lock(&xas);
		xas_store(&xas, folio);
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, xas_error(&xas), 0);

	for (k = 0; k < 1 << order; k++)
		buf->pages[i + k] = folio_page(folio, k);
}

static void make_xarray(struct kunit *test, struct buf *buf)
{
	int i;

	xa_init(&buf->xa);
	kunit_defer(test, free_xarray, &buf->xa);
	for (i = 0; i < BUF_PAGES; i++)
		store_folio(test, buf, i, 0);
}

/* Indices 3, 4 to 7, 8 to 15, 16, 17 and 18. */
static void make_xarray_large(struct kunit *test, struct buf *buf)
{
	if (!IS_ENABLED(CONFIG_XARRAY_MULTI))
		kunit_skip(test, "no CONFIG_XARRAY_MULTI");

	xa_init(&buf->xa);
	kunit_defer(test, free_xarray, &buf->xa);
	store_folio(test, buf, 0, 0);
	store_folio(test, buf, 1, 2);
	store_folio(test, buf, 5, 3);
	store_folio(test, buf, 13, 0);
	store_folio(test, buf, 14, 0);
	store_folio(test, buf, 15, 0);
}

static size_t segs_size(const struct part *segs, unsigned int nr_segs)
{
	size_t size = 0;

	while (nr_segs--)
		size += segs[nr_segs].to - segs[nr_segs].from;
	return size;
}

static void iter_ubuf(struct buf *buf, const struct part *segs,
		      unsigned int nr_segs, unsigned int direction,
		      struct iov_iter *iter)
{
	iov_iter_ubuf(iter, direction, buf->uaddr + segs->from,
		      segs_size(segs, 1));
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

static void iter_xarray(struct buf *buf, const struct part *segs,
			unsigned int nr_segs, unsigned int direction,
			struct iov_iter *iter)
{
	iov_iter_xarray(iter, direction, &buf->xa, XA_FIRST * P + segs->from,
			segs_size(segs, 1));
}

static const struct buf_kind ubuf = { make_user, iter_ubuf, true };
static const struct buf_kind ubuf_huge = { make_user_huge, iter_ubuf, true };
static const struct buf_kind iovec = { make_user, iter_iovec, true };
static const struct buf_kind bvec = { make_linear, iter_bvec };
static const struct buf_kind bvec_far = { make_linear, iter_bvec_far };
static const struct buf_kind kvec = { make_linear, iter_kvec };
static const struct buf_kind kvec_vmap = { make_vmap, iter_kvec };
static const struct buf_kind kvec_module = { make_module, iter_kvec };
static const struct buf_kind kvec_image = { make_image, iter_kvec };
static const struct buf_kind xarray = { make_xarray, iter_xarray };
static const struct buf_kind xarray_large = { make_xarray_large, iter_xarray };

static const struct buf_kind *const every_kind[] = {
	&ubuf, &iovec, &bvec, &kvec, &xarray,
};

static int page_refs(struct page *page)
{
	return folio_ref_count(page_folio(page));
}

static struct buf *make_buf(struct kunit *test, const struct buf_kind *kind)
{
	struct buf *buf = kunit_kzalloc(test, sizeof(*buf), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	buf->kind = kind;
	kind->make(test, buf);
	for (i = 0; i < BUF_PAGES; i++)
		buf->refs[i] = page_refs(buf->pages[i]);
	return buf;
}

static void make_iter(struct buf *buf, const struct part *segs,
		      unsigned int direction, struct iov_iter *iter)
{
	unsigned int nr_segs = 0;

	while (segs[nr_segs].from != SIZE_MAX)
		nr_segs++;
	buf->kind->iter(buf, segs, nr_segs, direction, iter);
}

/* Where the next extraction should begin. */
struct cursor {
	const struct part *seg;
	size_t pos;
};

static void cursor_advance(struct cursor *cur, size_t bytes)
{
	while (cur->seg->from != SIZE_MAX) {
		size_t n = min(bytes, cur->seg->to - cur->pos);

		bytes -= n;
		cur->pos += n;
		if (cur->pos < cur->seg->to)
			break;
		cur->seg++;
		cur->pos = cur->seg->from;
	}
}

static void cursor_init(struct cursor *cur, const struct part *segs)
{
	cur->seg = segs;
	cur->pos = segs->from;
	cursor_advance(cur, 0);
}

/* How much the next extraction should return. */
static size_t cursor_size(const struct cursor *cur, const struct limits *limits)
{
	size_t size = min(cur->seg->to - cur->pos, limits->maxsize);

	return min_t(size_t, size, limits->maxpages * P - cur->pos % P);
}

/* Pages of the buffer are held as they should, or not at all if @nr is 0. */
static void expect_held(struct kunit *test, struct buf *buf, unsigned int first,
			unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < BUF_PAGES; i++) {
		unsigned int pins = i >= first && i - first < nr;

		if (!buf->kind->pins || !nr)
			KUNIT_EXPECT_EQ(test, page_refs(buf->pages[i]),
					buf->refs[i]);
		else if (PageCompound(buf->pages[i]))
			KUNIT_EXPECT_EQ(test, kunit_page_pins(buf->pages[i]),
					nr);
		else
			KUNIT_EXPECT_EQ(test, kunit_page_pins(buf->pages[i]),
					pins);
	}
}

static void expect_pages(struct kunit *test, struct buf *buf,
			 struct page **pages, unsigned int first,
			 unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_PTR_EQ(test, pages[i], buf->pages[first + i]);
	expect_held(test, buf, first, nr);
}

/* Extract once, into @array or an allocated one, and give everything back. */
static void extract_once(struct kunit *test, struct buf *buf,
			 struct iov_iter *iter, struct cursor *cur,
			 const struct limits *limits, struct page **array)
{
	size_t want = cursor_size(cur, limits), offset = SIZE_MAX;
	size_t count = iov_iter_count(iter);
	struct page **pages = array;
	unsigned int nr;
	ssize_t size;

	size = iov_iter_extract_pages(iter, &pages, limits->maxsize,
				      limits->maxpages, 0, &offset);
	KUNIT_ASSERT_EQ(test, size, want);
	KUNIT_ASSERT_EQ(test, offset, cur->pos % P);
	KUNIT_EXPECT_EQ(test, count - iov_iter_count(iter), want);
	KUNIT_ASSERT_NOT_NULL(test, pages);

	nr = DIV_ROUND_UP(offset + size, P);
	expect_pages(test, buf, pages, cur->pos / P, nr);
	if (iov_iter_extract_will_pin(iter))
		unpin_user_pages(pages, nr);
	expect_held(test, buf, 0, 0);

	if (array)
		KUNIT_EXPECT_PTR_EQ(test, pages, array);
	else
		kvfree(pages);
	cursor_advance(cur, want);
}

/* Extract all that is left in @iter. */
static void extract_rest(struct kunit *test, struct buf *buf,
			 struct iov_iter *iter, struct cursor *cur,
			 const struct limits *limits, struct page **array)
{
	while (iov_iter_count(iter))
		extract_once(test, buf, iter, cur, limits, array);
	KUNIT_EXPECT_EQ(test, cur->seg->from, SIZE_MAX);
}

static void extract_segs(struct kunit *test, struct buf *buf,
			 const struct part *segs, unsigned int direction,
			 const struct limits *limits, struct page **array)
{
	struct iov_iter iter;
	struct cursor cur;

	make_iter(buf, segs, direction, &iter);
	cursor_init(&cur, segs);
	extract_rest(test, buf, &iter, &cur, limits, array);
}

static void extract_limits(struct kunit *test, struct buf *buf,
			   const struct part *segs)
{
	struct page *array[BUF_PAGES + 1];
	const struct limits *limits;

	for (limits = every_limit; limits->maxpages; limits++) {
		extract_segs(test, buf, segs, ITER_DEST, limits, array);
		extract_segs(test, buf, segs, ITER_DEST, limits, NULL);
		extract_segs(test, buf, segs, ITER_SOURCE, limits, array);
		extract_segs(test, buf, segs, ITER_SOURCE, limits, NULL);
	}
}

static void check_extract(struct kunit *test, const struct buf_kind *kind)
{
	struct buf *buf = make_buf(test, kind);
	struct part segs[] = { END, END };
	const struct part *part;

	for (part = every_part; part->from != SIZE_MAX; part++) {
		segs[0] = *part;
		extract_limits(test, buf, segs);
	}
}

static void extract_ubuf(struct kunit *test)
{
	check_extract(test, &ubuf);
}

static void extract_ubuf_huge(struct kunit *test)
{
	check_extract(test, &ubuf_huge);
}

static void extract_iovec(struct kunit *test)
{
	check_extract(test, &iovec);
}

static void extract_bvec(struct kunit *test)
{
	check_extract(test, &bvec);
}

static void extract_bvec_far(struct kunit *test)
{
	check_extract(test, &bvec_far);
}

static void extract_kvec(struct kunit *test)
{
	check_extract(test, &kvec);
}

static void extract_kvec_vmap(struct kunit *test)
{
	check_extract(test, &kvec_vmap);
}

static void extract_kvec_module(struct kunit *test)
{
	check_extract(test, &kvec_module);
}

static void extract_kvec_image(struct kunit *test)
{
	check_extract(test, &kvec_image);
}

static void extract_xarray(struct kunit *test)
{
	check_extract(test, &xarray);
}

static void extract_xarray_large(struct kunit *test)
{
	check_extract(test, &xarray_large);
}

static void check_segments(struct kunit *test, const struct buf_kind *kind)
{
	struct buf *buf = make_buf(test, kind);
	int i;

	for (i = 0; i < ARRAY_SIZE(segments); i++)
		extract_limits(test, buf, segments[i]);
}

static void segments_iovec(struct kunit *test)
{
	check_segments(test, &iovec);
}

static void segments_bvec(struct kunit *test)
{
	check_segments(test, &bvec);
}

static void segments_bvec_far(struct kunit *test)
{
	check_segments(test, &bvec_far);
}

static void segments_kvec(struct kunit *test)
{
	check_segments(test, &kvec);
}

static void segments_kvec_vmap(struct kunit *test)
{
	check_segments(test, &kvec_vmap);
}

/* Every extraction twice, with a step back between them. */
static void check_revert(struct kunit *test, struct buf *buf,
			 const struct part *segs)
{
	struct limits limits = { 3 * P, 2 };
	struct iov_iter iter;
	struct cursor cur;

	make_iter(buf, segs, ITER_DEST, &iter);
	cursor_init(&cur, segs);
	while (iov_iter_count(&iter)) {
		size_t size = cursor_size(&cur, &limits);
		struct cursor again = cur;

		extract_once(test, buf, &iter, &cur, &limits, NULL);
		iov_iter_revert(&iter, size);
		extract_once(test, buf, &iter, &again, &limits, NULL);
	}
}

/* Start in the middle. */
static void check_advance(struct kunit *test, struct buf *buf,
			  const struct part *segs)
{
	static const size_t steps[] = { 1, 511, P - 1, P, P + 1, 3 * P + 7 };
	struct limits limits = { SIZE_MAX, 2 };
	struct iov_iter iter;
	struct cursor cur;
	int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		make_iter(buf, segs, ITER_SOURCE, &iter);
		if (iov_iter_count(&iter) < steps[i])
			continue;
		cursor_init(&cur, segs);
		iov_iter_advance(&iter, steps[i]);
		cursor_advance(&cur, steps[i]);
		extract_rest(test, buf, &iter, &cur, &limits, NULL);
	}
}

static void check_move(struct kunit *test, const struct buf_kind *kind)
{
	static const struct part single[] = { { P + 100, 9 * P + 1 }, END };
	struct buf *buf = make_buf(test, kind);

	check_revert(test, buf, single);
	check_advance(test, buf, single);
}

static void check_move_segments(struct kunit *test, const struct buf_kind *kind)
{
	struct buf *buf = make_buf(test, kind);
	int i;

	for (i = 0; i < ARRAY_SIZE(segments); i++) {
		check_revert(test, buf, segments[i]);
		check_advance(test, buf, segments[i]);
	}
}

static void move_ubuf(struct kunit *test)
{
	check_move(test, &ubuf);
}

static void move_iovec(struct kunit *test)
{
	check_move_segments(test, &iovec);
}

static void move_bvec(struct kunit *test)
{
	check_move_segments(test, &bvec);
}

static void move_kvec(struct kunit *test)
{
	check_move_segments(test, &kvec);
}

static void move_xarray(struct kunit *test)
{
	check_move(test, &xarray);
}

static void move_xarray_large(struct kunit *test)
{
	check_move(test, &xarray_large);
}

static const struct part whole[] = { { 0, BUF_PAGES * P }, END };

/* @ret, in place of pages; the iterator does not move, no array is left. */
static void expect_none(struct kunit *test, struct iov_iter *iter,
			const struct limits *limits,
			iov_iter_extraction_t flags, ssize_t ret)
{
	struct page *array[BUF_PAGES], **pages = array;
	size_t count = iov_iter_count(iter), offset;

	KUNIT_EXPECT_EQ(test, ret,
			iov_iter_extract_pages(iter, &pages, limits->maxsize,
					       limits->maxpages, flags,
					       &offset));
	KUNIT_EXPECT_PTR_EQ(test, pages, &array[0]);
	pages = NULL;
	KUNIT_EXPECT_EQ(test, ret,
			iov_iter_extract_pages(iter, &pages, limits->maxsize,
					       limits->maxpages, flags,
					       &offset));
	KUNIT_EXPECT_NULL(test, pages);
	KUNIT_EXPECT_EQ(test, iov_iter_count(iter), count);
}

static const struct limits no_limit = { SIZE_MAX, BUF_PAGES };

static void expect_error(struct kunit *test, struct iov_iter *iter, int error)
{
	expect_none(test, iter, &no_limit, 0, error);
}

/* The next extraction returns @size bytes. */
static void expect_size(struct kunit *test, struct iov_iter *iter, ssize_t size)
{
	struct page *array[BUF_PAGES], **pages = array;
	size_t offset;

	KUNIT_ASSERT_EQ(test, size,
			iov_iter_extract_pages(iter, &pages, SIZE_MAX,
					       BUF_PAGES, 0, &offset));
	if (iov_iter_extract_will_pin(iter))
		unpin_user_pages(pages, DIV_ROUND_UP(offset + size, P));
}

static void refuse_flags(struct kunit *test)
{
	struct iov_iter iter;
	int i, bit;

	for (i = 0; i < ARRAY_SIZE(every_kind); i++) {
		struct buf *buf = make_buf(test, every_kind[i]);

		make_iter(buf, whole, ITER_DEST, &iter);
		for (bit = 0; bit < 32; bit++)
			expect_none(test, &iter, &no_limit,
				    (__force iov_iter_extraction_t)BIT(bit),
				    -EINVAL);
		expect_held(test, buf, 0, 0);
	}
}

static void extract_nothing(struct kunit *test)
{
	static const struct limits no_size = { 0, BUF_PAGES };
	static const struct limits no_pages = { SIZE_MAX, 0 };
	struct iov_iter iter;
	int i;

	for (i = 0; i < ARRAY_SIZE(every_kind); i++) {
		struct buf *buf = make_buf(test, every_kind[i]);

		make_iter(buf, whole, ITER_DEST, &iter);
		expect_none(test, &iter, &no_size, 0, 0);
		expect_none(test, &iter, &no_pages, 0, 0);
		iov_iter_advance(&iter, BUF_PAGES * P);
		expect_none(test, &iter, &no_limit, 0, 0);
		expect_held(test, buf, 0, 0);
	}
}

static void will_pin(struct kunit *test)
{
	struct iov_iter iter;
	int i;

	for (i = 0; i < ARRAY_SIZE(every_kind); i++) {
		struct buf *buf = make_buf(test, every_kind[i]);

		make_iter(buf, whole, ITER_DEST, &iter);
		KUNIT_EXPECT_EQ(test, iov_iter_extract_will_pin(&iter),
				every_kind[i]->pins);
	}
}

/* What the counters of pins show. */
static void count_ubuf(struct kunit *test)
{
	struct buf *buf = make_buf(test, &ubuf);
	struct kunit_pins before, after;
	struct iov_iter iter;

	before = kunit_read_pins();
	make_iter(buf, whole, ITER_DEST, &iter);
	expect_size(test, &iter, BUF_PAGES * P);
	after = kunit_read_pins();
	KUNIT_EXPECT_EQ(test, after.acquired - before.acquired, BUF_PAGES);
	KUNIT_EXPECT_EQ(test, after.released - before.released, BUF_PAGES);
}

/* Every segment in a page has a pin of its own. */
static void pin_shared_page(struct kunit *test)
{
	static const struct part segs[] = { { 0, 512 }, { 512, P }, END };
	struct buf *buf = make_buf(test, &iovec);
	struct page *array[BUF_PAGES], **pages = array;
	struct iov_iter iter;
	size_t offset;
	int i;

	make_iter(buf, segs, ITER_DEST, &iter);
	for (i = 0; i < 2; i++, pages++)
		KUNIT_ASSERT_GT(test,
				iov_iter_extract_pages(&iter, &pages, P, 1, 0,
						       &offset), 0);
	KUNIT_EXPECT_EQ(test, kunit_page_pins(buf->pages[0]), 2);
	unpin_user_pages(array, 2);
	expect_held(test, buf, 0, 0);
}

static void user_iter(struct iov_iter *iter, unsigned int direction,
		      char __user *uaddr, size_t size)
{
	iov_iter_ubuf(iter, direction, uaddr, size);
}

/* A mapping that cannot be written, with pages in it. */
static char __user *map_read_only(struct kunit *test, unsigned int nr)
{
	char __user *uaddr = kunit_user_map(test, nr * P, PROT_READ, 0);
	struct page *pages[BUF_PAGES];

	KUNIT_ASSERT_EQ(test, nr,
			get_user_pages_unlocked((unsigned long)uaddr, nr, pages,
						FOLL_WRITE | FOLL_FORCE));
	release_pages(pages, nr);
	return uaddr;
}

static void direction_read_only(struct kunit *test)
{
	char __user *uaddr = map_read_only(test, 2);
	struct iov_iter iter;

	user_iter(&iter, ITER_DEST, uaddr, 2 * P);
	expect_error(test, &iter, -EFAULT);
	user_iter(&iter, ITER_SOURCE, uaddr, 2 * P);
	expect_size(test, &iter, 2 * P);
}

/* Memory that nobody wrote to: a source is the zero page, without a pin. */
static void zero_page_source(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, 3 * P, PROT_READ,
					    MAP_POPULATE);
	struct page *array[BUF_PAGES], **pages = array;
	struct kunit_pins before = kunit_read_pins();
	struct iov_iter iter;
	size_t offset;
	int i;

	user_iter(&iter, ITER_SOURCE, uaddr, 3 * P);
	KUNIT_ASSERT_EQ(test, 3 * P,
			iov_iter_extract_pages(&iter, &pages, SIZE_MAX,
					       BUF_PAGES, 0, &offset));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, is_zero_page(pages[i]));
	KUNIT_EXPECT_EQ(test, kunit_read_pins().acquired, before.acquired);
	unpin_user_pages(pages, 3);
	KUNIT_EXPECT_EQ(test, kunit_read_pins().released, before.released);
}

/* A destination gets a page of its own in place of the zero page. */
static void zero_page_dest(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, P, PROT_READ | PROT_WRITE, 0);
	struct iov_iter iter;

	KUNIT_ASSERT_TRUE(test, is_zero_page(kunit_user_page(test, uaddr)));
	user_iter(&iter, ITER_DEST, uaddr, P);
	expect_size(test, &iter, P);
	KUNIT_EXPECT_FALSE(test, is_zero_page(kunit_user_page(test, uaddr)));
}

static char __user *map_cut_off(struct kunit *test)
{
	char __user *uaddr = kunit_user_map_pages(test, 4);

	KUNIT_ASSERT_EQ(test, 0, vm_munmap((unsigned long)uaddr + 2 * P, 2 * P));
	return uaddr;
}

static void unmapped_ubuf(struct kunit *test)
{
	char __user *uaddr = map_cut_off(test);
	struct iov_iter iter;

	user_iter(&iter, ITER_DEST, uaddr + 100, 3 * P);
	expect_size(test, &iter, 2 * P - 100);
	expect_error(test, &iter, -EFAULT);
	user_iter(&iter, ITER_SOURCE, uaddr + 2 * P - 1, 2);
	expect_size(test, &iter, 1);
	expect_error(test, &iter, -EFAULT);
}

static void unmapped_iovec(struct kunit *test)
{
	char __user *uaddr = map_cut_off(test);
	struct iovec iov[] = {
		{ uaddr + P, 100 },
		{ uaddr + 3 * P, 0 },
		{ uaddr + 2 * P, P },
		{ uaddr, P },
	};
	struct iov_iter iter;

	iov_iter_init(&iter, ITER_DEST, iov, ARRAY_SIZE(iov), 2 * P + 100);
	expect_size(test, &iter, 100);
	expect_error(test, &iter, -EFAULT);
	iov_iter_advance(&iter, P);
	expect_size(test, &iter, P);
}

static void kvec_iter(struct iov_iter *iter, struct kvec *kv, void *addr,
		      size_t len)
{
	kv->iov_base = addr;
	kv->iov_len = len;
	iov_iter_kvec(iter, ITER_DEST, kv, 1, len);
}

/* Beyond a vmalloc area there is a hole. */
static void bad_kvec_vmap(struct kunit *test)
{
	struct buf *buf = make_buf(test, &kvec_vmap);
	struct iov_iter iter;
	struct kvec kv;

	kvec_iter(&iter, &kv, buf->addr + (BUF_PAGES - 2) * P + 100, 3 * P);
	expect_size(test, &iter, 2 * P - 100);
	expect_error(test, &iter, -EFAULT);
}

/* Addresses of a process, and of no page at all. */
static void bad_kvec_address(struct kunit *test)
{
	static const unsigned long bad[] = { 16, PAGE_SIZE, -PAGE_SIZE };
	struct iov_iter iter;
	struct kvec kv;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		kvec_iter(&iter, &kv, (void *)bad[i], 16);
		expect_error(test, &iter, -EFAULT);
	}
}

/* References on the pages of slab objects make no sense; none is taken. */
static void extract_kvec_slab(struct kunit *test)
{
	void *object = kunit_kzalloc(test, 100, GFP_KERNEL);
	struct page *array[1], **pages = array;
	struct iov_iter iter;
	struct kvec kv;
	size_t offset;
	int refs;

	KUNIT_ASSERT_NOT_NULL(test, object);
	refs = page_ref_count(virt_to_page(object));
	kvec_iter(&iter, &kv, object, 50);
	KUNIT_ASSERT_EQ(test, 50,
			iov_iter_extract_pages(&iter, &pages, SIZE_MAX, 1, 0,
					       &offset));
	KUNIT_EXPECT_EQ(test, offset, offset_in_page(object));
	KUNIT_EXPECT_PTR_EQ(test, pages[0], virt_to_page(object));
	KUNIT_EXPECT_EQ(test, page_ref_count(pages[0]), refs);
}

static void check_xarray_hole(struct kunit *test, void *entry)
{
	struct buf *buf = make_buf(test, &xarray);
	struct iov_iter iter;

	xa_store(&buf->xa, XA_FIRST + 4, entry, GFP_KERNEL);
	make_iter(buf, whole, ITER_DEST, &iter);
	iov_iter_advance(&iter, 100);
	expect_size(test, &iter, 4 * P - 100);
	expect_error(test, &iter, -EFAULT);
	iov_iter_advance(&iter, P);
	expect_size(test, &iter, (BUF_PAGES - 5) * P);
}

static void hole_xarray_null(struct kunit *test)
{
	check_xarray_hole(test, NULL);
}

static void hole_xarray_value(struct kunit *test)
{
	check_xarray_hole(test, xa_mk_value(1));
}

static void hole_xarray_reserved(struct kunit *test)
{
	check_xarray_hole(test, XA_ZERO_ENTRY);
}

/* Add references to a page, so that it is refused one more pin. */
static int fill_references(struct page *page)
{
	int refs = INT_MAX / 2 - page_ref_count(page);

	page_ref_add(page, refs);
	return refs;
}

static void refuse_too_many_pins(struct kunit *test)
{
	struct buf *buf = make_buf(test, &ubuf);
	int refs = fill_references(buf->pages[2]);
	struct iov_iter iter;

	make_iter(buf, whole, ITER_DEST, &iter);
	expect_size(test, &iter, 2 * P);
	expect_error(test, &iter, -ENOMEM);
	page_ref_sub(buf->pages[2], refs);
	expect_size(test, &iter, (BUF_PAGES - 2) * P);
	expect_held(test, buf, 0, 0);
}

/* Shared by fork: only a copy of the page's own can be pinned. */
static void check_shared(struct kunit *test, unsigned int direction)
{
	char __user *uaddr = kunit_user_map_pages(test, 1);
	struct page *shared = kunit_user_page(test, uaddr);
	struct iov_iter iter;

	kunit_user_fork(test);
	KUNIT_ASSERT_FALSE(test, PageAnonExclusive(shared));
	user_iter(&iter, direction, uaddr, P);
	expect_size(test, &iter, P);
	KUNIT_EXPECT_PTR_NE(test, kunit_user_page(test, uaddr), shared);
	KUNIT_EXPECT_EQ(test, kunit_page_pins(shared), 0);
}

static void shared_source(struct kunit *test)
{
	check_shared(test, ITER_SOURCE);
}

static void shared_dest(struct kunit *test)
{
	check_shared(test, ITER_DEST);
}

static void nofault_iter(struct iov_iter *iter, unsigned int direction,
			 char __user *uaddr, size_t size)
{
	user_iter(iter, direction, uaddr, size);
	iter->nofault = true;
}

/* Nothing is faulted in, and what is there is returned. */
static void nofault_absent(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, 3 * P, PROT_READ | PROT_WRITE,
					    0);
	struct iov_iter iter;

	nofault_iter(&iter, ITER_SOURCE, uaddr, 3 * P);
	expect_error(test, &iter, -EFAULT);
	nofault_iter(&iter, ITER_DEST, uaddr, 3 * P);
	expect_error(test, &iter, -EFAULT);

	KUNIT_ASSERT_EQ(test, put_user(1, uaddr), 0);
	expect_size(test, &iter, P);
	expect_error(test, &iter, -EFAULT);
	iter.nofault = false;
	expect_size(test, &iter, 2 * P);
}

/* Reading the page does not make it fit to be pinned. */
static void nofault_shared(struct kunit *test)
{
	char __user *uaddr = kunit_user_map_pages(test, 2);
	struct iov_iter iter;

	kunit_user_fork(test);
	nofault_iter(&iter, ITER_SOURCE, uaddr, 2 * P);
	expect_error(test, &iter, -EFAULT);
	KUNIT_EXPECT_EQ(test, fault_in_iov_iter_readable(&iter, P), 0);
	expect_error(test, &iter, -EFAULT);
	KUNIT_EXPECT_EQ(test, fault_in_iov_iter_pinnable(&iter, P), 0);
	expect_size(test, &iter, P);
	expect_error(test, &iter, -EFAULT);
}

static void fault_in_absent(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, 40 * P, PROT_READ, 0);
	struct page *array[40], **pages = array;
	struct iov_iter iter;
	size_t offset;

	nofault_iter(&iter, ITER_SOURCE, uaddr + 100, 39 * P);
	KUNIT_EXPECT_EQ(test, fault_in_iov_iter_pinnable(&iter, 39 * P), 0);
	KUNIT_EXPECT_EQ(test, 39 * P,
			iov_iter_extract_pages(&iter, &pages, SIZE_MAX, 40, 0,
					       &offset));
}

struct fault_in {
	size_t from;
	size_t size;
	size_t left;
};

/* Of four pages the last two are not there. */
static const struct fault_in fault_in_cut_off[] = {
	{ 0, 0, 0 },
	{ 0, 1, 0 },
	{ 0, 2 * P, 0 },
	{ 100, P, 0 },
	{ 2 * P - 1, 1, 0 },
	{ 0, 2 * P + 1, 1 },
	{ 2 * P - 1, 2, 1 },
	{ 100, 3 * P, P + 100 },
	{ 2 * P, 1, 1 },
	{ 2 * P + 100, P, P },
};

static void fault_in_ubuf(struct kunit *test)
{
	char __user *uaddr = map_cut_off(test);
	const struct fault_in *f = fault_in_cut_off;
	struct iov_iter iter;

	for (; f < fault_in_cut_off + ARRAY_SIZE(fault_in_cut_off); f++) {
		user_iter(&iter, ITER_SOURCE, uaddr + f->from, f->size);
		KUNIT_EXPECT_EQ(test, f->left,
				fault_in_iov_iter_pinnable(&iter, f->size));
	}
}

static void fault_in_iovec(struct kunit *test)
{
	char __user *uaddr = map_cut_off(test);
	const struct fault_in *f = fault_in_cut_off;
	struct iov_iter iter;

	for (; f < fault_in_cut_off + ARRAY_SIZE(fault_in_cut_off); f++) {
		struct iovec iov[] = {
			{ uaddr, 100 },
			{ uaddr + 3 * P, 0 },
			{ uaddr + f->from, f->size },
			{ uaddr + P, P },
		};

		iov_iter_init(&iter, ITER_SOURCE, iov, ARRAY_SIZE(iov),
			      100 + f->size + P);
		KUNIT_EXPECT_EQ(test, f->left ? f->left + P : 0,
				fault_in_iov_iter_pinnable(&iter,
							   100 + f->size + P));
	}
}

/* What cannot be pinned is still faulted in, to be copied. */
static void fault_in_unpinnable(struct kunit *test)
{
	char __user *uaddr = kunit_user_map(test, 2 * P, PROT_READ | PROT_WRITE,
					    0);
	struct vm_area_struct *vma;
	struct iov_iter iter;
	char byte;

	mmap_write_lock(current->mm);
	vma = find_vma(current->mm, (unsigned long)uaddr);
	if (vma)
		vma->vm_flags |= VM_IO;
	mmap_write_unlock(current->mm);

	user_iter(&iter, ITER_SOURCE, uaddr, 2 * P);
	expect_error(test, &iter, -EFAULT);
	KUNIT_EXPECT_EQ(test, fault_in_iov_iter_pinnable(&iter, 2 * P), 0);
	KUNIT_EXPECT_EQ(test, 0, copy_from_user_nofault(&byte, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, copy_from_user_nofault(&byte, uaddr + P, 1));
}

static void fault_in_kernel(struct kunit *test)
{
	struct iov_iter iter;
	int i;

	for (i = 0; i < ARRAY_SIZE(every_kind); i++) {
		struct buf *buf = make_buf(test, every_kind[i]);

		make_iter(buf, whole, ITER_SOURCE, &iter);
		KUNIT_EXPECT_EQ(test, fault_in_iov_iter_pinnable(&iter, P), 0);
		expect_held(test, buf, 0, 0);
	}
}

static struct kunit_case iov_iter_extract_cases[] = {
	KUNIT_CASE(extract_ubuf),
	KUNIT_CASE(extract_ubuf_huge),
	KUNIT_CASE(extract_iovec),
	KUNIT_CASE(extract_bvec),
	KUNIT_CASE(extract_bvec_far),
	KUNIT_CASE(extract_kvec),
	KUNIT_CASE(extract_kvec_vmap),
	KUNIT_CASE(extract_kvec_module),
	KUNIT_CASE(extract_kvec_image),
	KUNIT_CASE(extract_kvec_slab),
	KUNIT_CASE(extract_xarray),
	KUNIT_CASE(extract_xarray_large),
	KUNIT_CASE(segments_iovec),
	KUNIT_CASE(segments_bvec),
	KUNIT_CASE(segments_bvec_far),
	KUNIT_CASE(segments_kvec),
	KUNIT_CASE(segments_kvec_vmap),
	KUNIT_CASE(move_ubuf),
	KUNIT_CASE(move_iovec),
	KUNIT_CASE(move_bvec),
	KUNIT_CASE(move_kvec),
	KUNIT_CASE(move_xarray),
	KUNIT_CASE(move_xarray_large),
	KUNIT_CASE(extract_nothing),
	KUNIT_CASE(refuse_flags),
	KUNIT_CASE(refuse_too_many_pins),
	KUNIT_CASE(will_pin),
	KUNIT_CASE(count_ubuf),
	KUNIT_CASE(pin_shared_page),
	KUNIT_CASE(direction_read_only),
	KUNIT_CASE(zero_page_source),
	KUNIT_CASE(zero_page_dest),
	KUNIT_CASE(unmapped_ubuf),
	KUNIT_CASE(unmapped_iovec),
	KUNIT_CASE(bad_kvec_vmap),
	KUNIT_CASE(bad_kvec_address),
	KUNIT_CASE(hole_xarray_null),
	KUNIT_CASE(hole_xarray_value),
	KUNIT_CASE(hole_xarray_reserved),
	KUNIT_CASE(shared_source),
	KUNIT_CASE(shared_dest),
	KUNIT_CASE(nofault_absent),
	KUNIT_CASE(nofault_shared),
	KUNIT_CASE(fault_in_absent),
	KUNIT_CASE(fault_in_ubuf),
	KUNIT_CASE(fault_in_iovec),
	KUNIT_CASE(fault_in_unpinnable),
	KUNIT_CASE(fault_in_kernel),
	{}
};

static struct kunit_suite iov_iter_extract_suite = {
	.name		= "iov_iter_extract",
	.init		= kunit_user_mem_init,
	.exit		= kunit_user_mem_exit,
	.test_cases	= iov_iter_extract_cases,
};

kunit_test_suite(iov_iter_extract_suite);
