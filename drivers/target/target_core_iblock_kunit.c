// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of iblock: a command completes once, after the last of its bios,
 * and says whether it failed.
 */
#include <kunit/test.h>
#include <linux/bio.h>
#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/scatterlist.h>
#include <linux/t10-pi.h>
#include <asm/unaligned.h>
#include <scsi/scsi_proto.h>
#include <target/target_core_base.h>
#include <target/target_core_backend.h>
#include <target/target_core_fabric.h>

#include "target_core_iblock.h"
#include "target_core_internal.h"

/* How many bios iblock submits at a time, and how many a command needs. */
#define BATCH		32
#define BIOS		(BATCH + 4)
/* A segment is one block. They do not merge, all being in the same place. */
#define BLOCKS		(BIOS * BIO_MAX_VECS)

/* A command, the device that it is for, and the disk below. */
struct iblock_test {
	struct gendisk *disk;
	struct bio_list in_flight;

	struct se_hba *hba;
	struct se_device *dev;
	/* The device's, and its bios. */
	struct bio_set *bio_set;
	unsigned int bios;
	/* Counted down; at the last, the disk loses its integrity profile. */
	unsigned int fail_at;

	struct se_portal_group tpg;
	struct se_session sess;
	struct se_lun lun;
	struct se_cmd cmd;
	struct scatterlist *data;
	struct scatterlist prot;
	u8 sense[TRANSPORT_SENSE_BUFFER];
	unsigned int completed;
	struct completion done;
};

static void take_bio(struct bio *bio)
{
	struct iblock_test *t = bio->bi_bdev->bd_disk->private_data;

	bio_list_add(&t->in_flight, bio);
}

static const struct block_device_operations disk_ops = {
	.submit_bio = take_bio,
};

static void *alloc_test_bio(gfp_t gfp, void *data)
{
	struct iblock_test *t = data;

	t->bios++;
	if (t->fail_at && !--t->fail_at)
		blk_integrity_unregister(t->disk);
	return mempool_alloc_slab(gfp, t->bio_set->bio_slab);
}

static void free_test_bio(void *bio, void *data)
{
	struct iblock_test *t = data;

	t->bios--;
	mempool_free_slab(bio, t->bio_set->bio_slab);
}

static int nothing(struct se_cmd *cmd)
{
	return 0;
}

/* A fabric may free the pages of the command here. */
static int check_stop_free(struct se_cmd *cmd)
{
	struct iblock_test *t = container_of(cmd, struct iblock_test, cmd);

	t->completed++;
	complete(&t->done);
	return 1;
}

static const struct target_core_fabric_ops fabric_ops = {
	.fabric_name = "kunit",
	.get_cmd_state = nothing,
	.queue_data_in = nothing,
	.queue_status = nothing,
	.check_stop_free = check_stop_free,
};

static void make_disk(struct kunit *test, struct iblock_test *t)
{
	struct blk_integrity integrity = {
		.tuple_size = sizeof(struct t10_pi_tuple),
	};

	t->disk = blk_alloc_disk(NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, t->disk);
	t->disk->fops = &disk_ops;
	t->disk->private_data = t;
	set_capacity(t->disk, BLOCKS);
	blk_integrity_register(t->disk, &integrity);
}

static void make_device(struct kunit *test, struct iblock_test *t)
{
	struct iblock_dev *ib_dev;
	mempool_t *pool;

	t->hba = core_alloc_hba("iblock", 0, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->hba));
	t->dev = target_alloc_device(t->hba, "kunit");
	KUNIT_ASSERT_NOT_NULL(test, t->dev);
	t->dev->dev_attrib.block_size = SECTOR_SIZE;
	t->dev->dev_attrib.pi_prot_type = TARGET_DIF_TYPE1_PROT;
	ib_dev = container_of(t->dev, struct iblock_dev, dev);
	ib_dev->ibd_bd = t->disk->part0;
	t->bio_set = &ib_dev->ibd_bio_set;
	KUNIT_ASSERT_EQ(test, 0,
			bioset_init(t->bio_set, 1, 0, BIOSET_NEED_BVECS));
	pool = &t->bio_set->bio_pool;
	mempool_exit(pool);
	KUNIT_ASSERT_EQ(test, 0, mempool_init(pool, 1, alloc_test_bio,
					      free_test_bio, t));
	/* What the pool keeps does not count. */
	t->bios = 0;
}

