/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interface_nt.h: how programs and the driver find each other on Windows: the device interface, the control
 * code. Shared by both; protocol.h has the bytes.
 */
#ifndef LF_CONTROL_INTERFACE_NT_H
#define LF_CONTROL_INTERFACE_NT_H

/* {6C756E67-6669-7368-8A5C-7D1A2E0B41F3}: the device interface of every adapter of ours. */
#define LF_INTERFACE_GUID                                                                                    \
	{                                                                                                    \
		0x6c756e67, 0x6669, 0x7368,                                                                  \
		{                                                                                            \
			0x8a, 0x5c, 0x7d, 0x1a, 0x2e, 0x0b, 0x41, 0xf3                                       \
		}                                                                                            \
	}

/*
 * IOCTL_MINIPORT_PROCESS_SERVICE_IRP (CTL_CODE(4, 0x40e, METHOD_BUFFERED, read and write access)). The input
 * is one request, the output buffer takes its reply, LF_CONTROL_MESSAGE_MAX bytes at most; the bytes are
 * those of protocol.h. A path in a request is absolute as the kernel has it: \??\C:\disk.img,
 * \??\UNC\server\share\disk.img, \??\Volume{...}\disk.img.
 *
 * STATUS_SUCCESS: there is a reply, which may say that the request failed. Else nothing was done, but for
 * the last two of these:
 *   STATUS_BUFFER_TOO_SMALL: the reply does not fit; of a request that changes something it is said before,
 *   of an output buffer of less than LF_IOCTL_REPLY_MIN bytes;
 *   STATUS_INVALID_DEVICE_REQUEST: another control code, or not our magic;
 *   STATUS_INVALID_PARAMETER: shorter than a header, or longer than LF_IOCTL_REQUEST_MAX bytes;
 *   STATUS_ACCESS_DENIED: the caller is not SYSTEM nor an administrator, or is the kernel;
 *   STATUS_BAD_IMPERSONATION_LEVEL: he impersonates somebody at a lower level than impersonation;
 *   STATUS_INSUFFICIENT_RESOURCES: memory is short;
 *   STATUS_DEVICE_NOT_READY: the adapter goes; what was begun goes on;
 *   STATUS_CANCELLED: by the caller, or his end, at once; what was begun goes on, but of an image that was
 *   not open yet nothing comes.
 */
#define LF_IOCTL_SERVICE     0x0004d038
#define LF_IOCTL_REQUEST_MAX 16384 /* more than any request has */
#define LF_IOCTL_REPLY_MIN   4696  /* every reply to a request that changes something fits */

#endif
