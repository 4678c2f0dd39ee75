/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msvc_nt.h: before each source that is compiled as Microsoft's compiler would: mingw-w64's headers want to
 * know a gcc, our own must not see one. tests/windows/sources.py includes it.
 */
#include <ntifs.h>
#undef __GNUC__
#undef _ReadWriteBarrier
