/* SPDX-License-Identifier: BSD-2-Clause */
/* cdrom.c: a CD-ROM drive's capacity, its door and its events, and the hints that it takes (MMC-6). */
#include "core/handlers.h"

/* ---- READ CAPACITY: up to the lead-out; always of 2048 bytes, however the image holds them ---- */

void lf_cdrom_read_capacity_10(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[8];

	lf_put_be32(reply, lu->disc.leadout - 1);
	lf_put_be32(reply + 4, LF_SECTOR_BYTES);
	lf_finish_reply(request, reply, sizeof(reply));
}

void lf_cdrom_read_capacity_16(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[32] = {0};

	lf_put_be64(reply, lu->disc.leadout - 1);
	lf_put_be32(reply + 8, LF_SECTOR_BYTES);
	lf_finish_reply(request, reply, sizeof(reply));
}

/* MMC-6 6.24. */
void lf_cdrom_format_capacities(struct lf_lu *lu, struct lf_request *request)
{
	enum { FORMATTED = 2, NO_MEDIUM = 3 };
	uint8_t reply[12] = {[3] = 8};
	bool loaded = lf_cdrom_is_loaded(lu);

	lf_put_be32(reply + 4, loaded ? lu->disc.leadout : 0);
	lf_put_be32(reply + 8, LF_SECTOR_BYTES); /* three bytes of it; the type goes above them */
	reply[8] = loaded ? FORMATTED : NO_MEDIUM;
	lf_finish_reply(request, reply, sizeof(reply));
}

/* ---- The door and its events ---- */

/* MMC-6 6.14: no changer, nothing plays. */
void lf_cdrom_mechanism_status(struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[8] = {0};

	if (lu->medium_state == LF_MEDIUM_TRAY_OPEN)
		reply[1] = 0x10;
	lf_finish_reply(request, reply, sizeof(reply));
}

/* Classes of events (MMC-6 6.6.2), and their bits in requests and replies. */
enum event_class { CLASS_NONE = 0, CLASS_MEDIA = 4, CLASS_BUSY = 6 };
#define CLASS_BIT(class)  (1u << (class))
#define SUPPORTED_CLASSES (CLASS_BIT(CLASS_MEDIA) | CLASS_BIT(CLASS_BUSY))

#define NO_EVENT_AVAILABLE 0x80
#define EVENT_HEADER       4u

static uint8_t media_status(const struct lf_lu *lu)
{
	enum { DOOR_OPEN = 1, PRESENT = 2 };

	if (lu->medium_state == LF_MEDIUM_TRAY_OPEN)
		return DOOR_OPEN;
	return lf_cdrom_is_loaded(lu) ? PRESENT : 0;
}

/*
 * Polled only. The lowest class that was asked for and has something to tell: that can only be the media's;
 * the drive is never busy. An event that the initiator leaves no room for stays.
 */
void lf_cdrom_events(struct lf_lu *lu, struct lf_request *request)
{
	uint32_t asked = request->cdb[4] & SUPPORTED_CLASSES;
	uint8_t reply[8] = {[3] = SUPPORTED_CLASSES};
	enum lf_media_event event = LF_MEDIA_EVENT_NONE;
	uint32_t length = asked == 0 ? EVENT_HEADER : sizeof(reply);

	if (!(request->cdb[1] & 0x01)) {
		lf_sense_invalid_field_in_cdb(request, 1, 0);
		lf_finish(request);
		return;
	}
	if (asked == 0) {
		reply[2] = NO_EVENT_AVAILABLE | CLASS_NONE;
	} else if (asked & CLASS_BIT(CLASS_MEDIA)) {
		reply[2] = CLASS_MEDIA;
		if (request->data_length > EVENT_HEADER)
			lf_media_event_take(lf_request_itl(request), &event);
		reply[4] = (uint8_t)event;
		reply[5] = media_status(lu);
	} else {
		reply[2] = CLASS_BUSY;
	}
	lf_put_be16(reply, (uint16_t)(length - 2));
	lf_finish_reply(request, reply, length);
}

/* ---- What changes nothing ---- */

/* The lead-out is no place to seek to. */
void lf_cdrom_seek(struct lf_lu *lu, struct lf_request *request)
{
	uint64_t lba = lf_command_lba(request);

	if (lba >= lu->disc.leadout) {
		lf_sense_lba_out_of_range(request, lba);
		lf_finish(request);
		return;
	}
	lf_finish_good(request, 0);
}

void lf_cdrom_accept(struct lf_lu *lu, struct lf_request *request)
{
	(void)lu;
	lf_finish_good(request, 0);
}
