// SPDX-License-Identifier: GPL-2.0
/*
 * How pins are counted, added and given back, and what fork() makes of them.
 */
#include <linux/memremap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "gup.h"

static void free_page_head(void *page)
{
	put_page(page);
}

/* A page of the kernel's own. */
static void pin_page_order(struct pin_page *p, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

	REQUIRE(page);
	test_defer(free_page_head, page);
	pin_page_init(p, page + (1 << order) - 1, NULL);
}

/* 1024 references with each pin, or one and an exact count. */
static void check_count_order(unsigned int order, int refs)
{
	struct pin_page p;

	pin_page_order(&p, order);
	REQUIRE(try_grab_page(p.page, FOLL_PIN));
	EXPECT_EQ(page_ref_count(p.head), 1 + refs);
	expect_pins(&p, 1, 1);
	REQUIRE(try_grab_page(p.head, FOLL_PIN));
	EXPECT_EQ(page_ref_count(p.head), 1 + 2 * refs);
	expect_pins(&p, 2, 2);
	unpin_user_page(p.page);
	expect_pins(&p, 1, 2);
	unpin_user_page(p.head);
	expect_pins(&p, 0, 2);
}

static void count_order_0(void)
{
	check_count_order(0, GUP_PIN_COUNTING_BIAS);
}

static void count_order_1(void)
{
	check_count_order(1, GUP_PIN_COUNTING_BIAS);
}

static void count_order_2(void)
{
	check_count_order(2, 1);
}

static void count_order_4(void)
{
	check_count_order(4, 1);
}

/* The exact count is in the second tail page, and starts from nothing. */
static void count_second_tail(void)
{
	struct pin_page p;
	atomic_t *count;

	pin_page_order(&p, 2);
	count = &p.head[2].hpage_pinned_refcount;
	EXPECT(compound_pincount_ptr(p.head) == count);
	EXPECT_EQ(atomic_read(count), 0);
	REQUIRE(try_grab_page(p.head, FOLL_PIN));
	EXPECT_EQ(atomic_read(count), 1);
	unpin_user_page(p.head);
}

/* References alone: only thousands of them make a small page look pinned. */
static void count_references(void)
{
	struct pin_page p;

	pin_page_order(&p, 0);
	page_ref_add(p.head, GUP_PIN_COUNTING_BIAS - 2);
	EXPECT(!page_maybe_dma_pinned(p.page));
	get_page(p.page);
	EXPECT(page_maybe_dma_pinned(p.page));
	page_ref_sub(p.head, GUP_PIN_COUNTING_BIAS - 1);

	pin_page_order(&p, 2);
	page_ref_add(p.head, 5 * GUP_PIN_COUNTING_BIAS);
	EXPECT(!page_maybe_dma_pinned(p.page));
	page_ref_sub(p.head, 5 * GUP_PIN_COUNTING_BIAS);
}

/* Neither of the flags: nothing is taken. FOLL_GET: no pin. */
static void count_grab_flags(void)
{
	struct pin_page p;

	pin_page_order(&p, 0);
	EXPECT(try_grab_page(p.page, FOLL_WRITE));
	expect_pins(&p, 0, 0);
	EXPECT(try_grab_page(p.page, FOLL_GET));
	EXPECT_EQ(page_refs(p.page), p.refs + 1);
	put_page(p.page);
	expect_pins(&p, 0, 0);
}

/* Every way to pin a page of a process. */
static void check_pin_user(struct pin_page *p)
{
	int (*const pin[])(struct pin_page *p) = {
		pin_fast, pin_slow, pin_unlocked, pin_remote,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(pin); i++) {
		EXPECT_EQ(pin[i](p), 0);
		expect_pins(p, 1, i + 1);
		unpin_user_page(p->page);
		expect_pins(p, 0, i + 1);
	}
	EXPECT(current->mm->has_pinned);
}

static void pin_user_small(void)
{
	with_page(pin_page_small, check_pin_user);
}

static void pin_user_large(void)
{
	with_page(pin_page_large, check_pin_user);
}

static void pin_user_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_pin_user);
}

/* Plain references stay what they are. */
static void get_user_takes_no_pin(void)
{
	struct pin_page p;
	struct page *page;

	pin_page_small(&p);
	REQUIRE_EQ(get_user_pages_fast((unsigned long)p.addr, 1, FOLL_WRITE,
				       &page), 1);
	EXPECT_EQ(page_refs(page), p.refs + 1);
	EXPECT(!current->mm->has_pinned);
	put_page(page);
	expect_pins(&p, 0, 0);
}

/*
 * The zero page is mapped all over the system, so its references are not for
 * the test to count; a thousand pins would show.
 */
