// SPDX-License-Identifier: GPL-2.0
/*
 * ceph-command COMMAND...: has the monitor of a Ceph cluster carry out commands,
 * each in JSON, as the program "ceph" does, which is in Python.
 */
#include <rados/librados.h>
#include <stdio.h>
#include <string.h>

static int command(rados_t cluster, const char *text)
{
	size_t size, status_size;
	char *out, *status;
	int ret;

	ret = rados_mon_command(cluster, &text, 1, "", 0, &out, &size, &status,
				&status_size);
	if (ret)
		fprintf(stderr, "%s: %s: %.*s\n", text, strerror(-ret),
			(int)status_size, status);
	else
		printf("%.*s\n", (int)size, out);
	return ret;
}

int main(int argc, char **argv)
{
	rados_t cluster;
	int ret, i;

	ret = rados_create(&cluster, NULL);
	if (!ret)
		ret = rados_conf_read_file(cluster, NULL);
	if (!ret)
		ret = rados_connect(cluster);
	/* The monitor refuses a command that comes without the cluster's name. */
	if (!ret)
		ret = rados_wait_for_latest_osdmap(cluster);
	if (ret) {
		fprintf(stderr, "no monitor: %s\n", strerror(-ret));
		return 1;
	}
	for (i = 1; !ret && i < argc; i++)
		ret = command(cluster, argv[i]);
	rados_shutdown(cluster);
	return ret ? 1 : 0;
}
