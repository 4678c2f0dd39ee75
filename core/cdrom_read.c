/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom_read.c: READ (10) and (12) of a disc, READ CD and READ CD MSF: sectors with what is around the data.
 */
#include "core/handlers.h"

/* ---- Where sectors are ---- */

/*
 * The track that holds all of these sectors, when it is one whose sectors are read here: Mode 1, of which the
 * store has the user data. NULL: it has set CHECK CONDITION. A command does not cross from track to track.
 */
static const struct lf_disc_track *data_track(
	const struct lf_disc *disc, struct lf_request *request, uint32_t lba, uint64_t count)
{
	const struct lf_disc_track *track = lf_disc_track_at(disc, lba);

	if (track == NULL) {
		lf_sense_lba_out_of_range(request, lba);
		return NULL;
	}
	if (track->mode != LF_TRACK_MODE_1 || track->sector_size != LF_SECTOR_BYTES ||
		count > track->length - (lba - track->start)) {
		lf_sense_illegal_mode(request);
		return NULL;
	}
	return track;
}

static void prepare_read(struct lf_request *request, const struct lf_disc_track *track, uint32_t lba,
	uint64_t length_bytes, void (*done)(struct lf_io *io))
{
	struct lf_io *io = &request->io;

	io->op = LF_OP_READ;
	io->fua = false;
	io->offset_bytes = track->offset_bytes + (uint64_t)(lba - track->start) * track->sector_size;
	io->length_bytes = length_bytes;
	io->done = done;
}

/* ---- User data alone goes straight into the initiator's buffers. step: the first sector's LBA ---- */

static void user_data_done(struct lf_io *io)
{
	struct lf_request *request = lf_container(io, struct lf_request, io);

	lf_check_io_done(io);
	if (io->error == LF_OK)
		lf_finish_good(request, io->length_bytes);
	else
		lf_finish_error(request, false, request->step);
}

static void read_user_data(struct lf_lu *lu, struct lf_request *request, uint32_t lba)
{
	uint64_t count = request->data_length / LF_SECTOR_BYTES;
	const struct lf_disc_track *track = NULL;

	if (count == 0) { /* no sectors, or no room for one */
		lf_finish_good(request, 0);
		return;
	}
	track = data_track(&lu->disc, request, lba, count);
	if (track == NULL) {
		lf_finish(request);
		return;
	}
	request->step = lba;
	prepare_read(request, track, lba, count * LF_SECTOR_BYTES, user_data_done);
	request->io.segments = request->segments;
	request->io.segment_count = request->segment_count;
	lf_lu_submit_io(lu, request);
}

void lf_cdrom_read(struct lf_lu *lu, struct lf_request *request)
{
	read_user_data(lu, request, (uint32_t)lf_command_lba(request));
}

/* ---- READ CD and READ CD MSF (MMC-6 6.15, 6.16) ---- */

/* Main channel selection, byte 9. */
#define SELECT_SYNC      0x80
#define SELECT_SUBHEADER 0x40
#define SELECT_HEADER    0x20
#define SELECT_USER      0x10
#define SELECT_EDC       0x08
#define SELECT_C2        0x06

#define SYNC_END   12u
#define HEADER_END 16u
#define USER_END   (HEADER_END + LF_SECTOR_BYTES)

/* What a READ CD asks for: sectors, and from which byte to which of each. All legal choices are one run. */
struct read_cd {
	uint32_t lba; /* from -150 on */
	uint64_t count;
	uint32_t from, to;
};

/* False: it has set CHECK CONDITION. */
static bool read_cd_place(struct lf_request *request, struct read_cd *what)
{
	uint32_t end;

	if (request->cdb[0] == 0xbe) {
		what->lba = (uint32_t)lf_command_lba(request);
		what->count = lf_command_length(request);
		return true;
	}
	if (!lf_msf_get(request->cdb + 3, &what->lba)) {
		lf_sense_invalid_field_in_cdb(request, 3, LF_NO_BIT);
		return false;
	}
	/* Compared from 00:00:00 on, as what is before LBA 0 is negative. */
	if (!lf_msf_get(request->cdb + 6, &end) || end + LF_DISC_PREGAP < what->lba + LF_DISC_PREGAP) {
		lf_sense_invalid_field_in_cdb(request, 6, LF_NO_BIT);
		return false;
	}
	what->count = end - what->lba;
	return true;
}

/* A Mode 1 sector has no subheader. False: MMC-6 table 353 calls the choice illegal. */
static bool read_cd_select(struct lf_request *request, struct read_cd *what)
{
	uint8_t select = request->cdb[9];
	bool sync = select & SELECT_SYNC, header = select & SELECT_HEADER, user = select & SELECT_USER;
	bool behind_header = user || (select & SELECT_SUBHEADER);

	if ((select & SELECT_C2) || ((select & SELECT_EDC) && !user) || (sync && !header && behind_header)) {
		lf_sense_invalid_field_in_cdb(request, 9, LF_NO_BIT);
		return false;
	}
	what->from = sync ? 0 : header ? SYNC_END : HEADER_END;
	what->to = (select & SELECT_EDC) ? LF_SECTOR_RAW
		   : user                ? USER_END
		   : header              ? HEADER_END
		   : sync                ? SYNC_END
					 : what->from;
	return true;
}

