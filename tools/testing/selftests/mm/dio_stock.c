// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel does that does not pin the pages of direct I/O. What cases
 * declare follows from these facts, which depend on the release alone.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "dio_common.h"

static bool is_before(int version, int patchlevel)
{
	struct utsname name;
	int v = 0, p = 0;

	if (uname(&name) || sscanf(name.release, "%d.%d", &v, &p) != 2)
		return false;
	return v < version || (v == version && p < patchlevel);
}

/*
 * After fork(), a store keeps to its page if nobody else maps it any more,
 * whoever else holds it. Since v5.9 that is so for hugetlb only.
 */
bool dio_stock_store_keeps_unshared(enum dio_mem mem)
{
	return mem == DIO_MEM_HUGETLB || is_before(5, 9);
}

/*
 * Registered buffers of io_uring are pinned since v5.6. fork() leaves pinned
 * pages to the parent since v5.9, those of hugetlb since v5.13.
 */
bool dio_stock_fork_spares_registered(enum dio_mem mem)
{
	return !is_before(5, mem == DIO_MEM_HUGETLB ? 13 : 9);
}
