/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_storm.c: SRBs by dice from many threads, while units come and go, resets rain, and the file system is
 * in a bad mood; a model knows what each block may hold. LF_STORM_SEED repeats a storm, LF_STORM_SRBS sizes
 * it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/native/stage.h"

#define SRBS    100000
#define THREADS 6
#define SLOTS   8 /* SRBs that a thread has out at a time */
#define IMAGES  5
#define OWN     8 /* blocks of each image that a slot writes, and nobody else */
#define BLOCKS  (THREADS * SLOTS * OWN)

/* What a block may hold: the last version that was acknowledged, or one that may have been written since. */
struct block {
	uint32_t version, tried; /* of stage_fill; version 0: zeros */
};

struct image {
	pthread_mutex_t lock; /* up to unit */
	bool there;
	uint32_t users; /* SRBs that are sent to this unit, or are just about to be */
	struct stage_unit unit;
	char path[32];
	struct block blocks[BLOCKS]; /* each its slot's */
};

struct worker;

struct slot {
	struct worker *worker;
	struct host_request request;
	struct image *image; /* NULL: no SRB to a unit of ours */
	uint32_t first, count, version;
	enum { SLOT_IDLE, SLOT_READ, SLOT_WRITE, SLOT_OTHER } doing;
	bool ended; /* worker->lock */
	uint8_t data[OWN * STAGE_BLOCK];
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t dice;
	uint32_t number, last_version;
	struct slot slots[SLOTS];
};

static struct image images[IMAGES];
static struct worker workers[THREADS];
static int64_t left;                     /* SRBs; atomic */
static uint32_t ends;                    /* atomic */
static uint32_t bad;                     /* atomic */
static uint64_t reads, writes, failures; /* atomic */

static uint32_t throw(uint64_t * dice, uint32_t sides)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return (uint32_t)(*dice >> 20) % sides;
}

static uint32_t salt_of(const struct image *image, uint32_t version)
{
	return (uint32_t)(image - images) << 28 | version;
}

static void fill(const struct image *image, uint8_t *block, uint32_t lba, uint32_t version)
{
	if (version == 0)
		memset(block, 0, STAGE_BLOCK);
	else
		stage_fill(block, lba, salt_of(image, version));
}

static bool holds(const struct image *image, const uint8_t *got, uint32_t lba)
{
	uint8_t block[STAGE_BLOCK];

	fill(image, block, lba, image->blocks[lba].version);
	if (memcmp(block, got, STAGE_BLOCK) == 0)
		return true;
	fill(image, block, lba, image->blocks[lba].tried);
	return memcmp(block, got, STAGE_BLOCK) == 0;
}

static void check(const struct image *image, const uint8_t *data, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (holds(image, data + i * STAGE_BLOCK, first + i))
			continue;
		lf_test_fail(__FILE__, __LINE__, "block %u of %s holds what nobody wrote there", first + i,
			image->path);
		__atomic_fetch_add(&bad, 1, __ATOMIC_SEQ_CST);
	}
}

/* ---- SRBs ---- */

