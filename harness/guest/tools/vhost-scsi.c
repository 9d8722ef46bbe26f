// SPDX-License-Identifier: GPL-2.0
/*
 * vhost-scsi -m FILE [-o GROUP] NAME COMMAND...: plays the guest of vhost-scsi,
 * whose disk is the device that can be held. Called as dio_fs is, and says what
 * that says. FILE is mapped to be read into.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_scsi.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dio_common.h"

#define WWN		"naa.6001405d10d10d12"
#define TPG		1
#define IO_QUEUE	2
#define QUEUE_SIZE	64
#define MAX_SEGS	16
#define ANSWER_SECONDS	20
#define BAD_ANSWER	(-1000)		/* and what is in it */
#define TEST_UNIT_READY	0x00
#define READ_10		0x28
#define WRITE_10	0x2a
#define CHECK_CONDITION	0x02
/* All of the addresses that the program can have, as they are */
#define MEMORY_START	0x1000ULL
#define MEMORY_END	0x7ffffffff000ULL

enum child { STAYS, EXITS, WRITES };

struct io {
	bool write;
	enum dio_mem mem;
	size_t len;		/* of a segment */
	int nr;			/* in pages of their own */
	enum child child;	/* of fork cases */
};

struct group {
	const char *name;
	const struct dio_case *cases;
	size_t nr;
};

static struct {
	int fd, kick;
	struct vring ring;
	union {
		struct virtio_scsi_cmd_req plain;
		struct virtio_scsi_cmd_req_pi protected;
	} request;
	struct virtio_scsi_cmd_resp response;
	bool protected;
} guest = { .fd = -1, .kick = -1 };

static const char *mapped_file;

static int set_features(uint64_t features)
{
	guest.protected = features & 1ULL << VIRTIO_SCSI_F_T10_PI;
	return ioctl(guest.fd, VHOST_SET_FEATURES, &features);
}

static int set_memory(void)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region all;
	} memory = {
		.head.nregions = 1,
		.all = {
			.guest_phys_addr = MEMORY_START,
			.userspace_addr = MEMORY_START,
			.memory_size = MEMORY_END - MEMORY_START,
		},
	};

	return ioctl(guest.fd, VHOST_SET_MEM_TABLE, &memory);
}

static int set_queue(void)
{
	struct vhost_vring_state size = { IO_QUEUE, QUEUE_SIZE };
	struct vhost_vring_state base = { IO_QUEUE, 0 };
	struct vhost_vring_file kick = { IO_QUEUE, guest.kick };
	size_t bytes = vring_size(QUEUE_SIZE, DIO_PAGE);
	struct vhost_vring_addr address = { .index = IO_QUEUE };
	void *memory = aligned_alloc(DIO_PAGE, (bytes + DIO_PAGE) & -DIO_PAGE);

	if (!memory)
		return -1;
	memset(memory, 0, bytes);
	vring_init(&guest.ring, QUEUE_SIZE, memory, DIO_PAGE);
	address.desc_user_addr = (uintptr_t)guest.ring.desc;
	address.avail_user_addr = (uintptr_t)guest.ring.avail;
	address.used_user_addr = (uintptr_t)guest.ring.used;
	return ioctl(guest.fd, VHOST_SET_VRING_NUM, &size) ||
	       ioctl(guest.fd, VHOST_SET_VRING_BASE, &base) ||
	       ioctl(guest.fd, VHOST_SET_VRING_ADDR, &address) ||
	       ioctl(guest.fd, VHOST_SET_VRING_KICK, &kick);
}

static int guest_open(void)
{
	struct vhost_scsi_target target = { .vhost_wwpn = WWN };

	guest.fd = open("/dev/vhost-scsi", O_RDWR | O_CLOEXEC);
	guest.kick = eventfd(0, EFD_CLOEXEC);
	if (guest.fd < 0 || guest.kick < 0 ||
	    ioctl(guest.fd, VHOST_SET_OWNER) || set_features(0) ||
	    set_memory() || set_queue() ||
	    ioctl(guest.fd, VHOST_SCSI_SET_ENDPOINT, &target))
		return -errno;
	return 0;
}

static void guest_close(void)
{
	struct vhost_scsi_target target = { .vhost_wwpn = WWN };

	ioctl(guest.fd, VHOST_SCSI_CLEAR_ENDPOINT, &target);
	close(guest.fd);
	close(guest.kick);
}

