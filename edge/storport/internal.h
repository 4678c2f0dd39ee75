/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h: what the files of this edge share: the adapter's extension, the units' table, an SRB's own. */
#ifndef LF_STORPORT_INTERNAL_H
#define LF_STORPORT_INTERNAL_H

#include "edge/storport/port.h"
#include "edge/storport/storport.h"
#include "trace/trace.h"

#define LF_STORPORT_TARGETS 16u /* each bus change asks all of them: more only on demand */

/* Longest SRB. A partial MDL for it, at any alignment, has its room in the SRB's extension. */
#define LF_STORPORT_TRANSFER_BYTES (1u << 20)
#define LF_STORPORT_TRANSFER_PAGES (LF_STORPORT_TRANSFER_BYTES / PAGE_SIZE + 1)

/* SRBs at a time. One unit, whose image may lie on a share that answers no more, must not take all. */
#define LF_STORPORT_IOS     4096u
#define LF_STORPORT_LUN_IOS 512u
#define LF_STORPORT_TASKS   1024u /* of a lane, at least: what it has at hand without asking another one */

/* ---- Units ---- */

/*
 * What the address answers. An address that is going stays taken until Storport knows that nobody is there
 * any more, and nobody above holds what was there.
 */
enum lf_unit_state {
	LF_UNIT_ABSENT,
	LF_UNIT_PRESENT,
	LF_UNIT_MISSING,  /* it goes, and Storport has not asked since */
	LF_UNIT_REPORTED, /* Storport has been told that nobody is there */
};

struct lf_unit {
	struct lf_departure *departure; /* whoever waits for it to be gone */
	uint32_t outstanding;           /* SRBs that were let in and have not been completed */
	uint8_t state;                  /* enum lf_unit_state */
	bool held; /* a device of it was started, and not removed since: it may have more to write */
};

struct lf_bus_target {
	struct lf_lock lock;       /* units */
	struct lf_unit *units;     /* LF_STORPORT_LUNS of them */
	uint32_t present, missing; /* how many are */
	struct lf_nexus *nexus;    /* what this machine is to the target */
};

/* ---- Resets (reset.c) ---- */

/*
 * Of one unit or one target. Task management works in here, never in an SRB, which may be completed before:
 * a reset that takes too long fails, and goes on.
 */
struct lf_reset {
	struct lf_storport *storport;
	uint32_t target, lun;            /* LF_LUN_ANY: the whole target */
	uint64_t wanted, started, ended; /* tickets: who wants it waits until ended is no less */
	bool running;                    /* tmf is the core's */
	struct lf_tmf tmf;
};

#define LF_LU_RESETS 16u /* units that are reset at a time; more fail, and a target reset comes next */

struct lf_resets {
	struct lf_lock lock;
	uint64_t ticket;
	uint64_t of_all;        /* resets of every target so far; atomic, changed under the lock */
	struct lf_link waiters; /* SRBs, by struct lf_srb.link, oldest first */
	bool stopped;
	KTIMER timer; /* for the oldest waiter, and for whatever has to begin again */
	KDPC dpc;
	struct lf_reset *targets; /* one for each */
	struct lf_reset units[LF_LU_RESETS];
};

/* ---- The attendant (attendant.c): does at PASSIVE_LEVEL what callbacks must not ---- */

enum lf_errand {
	LF_ERRAND_INTERFACE = 1, /* programs may find the adapter */
	LF_ERRAND_SLEEP = 2,     /* what was written has to become stable */
	LF_ERRAND_STOP = 4,
};

struct lf_attendant {
	struct lf_nt_thread thread;
	bool running;
	KEVENT event;
	uint32_t errands;      /* atomic, enum lf_errand */
	uint32_t first_errand; /* atomic: the first SRB has sent for it */
	PCALLBACK_OBJECT power;
	PVOID registration;
	UNICODE_STRING interface_name; /* Buffer NULL: there is none */
	uint32_t interface_shown;      /* atomic */
};

/* ---- The adapter: Storport's device extension ---- */

struct lf_storport {
	const struct lf_storport_backend *backend;
	void *context; /* the backend's */
	bool started;
	uint32_t stopped;     /* atomic: nothing is there any more */
	volatile LONG inside; /* threads between an entry point of ours and its end */
	uint32_t target_count;
	struct lf_adapter *adapter;
	struct lf_bus_target *targets;
	struct lf_unit *units; /* of all targets */
	struct lf_resets resets;
	struct lf_attendant attendant;
};

