/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_stats.c: stats: a device's counters, by the second when asked, and how long its commands took. */
#include "programs/lungfish.h"
#include "programs/os.h"

#include <stdlib.h>
#include <string.h>

#define NS_IN_S UINT64_C(1000000000)
#define BUCKETS 24 /* of latencies */

struct lf_sample {
	uint32_t number;
	uint64_t taken_ns;
	char id[62];
	uint32_t count;
	struct lf_control_event counters[LF_CONTROL_EVENTS_MAX];
};

/* A row of a table: what one sample says, or how it differs from the one before. */
struct row {
	const struct lf_sample *now, *before; /* before: NULL for all since the unit came */
};

int lf_sample_read(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_sample **sample)
{
	union lf_control_reply reply;
	struct lf_sample *made;
	int status = lf_session_select(line, client, LF_CONTROL_STATS, id, &reply);

	if (status != LF_EXIT_DONE)
		return status;
	made = calloc(1, sizeof(*made));
	if (!made)
		return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	made->number = reply.stats.number;
	made->taken_ns = reply.stats.taken_ns;
	snprintf(made->id, sizeof(made->id), "%s", reply.stats.id.bytes);
	for (uint32_t i = 0; i < reply.stats.counter_count; i++) {
		if (lf_control_decode_record(
			    LF_CONTROL_STATS, client->reply, i, &made->counters[made->count]))
			made->count++;
	}
	*sample = made;
	return LF_EXIT_DONE;
}

uint64_t lf_sample_value(const struct lf_sample *sample, const char *name)
{
	for (uint32_t i = 0; i < sample->count; i++) {
		if (strcmp(sample->counters[i].name.bytes, name) == 0)
			return sample->counters[i].count;
	}
	return 0;
}

uint64_t lf_sample_taken_ns(const struct lf_sample *sample)
{
	return sample->taken_ns;
}

static uint64_t more(const struct row *row, const char *name)
{
	return lf_sample_value(row->now, name) - (row->before ? lf_sample_value(row->before, name) : 0);
}

/* By the second, when there is something to compare with. */
static uint64_t rate(const struct row *row, const char *name)
{
	uint64_t ns = row->before ? row->now->taken_ns - row->before->taken_ns : 0;

	return ns ? (uint64_t)((double)more(row, name) * (double)NS_IN_S / (double)ns + 0.5)
		  : more(row, name);
}

static void put_latency(const struct row *row, const char *kind, char *cell)
{
	char name[40];
	uint64_t count, time_ns;

	snprintf(name, sizeof(name), "%s_commands", kind);
	count = more(row, name);
	snprintf(name, sizeof(name), "%s_time_ns", kind);
	time_ns = more(row, name);
	if (count == 0)
		lf_cell_text(cell, "");
	else
		snprintf(cell, LF_CELL_MAX, "%.1fus", (double)time_ns / (double)count / 1000);
}

static void put_id(const struct lf_command_line *line, const void *record, char *cell)
{
	(void)line;
	lf_cell_text(cell, ((const struct row *)record)->now->id);
}

#define PUT_RATE(what, name)                                                                                 \
	static void put_##what(const struct lf_command_line *line, const void *record, char *cell)           \
	{                                                                                                    \
		(void)line;                                                                                  \
		lf_cell_number(cell, rate(record, name));                                                    \
	}
#define PUT_SIZE(what, name)                                                                                 \
	static void put_##what(const struct lf_command_line *line, const void *record, char *cell)           \
	{                                                                                                    \
		lf_format_size(line, rate(record, name), cell, LF_CELL_MAX);                                 \
	}
#define PUT_LATENCY(what, kind)                                                                              \
	static void put_##what(const struct lf_command_line *line, const void *record, char *cell)           \
	{                                                                                                    \
		(void)line;                                                                                  \
		put_latency(record, kind, cell);                                                             \
	}

PUT_RATE(reads, "read_commands")
PUT_SIZE(read, "read_bytes")
PUT_LATENCY(read_time, "read")
PUT_RATE(writes, "write_commands")
PUT_SIZE(written, "write_bytes")
PUT_LATENCY(write_time, "write")
PUT_RATE(others, "other_commands")
PUT_RATE(flushes, "flush_commands")
PUT_RATE(unmaps, "unmap_commands")
PUT_RATE(verifies, "verify_commands")
PUT_RATE(checks, "check_conditions")
PUT_RATE(conflicts, "reservation_conflicts")
PUT_RATE(aborted, "aborted")
PUT_RATE(errors, "medium_errors")

