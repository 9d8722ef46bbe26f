// SPDX-License-Identifier: GPL-2.0
/*
 * mkhfsplus DEVICE: an empty HFS Plus volume, not journalled. From the start:
 * boot blocks and volume header, allocation file, extents tree, catalog tree;
 * a copy of the volume header is near the end.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		4096		/* also the size of a tree's node */
#define HEADER_AT	1024
#define EXTENTS_BLOCKS	4
#define CATALOG_BLOCKS	64
#define NODE_HEADER	14
#define TREE_HEADER	106
#define TREE_MAP	248
#define VOLUME_NAME	"dio"
#define ROOT_PARENT	1
#define ROOT_FOLDER	2
#define FIRST_USER_ID	16

struct fork {
	uint64_t size;
	uint32_t clump;
	uint32_t blocks;
	struct {
		uint32_t start;
		uint32_t count;
	} extent[8];
} __attribute__((packed));

struct volume_header {
	char signature[2];
	uint16_t version;
	uint32_t attributes;
	char last_mounted_by[4];
	uint32_t journal;
	uint32_t dates[4];
	uint32_t files;
	uint32_t folders;
	uint32_t block_size;
	uint32_t blocks;
	uint32_t free_blocks;
	uint32_t next_block;
	uint32_t clumps[2];
	uint32_t next_id;
	uint32_t writes;
	uint64_t encodings;
	uint32_t finder[8];
	struct fork allocation;
	struct fork extents;
	struct fork catalog;
	struct fork attributes_file;
	struct fork startup;
} __attribute__((packed));

struct tree_header {
	uint16_t depth;
	uint32_t root;
	uint32_t records;
	uint32_t first_leaf;
	uint32_t last_leaf;
	uint16_t node_size;
	uint16_t max_key;
	uint32_t nodes;
	uint32_t free_nodes;
	uint16_t reserved;
	uint32_t clump;
	uint8_t type;
	uint8_t compare;
	uint32_t attributes;
	uint32_t reserved2[16];
} __attribute__((packed));

struct folder {
	uint16_t type;
	uint16_t flags;
	uint32_t items;
	uint32_t id;
	uint32_t dates[5];
	uint32_t owner;
	uint32_t group;
	uint8_t owner_flags[2];
	uint16_t mode;
	uint32_t special;
	uint8_t finder[32];
	uint32_t encoding;
	uint32_t reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct volume_header) == 512, "volume header");
_Static_assert(sizeof(struct tree_header) == TREE_HEADER, "tree header");
_Static_assert(sizeof(struct folder) == 88, "folder record");

static uint8_t block[BLOCK];

static void put16(size_t at, uint16_t value)
{
	value = htobe16(value);
	memcpy(block + at, &value, sizeof(value));
}

static void put32(size_t at, uint32_t value)
{
	value = htobe32(value);
	memcpy(block + at, &value, sizeof(value));
}

static int put_block(int fd, uint64_t nr)
{
	ssize_t ret = pwrite(fd, block, BLOCK, nr * BLOCK);

	memset(block, 0, BLOCK);
	return ret == BLOCK ? 0 : -1;
}

/* Where the records of a node are, is said from its end backwards. */
static void put_node(int8_t kind, uint8_t height, const uint16_t *offsets,
		     uint16_t records)
{
	int i;

	block[8] = kind;
	block[9] = height;
	put16(10, records);
	for (i = 0; i <= records; i++)
		put16(BLOCK - 2 * (i + 1), offsets[i]);
}

/* The first node of a tree; @used nodes of it are taken. */
static int put_tree(int fd, const struct fork *fork, struct tree_header header,
		    uint32_t used)
{
	const uint16_t offsets[] = {
		NODE_HEADER, NODE_HEADER + TREE_HEADER, TREE_MAP, BLOCK - 8
	};
	uint32_t nodes = be32toh(fork->blocks);

	header.node_size = htobe16(BLOCK);
	header.nodes = htobe32(nodes);
	header.free_nodes = htobe32(nodes - used);
	header.clump = fork->clump;
	memcpy(block + NODE_HEADER, &header, sizeof(header));
	block[TREE_MAP] = 0xff << (8 - used);
	put_node(1, 0, offsets, 3);
	return put_block(fd, be32toh(fork->extent[0].start));
}

/* In 16-bit characters, with their number ahead */
static size_t put_name(size_t at, const char *name)
{
	size_t i, len = strlen(name);

	put16(at, len);
	for (i = 0; i < len; i++)
		put16(at + 2 + 2 * i, name[i]);
	return at + 2 + 2 * len;
}