/*
 * A callback's first and last touch of the adapter. Completing the last SRB lets Storport go on to remove it,
 * while the one who completed is still on his way out: HwFreeAdapterResources waits for him.
 */
static inline void lf_storport_enter(struct lf_storport *storport)
{
	(void)InterlockedIncrement(&storport->inside);
}

static inline void lf_storport_leave(struct lf_storport *storport)
{
	(void)InterlockedDecrement(&storport->inside);
}

/* Waits a moment for what ends by itself; PASSIVE_LEVEL. */
void lf_storport_pause(void);

/* ---- SRBs ---- */

#define LF_PNP_NO_ACTION UINT32_MAX

/* What both kinds of SRB say, in one shape (view.c). Pointers lead into the SRB; NULL: it has no such thing.
 */
struct lf_view {
	SCSI_REQUEST_BLOCK *srb; /* or a STORAGE_REQUEST_BLOCK: only view.c looks */
	uint32_t function, flags;
	bool addressed; /* path, target and lun are there */
	uint8_t path, target, lun;
	uint8_t attribute; /* enum lf_task_attribute */
	uint32_t data_length;
	void *data; /* what Storport calls DataBuffer: an address in its MDL, or a system address */
	const uint8_t *cdb;
	uint32_t cdb_length;
	UCHAR *scsi_status, *sense_length;
	void *sense;
	uint32_t pnp_action, pnp_flags; /* 0 is StorStartDevice, LF_PNP_NO_ACTION none */
	struct lf_srb *own;             /* its extension */
};

/* False: it contradicts itself; nothing but srb and function is set then. Any IRQL up to DISPATCH_LEVEL. */
bool lf_view_read(SCSI_REQUEST_BLOCK *srb, struct lf_view *view);
void lf_view_set_length(SCSI_REQUEST_BLOCK *srb, uint32_t length_bytes);

/*
 * What we keep in an SRB's extension, which comes as the last one left it: lf_srb_prepare clears all but the
 * room at its end.
 */
struct lf_srb {
	struct lf_request request;
	struct lf_segment segment;
	struct lf_storport *storport;
	SCSI_REQUEST_BLOCK *srb;
	UCHAR *scsi_status, *sense_length; /* in the SRB, as in its view */
	void *sense;
	uint32_t data_length; /* what may move by the SRB's own word, bytes: 0 when it names no direction */
	uint32_t target, lun;
	bool counted;           /* as outstanding of its unit */
	uint8_t instead;        /* SRB status that holds whatever the command says; 0: none */
	uint64_t resets_before; /* resets of every target when it came */
	struct lf_link link;    /* resets: in waiters */
	struct lf_reset *reset; /* that it waits for; NULL: of every target */
	uint64_t ticket, due_ns;
	uint64_t partial[]; /* room for a partial MDL of LF_STORPORT_TRANSFER_BYTES */
};

#define LF_SRB_EXTENSION_BYTES                                                                               \
	(sizeof(struct lf_srb) + sizeof(MDL) + LF_STORPORT_TRANSFER_PAGES * sizeof(PFN_NUMBER))

/* srb.c. prepare: the SRB's own, cleared and filled from the view. */
struct lf_srb *lf_srb_prepare(struct lf_storport *storport, const struct lf_view *view);
/* Completes an SRB that we keep nothing of, with the length that it has; its memory is Storport's again. */
void lf_srb_answer(struct lf_storport *storport, SCSI_REQUEST_BLOCK *srb, uint8_t srb_status);
/* Likewise; nothing of it was done. */
void lf_srb_refuse(struct lf_storport *storport, const struct lf_view *view, uint8_t srb_status);
/* Completes one that has. */
void lf_srb_complete(struct lf_srb *own, uint8_t srb_status);
/* Sends request.cdb to the core; unit_lun: as SAM has it. */
void lf_srb_send(struct lf_srb *own, const struct lf_view *view, uint64_t unit_lun);
BOOLEAN lf_start_io(PVOID extension, SCSI_REQUEST_BLOCK *srb);

/* functions.c: whatever is not EXECUTE_SCSI. */
void lf_function(struct lf_storport *storport, const struct lf_view *view);

/* ---- units.c ---- */

bool lf_units_create(struct lf_storport *storport);
void lf_units_destroy(struct lf_storport *storport);
/* The adapter stops: whoever goes is gone. */
void lf_units_stop(struct lf_storport *storport);

