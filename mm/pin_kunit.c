// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of pins: how they are counted, added and given back, and that
 * they are refused before a page's reference count overflows.
 */
#include <kunit/user_mem.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

/* GUP_PIN_REF_LIMIT of mm/gup.c: a pin must not bring references past it. */
#define REF_LIMIT	(INT_MAX / 2)

#define SMALL_PAGES	8

/* A page of user memory, and what there was on it before the test. */
struct pin_page {
	char __user *addr;
	struct page *page;
	struct folio *folio;
	int refs;
	unsigned int pins;
	struct kunit_pins count;
};

static void pin_page_init(struct kunit *test, struct pin_page *p,
			  char __user *addr)
{
	p->addr = addr;
	p->page = kunit_user_page(test, addr);
	p->folio = page_folio(p->page);
	p->refs = folio_ref_count(p->folio);
	p->pins = kunit_page_pins(p->page);
	p->count = kunit_read_pins();
}

static void pin_page_small(struct kunit *test, struct pin_page *p)
{
	pin_page_init(test, p, kunit_user_map_pages(test, SMALL_PAGES));
	KUNIT_ASSERT_FALSE(test, folio_test_large(p->folio));
}

/* Not the first page of the folio, whose counts are the folio's own. */
static void pin_page_large(struct kunit *test, struct pin_page *p)
{
	pin_page_init(test, p, kunit_user_map_huge(test) + 3 * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, folio_test_large(p->folio));
}

static void pin_page_zero(struct kunit *test, struct pin_page *p)
{
	pin_page_init(test, p, kunit_user_map(test, PAGE_SIZE, PROT_READ,
					      MAP_POPULATE));
	KUNIT_ASSERT_TRUE(test, is_zero_page(p->page));
}

#ifdef CONFIG_HUGETLB_PAGE
/* The pool of huge pages may be empty: allow for one more. */
static unsigned long map_hugetlb(size_t size)
{
	unsigned long addr;
	struct file *file;

	file = hugetlb_file_setup(HUGETLB_ANON_FILE, size, VM_NORESERVE,
				  HUGETLB_ANONHUGE_INODE, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);

	default_hstate.nr_overcommit_huge_pages++;
	addr = vm_mmap(file, 0, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_POPULATE, 0);
	default_hstate.nr_overcommit_huge_pages--;
	fput(file);
	return addr;
}

static void pin_page_hugetlb(struct kunit *test, struct pin_page *p)
{
	unsigned long addr = map_hugetlb(huge_page_size(&default_hstate));

	if (IS_ERR_VALUE(addr))
		kunit_skip(test, "no huge page to be had");
	pin_page_init(test, p, (char __user *)addr + 3 * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, folio_test_hugetlb(p->folio));
}
#else
static void pin_page_hugetlb(struct kunit *test, struct pin_page *p)
{
	kunit_skip(test, "no CONFIG_HUGETLB_PAGE");
}
#endif

static void with_page(struct kunit *test,
		      void (*init)(struct kunit *test, struct pin_page *p),
		      void (*check)(struct kunit *test, struct pin_page *p))
{
	struct pin_page p;

	init(test, &p);
	check(test, &p);
}

/* References that @pins pins of the page cost. */
static int pin_cost(const struct pin_page *p, int pins)
{
	return folio_test_large(p->folio) ? pins : pins * GUP_PIN_COUNTING_BIAS;
}

/* The page has @held pins more than at first, after @acquired were taken. */
static void expect_pins(struct kunit *test, const struct pin_page *p,
			unsigned int held, long acquired)
{
	struct kunit_pins now = kunit_read_pins();

	KUNIT_EXPECT_EQ(test, folio_ref_count(p->folio),
			p->refs + pin_cost(p, held));
	KUNIT_EXPECT_EQ(test, kunit_page_pins(p->page), p->pins + held);
	KUNIT_EXPECT_EQ(test, now.acquired - p->count.acquired, acquired);
	KUNIT_EXPECT_EQ(test, now.released - p->count.released,
			acquired - held);
}

static int pin_fast(struct pin_page *p)
{
	struct page *page;
	int ret;

	ret = pin_user_pages_fast((unsigned long)p->addr, 1, FOLL_WRITE, &page);
	return ret == 1 ? 0 : ret;
}

static int pin_slow(struct pin_page *p)
{
	struct page *page;
	long ret;

	mmap_read_lock(current->mm);
	ret = pin_user_pages((unsigned long)p->addr, 1, FOLL_WRITE, &page,
			     NULL);
	mmap_read_unlock(current->mm);
	return ret == 1 ? 0 : ret;
}

