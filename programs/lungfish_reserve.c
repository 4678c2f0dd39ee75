/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_reserve.c: reserve show and reserve clear: what initiators keep each other out by. */
#include "programs/lungfish.h"

#include <string.h>

/* SPC-4 table 196. */
static const char *name_type(const struct lf_control_reservation *reservation)
{
	static const char *const names[] = {"", "write exclusive", "", "exclusive access", "",
		"write exclusive, registrants only", "exclusive access, registrants only",
		"write exclusive, all registrants", "exclusive access, all registrants"};

	if (reservation->flags & LF_CONTROL_RESERVATION_OLD)
		return "by RESERVE";
	return reservation->type < lf_count_of(names) ? names[reservation->type] : "";
}

int lf_reservation_read(const struct lf_command_line *line, struct lf_client *client, const char *id,
	struct lf_control_reservation *reservation)
{
	union lf_control_reply reply;
	int status = lf_session_select(line, client, LF_CONTROL_RESERVATION, id, &reply);

	if (status == LF_EXIT_DONE)
		*reservation = reply.reservation;
	return status;
}

void lf_reservation_show(const struct lf_control_reservation *reservation)
{
	const char *type = name_type(reservation);
	bool old = reservation->flags & LF_CONTROL_RESERVATION_OLD;

	printf("%-10s %s\n", "RESERVED", *type ? type : "-");
	printf("%-10s ", "HOLDER");
	lf_print_clean(stdout, reservation->holder.length ? reservation->holder.bytes : "-");
	if (reservation->type != 0 && !old)
		printf("\n%-10s 0x%016llx", "KEY", (unsigned long long)reservation->key);
	printf("\n%-10s %u\n", "REGISTERED", reservation->registrations);
	printf("%-10s %u\n", "GENERATION", reservation->generation);
	printf("%-10s %u\n", "PERSISTS", reservation->flags & LF_CONTROL_RESERVATION_PERSISTS ? 1 : 0);
}

struct json_object *lf_json_reservation(const struct lf_control_reservation *reservation)
{
	struct json_object *object = json_object_new_object();
	bool persistent = reservation->type != 0;
	char key[24];

	snprintf(key, sizeof(key), "0x%016llx", (unsigned long long)reservation->key);
	json_object_object_add(object, "type", persistent ? json_object_new_int(reservation->type) : NULL);
	lf_json_text(object, "type_name", name_type(reservation));
	lf_json_text(object, "holder", reservation->holder.bytes);
	lf_json_text(object, "key", persistent ? key : "");
	lf_json_number(object, "registrations", reservation->registrations);
	lf_json_number(object, "generation", reservation->generation);
	lf_json_flag(object, "persists", reservation->flags & LF_CONTROL_RESERVATION_PERSISTS);
	return object;
}

int lf_verb_reserve_show(const struct lf_command_line *line)
{
	struct lf_control_reservation reservation;
	struct json_object *root, *array, *object;
	struct lf_client *client;
	int status;

	client = lf_session_open(line, &status);
	if (!client)
		return status;
	status = lf_reservation_read(line, client, line->operands[0], &reservation);
	lf_session_close(client);
	if (status == LF_EXIT_DONE && line->json) {
		root = lf_json_new();
		array = json_object_new_array();
		object = lf_json_reservation(&reservation);
		json_object_array_add(array, object);
		json_object_object_add(root, "reservations", array);
		lf_json_print(stdout, root);
	} else if (status == LF_EXIT_DONE) {
		lf_reservation_show(&reservation);
	}
	return lf_output_end(line, status);
}

int lf_verb_reserve_clear(const struct lf_command_line *line)
{
	union lf_control_request request = {0};
	union lf_control_reply reply;
	struct lf_client *client;
	int status = lf_fill_id(line, line->operands[0], &request.select);

	client = status == LF_EXIT_DONE ? lf_session_open(line, &status) : NULL;
	if (!client)
		return status;
	request.header.command = LF_CONTROL_RESERVATION_CLEAR;
	status = lf_session_call(line, client, line->operands[0], &request, NULL, CALL_MS, &reply);
	lf_session_close(client);
	return status;
}
