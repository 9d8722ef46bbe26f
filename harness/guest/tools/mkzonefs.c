// SPDX-License-Identifier: GPL-2.0
/*
 * mkzonefs DEVICE: an empty zonefs, without features. Its super block is all
 * that there is to make: the first 4096 bytes of the first zone.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC		0x5a4f4653	/* "ZOFS" */
#define SUPER_SIZE	4096

struct super {
	uint32_t magic;
	uint32_t crc;
	char label[64];
	uint8_t uuid[16];
	uint64_t features;
	uint32_t uid;
	uint32_t gid;
	uint32_t perm;
	uint8_t reserved[3988];
} __attribute__((packed));

_Static_assert(sizeof(struct super) == SUPER_SIZE, "size of a super block");

/* The one of Ethernet, as the kernel's crc32() does it, not inverted */
static uint32_t crc32(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;
	int bit;

	while (size--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

int main(int argc, char **argv)
{
	struct super *super = aligned_alloc(SUPER_SIZE, SUPER_SIZE);
	int fd;

	if (argc != 2 || !super) {
		fprintf(stderr, "usage: mkzonefs DEVICE\n");
		return 2;
	}
	memset(super, 0, sizeof(*super));
	super->magic = htole32(MAGIC);
	super->uuid[0] = 1;
	super->crc = htole32(crc32(~0U, super, sizeof(*super)));

	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0 || pwrite(fd, super, SUPER_SIZE, 0) != SUPER_SIZE ||
	    fsync(fd)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