enum lf_admission {
	LF_ADMITTED,           /* counted, until lf_unit_leave */
	LF_ADMITTED_AS_TARGET, /* LUN 0 has no unit, but the target has others: it answers for them, not
				  counted */
	LF_NO_LUN,
	LF_NO_TARGET,
};
/* What an SRB tells of who sends it. */
enum lf_asker {
	LF_ASKER_DEVICE,     /* a device of the unit: it is held */
	LF_ASKER_RESET,      /* Storport itself, which wants back what is outstanding */
	LF_ASKER_SCAN,       /* perhaps whoever looks who is there */
	LF_ASKER_SCAN_TARGET /* likewise, of all units of the target */
};

enum lf_admission lf_unit_enter(
	struct lf_storport *storport, uint32_t target, uint32_t lun, enum lf_asker asker);
void lf_unit_leave(struct lf_storport *storport, uint32_t target, uint32_t lun);
/* Storport has a device of it now, or has not any more. */
void lf_unit_hold(struct lf_storport *storport, uint32_t target, uint32_t lun);
void lf_unit_release(struct lf_storport *storport, uint32_t target, uint32_t lun, bool surprise);
/* Also some that go. */
bool lf_target_has_units(struct lf_storport *storport, uint32_t target);
/* What the SRB of one that was not admitted ends with. */
uint8_t lf_admission_status(enum lf_admission admission);

/* ---- reset.c ---- */

bool lf_resets_create(struct lf_storport *storport);
/* Nothing is outstanding, and every unit was freed: no timer comes any more, no task management runs. */
void lf_resets_stop(struct lf_storport *storport);
/* Nobody is inside any more. */
void lf_resets_destroy(struct lf_storport *storport);
/* own waits: completed when all that was begun before has ended, or after ten seconds. lun may be LF_LUN_ANY.
 */
void lf_reset_unit(struct lf_storport *storport, struct lf_srb *own);
void lf_reset_target(struct lf_storport *storport, struct lf_srb *own);
void lf_reset_all(struct lf_storport *storport, struct lf_srb *own); /* own NULL: nobody waits */
BOOLEAN lf_reset_bus(PVOID extension, ULONG path);

/* ---- attendant.c ---- */

/* pdo: of the adapter, for the device interface; NULL: there is none. */
bool lf_attendant_start(struct lf_storport *storport, DEVICE_OBJECT *pdo);
void lf_attendant_stop(struct lf_storport *storport);
/* With the first SRB: the adapter has been initialized, and the interface may be shown. Up to DISPATCH_LEVEL.
 */
void lf_attendant_send_first(struct lf_storport *storport);
/* The device interface is there to be found from now on; once. PASSIVE_LEVEL. */
void lf_attendant_show_interface(struct lf_storport *storport);

/* ---- adapter.c, control.c: Storport's callbacks, but for lf_start_io and lf_reset_bus ---- */

ULONG lf_find_adapter(PVOID extension, PVOID pdo, PVOID fdo, PVOID lower, PCHAR arguments,
	PORT_CONFIGURATION_INFORMATION *config, BOOLEAN *again);
VOID lf_free_adapter_resources(PVOID extension);
BOOLEAN lf_initialize(PVOID extension);
SCSI_ADAPTER_CONTROL_STATUS lf_adapter_control(
	PVOID extension, SCSI_ADAPTER_CONTROL_TYPE type, PVOID parameters);
SCSI_UNIT_CONTROL_STATUS lf_unit_control(PVOID extension, SCSI_UNIT_CONTROL_TYPE type, PVOID parameters);
VOID lf_process_service_request(PVOID extension, PVOID irp);
VOID lf_complete_service_irp(PVOID extension);

/* register.c: what DriverEntry gave; there until the driver is unloaded. */
struct lf_registration {
	const struct lf_storport_backend *backend;
	UNICODE_STRING path;   /* of the service's key */
	PDRIVER_UNLOAD unload; /* Storport's */
};
extern struct lf_registration lf_registration;

/* What lf_trace_storport_call says. */
enum lf_callback {
	LF_CALLBACK_FIND_ADAPTER,
	LF_CALLBACK_INITIALIZE,
	LF_CALLBACK_RESET_BUS,
	LF_CALLBACK_UNIT_CONTROL,
	LF_CALLBACK_COMPLETE_SERVICE,
	LF_CALLBACK_FREE_RESOURCES,
};

#endif