static int pin_add(struct pin_page *p)
{
	return folio_add_pins(p->folio, 1);
}

/* Adding pins, and giving them back one by one. */
static void check_add_pins(struct kunit *test, struct pin_page *p)
{
	int i;

	KUNIT_ASSERT_EQ(test, pin_fast(p), 0);
	expect_pins(test, p, 1, 1);
	KUNIT_ASSERT_EQ(test, folio_add_pins(p->folio, 1), 0);
	expect_pins(test, p, 2, 2);
	KUNIT_ASSERT_EQ(test, folio_add_pins(p->folio, 1000), 0);
	expect_pins(test, p, 1002, 1002);

	for (i = 0; i < 1002; i++)
		unpin_user_page(p->page);
	expect_pins(test, p, 0, 1002);
}

static void add_pins_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_add_pins);
}

static void add_pins_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_add_pins);
}

static void add_pins_hugetlb(struct kunit *test)
{
	with_page(test, pin_page_hugetlb, check_add_pins);
}

/*
 * The zero page is mapped all over the system, so its references are not for
 * the test to count; a thousand pins would show.
 */
static void add_pins_zero(struct kunit *test)
{
	struct kunit_pins now;
	struct pin_page p;

	pin_page_zero(test, &p);
	KUNIT_EXPECT_EQ(test, folio_add_pins(p.folio, 1000), 0);
	KUNIT_EXPECT_EQ(test, folio_add_pins(p.folio, UINT_MAX), 0);
	KUNIT_EXPECT_EQ(test, kunit_page_pins(p.page), p.pins);

	unpin_user_folio(p.folio, 1000);
	KUNIT_EXPECT_EQ(test, kunit_page_pins(p.page), p.pins);
	now = kunit_read_pins();
	KUNIT_EXPECT_EQ(test, now.acquired, p.count.acquired);
	KUNIT_EXPECT_EQ(test, now.released, p.count.released);
}

/* A page whose first pin is gone and whose second stays is still pinned. */
static void check_fork(struct kunit *test, struct pin_page *p)
{
	KUNIT_ASSERT_EQ(test, pin_fast(p), 0);
	KUNIT_ASSERT_EQ(test, folio_add_pins(p->folio, 1), 0);
	unpin_user_page(p->page);

	kunit_user_fork(test);
	KUNIT_EXPECT_TRUE(test, PageAnonExclusive(p->page));
	KUNIT_EXPECT_EQ(test, put_user(1, p->addr), 0);
	KUNIT_EXPECT_PTR_EQ(test, kunit_user_page(test, p->addr), p->page);

	unpin_user_page(p->page);
	kunit_user_fork(test);
	KUNIT_EXPECT_FALSE(test, PageAnonExclusive(p->page));
}

static void fork_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_fork);
}

static void fork_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_fork);
}

/* Giving many pins back in one step. */
static void check_unpin_folio(struct kunit *test, struct pin_page *p)
{
	KUNIT_ASSERT_EQ(test, pin_fast(p), 0);
	KUNIT_ASSERT_EQ(test, folio_add_pins(p->folio, 500), 0);
	unpin_user_folio(p->folio, 1);
	expect_pins(test, p, 500, 501);
	unpin_user_folio(p->folio, 499);
	expect_pins(test, p, 1, 501);
	unpin_user_page(p->page);
	expect_pins(test, p, 0, 501);
}

static void unpin_folio_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_unpin_folio);
}

static void unpin_folio_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_unpin_folio);
}

static void unpin_folio_hugetlb(struct kunit *test)
{
	with_page(test, pin_page_hugetlb, check_unpin_folio);
}

/* SMALL_PAGES pages of one folio, pinned page by page. */
static void pin_range_large(struct kunit *test, struct pin_page *p,
			    struct page **pages)
{
	int ret;

	pin_page_large(test, p);
	ret = pin_user_pages_fast((unsigned long)p->addr, SMALL_PAGES,
				  FOLL_WRITE, pages);
	KUNIT_ASSERT_EQ(test, ret, SMALL_PAGES);
	expect_pins(test, p, SMALL_PAGES, SMALL_PAGES);
}

