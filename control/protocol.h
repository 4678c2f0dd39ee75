/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol.h: what the command and the adapter say to each other, by UNIX socket as by IOCTL. */
#ifndef LF_CONTROL_PROTOCOL_H
#define LF_CONTROL_PROTOCOL_H

#include "platform/platform.h"

/*
 * One request is answered by one reply. Both begin with the header; what follows is fixed by the command, and
 * for a reply whose status is not LF_CONTROL_OK it is struct lf_control_failure, whatever the command. All
 * numbers are little-endian, nothing is a pointer, reserved bytes are zero. A text is a count of bytes and an
 * array that is filled up with zeros, at least one of them; it is UTF-8 and has no NUL inside. Bytes are a
 * count and an array that is filled up with zeros.
 *
 * The layout of a version is never changed: a change takes a new number. A peer of an unknown version gets
 * LF_CONTROL_BAD_VERSION in the layout of version 1, which names the versions that are spoken.
 */
#define LF_CONTROL_MAGIC       UINT32_C(0x4853464c) /* the bytes "LFSH" */
#define LF_CONTROL_VERSION     1
#define LF_CONTROL_MESSAGE_MAX 65536 /* bytes in any message */
#define LF_CONTROL_HANDLES_MAX 2     /* CONNECT: the image, then the state file; INSERT: the image */

enum lf_control_command {
	LF_CONTROL_IDENTIFY = 1,   /* header -> lf_control_identity */
	LF_CONTROL_CONNECT = 2,    /* lf_control_connect -> lf_control_one */
	LF_CONTROL_DISCONNECT = 3, /* lf_control_select -> lf_control_one, as it was */
	LF_CONTROL_LIST = 4,       /* lf_control_list -> lf_control_page and lf_control_device[count] */
	LF_CONTROL_SHOW = 5,       /* lf_control_select -> lf_control_one */
	LF_CONTROL_STATUS = 6,     /* header -> lf_control_state and lf_control_event[event_count] */
	LF_CONTROL_INQUIRE = 7,    /* lf_control_inquire -> lf_control_inquiry and uint8_t[data_length] */
	LF_CONTROL_INSERT = 8,     /* lf_control_insert -> lf_control_one */
	LF_CONTROL_EJECT = 9,      /* lf_control_select -> lf_control_one */
	LF_CONTROL_RESIZE = 10,    /* lf_control_resize -> lf_control_one */
	LF_CONTROL_SESSIONS = 11,  /* lf_control_after -> lf_control_page and lf_control_session[count] */
	LF_CONTROL_DROP = 12,      /* lf_control_after, the session's number -> header */
	LF_CONTROL_STATS = 13, /* lf_control_select -> lf_control_stats and lf_control_event[counter_count] */
	LF_CONTROL_RESERVATION = 14,       /* lf_control_select -> lf_control_reservation */
	LF_CONTROL_RESERVATION_CLEAR = 15, /* lf_control_select -> header */
};

enum lf_control_status {
	LF_CONTROL_OK = 0,
	LF_CONTROL_FAILED = 1,
	LF_CONTROL_INVALID = 2, /* the message, or an argument in it */
	LF_CONTROL_NOT_FOUND = 3,
	LF_CONTROL_BUSY = 4,
	LF_CONTROL_PERMISSION = 5,
	LF_CONTROL_BAD_VERSION = 6,
	LF_CONTROL_TIMED_OUT = 8,
	LF_CONTROL_UNSUPPORTED = 9,
};

/* capacity counts the zero at the end. */
#define LF_CONTROL_TEXT(capacity)                                                                            \
	struct {                                                                                             \
		uint16_t length;                                                                             \
		char bytes[capacity];                                                                        \
	}

#define LF_CONTROL_BYTES(capacity)                                                                           \
	struct {                                                                                             \
		uint16_t length;                                                                             \
		uint8_t bytes[capacity];                                                                     \
	}

