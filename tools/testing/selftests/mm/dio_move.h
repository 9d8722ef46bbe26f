/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of dio_move share. */
#ifndef DIO_MOVE_H
#define DIO_MOVE_H

#include "dio_common.h"

#define PAGES		16	/* that are pinned */
#define SIZE		(PAGES * DIO_PAGE)
#define SEGMENT		3584UL	/* of a page is read into, and the rest stored to */
#define FILL		0x5a

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* dio_press.c: ways to make the kernel move pages */
enum press_kind { PRESS_SWAP, PRESS_COMPACT, PRESS_OFFLINE };

struct press {
	enum press_kind kind;
	enum dio_mem mem;
	const struct dio_buf *buf;	/* what is asked to move */
	int moved;		/* how often memory moved that nobody holds */
	size_t scattered;	/* of this, to be compacted */
};

bool press_start(struct press *press);
void press_push(struct press *press);
bool press_stop(struct press *press);
size_t press_absent(const void *data, size_t pages);

/* dio_move.c */
struct way {
	enum dio_mem mem;
	enum press_kind kind;
};

bool frames_stay(const struct dio_run *run, const unsigned long *pfns,
		 enum dio_mem mem);
bool fork_under_press(const struct dio_run *run);
bool clear_soft_dirty(struct dio_run *run);
bool dirty_right(struct dio_run *run);

/* dio_move_held.c: cases with a direct read in flight */
bool held(struct dio_run *run);
bool held_soft_dirty(struct dio_run *run);
bool held_ksm(struct dio_run *run);
bool held_free(struct dio_run *run);

#endif /* DIO_MOVE_H */