static void unpin_folio_range(struct kunit *test)
{
	struct page *pages[SMALL_PAGES];
	struct pin_page p;

	pin_range_large(test, &p, pages);
	unpin_user_folio(p.folio, SMALL_PAGES);
	expect_pins(test, &p, 0, SMALL_PAGES);
}

/* The pins are what keeps the page, and all of them go. */
static void unpin_folio_last(struct kunit *test)
{
	struct pin_page p;

	pin_page_small(test, &p);
	KUNIT_ASSERT_EQ(test, pin_fast(&p), 0);
	KUNIT_ASSERT_EQ(test, folio_add_pins(p.folio, 6), 0);

	get_page(p.page);
	vm_munmap((unsigned long)p.addr, SMALL_PAGES * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kunit_page_pins(p.page), 7);
	unpin_user_folio(p.folio, 7);
	KUNIT_EXPECT_EQ(test, page_ref_count(p.page), 1);
	put_page(p.page);
}

/* Where nobody may sleep */
static unsigned long unpin_if_dirty(struct page **pages, unsigned long npages)
{
	unsigned long flags, left;

	local_irq_save(flags);
	left = unpin_user_pages_if_dirty(pages, npages);
	local_irq_restore(flags);
	return left;
}

/*
 * Pages in a row, of which those with a bit in @clean are cleaned while they are
 * pinned: these stay pinned, in their order, until they have been marked again.
 */
static void check_if_dirty(struct kunit *test, char __user *buf,
			   unsigned long clean)
{
	struct page *all[SMALL_PAGES], *pages[SMALL_PAGES];
	unsigned long left, nr = 0;
	int i, ret;

	ret = pin_user_pages_fast((unsigned long)buf, SMALL_PAGES, FOLL_WRITE,
				  all);
	KUNIT_ASSERT_EQ(test, ret, SMALL_PAGES);
	memcpy(pages, all, sizeof(pages));
	for (i = 0; i < SMALL_PAGES; i++) {
		set_page_dirty_lock(all[i]);
		if (clean & BIT(i))
			ClearPageDirty(all[i]);
	}

	left = unpin_if_dirty(pages, SMALL_PAGES);
	KUNIT_ASSERT_EQ(test, left, hweight_long(clean));
	for (i = 0; i < SMALL_PAGES; i++) {
		KUNIT_EXPECT_EQ(test, kunit_page_pins(all[i]),
				!!(clean & BIT(i)));
		if (clean & BIT(i))
			KUNIT_EXPECT_PTR_EQ(test, pages[nr++], all[i]);
	}

	unpin_user_pages_dirty_lock(pages, left, true);
	for (i = 0; i < SMALL_PAGES; i++) {
		KUNIT_EXPECT_TRUE(test, PageDirty(all[i]));
		KUNIT_EXPECT_EQ(test, kunit_page_pins(all[i]), 0);
	}
}

static void if_dirty_small(struct kunit *test)
{
	static const unsigned long clean[] = { 0x00, 0xff, 0x01, 0x80, 0x32 };
	char __user *buf = kunit_user_map_pages(test, SMALL_PAGES);
	struct pin_page p;
	int i;

	pin_page_init(test, &p, buf);
	for (i = 0; i < ARRAY_SIZE(clean); i++)
		check_if_dirty(test, buf, clean[i]);
	expect_pins(test, &p, 0, ARRAY_SIZE(clean) * SMALL_PAGES);
}

/* There is one flag for all pages of a folio: all go, or none. */
static void if_dirty_large(struct kunit *test)
{
	struct page *pages[SMALL_PAGES];
	struct pin_page p;

	pin_range_large(test, &p, pages);
	folio_clear_dirty(p.folio);
	KUNIT_EXPECT_EQ(test, unpin_if_dirty(pages, SMALL_PAGES), SMALL_PAGES);
	expect_pins(test, &p, SMALL_PAGES, SMALL_PAGES);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], p.page);

	set_page_dirty_lock(p.page);
	KUNIT_EXPECT_EQ(test, unpin_if_dirty(pages, SMALL_PAGES), 0);
	expect_pins(test, &p, 0, SMALL_PAGES);
}

/* Add references, so that @pins more pins bring the page just to the limit. */
static int leave_room(const struct pin_page *p, int pins)
{
	int refs;

	refs = REF_LIMIT - pin_cost(p, pins) - folio_ref_count(p->folio);
	folio_ref_add(p->folio, refs);
	return refs;
}

