/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.c: what happened on a unit: counted by lane, under the lock that a command's end takes anyway. */
#include "core/core.h"

enum kind { KIND_OTHER, KIND_READ, KIND_WRITE, KIND_VERIFY, KIND_UNMAP, KIND_FLUSH };

/* By operation code. */
static const uint8_t kinds[256] = {
	[0x08] = KIND_READ,   /* READ (6) */
	[0x28] = KIND_READ,   /* (10) */
	[0xa8] = KIND_READ,   /* (12) */
	[0x88] = KIND_READ,   /* (16) */
	[0xb9] = KIND_READ,   /* READ CD MSF */
	[0xbe] = KIND_READ,   /* READ CD */
	[0x0a] = KIND_WRITE,  /* WRITE (6) */
	[0x2a] = KIND_WRITE,  /* (10) */
	[0xaa] = KIND_WRITE,  /* (12) */
	[0x8a] = KIND_WRITE,  /* (16) */
	[0x2e] = KIND_WRITE,  /* WRITE AND VERIFY (10) */
	[0xae] = KIND_WRITE,  /* (12) */
	[0x8e] = KIND_WRITE,  /* (16) */
	[0x89] = KIND_WRITE,  /* COMPARE AND WRITE */
	[0x8b] = KIND_WRITE,  /* ORWRITE (16) */
	[0x9c] = KIND_WRITE,  /* WRITE ATOMIC (16) */
	[0x2f] = KIND_VERIFY, /* VERIFY (10) */
	[0xaf] = KIND_VERIFY, /* (12) */
	[0x8f] = KIND_VERIFY, /* (16) */
	[0x41] = KIND_UNMAP,  /* WRITE SAME (10) */
	[0x93] = KIND_UNMAP,  /* (16) */
	[0x42] = KIND_UNMAP,  /* UNMAP */
	[0x35] = KIND_FLUSH,  /* SYNCHRONIZE CACHE (10) */
	[0x91] = KIND_FLUSH,  /* (16) */
};

static uint32_t bucket_of(uint64_t time_ns)
{
	uint64_t time_us = time_ns / 1000;
	uint32_t bits = 0;

	while (bits < LF_LATENCY_BUCKETS - 1u && time_us >> bits != 0)
		bits++;
	return bits;
}

static struct lf_lu_counters *counters_of(const struct lf_request *request)
{
	const struct lf_lu *lu = request->lu;

	return lu->counters == NULL ? NULL : &lu->counters[request->task->lane].counters;
}

void lf_count_end(const struct lf_request *request, uint64_t now_ns)
{
	struct lf_lu_counters *counters = counters_of(request);

	if (counters == NULL)
		return;
	uint64_t time_ns = now_ns - request->task->begin_ns;
	enum kind kind = request->cdb_length == 0 ? KIND_OTHER : (enum kind)kinds[request->cdb[0]];
	struct lf_command_counters *of_kind = kind == KIND_READ    ? &counters->reads
					      : kind == KIND_WRITE ? &counters->writes
								   : &counters->others;
	of_kind->count++;
	of_kind->bytes += request->data_moved;
	of_kind->time_ns += time_ns;
	of_kind->latency[bucket_of(time_ns)]++;
	counters->verifies += kind == KIND_VERIFY;
	counters->unmaps += kind == KIND_UNMAP;
	counters->flushes += kind == KIND_FLUSH;
	counters->check_conditions += request->status == LF_STATUS_CHECK_CONDITION;
	counters->conflicts += request->status == LF_STATUS_RESERVATION_CONFLICT;
	counters->aborted += request->status == LF_STATUS_TASK_ABORTED;
}

void lf_count_error(const struct lf_request *request, enum lf_error error)
{
	struct lf_lu_counters *counters = counters_of(request);

	if (counters == NULL)
		return;
	struct lf_lane *lane = &request->nexus->adapter->lanes[request->task->lane];
	lf_lock(&lane->lock);
	counters->medium_errors++;
	counters->last_error = error;
	counters->last_error_offset_bytes = request->io.offset_bytes;
	counters->last_error_time_ns = lf_time_ns();
	lf_unlock(&lane->lock);
}

static void add_command(struct lf_command_counters *sum, const struct lf_command_counters *more)
{
	sum->count += more->count;
	sum->bytes += more->bytes;
	sum->time_ns += more->time_ns;
	for (uint32_t i = 0; i < LF_LATENCY_BUCKETS; i++)
		sum->latency[i] += more->latency[i];
}

static void add(struct lf_lu_counters *sum, const struct lf_lu_counters *more)
{
	sum->begun += more->begun;
	add_command(&sum->reads, &more->reads);
	add_command(&sum->writes, &more->writes);
	add_command(&sum->others, &more->others);
	sum->verifies += more->verifies;
	sum->unmaps += more->unmaps;
	sum->flushes += more->flushes;
	sum->check_conditions += more->check_conditions;
	sum->conflicts += more->conflicts;
	sum->aborted += more->aborted;
	sum->medium_errors += more->medium_errors;
	if (more->last_error != LF_OK && more->last_error_time_ns >= sum->last_error_time_ns) {
		sum->last_error = more->last_error;
		sum->last_error_offset_bytes = more->last_error_offset_bytes;
		sum->last_error_time_ns = more->last_error_time_ns;
	}
}

void lf_lu_count(struct lf_lu *lu, struct lf_lu_counters *counters)
{
	struct lf_adapter *adapter = lu->adapter;

	*counters = (struct lf_lu_counters){.begun = 0};
	for (uint32_t i = 0; i < adapter->lane_count; i++) {
		struct lf_lane *lane = &adapter->lanes[i];
		lf_lock(&lane->lock);
		add(counters, &lu->counters[i].counters);
		lf_unlock(&lane->lock);
	}
	/* A command begins and ends on the same lane, so each lane's difference is true by itself. */
	counters->in_flight =
		counters->begun - counters->reads.count - counters->writes.count - counters->others.count;
}
