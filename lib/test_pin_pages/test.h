/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of pins are written in. One case runs at a time, in a thread
 * and an address space of its own.
 */
#ifndef _TEST_PIN_PAGES_H
#define _TEST_PIN_PAGES_H

#include <linux/mm.h>
#include <linux/types.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

#define TEST_CASE(fn)	{ #fn, fn }

/* Each array ends with an empty case. */
extern const struct test_case gup_count_cases[];
extern const struct test_case gup_limit_cases[];
extern const struct test_case extract_cases[];
extern const struct test_case extract_edge_cases[];
extern const struct test_case bio_release_cases[];
extern const struct test_case bio_user_cases[];

/*
 * A case goes on after an EXPECT that fails, but not after a REQUIRE. They
 * return what they found.
 */
#define EXPECT(cond)	test_expect(cond, __FILE__, __LINE__, #cond)
#define EXPECT_EQ(a, b) \
	test_expect_eq(a, b, __FILE__, __LINE__, #a " == " #b)
#define REQUIRE(cond)	test_require(EXPECT(cond))
#define REQUIRE_EQ(a, b) test_require(EXPECT_EQ(a, b))

bool test_expect(bool ok, const char *file, int line, const char *what);
bool test_expect_eq(long long a, long long b, const char *file, int line,
		    const char *what);
void test_require(bool ok);
void __noreturn test_skip(const char *reason);

/* Call @fn when the case is over, however it ends: last in, first out. */
void test_defer(void (*fn)(void *data), void *data);
/* Zeroed, and freed when the case is over. */
void *test_alloc(size_t size);

/* nr_foll_pin_acquired and nr_foll_pin_released */
struct pin_count {
	long acquired;
	long released;
};

/* GUP_PIN_REF_LIMIT of mm/gup.c: a pin must not bring references past it. */
#define PIN_REF_LIMIT	(INT_MAX / 2)

struct pin_count read_pin_count(void);
unsigned int page_pins(struct page *page);
int page_refs(struct page *page);
int leave_room(struct page *page, int refs);

void user_mem_attach(void);
void user_mem_detach(void);

char __user *user_map(size_t size, unsigned long prot, unsigned long flags);
char __user *user_map_pages(unsigned int nr);
char __user *user_map_huge(void);
char __user *user_map_zero(unsigned int nr);
struct page *user_page(char __user *addr);
void user_fork(void);

#endif /* _TEST_PIN_PAGES_H */