/* The page has been refused a pin: nothing about it has changed since. */
static void expect_refused(struct kunit *test, const struct pin_page *p,
			   int refs, const struct kunit_pins *count)
{
	struct kunit_pins now = kunit_read_pins();

	KUNIT_EXPECT_EQ(test, folio_ref_count(p->folio), refs);
	KUNIT_EXPECT_EQ(test, now.acquired, count->acquired);
	KUNIT_EXPECT_EQ(test, now.released, count->released);
	if (folio_test_large(p->folio))
		KUNIT_EXPECT_EQ(test, kunit_page_pins(p->page), p->pins);
}

/*
 * From both sides of the limit: with room for @room pins one is taken, and
 * the one after it is refused.
 */
static void check_refuse(struct kunit *test, struct pin_page *p, int room,
			 int (*pin)(struct pin_page *p))
{
	int extra = leave_room(p, room);
	int refs = p->refs + extra + pin_cost(p, 1);
	struct kunit_pins count;

	KUNIT_EXPECT_EQ(test, pin(p), 0);
	KUNIT_EXPECT_EQ(test, folio_ref_count(p->folio), refs);
	KUNIT_EXPECT_EQ(test, pin(p), -ENOMEM);
	KUNIT_EXPECT_EQ(test, folio_ref_count(p->folio), refs);
	unpin_user_folio(p->folio, 1);

	folio_ref_inc(p->folio);
	extra++;
	count = kunit_read_pins();
	KUNIT_EXPECT_EQ(test, pin(p), -ENOMEM);
	expect_refused(test, p, p->refs + extra, &count);

	folio_ref_sub(p->folio, extra);
	KUNIT_EXPECT_EQ(test, pin(p), 0);
	expect_pins(test, p, 1, 2);
	unpin_user_folio(p->folio, 1);
	expect_pins(test, p, 0, 2);
}

/*
 * For hugetlb both paths take the references of a pin before they ask for room
 * for it, so they stop one pin earlier.
 */
static int room_for_pin(const struct pin_page *p)
{
	return folio_test_hugetlb(p->folio) ? 2 : 1;
}

static void check_refuse_fast(struct kunit *test, struct pin_page *p)
{
	check_refuse(test, p, room_for_pin(p), pin_fast);
}

static void check_refuse_slow(struct kunit *test, struct pin_page *p)
{
	check_refuse(test, p, room_for_pin(p), pin_slow);
}

static void refuse_fast_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_refuse_fast);
}

static void refuse_fast_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_refuse_fast);
}

static void refuse_fast_hugetlb(struct kunit *test)
{
	with_page(test, pin_page_hugetlb, check_refuse_fast);
}

static void refuse_slow_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_refuse_slow);
}

static void refuse_slow_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_refuse_slow);
}

static void refuse_slow_hugetlb(struct kunit *test)
{
	with_page(test, pin_page_hugetlb, check_refuse_slow);
}

/* folio_add_pins() wants a page that is pinned: do so, and count from there. */
static void pin_first(struct kunit *test, struct pin_page *p)
{
	KUNIT_ASSERT_EQ(test, pin_fast(p), 0);
	p->refs = folio_ref_count(p->folio);
	p->pins = kunit_page_pins(p->page);
	p->count = kunit_read_pins();
}

static void check_refuse_add(struct kunit *test, struct pin_page *p)
{
	pin_first(test, p);
	check_refuse(test, p, 1, pin_add);
	unpin_user_folio(p->folio, 1);
}

static void refuse_add_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_refuse_add);
}

static void refuse_add_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_refuse_add);
}

/* All of the pins asked for, or none, however many they are. */
static void check_refuse_many(struct kunit *test, struct pin_page *p)
{
	static const unsigned int too_many[] = {
		5, 1 << 20, 1 << 21, 1 << 22, INT_MAX, 1U << 31, UINT_MAX,
	};
	int i, extra;

	pin_first(test, p);
	extra = leave_room(p, 4);
	for (i = 0; i < ARRAY_SIZE(too_many); i++)
		KUNIT_EXPECT_EQ(test, folio_add_pins(p->folio, too_many[i]),
				-ENOMEM);
	expect_refused(test, p, p->refs + extra, &p->count);

	KUNIT_EXPECT_EQ(test, folio_add_pins(p->folio, 4), 0);
	KUNIT_EXPECT_EQ(test, folio_ref_count(p->folio), REF_LIMIT);
	unpin_user_folio(p->folio, 4);
	folio_ref_sub(p->folio, extra);
	expect_pins(test, p, 0, 4);
	unpin_user_folio(p->folio, 1);
}

