/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_functions.c: what SRBs without a command are answered, whom they are for, and what is made of an SRB
 * whose pieces lie where they must not.
 */
#include <string.h>

#include "tests/storport/native/stage.h"

static const uint8_t ready[6];

static uint8_t answer(struct host_request *request)
{
	host_run(stage, request);
	return request->srb_status;
}

static struct host_request function(const struct stage_unit *unit, UCHAR code)
{
	struct host_request request = stage_request(unit);

	request.function = code;
	return request;
}

static struct host_request pnp(const struct stage_unit *unit, ULONG action)
{
	struct host_request request = function(unit, HOST_SRB_PNP);

	request.action = action;
	return request;
}

static void no_address(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->AddressOffset = 0;
}

/* ---- Whom it is for ---- */

TEST(there_is_one_path)
{
	static const UCHAR functions[] = {HOST_SRB_EXECUTE_SCSI, HOST_SRB_FLUSH, HOST_SRB_SHUTDOWN,
		HOST_SRB_RESET_LOGICAL_UNIT, HOST_SRB_RESET_DEVICE, HOST_SRB_RESET_BUS};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(functions); i++) {
		struct host_request request = function(&unit, functions[i]);

		request.cdb_length = sizeof(ready);
		request.path = 1;
		CHECK_EQ(answer(&request), HOST_STATUS_NO_DEVICE);
	}
	stage_down(&unit);
	stage_close();
}

TEST(a_flush_is_of_the_unit_that_it_is_for)
{
	uint8_t block[STAGE_BLOCK] = {1}, data[STAGE_BLOCK] = {2};
	struct stage_unit first, unit;
	struct host_request request;

	stage_open();
	stage_up(&first, NULL);
	stage_up(&unit, &(struct stage_options){.path = "C:\\second.img"});
	CHECK_EQ(stage_write(&first, 0, 1, block), 0);
	CHECK_EQ(stage_write(&unit, 0, 1, block), 0);
	request = function(&unit, HOST_SRB_FLUSH);
	request.flags = HOST_FLAGS_DATA_IN; /* a buffer that nobody needs: none of it moves */
	request.data = data;
	request.length = sizeof(data);
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	CHECK_EQ(request.moved, 0);
	CHECK_EQ(lf_fake_file_count(unit.file, LF_FAKE_FLUSH), 1);
	CHECK_EQ(lf_fake_file_count(first.file, LF_FAKE_FLUSH), 0);
	stage_close();
}

/* It is nobody's command: what the unit has to tell stays for the class driver. */
TEST(a_flush_hears_no_unit_attention)
{
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	CHECK_EQ(stage_connect(&unit, &(struct stage_options){0}), LF_CONTROL_OK);
	host_wait_unit(stage, unit.target, unit.lun, true);
	request = function(&unit, HOST_SRB_FLUSH);
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	CHECK_EQ(stage_command(&unit, ready, sizeof(ready), 0, NULL, 0) >> 16, 6);
	stage_listen(&unit);
	stage_down(&unit);
	stage_close();
}

/* Power may be the adapter's own: then there is no address. */
TEST(power_needs_no_address)
{
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	request = function(&unit, HOST_SRB_POWER);
	request.spoil = no_address;
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	stage_down(&unit);
	stage_close();
}

/* ---- Plug and play ---- */

TEST(starts_and_stops_are_acknowledged)
{
	static const ULONG actions[] = {HOST_PNP_START, HOST_PNP_STOP};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < 2 * lf_count_of(actions); i++) {
		struct host_request request = pnp(&unit, actions[i / 2]);

		request.action_flags = i % 2 == 0 ? 0 : HOST_ADAPTER_REQUEST;
		CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	}
	stage_down(&unit);
	stage_close();
}

static void no_buffer(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->DataBuffer = NULL;
}

/*
 * As large as one of the two structures, or refused. The shorter one has no RawDeviceOK: what lies behind
 * that bit is one lower.
 */
