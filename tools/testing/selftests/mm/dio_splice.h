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

/* dio_splice_plain.c */
bool splice_pipe_open(struct splice_pipe *p, size_t size);
void splice_pipe_close(struct splice_pipe *p);
ssize_t splice_from(int fd, off_t pos, const struct splice_pipe *p, size_t len,
		    unsigned int flags);
bool splice_holds(const struct splice_pipe *p, size_t len, off_t pos);
bool plain_page(struct dio_run *run);
bool plain_pipe(struct dio_run *run);
bool plain_big(struct dio_run *run);
bool plain_own_memory(struct dio_run *run);
bool plain_file_end(struct dio_run *run);
bool plain_device_end(struct dio_run *run);
bool plain_far_off(struct dio_run *run);
bool plain_hole(struct dio_run *run);
bool plain_misaligned(struct dio_run *run);
bool plain_partly_full(struct dio_run *run);
bool plain_no_reader(struct dio_run *run);
bool plain_send_to_pipe(struct dio_run *run);
bool plain_send_to_file(struct dio_run *run);
bool plain_send_to_file_end(struct dio_run *run);

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