static void refuse_many_small(struct kunit *test)
{
	with_page(test, pin_page_small, check_refuse_many);
}

static void refuse_many_large(struct kunit *test)
{
	with_page(test, pin_page_large, check_refuse_many);
}

/* A range is pinned as far as it goes. */
static void check_refuse_rest(struct kunit *test, struct pin_page *p,
			      char __user *start, int expected)
{
	struct page *pages[SMALL_PAGES];
	int ret;

	ret = pin_user_pages_fast((unsigned long)start, SMALL_PAGES, FOLL_WRITE,
				  pages);
	KUNIT_EXPECT_EQ(test, ret, expected);
	if (ret > 0)
		unpin_user_pages(pages, ret);
}

static void refuse_rest_small(struct kunit *test)
{
	char __user *buf = kunit_user_map_pages(test, SMALL_PAGES);
	struct pin_page p;
	int extra;

	pin_page_init(test, &p, buf + 3 * PAGE_SIZE);
	extra = leave_room(&p, 0);
	check_refuse_rest(test, &p, buf, 3);
	folio_ref_sub(p.folio, extra);
	expect_pins(test, &p, 0, 3);
}

static void refuse_rest_large(struct kunit *test)
{
	struct pin_page p;
	int extra;

	pin_page_large(test, &p);
	extra = leave_room(&p, 3);
	check_refuse_rest(test, &p, p.addr, 3);
	folio_ref_sub(p.folio, extra);
	expect_pins(test, &p, 0, 3);
}

/* The fast path alone says that it got nothing. */
static void refuse_fast_only(struct kunit *test)
{
	unsigned long addr;
	struct page *page;
	struct pin_page p;
	int extra;

	pin_page_small(test, &p);
	addr = (unsigned long)p.addr;
	extra = leave_room(&p, 0);
	KUNIT_EXPECT_EQ(test, pin_user_pages_fast_only(addr, 1, FOLL_WRITE,
						       &page), 0);
	expect_refused(test, &p, p.refs + extra, &p.count);
	folio_ref_sub(p.folio, extra);
}

/* The other half of the count is for references, which are not refused. */
static void refuse_no_reference(struct kunit *test)
{
	unsigned long addr;
	struct page *page;
	struct pin_page p;
	int extra;

	pin_page_small(test, &p);
	addr = (unsigned long)p.addr;
	extra = leave_room(&p, 0);
	KUNIT_EXPECT_EQ(test, get_user_pages_fast(addr, 1, FOLL_WRITE, &page),
			1);
	KUNIT_EXPECT_EQ(test, folio_ref_count(p.folio), REF_LIMIT + 1);
	folio_ref_sub(p.folio, extra + 1);
}

static struct kunit_case pin_cases[] = {
	KUNIT_CASE(add_pins_small),
	KUNIT_CASE(add_pins_large),
	KUNIT_CASE(add_pins_hugetlb),
	KUNIT_CASE(add_pins_zero),
	KUNIT_CASE(fork_small),
	KUNIT_CASE(fork_large),
	KUNIT_CASE(unpin_folio_small),
	KUNIT_CASE(unpin_folio_large),
	KUNIT_CASE(unpin_folio_hugetlb),
	KUNIT_CASE(unpin_folio_range),
	KUNIT_CASE(unpin_folio_last),
	KUNIT_CASE(if_dirty_small),
	KUNIT_CASE(if_dirty_large),
	KUNIT_CASE(refuse_fast_small),
	KUNIT_CASE(refuse_fast_large),
	KUNIT_CASE(refuse_fast_hugetlb),
	KUNIT_CASE(refuse_slow_small),
	KUNIT_CASE(refuse_slow_large),
	KUNIT_CASE(refuse_slow_hugetlb),
	KUNIT_CASE(refuse_add_small),
	KUNIT_CASE(refuse_add_large),
	KUNIT_CASE(refuse_many_small),
	KUNIT_CASE(refuse_many_large),
	KUNIT_CASE(refuse_rest_small),
	KUNIT_CASE(refuse_rest_large),
	KUNIT_CASE(refuse_fast_only),
	KUNIT_CASE(refuse_no_reference),
	{}
};

static struct kunit_suite pin_suite = {
	.name		= "gup_pin",
	.init		= kunit_user_mem_init,
	.exit		= kunit_user_mem_exit,
	.test_cases	= pin_cases,
};

kunit_test_suite(pin_suite);
