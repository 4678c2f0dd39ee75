/* SPDX-License-Identifier: BSD-2-Clause */
/* host_parts.h: what the host's files share: the driver, the adapter, an SRB under way. */
#ifndef LF_TESTS_STORPORT_HOST_PARTS_H
#define LF_TESTS_STORPORT_HOST_PARTS_H

#include <pthread.h>

#include "tests/storport/native/host.h"

#define HOST_BUCKETS 1024
#define HOST_GARBAGE 0xa5 /* in memory that Storport does not clear */
#define HOST_POISON  0xdd /* in what was an SRB */

/* How long anything may take before the test is given up: a hang, not a measure. */
#define HOST_PATIENCE_S 120

/* One SRB under way: the host's record of it, which the driver never sees. */
struct host_frame {
	struct host_frame *next; /* in its bucket; host->lock */
	struct host_request *request;
	void *srb, *extension;
	uint8_t *sense;
	ULONG srb_bytes, extension_bytes;
	struct lf_fake_buffer *buffer;
	void *address; /* DataBuffer: mapped, or nobody's */
	bool own_buffer, is_read_write;
};

/* LEAVING: not found any more, but held; ENDING: the driver is just being told that nobody is there. */
enum host_phase { HOST_UNIT_NONE, HOST_UNIT_THERE, HOST_UNIT_LEAVING, HOST_UNIT_ENDING };

struct host_place {
	enum host_phase phase;
	uint32_t number, outstanding;
	uint8_t inquiry[36];
	uint8_t serial[36]; /* VPD page 80h */
	bool held;          /* somebody has it open */
	bool seen;          /* by the scan that runs */
};

struct host {
	pthread_mutex_t lock; /* all below; a leaf: never held across a call of the driver */
	pthread_cond_t changed;
	void *extension; /* the driver's */
	struct host_config config;
	DEVICE_OBJECT *pdo, *fdo;
	bool surprised, is_freed; /* is_freed: HwFreeAdapterResources was called */
	host_hw_passive_initialize *passive;
	struct host_service *services; /* that have not ended */
	struct host_service *late;     /* that comes when the adapter goes; NULL: none does */
	bool late_has_ended;
	pthread_t late_asker;
	KSPIN_LOCK start_io; /* what Storport holds across HwResetBus */

	struct host_frame *frames[HOST_BUCKETS];
	uint32_t outstanding, lingering;

	pthread_t scanner;
	uint32_t changes; /* that came */
	uint32_t scanned,
		removed; /* of those: a whole scan came after them; what it found gone was removed */
	bool hold_scans, scanner_ends;
	uint32_t numbers;
	struct host_place places[HOST_TARGETS][HOST_LUNS];
	struct host *next; /* of all adapters */
};

extern struct host_registration host_registered;

/* The adapter of a device extension; a fault when there is none. */
struct host *host_of(void *extension);

static inline void host_lock(struct host *host)
{
	pthread_mutex_lock(&host->lock);
}

static inline void host_unlock(struct host *host)
{
	pthread_mutex_unlock(&host->lock);
}

/* With the lock: until something changes; gives the test up when nothing does. */
void host_sleep_locked(struct host *host, const char *waiting_for);

/* What the driver called. */
void host_completed(struct host *host, void *srb);
void host_ask_passive(struct host *host, host_hw_passive_initialize *routine, LONG *granted);
ULONG host_system_address(struct host *host, void *srb, void **address);
ULONG host_original_mdl(struct host *host, void *srb, MDL **mdl);
void host_bus_changed(struct host *host, ULONG path);
ULONG host_service_completed(struct host *host, IRP *irp);
/* With the lock, which is let go: the adapter may go now, but for this thread. */
void host_stay(struct host *host);
/* The one that comes late, if there is one: it has ended when ask returns, and its thread when join does. */
void host_late_ask(struct host *host);
void host_late_join(struct host *host);

void host_scan_start(struct host *host);
/* Every unit goes: those that were announced, and nobody else. */
void host_scan_stop(struct host *host);
struct host_place *host_place(struct host *host, uint8_t target, uint8_t lun); /* NULL: past the bus */

#endif
