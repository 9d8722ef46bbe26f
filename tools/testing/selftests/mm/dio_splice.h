/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of dio_splice share. */
#ifndef DIO_SPLICE_H
#define DIO_SPLICE_H

#include "dio_common.h"

#define PIPE_SIZE	65536UL		/* of a pipe that nobody resized */

struct splice_pipe {
	int out;
	int in;
};

bool splice_pipe_open(struct splice_pipe *p, size_t size);
void splice_pipe_close(struct splice_pipe *p);
ssize_t splice_from(int fd, off_t pos, const struct splice_pipe *p, size_t len,
		    unsigned int flags);
bool splice_holds(const struct splice_pipe *p, size_t len, off_t pos);

/* dio_splice_race.c: while something else happens */
bool race_truncate_held(struct dio_run *run);
bool race_truncate(struct dio_run *run);
bool race_flip_held(struct dio_run *run);
bool race_flip(struct dio_run *run);
bool race_close(struct dio_run *run);
bool race_kill(struct dio_run *run);
bool race_wait_for_room(struct dio_run *run);

/* dio_splice_alg.c */
bool alg_splice(struct dio_run *run);

/* dio_splice_fuse.c */
bool fuse_splice(struct dio_run *run);
bool fuse_splice_overlay(struct dio_run *run);

#endif /* DIO_SPLICE_H */