static void put_in_flight(const struct lf_command_line *line, const void *record, char *cell)
{
	(void)line;
	lf_cell_number(cell, lf_sample_value(((const struct row *)record)->now, "commands_in_flight"));
}

static const struct lf_column columns[] = {
	{"ID", false, true, put_id},
	{"READS", true, true, put_reads},
	{"READ", true, true, put_read},
	{"R-TIME", true, true, put_read_time},
	{"WRITES", true, true, put_writes},
	{"WRITTEN", true, true, put_written},
	{"W-TIME", true, true, put_write_time},
	{"OTHERS", true, true, put_others},
	{"FLUSHES", true, true, put_flushes},
	{"IN-FLIGHT", true, true, put_in_flight},
	{"ERRORS", true, true, put_errors},
	{"UNMAPS", true, false, put_unmaps},
	{"VERIFIES", true, false, put_verifies},
	{"CHECKS", true, false, put_checks},
	{"CONFLICTS", true, false, put_conflicts},
	{"ABORTED", true, false, put_aborted},
};

static const struct lf_table table = {columns, lf_count_of(columns), sizeof(struct row)};

/* ---- Histograms ---- */

static const char *const kinds[] = {"read", "write", "other"};

static uint64_t bucket(const struct row *row, uint32_t kind, uint32_t index)
{
	char name[40];

	snprintf(name, sizeof(name), "%s_latency_%u", kinds[kind], index);
	return more(row, name);
}

static void print_histogram(const struct row *row)
{
	uint32_t first = BUCKETS, last = 0;

	for (uint32_t i = 0; i < BUCKETS; i++) {
		if (bucket(row, 0, i) || bucket(row, 1, i) || bucket(row, 2, i)) {
			first = lf_min(first, i);
			last = i;
		}
	}
	printf("%-16s %12s %12s %12s\n", row->now->id, "READS", "WRITES", "OTHERS");
	for (uint32_t i = first; i <= last; i++) {
		char limit[32];
		snprintf(limit, sizeof(limit), i + 1 < BUCKETS ? "below %lluus" : "from %lluus on",
			1ull << (i + 1 < BUCKETS ? i : i - 1));
		printf("%-16s %12llu %12llu %12llu\n", limit, (unsigned long long)bucket(row, 0, i),
			(unsigned long long)bucket(row, 1, i), (unsigned long long)bucket(row, 2, i));
	}
}

static bool is_bucket(const char *name)
{
	return strstr(name, "_latency_") != NULL;
}

/* As many since the unit came, or in the interval. */
static struct json_object *json_row(const struct row *row)
{
	struct json_object *object = json_object_new_object(), *latencies = json_object_new_object();

	lf_json_text(object, "id", row->now->id);
	lf_json_number(object, "number", row->now->number);
	json_object_object_add(object, "interval_ns",
		row->before ? json_object_new_uint64(row->now->taken_ns - row->before->taken_ns) : NULL);
	json_object_object_add(object, "counters", lf_json_counters(row->now, row->before));
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		struct json_object *array = json_object_new_array();
		for (uint32_t j = 0; j < BUCKETS; j++)
			json_object_array_add(array, json_object_new_uint64(bucket(row, i, j)));
		json_object_object_add(latencies, kinds[i], array);
	}
	json_object_object_add(object, "latency_log2_us", latencies);
	return object;
}

struct json_object *lf_json_counters(const struct lf_sample *now, const struct lf_sample *before)
{
	struct json_object *object = json_object_new_object();
	struct row row = {now, before};

	for (uint32_t i = 0; i < now->count; i++) {
		const char *name = now->counters[i].name.bytes;
		bool is_state = strcmp(name, "commands_in_flight") == 0 || strncmp(name, "last_", 5) == 0;
		if (!is_bucket(name))
			lf_json_number(
				object, name, is_state ? lf_sample_value(now, name) : more(&row, name));
	}
	return object;
}

void lf_sample_show(const struct lf_sample *sample)
{
	printf("%-10s Since it was connected\n", "COUNTERS");
	for (uint32_t i = 0; i < sample->count; i++) {
		if (!is_bucket(sample->counters[i].name.bytes))
			printf("  %-42s %llu\n", sample->counters[i].name.bytes,
				(unsigned long long)sample->counters[i].count);
	}
}

/* ---- The verb ---- */

/* What is watched; samples of those that left are NULL. */
struct watch {
	char **ids; /* numbers as text, when none were named */
	uint32_t count;
	struct lf_sample **now, **before;
};

