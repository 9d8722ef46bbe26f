// SPDX-License-Identifier: GPL-2.0
/*
 * A direct I/O is in flight, the process forks, and one of the two stores into
 * the pages that the I/O works on. A read must still bring its data to the
 * parent, and a write must not take the child's store along.
 *
 * Each case declares what a kernel without page pinning shows: "lost", where
 * the parent's store moves it to a copy of a page that the device then writes
 * to in vain, or "kept". That follows from the case and what is known of the
 * kernel.
 */
#include "dio_fork.h"

static unsigned int count_cases(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < FORK_NR_SETS; i++)
		nr += fork_sets[i].nr;
	return nr;
}

static void run_set(const struct fork_set *set)
{
	fork_run_set(set, dio_target_setup(set->target));
	dio_target_teardown(set->target);
}

int main(void)
{
	size_t i;

	dio_begin(count_cases());
	for (i = 0; i < FORK_NR_SETS; i++)
		run_set(&fork_sets[i]);
	dio_end();
}
