// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of every kind, and every way to pin one of them.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include "gup.h"

void pin_page_init(struct pin_page *p, struct page *page, char __user *addr)
{
	p->addr = addr;
	p->page = page;
	p->head = compound_head(page);
	p->refs = page_refs(page);
	p->pins = page_pins(page);
	p->count = read_pin_count();
}

void pin_page_small(struct pin_page *p)
{
	char __user *addr = user_map_pages(SMALL_PAGES);

	pin_page_init(p, user_page(addr), addr);
	REQUIRE(!PageCompound(p->page));
}

/* Not the first page, as all of them share the counts. */
void pin_page_large(struct pin_page *p)
{
	char __user *addr = user_map_huge() + 3 * PAGE_SIZE;

	pin_page_init(p, user_page(addr), addr);
	REQUIRE(PageTail(p->page));
}

#ifdef CONFIG_HUGETLB_PAGE
/* The pool of huge pages may be empty: allow for some, also for children. */
#define EXTRA_HUGE_PAGES	3

static void restore_overcommit(void *unused)
{
	default_hstate.nr_overcommit_huge_pages -= EXTRA_HUGE_PAGES;
}

void pin_page_hugetlb(struct pin_page *p)
{
	struct user_struct *user = NULL;
	struct file *file;
	unsigned long addr;

	file = hugetlb_file_setup(HUGETLB_ANON_FILE,
				  huge_page_size(&default_hstate), VM_NORESERVE,
				  &user, HUGETLB_ANONHUGE_INODE, 0);
	if (IS_ERR(file))
		test_skip("no hugetlb");

	default_hstate.nr_overcommit_huge_pages += EXTRA_HUGE_PAGES;
	test_defer(restore_overcommit, NULL);
	addr = vm_mmap(file, 0, huge_page_size(&default_hstate),
		       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, 0);
	fput(file);
	if (IS_ERR_VALUE(addr))
		test_skip("no huge page to be had");

	addr += 3 * PAGE_SIZE;
	pin_page_init(p, user_page((char __user *)addr), (char __user *)addr);
	REQUIRE(PageHuge(p->page));
}
#else
void pin_page_hugetlb(struct pin_page *p)
{
	test_skip("no CONFIG_HUGETLB_PAGE");
}
#endif

void with_page(void (*init)(struct pin_page *p),
	       void (*check)(struct pin_page *p))
{
	struct pin_page p;

	init(&p);
	check(&p);
}

/* References that @pins pins of the page cost. */
int pin_cost(const struct pin_page *p, int pins)
{
	if (PageCompound(p->head) && compound_order(p->head) > 1)
		return pins;
	return pins * GUP_PIN_COUNTING_BIAS;
}

/* The page has @held pins more than at first, after @acquired were taken. */
void expect_pins(const struct pin_page *p, unsigned int held, long acquired)
{
	struct pin_count now = read_pin_count();

	EXPECT_EQ(page_refs(p->page), p->refs + pin_cost(p, held));
	EXPECT_EQ(page_pins(p->page), p->pins + held);
	EXPECT_EQ(page_maybe_dma_pinned(p->page), p->pins + held > 0);
	EXPECT_EQ(now.acquired - p->count.acquired, acquired);
	EXPECT_EQ(now.released - p->count.released, acquired - held);
}

/* Success is the page, once. */
static int pin_result(struct pin_page *p, long ret, struct page *page)
{
	if (ret != 1)
		return ret;
	EXPECT(page == p->page);
	return 0;
}

int pin_fast(struct pin_page *p)
{
	struct page *page = NULL;
	int ret;

	ret = pin_user_pages_fast((unsigned long)p->addr, 1, FOLL_WRITE, &page);
	return pin_result(p, ret, page);
}

int pin_slow(struct pin_page *p)
{
	struct page *page = NULL;
	long ret;

	down_read(&current->mm->mmap_sem);
	ret = pin_user_pages((unsigned long)p->addr, 1, FOLL_WRITE, &page,
			     NULL);
	up_read(&current->mm->mmap_sem);
	return pin_result(p, ret, page);
}

int pin_unlocked(struct pin_page *p)
{
	struct page *page = NULL;
	long ret;

	ret = pin_user_pages_unlocked((unsigned long)p->addr, 1, &page,
				      FOLL_WRITE);
	return pin_result(p, ret, page);
}

int pin_remote(struct pin_page *p)
{
	struct mm_struct *mm = current->mm;
	struct page *page = NULL;
	int locked = 1;
	long ret;

	down_read(&mm->mmap_sem);
	ret = pin_user_pages_remote(NULL, mm, (unsigned long)p->addr, 1,
				    FOLL_WRITE, &page, NULL, &locked);
	if (locked)
		up_read(&mm->mmap_sem);
	return pin_result(p, ret, page);
}

int pin_add(struct pin_page *p)
{
	return page_add_pins(p->page, 1);
}