static void done(struct host_request *request)
{
	struct slot *slot = request->context;
	struct worker *worker = slot->worker;

	pthread_mutex_lock(&worker->lock);
	slot->ended = true;
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

/* Reads and writes are compared with the model; what failed leaves both versions possible. */
static void settle(struct slot *slot)
{
	struct image *image = slot->image;
	bool good = slot->request.srb_status == HOST_STATUS_SUCCESS;

	if (slot->doing == SLOT_READ && good) {
		check(image, slot->data, slot->first, slot->count);
		__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
	}
	for (uint32_t i = slot->first; slot->doing == SLOT_WRITE && good && i < slot->first + slot->count;
		i++)
		image->blocks[i].version = slot->version;
	if (slot->doing == SLOT_WRITE && good)
		__atomic_fetch_add(&writes, 1, __ATOMIC_RELAXED);
	if (!good)
		__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	slot->doing = SLOT_IDLE;
	slot->image = NULL;
	if (image != NULL) {
		pthread_mutex_lock(&image->lock);
		image->users--;
		pthread_mutex_unlock(&image->lock);
	}
}

/* The unit, which keeps its address until the SRB has ended; false: it is not there. */
static bool use(struct slot *slot, struct image *image)
{
	bool there;

	pthread_mutex_lock(&image->lock);
	there = image->there;
	if (there)
		image->users++;
	slot->request = stage_request(&image->unit);
	pthread_mutex_unlock(&image->lock);
	slot->image = there ? image : NULL;
	return there;
}

static void set_blocks(struct slot *slot, uint64_t *dice)
{
	uint32_t own = (slot->worker->number * SLOTS + (uint32_t)(slot - slot->worker->slots)) * OWN;
	uint32_t skip = throw(dice, OWN);

	slot->first = own + skip;
	slot->count = 1 + throw(dice, OWN - skip);
}

static void prepare_read(struct slot *slot, uint64_t *dice)
{
	set_blocks(slot, dice);
	slot->doing = SLOT_READ;
	memset(slot->data, 0xcc, sizeof(slot->data));
	stage_cdb_rw(&slot->request, false, slot->first, slot->count);
}

/* Of the versions that were tried before, at most one may be there: a write that failed is written again. */
static void prepare_write(struct slot *slot, uint64_t *dice)
{
	struct image *image = slot->image;

	set_blocks(slot, dice);
	slot->doing = SLOT_WRITE;
	slot->version = ++slot->worker->last_version;
	for (uint32_t i = 0; i < slot->count; i++) {
		struct block *block = &image->blocks[slot->first + i];

		if (block->tried != block->version) {
			slot->count = i == 0 ? 1 : i;
			if (i > 0)
				break;
			slot->version = block->tried; /* the same again */
		}
	}
	for (uint32_t i = 0; i < slot->count; i++) {
		image->blocks[slot->first + i].tried = slot->version;
		fill(image, slot->data + i * STAGE_BLOCK, slot->first + i, slot->version);
	}
	stage_cdb_rw(&slot->request, true, slot->first, slot->count);
	if (throw(dice, 8) == 0)
		slot->request.cdb[1] |= 8; /* FUA */
}

/* An SRB that nobody can make sense of: what is in it never becomes another command. */
static void contradict(void *srb, void *context)
{
	uint64_t *dice = &((struct slot *)context)->worker->dice;
	struct host_srbex *all = srb;

	if (all->Function != HOST_SRB_EXTENDED) {
		((struct host_srb *)srb)->CdbLength = (UCHAR)(throw(dice, 2) * (17 + throw(dice, 200)));
		return;
	}
	switch (throw(dice, 6)) {
	case 0:
		all->AddressOffset = throw(dice, 2) ? all->SrbLength : all->AddressOffset + 4;
		break;
	case 1:
		all->NumSrbExData = throw(dice, 2) * 0x40000001;
		break;
	case 2:
		all->SrbExDataOffset[0] = throw(dice, 2) ? 0xfffffff8 : all->SrbLength - 8;
		break;
	case 3:
		all->SrbLength = throw(dice, all->SrbExDataOffset[0]);
		break;
	case 4:
		all->Signature = throw(dice, 1000);
		break;
	default:
		((struct host_srbex_cdb16 *)(void *)((char *)srb + all->SrbExDataOffset[0]))->CdbLength =
			(UCHAR)(throw(dice, 2) * (33 + throw(dice, 200)));
	}
}

/* Any bytes, but nothing that changes the medium, stops the unit or locks it. */
static void prepare_wild(struct slot *slot, uint64_t *dice)
{
	static const uint8_t codes[] = {0x00, 0x03, 0x12, 0x1a, 0x25, 0x28, 0x2f, 0x35, 0x34, 0x4d, 0x5a,
		0x5e, 0x88, 0x91, 0x9e, 0xa0, 0xa3, 0xa8, 0xaf, 0x8f, 0x3c, 0xb7, 0x46, 0x7f, 0xff, 0xc0,
		0x08, 0x37};
	static const uint8_t lengths[] = {6, 10, 12, 16, 32, 1, 16, 10};
	struct host_request *request = &slot->request;

	for (uint32_t i = 0; i < sizeof(request->cdb); i++)
		request->cdb[i] = throw(dice, 3) == 0 ? (uint8_t) throw(dice, 256) : 0;
	request->cdb[0] = codes[throw(dice, sizeof(codes))];
	request->cdb_length = lengths[throw(dice, sizeof(lengths))];
	if (request->form == HOST_FORM_OLD && request->cdb_length > 16)
		request->cdb_length = 16;
	request->flags = throw(dice, 4) * HOST_FLAGS_DATA_IN; /* none, in, out, both */
	request->length = throw(dice, 3) == 0 ? 0 : throw(dice, sizeof(slot->data) + 1);
	if (throw(dice, 16) == 0)
		request->flags |= HOST_FLAGS_DISABLE_AUTOSENSE;
	request->sense_room = (UCHAR) throw(dice, 256);
	if (throw(dice, 8) == 0)
		request->spoil = contradict;
	slot->doing = SLOT_OTHER;
}

static void prepare_function(struct slot *slot, uint64_t *dice)
{
	static const UCHAR functions[] = {HOST_SRB_FLUSH, HOST_SRB_SHUTDOWN, HOST_SRB_POWER, HOST_SRB_WMI,
		HOST_SRB_IO_CONTROL, HOST_SRB_DUMP_POINTERS, HOST_SRB_PNP, HOST_SRB_RESET_LOGICAL_UNIT,
		HOST_SRB_RESET_DEVICE, HOST_SRB_RESET_BUS};
	uint32_t most = throw(dice, 8) == 0 ? lf_count_of(functions) : 7;

	slot->request.function = functions[throw(dice, most)];
	slot->request.action = throw(dice, 7);
	if (slot->request.function == HOST_SRB_PNP) /* the host itself says who starts and who is removed */
		slot->request.action =
			throw(dice, 2) ? HOST_PNP_QUERY_CAPABILITIES : HOST_PNP_QUERY_RESOURCES;
	slot->request.action_flags = throw(dice, 2);
	slot->request.power_state = throw(dice, 2) ? HOST_POWER_D0 : HOST_POWER_D3;
	slot->doing = SLOT_OTHER;
}

static void prepare(struct slot *slot)
{
	uint64_t *dice = &slot->worker->dice;
	uint32_t what = throw(dice, 100);
	bool there = false;

	for (uint32_t i = 0; i < 2 * IMAGES && !there; i++)
		there = use(slot, &images[throw(dice, IMAGES)]);
	slot->request.form = throw(dice, 2) ? HOST_FORM_OLD : HOST_FORM_EXTENDED;
	slot->request.attribute =
		(UCHAR)(throw(dice, 20) == 0 ? HOST_QUEUE_HEAD + throw(dice, 2) : HOST_QUEUE_SIMPLE);
	slot->request.data = slot->data;
	slot->request.context = slot;
	slot->request.done = done;
	if (!there) { /* somewhere, where perhaps nobody is: nothing that writes */
		slot->request.target = (UCHAR) throw(dice, 40);
		slot->request.lun = (UCHAR) throw(dice, 256);
		slot->request.path = (UCHAR)(throw(dice, 10) == 0);
		prepare_wild(slot, dice);
	} else if (what < 45) {
		prepare_read(slot, dice);
	} else if (what < 85) {
		prepare_write(slot, dice);
	} else if (what < 95) {
		prepare_wild(slot, dice);
	} else {
		prepare_function(slot, dice);
	}
	if (slot->doing == SLOT_READ || slot->doing == SLOT_WRITE)
		slot->request.length = slot->count * STAGE_BLOCK;
}

static bool fill_slots(struct worker *worker)
{
	bool busy = false;

	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &worker->slots[i];
		bool ended;

		pthread_mutex_lock(&worker->lock);
		ended = slot->ended;
		pthread_mutex_unlock(&worker->lock);
		if (slot->doing != SLOT_IDLE && ended)
			settle(slot);
		if (slot->doing == SLOT_IDLE && __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) >= 0) {
			slot->ended = false;
			prepare(slot);
			host_submit(stage, &slot->request);
		}
		busy = busy || slot->doing != SLOT_IDLE;
	}
	return busy;
}

