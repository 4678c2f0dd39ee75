/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ioctl_storm_nt.c: service IRPs by dice from many threads: any bytes, any lengths, any caller,
 * cancelled at any time by somebody else, while opens stand still and memory runs out, until the adapter
 * goes. What each must end with is worked out here from what control/interface_nt.h promises. LF_STORM_SEED=N
 * repeats the throws.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/storport/ioctl/bed.h"

enum {
	ASKERS = 8,
	SLOTS = 10, /* of an asker: together more than may be outstanding */
	ROUNDS = 4,
	CALLS = 2000, /* of a round, before it stops */
	COMMANDS = LF_CONTROL_RESERVATION_CLEAR,
	LAST_STATUS = LF_CONTROL_UNSUPPORTED,
};

struct slot {
	struct bed_irp one; /* irp: who cancels holds the mutex while he uses it */
	pthread_mutex_t mutex;
	bool cancelled; /* the mutex's */
	bool opens;     /* it may need memory, a thread, a token */
	NTSTATUS due;   /* STATUS_SUCCESS: what the handler makes of it */
	ULONG room;
};

struct asker {
	pthread_t thread;
	uint64_t dice;
	struct slot slots[SLOTS];
	union lf_control_request request;
	uint8_t bytes[LF_IOCTL_REQUEST_MAX + 64];
};

static struct asker askers[ASKERS];
static uint64_t sent, ends, by_status[4]; /* by atomics; succeeded, refused, cancelled, gone */

static uint32_t throw(uint64_t * dice, uint32_t sides)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return (uint32_t)(*dice >> 20) % sides;
}

