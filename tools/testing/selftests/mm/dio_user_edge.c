// SPDX-License-Identifier: GPL-2.0
/* Direct I/O at the edges of the memory, of the file, and of a block. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dio_user.h"

#define BLOCK	4096		/* no file system here has larger ones */

/*
 * An I/O that runs into memory that is not there fails, or ends early with
 * right data up to where it came.
 */
static bool unmapped(struct dio_run *run, bool write, size_t pages,
		     size_t mapped)
{
	off_t pos = write ? DIO_WRITE_POS : DIO_READ_POS;
	ssize_t ret;

	if (!dio_run_buffer(run, DIO_MEM_4K, pages * DIO_PAGE, USER_FILL))
		return false;
	munmap(run->buf.data + mapped * DIO_PAGE, (pages - mapped) * DIO_PAGE);
	ret = dio_run_io(run, write, run->buf.data, pages * DIO_PAGE, pos);
	if (ret == -EFAULT)
		return true;
	if (!dio_expect(ret > 0 && ret <= mapped * DIO_PAGE, "result %zd", ret))
		return false;
	dio_run_pins(run, write, ret / DIO_PAGE);
	if (write)
		return dio_run_holds(run, ret, pos, USER_FILL);
	return dio_expect(dio_pattern_is(run->buf.data, ret, pos),
			  "wrong data");
}

bool edge_read_unmapped(struct dio_run *run)
{
	return unmapped(run, false, 8, 4);
}

/* More than one bio holds: the tail is met when the first is under way. */
bool edge_read_unmapped_big(struct dio_run *run)
{
	return unmapped(run, false, 320, 280);
}

bool edge_write_unmapped(struct dio_run *run)
{
	return unmapped(run, true, 8, 4);
}

bool edge_segment_unmapped(struct dio_run *run)
{
	struct iovec iov[3];
	ssize_t ret;
	int i;

	if (!dio_run_buffer(run, DIO_MEM_4K, 3 * DIO_PAGE, USER_FILL))
		return false;
	for (i = 0; i < 3; i++) {
		iov[i].iov_base = run->buf.data + i * DIO_PAGE;
		iov[i].iov_len = DIO_PAGE;
	}
	munmap(iov[1].iov_base, DIO_PAGE);
	ret = dio_run_iov(run, false, iov, 3, DIO_READ_POS);
	return dio_expect(ret == -EFAULT || ret == DIO_PAGE, "result %zd", ret) &&
	       (ret < 0 || dio_pattern_is(run->buf.data, ret, DIO_READ_POS));
}

static const size_t odd_offsets[] = { 1, 4, 64, 256, 511, 513 };

/*
 * A SCSI disk takes memory that is aligned to four bytes, but the RAM disk at
 * the other end of it warns of anything that is not aligned to a sector.
 */
static bool leave_out(const struct dio_run *run, size_t odd)
{
	return run->target == DIO_SG && odd % 4 == 0;
}

/* Refused, or done right by way of a copy */
bool edge_read_misaligned(struct dio_run *run)
{
	size_t i, odd;
	ssize_t ret;

	if (!dio_run_buffer(run, DIO_MEM_4K, 3 * DIO_PAGE, USER_FILL))
		return false;
	for (i = 0; i < sizeof(odd_offsets) / sizeof(*odd_offsets); i++) {
		odd = odd_offsets[i];
		if (leave_out(run, odd))
			continue;
		ret = dio_run_io(run, false, run->buf.data + odd, DIO_PAGE,
				 DIO_READ_POS);
		if (ret == -EINVAL)
			continue;
		if (!dio_expect(ret == DIO_PAGE &&
				dio_pattern_is(run->buf.data + odd, ret,
					       DIO_READ_POS),
				"offset %zu: result %zd or wrong data", odd,
				ret))
			return false;
	}
	return true;
}

bool edge_write_misaligned(struct dio_run *run)
{
	size_t i, odd;
	ssize_t ret;

	if (!dio_run_buffer(run, DIO_MEM_4K, 3 * DIO_PAGE, USER_FILL))
		return false;
	for (i = 0; i < sizeof(odd_offsets) / sizeof(*odd_offsets); i++) {
		odd = odd_offsets[i];
		if (!dio_run_prefill(run, DIO_PAGE, DIO_WRITE_POS, 0))
			return false;
		ret = dio_run_io(run, true, run->buf.data + odd, DIO_PAGE,
				 DIO_WRITE_POS);
		if (!dio_expect(ret == -EINVAL || ret == DIO_PAGE,
				"offset %zu: result %zd", odd, ret) ||
		    !dio_run_holds(run, DIO_PAGE, DIO_WRITE_POS,
				   ret < 0 ? 0 : USER_FILL))
			return false;
	}
	return true;
}

bool edge_read_only(struct dio_run *run)
{
	ssize_t ret;

	if (!dio_run_buffer(run, DIO_MEM_4K, 4 * DIO_PAGE, USER_FILL))
		return false;
	mprotect(run->buf.data, run->buf.size, PROT_READ);
	ret = dio_run_io(run, false, run->buf.data, run->buf.size,
			 DIO_READ_POS);
	return dio_expect(ret == -EFAULT, "result %zd", ret) &&
	       dio_expect(dio_all_is(run->buf.data, run->buf.size, USER_FILL),
			  "memory changed");
}