static void zero_page_takes_no_pin(void)
{
	struct pin_page p;

	pin_page_init(&p, ZERO_PAGE(0), user_map_zero(1));
	REQUIRE(user_page(p.addr) == p.page);
	EXPECT_EQ(pin_fast(&p), -EFAULT);	/* not for writing */
	EXPECT_EQ(pin_user_pages_fast((unsigned long)p.addr, 1, 0, &p.page), 1);
	EXPECT(p.page == ZERO_PAGE(0));
	EXPECT(try_grab_page(p.page, FOLL_PIN));
	EXPECT_EQ(page_add_pins(p.page, 1000), 0);
	EXPECT_EQ(page_add_pins(p.page, UINT_MAX), 0);
	EXPECT_EQ(page_pins(p.page), p.pins);

	unpin_user_compound(p.page, 1000);
	unpin_user_page(p.page);
	unpin_user_pages(&p.page, 1);
	unpin_user_pages_dirty_lock(&p.page, 1, false);
	EXPECT_EQ(page_pins(p.page), p.pins);
	EXPECT_EQ(read_pin_count().acquired, p.count.acquired);
	EXPECT_EQ(read_pin_count().released, p.count.released);
}

/* Adding pins, and giving them back one by one. */
static void check_add_pins(struct pin_page *p)
{
	int i;

	REQUIRE_EQ(pin_fast(p), 0);
	REQUIRE_EQ(page_add_pins(p->page, 1), 0);
	expect_pins(p, 2, 2);
	REQUIRE_EQ(page_add_pins(p->page, 1000), 0);
	expect_pins(p, 1002, 1002);

	for (i = 0; i < 1002; i++)
		unpin_user_page(p->page);
	expect_pins(p, 0, 1002);
}

static void add_pins_small(void)
{
	with_page(pin_page_small, check_add_pins);
}

static void add_pins_large(void)
{
	with_page(pin_page_large, check_add_pins);
}

static void add_pins_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_add_pins);
}

/* Giving many pins back in one step. */
static void check_unpin_compound(struct pin_page *p)
{
	REQUIRE_EQ(pin_fast(p), 0);
	REQUIRE_EQ(page_add_pins(p->page, 500), 0);
	unpin_user_compound(p->page, 1);
	expect_pins(p, 500, 501);
	unpin_user_compound(p->page, 499);
	expect_pins(p, 1, 501);
	unpin_user_page(p->page);
	expect_pins(p, 0, 501);
}

static void unpin_compound_small(void)
{
	with_page(pin_page_small, check_unpin_compound);
}

static void unpin_compound_large(void)
{
	with_page(pin_page_large, check_unpin_compound);
}

static void unpin_compound_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_unpin_compound);
}

/* The pins are what keeps the page, and all of them go. */
static void unpin_last(void)
{
	struct pin_page p;

	pin_page_small(&p);
	REQUIRE_EQ(pin_fast(&p), 0);
	REQUIRE_EQ(page_add_pins(p.page, 6), 0);

	get_page(p.page);
	vm_munmap((unsigned long)p.addr, SMALL_PAGES * PAGE_SIZE);
	EXPECT_EQ(page_pins(p.page), 7);
	unpin_user_compound(p.page, 7);
	EXPECT_EQ(page_ref_count(p.page), 1);
	put_page(p.page);
}

/* An array of small pages, with a huge page between them. */
static void unpin_pages(void)
{
	struct page *pages[3 * SMALL_PAGES];
	struct pin_page small, large;

	pin_page_small(&small);
	pin_page_large(&large);
	pages[0] = small.page;
	REQUIRE_EQ(pin_fast(&small), 0);
	REQUIRE_EQ(pin_user_pages_fast((unsigned long)large.addr, SMALL_PAGES,
				       FOLL_WRITE, pages + 1), SMALL_PAGES);
	REQUIRE_EQ(pin_user_pages_fast((unsigned long)small.addr, SMALL_PAGES,
				       FOLL_WRITE, pages + 1 + SMALL_PAGES),
		   SMALL_PAGES);
	EXPECT_EQ(page_pins(small.page), 2);
	EXPECT_EQ(page_pins(large.page), SMALL_PAGES);

	unpin_user_pages(pages, 1 + 2 * SMALL_PAGES);
	expect_pins(&small, 0, 1 + 2 * SMALL_PAGES);
	expect_pins(&large, 0, 1 + 2 * SMALL_PAGES);
}

static void check_unpin_dirty(struct pin_page *p)
{
	struct page *pages[2] = { p->page, p->page };

	ClearPageDirty(p->head);
	REQUIRE_EQ(pin_fast(p), 0);
	REQUIRE_EQ(pin_fast(p), 0);
	unpin_user_pages_dirty_lock(pages, 1, false);
	expect_pins(p, 1, 2);
	EXPECT(!PageDirty(p->head));
	unpin_user_pages_dirty_lock(pages, 1, true);
	expect_pins(p, 0, 2);
	EXPECT(PageDirty(p->head));

	REQUIRE_EQ(pin_fast(p), 0);
	REQUIRE_EQ(pin_fast(p), 0);
	unpin_user_pages_dirty_lock(pages, 2, true);
	expect_pins(p, 0, 4);
}

static void unpin_dirty_small(void)
{
	with_page(pin_page_small, check_unpin_dirty);
}

static void unpin_dirty_large(void)
{
	with_page(pin_page_large, check_unpin_dirty);
}

