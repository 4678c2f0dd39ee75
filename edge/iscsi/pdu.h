/* SPDX-License-Identifier: BSD-2-Clause */
/* pdu.h: what stands in iSCSI PDUs (RFC 7143 11): opcodes, codes, field positions, big-endian access. */
#ifndef LF_ISCSI_PDU_H
#define LF_ISCSI_PDU_H

#include "platform/platform.h"

#define ISCSI_BHS_LENGTH     48
#define ISCSI_AHS_MAX        (255 * 4) /* TotalAHSLength counts words in a byte: 11.2.1.5 */
#define ISCSI_NO_TAG         0xffffffffu
#define ISCSI_VERSION        0x00
#define ISCSI_LOGIN_TEXT_MAX 8192 /* data segment of a login PDU: the default of 13.12 */

/* 11.2.1.2. Initiator opcodes; those of the target have 0x20. */
enum iscsi_opcode {
	ISCSI_NOP_OUT = 0x00,
	ISCSI_SCSI_COMMAND = 0x01,
	ISCSI_TASK_MANAGEMENT = 0x02,
	ISCSI_LOGIN = 0x03,
	ISCSI_TEXT = 0x04,
	ISCSI_DATA_OUT = 0x05,
	ISCSI_LOGOUT = 0x06,
	ISCSI_SNACK = 0x10,
	ISCSI_NOP_IN = 0x20,
	ISCSI_SCSI_RESPONSE = 0x21,
	ISCSI_TASK_MANAGEMENT_RESPONSE = 0x22,
	ISCSI_LOGIN_RESPONSE = 0x23,
	ISCSI_TEXT_RESPONSE = 0x24,
	ISCSI_DATA_IN = 0x25,
	ISCSI_LOGOUT_RESPONSE = 0x26,
	ISCSI_R2T = 0x31,
	ISCSI_ASYNC_MESSAGE = 0x32,
	ISCSI_REJECT = 0x3f,
};

#define ISCSI_OPCODE_MASK 0x3f
#define ISCSI_IMMEDIATE   0x40 /* byte 0: 11.2.1.1 */
#define ISCSI_FINAL       0x80 /* byte 1, F; T in login PDUs */
#define ISCSI_CONTINUE    0x40 /* byte 1, C in login and text PDUs */

/* SCSI Command, byte 1: 11.3.1 */
#define ISCSI_COMMAND_READ      0x40
#define ISCSI_COMMAND_WRITE     0x20
#define ISCSI_COMMAND_ATTRIBUTE 0x07

/* SCSI Response and Data-In, byte 1: 11.4.1, 11.7.1 */
#define ISCSI_BIDI_OVERFLOW  0x10
#define ISCSI_BIDI_UNDERFLOW 0x08
#define ISCSI_OVERFLOW       0x04
#define ISCSI_UNDERFLOW      0x02
#define ISCSI_STATUS         0x01 /* S: Data-In carries the status */

/* AHS types: 11.2.2.1 */
#define ISCSI_AHS_EXTENDED_CDB 0x01
#define ISCSI_AHS_BIDI_LENGTH  0x02

/* Reject reasons: 11.17.1 */
enum iscsi_reject_reason {
	ISCSI_REJECT_DATA_DIGEST = 0x02,
	ISCSI_REJECT_SNACK = 0x03,
	ISCSI_REJECT_PROTOCOL = 0x04,
	ISCSI_REJECT_NOT_SUPPORTED = 0x05,
	ISCSI_REJECT_TOO_MANY_IMMEDIATE = 0x06,
	ISCSI_REJECT_TASK_IN_PROGRESS = 0x07,
	ISCSI_REJECT_INVALID_FIELD = 0x09,
	ISCSI_REJECT_WAITING_FOR_LOGOUT = 0x0c,
};

/* Task management functions and responses: 11.5.1, 11.6.1 */
enum iscsi_tmf_function {
	ISCSI_TMF_ABORT_TASK = 1,
	ISCSI_TMF_ABORT_TASK_SET = 2,
	ISCSI_TMF_CLEAR_ACA = 3,
	ISCSI_TMF_CLEAR_TASK_SET = 4,
	ISCSI_TMF_LUN_RESET = 5,
	ISCSI_TMF_WARM_RESET = 6,
	ISCSI_TMF_COLD_RESET = 7,
	ISCSI_TMF_TASK_REASSIGN = 8,
};

enum iscsi_tmf_response {
	ISCSI_TMF_COMPLETE = 0,
	ISCSI_TMF_NO_TASK = 1,
	ISCSI_TMF_NO_LUN = 2,
	ISCSI_TMF_NO_REASSIGN = 4,
	ISCSI_TMF_NOT_SUPPORTED = 5,
	ISCSI_TMF_REJECTED = 255,
};