static bool one_ended_locked(const struct worker *worker)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (worker->slots[i].doing != SLOT_IDLE && worker->slots[i].ended)
			return true;
	return false;
}

static void *work(void *context)
{
	struct worker *worker = context;

	lf_fake_run_on(worker->number);
	while (fill_slots(worker)) {
		pthread_mutex_lock(&worker->lock);
		while (!one_ended_locked(worker))
			pthread_cond_wait(&worker->changed, &worker->lock);
		pthread_mutex_unlock(&worker->lock);
	}
	return NULL;
}

/* ---- Who comes and goes ---- */

/* Memory is short now and then: the next try goes well. */
static void arrive(struct image *image, uint64_t *dice)
{
	struct stage_unit unit;

	if (stage_connect(&unit, &(struct stage_options){.path = image->path, .target = throw(dice, 16)}) !=
		LF_CONTROL_OK)
		return;
	pthread_mutex_lock(&image->lock);
	image->unit = unit;
	image->there = true;
	pthread_mutex_unlock(&image->lock);
}

/* New SRBs are sent to its address only when those of before have ended. */
static void depart(struct image *image, uint64_t *dice)
{
	struct stage_unit unit;
	uint32_t users = 1;

	pthread_mutex_lock(&image->lock);
	unit = image->unit;
	image->there = false;
	pthread_mutex_unlock(&image->lock);
	if (stage_disconnect(&unit, throw(dice, 2) == 0) != LF_CONTROL_OK)
		lf_fake_broken("%s cannot be disconnected", image->path);
	while (users > 0) {
		pthread_mutex_lock(&image->lock);
		users = image->users;
		pthread_mutex_unlock(&image->lock);
		if (users > 0)
			stage_pause();
	}
	while (lf_fake_file_opens(unit.file) > 0)
		stage_pause();
}