static void set_request(const unsigned char *cdb, uint32_t protection)
{
	const unsigned char lun[8] = { 1, TPG, 0x40, 0 };

	memset(&guest.request, 0, sizeof(guest.request));
	memset(&guest.response, 0xff, sizeof(guest.response));
	/* It is at the start of either. */
	memcpy(guest.request.plain.lun, lun, sizeof(lun));
	if (guest.protected) {
		guest.request.protected.pi_bytesin = protection;
		memcpy(guest.request.protected.cdb, cdb, 10);
	} else {
		memcpy(guest.request.plain.cdb, cdb, 10);
	}
}

static int add(int at, void *base, size_t len, bool in)
{
	struct vring_desc *desc = &guest.ring.desc[at];

	desc->addr = (uintptr_t)base;
	desc->len = len;
	desc->flags = VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0);
	desc->next = at + 1;
	return at + 1;
}

static int add_data(int at, const struct iovec *iov, int nr, bool in)
{
	int i;

	for (i = 0; i < nr; i++)
		at = add(at, iov[i].iov_base, iov[i].iov_len, in);
	return at;
}

/* One request at a time, from the ring's first descriptor on */
static void post(const struct iovec *iov, int nr, bool out)
{
	struct vring *ring = &guest.ring;
	size_t size = guest.protected ? sizeof(guest.request.protected) :
					sizeof(guest.request.plain);
	uint64_t one = 1;
	int at;

	at = add(0, &guest.request, size, false);
	if (out)
		at = add_data(at, iov, nr, false);
	at = add(at, &guest.response, sizeof(guest.response), true);
	if (!out)
		at = add_data(at, iov, nr, true);
	ring->desc[at - 1].flags &= ~VRING_DESC_F_NEXT;
	ring->avail->ring[ring->avail->idx % QUEUE_SIZE] = 0;
	__atomic_store_n(&ring->avail->idx, ring->avail->idx + 1,
			 __ATOMIC_SEQ_CST);
	if (write(guest.kick, &one, sizeof(one)) != sizeof(one))
		perror("kick");
}

static bool answered(void)
{
	return __atomic_load_n(&guest.ring.used->idx, __ATOMIC_ACQUIRE) ==
	       guest.ring.avail->idx;
}

/* 0 or the SCSI status; a negative errno, or BAD_ANSWER less what is in it */
static int wait_answer(void)
{
	double deadline = dio_now() + ANSWER_SECONDS;

	while (!answered()) {
		if (dio_now() > deadline)
			return -ETIMEDOUT;
		dio_sleep_ms(1);
	}
	return guest.response.response ?
	       BAD_ANSWER - guest.response.response : guest.response.status;
}

static void start_io(const struct iovec *iov, int nr, bool write, off_t pos,
		     uint32_t protection)
{
	unsigned char cdb[10] = { write ? WRITE_10 : READ_10 };
	uint32_t block = htobe32(pos / DIO_SECTOR);
	size_t bytes = 0;
	uint16_t blocks;
	int i;

	for (i = 0; i < nr; i++)
		bytes += iov[i].iov_len;
	blocks = htobe16(bytes / DIO_SECTOR);
	memcpy(cdb + 2, &block, sizeof(block));
	memcpy(cdb + 7, &blocks, sizeof(blocks));
	set_request(cdb, protection);
	post(iov, nr, write);
}

/* The target has news for whoever comes first. */
static int wait_ready(void)
{
	const unsigned char cdb[10] = { TEST_UNIT_READY };
	int tries = 5, ret;

	do {
		set_request(cdb, 0);
		post(NULL, 0, false);
		ret = wait_answer();
	} while (ret == CHECK_CONDITION && --tries);
	return ret > 0 ? -EIO : ret;
}

/* Every segment begins a page. */
static int make_iov(struct dio_run *run, const struct io *io,
		    struct iovec *iov)
{
	size_t step = (io->len + DIO_PAGE - 1) & -DIO_PAGE;
	int i;

	if (!dio_run_buffer(run, io->mem, step * io->nr, 0x11))
		return -1;
	for (i = 0; i < io->nr; i++) {
		iov[i].iov_base = run->buf.data + i * step;
		iov[i].iov_len = io->len;
	}
	dio_run_pins(run, io->write, dio_iov_pages(iov, io->nr));
	return 0;
}

static bool pattern_arrived(const struct io *io, const struct iovec *iov)
{
	off_t pos = DIO_READ_POS;
	int i;

	for (i = 0; i < io->nr; i++, pos += io->len)
		if (!dio_pattern_is(iov[i].iov_base, io->len, pos))
			return false;
	return true;
}

static off_t position(const struct io *io)
{
	return io->write ? DIO_WRITE_POS : DIO_READ_POS;
}

