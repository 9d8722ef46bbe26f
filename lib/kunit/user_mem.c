// SPDX-License-Identifier: GPL-2.0
/*
 * User memory for KUnit tests. A test runs in a kernel thread, which has none:
 * give it an address space, and take it away again.
 */
#include <kunit/user_mem.h>
#include <linux/completion.h>
#include <linux/huge_mm.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>

/**
 * struct kunit_user_mem - what the .init of a suite leaves for its .exit
 * @pins: the counters before the test
 * @warned: there was a warning before the test
 */
struct kunit_user_mem {
	struct kunit_pins pins;
	int warned;
};

struct kunit_deferred {
	void (*fn)(void *data);
	void *data;
};

static void kunit_run_deferred(struct kunit_resource *res)
{
	struct kunit_deferred *deferred = res->data;

	deferred->fn(deferred->data);
}

/**
 * kunit_defer() - call a function when the test is over
 * @test: the test; it fails at once if there is no memory
 * @fn: the function; last in, first out
 * @data: its argument
 *
 * If the test is aborted, @fn is called in another thread than the test's.
 */
void kunit_defer(struct kunit *test, void (*fn)(void *data), void *data)
{
	struct kunit_deferred *deferred;

	deferred = kunit_kzalloc(test, sizeof(*deferred), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, deferred);
	deferred->fn = fn;
	deferred->data = data;
	KUNIT_ASSERT_NOT_NULL(test,
			      kunit_alloc_resource(test, NULL,
						   kunit_run_deferred,
						   GFP_KERNEL, deferred));
}

/**
 * kunit_read_pins() - read the counters of pins
 *
 * Exact: collects first what the CPUs have for themselves.
 *
 * Context: May sleep.
 * Return: the counters, of the whole system since it started.
 */
struct kunit_pins kunit_read_pins(void)
{
	size_t len = 0;
	loff_t pos = 0;

	vmstat_refresh(NULL, 1, NULL, &len, &pos);
	return (struct kunit_pins) {
		.acquired = global_node_page_state_pages(NR_FOLL_PIN_ACQUIRED),
		.released = global_node_page_state_pages(NR_FOLL_PIN_RELEASED),
	};
}

static void kunit_detach_mm(void *data)
{
	struct mm_struct *mm = data;

	if (current->mm == mm) {
		kthread_unuse_mm(mm);
		mmput(mm);
		return;
	}

	/*
	 * The test was aborted, and its thread exits with the mm, as a process
	 * does, by mmput(). What kthread_use_mm() grabbed is left.
	 */
	mmdrop(mm);
}

/**
 * kunit_user_mem_init() - give a test an empty address space
 * @test: the test
 *
 * Return: 0, or -ENOMEM.
 */
int kunit_user_mem_init(struct kunit *test)
{
	struct kunit_user_mem *mem;
	struct mm_struct *mm;

	mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	if (!mem)
		return -ENOMEM;
	mem->pins = kunit_read_pins();
	mem->warned = test_taint(TAINT_WARN);

	mm = mm_alloc();
	if (!mm)
		return -ENOMEM;
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	kthread_use_mm(mm);
	kunit_defer(test, kunit_detach_mm, mm);

	test->priv = mem;
	return 0;
}

/**
 * kunit_user_mem_warned() - the test has made the kernel warn, as it should
 * @test: the test
 *
 * For a test of a check that warns: without this, kunit_user_mem_exit() fails
 * it, if that warning is the first one since the kernel started.
 */
void kunit_user_mem_warned(struct kunit *test)
{
	struct kunit_user_mem *mem = test->priv;

	mem->warned = test_taint(TAINT_WARN);
}

/**
 * kunit_user_mem_exit() - check that a test left no pin behind
 * @test: the test
 *
 * And that it did not cause a warning. Only the first one since the kernel
 * started can be seen here.
 */
void kunit_user_mem_exit(struct kunit *test)
{
	struct kunit_user_mem *mem = test->priv;
	struct kunit_pins now;

	if (!mem)
		return;

	now = kunit_read_pins();
	KUNIT_EXPECT_EQ(test, now.acquired - mem->pins.acquired,
			now.released - mem->pins.released);
	KUNIT_EXPECT_EQ(test, test_taint(TAINT_WARN), mem->warned);
}

