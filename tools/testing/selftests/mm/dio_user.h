/* SPDX-License-Identifier: GPL-2.0 */
/* The cases of dio_user, by what is special about the user's memory. */
#ifndef DIO_USER_H
#define DIO_USER_H

#include "dio_common.h"

#define USER_FILL	0x5a
#define USER_CHILD	0xc3

/* dio_user_edge.c: where the memory, the file or a block ends */
bool edge_read_unmapped(struct dio_run *run);
bool edge_read_unmapped_big(struct dio_run *run);
bool edge_write_unmapped(struct dio_run *run);
bool edge_segment_unmapped(struct dio_run *run);
bool edge_read_misaligned(struct dio_run *run);
bool edge_write_misaligned(struct dio_run *run);
bool edge_read_only(struct dio_run *run);
bool edge_device_end(struct dio_run *run);
bool edge_file_end(struct dio_run *run);
bool edge_hole(struct dio_run *run);
bool edge_sub_block(struct dio_run *run);
bool edge_sub_block_extend(struct dio_run *run);
bool edge_sub_block_hole(struct dio_run *run);

/* dio_user_source.c: memory that is written from */
bool source_zero(struct dio_run *run);
bool source_zero_mixed(struct dio_run *run);
bool source_zero_huge(struct dio_run *run);
bool source_zero_in_flight(struct dio_run *run);
bool source_forked(struct dio_run *run);
bool source_forked_direct(struct dio_run *run);
bool source_ksm(struct dio_run *run);
bool source_ksm_direct(struct dio_run *run);
bool source_page_cache(struct dio_run *run);
bool segments_read(struct dio_run *run);
bool segments_write(struct dio_run *run);

/* dio_user_dest.c: memory that is read into, and that goes away meanwhile */
bool dest_munmap(struct dio_run *run);
bool dest_munmap_uring(struct dio_run *run);
bool dest_kill(struct dio_run *run);
bool dest_kill_aio(struct dio_run *run);
bool dest_kill_uring(struct dio_run *run);
bool dest_shmem(struct dio_run *run);
bool dest_private_file(struct dio_run *run);
bool dest_shared_file(struct dio_run *run);
bool dest_shared_file_truncate(struct dio_run *run);
bool dest_dax(struct dio_run *run);
bool dest_dax_truncate(struct dio_run *run);

/* dio_user_limit.c */
bool limit_pins(struct dio_run *run);

#endif /* DIO_USER_H */