static void count(uint64_t *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- What is sent ---- */

static const char *a_path(uint64_t *dice)
{
	static const char *const paths[] = {"\\??\\C:\\images\\disk.img", "\\??\\C:\\images\\held.img",
		"\\??\\C:\\images\\other.img", "\\??\\C:\\images", "\\??\\C:\\none.img", "\\??\\P:\\pipe",
		"\\??\\GLOBALROOT\\Device\\Null", "", "disk.img"};

	return paths[throw(dice, lf_count_of(paths))];
}

static ULONG make_valid(struct asker *asker)
{
	union lf_control_request *request = &asker->request;

	memset(request, 0, sizeof(*request));
	request->header.command = (uint16_t)(1 + throw(&asker->dice, COMMANDS));
	/* Images are what there is most to go wrong with. */
	if (throw(&asker->dice, 3) == 0)
		request->header.command = LF_CONTROL_CONNECT;
	if (request->header.command == LF_CONTROL_CONNECT) {
		request->connect.lun = UINT32_MAX;
		request->connect.type = throw(&asker->dice, 2) ? 5 : 0;
		lf_control_set_text(&request->connect.path, a_path(&asker->dice));
	} else if (request->header.command == LF_CONTROL_INSERT) {
		request->insert.flags = throw(&asker->dice, 2) ? LF_CONTROL_INSERT_READ_ONLY : 0;
		lf_control_set_text(&request->insert.image, a_path(&asker->dice));
	}
	return (ULONG)lf_control_encode_request(request, asker->bytes, sizeof(asker->bytes));
}

static ULONG make_bytes(struct asker *asker)
{
	ULONG length = make_valid(asker), others;

	switch (throw(&asker->dice, 6)) {
	case 0: /* some bits of it are others */
		for (others = 1 + throw(&asker->dice, 4); others; others--)
			asker->bytes[throw(&asker->dice, length)] ^= (uint8_t)(1u << throw(&asker->dice, 8));
		return length;
	case 1: /* a part of it, or more than it */
		return throw(&asker->dice, length + 64);
	case 2: /* noise behind a header that may be right */
		length = throw(&asker->dice, sizeof(asker->bytes));
		for (others = throw(&asker->dice, 2) ? sizeof(struct lf_control_header) : 0; others < length;
			others++)
			asker->bytes[others] = (uint8_t) throw(&asker->dice, 256);
		return length;
	default:
		return length;
	}
}

static ULONG make_room(struct asker *asker)
{
	switch (throw(&asker->dice, 6)) {
	case 0:
		return throw(&asker->dice, 200);
	case 1:
		return LF_IOCTL_REPLY_MIN - 1 + throw(&asker->dice, 2);
	case 2:
		return throw(&asker->dice, LF_CONTROL_MESSAGE_MAX);
	default:
		return LF_CONTROL_MESSAGE_MAX;
	}
}

/* ---- Who sends it ---- */

/* What the caller alone is refused with. */
static NTSTATUS become_somebody(struct asker *asker)
{
	enum lf_fake_who who = (enum lf_fake_who)(throw(&asker->dice, 8) ? LF_FAKE_ADMIN : LF_FAKE_USER);
	SECURITY_IMPERSONATION_LEVEL level =
		(SECURITY_IMPERSONATION_LEVEL)(SecurityAnonymous + (int) throw(&asker->dice, 4));

	if (throw(&asker->dice, 16) == 0)
		who = LF_FAKE_SYSTEM;
	lf_fake_process_of(throw(&asker->dice, 4) ? LF_FAKE_ADMIN : LF_FAKE_USER);
	if (throw(&asker->dice, 4) == 0) {
		lf_fake_impersonate(who, level);
		if (level < SecurityImpersonation)
			return STATUS_BAD_IMPERSONATION_LEVEL;
	} else {
		lf_fake_process_of(who);
	}
	return who == LF_FAKE_USER ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static bool only_tells(uint16_t command)
{
	static const uint16_t telling[] = {LF_CONTROL_IDENTIFY, LF_CONTROL_LIST, LF_CONTROL_SHOW,
		LF_CONTROL_STATUS, LF_CONTROL_INQUIRE, LF_CONTROL_SESSIONS, LF_CONTROL_STATS,
		LF_CONTROL_RESERVATION};

	for (uint32_t i = 0; i < lf_count_of(telling); i++)
		if (telling[i] == command)
			return true;
	return false;
}

/* What the bytes alone are refused with. */
static NTSTATUS judge_bytes(const uint8_t *bytes, ULONG length, ULONG room, bool *opens)
{
	struct lf_control_header header;

	if (length < sizeof(header) || length > LF_IOCTL_REQUEST_MAX)
		return STATUS_INVALID_PARAMETER;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != LF_CONTROL_MAGIC)
		return STATUS_INVALID_DEVICE_REQUEST;
	*opens = header.command == LF_CONTROL_CONNECT || header.command == LF_CONTROL_INSERT;
	return room < LF_IOCTL_REPLY_MIN && !only_tells(header.command) ? STATUS_BUFFER_TOO_SMALL
									: STATUS_SUCCESS;
}

/* From when its IRP is in the slot somebody may cancel it, before it is served, too. */
static void send(struct asker *asker, struct slot *slot)
{
	bool kernel = throw(&asker->dice, 32) == 0, foreign = throw(&asker->dice, 32) == 0;
	ULONG code = foreign ? throw(&asker->dice, 0x80000) << 2 | 1 : LF_IOCTL_SERVICE;
	ULONG length = make_bytes(asker);
	NTSTATUS of_bytes;
	IRP *irp;

	slot->room = make_room(asker);
	slot->opens = false;
	of_bytes = judge_bytes(asker->bytes, length, slot->room, &slot->opens);
	irp = lf_fake_irp_make(code, asker->bytes, length, slot->room, kernel ? KernelMode : UserMode);
	irp->Tail.Overlay.DriverContext[3] = &slot->one;
	slot->due = become_somebody(asker);
	if (kernel)
		slot->due = STATUS_ACCESS_DENIED;
	if (slot->due == STATUS_SUCCESS)
		slot->due = foreign ? STATUS_INVALID_DEVICE_REQUEST : of_bytes;
	slot->one.done = false;
	pthread_mutex_lock(&slot->mutex);
	slot->cancelled = false;
	slot->one.irp = irp;
	pthread_mutex_unlock(&slot->mutex);
	lf_ioctl_serve(bed.ioctl, irp);
	lf_fake_revert();
	count(&sent);
}

/* ---- What comes back ---- */

static void need(bool right, const struct slot *slot, NTSTATUS status)
{
	if (!right)
		lf_fake_broken("status 0x%08x where 0x%08x is due, room %u, cancelled %d", (unsigned)status,
			(unsigned)slot->due, slot->room, slot->cancelled);
}

static void check_reply(const struct slot *slot)
{
	const IRP *irp = slot->one.irp;
	union lf_control_reply *reply = malloc(sizeof(*reply));
	struct lf_message message = {"too long"};

	if (!reply || irp->IoStatus.Information > slot->room ||
		!lf_control_decode_reply(irp->AssociatedIrp.SystemBuffer, irp->IoStatus.Information,
			LF_CONTROL_IDENTIFY, reply, &message) ||
		reply->header.status > LAST_STATUS ||
		(reply->header.status != LF_CONTROL_OK && reply->failure.text.length == 0))
		lf_fake_broken("no reply that anybody could read: %s", message.text);
	free(reply);
}

/* True: the adapter has gone. */
static bool take(struct slot *slot)
{
	NTSTATUS status = bed_end(&slot->one);

	pthread_mutex_lock(&slot->mutex);
	switch (status) {
	case STATUS_SUCCESS:
		need(slot->due == STATUS_SUCCESS, slot, status);
		check_reply(slot);
		count(&by_status[0]);
		break;
	case STATUS_CANCELLED:
		need(slot->due == STATUS_SUCCESS && slot->cancelled, slot, status);
		count(&by_status[2]);
		break;
	case STATUS_DEVICE_NOT_READY:
		need(__atomic_load_n(&ends, __ATOMIC_ACQUIRE) != 0, slot, status);
		count(&by_status[3]);
		break;
	case STATUS_BUFFER_TOO_SMALL:
		need(slot->due == status ||
				(slot->due == STATUS_SUCCESS && slot->room < LF_CONTROL_MESSAGE_MAX),
			slot, status);
		count(&by_status[1]);
		break;
	case STATUS_INSUFFICIENT_RESOURCES:
		need(slot->due == STATUS_SUCCESS && slot->opens, slot, status);
		count(&by_status[1]);
		break;
	default:
		need(slot->due == status, slot, status);
		count(&by_status[1]);
		break;
	}
	need(status == STATUS_SUCCESS || slot->one.irp->IoStatus.Information == 0, slot, status);
	bed_forget(&slot->one);
	pthread_mutex_unlock(&slot->mutex);
	return status == STATUS_DEVICE_NOT_READY;
}

static void *ask_on(void *context)
{
	struct asker *asker = context;
	bool gone = false;

	while (!gone) {
		struct slot *slot = &asker->slots[throw(&asker->dice, SLOTS)];
		if (slot->one.irp)
			gone = take(slot);
		if (!gone)
			send(asker, slot);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		if (asker->slots[i].one.irp)
			take(&asker->slots[i]);
	return NULL;
}

/* ---- Those who disturb ---- */

/* Half of what is outstanding is cancelled by somebody, at DISPATCH_LEVEL as well. */
static void *cancel_on(void *context)
{
	uint64_t dice = *(uint64_t *)context ^ 0x5bd1e995;

	while (!__atomic_load_n(&ends, __ATOMIC_ACQUIRE)) {
		struct slot *slot = &askers[throw(&dice, ASKERS)].slots[throw(&dice, SLOTS)];
		KIRQL irql = lf_fake_irql_raise(throw(&dice, 2) ? PASSIVE_LEVEL : DISPATCH_LEVEL);
		pthread_mutex_lock(&slot->mutex);
		if (slot->one.irp && !slot->cancelled) {
			slot->cancelled = true;
			(void)IoCancelIrp(slot->one.irp);
		}
		pthread_mutex_unlock(&slot->mutex);
		lf_fake_irql_lower(irql);
		sched_yield();
	}
	return NULL;
}

/* The handler answers at once or later; opens stand still for a while. Until the loop is to end. */
static void *answer_on(void *context)
{
	uint64_t dice = *(uint64_t *)context ^ 0x1b873593;
	const uint64_t *left = (const uint64_t *)context + 1;

	while (!__atomic_load_n(left, __ATOMIC_ACQUIRE)) {
		bed_way(throw(&dice, 2) ? BED_HOLDS : BED_ANSWERS);
		bed_gate(throw(&dice, 4) == 0);
		bed_answer_held();
		sched_yield();
	}
	bed_gate(false);
	return NULL;
}

static void make_trouble(uint64_t seed)
{
	const struct lf_fake_volume_options pipes = {.name = "P:", .device_type = FILE_DEVICE_NAMED_PIPE};

	lf_fake_volume_add(&pipes);
	lf_fake_file_add("P:\\pipe", 4096, 0);
	lf_fake_file_add("C:\\images\\disk.img", 1 << 20, 0);
	lf_fake_file_add("C:\\images\\other.img", 1 << 20, FILE_ATTRIBUTE_READONLY);
	lf_fake_file_hold(lf_fake_file_add("C:\\images\\held.img", 1 << 20, 0), FILE_WRITE_DATA, 0);
	lf_fake_fail_some(LF_FAKE_POOL, 30, seed);
	lf_fake_fail_some(LF_FAKE_THREAD, 30, seed);
	lf_fake_fail_some(LF_FAKE_SECURITY, 30, seed);
	lf_fake_fail_some(LF_FAKE_QUERY, 30, seed);
	lf_fake_fail_some(LF_FAKE_OPEN, 30, seed);
}

static void play(uint64_t seed)
{
	uint64_t words[2] = {seed, 0}, until;
	pthread_t canceller, answerer;

	bed_open();
	make_trouble(seed);
	__atomic_store_n(&ends, 0, __ATOMIC_RELEASE);
	until = __atomic_load_n(&sent, __ATOMIC_RELAXED) + CALLS;
	for (uint32_t i = 0; i < ASKERS; i++) {
		askers[i].dice = (seed + i) * 0x9e3779b97f4a7c15 | 1;
		CHECK(pthread_create(&askers[i].thread, NULL, ask_on, &askers[i]) == 0);
	}
	CHECK(pthread_create(&canceller, NULL, cancel_on, words) == 0);
	CHECK(pthread_create(&answerer, NULL, answer_on, words) == 0);
	while (__atomic_load_n(&sent, __ATOMIC_RELAXED) < until)
		sched_yield();
	__atomic_store_n(&ends, 1, __ATOMIC_RELEASE);
	lf_ioctl_stop(bed.ioctl);
	for (uint32_t i = 0; i < ASKERS; i++)
		pthread_join(askers[i].thread, NULL);
	pthread_join(canceller, NULL);
	__atomic_store_n(&words[1], 1, __ATOMIC_RELEASE);
	pthread_join(answerer, NULL);
	lf_loop_stop(bed.loop);
	lf_nt_thread_join(&bed.thread);
	bed_close();
	lf_fake_file_let_go(lf_fake_file_find("C:\\images\\held.img"));
}

TEST(every_irp_of_a_storm_ends_once_with_a_status_that_is_documented)
{
	const char *text = getenv("LF_STORM_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("# LF_STORM_SEED=%llu\n", (unsigned long long)seed);
	for (uint32_t i = 0; i < ASKERS * SLOTS; i++)
		pthread_mutex_init(&askers[i / SLOTS].slots[i % SLOTS].mutex, NULL);
	for (uint32_t round = 0; round < ROUNDS; round++)
		play(seed + round * 1000);
	printf("# %llu sent: %llu answered, %llu refused, %llu cancelled, %llu too late\n",
		(unsigned long long)sent, (unsigned long long)by_status[0], (unsigned long long)by_status[1],
		(unsigned long long)by_status[2], (unsigned long long)by_status[3]);
	CHECK_EQ(by_status[0] + by_status[1] + by_status[2] + by_status[3], sent);
	CHECK(sent >= ROUNDS * CALLS);
	for (uint32_t i = 0; i < lf_count_of(by_status); i++)
		CHECK(by_status[i] > 0);
}
