/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_forms.c: what an SRB says of itself: its pieces and where they lie, which way its data go and how
 * much, in which order it is to be done.
 */
#include <string.h>

#include "tests/storport/native/stage.h"

#define INQUIRY_BYTES 36

static const enum host_form forms[] = {HOST_FORM_EXTENDED, HOST_FORM_OLD};

/* An INQUIRY whose piece has room for a CDB of 32 bytes. */
static struct host_request wide_inquiry(const struct stage_unit *unit, void *data)
{
	struct host_request request = stage_request(unit);

	request.cdb[0] = 0x12;
	request.cdb[4] = INQUIRY_BYTES;
	request.cdb_length = 32;
	request.flags = HOST_FLAGS_DATA_IN;
	request.data = data;
	request.length = INQUIRY_BYTES;
	return request;
}

static void *piece_of(void *srb)
{
	return (char *)srb + ((struct host_srbex *)srb)->SrbExDataOffset[0];
}

/* ---- Pieces ---- */

static void make_var(void *srb, ULONG cdb_length)
{
	struct host_srbex_cdb32 was;
	struct host_srbex_cdb_var *var = piece_of(srb);

	memcpy(&was, var, sizeof(was));
	var->Type = HOST_SRBEX_CDB_VAR;
	var->CdbLength = cdb_length;
	var->SenseInfoBuffer = was.SenseInfoBuffer;
	memcpy(var->Cdb, was.Cdb, 16);
}

static void var_of_6(void *srb, void *context)
{
	(void)context;
	make_var(srb, 6);
}

static void var_to_the_end(void *srb, void *context)
{
	(void)context;
	make_var(srb, 25); /* one byte more than the SRB has */
}

static void var_without_end(void *srb, void *context)
{
	(void)context;
	make_var(srb, 0xfffffff0);
}

static void cdb32_of_6(void *srb, void *context)
{
	(void)context;
	((struct host_srbex_cdb32 *)piece_of(srb))->CdbLength = 6;
}

static void cdb16_of_6(void *srb, void *context)
{
	struct host_srbex_cdb16 *piece = piece_of(srb);

	(void)context;
	piece->Type = HOST_SRBEX_CDB16;
	piece->CdbLength = 6;
}

TEST(each_kind_of_cdb_is_read)
{
	static void (*const kinds[])(void *, void *) = {cdb16_of_6, cdb32_of_6, var_of_6};
	uint8_t data[INQUIRY_BYTES];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(kinds); i++) {
		struct host_request request = wide_inquiry(&unit, data);

		memset(data, 0xcc, sizeof(data));
		request.spoil = kinds[i];
		CHECK_EQ(stage_run(&request), 0);
		CHECK_EQ(request.moved, sizeof(data));
		CHECK_EQ(data[0], 0);
	}
	stage_down(&unit);
	stage_close();
}

static void another_signature(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->Signature = 0;
}

static void short_of_its_own_fields(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->SrbLength = 0x77;
}

static void more_pieces_than_it_has_room_for(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->NumSrbExData = 0x40000001;
}

static void piece_in_its_own_fields(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->SrbExDataOffset[0] = 0x70;
}

/* Where the pointers in it could not be read in one go. */
static void piece_between_words(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	memmove((char *)srb + all->SrbExDataOffset[0] - 4, piece_of(srb), sizeof(struct host_srbex_cdb16));
	all->SrbExDataOffset[0] -= 4;
	((struct host_srbex_data *)piece_of(srb))->Type = HOST_SRBEX_CDB16;
}

static void address_between_words(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->AddressOffset += 4;
}

static void no_address(void *srb, void *context)
{
	(void)context;
	((struct host_srbex *)srb)->AddressOffset = 0;
}

/* The piece lies over the address: the status of the one is a byte of the other, and neither is taken. */
static void pieces_over_each_other(void *srb, void *context)
{
	struct host_srbex *all = srb;

	(void)context;
	all->SrbExDataOffset[0] = all->AddressOffset;
}

static void pnp_piece_at_the_end(void *srb, void *context)
{
	struct host_srbex *all = srb;
	struct host_srbex_data end = {.Type = HOST_SRBEX_PNP};

	(void)context;
	all->SrbExDataOffset[0] = all->SrbLength - 8;
	memcpy((char *)srb + all->SrbLength - 8, &end, sizeof(end));
}

TEST(pieces_that_lie_wrong_make_an_srb_invalid)
{
	static void (*const spoilers[])(void *, void *) = {var_to_the_end, var_without_end, another_signature,
		short_of_its_own_fields, more_pieces_than_it_has_room_for, piece_in_its_own_fields,
		piece_between_words, address_between_words, no_address, pieces_over_each_other,
		pnp_piece_at_the_end};
	uint8_t data[INQUIRY_BYTES];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(spoilers); i++) {
		struct host_request request = wide_inquiry(&unit, data);

		memset(data, 0xcc, sizeof(data));
		request.spoil = spoilers[i];
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
		CHECK_EQ(data[0], 0xcc);
	}
	stage_down(&unit);
	stage_close();
}

