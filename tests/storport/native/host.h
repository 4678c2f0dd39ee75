/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h: a Storport of the tests' own: it loads the driver, starts adapters of it, scans their buses, sends
 * SRBs and service IRPs, and holds the driver to the rules. A broken one ends the process, as those of nt.h.
 */
#ifndef LF_TESTS_STORPORT_HOST_H
#define LF_TESTS_STORPORT_HOST_H

#include "tests/storport/host/port.h"
#include "tests/storport/nt/nt.h"

#define HOST_TARGETS 32
#define HOST_LUNS    64

/* ---- The driver ---- */

/* DriverEntry. One driver at a time; its objects are the host's from here to host_unload. */
NTSTATUS host_load(void);
void host_unload(void);
/* What it gave to StorPortInitialize. */
const struct host_registration *host_registration(void);

/* ---- An adapter ---- */

struct host;

/* AddDevice, HwFindAdapter, HwInitialize, the first scan. NULL: it did not start; *result says how. */
struct host *host_start(ULONG *result);
/* Whether the next adapters grant a passive initialization, as they do until somebody says otherwise. */
void host_grant_passive(bool grants);
/* The device is removed: its units go, then HwCompleteServiceIrp and HwFreeAdapterResources. */
void host_stop(struct host *host);
/* It has vanished: what is outstanding runs out, nothing new is sent; host_stop comes next. */
void host_surprise(struct host *host);
const struct host_config *host_config(const struct host *host);
ULONG host_adapter_control(struct host *host, ULONG control, void *parameters);
ULONG host_unit_control(struct host *host, ULONG control, void *parameters);
struct host_address_btl8 host_address(uint8_t target, uint8_t lun);
/* HwResetBus, under the StartIo lock. */
void host_reset_bus(struct host *host);

/* ---- Its bus ---- */

/* What a scan found at an address, and what came of it. */
struct host_unit {
	bool there;      /* the last scan found it */
	bool gone;       /* it was there, and the host has not let go of it yet */
	uint8_t type;    /* peripheral device type */
	uint32_t number; /* of the unit, so that a newcomer is told from who was there */
	uint8_t inquiry[36];
};

struct host_unit host_unit(struct host *host, uint8_t target, uint8_t lun);
/* Until every change that was announced has been looked at. */
void host_settle(struct host *host);
/* Waits for a scan to find a unit at the address, or none there and nobody that holds it. */
void host_wait_unit(struct host *host, uint8_t target, uint8_t lun, bool there);
/* Scans wait, or go on. */
void host_hold_scans(struct host *host, bool held);
/* Somebody keeps the unit open: HwUnitControl(Remove) waits for the release. */
void host_hold_unit(struct host *host, uint8_t target, uint8_t lun, bool held);
/* How often BusChangeDetected came. */
uint32_t host_changes(struct host *host);

/* ---- SRBs ---- */

enum host_form { HOST_FORM_EXTENDED, HOST_FORM_OLD };

struct host_frame;

/* One SRB. The host's from host_submit to done; may be used again afterwards. */
struct host_request {
	/* In. */
	UCHAR function; /* enum host_srb_function */
	UCHAR path, target, lun;
	enum host_form form;
	UCHAR cdb[32], cdb_length;
	USHORT cdb_var_length; /* not 0: the extended SRB has a CDB of that length, which begins so; to 260 */
	ULONG flags;           /* enum host_srb_flags */
	UCHAR attribute;       /* enum host_queue_action; 0: none */
	void *data;            /* copied into the SRB's memory and back, when buffer is NULL */
	ULONG length;
	struct lf_fake_buffer *buffer; /* else this: from its first byte */
	UCHAR sense_room;              /* 0: 252; 1: no buffer at all */
	ULONG action, action_flags;    /* PNP, POWER: the action, SrbPnPFlags or SrbPowerFlags */
	ULONG power_state;
	void (*spoil)(void *srb, void *context);    /* changes the SRB before it is sent; may be NULL */
	void (*done)(struct host_request *request); /* DISPATCH_LEVEL; may be NULL */
	void *context;

	/* Out. */
	UCHAR srb_status; /* below the flags */
	bool sense_valid;
	UCHAR scsi_status;
	ULONG moved; /* DataTransferLength */
	UCHAR sense[255];
	UCHAR sense_length;

	/* The host's own. */
	bool ended, lingers;
};

/* Any IRQL up to DISPATCH_LEVEL, any thread. */
void host_submit(struct host *host, struct host_request *request);
/* Until it has ended. PASSIVE_LEVEL. */
void host_wait(struct host *host, struct host_request *request);
bool host_has_ended(struct host *host, struct host_request *request);
void host_run(struct host *host, struct host_request *request);
/*
 * Whoever completes the request stays in Storport for a while, for which HwFreeAdapterResources has to wait.
 * Before host_submit.
 */
void host_linger(struct host_request *request);
/* Until nothing is outstanding. */
void host_drain(struct host *host);
uint32_t host_outstanding(struct host *host);

/* KEY/ASC/ASCQ in one number; 0: no sense. */
uint32_t host_sense(const struct host_request *request);

/* The next calls of GetSystemAddress fail, so many of them. */
void host_fail_mappings(uint32_t count);

/* ---- Service IRPs ---- */

struct host_service {
	/* In. */
	ULONG code; /* 0: IOCTL_MINIPORT_PROCESS_SERVICE_IRP */
	const void *in;
	ULONG in_length;
	void *out;
	ULONG out_length;
	bool kernel_mode;

	/* Out. */
	NTSTATUS status;
	ULONG_PTR information;

	/* The host's own. */
	IRP *irp;
	struct host *host;
	struct host_service *next;
	bool ended, lingers;
};

/* In the thread of whoever asks, with its token. */
void host_service_begin(struct host *host, struct host_service *service);
void host_service_cancel(struct host_service *service);
void host_service_wait(struct host_service *service);
bool host_service_has_ended(struct host_service *service);
void host_service(struct host *host, struct host_service *service);
/*
 * It comes between HwCompleteServiceIrp and HwFreeAdapterResources, and whoever completes it stays in
 * Storport for a while. The caller's until host_stop.
 */
void host_service_late(struct host *host, struct host_service *service);

#endif