#define LF_CONTROL_PATH_CAPACITY 4102 /* a path of PATH_MAX fits, and the field is a multiple of 8 */

struct lf_control_header {
	uint32_t magic;
	uint16_t version;
	uint16_t command;
	uint32_t size;   /* of the whole message, bytes */
	uint32_t status; /* enum lf_control_status; 0 in a request */
};

/* ---- Requests ---- */

enum lf_control_connect_flags {
	LF_CONTROL_READ_ONLY = 1,
	LF_CONTROL_NO_UNMAP = 2,
	LF_CONTROL_REMOVABLE = 4,       /* a disk whose medium comes and goes; a CD-ROM drive is one anyway */
	LF_CONTROL_WRITE_CACHE_OFF = 8, /* at the start; an initiator may switch it on */
};

struct lf_control_connect {
	struct lf_control_header header;
	uint32_t flags; /* enum lf_control_connect_flags */
	uint32_t type;  /* peripheral device type: 0 a disk, 5 a CD-ROM drive */
	uint32_t target;
	uint32_t lun;                 /* UINT32_MAX: the adapter's choice */
	uint32_t block_size;          /* bytes; 0: the store's choice */
	uint32_t physical_block_size; /* likewise */
	uint16_t rotation;            /* SBC-4 6.6.2: 0 unknown, 1 does not rotate, else rpm */
	uint16_t reserved[3];
	LF_CONTROL_TEXT(62) name;   /* empty: made from the path */
	LF_CONTROL_TEXT(14) vendor; /* empty: the default */
	LF_CONTROL_TEXT(22) product;
	LF_CONTROL_TEXT(38) serial;
	/* Absolute, without symbolic links; empty, and no descriptor: a drive without a medium. */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) path;
};

enum lf_control_select_flags {
	LF_CONTROL_FORCE = 1, /* DISCONNECT: answer at once, the departure goes on; EJECT: also when an
				 initiator prevents it */
};

struct lf_control_select {
	struct lf_control_header header;
	uint32_t flags;      /* enum lf_control_select_flags */
	uint32_t timeout_ms; /* DISCONNECT: how long to wait for what is in flight */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY)
	id; /* name, number, path, bus:target:lun or URL, as typed */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY)
	path; /* id as an absolute path without symbolic links, or empty */
};

struct lf_control_list {
	struct lf_control_header header;
	uint32_t after; /* devices whose number is higher; 0: from the first */
	uint32_t reserved;
};

enum lf_control_insert_flags {
	LF_CONTROL_INSERT_READ_ONLY = 1,
	LF_CONTROL_INSERT_FORCE = 2, /* also when an initiator prevents the removal of what is in */
};

struct lf_control_insert {
	struct lf_control_header header;
	uint32_t flags; /* enum lf_control_insert_flags */
	uint32_t reserved;
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) id; /* both as in lf_control_select */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) path;
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) image; /* as path in lf_control_connect */
};

struct lf_control_resize {
	struct lf_control_header header;
	uint64_t size_bytes; /* 0: what the image has now */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) id;
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) path;
};

struct lf_control_after {
	struct lf_control_header header;
	uint64_t number; /* SESSIONS: those whose number is higher; DROP: this one */
};

/*
 * A SCSI command that only reads facts of the unit: INQUIRY, MODE SENSE (10), READ CAPACITY (16) or REPORT
 * SUPPORTED OPERATION CODES. Unit attentions are not seen; of the data LF_CONTROL_INQUIRY_DATA_MAX comes.
 */
struct lf_control_inquire {
	struct lf_control_header header;
	uint32_t number; /* the device's */
	uint16_t reserved;
	LF_CONTROL_BYTES(16) cdb;
};

/* ---- Replies ---- */

struct lf_control_failure {
	struct lf_control_header header;
	uint16_t version_min, version_max; /* spoken by the one who answers */
	uint32_t reserved;
	LF_CONTROL_TEXT(510) text; /* "cause: remedy", or empty */
};