TEST(capabilities_are_told_in_both_structures)
{
	enum { FEW_EJECT = 1 << 3, FEW_REMOVABLE = 1 << 4, FEW_SURPRISE = 1 << 8 };
	static const enum host_form forms[] = {HOST_FORM_OLD, HOST_FORM_EXTENDED};
	struct host_capabilities told = {.Version = 1, .Size = sizeof(told)};
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_capabilities_old few = {.Version = 1};

		request = pnp(&unit, HOST_PNP_QUERY_CAPABILITIES);
		request.form = forms[i];
		request.flags = HOST_FLAGS_DATA_IN;
		request.data = &few;
		request.length = sizeof(few);
		CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
		CHECK_EQ(few.Bits, FEW_EJECT | FEW_REMOVABLE | FEW_SURPRISE);
		CHECK_EQ(few.Bits,
			HOST_CAPABLE_EJECT | HOST_CAPABLE_REMOVABLE | HOST_CAPABLE_SURPRISE_REMOVAL >> 1);
		request.length = sizeof(few) - 1;
		CHECK_EQ(answer(&request), HOST_STATUS_INVALID_REQUEST);
	}
	request.data = &told;
	request.length = sizeof(told);
	request.spoil = no_buffer;
	CHECK_EQ(answer(&request), HOST_STATUS_INVALID_REQUEST);
	stage_down(&unit);
	stage_close();
}

/* What goes with the adapter, or says not which unit goes, lets go of none. */
TEST(a_removal_that_is_no_units_lets_go_of_none)
{
	static const enum host_form forms[] = {HOST_FORM_EXTENDED, HOST_FORM_OLD};
	struct host_address_btl8 address;
	struct host_request request;
	struct stage_unit unit, again;

	stage_open();
	stage_up(&unit, NULL);
	host_hold_scans(stage, true);
	CHECK_EQ(stage_disconnect(&unit, true), LF_CONTROL_OK);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		request = pnp(&unit, HOST_PNP_REMOVE);
		request.form = forms[i];
		request.action_flags = HOST_ADAPTER_REQUEST;
		CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	}
	request = pnp(&unit, HOST_PNP_REMOVE);
	request.spoil = no_address;
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	request = pnp(&unit, HOST_PNP_REMOVE);
	request.path = 1;
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	address = host_address(unit.target, unit.lun);
	address.Path = 1;
	CHECK_EQ(host_unit_control(stage, HOST_UNIT_REMOVE, &address), HOST_CONTROL_UNSUCCESSFUL);
	address.Path = 0;
	address.Type = 7;
	CHECK_EQ(host_unit_control(stage, HOST_UNIT_REMOVE, &address), HOST_CONTROL_UNSUCCESSFUL);
	CHECK_EQ(host_unit_control(stage, HOST_UNIT_REMOVE, NULL), HOST_CONTROL_UNSUCCESSFUL);
	CHECK_EQ(stage_connect(&again,
			 &(struct stage_options){.path = "C:\\again.img", .lun_and_one = unit.lun + 1u}),
		LF_CONTROL_BUSY);
	host_hold_scans(stage, false);
	host_wait_unit(stage, unit.target, unit.lun, false);
	stage_close();
}

/* ---- Task attributes ---- */

static void without_its_flag(void *srb, void *context)
{
	struct host_srb *old = srb;
	struct host_srbex *extended = srb;

	(void)context;
	if (old->Function == HOST_SRB_EXTENDED)
		extended->SrbFlags &= ~(ULONG)HOST_FLAGS_QUEUE_ACTION_ENABLE;
	else
		old->SrbFlags &= ~(ULONG)HOST_FLAGS_QUEUE_ACTION_ENABLE;
}

/* ORDERED waits for those before it, SIMPLE does not; what is said counts where the flag says that it does.
 */