static bool transfer(struct dio_run *run)
{
	const struct io *io = run->arg;
	struct iovec iov[MAX_SEGS];
	int ret;

	if (make_iov(run, io, iov))
		return false;
	start_io(iov, io->nr, io->write, position(io), 0);
	ret = wait_answer();
	if (!dio_expect(!ret, "answer %d", ret))
		return false;
	return io->write ?
	       dio_run_holds(run, io->len * io->nr, position(io), 0x11) :
	       dio_expect(pattern_arrived(io, iov), "wrong data read");
}

/* The virtqueue goes on with the next request. */
static bool only_protection(struct dio_run *run)
{
	struct iovec iov = { .iov_len = DIO_PAGE };
	uint32_t length;
	bool good = true;
	int ret;

	if (!dio_run_buffer(run, DIO_MEM_4K, DIO_PAGE, 0x11))
		return false;
	iov.iov_base = run->buf.data;
	set_features(1ULL << VIRTIO_SCSI_F_T10_PI);
	for (length = DIO_PAGE; length; length <<= 4) {
		start_io(&iov, 1, false, DIO_READ_POS, length);
		ret = wait_answer();
		good &= dio_expect(ret == BAD_ANSWER - VIRTIO_SCSI_S_BAD_TARGET,
				   "%#x bytes: answer %d", length, ret);
	}
	set_features(0);
	start_io(&iov, 1, false, DIO_READ_POS, 0);
	ret = wait_answer();
	return good && dio_expect(!ret, "answer %d", ret) &&
	       dio_expect(dio_pattern_is(iov.iov_base, DIO_PAGE, DIO_READ_POS),
			  "wrong data read");
}

static bool hold(bool write)
{
	int ret = dio_dev_wait_held(write);

	return dio_expect(!ret, "not held: %s", strerror(-ret));
}

/* Written back in flight, the page is clean unless it is marked at the end. */
static bool read_to_file(struct dio_run *run)
{
	int ret, fd = open(mapped_file, O_RDWR | O_CLOEXEC);
	struct iovec iov = { .iov_len = DIO_PAGE };
	unsigned char back[DIO_PAGE];
	unsigned char *map;
	bool good;

	map = mmap(NULL, DIO_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!dio_expect(map != MAP_FAILED, "%s: %s", mapped_file,
			strerror(errno)))
		return false;
	memset(map, 0x11, DIO_PAGE);
	iov.iov_base = map;
	run->pages = 1;
	good = !dio_dev_hold();
	start_io(&iov, 1, false, DIO_READ_POS, 0);
	good &= hold(false) && !msync(map, DIO_PAGE, MS_SYNC);
	dio_dev_release();
	ret = wait_answer();
	munmap(map, DIO_PAGE);
	dio_forget(fd, 0, DIO_PAGE);
	good &= pread(fd, back, DIO_PAGE, 0) == DIO_PAGE;
	close(fd);
	return dio_expect(good && !ret, "answer %d", ret) &&
	       dio_expect(dio_pattern_is(back, DIO_PAGE, DIO_READ_POS),
			  "data gone from the file");
}

static pid_t start_child(struct dio_run *run, enum child child)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (child == WRITES)
		memset(run->buf.data, 0x33, run->buf.size);
	if (child != EXITS)
		raise(SIGSTOP);
	_exit(0);
}

/* The child has done what it does, and is still there if it stays. */
static bool fork_in_flight(struct dio_run *run, const struct io *io, pid_t *pid)
{
	volatile unsigned char *data = run->buf.data;
	int status = 0;
	size_t i;

	*pid = start_child(run, io->child);
	if (*pid < 0 || waitpid(*pid, &status, WUNTRACED) != *pid ||
	    WIFSTOPPED(status) != (io->child != EXITS))
		return false;
	/* A store that changes nothing: the I/O fills the page. */
	for (i = 0; !io->write && i < run->buf.size; i += DIO_PAGE)
		data[i] = 0x11;
	return true;
}

static bool over_fork(struct dio_run *run)
{
	const struct io *io = run->arg;
	struct iovec iov[MAX_SEGS];
	bool good, arrived;
	pid_t pid = 0;
	int ret;

	run->stock = io->write ? DIO_KEPT : DIO_LOST;
	if (make_iov(run, io, iov))
		return false;
	good = !dio_dev_hold();
	start_io(iov, io->nr, io->write, position(io), 0);
	good &= hold(io->write) && fork_in_flight(run, io, &pid);
	dio_dev_release();
	ret = wait_answer();
	if (pid > 0 && io->child != EXITS) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (!dio_expect(good && !ret, "answer %d", ret))
		return false;
	if (io->write)
		return dio_run_holds(run, io->len * io->nr, position(io), 0x11);
	arrived = pattern_arrived(io, iov);
	run->lost = !arrived;
	return arrived;
}

