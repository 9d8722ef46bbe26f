// SPDX-License-Identifier: GPL-2.0
/*
 * iov_iter_extract_pages() on every kind of memory, with all classes of offsets
 * and lengths.
 *
 * ITER_PIPE and ITER_DISCARD are not here: they are refused with a warning.
 */
#include <linux/kernel.h>
#include "iov_buf.h"

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

static void expect_pages(struct buf *buf, struct page **pages,
			 unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		EXPECT(pages[i] == buf->pages[first + i]);
	expect_held(buf, first, nr);
}

/* Extract once, into @array or an allocated one, and give everything back. */
static void extract_once(struct buf *buf, struct iov_iter *iter,
			 struct cursor *cur, const struct limits *limits,
			 struct page **array)
{
	size_t want = cursor_size(cur, limits), offset = SIZE_MAX;
	size_t count = iov_iter_count(iter);
	struct page **pages = array;
	unsigned int nr;
	ssize_t size;

	size = iov_iter_extract_pages(iter, &pages, limits->maxsize,
				      limits->maxpages, 0, &offset);
	REQUIRE_EQ(size, want);
	REQUIRE_EQ(offset, cur->pos % P);
	EXPECT_EQ(count - iov_iter_count(iter), want);
	REQUIRE(pages);

	nr = DIV_ROUND_UP(offset + size, P);
	expect_pages(buf, pages, cur->pos / P, nr);
	if (iov_iter_extract_will_pin(iter))
		unpin_user_pages(pages, nr);
	expect_held(buf, 0, 0);

	if (array)
		EXPECT(pages == array);
	else
		kvfree(pages);
	cursor_advance(cur, want);
}

/* Extract all that is left in @iter. */
static void extract_rest(struct buf *buf, struct iov_iter *iter,
			 struct cursor *cur, const struct limits *limits,
			 struct page **array)
{
	while (iov_iter_count(iter))
		extract_once(buf, iter, cur, limits, array);
	EXPECT_EQ(cur->seg->from, SIZE_MAX);
}

static void extract_segs(struct buf *buf, const struct part *segs,
			 unsigned int direction, const struct limits *limits,
			 struct page **array)
{
	struct iov_iter iter;
	struct cursor cur;

	make_iter(buf, segs, direction, &iter);
	cursor_init(&cur, segs);
	extract_rest(buf, &iter, &cur, limits, array);
}

static void extract_limits(struct buf *buf, const struct part *segs)
{
	struct page *array[BUF_PAGES + 1];
	const struct limits *limits;

	for (limits = every_limit; limits->maxpages; limits++) {
		extract_segs(buf, segs, READ, limits, array);
		extract_segs(buf, segs, READ, limits, NULL);
		extract_segs(buf, segs, WRITE, limits, array);
		extract_segs(buf, segs, WRITE, limits, NULL);
	}
}

static void check_extract(const struct buf_kind *kind)
{
	struct buf *buf = make_buf(kind);
	struct part segs[] = { END, END };
	const struct part *part;

	for (part = every_part; part->from != SIZE_MAX; part++) {
		segs[0] = *part;
		extract_limits(buf, segs);
	}
}

static void extract_user(void)
{
	check_extract(&user_small);
}

static void extract_user_huge(void)
{
	check_extract(&user_huge);
}

static void extract_bvec(void)
{
	check_extract(&bvec_page);
}

static void extract_bvec_far(void)
{
	check_extract(&bvec_far);
}

static void extract_kvec(void)
{
	check_extract(&kvec_linear);
}

static void extract_kvec_vmap(void)
{
	check_extract(&kvec_vmap);
}

static void extract_kvec_module(void)
{
	check_extract(&kvec_module);
}

static void extract_kvec_image(void)
{
	check_extract(&kvec_image);
}

static void check_segments(const struct buf_kind *kind)
{
	struct buf *buf = make_buf(kind);
	int i;

	for (i = 0; i < ARRAY_SIZE(segments); i++)
		extract_limits(buf, segments[i]);
}

static void segments_user(void)
{
	check_segments(&user_small);
}

static void segments_bvec(void)
{
	check_segments(&bvec_page);
}

static void segments_bvec_far(void)
{
	check_segments(&bvec_far);
}

static void segments_kvec(void)
{
	check_segments(&kvec_linear);
}

static void segments_kvec_vmap(void)
{
	check_segments(&kvec_vmap);
}

/* Every extraction twice, with a step back between them. */
static void check_revert(struct buf *buf, const struct part *segs)
{
	struct limits limits = { 3 * P, 2 };
	struct iov_iter iter;
	struct cursor cur;

	make_iter(buf, segs, READ, &iter);
	cursor_init(&cur, segs);
	while (iov_iter_count(&iter)) {
		size_t size = cursor_size(&cur, &limits);
		struct cursor again = cur;

		extract_once(buf, &iter, &cur, &limits, NULL);
		iov_iter_revert(&iter, size);
		extract_once(buf, &iter, &again, &limits, NULL);
	}
}

/* Start in the middle. */
static void check_advance(struct buf *buf, const struct part *segs)
{
	static const size_t steps[] = { 1, 511, P - 1, P, P + 1, 3 * P + 7 };
	struct limits limits = { SIZE_MAX, 2 };
	struct iov_iter iter;
	struct cursor cur;
	int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		make_iter(buf, segs, WRITE, &iter);
		if (iov_iter_count(&iter) < steps[i])
			continue;
		cursor_init(&cur, segs);
		iov_iter_advance(&iter, steps[i]);
		cursor_advance(&cur, steps[i]);
		extract_rest(buf, &iter, &cur, &limits, NULL);
	}
}

static void check_move(const struct buf_kind *kind)
{
	struct buf *buf = make_buf(kind);
	int i;

	for (i = 0; i < ARRAY_SIZE(segments); i++) {
		check_revert(buf, segments[i]);
		check_advance(buf, segments[i]);
	}
}

static void move_user(void)
{
	check_move(&user_small);
}

static void move_bvec(void)
{
	check_move(&bvec_page);
}

static void move_kvec(void)
{
	check_move(&kvec_linear);
}

const struct test_case extract_cases[] = {
	TEST_CASE(extract_user),
	TEST_CASE(extract_user_huge),
	TEST_CASE(extract_bvec),
	TEST_CASE(extract_bvec_far),
	TEST_CASE(extract_kvec),
	TEST_CASE(extract_kvec_vmap),
	TEST_CASE(extract_kvec_module),
	TEST_CASE(extract_kvec_image),
	TEST_CASE(segments_user),
	TEST_CASE(segments_bvec),
	TEST_CASE(segments_bvec_far),
	TEST_CASE(segments_kvec),
	TEST_CASE(segments_kvec_vmap),
	TEST_CASE(move_user),
	TEST_CASE(move_bvec),
	TEST_CASE(move_kvec),
	{}
};
