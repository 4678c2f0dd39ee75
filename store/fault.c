/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.c: a store before another one that delays, fails or hangs operations by rules; for tests. */
#include "store/store.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct rule {
	struct lf_fault_rule is;
	uint32_t matched, hit;
};

struct lf_store {
	const struct lf_store_ops *ops;
	struct lf_store *inner;
	pthread_t thread;
	pthread_cond_t changed;

	pthread_mutex_t lock; /* guards what follows */
	struct rule rules[LF_FAULT_RULES_MAX];
	uint32_t rule_count;
	uint64_t dice;
	struct lf_link held; /* io->link, until their time has come */
	uint32_t held_count;
	bool closing;
};

/* In lf_io.platform while the operation is held. */
struct held {
	uint64_t due_ns; /* UINT64_MAX: hangs */
	uint32_t error;  /* enum lf_error: what it ends with; LF_OK: it is passed on */
} LF_MAY_ALIAS;

static struct held *held_of(struct lf_io *io)
{
	return (struct held *)(void *)io->platform.words;
}

/* SplitMix64: the same seed, the same faults. */
static uint64_t throw_dice(struct lf_store *store)
{
	uint64_t z = store->dice += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool touches(const struct lf_fault_rule *rule, const struct lf_io *io)
{
	if (rule->ops && !(rule->ops & LF_FAULT_OP(io->op)))
		return false;
	if (io->op == LF_OP_FLUSH || io->op == LF_OP_SAVE || io->op == LF_OP_USAGE)
		return true;
	if (io->offset_bytes + io->length_bytes <= rule->offset_bytes)
		return false;
	return !rule->length_bytes || io->offset_bytes < rule->offset_bytes + rule->length_bytes;
}

static bool is_hit_locked(struct lf_store *store, struct rule *rule, const struct lf_io *io)
{
	if (!touches(&rule->is, io) || rule->matched++ < rule->is.after)
		return false;
	if (rule->is.count && rule->hit >= rule->is.count)
		return false;
	if (rule->is.spared_per_1024 && throw_dice(store) % 1024 < rule->is.spared_per_1024)
		return false;
	rule->hit++;
	return true;
}

static void hold_locked(struct lf_store *store, struct lf_io *io, const struct lf_fault_rule *rule)
{
	struct held *held = held_of(io);

	held->due_ns = rule->hang ? UINT64_MAX : lf_time_ns() + (uint64_t)rule->delay_ms * 1000000;
	held->error = rule->error;
	lf_list_append(&store->held, &io->link);
	store->held_count++;
	pthread_cond_signal(&store->changed);
}

static void fault_submit(struct lf_store *store, struct lf_io *io)
{
	bool is_held = false;

	pthread_mutex_lock(&store->lock);
	for (uint32_t i = 0; i < store->rule_count && !is_held; i++) {
		is_held = is_hit_locked(store, &store->rules[i], io);
		if (is_held)
			hold_locked(store, io, &store->rules[i].is);
	}
	pthread_mutex_unlock(&store->lock);
	if (!is_held)
		store->ops->submit(store->inner, io);
}

/* The one whose time came first, or NULL; then due_ns is when to look again. */
static struct lf_io *take_due_locked(struct lf_store *store, uint64_t *due_ns)
{
	struct lf_io *first = NULL;

	*due_ns = UINT64_MAX;
	lf_list_each(link, after, &store->held)
	{
		struct lf_io *io = lf_container(link, struct lf_io, link);
		if (held_of(io)->due_ns < *due_ns) {
			*due_ns = held_of(io)->due_ns;
			first = io;
		}
	}
	if (!first || *due_ns > lf_time_ns())
		return NULL;
	lf_list_remove(&first->link);
	store->held_count--;
	return first;
}

static void wait_until_locked(struct lf_store *store, uint64_t due_ns)
{
	struct timespec due = {
		.tv_sec = (time_t)(due_ns / 1000000000), .tv_nsec = (long)(due_ns % 1000000000)};

	if (due_ns == UINT64_MAX)
		pthread_cond_wait(&store->changed, &store->lock);
	else
		pthread_cond_timedwait(&store->changed, &store->lock, &due);
}

static void *thread_main(void *context)
{
	struct lf_store *store = context;
	struct lf_io *io;
	uint64_t due_ns;

	pthread_mutex_lock(&store->lock);
	while (!store->closing) {
		io = take_due_locked(store, &due_ns);
		if (!io) {
			wait_until_locked(store, due_ns);
			continue;
		}
		pthread_mutex_unlock(&store->lock);
		if (held_of(io)->error) {
			io->error = (enum lf_error)held_of(io)->error;
			io->done(io);
		} else {
			store->ops->submit(store->inner, io);
		}
		pthread_mutex_lock(&store->lock);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

static void fault_cancel(struct lf_store *store, struct lf_io *io)
{
	bool is_held = false;

	pthread_mutex_lock(&store->lock);
	lf_list_each(link, after, &store->held)
	{
		if (link != &io->link)
			continue;
		is_held = true;
		held_of(io)->due_ns = 0;
		held_of(io)->error = LF_E_ABORTED;
		pthread_cond_signal(&store->changed);
	}
	pthread_mutex_unlock(&store->lock);
	if (!is_held && store->ops->cancel)
		store->ops->cancel(store->inner, io);
}

static void fault_close(struct lf_store *store)
{
	pthread_mutex_lock(&store->lock);
	lf_assert(store->held_count == 0);
	store->closing = true;
	pthread_cond_signal(&store->changed);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	store->ops->close(store->inner);
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->lock);
	lf_free(store);
}

static enum lf_error fault_open(const struct lf_source *source, struct lf_store **opened,
	struct lf_store_info *info, struct lf_message *message)
{
	(void)opened;
	(void)info;
	lf_message_set(
		message, "%.120s: faults need a store to befall: open that, and wrap it", source->path);
	return LF_E_UNSUPPORTED;
}

struct lf_store *lf_store_fault_wrap(const struct lf_store_ops *ops, struct lf_store *inner, uint64_t seed)
{
	struct lf_store *store = lf_alloc(sizeof(*store));
	pthread_condattr_t attributes;

	if (!store)
		return NULL;
	store->ops = ops;
	store->inner = inner;
	store->dice = seed;
	lf_list_init(&store->held);
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* lf_time_ns's */
	pthread_cond_init(&store->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&store->thread, NULL, thread_main, store) == 0)
		return store;
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->lock);
	lf_free(store);
	return NULL;
}

