// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of pins: how they are counted and refused, which pages of an iov_iter
 * take them, and what a bio holds. They run when the kernel starts, and report
 * in KTAP.
 */
#include <linux/completion.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include "test.h"

#define MAX_GROUPS	2
#define MAX_SHOWN	10	/* failures of one case */

struct test_suite {
	const char *name;
	const struct test_case *groups[MAX_GROUPS];
};

static const struct test_suite suites[] __initconst = {
	{ "gup_pin", { gup_count_cases, gup_limit_cases } },
	{ "iov_iter_extract", { extract_cases, extract_edge_cases } },
	{ "bio_pages", { bio_release_cases, bio_user_cases } },
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *data);
	void *data;
};

/* The case that is running. */
static struct {
	const struct test_case *test;
	struct deferred *deferred;
	const char *skipped;
	unsigned int failures;
	struct completion done;
} run;

static bool test_shows_failure(void)
{
	return run.failures++ < MAX_SHOWN;
}

bool test_expect(bool ok, const char *file, int line, const char *what)
{
	if (!ok && test_shows_failure())
		pr_err("    # %s: %s:%d: %s\n", run.test->name, file, line,
		       what);
	return ok;
}

bool test_expect_eq(long long a, long long b, const char *file, int line,
		    const char *what)
{
	if (a != b && test_shows_failure())
		pr_err("    # %s: %s:%d: %s: %lld, %lld\n", run.test->name,
		       file, line, what, a, b);
	return a == b;
}

static void __noreturn test_end(void)
{
	struct deferred *deferred;

	while ((deferred = run.deferred)) {
		run.deferred = deferred->next;
		deferred->fn(deferred->data);
		kfree(deferred);
	}
	user_mem_detach();
	complete_and_exit(&run.done, 0);
}

void test_require(bool ok)
{
	if (!ok)
		test_end();
}

void __noreturn test_skip(const char *reason)
{
	run.skipped = reason;
	test_end();
}

void test_defer(void (*fn)(void *data), void *data)
{
	struct deferred *deferred = kmalloc(sizeof(*deferred), GFP_KERNEL);

	REQUIRE(deferred);
	deferred->next = run.deferred;
	deferred->fn = fn;
	deferred->data = data;
	run.deferred = deferred;
}

static void free_object(void *object)
{
	kfree(object);
}

void *test_alloc(size_t size)
{
	void *object = kzalloc(size, GFP_KERNEL);

	REQUIRE(object);
	test_defer(free_object, object);
	return object;
}

static int test_thread(void *unused)
{
	user_mem_attach();
	run.test->run();
	test_end();
}

/* A pin that is left behind, and the first warning, are failures as well. */
static void __init run_thread(void)
{
	struct pin_count before = read_pin_count(), after;
	int warned = test_taint(TAINT_WARN);

	if (!EXPECT(!IS_ERR(kthread_run(test_thread, NULL, "test_pin_pages"))))
		return;
	wait_for_completion(&run.done);

	after = read_pin_count();
	EXPECT_EQ(after.acquired - before.acquired,
		  after.released - before.released);
	EXPECT_EQ(test_taint(TAINT_WARN), warned);
}

static bool __init run_case(const struct test_case *test, unsigned int nr)
{
	run.test = test;
	run.skipped = NULL;
	run.failures = 0;
	init_completion(&run.done);
	run_thread();

	pr_info("    %sok %u - %s%s%s\n", run.failures ? "not " : "", nr,
		test->name, run.skipped ? " # SKIP " : "", run.skipped ?: "");
	return !run.failures;
}

static unsigned int __init count_cases(const struct test_suite *suite)
{
	const struct test_case *test;
	unsigned int i, nr = 0;

	for (i = 0; i < MAX_GROUPS; i++)
		for (test = suite->groups[i]; test->run; test++)
			nr++;
	return nr;
}

static void __init run_suite(const struct test_suite *suite, unsigned int nr)
{
	const struct test_case *test;
	unsigned int i, ran = 0;
	bool ok = true;

	pr_info("    # Subtest: %s\n", suite->name);
	pr_info("    1..%u\n", count_cases(suite));
	for (i = 0; i < MAX_GROUPS; i++)
		for (test = suite->groups[i]; test->run; test++)
			ok &= run_case(test, ++ran);
	pr_info("%sok %u - %s\n", ok ? "" : "not ", nr, suite->name);
}

static int __init test_pin_pages(void)
{
	unsigned int i;

	pr_info("TAP version 14\n");
	pr_info("1..%zu\n", ARRAY_SIZE(suites));
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		run_suite(&suites[i], i + 1);
	return 0;
}
late_initcall(test_pin_pages);