bool edge_device_end(struct dio_run *run)
{
	off_t end = lseek(run->fd, 0, SEEK_END);
	ssize_t at_end, across;

	if (!dio_run_buffer(run, DIO_MEM_4K, 4 * DIO_PAGE, USER_FILL))
		return false;
	run->pages = 1;
	across = pread(run->fd, run->buf.data, 4 * DIO_PAGE, end - DIO_PAGE);
	at_end = pread(run->fd, run->buf.data, DIO_PAGE, end);
	return dio_expect(across == DIO_PAGE && !at_end, "results %zd, %zd",
			  across, at_end) &&
	       dio_expect(dio_all_is(run->buf.data + DIO_PAGE, 3 * DIO_PAGE,
				     USER_FILL), "memory changed");
}

bool edge_file_end(struct dio_run *run)
{
	const size_t align = dio_target_align(run->target);
	const size_t size = 2 * BLOCK + 1808;
	int fd = dio_scratch_create(0, size, size);
	unsigned char *data;
	ssize_t all, tail, beyond;
	bool right;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)) ||
	    !dio_run_buffer(run, DIO_MEM_4K, 4 * BLOCK, USER_FILL))
		return false;
	data = run->buf.data;
	dio_run_pins(run, false, 3);
	all = pread(fd, data, 4 * BLOCK, 0);
	right = dio_pattern_is(data, size, 0);
	tail = pread(fd, data, BLOCK, 2 * BLOCK);
	right = right && dio_pattern_is(data, 1808, 2 * BLOCK);
	beyond = pread(fd, data, align, (size + align - 1) / align * align);
	close(fd);
	return dio_expect(all == size && tail == 1808 && !beyond,
			  "results %zd, %zd, %zd", all, tail, beyond) &&
	       dio_expect(right, "wrong data");
}

bool edge_hole(struct dio_run *run)
{
	int fd = dio_scratch_create(4 * BLOCK, BLOCK, 16 * BLOCK);
	unsigned char *data;
	ssize_t ret;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)) ||
	    !dio_run_buffer(run, DIO_MEM_4K, 16 * BLOCK, USER_FILL))
		return false;
	data = run->buf.data;
	dio_run_pins(run, false, 1);
	ret = pread(fd, data, 16 * BLOCK, 0);
	close(fd);
	return dio_expect(ret == 16 * BLOCK, "result %zd", ret) &&
	       dio_expect(dio_all_is(data, 4 * BLOCK, 0) &&
			  dio_pattern_is(data + 4 * BLOCK, BLOCK, 4 * BLOCK) &&
			  dio_all_is(data + 5 * BLOCK, 11 * BLOCK, 0),
			  "wrong data");
}

/* One sector goes to @pos of the scratch file; @size bytes are then there. */
static bool write_sector(struct dio_run *run, int fd, off_t pos,
			 unsigned char *back, size_t size)
{
	ssize_t ret;

	if (!dio_expect(fd >= 0, "scratch: %s", strerror(-fd)))
		return false;
	if (!dio_run_buffer(run, DIO_MEM_4K, DIO_SECTOR, USER_FILL)) {
		close(fd);
		return false;
	}
	ret = pwrite(fd, run->buf.data, DIO_SECTOR, pos);
	close(fd);
	if (!dio_expect(ret == DIO_SECTOR, "result %zd", ret))
		return false;
	ret = dio_scratch_load(back, 8 * BLOCK);
	return dio_expect(ret == size, "size %zd", ret) &&
	       dio_expect(dio_all_is(back + pos, DIO_SECTOR, USER_FILL),
			  "wrong data written");
}

bool edge_sub_block(struct dio_run *run)
{
	const off_t pos = BLOCK + 1024, behind = pos + DIO_SECTOR;
	unsigned char back[8 * BLOCK];

	dio_run_pins(run, true, 1);
	return write_sector(run, dio_scratch_create(0, 4 * BLOCK, 4 * BLOCK),
			    pos, back, 4 * BLOCK) &&
	       dio_expect(dio_pattern_is(back, pos, 0) &&
			  dio_pattern_is(back + behind, 4 * BLOCK - behind,
					 behind), "its neighbours changed");
}

/* The rest of a block that comes into being is zero. */
bool edge_sub_block_extend(struct dio_run *run)
{
	const off_t end = 4 * BLOCK, pos = end + DIO_SECTOR;
	unsigned char back[8 * BLOCK];

	return write_sector(run, dio_scratch_create(0, end, end), pos, back,
			    pos + DIO_SECTOR) &&
	       dio_expect(dio_pattern_is(back, end, 0) &&
			  dio_all_is(back + end, DIO_SECTOR, 0),
			  "its neighbours changed");
}

bool edge_sub_block_hole(struct dio_run *run)
{
	const off_t pos = 2 * BLOCK + 1024, behind = pos + DIO_SECTOR;
	unsigned char back[8 * BLOCK];

	return write_sector(run, dio_scratch_create(0, 0, 8 * BLOCK), pos, back,
			    8 * BLOCK) &&
	       dio_expect(dio_all_is(back, pos, 0) &&
			  dio_all_is(back + behind, 8 * BLOCK - behind, 0),
			  "its neighbours changed");
}