TEST(an_attribute_counts_with_its_flag)
{
	static const enum host_form forms[] = {HOST_FORM_EXTENDED, HOST_FORM_OLD};
	struct stage_unit unit;

	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request read, ordered, head;
		uint8_t block[STAGE_BLOCK];

		stage_open();
		stage_up(&unit, NULL);
		stage_hold_read(&unit, &read, block);
		ordered = stage_request(&unit);
		ordered.form = forms[i];
		ordered.cdb_length = sizeof(ready);
		ordered.attribute = HOST_QUEUE_ORDERED;
		ordered.spoil = without_its_flag;
		CHECK_EQ(stage_run(&ordered), 0);
		ordered.spoil = NULL;
		host_submit(stage, &ordered);
		head = ordered;
		head.attribute = HOST_QUEUE_HEAD;
		CHECK_EQ(stage_run(&head), 0);
		CHECK(!host_has_ended(stage, &ordered));
		lf_fake_rules_clear();
		lf_fake_release();
		host_wait(stage, &ordered);
		CHECK_EQ(ordered.srb_status, HOST_STATUS_SUCCESS);
		host_drain(stage);
		stage_down(&unit);
		stage_close();
	}
}

/* ---- Pieces of an extended SRB ---- */

static void *first_piece(struct host_srbex *all)
{
	return (char *)(void *)all + all->SrbExDataOffset[0];
}

static void many_pieces(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->NumSrbExData = 1000;
}

static void piece_begins_at_the_end(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	all->SrbExDataOffset[0] = all->SrbLength - sizeof(struct host_srbex_data);
	*(struct host_srbex_data *)first_piece(all) = (struct host_srbex_data){HOST_SRBEX_CDB16, 100};
}

static void piece_is_cut(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->SrbLength -= 8;
}

static void piece_is_misaligned(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->SrbExDataOffset[0] += 2;
}

static void cdb_is_longer_than_its_piece(void *srb, void *context)
{
	(void)context;
	((struct host_srbex_cdb16 *)first_piece(srb))->CdbLength = 17;
}

static void cdb_ends_behind_the_srb(void *srb, void *context)
{
	(void)context;
	((struct host_srbex_cdb_var *)first_piece(srb))->CdbLength = 17;
}

TEST(no_piece_is_read_past_the_end_of_its_srb)
{
	static void (*const spoilers[])(void *, void *) = {many_pieces, piece_begins_at_the_end, piece_is_cut,
		piece_is_misaligned, cdb_is_longer_than_its_piece, cdb_ends_behind_the_srb};
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(spoilers); i++) {
		struct host_request request = stage_request(&unit);

		request.cdb_length = sizeof(ready);
		request.cdb_var_length = spoilers[i] == cdb_ends_behind_the_srb ? 16 : 0;
		request.spoil = spoilers[i];
		CHECK_EQ(answer(&request), HOST_STATUS_INVALID_REQUEST);
		request = pnp(&unit, HOST_PNP_START);
		request.spoil = spoilers[i];
		if (spoilers[i] == piece_is_cut)
			CHECK_EQ(answer(&request), HOST_STATUS_INVALID_REQUEST);
	}
	stage_down(&unit);
	stage_close();
}

static void one_that_is_not_there(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->NumSrbExData = 2; /* the second offset is 0 */
}

static void one_of_another_kind(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	all->NumSrbExData = 2; /* the second offset lies in what is padding else */
	all->SrbExDataOffset[0] = (ULONG)offsetof(struct host_srbex, ZeroGuard2);
	all->ZeroGuard2 = NULL;
}

/* Offset 0 is no piece; but a piece never lies in the head of the SRB. */
TEST(pieces_that_are_not_there_are_passed_over)
{
	struct host_request request;
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	request = stage_request(&unit);
	request.cdb_length = sizeof(ready);
	request.spoil = one_that_is_not_there;
	CHECK_EQ(answer(&request), HOST_STATUS_SUCCESS);
	request.function = HOST_SRB_POWER;
	request.spoil = one_of_another_kind;
	CHECK_EQ(answer(&request), HOST_STATUS_INVALID_REQUEST);
	stage_down(&unit);
	stage_close();
}
