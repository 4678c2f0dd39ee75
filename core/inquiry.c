/* SPDX-License-Identifier: BSD-2-Clause */
/* inquiry.c: INQUIRY and the vital product data pages (SPC-4 6.6, 7.8; SBC-4 6.6). */
#include "core/handlers.h"

#define STANDARD_LENGTH 96
#define PROTOCOL_ISCSI  0x05
#define PROTOCOL_NONE   0x0f

/* Left-aligned, padded with spaces (SPC-4 4.3.1). */
static void put_text(uint8_t *to, size_t size, const char *text)
{
	size_t length = lf_min(strlen(text), size);

	memset(to, ' ', size);
	memcpy(to, text, length);
}

static uint8_t peripheral(const struct lf_lu *lu)
{
	return lu->type == LF_LU_ABSENT ? 0x7f : (uint8_t)lu->type; /* 7Fh: no unit can be there */
}

static void standard(const struct lf_lu *lu, struct lf_request *request)
{
	const struct lf_port *port = request->nexus->port;
	uint8_t reply[STANDARD_LENGTH] = {0}, *version = reply + 58;

	reply[0] = peripheral(lu);
	reply[1] = lu->removable ? 0x80 : 0; /* RMB */
	reply[2] = 0x06;                     /* SPC-4 */
	reply[3] = 0x12;                     /* HISUP, response data format 2 */
	reply[4] = STANDARD_LENGTH - 5;
	reply[7] = 0x02; /* CMDQUE */
	put_text(reply + 8, 8, lu->type == LF_LU_ABSENT ? "LUNGFISH" : lu->vendor);
	put_text(reply + 16, 16, lu->product);
	put_text(reply + 32, 4, lu->revision);
	lf_put_be16(version, 0x00a0);     /* SAM-5 */
	lf_put_be16(version + 2, 0x0460); /* SPC-4 */
	version += 4;
	if (lu->type == LF_LU_CDROM) {
		lf_put_be16(version, 0x04e0); /* MMC-6 */
		version += 2;
	} else if (lu->type == LF_LU_DISK) {
		lf_put_be16(version, 0x04c0);     /* SBC-3, by which some initiators know page B0h's length */
		lf_put_be16(version + 2, 0x0600); /* SBC-4 */
		version += 4;
	}
	if (port != NULL && port->protocol == PROTOCOL_ISCSI)
		lf_put_be16(version, 0x0960);
	lf_finish_reply(request, reply, sizeof(reply));
}

/* ---- Vital product data: each fills in what follows the page header and returns its length ---- */

#define PAGE_MOST 768 /* page 83h has at most 616 bytes after its header */

static uint32_t serial_number(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	uint32_t length = (uint32_t)strlen(lu->serial);

	(void)request;
	memcpy(to, lu->serial, length);
	return length;
}

/* ---- 83h ---- */

enum association { OF_UNIT = 0x00, OF_PORT = 0x10, OF_DEVICE = 0x20 };
enum code_set { BINARY = 1, ASCII = 2, UTF8 = 3 };
enum designator { T10_VENDOR = 1, NAA = 3, RELATIVE_PORT = 4, NAME_STRING = 8 };

/* Starts a designator, whose value then follows; returns its length with the header. */
static uint32_t put_designator(const struct lf_request *request, uint8_t *to, enum association association,
	enum code_set code_set, enum designator type, uint32_t length)
{
	const struct lf_port *port = request->nexus->port;

	to[0] = (uint8_t)code_set;
	to[1] = (uint8_t)((uint32_t)association | (uint32_t)type);
	to[2] = 0;
	to[3] = (uint8_t)length;
	if (association != OF_UNIT && port->protocol != PROTOCOL_NONE) {
		to[0] |= (uint8_t)(port->protocol << 4);
		to[1] |= 0x80; /* PIV */
	}
	return 4 + length;
}

/* SPC-4 7.8.6.11: ends in NUL, padded with NULs to a multiple of four. What is too long is left out. */
static uint32_t put_name(
	const struct lf_request *request, uint8_t *to, enum association association, const char *name)
{
	size_t length = name == NULL ? 0 : strlen(name), padded = (length + 4) / 4 * 4;

	if (length == 0 || padded > 252)
		return 0;
	memset(to + 4, 0, padded);
	memcpy(to + 4, name, length);
	return put_designator(request, to, association, UTF8, NAME_STRING, (uint32_t)padded);
}

