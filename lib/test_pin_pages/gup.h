/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page to be pinned, for the suite gup_pin.
 */
#ifndef _TEST_PIN_PAGES_GUP_H
#define _TEST_PIN_PAGES_GUP_H

#include "test.h"

#define SMALL_PAGES	8

/* @addr is NULL if the page is the kernel's own. */
struct pin_page {
	char __user *addr;
	struct page *page;
	struct page *head;
	/* What there was before the test. */
	int refs;
	unsigned int pins;
	struct pin_count count;
};

void pin_page_init(struct pin_page *p, struct page *page, char __user *addr);
void pin_page_small(struct pin_page *p);
void pin_page_large(struct pin_page *p);
void pin_page_hugetlb(struct pin_page *p);
void with_page(void (*init)(struct pin_page *p),
	       void (*check)(struct pin_page *p));

int pin_cost(const struct pin_page *p, int pins);
void expect_pins(const struct pin_page *p, unsigned int held, long acquired);

/* Each takes one pin, and returns 0 or an error. */
int pin_fast(struct pin_page *p);
int pin_slow(struct pin_page *p);
int pin_unlocked(struct pin_page *p);
int pin_remote(struct pin_page *p);
int pin_add(struct pin_page *p);

#endif /* _TEST_PIN_PAGES_GUP_H */
