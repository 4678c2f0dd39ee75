/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stage.h: what the tests of the driver begin with: it is loaded, one adapter is started, images are
 * connected by service IRPs, and blocks are read and written by SRBs. At the end nothing of it may be left.
 */
#ifndef LF_TESTS_STORPORT_STAGE_H
#define LF_TESTS_STORPORT_STAGE_H

#include "control/codec.h"
#include "tests/storport/native/host.h"
#include "tests/test.h"

#define STAGE_MIB    ((uint64_t)1 << 20)
#define STAGE_REPLY  LF_CONTROL_MESSAGE_MAX
#define STAGE_UNITS  64
#define STAGE_BLOCK  512u
#define STAGE_PREFIX "\\??\\" /* in front of a path of the file system, for the driver */

/* The adapter that is on the stage. */
extern struct host *stage;

/* A fresh kernel, the driver, an adapter. Ends the process when that cannot be had. */
void stage_open(void);
/* The last two of these: after lf_fake_reset and whatever the driver is to find. */
void stage_start(void);
/* The adapter, the driver; fails the case when anything is left behind. */
void stage_close(void);
/* Only the driver's part of it: host_stop, and a new start. */
void stage_restart(void);

/* ---- Control ---- */

struct stage_reply {
	enum lf_control_status status;
	char text[512]; /* of a refusal */
	union lf_control_reply reply;
	uint8_t bytes[STAGE_REPLY];
	uint32_t length;
};

/* Asks, and decodes the answer. Not STATUS_SUCCESS: there was none. */
NTSTATUS stage_ask(union lf_control_request *request, struct stage_reply *reply);

struct stage_unit {
	uint8_t target, lun;
	uint32_t number; /* the device's */
	uint32_t block_size;
	uint64_t block_count;
	struct lf_fake_file *file;
	char path[200]; /* in the file system: without the prefix */
};

struct stage_options {
	const char *path;    /* NULL: "C:\\disk.img"; the file is made when it is not there */
	uint64_t size_bytes; /* 0: STAGE_MIB */
	uint32_t flags;      /* enum lf_control_connect_flags */
	uint32_t type;       /* 0 disk, 5 CD-ROM */
	uint32_t target;
	uint32_t lun_and_one; /* 0: the adapter's choice */
	uint32_t block_size;
	bool empty; /* no path: a drive without a medium */
};

/* The answer; unit is what came of it. The bus is not waited for. */
enum lf_control_status stage_connect(struct stage_unit *unit, const struct stage_options *options);
/* Connects, and waits until Storport has it, and has heard its unit attentions; ends the process when that
 * fails. */
void stage_up(struct stage_unit *unit, const struct stage_options *options);
void stage_listen(const struct stage_unit *unit); /* until it has nothing to say of itself */
enum lf_control_status stage_disconnect(const struct stage_unit *unit, bool force);
/* Disconnects, and waits until its address is free. */
void stage_down(const struct stage_unit *unit);
/* How many devices LIST has. */
uint32_t stage_count(void);

/* ---- SRBs ---- */

void stage_cdb_rw(struct host_request *request, bool write, uint64_t lba, uint32_t blocks);
/* A request to the unit's address; CDB and data are the caller's to add. */
struct host_request stage_request(const struct stage_unit *unit);
/* What the unit says that may be done with it; the SRB's status. */
uint8_t stage_capabilities(
	const struct stage_unit *unit, enum host_form form, struct host_capabilities *capabilities);
/* Reads the unit's first block, and its file holds that up: until lf_fake_rules_clear and lf_fake_release. */
void stage_hold_read(const struct stage_unit *unit, struct host_request *read, uint8_t block[STAGE_BLOCK]);

/* 0: GOOD; else the sense, or the SRB status in the top byte. */
uint32_t stage_run(struct host_request *request);
uint32_t stage_read(const struct stage_unit *unit, uint64_t lba, uint32_t blocks, void *to);
uint32_t stage_write(const struct stage_unit *unit, uint64_t lba, uint32_t blocks, const void *from);
uint32_t stage_flush(const struct stage_unit *unit);
uint32_t stage_command(const struct stage_unit *unit, const void *cdb, uint8_t cdb_length, ULONG flags,
	void *data, uint32_t length);

/* Until the file system holds so many. */
void stage_wait_held(uint32_t count);
void stage_pause(void); /* a millisecond */

/* The bytes that a test gives to a block: nobody else's. */
void stage_fill(void *block, uint64_t lba, uint32_t salt);

#endif
