/* SPDX-License-Identifier: BSD-2-Clause */
/* device.h: a device from within: what the files share that are about devices. */
#ifndef LF_CONTROL_DEVICE_H
#define LF_CONTROL_DEVICE_H

#include "control/devices.h"
#include "control/identity.h"
#include "control/naming.h"
#include "platform/errand.h"

struct lf_devices {
	struct lf_devices_options options;
	struct lf_link list;     /* by ascending number; among them those that are just arriving */
	struct lf_link examined; /* those that arrive, while only their paths are known */
	uint32_t count;
	/* What keeps it from being empty besides: arrivals, refusals, husks, watches whose note is on its
	 * way.
	 */
	uint32_t remains;
	uint32_t arrivals, refusals; /* of those */
	uint32_t last_number;
	bool in_place; /* no loop runs yet, and nobody else waits: errands are done here and now */
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

/*
 * What a device asks of the host: work.c. One thing at a time, on a thread of its own, which touches this and
 * what stays as it is meanwhile. When then runs, on the loop, all of it is the loop's.
 */
struct lf_device_work {
	struct lf_errand errand;
	void (*then)(struct lf_device *device); /* the device may be gone after it */
	enum lf_control_status status;
	struct lf_message message;
	lf_handle handles[LF_CONTROL_HANDLES_MAX]; /* until a store has them */
	struct lf_device_medium medium;            /* that is examined and opened */
	struct lf_device_medium *closing;
	uint64_t size_bytes, block_count; /* of a resize */
};

/* A device until it has a unit, or is refused: arrival.c. */
struct lf_device_arrival {
	struct lf_device_waiter *waiter; /* NULL: nobody waits any more */
	struct lf_control_connect request;
	void *saved; /* what its state file has; NULL: nothing */
	size_t saved_length;
};

/* What is just being changed, one thing at a time: change.c. */
struct lf_device_change {
	bool runs, opens; /* opens: an image is being opened, or put back: nothing has changed */
	struct lf_device_waiter *waiter; /* NULL: nobody waits any more */
	struct lf_device_medium incoming, outgoing;
	bool again; /* what comes in is what is ejected: it is opened anew once that was closed */
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
	struct lf_device_arrival *arrival; /* NULL: it has arrived */
	struct lf_device_change change;
	struct lf_device_work work;
	struct lf_lu *lu; /* NULL while it arrives; and when it was freed, while its store ends */
	uint32_t target, lun;
	struct lf_husk *husk; /* for its departure; NULL when the edge wants none */
	enum lf_walk walk;    /* below.c's, while it looks */

	/* From lf_device_disconnect on. */
	bool leaving;
	struct lf_control_device was; /* when lu was freed */
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
/* Whether the device may have the medium: no other device has that file. */
enum lf_control_status lf_device_check_file(
	struct lf_device *device, const struct lf_device_medium *medium, struct lf_message *message);
/* Likewise: not when the medium lies on its own unit, or on what depends on that. */
enum lf_control_status lf_device_check_below(
	struct lf_device *device, const struct lf_device_medium *medium, struct lf_message *message);
/* Its store is open: from now on the device leaves with what it lies on. */
void lf_device_begin_watch(struct lf_device *device, struct lf_device_medium *medium);
/* Its store was closed. Also of one that was never begun. */
void lf_device_end_watch(struct lf_device_medium *medium);

/*
 * What may wait for the host: each returns at once, and then runs on the loop, with the outcome in
 * device->work. then runs even before they return where errands are done in place, so nothing is done after
 * them. The first three answer false, and then never runs, when there is no thread.
 */
/* Which file work.handles[0] is, and what it lies on: in work.medium, which has path and read_only. */
bool lf_device_examine(struct lf_device *device, void (*then)(struct lf_device *device));
/* The store of work.medium. OK: the handles are the store's. Without a handle, the drive is empty. */
bool lf_device_open(struct lf_device *device, void (*then)(struct lf_device *device));
/* The store of the device's medium. */
bool lf_device_resize_store(
	struct lf_device *device, uint64_t size_bytes, void (*then)(struct lf_device *device));
/* The handles in work. */
void lf_device_close_handles(struct lf_device *device, void (*then)(struct lf_device *device));
/* And the state file; the medium has no store then. */
void lf_device_close_store(
	struct lf_device *device, struct lf_device_medium *medium, void (*then)(struct lf_device *device));
/* Nothing is in, of the block size that the device is to have. */
void lf_device_set_empty(const struct lf_device *device, struct lf_device_medium *medium);
/*
 * What lower rooms say begins with the path, or with the end of a long one; whoever asked puts his own there.
 */
void lf_device_drop_path(struct lf_message *message, const char *path);

/* Whoever waits, if he does still; he does not any more. */
struct lf_device_waiter *lf_device_take_waiter(struct lf_device_waiter **place);
void lf_device_put_waiter(struct lf_device_waiter **place, struct lf_device_waiter *waiter);

/* The last change has ended, and the device is leaving: the departure begins. */
void lf_device_begin_removal(struct lf_device *device);

/* Something outlives its device, and keeps the table from being empty until its end. */
void lf_devices_remain(struct lf_devices *devices);
void lf_devices_end(struct lf_devices *devices);

#endif