static uint32_t device_identification(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	static const char digits[] = "0123456789abcdef";
	const struct lf_port *port = request->nexus->port;
	uint64_t naa = 3ull << 60 | lu->identifier; /* NAA 3h: locally assigned */
	uint32_t serial_length = (uint32_t)strlen(lu->serial), length = 0;
	char name[] = "naa.0123456789abcdef";

	lf_put_be64(to + 4, naa);
	length += put_designator(request, to, OF_UNIT, BINARY, NAA, 8);
	put_text(to + length + 4, 8, lu->vendor);
	put_text(to + length + 12, 16, lu->product);
	memcpy(to + length + 28, lu->serial, serial_length);
	length += put_designator(request, to + length, OF_UNIT, ASCII, T10_VENDOR, 24 + serial_length);
	for (uint32_t i = 0; i < 16; i++)
		name[4 + i] = digits[naa >> (60 - 4 * i) & 0xf];
	length += put_name(request, to + length, OF_UNIT, name);
	if (port == NULL)
		return length;
	lf_put_be32(to + length + 4, port->relative_id);
	length += put_designator(request, to + length, OF_PORT, BINARY, RELATIVE_PORT, 4);
	length += put_name(request, to + length, OF_PORT, port->name);
	length += put_name(request, to + length, OF_DEVICE, port->device_name);
	return length;
}

/* ---- 86h, 87h, 88h, B0h, B1h, B2h ---- */

static uint32_t extended_inquiry(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	(void)request;
	memset(to, 0, 0x3c);
	to[1] = 0x07;                                 /* HEADSUP, ORDSUP, SIMPSUP */
	to[2] = lu->type == LF_LU_DISK ? 0x01 : 0x00; /* V_SUP */
	to[3] = 0x01;                                 /* LUICLR */
	return 0x3c;
}

/* One descriptor for all pages and subpages: every initiator shares them (SPC-4 7.8.9). */
static uint32_t mode_page_policy(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	static const uint8_t descriptor[] = {0x3f, 0xff, 0x00, 0x00};

	(void)lu;
	(void)request;
	memcpy(to, descriptor, sizeof(descriptor));
	return sizeof(descriptor);
}

/* The port that was asked: an edge tells of no others (SPC-4 7.8.14). */
static uint32_t scsi_ports(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	enum { HEADER = 12 };
	const struct lf_port *port = request->nexus->port;

	(void)lu;
	if (port == NULL)
		return 0;
	memset(to, 0, HEADER);
	lf_put_be16(to + 2, port->relative_id);
	uint32_t length = put_name(request, to + HEADER, OF_PORT, port->name);
	lf_put_be16(to + HEADER - 2, (uint16_t)length);
	return HEADER + length;
}

/*
 * Zero: not reported. It says the same as one block, on which QEMU trips with 4Kn; and initiators keep bits
 * for each granule (QEMU again): past this many it would take them minutes, or more memory than there is.
 */
#define GRANULES_MAX (1u << 28)

static uint32_t reported_granularity(const struct lf_lu *lu)
{
	uint64_t blocks = lu->info.unmap_granularity_bytes >> lu->block_shift;

	if (blocks <= 1 || lu->info.block_count / blocks > GRANULES_MAX)
		return 0;
	return (uint32_t)lf_min(blocks, UINT32_MAX);
}

static void unmap_limits(const struct lf_lu *lu, uint8_t *to)
{
	uint32_t granularity = reported_granularity(lu);
	uint64_t alignment = lu->info.unmap_alignment_bytes >> lu->block_shift;

	lf_put_be32(to + 16, UINT32_MAX); /* MAXIMUM UNMAP LBA COUNT: no limit */
	lf_put_be32(to + 20, LF_UNMAP_DESCRIPTORS_MAX);
	lf_put_be32(to + 24, granularity);
	if (granularity > 0)
		lf_put_be32(to + 28, 0x80000000u | (uint32_t)(alignment % granularity)); /* UGAVALID */
}