static int iblock_test_init(struct kunit *test)
{
	size_t prot_size = BLOCKS * sizeof(struct t10_pi_tuple);
	struct iblock_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	void *prot = kunit_kzalloc(test, prot_size, GFP_KERNEL);
	void *block = kunit_kzalloc(test, SECTOR_SIZE, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_TRUE(test, t && prot && block);
	t->data = kunit_kcalloc(test, BLOCKS, sizeof(*t->data),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->data);
	sg_init_one(&t->prot, prot, prot_size);
	sg_init_table(t->data, BLOCKS);
	for (i = 0; i < BLOCKS; i++)
		sg_set_buf(&t->data[i], block, SECTOR_SIZE);
	make_disk(test, t);
	make_device(test, t);
	t->sess.se_tpg = &t->tpg;
	init_completion(&t->done);
	test->priv = t;
	return 0;
}

static void iblock_test_exit(struct kunit *test)
{
	struct iblock_test *t = test->priv;
	struct bio *bio;

	if (!t)
		return;
	/* Of a test that failed; their command may be gone. */
	while ((bio = bio_list_pop(&t->in_flight)))
		bio_put(bio);
	bioset_exit(t->bio_set);
	target_free_device(t->dev);
	core_delete_hba(t->hba);
	put_disk(t->disk);
}

/* A read with protection information, for which iblock needs BIOS. */
static void execute_read(struct kunit *test)
{
	struct iblock_test *t = test->priv;
	struct se_cmd *cmd = &t->cmd;
	u8 cdb[10] = { READ_10, 1 << 5 };

	put_unaligned_be16(BLOCKS, &cdb[7]);
	__target_init_cmd(cmd, &fabric_ops, &t->sess,
			  BLOCKS * SECTOR_SIZE, DMA_FROM_DEVICE,
			  TCM_SIMPLE_TAG, t->sense, 0, NULL);
	cmd->se_dev = t->dev;
	cmd->se_lun = &t->lun;
	cmd->t_data_sg = t->data;
	cmd->t_data_nents = BLOCKS;
	cmd->t_prot_sg = &t->prot;
	cmd->t_prot_nents = 1;
	KUNIT_ASSERT_FALSE(test, target_cmd_init_cdb(cmd, cdb, GFP_KERNEL));
	KUNIT_ASSERT_FALSE(test, target_cmd_parse_cdb(cmd));
	__target_execute_cmd(cmd, false);
}

/* End the bios in flight. The command waits for the last of them. */
static void end_bios(struct kunit *test, unsigned int bios)
{
	struct iblock_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, bio_list_size(&t->in_flight), bios);
	for (; bios; bios--) {
		KUNIT_EXPECT_EQ(test, t->bios, bios);
		KUNIT_ASSERT_EQ(test, t->completed, 0);
		KUNIT_ASSERT_FALSE(test,
				   t->cmd.transport_state & CMD_T_COMPLETE);
		bio_endio(bio_list_pop(&t->in_flight));
	}
}

/* The command has completed, once, and no bio is left. */
static void expect_completed(struct kunit *test, bool failed)
{
	struct iblock_test *t = test->priv;

	KUNIT_ASSERT_NE(test, 0,
			wait_for_completion_timeout(&t->done, 10 * HZ));
	if (t->cmd.work.func)
		flush_work(&t->cmd.work);
	KUNIT_EXPECT_EQ(test, t->completed, 1);
	KUNIT_EXPECT_EQ(test, t->bios, 0);
	KUNIT_EXPECT_EQ(test, t->cmd.scsi_status,
			failed ? SAM_STAT_CHECK_CONDITION : SAM_STAT_GOOD);
	if (failed) {
		/* LOGICAL UNIT COMMUNICATION FAILURE */
		KUNIT_EXPECT_EQ(test, t->sense[2], NOT_READY);
		KUNIT_EXPECT_EQ(test, t->sense[12], 0x08);
	}
}

static void good(struct kunit *test)
{
	execute_read(test);
	end_bios(test, BIOS);
	expect_completed(test, false);
}

static void bio_error(struct kunit *test)
{
	struct iblock_test *t = test->priv;

	execute_read(test);
	t->in_flight.head->bi_status = BLK_STS_IOERR;
	end_bios(test, BIOS);
	expect_completed(test, true);
}

/* One bio gets no payload, when iblock has submitted so many. */
static void check_no_payload(struct kunit *test, unsigned int fail_at,
			     unsigned int submitted)
{
	struct iblock_test *t = test->priv;

	t->fail_at = fail_at;
	execute_read(test);
	end_bios(test, submitted);
	expect_completed(test, true);
}

static void no_payload_in_batch(struct kunit *test)
{
	check_no_payload(test, BATCH, 0);
}

static void no_payload_after_batch(struct kunit *test)
{
	check_no_payload(test, BATCH + 1, BATCH);
}

static void no_payload_in_second_batch(struct kunit *test)
{
	check_no_payload(test, BATCH + 3, BATCH);
}

static struct kunit_case iblock_cases[] = {
	KUNIT_CASE(good),
	KUNIT_CASE(bio_error),
	KUNIT_CASE(no_payload_in_batch),
	KUNIT_CASE(no_payload_after_batch),
	KUNIT_CASE(no_payload_in_second_batch),
	{}
};

static struct kunit_suite iblock_suite = {
	.name		= "iblock",
	.init		= iblock_test_init,
	.exit		= iblock_test_exit,
	.test_cases	= iblock_cases,
};

kunit_test_suite(iblock_suite);
