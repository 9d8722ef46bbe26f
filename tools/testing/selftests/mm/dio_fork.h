/* SPDX-License-Identifier: GPL-2.0 */
/* Direct I/O in flight over fork(): cases, and what runs them. */
#ifndef DIO_FORK_H
#define DIO_FORK_H

#include "dio_common.h"

#define FORK_NR_SETS	7

enum direction { R, W };
enum child { STAYS, EXITS, WRITES };
enum shape {
	PART, OFF512, PAGES, BIG, WHOLE, SHARED, ADJOINING, MANY,
	FULL_4K, FULL_64K
};

struct fork_case {
	enum direction direction;
	enum dio_method method;
	enum dio_mem mem;
	enum shape shape;
	enum child child;
};

struct fork_shape {
	const char *name;
	size_t start;
	size_t len;		/* of a segment */
	size_t stride;		/* from one segment to the next */
	int nr;
};

struct fork_set {
	enum dio_target target;
	const struct fork_case *cases;
	size_t nr;
};

extern const struct fork_shape fork_shapes[];
extern const struct fork_set fork_sets[FORK_NR_SETS];

void fork_run_set(const struct fork_set *set, int setup);

#endif /* DIO_FORK_H */