struct lf_control_identity {
	struct lf_control_header header;
	uint16_t version_min, version_max;
	uint32_t reserved;
	uint64_t process_id;
	LF_CONTROL_TEXT(38) adapter;  /* "Lungfish virtual SCSI adapter": it is the one that is looked for */
	LF_CONTROL_TEXT(30) release;  /* of the adapter */
	LF_CONTROL_TEXT(14) platform; /* "linux" */
};

enum lf_control_device_state {
	LF_CONTROL_READY = 0,
	LF_CONTROL_EMPTY = 1,   /* no medium, or one that was ejected */
	LF_CONTROL_IN_USE = 2,  /* "busy": its medium or its size is just being changed */
	LF_CONTROL_FAULT = 3,   /* its image fails */
	LF_CONTROL_OFFLINE = 4, /* leaving */
};

enum lf_control_device_flags {
	LF_CONTROL_DEVICE_READ_ONLY = 1,
	LF_CONTROL_DEVICE_REMOVABLE = 2,
	LF_CONTROL_DEVICE_UNMAP = 4,
	LF_CONTROL_DEVICE_EJECTED = 8, /* by an initiator: the image stays, and comes back when one loads */
	LF_CONTROL_DEVICE_PREVENTED = 16, /* an initiator holds the medium: PREVENT ALLOW MEDIUM REMOVAL */
	LF_CONTROL_DEVICE_SAVES = 32,     /* it has a state file */
};

struct lf_control_device {
	uint32_t number; /* from 1 */
	uint32_t type;   /* peripheral device type */
	uint32_t bus, target, lun;
	uint32_t state; /* enum lf_control_device_state */
	uint32_t flags; /* enum lf_control_device_flags */
	uint32_t block_size, physical_block_size;
	uint32_t sessions;
	uint64_t block_count;
	uint64_t in_flight;
	uint64_t identifier; /* NAA */
	uint16_t rotation;
	uint16_t reserved[3];
	LF_CONTROL_TEXT(62) id;
	LF_CONTROL_TEXT(14) vendor;
	LF_CONTROL_TEXT(22) product;
	LF_CONTROL_TEXT(6) revision;
	LF_CONTROL_TEXT(38) serial;
	LF_CONTROL_TEXT(350) url; /* empty: no iSCSI portal */
	LF_CONTROL_TEXT(LF_CONTROL_PATH_CAPACITY) image;
};

struct lf_control_one {
	struct lf_control_header header;
	struct lf_control_device device;
};

struct lf_control_page {
	struct lf_control_header header;
	uint32_t count;
	uint32_t more; /* 1: ask again, after the last number */
};

#define LF_CONTROL_PAGE_DEVICES_MAX                                                                          \
	((LF_CONTROL_MESSAGE_MAX - sizeof(struct lf_control_page)) / sizeof(struct lf_control_device))

#define LF_CONTROL_PORTALS_MAX 16
#define LF_CONTROL_EVENTS_MAX  256

struct lf_control_portal {
	uint16_t tag;
	uint16_t reserved[3];
	LF_CONTROL_TEXT(70) address; /* "127.0.0.1:3260", "[::1]:3260" */
};

struct lf_control_state {
	struct lf_control_header header;
	uint64_t process_id;
	uint64_t uptime_ns;
	uint32_t sessions, devices;
	uint32_t loops;
	uint32_t portal_count, event_count;
	uint32_t reserved;
	LF_CONTROL_TEXT(30) release;
	LF_CONTROL_TEXT(14) platform;
	LF_CONTROL_TEXT(14) engine; /* "io_uring" or "threads" */
	LF_CONTROL_TEXT(230) iqn;   /* empty: no iSCSI edge */
	struct lf_control_portal portals[LF_CONTROL_PORTALS_MAX];
};

