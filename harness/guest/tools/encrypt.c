// SPDX-License-Identifier: GPL-2.0
/*
 * encrypt DIRECTORY: gives the file system that an empty directory is on a key,
 * and has the directory encrypted by it; once it is, only the former.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KEY_SIZE	64

static int add_key(int fd, __u8 *identifier)
{
	struct fscrypt_add_key_arg *arg = calloc(1, sizeof(*arg) + KEY_SIZE);
	int ret;

	if (!arg)
		return -1;
	arg->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	arg->raw_size = KEY_SIZE;
	memset(arg->raw, 0x6b, KEY_SIZE);
	ret = ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg);
	memcpy(identifier, arg->key_spec.u.identifier,
	       FSCRYPT_KEY_IDENTIFIER_SIZE);
	free(arg);
	return ret;
}

int main(int argc, char **argv)
{
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2,
		.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
		.flags = FSCRYPT_POLICY_FLAGS_PAD_32,
	};
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: encrypt DIRECTORY\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	/* For a directory that has the same policy already, that is a no-op. */
	if (fd < 0 || add_key(fd, policy.master_key_identifier) ||
	    ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
