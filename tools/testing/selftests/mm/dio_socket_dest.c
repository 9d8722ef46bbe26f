// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are written back while the cipher waits, that cannot be written to,
 * or that the kernel or io_uring keeps; ciphers that fail, and receivers that die.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_socket.h"

/* The zero page takes no pin, and must not lose a reference. */
bool sock_zero_hash(struct sock_test *t)
{
	size_t size = 16 * DIO_PAGE;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool good;
	int i;

	t->unpinned = true;
	madvise(map, size, MADV_NOHUGEPAGE);
	for (i = 0, good = map != MAP_FAILED; good && i < 16; i++)
		good = send(t->chan.fd, map, size, MSG_MORE) == (ssize_t)size;
	munmap(map, size);
	return dio_expect(good, "hash: %s", strerror(errno));
}

/* The pages are written back, and so clean, before the cipher writes. */
static bool clean_in_flight(struct sock_test *t, int file)
{
	bool clean;

	if (!sock_start_held(t))
		return false;
	clean = !sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
				 SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER);
	return sock_finish_held(t, t->len) &&
	       dio_expect(clean, "sync_file_range failed") &&
	       dio_expect(sock_received(t), "wrong data");
}

static bool in_file(struct sock_test *t, size_t size)
{
	unsigned char *data = malloc(size);
	bool good;

	good = data && dio_expect(dio_scratch_load(data, size) == size,
				  "%s: %s", dio_target_scratch(),
				  strerror(errno));
	if (good) {
		t->lost = memcmp(data + t->c->shape->start, t->wanted, t->len);
		good = !t->lost;
	}
	free(data);
	return good;
}

bool sock_clean(struct sock_test *t)
{
	size_t size = t->c->shape->start + t->c->shape->len;
	unsigned char *map;
	bool good;
	int file;

	if (!dio_target_there(DIO_EXT2, t->setup))
		return false;
	file = dio_scratch_create(0, size, size);
	if (!dio_expect(file >= 0, "%s: %s", dio_target_scratch(),
			strerror(-file)))
		return false;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	sock_set_iov(t, map);
	t->pages = dio_iov_pages(t->io.iov, t->io.nr_iov);
	good = dio_expect(map != MAP_FAILED, "mmap: %s", strerror(errno)) &&
	       sock_learn(t) && sock_feed(t) && clean_in_flight(t, file);
	munmap(map, size);
	close(file);
	return good && in_file(t, size);
}

static bool expect_error(struct sock_test *t, ssize_t error)
{
	ssize_t ret = sock_io_now(&t->io);

	return dio_expect(ret == error, "result %zd", ret);
}

bool sock_read_only(struct sock_test *t)
{
	bool good;

	if (!sock_buffer(t))
		return false;
	mprotect(t->buf.data + t->buf.size - DIO_PAGE, DIO_PAGE, PROT_READ);
	t->pages--;
	good = sock_feed(t) && expect_error(t, -EFAULT);
	mprotect(t->buf.data + t->buf.size - DIO_PAGE, DIO_PAGE,
		 PROT_READ | PROT_WRITE);
	return good;
}

bool sock_forged_aead(struct sock_test *t)
{
	return sock_buffer(t) &&
	       dio_expect(sock_aead_feed_forged(&t->chan, t->len), "feed: %s",
			  strerror(errno)) &&
	       expect_error(t, -EBADMSG);
}

bool sock_forged_tls(struct sock_test *t)
{
	close(t->chan.fd);
	close(t->chan.peer);
	return sock_tls_open_plain(&t->chan) && sock_buffer(t) &&
	       sock_tls_feed_forged(&t->chan, t->len) &&
	       expect_error(t, -EBADMSG);
}

static void kill_self(struct sock_test *t)
{
	if (sock_io_start_held(&t->io))
		_exit(1);
	kill(getpid(), SIGKILL);
}

/* The receiver dies; its parent's copy of the memory stays as it was. */
bool sock_kill(struct sock_test *t)
{
	int status = 0;
	pid_t pid;

	if (!sock_buffer(t) || !sock_feed(t))
		return false;
	pid = fork();
	if (!pid)
		kill_self(t);
	return dio_expect(waitpid(pid, &status, 0) == pid &&
			  WIFSIGNALED(status), "status %#x", status) &&
	       dio_expect(dio_all_is(t->buf.data, t->buf.size, SOCK_FILL),
			  "the parent's memory changed");
}

/* Into pages of the kernel, which takes no hold on them */
bool sock_splice(struct sock_test *t)
{
	unsigned char got[4096];
	struct dio_pins pins;
	ssize_t ret = -1;
	int fds[2];
	bool good;

	t->len = t->c->shape->len;
	if (!sock_learn(t) || !sock_feed(t) || pipe(fds))
		return false;
	dio_pins_read(&pins);
	good = dio_expect(splice(t->chan.fd, NULL, fds[1], NULL, t->len, 0) ==
			  (ssize_t)t->len, "splice: %s", strerror(errno));
	pins = dio_pins_since(&pins);
	good = dio_expect(!pins.acquired, "%ld pins", pins.acquired) && good;
	if (good)
		ret = read(fds[0], got, sizeof(got));
	close(fds[0]);
	close(fds[1]);
	return good && dio_expect(ret == t->len &&
				  !memcmp(got, t->wanted, t->len),
				  "wrong data in the pipe");
}

/* The buffer is pinned by its registration, and nothing takes a hold of it. */
bool sock_registered(struct sock_test *t)
{
	struct dio_req req;
	ssize_t ret;

	if (!sock_buffer(t) || !sock_learn(t) || !sock_feed(t))
		return false;
	req = (struct dio_req) {
		.fd = t->chan.fd,
		.iov = t->io.iov,
		.nr_iov = 1,
		.method = DIO_URING_FIXED,
	};
	ret = dio_start(&req);
	if (!ret)
		ret = dio_finish(&req);
	return dio_expect(ret == t->len, "result %zd", ret) &&
	       dio_expect(sock_received(t), "wrong data");
}
