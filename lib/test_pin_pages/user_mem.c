// SPDX-License-Identifier: GPL-2.0
/*
 * User memory for the tests of pins, and what there is on its pages.
 */
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/mman.h>
#include <linux/mmu_context.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include "test.h"

/* Exact: what the CPUs have for themselves is collected first. */
struct pin_count read_pin_count(void)
{
	size_t len = 0;
	loff_t pos = 0;

	vmstat_refresh(NULL, 1, NULL, &len, &pos);
	return (struct pin_count) {
		.acquired = global_node_page_state(NR_FOLL_PIN_ACQUIRED),
		.released = global_node_page_state(NR_FOLL_PIN_RELEASED),
	};
}

int page_refs(struct page *page)
{
	return page_ref_count(compound_head(page));
}

/* How often a page is pinned: exact, as long as few references are on it. */
unsigned int page_pins(struct page *page)
{
	if (hpage_pincount_available(page))
		return compound_pincount(page);
	return page_refs(page) / GUP_PIN_COUNTING_BIAS;
}

/* Add references, so that @refs more bring the page just to the limit. */
int leave_room(struct page *page, int refs)
{
	int extra = PIN_REF_LIMIT - refs - page_refs(page);

	page_ref_add(compound_head(page), extra);
	return extra;
}

/* Give this thread, which is the kernel's, an empty address space. */
void user_mem_attach(void)
{
	struct mm_struct *mm = mm_alloc();

	REQUIRE(mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	use_mm(mm);
	set_fs(USER_DS);
}

void user_mem_detach(void)
{
	struct mm_struct *mm = current->mm;

	if (!mm)
		return;
	set_fs(KERNEL_DS);
	unuse_mm(mm);
	mmput(mm);
}

/* Private anonymous memory; @flags: MAP_POPULATE or 0. */
char __user *user_map(size_t size, unsigned long prot, unsigned long flags)
{
	unsigned long addr;

	addr = vm_mmap(NULL, 0, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags,
		       0);
	REQUIRE(!IS_ERR_VALUE(addr));

	/* New pages wait in a batch, which has a reference on each. */
	lru_add_drain_all();
	return (char __user *)addr;
}

/* Small pages that can be written, and are there. */
char __user *user_map_pages(unsigned int nr)
{
	return user_map(nr * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_POPULATE);
}

static void user_change_flags(char __user *addr, unsigned long set,
			      unsigned long clear)
{
	struct vm_area_struct *vma;

	down_write(&current->mm->mmap_sem);
	vma = find_vma(current->mm, (unsigned long)addr);
	if (vma)
		vma->vm_flags = (vma->vm_flags & ~clear) | set;
	up_write(&current->mm->mmap_sem);
	REQUIRE(vma);
}

/* A transparent huge page, aligned. */
char __user *user_map_huge(void)
{
	char __user *addr = user_map(2 * PMD_SIZE, PROT_READ | PROT_WRITE, 0);

	user_change_flags(addr, VM_HUGEPAGE, 0);
	addr = (char __user *)ALIGN((unsigned long)addr, PMD_SIZE);
	REQUIRE_EQ(put_user(0, addr), 0);
	lru_add_drain_all();
	if (!PageTransCompound(user_page(addr)))
		test_skip("no huge page to be had");
	return addr;
}

/*
 * Pages that are the zero page, and stay so: even a pin for reading gives a
 * mapping that could become writable a page of its own.
 */
char __user *user_map_zero(unsigned int nr)
{
	char __user *addr = user_map(nr * PAGE_SIZE, PROT_READ, MAP_POPULATE);

	user_change_flags(addr, 0, VM_MAYWRITE);
	return addr;
}

/*
 * The page that is mapped at an address, faulted in for reading. Nothing is
 * held on it, the mapping keeps it.
 */
struct page *user_page(char __user *addr)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	struct page *page = NULL;

	REQUIRE_EQ(fault_in_pages_readable(addr, 1), 0);
	down_read(&mm->mmap_sem);
	vma = find_vma(mm, (unsigned long)addr);
	if (vma)
		page = follow_page(vma, (unsigned long)addr, 0);
	up_read(&mm->mmap_sem);
	REQUIRE(!IS_ERR_OR_NULL(page));
	return page;
}

struct child {
	struct completion leave;
	struct completion left;
};

static int child_thread(void *data)
{
	struct child *child = data;

	wait_for_completion(&child->leave);
	complete_and_exit(&child->left, 0);
}

static void child_leave(void *data)
{
	struct child *child = data;

	complete(&child->leave);
	wait_for_completion(&child->left);
}

/* A child with a copy of the address space, that lives until the case ends. */
void user_fork(void)
{
	struct child *child = test_alloc(sizeof(*child));
	struct kernel_clone_args args = {
		.flags		= CLONE_FS | CLONE_FILES | CLONE_UNTRACED,
		.exit_signal	= SIGCHLD,
		.stack		= (unsigned long)child_thread,
		.stack_size	= (unsigned long)child,
	};

	init_completion(&child->leave);
	init_completion(&child->left);
	REQUIRE(_do_fork(&args) > 0);
	test_defer(child_leave, child);
}
