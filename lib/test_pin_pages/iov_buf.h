/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of every kind, and iterators over parts of it, for the suite
 * iov_iter_extract.
 */
#ifndef _TEST_PIN_PAGES_IOV_BUF_H
#define _TEST_PIN_PAGES_IOV_BUF_H

#include <linux/bvec.h>
#include <linux/uio.h>
#include "test.h"

#define P		PAGE_SIZE
#define BUF_ORDER	4
#define BUF_PAGES	16
#define MAX_SEGS	8

/* A part of the buffer: the bytes from one offset up to another. */
struct part {
	size_t from;
	size_t to;
};

#define END	{ SIZE_MAX, SIZE_MAX }

extern const struct part whole[];

struct limits {
	size_t maxsize;
	unsigned int maxpages;
};

/* A buffer, and the segments of an iterator over parts of it. */
struct buf {
	const struct buf_kind *kind;
	void *addr;
	char __user *uaddr;
	struct page *pages[BUF_PAGES];
	int refs[BUF_PAGES];
	union {
		struct iovec iov[MAX_SEGS];
		struct kvec kvec[MAX_SEGS];
		struct bio_vec bvec[MAX_SEGS];
	};
};

struct buf_kind {
	void (*make)(struct buf *buf);
	void (*iter)(struct buf *buf, const struct part *segs,
		     unsigned int nr_segs, unsigned int direction,
		     struct iov_iter *iter);
	bool pins;
};

extern const struct buf_kind user_small;
extern const struct buf_kind user_huge;
extern const struct buf_kind bvec_page;
extern const struct buf_kind bvec_far;
extern const struct buf_kind kvec_linear;
extern const struct buf_kind kvec_vmap;
extern const struct buf_kind kvec_module;
extern const struct buf_kind kvec_image;

/* One of each type of iterator. */
#define NR_KINDS	3
extern const struct buf_kind *const every_kind[NR_KINDS];

struct buf *make_buf(const struct buf_kind *kind);
void make_iter(struct buf *buf, const struct part *segs, unsigned int direction,
	       struct iov_iter *iter);
void expect_held(struct buf *buf, unsigned int first, unsigned int nr);

#endif /* _TEST_PIN_PAGES_IOV_BUF_H */
