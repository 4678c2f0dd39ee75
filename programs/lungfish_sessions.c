/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_sessions.c: session list and session drop. */
#include "programs/lungfish.h"

#include <stdlib.h>
#include <string.h>

#define NS_IN_S  UINT64_C(1000000000)
#define NS_IN_MS UINT64_C(1000000)

#define PUT(what)                                                                                            \
	static void what##_of(                                                                               \
		const struct lf_command_line *line, const struct lf_control_session *session, char *cell);   \
	static void put_##what(const struct lf_command_line *line, const void *record, char *cell)           \
	{                                                                                                    \
		what##_of(line, record, cell);                                                               \
	}                                                                                                    \
	static void what##_of(                                                                               \
		const struct lf_command_line *line, const struct lf_control_session *session, char *cell)

PUT(number)
{
	(void)line;
	lf_cell_number(cell, session->number);
}

PUT(initiator)
{
	(void)line;
	lf_cell_text(cell, session->initiator.bytes);
}

PUT(address)
{
	(void)line;
	lf_cell_text(cell, session->address.bytes);
}

PUT(target)
{
	(void)line;
	if (session->flags & LF_CONTROL_SESSION_DISCOVERY)
		lf_cell_text(cell, "discovery");
	else
		snprintf(cell, LF_CELL_MAX, "%s/%u", session->target.bytes, session->tag);
}

static const char *digests(const struct lf_control_session *session)
{
	static const char *const names[] = {"", "header", "data", "header,data"};

	return names[session->flags & (LF_CONTROL_SESSION_HEADER_DIGEST | LF_CONTROL_SESSION_DATA_DIGEST)];
}

static const char *auth(const struct lf_control_session *session)
{
	return session->flags & LF_CONTROL_SESSION_CHAP ? "chap" : "";
}

PUT(digests)
{
	(void)line;
	lf_cell_text(cell, digests(session));
}

PUT(auth)
{
	(void)line;
	lf_cell_text(cell, auth(session));
}

PUT(commands)
{
	(void)line;
	lf_cell_number(cell, session->commands);
}

PUT(in)
{
	lf_format_size(line, session->in_bytes, cell, LF_CELL_MAX);
}

PUT(out)
{
	lf_format_size(line, session->out_bytes, cell, LF_CELL_MAX);
}

PUT(age)
{
	unsigned long long age_s = session->age_ns / NS_IN_S;

	(void)line;
	snprintf(cell, LF_CELL_MAX, "%llu:%02llu:%02llu", age_s / 3600, age_s / 60 % 60, age_s % 60);
}

PUT(user)
{
	(void)line;
	lf_cell_text(cell, session->user.bytes);
}

static const struct lf_column columns[] = {
	{"ID", true, true, put_number},
	{"INITIATOR", false, true, put_initiator},
	{"ADDRESS", false, true, put_address},
	{"TARGET/TAG", false, true, put_target},
	{"DIGESTS", false, true, put_digests},
	{"AUTH", false, true, put_auth},
	{"COMMANDS", true, true, put_commands},
	{"IN", true, true, put_in},
	{"OUT", true, true, put_out},
	{"AGE", true, true, put_age},
	{"USER", false, false, put_user},
};

static const struct lf_table table = {columns, lf_count_of(columns), sizeof(struct lf_control_session)};

static struct json_object *json_session(const struct lf_control_session *session)
{
	struct json_object *object = json_object_new_object();

	lf_json_number(object, "id", session->number);
	lf_json_text(object, "initiator", session->initiator.bytes);
	lf_json_text(object, "address", session->address.bytes);
	lf_json_text(object, "target", session->target.bytes);
	lf_json_number(object, "tag", session->tag);
	lf_json_flag(object, "discovery", session->flags & LF_CONTROL_SESSION_DISCOVERY);
	lf_json_flag(object, "header_digest", session->flags & LF_CONTROL_SESSION_HEADER_DIGEST);
	lf_json_flag(object, "data_digest", session->flags & LF_CONTROL_SESSION_DATA_DIGEST);
	lf_json_text(object, "auth", auth(session));
	lf_json_text(object, "user", session->user.bytes);
	lf_json_number(object, "commands", session->commands);
	lf_json_number(object, "in_bytes", session->in_bytes);
	lf_json_number(object, "out_bytes", session->out_bytes);
	lf_json_number(object, "age_ms", session->age_ns / NS_IN_MS);
	return object;
}

/* A growing row; freed by the caller, also after a failure. */
static int fetch(const struct lf_command_line *line, struct lf_client *client,
	struct lf_control_session **sessions, uint32_t *count)
{
	union lf_control_request request = {0};
	union lf_control_reply reply;
	int status;

	do {
		struct lf_control_session *more;
		request.header.command = LF_CONTROL_SESSIONS;
		status = lf_session_call(line, client, NULL, &request, NULL, CALL_MS, &reply);
		if (status != LF_EXIT_DONE)
			return status;
		more = realloc(*sessions, (*count + reply.page.count + 1u) * sizeof(*more));
		if (!more)
			return lf_report(line, NULL, "out of memory", LF_EXIT_FAILED);
		*sessions = more;
		for (uint32_t i = 0; i < reply.page.count; i++) {
			memset(&more[*count], 0, sizeof(*more));
			if (!lf_control_decode_record(LF_CONTROL_SESSIONS, client->reply, i, &more[*count]) ||
				more[*count].number <= request.after.number)
				return lf_report(
					line, NULL, "the adapter's list makes no sense", LF_EXIT_FAILED);
			request.after.number = more[(*count)++].number;
		}
	} while (reply.page.more && reply.page.count > 0);
	return LF_EXIT_DONE;
}

static void print_json(const struct lf_control_session *sessions, uint32_t count)
{
	struct json_object *root = lf_json_new(), *array = json_object_new_array();

	for (uint32_t i = 0; i < count; i++)
		json_object_array_add(array, json_session(&sessions[i]));
	json_object_object_add(root, "sessions", array);
	lf_json_print(stdout, root);
}

int lf_verb_session_list(const struct lf_command_line *line)
{
	struct lf_control_session *sessions = NULL;
	const struct lf_column **chosen;
	uint32_t chosen_count, count = 0;
	struct lf_client *client;
	int status;

	if (!lf_columns_choose(line, &table, &chosen, &chosen_count))
		return LF_EXIT_USAGE;
	client = lf_session_open(line, &status);
	if (client) {
		status = fetch(line, client, &sessions, &count);
		lf_session_close(client);
		if (status == LF_EXIT_DONE && line->json)
			print_json(sessions, count);
		else if (status == LF_EXIT_DONE)
			lf_columns_print(line, &table, chosen, chosen_count, sessions, count);
		status = lf_output_end(line, status);
	}
	free(chosen);
	free(sessions);
	return status;
}

static int drop(const struct lf_command_line *line, struct lf_client *client, const char *id)
{
	union lf_control_request request = {0};
	union lf_control_reply reply;

	if (!lf_control_parse_number(id, UINT64_MAX, &request.after.number))
		return lf_report(line, id,
			"no such session: lungfish session list shows those that there are",
			LF_EXIT_NOT_FOUND);
	request.header.command = LF_CONTROL_DROP;
	return lf_session_call(line, client, id, &request, NULL, CALL_MS, &reply);
}

int lf_verb_session_drop(const struct lf_command_line *line)
{
	struct lf_tally tally = {0};
	struct lf_client *client;
	int status;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	for (int i = 0; i < line->operand_count; i++)
		lf_tally_count(&tally, drop(line, client, line->operands[i]));
	lf_session_close(client);
	return lf_tally_exit(&tally);
}