/**
 * kunit_user_map() - map private anonymous memory
 * @test: the test; it fails at once if this does
 * @size: how much, in bytes
 * @prot: PROT_READ and so on. Read-only memory is populated by the zero page
 * @flags: MAP_POPULATE, or 0
 *
 * Return: the address, page-aligned.
 */
char __user *kunit_user_map(struct kunit *test, size_t size, int prot,
			    int flags)
{
	unsigned long addr;

	addr = vm_mmap(NULL, 0, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags,
		       0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));

	/* New pages wait in a batch, which has a reference on each. */
	lru_add_drain_all();
	return (char __user *)addr;
}

/**
 * kunit_user_map_pages() - map small pages that can be written, and are there
 * @test: the test; it fails at once if this does
 * @nr: how many pages
 *
 * Return: the address, page-aligned.
 */
char __user *kunit_user_map_pages(struct kunit *test, unsigned int nr)
{
	return kunit_user_map(test, nr * PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_POPULATE);
}

static int kunit_advise_huge(unsigned long addr)
{
	struct vm_area_struct *vma;
	int ret = -ENOMEM;

	mmap_write_lock(current->mm);
	vma = find_vma(current->mm, addr);
	if (vma)
		ret = hugepage_madvise(vma, &vma->vm_flags, MADV_HUGEPAGE);
	mmap_write_unlock(current->mm);
	return ret;
}

/**
 * kunit_user_map_huge() - map a transparent huge page
 * @test: the test; it is skipped if there is no such page to be had
 *
 * Return: the address, aligned to PMD_SIZE.
 */
char __user *kunit_user_map_huge(struct kunit *test)
{
	unsigned long addr;
	char __user *buf;

	buf = kunit_user_map(test, 2 * PMD_SIZE, PROT_READ | PROT_WRITE, 0);
	addr = ALIGN((unsigned long)buf, PMD_SIZE);
	buf = (char __user *)addr;
	if (kunit_advise_huge(addr))
		kunit_skip(test, "no transparent huge pages");
	KUNIT_ASSERT_EQ(test, put_user(0, buf), 0);
	lru_add_drain_all();
	if (!PageTransCompound(kunit_user_page(test, buf)))
		kunit_skip(test, "no huge page to be had");
	return buf;
}

/**
 * kunit_user_page() - which page is mapped at an address?
 * @test: the test; it fails at once if there is none
 * @addr: the address; it is faulted in for reading
 *
 * Return: the page. Nothing is held on it, the mapping keeps it.
 */
struct page *kunit_user_page(struct kunit *test, const char __user *addr)
{
	struct page *page;
	long ret;

	ret = get_user_pages_unlocked((unsigned long)addr, 1, &page, 0);
	KUNIT_ASSERT_EQ(test, ret, 1);
	put_page(page);

	/* Looked up again, it is to be activated; that batch has a reference. */
	lru_add_drain_all();
	return page;
}

struct kunit_child {
	struct completion leave;
	struct completion left;
};

static int kunit_child_fn(void *data)
{
	struct kunit_child *child = data;

	wait_for_completion(&child->leave);
	complete(&child->left);
	do_exit(0);
}

static void kunit_child_leave(void *data)
{
	struct kunit_child *child = data;

	complete(&child->leave);
	wait_for_completion(&child->left);
}

/**
 * kunit_user_fork() - fork the address space of the test
 * @test: the test; it fails at once if this does
 *
 * The child does nothing but live until the test is over.
 */
void kunit_user_fork(struct kunit *test)
{
	struct kunit_child *child;
	struct kernel_clone_args args = {
		.flags		= CLONE_FS | CLONE_FILES | CLONE_UNTRACED,
		.exit_signal	= SIGCHLD,
		.fn		= kunit_child_fn,
	};

	child = kunit_kzalloc(test, sizeof(*child), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, child);
	init_completion(&child->leave);
	init_completion(&child->left);
	args.fn_arg = child;
	KUNIT_ASSERT_GT(test, kernel_clone(&args), 0);
	kunit_defer(test, kunit_child_leave, child);
}