static uint32_t block_limits(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	const struct lf_store_info *info = &lu->info;
	uint32_t optimal = lf_min((1u << 20) >> lu->block_shift, lu->transfer_max_blocks);

	(void)request;
	memset(to, 0, 0x3c);
	/*
	 * WSNZ. Up to the end would be possible, but libiscsi's WriteSame10.UnmapUntilEnd then expects that
	 * data which is not zero is dropped for UNMAP's sake; without WSNZ it is written (SBC-4 5.47).
	 */
	to[0] = 0x01;
	to[1] = (uint8_t)lf_compare_and_write_max(lu);
	lf_put_be16(to + 2, (uint16_t)(info->physical_block_size >> lu->block_shift)); /* granularity */
	lf_put_be32(to + 4, lu->transfer_max_blocks);
	lf_put_be32(to + 8, optimal);
	if (info->can_unmap)
		unmap_limits(lu, to);
	lf_put_be64(to + 32, LF_WRITE_SAME_MAX_BLOCKS);
	if (info->atomic_max_bytes != 0) { /* without boundaries */
		lf_put_be32(to + 40, info->atomic_max_bytes >> lu->block_shift);
		lf_put_be32(to + 44, lf_write_atomic_granularity(lu)); /* ATOMIC ALIGNMENT */
		lf_put_be32(
			to + 48, lf_write_atomic_granularity(lu)); /* ATOMIC TRANSFER LENGTH GRANULARITY */
	}
	return 0x3c;
}

static uint32_t block_characteristics(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	(void)request;
	memset(to, 0, 0x3c);
	lf_put_be16(to, lu->rotation);
	return 0x3c;
}

static uint32_t block_provisioning(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to)
{
	(void)request;
	memset(to, 0, 4); /* THRESHOLD EXPONENT, too: nobody is told when room gets short */
	if (lu->info.can_unmap) {
		to[1] = 0xe0; /* LBPU, LBPWS, LBPWS10 */
		if (lu->info.unmap_reads_zero)
			to[1] |= 0x04; /* LBPRZ 001b */
		to[2] = 2;             /* thin provisioned */
	}
	return 4;
}

/* By ascending page code: the order of page 00h. */
static const struct vital_page {
	uint8_t code;
	bool disk_only;
	uint32_t (*fill)(const struct lf_lu *lu, const struct lf_request *request, uint8_t *to);
} vital_pages[] = {
	{0x80, false, serial_number},
	{0x83, false, device_identification},
	{0x86, false, extended_inquiry},
	{0x87, false, mode_page_policy},
	{0x88, false, scsi_ports},
	{0xb0, true, block_limits},
	{0xb1, true, block_characteristics},
	{0xb2, true, block_provisioning},
};

static bool has_page(const struct lf_lu *lu, const struct vital_page *page)
{
	return lu->type == LF_LU_DISK || (lu->type == LF_LU_CDROM && !page->disk_only);
}

static uint32_t supported_pages(const struct lf_lu *lu, uint8_t *to)
{
	uint32_t length = 0;

	to[length++] = 0x00;
	for (uint32_t i = 0; i < lf_count_of(vital_pages); i++)
		if (has_page(lu, &vital_pages[i]))
			to[length++] = vital_pages[i].code;
	return length;
}

static void vital(const struct lf_lu *lu, struct lf_request *request)
{
	uint8_t reply[PAGE_MOST], code = request->cdb[2];
	const struct vital_page *page = NULL;
	uint32_t length;

	for (uint32_t i = 0; i < lf_count_of(vital_pages); i++)
		if (vital_pages[i].code == code && has_page(lu, &vital_pages[i]))
			page = &vital_pages[i];
	if (page != NULL) {
		length = page->fill(lu, request, reply + 4);
	} else if (code == 0x00 && lu->type != LF_LU_ABSENT) {
		length = supported_pages(lu, reply + 4);
	} else {
		lf_sense_invalid_field_in_cdb(request, 2, LF_NO_BIT);
		lf_finish(request);
		return;
	}
	reply[0] = peripheral(lu);
	reply[1] = code;
	lf_put_be16(reply + 2, (uint16_t)length);
	lf_finish_reply(request, reply, 4 + (uint64_t)length);
}

void lf_inquiry(struct lf_lu *lu, struct lf_request *request)
{
	if (request->cdb[1] & 0x01) { /* EVPD */
		vital(lu, request);
	} else if (request->cdb[2] != 0) { /* PAGE CODE means nothing without it */
		lf_sense_invalid_field_in_cdb(request, 2, LF_NO_BIT);
		lf_finish(request);
	} else {
		standard(lu, request);
	}
}