#define R false
#define W true

static const struct io small = { R, DIO_MEM_4K, DIO_PAGE, 1, STAYS };
static const struct io part = { R, DIO_MEM_4K, DIO_SECTOR, 3, STAYS };
static const struct io large = { R, DIO_MEM_4K, 16 * DIO_PAGE, 16, STAYS };
static const struct io huge = { R, DIO_MEM_THP, 64 * DIO_PAGE, 1, STAYS };
static const struct io write_small = { W, DIO_MEM_4K, DIO_PAGE, 1, STAYS };
static const struct io write_large = { W, DIO_MEM_4K, 16 * DIO_PAGE, 16, STAYS };
static const struct io fork_small = { R, DIO_MEM_4K, DIO_PAGE, 1, STAYS };
static const struct io fork_many = { R, DIO_MEM_4K, DIO_PAGE, 16, STAYS };
static const struct io fork_huge = { R, DIO_MEM_THP, 16 * DIO_PAGE, 1, EXITS };
static const struct io fork_writes = { R, DIO_MEM_4K, 16 * DIO_PAGE, 1, WRITES };
static const struct io fork_write = { W, DIO_MEM_4K, 16 * DIO_PAGE, 1, WRITES };

static const struct dio_case read_cases[] = {
	{ "read 4K", transfer, &small },
	{ "read, 3 parts of pages", transfer, &part },
	{ "read 1M", transfer, &large },
	{ "read into THP", transfer, &huge },
	{ "read, protection information without data", only_protection, NULL },
};

static const struct dio_case write_cases[] = {
	{ "write 4K", transfer, &write_small },
	{ "write 1M", transfer, &write_large },
};

static const struct dio_case fork_cases[] = {
	{ "read 4K, child stays", over_fork, &fork_small },
	{ "read, 16 segments, child stays", over_fork, &fork_many },
	{ "read 64K into THP, child exits first", over_fork, &fork_huge },
	{ "read 64K, child writes", over_fork, &fork_writes },
	{ "write 64K, child writes", over_fork, &fork_write },
};

static const struct dio_case map_cases[] = {
	{ "read into a mapped file", read_to_file, NULL },
};

static const struct group groups[] = {
	{ "read", read_cases, ARRAY_SIZE(read_cases) },
	{ "write", write_cases, ARRAY_SIZE(write_cases) },
	{ "fork", fork_cases, ARRAY_SIZE(fork_cases) },
	{ "mmap", map_cases, ARRAY_SIZE(map_cases) },
};

static void step_result(const char *step, int ret)
{
	struct dio_pins pins = { 0, 0 };
	char text[160];

	printf("# group: %s\n", step);
	snprintf(text, sizeof(text), "%s, %s", dio_given.name, step);
	dio_expect(!ret, "%s: %s", step, strerror(-ret));
	dio_result(text, DIO_KEPT, ret ? DIO_ERROR : DIO_KEPT, &pins, true);
}

static const struct group *parse(int argc, char **argv, size_t *nr)
{
	const struct group *only = NULL;
	int option;
	size_t i;

	while ((option = getopt(argc, argv, "+m:o:")) > 0) {
		if (option == 'm')
			mapped_file = optarg;
		for (i = 0; option == 'o' && i < ARRAY_SIZE(groups); i++)
			if (!strcmp(groups[i].name, optarg))
				only = &groups[i];
	}
	if (!mapped_file || argc - optind < 2) {
		fprintf(stderr,
			"usage: vhost-scsi -m FILE [-o GROUP] NAME COMMAND...\n");
		exit(2);
	}
	dio_given.name = argv[optind];
	dio_given.command = argv + optind + 1;
	*nr = only ? 1 : ARRAY_SIZE(groups);
	return only ? only : groups;
}

int main(int argc, char **argv)
{
	unsigned int cases = 2;
	const struct group *group;
	size_t i, nr;
	int setup;

	group = parse(argc, argv, &nr);
	for (i = 0; i < nr; i++)
		cases += group[i].nr;
	dio_begin(cases);
	setup = dio_target_setup(DIO_GIVEN);
	if (!setup)
		setup = guest_open();
	if (!setup)
		setup = wait_ready();
	step_result("mount", setup);
	for (i = 0; i < nr; i++) {
		const struct dio_set set = { DIO_GIVEN, group[i].cases,
					     group[i].nr };

		printf("# group: %s\n", group[i].name);
		dio_run_set(&set, setup);
	}
	guest_close();
	step_result("check", setup ? setup : dio_given_step("unmount"));
	dio_target_teardown(DIO_GIVEN);
	dio_end();
}
