/* SPDX-License-Identifier: BSD-2-Clause */
/* device.h: a device from within: what devices.c, medium.c, describe.c and change.c share. */
#ifndef LF_CONTROL_DEVICE_H
#define LF_CONTROL_DEVICE_H

#include "control/devices.h"
#include "control/identity.h"
#include "control/naming.h"

struct lf_devices {
	struct lf_devices_options options;
	struct lf_link list; /* by ascending number */
	uint32_t count;
	uint32_t remains; /* of devices that have left the table: husks, and watches whose note is on its way
			   */
	uint32_t last_number;
	void (*emptied)(void *context); /* lf_devices_stop's, when not NULL */
	void *emptied_context;
	char machine[128];
	struct lf_control_device record; /* of the one whose change has just ended */
};

#define LF_BELOW_MAX 32

/* What the host says when it takes away what an image lies on. It outlives the store while its note is on its
 * way. */
struct lf_device_watch {
	struct lf_devices *devices;
	struct lf_device *device; /* NULL: its store was closed */
	const struct lf_store *store;
	struct lf_post post;
	uint32_t removed; /* atomic: it is posted, or just about to be */
	bool noted;       /* and the post has run */
};

/* A unit whose device has left, or is about to: the edge has its address still. */
struct lf_husk {
	struct lf_devices *devices;
	struct lf_departure departure;
	struct lf_post post;
	struct lf_lu *lu; /* NULL while the device has it */
	bool let_go;      /* by the edge */
};

enum lf_walk { LF_WALK_NONE, LF_WALK_REACHED, LF_WALK_DONE };

/* An image and its store; without a store all of it is zero. */
struct lf_device_medium {
	char path[LF_CONTROL_PATH_CAPACITY];
	struct lf_system_file file;
	struct lf_store *store;
	struct lf_store_info info;
	struct lf_device_watch *watch; /* over the store; NULL: nobody asked for one */
	uint64_t below[LF_BELOW_MAX];  /* identifiers of the disks that the image lies on */
	uint32_t below_count;
	uint64_t since_ns; /* when it was opened */
	bool read_only;
};

/* What is just being changed, one thing at a time: change.c. */
struct lf_device_change {
	bool runs;
	struct lf_device_waiter *waiter; /* NULL: nobody waits any more */
	struct lf_device_medium incoming, outgoing;
	lf_handle again_handle; /* incoming is what is ejected: it is opened anew once that was closed; else
				   none */
	bool force, open_tray;
	struct lf_medium_change medium;
	struct lf_resize resize;
	struct lf_reservations_clear clear;
	struct lf_io flush;
	struct lf_post post;
	enum lf_control_status status;
	struct lf_message message;
};

struct lf_device {
	struct lf_devices *devices;
	struct lf_link link;
	uint32_t number;
	char id[LF_NAMING_CAPACITY];
	enum lf_lu_type type;
	bool removable, saves;
	lf_handle state_handle; /* the store's; only if saves */
	uint16_t rotation;
	/* As it was asked for: what comes in later is taken likewise. */
	uint32_t block_size, physical_block_size;
	bool read_only, no_unmap;
	struct lf_identity identity;
	struct lf_device_medium medium;
	struct lf_device_change change;
	struct lf_lu *lu; /* NULL when it was freed, while its store ends */
	uint32_t target, lun;
	struct lf_husk *husk; /* for its departure; NULL when the edge wants none */
	enum lf_walk walk;    /* below.c's, while it looks */

	/* From lf_device_disconnect on. */
	bool leaving;
	struct lf_control_device was;
	struct lf_removal removal;
	struct lf_io flush;
	struct lf_post post;
	struct lf_link waiters;
};

static inline struct lf_device *lf_device_of(struct lf_link *link)
{
	return lf_container(link, struct lf_device, link);
}

enum lf_control_status lf_control_status_of(enum lf_error error);

/* Also while it comes or goes. */
bool lf_device_has_file(const struct lf_device *device, const struct lf_device_medium *medium);
/*
 * Which file handle is, and whether the device may have it: no other device has it. Fills in the medium but
 * for path and store.
 */
enum lf_control_status lf_device_check_file(struct lf_device *device, lf_handle handle, bool read_only,
	struct lf_device_medium *medium, struct lf_message *message);
/* The medium's store. handles are the store's when it succeeds, else the caller's. */
enum lf_control_status lf_device_open_store(struct lf_device *device,
	const lf_handle handles[LF_CONTROL_HANDLES_MAX], struct lf_device_medium *medium,
	struct lf_message *message);
/* And its state file; of a medium without one, nothing. */
void lf_device_close_store(struct lf_device *device, struct lf_device_medium *medium);
/* Before its handle is closed. */
void lf_device_leave_state(const struct lf_device *device);
/*
 * What the image lies on, and whether the device may have it: not when that is its own unit, or depends on
 * it. Fills in the medium's below.
 */
enum lf_control_status lf_device_check_below(struct lf_device *device, lf_handle handle,
	struct lf_device_medium *medium, struct lf_message *message);
/* Nothing is in, of the block size that the device is to have. */
void lf_device_set_empty(const struct lf_device *device, struct lf_device_medium *medium);
/*
 * What lower rooms say begins with the path, or with the end of a long one; whoever asked puts his own there.
 */
void lf_device_drop_path(struct lf_message *message, const char *path);

/* The last change has ended, and the device is leaving: the departure begins. */
void lf_device_begin_removal(struct lf_device *device);

/* Something outlives its device, and keeps the table from being empty until its end. */
void lf_devices_remain(struct lf_devices *devices);
void lf_devices_end(struct lf_devices *devices);

#endif