/* A device of the same name that came in between has begun to count anew: it waits for the next interval. */
static bool is_comparable(const struct lf_sample *now, const struct lf_sample *before)
{
	return now && before && now->number == before->number;
}

static void print(const struct lf_command_line *line, const struct watch *watch,
	const struct lf_column *const *chosen, uint32_t chosen_count)
{
	struct json_object *root = line->json ? lf_json_new() : NULL;
	struct json_object *array = line->json ? json_object_new_array() : NULL;
	struct row *rows = calloc(watch->count + 1u, sizeof(*rows));
	uint32_t count = 0;

	for (uint32_t i = 0; rows && i < watch->count; i++) {
		if (line->interval_s ? is_comparable(watch->now[i], watch->before[i]) : watch->now[i] != NULL)
			rows[count++] = (struct row){watch->now[i], watch->before[i]};
	}
	for (uint32_t i = 0; i < count && line->json; i++)
		json_object_array_add(array, json_row(&rows[i]));
	for (uint32_t i = 0; i < count && line->histogram && !line->json; i++)
		print_histogram(&rows[i]);
	if (!line->json && !line->histogram && (count > 0 || line->operand_count == 0))
		lf_columns_print(line, &table, chosen, chosen_count, rows, count);
	if (line->json) {
		json_object_object_add(root, "stats", array);
		lf_json_print(stdout, root);
	}
	free(rows);
}

/* Takes a sample of each. Devices that nobody named may come and go. */
static int sample_all(const struct lf_command_line *line, struct lf_client *client, struct watch *watch,
	struct lf_tally *tally)
{
	struct lf_command_line asked = *line;

	asked.may_be_gone = line->operand_count == 0;
	for (uint32_t i = 0; i < watch->count; i++) {
		int status = lf_sample_read(&asked, client, watch->ids[i], &watch->now[i]);
		if (status == LF_EXIT_NOT_FOUND && asked.may_be_gone)
			continue;
		lf_tally_count(tally, status);
		if (status == LF_EXIT_NO_ADAPTER)
			return status;
	}
	return LF_EXIT_DONE;
}

static void forget(struct watch *watch, struct lf_sample **samples)
{
	for (uint32_t i = 0; i < watch->count; i++) {
		free(samples[i]);
		samples[i] = NULL;
	}
}

static int watch_all(const struct lf_command_line *line, struct lf_client *client, struct watch *watch,
	const struct lf_column *const *chosen, uint32_t chosen_count)
{
	struct lf_tally tally = {0};
	int status = sample_all(line, client, watch, &tally);
	bool print_first = line->interval_s == 0;

	for (uint32_t turn = 0; status == LF_EXIT_DONE; turn++) {
		if (turn > 0 || print_first)
			print(line, watch, chosen, chosen_count);
		status = lf_output_end(line, status);
		if (status != LF_EXIT_DONE || tally.failed == tally.tried || line->interval_s == 0 ||
			(line->count != 0 && turn == line->count))
			break;
		forget(watch, watch->before);
		memcpy(watch->before, watch->now, watch->count * sizeof(struct lf_sample *));
		memset(watch->now, 0, watch->count * sizeof(struct lf_sample *));
		lf_os_sleep(line->interval_s);
		status = sample_all(line, client, watch, &tally);
	}
	return status == LF_EXIT_DONE ? lf_tally_exit(&tally) : status;
}

int lf_verb_stats(const struct lf_command_line *line)
{
	struct watch watch = {.ids = line->operands, .count = (uint32_t)line->operand_count};
	const struct lf_column **chosen = NULL;
	char **every = NULL;
	struct lf_client *client;
	uint32_t chosen_count;
	int status;

	if (!lf_columns_choose(line, &table, &chosen, &chosen_count))
		return LF_EXIT_USAGE;
	client = lf_session_open(line, &status);
	if (client && watch.count == 0) {
		status = lf_all_ids(line, &every, &watch.count);
		watch.ids = every;
	}
	watch.now = calloc(watch.count + 1u, sizeof(*watch.now));
	watch.before = calloc(watch.count + 1u, sizeof(*watch.before));
	if (client && status == LF_EXIT_DONE && watch.now && watch.before) {
		status = watch_all(line, client, &watch, chosen, chosen_count);
		forget(&watch, watch.now);
		forget(&watch, watch.before);
	} else if (client && status == LF_EXIT_DONE) {
		status = lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
	}
	if (client)
		lf_session_close(client);
	free(watch.now);
	free(watch.before);
	free(every);
	free(chosen);
	return status;
}