/* Nothing of it is written but the status, which every SRB has in the same place. */
TEST(an_srb_that_is_too_short_keeps_its_length)
{
	uint8_t data[INQUIRY_BYTES];
	struct stage_unit unit;
	struct host_request request;

	stage_open();
	stage_up(&unit, NULL);
	request = wide_inquiry(&unit, data);
	request.spoil = short_of_its_own_fields;
	stage_run(&request);
	CHECK_EQ(request.srb_status, HOST_STATUS_INVALID_REQUEST);
	CHECK_EQ(request.moved, INQUIRY_BYTES);
	stage_down(&unit);
	stage_close();
}

/* ---- Data ---- */

TEST(more_than_the_buffer_holds_is_an_overrun)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request request = stage_request(&unit);

		stage_fill(block, i, 1);
		request.form = forms[i];
		stage_cdb_rw(&request, true, 10 * i, 2);
		request.data = block;
		request.length = sizeof(block);
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
		CHECK_EQ(request.moved, sizeof(block));
		stage_cdb_rw(&request, false, 10 * i, 2);
		request.data = read;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
		CHECK_EQ(request.moved, sizeof(read));
		CHECK(memcmp(block, read, sizeof(block)) == 0);
		lf_fake_file_read(unit.file, (10 * i + 1) * STAGE_BLOCK, read, sizeof(read));
		CHECK_EQ(read[0], 0);
	}
	stage_down(&unit);
	stage_close();
}

TEST(no_direction_moves_nothing)
{
	uint8_t block[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	memset(block, 0x77, sizeof(block)); /* the host looks that it stays */
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request request = stage_request(&unit);

		request.form = forms[i];
		request.cdb_length = 6; /* TEST UNIT READY */
		request.data = block;
		request.length = sizeof(block);
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_SUCCESS);
		CHECK_EQ(request.moved, 0);
		stage_cdb_rw(&request, false, 0, 1);
		request.flags = 0;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
		CHECK_EQ(request.moved, 0);
		stage_cdb_rw(&request, true, 0, 1);
		request.flags = 0;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_DATA_OVERRUN);
		CHECK_EQ(request.moved, 0);
	}
	lf_fake_file_read(unit.file, 0, block, sizeof(block));
	CHECK_EQ(block[0], 0);
	stage_down(&unit);
	stage_close();
}

/* As of a pass-through that does not know: the command knows. */
TEST(both_directions_are_the_commands_own)
{
	uint8_t block[STAGE_BLOCK], read[STAGE_BLOCK];
	struct stage_unit unit;

	stage_open();
	stage_up(&unit, NULL);
	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request request = stage_request(&unit);

		stage_fill(block, i, 1);
		request.form = forms[i];
		stage_cdb_rw(&request, true, i, 1);
		request.flags = HOST_FLAGS_DATA_IN | HOST_FLAGS_DATA_OUT;
		request.data = block;
		request.length = sizeof(block);
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_SUCCESS);
		stage_cdb_rw(&request, false, i, 1);
		request.flags = HOST_FLAGS_DATA_IN | HOST_FLAGS_DATA_OUT;
		request.data = read;
		stage_run(&request);
		CHECK_EQ(request.srb_status, HOST_STATUS_SUCCESS);
		CHECK(memcmp(block, read, sizeof(block)) == 0);
	}
	stage_down(&unit);
	stage_close();
}

/* ---- Order ---- */

static void write_begin(struct host_request *request, const struct stage_unit *unit, UCHAR action,
	enum host_form form, void *data)
{
	*request = stage_request(unit);
	request->attribute = action;
	request->form = form;
	stage_cdb_rw(request, true, 1, 1);
	request->data = data;
	request->length = STAGE_BLOCK;
	host_submit(stage, request);
}

/*
 * While a read is held up: an ORDERED write waits for it, a SIMPLE one for the ORDERED one, and one for the
 * HEAD OF QUEUE passes both.
 */
TEST(queue_actions_are_kept)
{
	uint8_t block[STAGE_BLOCK], last[STAGE_BLOCK], found[STAGE_BLOCK];

	for (uint32_t i = 0; i < lf_count_of(forms); i++) {
		struct host_request read, head, ordered, simple;
		struct stage_unit unit;

		stage_open();
		stage_up(&unit, NULL);
		host_settle(stage);
		stage_hold_read(&unit, &read, found);
		stage_fill(block, 1, 1);
		stage_fill(last, 1, 2);
		write_begin(&ordered, &unit, HOST_QUEUE_ORDERED, forms[i], block);
		write_begin(&simple, &unit, HOST_QUEUE_SIMPLE, forms[i], last);
		write_begin(&head, &unit, HOST_QUEUE_HEAD, forms[i], block);
		host_wait(stage, &head);
		CHECK_EQ(head.srb_status, HOST_STATUS_SUCCESS);
		CHECK_EQ(host_outstanding(stage), 3);
		lf_fake_rules_clear();
		lf_fake_release();
		host_drain(stage);
		lf_fake_file_read(unit.file, STAGE_BLOCK, found, sizeof(found));
		CHECK(memcmp(last, found, sizeof(last)) == 0);
		stage_down(&unit);
		stage_close();
	}
}
