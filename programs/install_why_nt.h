/* SPDX-License-Identifier: BSD-2-Clause */
/* install_why_nt.h: why Windows does not take the driver, and what helps: numbers to words, without a call of
 * Windows. */
#ifndef LF_PROGRAMS_INSTALL_WHY_NT_H
#define LF_PROGRAMS_INSTALL_WHY_NT_H

#include "programs/lungfish.h"

#define LF_NO_PROBLEM 0 /* of a device node */

/* What decides over drivers on this machine. */
struct lf_machine {
	bool elevated;
	uint32_t major, minor, build;
	uint32_t processor;   /* IMAGE_FILE_MACHINE_ of the machine itself; 0: unknown */
	bool integrity_known; /* the next two are */
	bool test_signing, memory_integrity;
	bool secure_boot_known, secure_boot;
};

/* What there is of the driver. */
struct lf_driver {
	uint32_t devices;         /* of our hardware ID, those that are not present, too */
	char device[400];         /* instance of the first that is present, or of the first; or empty */
	bool present, started;    /* that one */
	uint32_t problem, status; /* of that one: its code, and an NTSTATUS or 0 */
	char version[24];         /* of the driver that it has; or empty */
	char inf[64];             /* oem7.inf; or empty */
	const char *service;      /* "running", "stopped", ...; NULL: there is none */
	bool answers;
	enum lf_error error;         /* why it does not */
	LF_CONTROL_TEXT(30) release; /* of the adapter that answers */
};

/*
 * All of these set message to "cause: remedy" and return the exit status. lf_why_not_here: LF_EXIT_DONE when
 * this machine can have the driver at all, as far as that is seen before it is tried.
 */
int lf_why_not_here(const struct lf_machine *machine, struct lf_message *message);
/* An error of setup, as GetLastError has it, or an HRESULT. */
int lf_why_refused(const struct lf_machine *machine, uint32_t code, struct lf_message *message);
/* A problem code of the device manager (CM_PROB_). */
int lf_why_problem(
	const struct lf_machine *machine, uint32_t problem, uint32_t nt_status, struct lf_message *message);
/* What stands between the driver and its use; LF_EXIT_DONE: nothing, message is empty. */
int lf_why_not_usable(
	const struct lf_machine *machine, const struct lf_driver *driver, struct lf_message *message);

#endif
