// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O on a file system that the caller brings:
 *
 *	dio_fs [OPTION]... NAME COMMAND...
 *
 * The command is called for each step, with the step's name, a block device
 * and a directory behind its own arguments: "format", "mount", "prepare",
 * "unmount", "mount", "unmount", "check". It exits with 0 if all is well. The
 * tests work on a file named "file" in the directory, which is there and full
 * at "prepare".
 *
 *	-a BYTES	position, length and memory are multiples of that (512)
 *	-b read		reads go by way of the page cache, O_DIRECT or not
 *	-b write	writes do
 *	-c		of a network file system, and cached on the device; the
 *			file must be there and hold the pattern
 *	-d DEVICE	what it stands on, in place of RAM disks
 *	-f		there is that file and no other can be made
 *	-g		direct writes behind the end of a file are refused
 *	-h		what serves it does not stand on the device: the command holds
 *			what comes by "hold", returns from "arrive" when something has
 *			come, and lets it go by "resume", held or not
 *	-m		it takes memory that what is below cannot
 *	-n FILE		of a network file system, whose server reads FILE by way of
 *			the page cache: that is dropped before I/O is held
 *	-o GROUP	only these cases
 *	-q		a direct write can have to wait for those in flight
 *	-r		read-only; the file must be there and hold the pattern
 *	-s		the file is written sequentially, and there is no other
 *	-w		who submits an asynchronous I/O waits for it
 *	-x GROUP	leave these cases out
 *
 *	dio_fs -p FILE
 *
 * does nothing but write the pattern to a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "dio_fs.h"

#define MAX_EXCLUDED	16
#define USAGE \
	"usage: dio_fs [-a BYTES] [-b read|write]... [-d DEVICE] [-c|-f|-r|-s] [-ghmqw]\n" \
	"              [-n FILE] [-o GROUP] [-x GROUP]... NAME COMMAND...\n" \
	"       dio_fs -p FILE\n"

static const char *only;
static const char *excluded[MAX_EXCLUDED];
static int nr_excluded;

static void usage(void)
{
	fputs(USAGE, stderr);
	exit(2);
}

static bool group_exists(const char *name)
{
	size_t i;

	for (i = 0; i < fs_nr_groups; i++)
		if (!strcmp(fs_groups[i].name, name))
			return true;
	return false;
}

static void exclude(const char *name)
{
	if (!group_exists(name) || nr_excluded == MAX_EXCLUDED)
		usage();
	excluded[nr_excluded++] = name;
}

/* These are waited for, even if they are asynchronous. */
static void buffer_writes(void)
{
	dio_given.buffered[true] = true;
	dio_given.can &= ~(DIO_CAN_WAIT | DIO_CAN_QUEUE);
}

/* Each in a thread of its own, which is too much where many are in flight. */
static void wait_for_async(void)
{
	dio_given.waits = true;
	dio_given.can &= ~DIO_CAN_QUEUE;
}

static int write_pattern(const char *path)
{
	unsigned char *data = malloc(DIO_REGION);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (!data || fd < 0)
		return 1;
	dio_pattern_fill(data, DIO_REGION, 0);
	return write(fd, data, DIO_REGION) != DIO_REGION || close(fd);
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+a:b:cd:fghmn:o:p:qrswx:")) != -1) {
		if (option == 'a')
			dio_given.align = atol(optarg);
		else if (option == 'b' && !strcmp(optarg, "read"))
			dio_given.buffered[false] = true;
		else if (option == 'b' && !strcmp(optarg, "write"))
			buffer_writes();
		else if (option == 'm')
			dio_given.can &= ~DIO_CAN_JUDGE;
		else if (option == 'n')
			dio_dev_set_cached(optarg);
		else if (option == 'o' && group_exists(optarg))
			only = optarg;
		else if (option == 'p')
			exit(write_pattern(optarg));
		else if (option == 'c')
			dio_given.can = DIO_CAN_CACHE;
		else if (option == 'd')
			dio_dev_set_backing(optarg);
		else if (option == 'f')
			dio_given.can &= ~DIO_CAN_CREATE;
		else if (option == 'g')
			dio_given.can &= ~DIO_CAN_GAP;
		else if (option == 'h')
			dio_given.holds = true;
		else if (option == 'q')
			dio_given.can &= ~DIO_CAN_QUEUE;
		else if (option == 'r')
			dio_given.can = DIO_CAN_READ | DIO_CAN_JUDGE;
		else if (option == 's')
			dio_given.can = DIO_CAN_READ | DIO_CAN_APPEND |
					DIO_CAN_JUDGE;
		else if (option == 'w')
			wait_for_async();
		else if (option == 'x')
			exclude(optarg);
		else
			usage();
	}
	if (argc - optind < 2 || dio_given.align < DIO_SECTOR)
		usage();
	dio_given.name = argv[optind];
	dio_given.command = argv + optind + 1;
}

static bool applies(const struct fs_group *group)
{
	int i;

	if ((group->needs & dio_given.can) != group->needs ||
	    (only && strcmp(group->name, only)) ||
	    (group->align && group->align < dio_given.align))
		return false;
	for (i = 0; i < nr_excluded; i++)
		if (!strcmp(group->name, excluded[i]))
			return false;
	return true;
}

/* And the steps: format, mount, remount, check */
static unsigned int count_cases(void)
{
	unsigned int nr = 4;
	size_t i;

	for (i = 0; i < fs_nr_groups; i++)
		if (applies(&fs_groups[i]))
			nr += fs_groups[i].nr;
	return nr;
}

static void announce(const char *group)
{
	printf("# group: %s\n", group);
}

static void step_result(const char *step, bool good)
{
	struct dio_pins pins = { 0, 0 };
	char text[160];

	announce(step);
	snprintf(text, sizeof(text), "%s, %s", dio_given.name, step);
	dio_result(text, DIO_KEPT, good ? DIO_KEPT : DIO_ERROR, &pins, true);
}

static void run_group(const struct fs_group *group, int setup)
{
	const struct dio_set set = { DIO_GIVEN, group->cases, group->nr };
	const struct fork_set forks = {
		DIO_GIVEN, group->fork_cases, group->nr
	};

	announce(group->name);
	if (group->cases)
		dio_run_set(&set, setup);
	else
		fork_run_set(&forks, setup);
}

/* What was there before is there again, read from the device. */
static bool remount(void)
{
	unsigned char *data = malloc(DIO_WRITE_POS);
	bool writes = dio_given.can & DIO_CAN_WRITE;
	bool good;

	good = data && (!writes || fs_keep()) &&
	       !dio_given_step("unmount") && !dio_given_mount() &&
	       (!writes || fs_kept()) &&
	       !dio_target_load(DIO_GIVEN, data, DIO_WRITE_POS, 0) &&
	       dio_expect(dio_pattern_is(data, DIO_WRITE_POS, 0),
			  "the file is not what it was");
	free(data);
	return good;
}

int main(int argc, char **argv)
{
	bool good;
	int setup;
	size_t i;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	dio_begin(count_cases());
	setup = dio_given_step("format");
	step_result("format", !setup);
	if (!setup)
		setup = dio_target_setup(DIO_GIVEN);
	if (!setup)
		setup = dio_given_step("prepare");
	step_result("mount", !setup);
	for (i = 0; i < fs_nr_groups; i++)
		if (applies(&fs_groups[i]))
			run_group(&fs_groups[i], setup);
	step_result("remount", !setup && remount());
	good = !setup && !dio_given_step("unmount") && !dio_given_step("check");
	step_result("check", good);
	dio_target_teardown(DIO_GIVEN);
	dio_end();
}