/* Login status, class in the upper byte: 11.13.5 */
enum iscsi_login_status {
	ISCSI_LOGIN_SUCCESS = 0x0000,
	ISCSI_LOGIN_INITIATOR_ERROR = 0x0200,
	ISCSI_LOGIN_NOT_AUTHENTICATED = 0x0201,
	ISCSI_LOGIN_NOT_AUTHORIZED = 0x0202,
	ISCSI_LOGIN_NOT_FOUND = 0x0203,
	ISCSI_LOGIN_BAD_VERSION = 0x0205,
	ISCSI_LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
	ISCSI_LOGIN_MISSING_PARAMETER = 0x0207,
	ISCSI_LOGIN_BAD_SESSION_TYPE = 0x0209,
	ISCSI_LOGIN_NO_SESSION = 0x020a,
	ISCSI_LOGIN_INVALID_DURING_LOGIN = 0x020b,
	ISCSI_LOGIN_UNAVAILABLE = 0x0301,
	ISCSI_LOGIN_OUT_OF_RESOURCES = 0x0302,
};

/* Login stages: 11.12.3 */
enum iscsi_stage {
	ISCSI_STAGE_SECURITY = 0,
	ISCSI_STAGE_OPERATIONAL = 1,
	ISCSI_STAGE_FULL_FEATURE = 3,
};

/* Logout reasons and responses: 11.14.1, 11.15.1 */
enum iscsi_logout_reason { ISCSI_LOGOUT_SESSION = 0, ISCSI_LOGOUT_CONNECTION = 1, ISCSI_LOGOUT_RECOVERY = 2 };
enum iscsi_logout_response { ISCSI_LOGOUT_CLOSED = 0, ISCSI_LOGOUT_NO_CID = 1, ISCSI_LOGOUT_NO_RECOVERY = 2 };

/* Asynchronous events: 11.9.1 */
enum iscsi_async_event {
	ISCSI_ASYNC_SCSI_EVENT = 0,
	ISCSI_ASYNC_REQUEST_LOGOUT = 1,
	ISCSI_ASYNC_DROP_SESSION = 3
};

/* Positions in the basic header segment that several PDUs share. */
enum iscsi_field {
	ISCSI_AT_FLAGS = 1,
	ISCSI_AT_RESPONSE = 2,
	ISCSI_AT_STATUS = 3,
	ISCSI_AT_AHS_LENGTH = 4,
	ISCSI_AT_DATA_LENGTH = 5,
	ISCSI_AT_LUN = 8,
	ISCSI_AT_ISID = 8,
	ISCSI_AT_TSIH = 14,
	ISCSI_AT_ITT = 16,
	ISCSI_AT_TTT = 20,
	ISCSI_AT_EDTL = 20,
	ISCSI_AT_CID = 20,
	ISCSI_AT_RTT = 20, /* referenced task tag */
	ISCSI_AT_CMD_SN = 24,
	ISCSI_AT_STAT_SN = 24,
	ISCSI_AT_EXP_STAT_SN = 28,
	ISCSI_AT_EXP_CMD_SN = 28,
	ISCSI_AT_MAX_CMD_SN = 32,
	ISCSI_AT_CDB = 32,
	ISCSI_AT_DATA_SN = 36,
	ISCSI_AT_LOGIN_STATUS = 36,
	ISCSI_AT_ASYNC_EVENT = 36,
	ISCSI_AT_OFFSET = 40,
	ISCSI_AT_PARAMETER_2 = 40, /* of an asynchronous message: Time2Wait */
	ISCSI_AT_PARAMETER_3 = 42, /* how long there is for the logout, or Time2Retain */
	ISCSI_AT_BIDI_RESIDUAL = 40,
	ISCSI_AT_RESIDUAL = 44,
	ISCSI_AT_DESIRED_LENGTH = 44,
};

static inline uint32_t iscsi_opcode(const uint8_t *bhs)
{
	return bhs[0] & ISCSI_OPCODE_MASK;
}

static inline uint32_t iscsi_ahs_length(const uint8_t *bhs)
{
	return bhs[ISCSI_AT_AHS_LENGTH] * 4u;
}

static inline uint32_t iscsi_data_length(const uint8_t *bhs)
{
	return lf_get_be24(bhs + ISCSI_AT_DATA_LENGTH);
}

/* Data segments are padded to words: 11.1 */
static inline uint32_t iscsi_pad(uint32_t length)
{
	return -length & 3;
}

/* Serial number arithmetic (RFC 1982): how far a is ahead of b. */
static inline int32_t iscsi_sn_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* What a SCSI Command says in its additional header segments: 11.2.2 */
struct iscsi_ahs {
	const uint8_t *cdb_rest; /* the CDB from byte 16 on, or NULL */
	uint32_t cdb_rest_length;
	uint32_t bidi_read_length; /* 0 when there is none */
};

/* False: the segments contradict themselves, or the CDB is longer than cdb_max. */
bool lf_iscsi_parse_ahs(const uint8_t *ahs, uint32_t length, uint32_t cdb_max, struct iscsi_ahs *out);

#endif
