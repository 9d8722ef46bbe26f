// SPDX-License-Identifier: GPL-2.0
/*
 * A pin is refused before the reference count of a page overflows.
 */
#include <linux/kernel.h>
#include "gup.h"

/* The page has been refused a pin: nothing about it has changed since. */
static void expect_refused(const struct pin_page *p, int refs,
			   const struct pin_count *count)
{
	struct pin_count now = read_pin_count();

	EXPECT_EQ(page_refs(p->page), refs);
	if (hpage_pincount_available(p->page))
		EXPECT_EQ(page_pins(p->page), p->pins);
	EXPECT_EQ(now.acquired, count->acquired);
	EXPECT_EQ(now.released, count->released);
}

/*
 * From both sides of the limit: with room for one pin it is taken, and the one
 * after it is refused.
 */
static void check_refuse(struct pin_page *p, int (*pin)(struct pin_page *p))
{
	int extra = leave_room(p->page, pin_cost(p, 1));
	struct pin_count count;

	EXPECT_EQ(pin(p), 0);
	EXPECT_EQ(page_refs(p->page), PIN_REF_LIMIT);
	EXPECT_EQ(pin(p), -ENOMEM);
	EXPECT_EQ(page_refs(p->page), PIN_REF_LIMIT);
	unpin_user_compound(p->page, 1);

	page_ref_inc(p->head);
	extra++;
	count = read_pin_count();
	EXPECT_EQ(pin(p), -ENOMEM);
	expect_refused(p, p->refs + extra, &count);

	page_ref_sub(p->head, extra);
	EXPECT_EQ(pin(p), 0);
	expect_pins(p, 1, 2);
	unpin_user_compound(p->page, 1);
	expect_pins(p, 0, 2);
}

static void check_refuse_fast(struct pin_page *p)
{
	check_refuse(p, pin_fast);
}

static void check_refuse_slow(struct pin_page *p)
{
	check_refuse(p, pin_slow);
}

static void refuse_fast_small(void)
{
	with_page(pin_page_small, check_refuse_fast);
}

static void refuse_fast_large(void)
{
	with_page(pin_page_large, check_refuse_fast);
}

static void refuse_fast_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_refuse_fast);
}

static void refuse_slow_small(void)
{
	with_page(pin_page_small, check_refuse_slow);
}

static void refuse_slow_large(void)
{
	with_page(pin_page_large, check_refuse_slow);
}

static void refuse_slow_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_refuse_slow);
}

/* page_add_pins() wants a page that is pinned: do so, and count from there. */
static void pin_first(struct pin_page *p)
{
	REQUIRE_EQ(pin_fast(p), 0);
	pin_page_init(p, p->page, p->addr);
}

static void check_refuse_add(struct pin_page *p)
{
	pin_first(p);
	check_refuse(p, pin_add);
	unpin_user_compound(p->page, 1);
}

static void refuse_add_small(void)
{
	with_page(pin_page_small, check_refuse_add);
}

static void refuse_add_large(void)
{
	with_page(pin_page_large, check_refuse_add);
}

/* All of the pins asked for, or none, however many they are. */
static void check_refuse_many(struct pin_page *p)
{
	static const unsigned int too_many[] = {
		5, 1 << 20, 1 << 21, 1 << 22, INT_MAX, 1U << 31, UINT_MAX,
	};
	int i, extra;

	pin_first(p);
	extra = leave_room(p->page, pin_cost(p, 4));
	for (i = 0; i < ARRAY_SIZE(too_many); i++)
		EXPECT_EQ(page_add_pins(p->page, too_many[i]), -ENOMEM);
	expect_refused(p, p->refs + extra, &p->count);

	EXPECT_EQ(page_add_pins(p->page, 4), 0);
	EXPECT_EQ(page_refs(p->page), PIN_REF_LIMIT);
	unpin_user_compound(p->page, 4);
	page_ref_sub(p->head, extra);
	expect_pins(p, 0, 4);
	unpin_user_compound(p->page, 1);
}

static void refuse_many_small(void)
{
	with_page(pin_page_small, check_refuse_many);
}

static void refuse_many_large(void)
{
	with_page(pin_page_large, check_refuse_many);
}

/* A range is pinned as far as it goes. */
static void check_refuse_rest(char __user *start, int expected)
{
	struct page *pages[SMALL_PAGES];
	int ret;

	ret = pin_user_pages_fast((unsigned long)start, SMALL_PAGES, FOLL_WRITE,
				  pages);
	EXPECT_EQ(ret, expected);
	if (ret > 0)
		unpin_user_pages(pages, ret);
}

static void refuse_rest_small(void)
{
	char __user *start = user_map_pages(SMALL_PAGES);
	char __user *addr = start + 3 * PAGE_SIZE;
	struct pin_page p;
	int extra;

	pin_page_init(&p, user_page(addr), addr);
	extra = leave_room(p.page, 0);
	check_refuse_rest(start, 3);
	page_ref_sub(p.head, extra);
	expect_pins(&p, 0, 3);
}

static void refuse_rest_large(void)
{
	struct pin_page p;
	int extra;

	pin_page_large(&p);
	extra = leave_room(p.page, 3);
	check_refuse_rest(p.addr, 3);
	page_ref_sub(p.head, extra);
	expect_pins(&p, 0, 3);
}

/* The other half of the count is for references, which are not refused. */
static void refuse_no_reference(void)
{
	struct pin_page p;
	struct page *page;
	int extra;

	pin_page_small(&p);
	extra = leave_room(p.page, 0);
	EXPECT_EQ(get_user_pages_fast((unsigned long)p.addr, 1, FOLL_WRITE,
				      &page), 1);
	EXPECT_EQ(page_refs(p.page), PIN_REF_LIMIT + 1);
	page_ref_sub(p.head, extra + 1);
	expect_pins(&p, 0, 0);
}

const struct test_case gup_limit_cases[] = {
	TEST_CASE(refuse_fast_small),
	TEST_CASE(refuse_fast_large),
	TEST_CASE(refuse_fast_hugetlb),
	TEST_CASE(refuse_slow_small),
	TEST_CASE(refuse_slow_large),
	TEST_CASE(refuse_slow_hugetlb),
	TEST_CASE(refuse_add_small),
	TEST_CASE(refuse_add_large),
	TEST_CASE(refuse_many_small),
	TEST_CASE(refuse_many_large),
	TEST_CASE(refuse_rest_small),
	TEST_CASE(refuse_rest_large),
	TEST_CASE(refuse_no_reference),
	{}
};