static void *manage(void *context)
{
	uint64_t *dice = context;

	while (!__atomic_load_n(&ends, __ATOMIC_SEQ_CST)) {
		struct image *image = &images[throw(dice, IMAGES)];

		if (!image->there)
			arrive(image, dice);
		else if (throw(dice, 4) == 0)
			depart(image, dice);
		for (uint32_t i = throw(dice, 30); i > 0; i--)
			stage_pause();
		if (throw(dice, 4) == 0)
			host_reset_bus(stage);
		if (throw(dice, 8) == 0)
			lf_fake_power(PO_CB_SYSTEM_STATE_LOCK, throw(dice, 2));
		if (throw(dice, 8) == 0)
			host_adapter_control(
				stage, throw(dice, 2) ? HOST_ADAPTER_POWER : HOST_ADAPTER_RESTART, NULL);
		stage_count();
	}
	return NULL;
}

/* ---- The storm ---- */

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

static void bad_mood(uint64_t seed)
{
	lf_fake_fs_how(LF_FAKE_EITHER, seed);
	lf_fake_complete_at(LF_FAKE_AT_EITHER, seed);
	lf_fake_fail_some(LF_FAKE_IRP, 20, seed);
	/* Short of memory for a moment: tried again, and nobody above hears of it. */
	lf_fake_rule_add(&(struct lf_fake_rule){.ops = 1 << LF_FAKE_READ | 1 << LF_FAKE_WRITE,
		.per_1024 = 10,
		.what = LF_FAKE_STATUS,
		.status = STATUS_INSUFFICIENT_RESOURCES});
	lf_fake_rule_add(&(struct lf_fake_rule){.ops = 1 << LF_FAKE_READ | 1 << LF_FAKE_WRITE,
		.per_1024 = 10,
		.what = LF_FAKE_SHORT,
		.short_bytes = 512});
}

static void start(uint64_t seed)
{
	memset(images, 0, sizeof(images));
	memset(workers, 0, sizeof(workers));
	for (uint32_t i = 0; i < IMAGES; i++) {
		pthread_mutex_init(&images[i].lock, NULL);
		snprintf(images[i].path, sizeof(images[i].path), "C:\\storm%u.img", i);
		lf_fake_file_add(images[i].path, BLOCKS * STAGE_BLOCK, FILE_ATTRIBUTE_NORMAL);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_mutex_init(&workers[i].lock, NULL);
		pthread_cond_init(&workers[i].changed, NULL);
		workers[i].number = i;
		workers[i].dice = seed * 31 + i + 1;
		for (uint32_t j = 0; j < SLOTS; j++)
			workers[i].slots[j].worker = &workers[i];
	}
}

static void check_files(void)
{
	uint8_t *data = malloc(BLOCKS * STAGE_BLOCK);

	if (data == NULL)
		abort();
	for (uint32_t i = 0; i < IMAGES; i++) {
		lf_fake_file_read(lf_fake_file_find(images[i].path), 0, data, BLOCKS * STAGE_BLOCK);
		check(&images[i], data, 0, BLOCKS);
	}
	free(data);
}

TEST(a_storm_leaves_every_block_as_it_was_written)
{
	uint64_t seed = number_of("LF_STORM_SEED", (uint64_t)time(NULL)), dice = seed | 1;
	pthread_t manager;

	printf("# LF_STORM_SEED=%llu\n", (unsigned long long)seed);
	left = (int64_t)number_of("LF_STORM_SRBS", SRBS);
	ends = bad = 0;
	reads = writes = failures = 0;
	stage_open();
	start(seed);
	bad_mood(seed);
	CHECK(pthread_create(&manager, NULL, manage, &dice) == 0);
	for (uint32_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	__atomic_store_n(&ends, 1, __ATOMIC_SEQ_CST);
	pthread_join(manager, NULL);
	lf_fake_rules_clear();
	lf_fake_fail_some(LF_FAKE_IRP, 0, 0);
	host_drain(stage);
	host_stop(stage);
	stage = NULL;
	check_files();
	printf("# %llu reads and %llu writes went well, %llu other SRBs\n", (unsigned long long)reads,
		(unsigned long long)writes, (unsigned long long)failures);
	host_unload();
	CHECK_EQ(lf_fake_leaks(), 0);
	lf_fake_reset();
	CHECK_EQ(bad, 0);
	CHECK(reads > 0 && writes > 0);
}
