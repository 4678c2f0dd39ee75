/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ntifs.h: the kernel of Windows as the tests have it on Linux: the names, the arguments, the values and, but
 * for DEVICE_OBJECT and IRP, the layouts of the real header on x86-64. What they do is in tests/storport/nt.
 * Compile with -fshort-wchar.
 */
#ifndef LF_TESTS_NT_NTIFS_H
#define LF_TESTS_NT_NTIFS_H

#include "tests/storport/nt/include/nt_types.h"
#include "tests/storport/nt/include/nt_status.h"
#include "tests/storport/nt/include/nt_kernel.h"
#include "tests/storport/nt/include/nt_security.h"
#include "tests/storport/nt/include/nt_io.h"
#include "tests/storport/nt/include/nt_file.h"
#include "tests/storport/nt/include/nt_etw.h"

#endif