struct lf_control_event {
	uint64_t count;
	uint32_t id;
	uint32_t reserved;
	LF_CONTROL_TEXT(46) name;
};

#define LF_CONTROL_INQUIRY_DATA_MAX 32768

struct lf_control_inquiry {
	struct lf_control_header header;
	uint32_t data_length; /* bytes that follow */
	uint16_t scsi_status; /* SAM-5 table 41; not GOOD: no data */
	LF_CONTROL_BYTES(252) sense;
	uint16_t reserved[2];
};

enum lf_control_session_flags {
	LF_CONTROL_SESSION_HEADER_DIGEST = 1,
	LF_CONTROL_SESSION_DATA_DIGEST = 2,
	LF_CONTROL_SESSION_CHAP = 4,
	LF_CONTROL_SESSION_DISCOVERY = 8,
};

struct lf_control_session {
	uint64_t number; /* never given again while the adapter runs */
	uint64_t age_ns;
	uint64_t commands, in_bytes, out_bytes; /* on the wire; in: from the initiator */
	uint32_t flags;                         /* enum lf_control_session_flags */
	uint16_t tag;                           /* of the portal group */
	uint16_t reserved[5];
	LF_CONTROL_TEXT(230) initiator;
	LF_CONTROL_TEXT(70) address;
	LF_CONTROL_TEXT(230) target;
	LF_CONTROL_TEXT(46) user; /* who it proved to be, cut to this; empty without CHAP */
};

#define LF_CONTROL_PAGE_SESSIONS_MAX                                                                         \
	((LF_CONTROL_MESSAGE_MAX - sizeof(struct lf_control_page)) / sizeof(struct lf_control_session))

/*
 * Counters since the unit came, by name: a release may have more of them than another. Of the names that end
 * in _latency_N it is how many commands took less than 2^N microseconds, and no less than 2^(N-1).
 */
struct lf_control_stats {
	struct lf_control_header header;
	uint32_t number; /* the device's */
	uint32_t counter_count;
	uint64_t taken_ns; /* a clock that only goes on */
	LF_CONTROL_TEXT(62) id;
};

enum lf_control_reservation_flags {
	LF_CONTROL_RESERVATION_PERSISTS = 1, /* APTPL: it outlives the adapter */
	LF_CONTROL_RESERVATION_OLD = 2,      /* by RESERVE, which excludes the persistent kind */
};

struct lf_control_reservation {
	struct lf_control_header header;
	uint64_t key; /* the holder's */
	uint32_t generation;
	uint32_t flags; /* enum lf_control_reservation_flags */
	uint32_t registrations;
	uint16_t type;               /* SPC-4 table 196; 0: no persistent reservation */
	LF_CONTROL_TEXT(256) holder; /* its initiator port; empty: none, none alone, or it has no name */
};

