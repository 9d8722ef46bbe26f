/* SPDX-License-Identifier: GPL-2.0 */
/* What dio_fs does to a file system, group by group. */
#ifndef DIO_FS_H
#define DIO_FS_H

#include "dio_fork.h"

/* Cases of one kind: the columns of a table of file systems */
struct fs_group {
	const char *name;
	unsigned int needs;	/* DIO_CAN_... */
	size_t align;		/* only where direct I/O can be this fine */
	const struct dio_case *cases;
	const struct fork_case *fork_cases;
	size_t nr;
};

extern const struct fs_group fs_groups[];
extern const size_t fs_nr_groups;

/* dio_fs_cases.c */
bool fs_keep(void);
bool fs_kept(void);

/* dio_fs_cache.c */
bool cache_fill(struct dio_run *run);
bool cache_read_held(struct dio_run *run);
bool cache_kill_held(struct dio_run *run);
bool cache_write_held(struct dio_run *run);

#endif /* DIO_FS_H */
