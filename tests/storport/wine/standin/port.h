/* SPDX-License-Identifier: BSD-2-Clause */
/* port.h: the port driver of the stand-in: adapters, requests, units. */
#ifndef LF_TESTS_STANDIN_PORT_H
#define LF_TESTS_STANDIN_PORT_H

#include "tests/storport/wine/standin/standin.h"

#define STANDIN_SCSI_FIRST   20 /* \\.\Scsi20: and on */
#define STANDIN_DISK_FIRST   40 /* \\.\PhysicalDrive40 and on: low ones may be mountmgr's */
#define STANDIN_CDROM_FIRST  40
#define STANDIN_STARTERS     4 /* threads that call HwStartIo */
#define STANDIN_UNITS_MAX    256
#define STANDIN_SENSE_BYTES  252
#define STANDIN_SERVICES_MAX 256
#define STANDIN_SERIAL_BYTES 36

struct standin_adapter;

/* One SRB, from when it is made until its owner lets go. */
struct standin_request {
	LIST_ENTRY link;    /* in the adapter's queue */
	LIST_ENTRY all;     /* in the adapter's list of what was started */
	volatile LONG done; /* how often it was completed */
	struct standin_adapter *adapter;
	UCHAR function, target, lun, cdb_length;
	UCHAR cdb[16];
	UCHAR action;  /* enum host_pnp_action or the power state, as the function has it */
	bool is_write; /* data goes out */
	bool moves_data;
	UCHAR srb_status, scsi_status;
	ULONG transferred;
	UCHAR sense[STANDIN_SENSE_BYTES];
	UCHAR sense_length;
	UCHAR *data; /* length bytes, between guards */
	ULONG length;
	void (*finish)(struct standin_request *request); /* any thread, DISPATCH_LEVEL */
	void *context;
	/* The stand-in's own from here on. */
	UCHAR *room;
	MDL *mdl;
	void *extension;
	void *srb;
	bool maps_data;
};

struct standin_unit {
	struct standin_adapter *adapter;
	UCHAR target, lun, type;
	bool present, seen;
	UCHAR serial[STANDIN_SERIAL_BYTES];
	LONG number;
	LONG handles;
	ULONG block_bytes;
	DEVICE_OBJECT *device;
	WCHAR link[64];
};

/* What a device object of ours is. */
struct standin_extension {
	enum { STANDIN_ADAPTER, STANDIN_UNIT, STANDIN_CONTROL } kind;
	struct standin_adapter *adapter;
	struct standin_unit *unit;
};

struct standin_adapter {
	struct host_registration hw;
	struct host_config config;
	DEVICE_OBJECT *fdo, *pdo, *lower;
	void *extension;
	bool started, stopping, starters_end;
	host_hw_passive_initialize *passive_initialize;
	KEVENT rescan;
	KSEMAPHORE work; /* for the starters */
	struct standin_lock lock;
	LIST_ENTRY queue, outstanding;
	volatile LONG outstanding_count;
	HANDLE starters[STANDIN_STARTERS], scanner;
	struct standin_unit *units[STANDIN_UNITS_MAX];
	LONG scans, bus_changes, service_irps;
	IRP *services[STANDIN_SERVICES_MAX]; /* that pend */
	SIZE_T pool_before;                  /* it started */
	BOOLEAN adapter_controls[HOST_ADAPTER_CONTROLS];
	BOOLEAN unit_controls[HOST_UNIT_CONTROLS];
};

/* judge.c */
void standin_judge_registration(const struct host_registration *hw);
/* False: the adapter does not start. */
bool standin_config_is_good(const struct host_config *config);

/* adapter.c */
extern struct host_registration standin_hw;
NTSTATUS standin_add_device(DRIVER_OBJECT *driver, DEVICE_OBJECT *pdo);
NTSTATUS standin_adapter_start(struct standin_adapter *adapter);
void standin_adapter_stop(struct standin_adapter *adapter);
/* Where the driver supports it. */
void standin_adapter_control(struct standin_adapter *adapter, ULONG control, KIRQL irql);
void standin_service_begins(struct standin_adapter *adapter, IRP *irp);
struct standin_adapter *standin_the_adapter(void);

/* request.c */
struct standin_request *standin_request_make(
	struct standin_adapter *adapter, UCHAR target, UCHAR lun, ULONG length);
void standin_request_start(struct standin_request *request);
void standin_request_completed(struct standin_adapter *adapter, void *srb);
struct standin_request *standin_request_of(struct standin_adapter *adapter, void *srb);
void standin_request_free(struct standin_request *request);
/* Starts it and waits; the caller frees it. False: it does not end, and must not be freed. */
bool standin_request_run(struct standin_request *request);
void standin_starters_begin(struct standin_adapter *adapter);
void standin_starters_end(struct standin_adapter *adapter);

/* units.c */
void standin_scanner_begin(struct standin_adapter *adapter);
void standin_scanner_end(struct standin_adapter *adapter);
/* state: enum host_power_state. */
void standin_units_power(struct standin_adapter *adapter, ULONG state);
struct standin_unit *standin_unit_at(struct standin_adapter *adapter, UCHAR target, UCHAR lun);
void standin_unit_closed(struct standin_unit *unit);

/* dispatch.c */
void standin_dispatch_install(DRIVER_OBJECT *driver);
NTSTATUS standin_link(UNICODE_STRING *link, UNICODE_STRING *device);
NTSTATUS standin_finish(IRP *irp, NTSTATUS status, ULONG_PTR information);

/* disk.c */
NTSTATUS standin_unit_io(struct standin_unit *unit, IRP *irp);
NTSTATUS standin_unit_control(struct standin_unit *unit, IRP *irp);
NTSTATUS standin_pass_through(
	struct standin_adapter *adapter, struct standin_unit *unit, IRP *irp, bool direct);

/* control.c: the test's own commands, \\.\LungfishStandin */
void standin_control_install(DRIVER_OBJECT *driver);
void standin_control_remove(void);
NTSTATUS standin_control(IRP *irp);

#endif