/* A page whose first pin is gone and whose second stays is still pinned. */
static void check_fork(struct pin_page *p)
{
	REQUIRE_EQ(pin_fast(p), 0);
	REQUIRE_EQ(page_add_pins(p->page, 1), 0);
	unpin_user_page(p->page);

	user_fork();
	EXPECT_EQ(page_mapcount(p->page), 1);
	EXPECT_EQ(put_user(1, p->addr), 0);
	EXPECT(user_page(p->addr) == p->page);

	unpin_user_page(p->page);
	user_fork();
	EXPECT_EQ(page_mapcount(p->page), 2);
	EXPECT_EQ(put_user(2, p->addr), 0);
	EXPECT(user_page(p->addr) != p->page);
}

static void fork_small(void)
{
	with_page(pin_page_small, check_fork);
}

static void fork_large(void)
{
	with_page(pin_page_large, check_fork);
}

static void fork_hugetlb(void)
{
	with_page(pin_page_hugetlb, check_fork);
}

/* A pin for reading makes the process leave a page that it shares, too. */
static void pin_shared_for_reading(void)
{
	struct pin_page p;
	struct page *page;

	pin_page_small(&p);
	user_fork();
	EXPECT_EQ(page_mapcount(p.page), 2);
	REQUIRE_EQ(pin_user_pages_fast((unsigned long)p.addr, 1, 0, &page), 1);
	EXPECT(page != p.page);
	EXPECT(user_page(p.addr) == page);
	EXPECT_EQ(page_pins(p.page), 0);
	EXPECT_EQ(page_pins(page), 1);
	unpin_user_page(page);
}

#ifdef CONFIG_DEVICE_PRIVATE
static unsigned int device_pages_freed;

static void device_page_free(struct page *page)
{
	device_pages_freed++;
}

static vm_fault_t device_page_migrate(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct dev_pagemap_ops device_ops = {
	.page_free = device_page_free,
	.migrate_to_ram = device_page_migrate,
};

static void free_device_pages(void *data)
{
	struct dev_pagemap *pgmap = data;

	/* It would wait for ever for a pin that was lost. */
	set_page_count(pfn_to_page(PHYS_PFN(pgmap->res.start)), 1);
	memunmap_pages(pgmap);
	release_mem_region(pgmap->res.start, resource_size(&pgmap->res));
}

static struct page *alloc_device_page(void)
{
	struct dev_pagemap *pgmap = test_alloc(sizeof(*pgmap));
	struct resource *res;

	res = request_free_mem_region(&iomem_resource, 1UL << PA_SECTION_SHIFT,
				      "test_pin_pages");
	REQUIRE(!IS_ERR(res));
	pgmap->type = MEMORY_DEVICE_PRIVATE;
	pgmap->res = *res;
	pgmap->ops = &device_ops;
	REQUIRE(!IS_ERR(memremap_pages(pgmap, NUMA_NO_NODE)));
	test_defer(free_device_pages, pgmap);
	return pfn_to_page(PHYS_PFN(res->start));
}

/* Its owner is told when all pins are gone, in however few steps. */
static void unpin_device_page(void)
{
	struct pin_page p;

	pin_page_init(&p, alloc_device_page(), NULL);
	device_pages_freed = 0;
	REQUIRE(try_grab_page(p.page, FOLL_PIN));
	REQUIRE_EQ(page_add_pins(p.page, 9), 0);
	expect_pins(&p, 10, 10);
	unpin_user_page(p.page);
	unpin_user_compound(p.page, 8);
	expect_pins(&p, 1, 10);
	EXPECT_EQ(device_pages_freed, 0);
	unpin_user_page(p.page);
	expect_pins(&p, 0, 10);
	EXPECT_EQ(device_pages_freed, 1);
}
#else
static void unpin_device_page(void)
{
	test_skip("no CONFIG_DEVICE_PRIVATE");
}
#endif

const struct test_case gup_count_cases[] = {
	TEST_CASE(count_order_0),
	TEST_CASE(count_order_1),
	TEST_CASE(count_order_2),
	TEST_CASE(count_order_4),
	TEST_CASE(count_second_tail),
	TEST_CASE(count_references),
	TEST_CASE(count_grab_flags),
	TEST_CASE(pin_user_small),
	TEST_CASE(pin_user_large),
	TEST_CASE(pin_user_hugetlb),
	TEST_CASE(get_user_takes_no_pin),
	TEST_CASE(zero_page_takes_no_pin),
	TEST_CASE(add_pins_small),
	TEST_CASE(add_pins_large),
	TEST_CASE(add_pins_hugetlb),
	TEST_CASE(unpin_compound_small),
	TEST_CASE(unpin_compound_large),
	TEST_CASE(unpin_compound_hugetlb),
	TEST_CASE(unpin_last),
	TEST_CASE(unpin_pages),
	TEST_CASE(unpin_dirty_small),
	TEST_CASE(unpin_dirty_large),
	TEST_CASE(fork_small),
	TEST_CASE(fork_large),
	TEST_CASE(fork_hugetlb),
	TEST_CASE(pin_shared_for_reading),
	TEST_CASE(unpin_device_page),
	{}
};