/* Catalog keys: length, parent, name */
static size_t put_key(size_t at, uint32_t parent, const char *name)
{
	put16(at, 6 + 2 * strlen(name));
	put32(at + 2, parent);
	return put_name(at + 6, name);
}

/* The root folder, by its name and by its number */
static int put_root(int fd, uint32_t nr)
{
	const struct folder root = {
		.type = htobe16(1),
		.id = htobe32(ROOT_FOLDER),
		.mode = htobe16(S_IFDIR | 0755),
	};
	uint16_t offsets[3] = { NODE_HEADER };
	size_t at = put_key(NODE_HEADER, ROOT_PARENT, VOLUME_NAME);

	memcpy(block + at, &root, sizeof(root));
	at += sizeof(root);
	offsets[1] = at;
	at = put_key(at, ROOT_FOLDER, "");
	put16(at, 3);
	put32(at + 4, ROOT_PARENT);
	offsets[2] = put_name(at + 8, VOLUME_NAME);
	put_node(-1, 1, offsets, 2);
	return put_block(fd, nr);
}

static struct fork make_fork(uint32_t start, uint32_t count)
{
	struct fork fork = {
		.size = htobe64((uint64_t)count * BLOCK),
		.clump = htobe32(count * BLOCK),
		.blocks = htobe32(count),
	};

	fork.extent[0].start = htobe32(start);
	fork.extent[0].count = htobe32(count);
	return fork;
}

/* The first @used blocks are taken, and the last one. */
static int put_bitmap(int fd, uint32_t start, uint32_t count, uint32_t used,
		      uint32_t blocks)
{
	uint32_t i, bit, nr;

	for (i = 0; i < count; i++) {
		for (bit = 0; bit < BLOCK * 8; bit++) {
			nr = i * BLOCK * 8 + bit;
			if (nr < used || nr == blocks - 1)
				block[bit / 8] |= 0x80 >> bit % 8;
		}
		if (put_block(fd, start + i))
			return -1;
	}
	return 0;
}

static int put_headers(int fd, const struct volume_header *header,
		       uint64_t bytes)
{
	const ssize_t size = sizeof(*header);

	return pwrite(fd, header, size, HEADER_AT) != size ||
	       pwrite(fd, header, size, bytes - HEADER_AT) != size;
}

static int format(int fd, uint64_t bytes)
{
	uint32_t blocks = bytes / BLOCK;
	uint32_t bitmaps = (blocks + BLOCK * 8 - 1) / (BLOCK * 8);
	uint32_t used = 1 + bitmaps + EXTENTS_BLOCKS + CATALOG_BLOCKS;
	struct volume_header header = {
		.signature = "H+",
		.version = htobe16(4),
		.attributes = htobe32(0x100),	/* unmounted in order */
		.last_mounted_by = "10.0",
		.block_size = htobe32(BLOCK),
		.blocks = htobe32(blocks),
		.free_blocks = htobe32(blocks - used - 1),
		.next_block = htobe32(used),
		.clumps = { htobe32(16 * BLOCK), htobe32(16 * BLOCK) },
		.next_id = htobe32(FIRST_USER_ID),
		.encodings = htobe64(1),
		.allocation = make_fork(1, bitmaps),
		.extents = make_fork(1 + bitmaps, EXTENTS_BLOCKS),
		.catalog = make_fork(1 + bitmaps + EXTENTS_BLOCKS,
				     CATALOG_BLOCKS),
	};
	const struct tree_header extents = {
		.max_key = htobe16(10),
		.attributes = htobe32(2),	/* long keys */
	};
	const struct tree_header catalog = {
		.depth = htobe16(1),
		.root = htobe32(1),
		.records = htobe32(2),
		.first_leaf = htobe32(1),
		.last_leaf = htobe32(1),
		.max_key = htobe16(516),
		.attributes = htobe32(6),	/* of any length, in all nodes */
	};

	return put_bitmap(fd, 1, bitmaps, used, blocks) ||
	       put_tree(fd, &header.extents, extents, 1) ||
	       put_tree(fd, &header.catalog, catalog, 2) ||
	       put_root(fd, be32toh(header.catalog.extent[0].start) + 1) ||
	       put_headers(fd, &header, bytes) || fsync(fd);
}

int main(int argc, char **argv)
{
	uint64_t bytes = 0;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: mkhfsplus DEVICE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) || format(fd, bytes)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
