/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bios, and memory of the kernel's own for them, for the suite bio_pages.
 */
#ifndef _TEST_PIN_PAGES_BIO_H
#define _TEST_PIN_PAGES_BIO_H

#include <linux/bio.h>
#include "test.h"

#define P		PAGE_SIZE
#define RUN_ORDER	3
#define RUN_PAGES	8

/* Freed when the case is over. */
struct bio *make_bio(unsigned short nr_vecs);

/* Pages next to each other: small ones, or one compound page. */
struct page *make_small(void);
struct page *make_large(void);
/* Nothing is held on them but what made them. */
void expect_free(struct page *first);

#endif /* _TEST_PIN_PAGES_BIO_H */
