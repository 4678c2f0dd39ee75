/* SPDX-License-Identifier: BSD-2-Clause */
/* error.c: enum lf_error in words, for messages and the log. */
#include "platform/platform.h"

const char *lf_error_text(enum lf_error error)
{
	switch (error) {
	case LF_OK:
		return "no error";
	case LF_E_IO:
		return "input/output error";
	case LF_E_NO_SPACE:
		return "no space left on the host's file system";
	case LF_E_READ_ONLY:
		return "read-only";
	case LF_E_NO_MEDIUM:
		return "no medium, or the backing file went away";
	case LF_E_RANGE:
		return "past the end of the backing file";
	case LF_E_NO_MEMORY:
		return "out of memory";
	case LF_E_INVALID:
		return "invalid argument";
	case LF_E_UNSUPPORTED:
		return "not supported";
	case LF_E_ABORTED:
		return "aborted";
	case LF_E_NOT_FOUND:
		return "not found";
	case LF_E_BUSY:
		return "in use elsewhere";
	case LF_E_PERMISSION:
		return "permission denied";
	case LF_E_TIMED_OUT:
		return "timed out";
	}
	return "unknown error";
}
