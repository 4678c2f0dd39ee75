/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_names.c: the names of SCSI commands: SPC-4, SBC-4 and MMC-6. */
#include "programs/lungfish.h"

#define CDROM 5 /* peripheral device type */

static const struct {
	uint8_t opcode;
	uint16_t service_action;
	const char *name;
} names[] = {
	{0x00, LF_NO_ACTION, "TEST UNIT READY"},
	{0x01, LF_NO_ACTION, "REZERO UNIT"},
	{0x03, LF_NO_ACTION, "REQUEST SENSE"},
	{0x04, LF_NO_ACTION, "FORMAT UNIT"},
	{0x08, LF_NO_ACTION, "READ (6)"},
	{0x0a, LF_NO_ACTION, "WRITE (6)"},
	{0x12, LF_NO_ACTION, "INQUIRY"},
	{0x15, LF_NO_ACTION, "MODE SELECT (6)"},
	{0x16, LF_NO_ACTION, "RESERVE (6)"},
	{0x17, LF_NO_ACTION, "RELEASE (6)"},
	{0x1a, LF_NO_ACTION, "MODE SENSE (6)"},
	{0x1b, LF_NO_ACTION, "START STOP UNIT"},
	{0x1c, LF_NO_ACTION, "RECEIVE DIAGNOSTIC RESULTS"},
	{0x1d, LF_NO_ACTION, "SEND DIAGNOSTIC"},
	{0x1e, LF_NO_ACTION, "PREVENT ALLOW MEDIUM REMOVAL"},
	{0x25, LF_NO_ACTION, "READ CAPACITY (10)"},
	{0x28, LF_NO_ACTION, "READ (10)"},
	{0x2a, LF_NO_ACTION, "WRITE (10)"},
	{0x2b, LF_NO_ACTION, "SEEK (10)"},
	{0x2e, LF_NO_ACTION, "WRITE AND VERIFY (10)"},
	{0x2f, LF_NO_ACTION, "VERIFY (10)"},
	{0x34, LF_NO_ACTION, "PRE-FETCH (10)"},
	{0x35, LF_NO_ACTION, "SYNCHRONIZE CACHE (10)"},
	{0x37, LF_NO_ACTION, "READ DEFECT DATA (10)"},
	{0x3b, LF_NO_ACTION, "WRITE BUFFER"},
	{0x3c, LF_NO_ACTION, "READ BUFFER"},
	{0x41, LF_NO_ACTION, "WRITE SAME (10)"},
	{0x42, LF_NO_ACTION, "UNMAP"},
	{0x4c, LF_NO_ACTION, "LOG SELECT"},
	{0x4d, LF_NO_ACTION, "LOG SENSE"},
	{0x55, LF_NO_ACTION, "MODE SELECT (10)"},
	{0x56, LF_NO_ACTION, "RESERVE (10)"},
	{0x57, LF_NO_ACTION, "RELEASE (10)"},
	{0x5a, LF_NO_ACTION, "MODE SENSE (10)"},
	{0x5e, 0x00, "PERSISTENT RESERVE IN, READ KEYS"},
	{0x5e, 0x01, "PERSISTENT RESERVE IN, READ RESERVATION"},
	{0x5e, 0x02, "PERSISTENT RESERVE IN, REPORT CAPABILITIES"},
	{0x5e, 0x03, "PERSISTENT RESERVE IN, READ FULL STATUS"},
	{0x5f, 0x00, "PERSISTENT RESERVE OUT, REGISTER"},
	{0x5f, 0x01, "PERSISTENT RESERVE OUT, RESERVE"},
	{0x5f, 0x02, "PERSISTENT RESERVE OUT, RELEASE"},
	{0x5f, 0x03, "PERSISTENT RESERVE OUT, CLEAR"},
	{0x5f, 0x04, "PERSISTENT RESERVE OUT, PREEMPT"},
	{0x5f, 0x05, "PERSISTENT RESERVE OUT, PREEMPT AND ABORT"},
	{0x5f, 0x06, "PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY"},
	{0x5f, 0x07, "PERSISTENT RESERVE OUT, REGISTER AND MOVE"},
	{0x88, LF_NO_ACTION, "READ (16)"},
	{0x89, LF_NO_ACTION, "COMPARE AND WRITE"},
	{0x8a, LF_NO_ACTION, "WRITE (16)"},
	{0x8b, LF_NO_ACTION, "ORWRITE (16)"},
	{0x8e, LF_NO_ACTION, "WRITE AND VERIFY (16)"},
	{0x8f, LF_NO_ACTION, "VERIFY (16)"},
	{0x90, LF_NO_ACTION, "PRE-FETCH (16)"},
	{0x91, LF_NO_ACTION, "SYNCHRONIZE CACHE (16)"},
	{0x93, LF_NO_ACTION, "WRITE SAME (16)"},
	{0x9c, LF_NO_ACTION, "WRITE ATOMIC (16)"},
	{0x9e, 0x10, "READ CAPACITY (16)"},
	{0x9e, 0x12, "GET LBA STATUS"},
	{0xa0, LF_NO_ACTION, "REPORT LUNS"},
	{0xa3, 0x05, "REPORT IDENTIFYING INFORMATION"},
	{0xa3, 0x0a, "REPORT TARGET PORT GROUPS"},
	{0xa3, 0x0c, "REPORT SUPPORTED OPERATION CODES"},
	{0xa3, 0x0d, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS"},
	{0xa3, 0x0f, "REPORT TIMESTAMP"},
	{0xa8, LF_NO_ACTION, "READ (12)"},
	{0xaa, LF_NO_ACTION, "WRITE (12)"},
	{0xae, LF_NO_ACTION, "WRITE AND VERIFY (12)"},
	{0xaf, LF_NO_ACTION, "VERIFY (12)"},
	{0xb7, LF_NO_ACTION, "READ DEFECT DATA (12)"},
};

/* Where a drive has something of its own. */
static const struct {
	uint8_t opcode;
	const char *name;
} drive_names[] = {
	{0x23, "READ FORMAT CAPACITIES"},
	{0x42, "READ SUB-CHANNEL"},
	{0x43, "READ TOC/PMA/ATIP"},
	{0x44, "READ HEADER"},
	{0x45, "PLAY AUDIO (10)"},
	{0x46, "GET CONFIGURATION"},
	{0x47, "PLAY AUDIO MSF"},
	{0x4a, "GET EVENT STATUS NOTIFICATION"},
	{0x4b, "PAUSE/RESUME"},
	{0x4e, "STOP PLAY/SCAN"},
	{0x51, "READ DISC INFORMATION"},
	{0x52, "READ TRACK INFORMATION"},
	{0xac, "GET PERFORMANCE"},
	{0xad, "READ DISC STRUCTURE"},
	{0xb6, "SET STREAMING"},
	{0xb9, "READ CD MSF"},
	{0xbb, "SET CD SPEED"},
	{0xbd, "MECHANISM STATUS"},
	{0xbe, "READ CD"},
};

const char *lf_command_name(uint8_t opcode, uint32_t service_action, uint32_t type)
{
	for (uint32_t i = 0; type == CDROM && i < lf_count_of(drive_names); i++) {
		if (drive_names[i].opcode == opcode)
			return drive_names[i].name;
	}
	for (uint32_t i = 0; i < lf_count_of(names); i++) {
		if (names[i].opcode == opcode && names[i].service_action == service_action)
			return names[i].name;
	}
	return NULL;
}