/* The layout is for ever. */
#define LF_CONTROL_LAYOUT(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " has its size")
#define LF_CONTROL_PLACE(type, field, bytes)                                                                 \
	_Static_assert(offsetof(struct type, field) == (bytes), #type "." #field " has its place")

LF_CONTROL_LAYOUT(lf_control_header, 16);
LF_CONTROL_LAYOUT(lf_control_connect, 4296);
LF_CONTROL_PLACE(lf_control_connect, rotation, 40);
LF_CONTROL_PLACE(lf_control_connect, name, 48);
LF_CONTROL_PLACE(lf_control_connect, vendor, 112);
LF_CONTROL_PLACE(lf_control_connect, product, 128);
LF_CONTROL_PLACE(lf_control_connect, serial, 152);
LF_CONTROL_PLACE(lf_control_connect, path, 192);
LF_CONTROL_LAYOUT(lf_control_select, 8232);
LF_CONTROL_PLACE(lf_control_select, id, 24);
LF_CONTROL_PLACE(lf_control_select, path, 4128);
LF_CONTROL_LAYOUT(lf_control_list, 24);
LF_CONTROL_LAYOUT(lf_control_inquire, 40);
LF_CONTROL_PLACE(lf_control_inquire, number, 16);
LF_CONTROL_PLACE(lf_control_inquire, cdb, 22);
LF_CONTROL_LAYOUT(lf_control_insert, 12336);
LF_CONTROL_PLACE(lf_control_insert, id, 24);
LF_CONTROL_PLACE(lf_control_insert, path, 4128);
LF_CONTROL_PLACE(lf_control_insert, image, 8232);
LF_CONTROL_LAYOUT(lf_control_resize, 8232);
LF_CONTROL_PLACE(lf_control_resize, size_bytes, 16);
LF_CONTROL_PLACE(lf_control_resize, id, 24);
LF_CONTROL_PLACE(lf_control_resize, path, 4128);
LF_CONTROL_LAYOUT(lf_control_after, 24);
LF_CONTROL_PLACE(lf_control_after, number, 16);
LF_CONTROL_LAYOUT(lf_control_failure, 536);
LF_CONTROL_PLACE(lf_control_failure, text, 24);
LF_CONTROL_LAYOUT(lf_control_identity, 120);
LF_CONTROL_PLACE(lf_control_identity, adapter, 32);
LF_CONTROL_PLACE(lf_control_identity, release, 72);
LF_CONTROL_PLACE(lf_control_identity, platform, 104);
LF_CONTROL_LAYOUT(lf_control_device, 4680);
LF_CONTROL_PLACE(lf_control_device, block_count, 40);
LF_CONTROL_PLACE(lf_control_device, identifier, 56);
LF_CONTROL_PLACE(lf_control_device, id, 72);
LF_CONTROL_PLACE(lf_control_device, vendor, 136);
LF_CONTROL_PLACE(lf_control_device, product, 152);
LF_CONTROL_PLACE(lf_control_device, revision, 176);
LF_CONTROL_PLACE(lf_control_device, serial, 184);
LF_CONTROL_PLACE(lf_control_device, url, 224);
LF_CONTROL_PLACE(lf_control_device, image, 576);
LF_CONTROL_LAYOUT(lf_control_one, 4696);
LF_CONTROL_LAYOUT(lf_control_page, 24);
LF_CONTROL_LAYOUT(lf_control_portal, 80);
LF_CONTROL_LAYOUT(lf_control_state, 1632);
LF_CONTROL_PLACE(lf_control_state, release, 56);
LF_CONTROL_PLACE(lf_control_state, iqn, 120);
LF_CONTROL_PLACE(lf_control_state, portals, 352);
LF_CONTROL_LAYOUT(lf_control_event, 64);
LF_CONTROL_LAYOUT(lf_control_inquiry, 280);
LF_CONTROL_PLACE(lf_control_inquiry, scsi_status, 20);
LF_CONTROL_PLACE(lf_control_inquiry, sense, 22);
LF_CONTROL_PLACE(lf_control_inquiry, reserved, 276);
LF_CONTROL_LAYOUT(lf_control_session, 640);
LF_CONTROL_PLACE(lf_control_session, flags, 40);
LF_CONTROL_PLACE(lf_control_session, tag, 44);
LF_CONTROL_PLACE(lf_control_session, initiator, 56);
LF_CONTROL_PLACE(lf_control_session, address, 288);
LF_CONTROL_PLACE(lf_control_session, target, 360);
LF_CONTROL_PLACE(lf_control_session, user, 592);
LF_CONTROL_LAYOUT(lf_control_stats, 96);
LF_CONTROL_PLACE(lf_control_stats, taken_ns, 24);
LF_CONTROL_PLACE(lf_control_stats, id, 32);
LF_CONTROL_LAYOUT(lf_control_reservation, 296);
LF_CONTROL_PLACE(lf_control_reservation, type, 36);
LF_CONTROL_PLACE(lf_control_reservation, holder, 38);

#endif