/* EXPECTED SECTOR TYPE: any, or the one that there is. */
static bool read_cd_expects(struct lf_request *request)
{
	enum { ANY = 0, MODE_1 = 2, LAST = 5 };
	uint32_t expected = request->cdb[1] >> 2 & 0x07;

	if (expected > LAST)
		lf_sense_invalid_field_in_cdb(request, 1, 4);
	else if (expected != ANY && expected != MODE_1)
		lf_sense_illegal_mode(request);
	else
		return true;
	return false;
}

/* All sectors, from the pregap of the first track to the lead-out. */
static bool read_cd_range(const struct lf_disc *disc, struct lf_request *request, const struct read_cd *what)
{
	uint32_t first = what->lba + LF_DISC_PREGAP, end = disc->leadout + LF_DISC_PREGAP;

	if (first <= end && what->count <= end - first)
		return true;
	lf_sense_lba_out_of_range(request, first > end ? what->lba : disc->leadout);
	return false;
}

/* The whole CDB; false: it has set CHECK CONDITION. */
static bool read_cd_parse(const struct lf_lu *lu, struct lf_request *request, struct read_cd *what)
{
	if (lu->disc.profile != LF_PROFILE_CD_ROM) {
		lf_sense_incompatible_medium(request);
		return false;
	}
	if (request->cdb[10] != 0) { /* the image has no sub-channels */
		lf_sense_invalid_field_in_cdb(request, 10, 2);
		return false;
	}
	return read_cd_place(request, what) && read_cd_select(request, what) && read_cd_expects(request) &&
	       read_cd_range(&lu->disc, request, what);
}

bool lf_cdrom_check(const struct lf_lu *lu, struct lf_request *request, uint64_t *wanted)
{
	struct read_cd what;

	if (request->cdb[0] == 0xac) { /* GET PERFORMANCE: there is one descriptor at most */
		*wanted = LF_PERFORMANCE_BYTES(lf_min(lf_command_length(request), 1u));
		return true;
	}
	if (!read_cd_parse(lu, request, &what))
		return false;
	*wanted = what.count * (what.to - what.from);
	if (*wanted <= LF_TRANSFER_MAX_BYTES)
		return true;
	lf_sense_invalid_field_in_cdb(request, 6, LF_NO_BIT);
	return false;
}

/* A raw sector is built at the end of the scratch buffer, behind the user data of as many as fit before it.
 */
#define RAW_AT (LF_SCRATCH_BYTES - LF_SECTOR_RAW)

/* Puts what was asked for of one sector into the reply. user: its data, or NULL for a sector of the pregap.
 */
static void put_sector(struct lf_request *request, const struct read_cd *what, const void *user)
{
	uint8_t *sector = (uint8_t *)request->scratch + RAW_AT;
	uint32_t size = what->to - what->from;

	if (user == NULL)
		memset(sector + HEADER_END, 0, LF_SECTOR_BYTES);
	else
		memcpy(sector + HEADER_END, user, LF_SECTOR_BYTES);
	lf_sector_mode_1(sector, what->lba + (uint32_t)request->step);
	lf_reply_put(request, request->step * size, sector + what->from, size);
	request->step++;
}

static bool read_cd_next(struct lf_lu *lu, struct lf_request *request);

static void read_cd_done(struct lf_io *io)
{
	lf_steps_done(io, read_cd_next);
}

/* step: sectors that are in the reply. io.length_bytes: what was read for the next ones. */
static bool read_cd_next(struct lf_lu *lu, struct lf_request *request)
{
	struct lf_io *io = &request->io;
	const struct lf_disc_track *track;
	struct read_cd what;

	if (!read_cd_parse(lu, request, &what)) { /* as it was at lf_begin: the medium is the same */
		lf_finish(request);
		return false;
	}
	uint32_t size = what.to - what.from;
	uint64_t count = lf_min(what.count, (request->data_length + size - 1) / size);
	if (io->length_bytes > 0 && io->error != LF_OK) {
		lf_finish_error(request, false, (uint32_t)(what.lba + request->step));
		return false;
	}
	for (uint64_t at = 0; at < io->length_bytes; at += LF_SECTOR_BYTES)
		put_sector(request, &what, (const uint8_t *)request->scratch + at);
	while (request->step < count && what.lba + (uint32_t)request->step >= UINT32_MAX - LF_DISC_PREGAP + 1)
		put_sector(request, &what, NULL);
	if (request->step == count) {
		lf_reply_finish(request, count * size);
		return false;
	}
	uint64_t now = lf_min(count - request->step, (uint64_t)RAW_AT / LF_SECTOR_BYTES);
	uint32_t lba = what.lba + (uint32_t)request->step;
	track = data_track(&lu->disc, request, lba, now);
	if (track == NULL) {
		lf_finish(request);
		return false;
	}
	prepare_read(request, track, lba, now * LF_SECTOR_BYTES, read_cd_done);
	request->scratch_segment.base = request->scratch;
	request->scratch_segment.length = LF_SCRATCH_BYTES;
	io->segments = &request->scratch_segment;
	io->segment_count = 1;
	return true;
}

void lf_cdrom_read_cd(struct lf_lu *lu, struct lf_request *request)
{
	struct read_cd what;

	if (request->data_length == 0) {
		lf_finish_good(request, 0);
		return;
	}
	if (!read_cd_parse(lu, request, &what)) {
		lf_finish(request);
		return;
	}
	if (what.from == HEADER_END && what.to == USER_END && what.lba < lu->disc.leadout) {
		read_user_data(lu, request, what.lba);
		return;
	}
	if (!lf_scratch_get(lu, request))
		return;
	request->step = 0;
	request->io.length_bytes = 0;
	lf_steps_run(lu, request, read_cd_next);
}
