/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User memory for KUnit tests, and what is needed to watch pins on it.
 */
#ifndef _KUNIT_USER_MEM_H
#define _KUNIT_USER_MEM_H

#include <kunit/test.h>
#include <linux/mm.h>

/**
 * struct kunit_pins - the counters of pins, as /proc/vmstat has them
 * @acquired: nr_foll_pin_acquired
 * @released: nr_foll_pin_released
 */
struct kunit_pins {
	long acquired;
	long released;
};

struct kunit_pins kunit_read_pins(void);

/* For the .init and .exit of a suite; between them test->priv is taken. */
int kunit_user_mem_init(struct kunit *test);
void kunit_user_mem_exit(struct kunit *test);
void kunit_user_mem_warned(struct kunit *test);

char __user *kunit_user_map(struct kunit *test, size_t size, int prot,
			    int flags);
char __user *kunit_user_map_pages(struct kunit *test, unsigned int nr);
char __user *kunit_user_map_huge(struct kunit *test);
struct page *kunit_user_page(struct kunit *test, const char __user *addr);
void kunit_user_fork(struct kunit *test);

void kunit_defer(struct kunit *test, void (*fn)(void *data), void *data);

/* How often a page is pinned: exact, as long as few references are on it. */
static inline unsigned int kunit_page_pins(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio))
		return atomic_read(folio_pincount_ptr(folio));
	return folio_ref_count(folio) / GUP_PIN_COUNTING_BIAS;
}

#endif /* _KUNIT_USER_MEM_H */