bool lf_store_fault_add(struct lf_store *store, const struct lf_fault_rule *rule)
{
	bool room;

	pthread_mutex_lock(&store->lock);
	room = store->rule_count < LF_FAULT_RULES_MAX;
	if (room)
		store->rules[store->rule_count++] = (struct rule){.is = *rule};
	pthread_mutex_unlock(&store->lock);
	return room;
}

void lf_store_fault_clear(struct lf_store *store)
{
	pthread_mutex_lock(&store->lock);
	store->rule_count = 0;
	pthread_mutex_unlock(&store->lock);
}

void lf_store_fault_release(struct lf_store *store)
{
	pthread_mutex_lock(&store->lock);
	lf_list_each(link, after, &store->held)
	{
		struct held *held = held_of(lf_container(link, struct lf_io, link));
		if (held->due_ns == UINT64_MAX)
			held->due_ns = 0;
	}
	pthread_cond_signal(&store->changed);
	pthread_mutex_unlock(&store->lock);
}

uint32_t lf_store_fault_held(struct lf_store *store)
{
	uint32_t count;

	pthread_mutex_lock(&store->lock);
	count = store->held_count;
	pthread_mutex_unlock(&store->lock);
	return count;
}

const struct lf_store_ops lf_store_fault_ops = {
	.name = "fault",
	.open = fault_open,
	.submit = fault_submit,
	.cancel = fault_cancel,
	.close = fault_close,
};
