// SPDX-License-Identifier: GPL-2.0
/*
 * fuse-file DEVICE DIRECTORY [direct]: a file system with one file, named "file",
 * which has the first 8 MiB of a block device. It is read and written past the
 * page cache, so that a request waits for as long as the device is held. If
 * "direct", the kernel does not cache the file either, O_DIRECT or not.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_INODE	2
#define FILE_NAME	"file"
#define FILE_SIZE	(8 << 20)
#define ALIGNMENT	4096
#define MAX_BACKGROUND	100
/* For as long as the kernel likes: nobody else changes anything. */
#define VALID_SECONDS	1e9

static int disk;
static bool direct;

static void fill_stat(fuse_ino_t inode, struct stat *st)
{
	*st = (struct stat) {
		.st_ino = inode,
		.st_mode = S_IFDIR | 0700,
		.st_nlink = 2,
	};
	if (inode == FILE_INODE) {
		st->st_mode = S_IFREG | 0600;
		st->st_nlink = 1;
		st->st_size = FILE_SIZE;
	}
}

/* Many requests can be in flight before the kernel waits to send another. */
static void file_init(void *unused, struct fuse_conn_info *connection)
{
	(void)unused;
	connection->max_background = MAX_BACKGROUND;
}

static void file_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {
		.ino = FILE_INODE,
		.attr_timeout = VALID_SECONDS,
		.entry_timeout = VALID_SECONDS,
	};

	if (parent != FUSE_ROOT_ID || strcmp(name, FILE_NAME)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_stat(FILE_INODE, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void file_getattr(fuse_req_t req, fuse_ino_t inode,
			 struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	fill_stat(inode, &st);
	fuse_reply_attr(req, &st, VALID_SECONDS);
}

/* Its size stays what it is, whoever opens it with O_TRUNC. */
static void file_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *st,
			 int what, struct fuse_file_info *info)
{
	(void)st;
	(void)what;
	file_getattr(req, inode, info);
}

static void file_open(fuse_req_t req, fuse_ino_t inode,
		      struct fuse_file_info *info)
{
	info->direct_io = direct;
	if (inode == FILE_INODE)
		fuse_reply_open(req, info);
	else
		fuse_reply_err(req, EISDIR);
}

/* How far into its first block a request begins; it can be for any bytes. */
static size_t lead_of(off_t pos)
{
	return pos % ALIGNMENT;
}

/* The size of all blocks that it touches */
static size_t blocks_of(size_t size, off_t pos)
{
	return (lead_of(pos) + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool load(void *blocks, size_t size, off_t pos)
{
	size = blocks_of(size, pos);
	return pread(disk, blocks, size, pos - lead_of(pos)) == (ssize_t)size;
}

static bool store(const void *blocks, size_t size, off_t pos)
{
	size = blocks_of(size, pos);
	return pwrite(disk, blocks, size, pos - lead_of(pos)) == (ssize_t)size;
}

static void file_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t pos,
		      struct fuse_file_info *info)
{
	char *blocks = aligned_alloc(ALIGNMENT, blocks_of(size, pos));

	(void)inode;
	(void)info;
	if (pos + size > FILE_SIZE)
		size = pos < FILE_SIZE ? FILE_SIZE - pos : 0;
	if (blocks && load(blocks, size, pos))
		fuse_reply_buf(req, blocks + lead_of(pos), size);
	else
		fuse_reply_err(req, EIO);
	free(blocks);
}

/* One at a time: two requests can have their ends in the same block. */
static bool write_partly(char *blocks, const char *from, size_t size, off_t pos)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	bool done = false;

	pthread_mutex_lock(&lock);
	if (load(blocks, size, pos)) {
		memcpy(blocks + lead_of(pos), from, size);
		done = store(blocks, size, pos);
	}
	pthread_mutex_unlock(&lock);
	return done;
}

static bool write_whole(char *blocks, const char *from, size_t size, off_t pos)
{
	memcpy(blocks, from, size);
	return store(blocks, size, pos);
}

static void file_write(fuse_req_t req, fuse_ino_t inode, const char *from,
		       size_t size, off_t pos, struct fuse_file_info *info)
{
	size_t whole = blocks_of(size, pos);
	char *blocks = aligned_alloc(ALIGNMENT, whole);
	bool done = false;

	(void)inode;
	(void)info;
	if (blocks && pos + size <= FILE_SIZE)
		done = size == whole ? write_whole(blocks, from, size, pos) :
				       write_partly(blocks, from, size, pos);
	if (done)
		fuse_reply_write(req, size);
	else
		fuse_reply_err(req, EIO);
	free(blocks);
}

static void file_fsync(fuse_req_t req, fuse_ino_t inode, int datasync,
		       struct fuse_file_info *info)
{
	(void)inode;
	(void)datasync;
	(void)info;
	fuse_reply_err(req, fsync(disk) ? errno : 0);
}

static const struct fuse_lowlevel_ops operations = {
	.init = file_init,
	.lookup = file_lookup,
	.getattr = file_getattr,
	.setattr = file_setattr,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.fsync = file_fsync,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config config = { .max_idle_threads = 10 };
	struct fuse_session *session;
	int ret;

	direct = argc == 4 && !strcmp(argv[3], "direct");
	if (argc != 3 + direct) {
		fprintf(stderr, "usage: fuse-file DEVICE DIRECTORY [direct]\n");
		return 2;
	}
	disk = open(argv[1], O_RDWR | O_DIRECT);
	if (disk < 0) {
		perror(argv[1]);
		return 1;
	}
	session = fuse_session_new(&args, &operations, sizeof(operations),
				   NULL);
	if (!session || fuse_set_signal_handlers(session) ||
	    fuse_session_mount(session, argv[2])) {
		fprintf(stderr, "%s: not mounted\n", argv[2]);
		return 1;
	}
	/* It is there when the parent is done. */
	fuse_daemonize(0);
	ret = fuse_session_loop_mt(session, &config);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return ret;
}
