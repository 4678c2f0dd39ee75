/* SPDX-License-Identifier: BSD-2-Clause */
/* initguid.h: from here on DEFINE_GUID makes the GUID; the tests' kernel has those of wdmguid.h besides. */
#define INITGUID
#undef DEFINE_GUID
#define DEFINE_GUID(name, a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                           \
	extern const GUID name;                                                                              \
	__attribute__((weak)) const GUID name = {a, b, c, {d0, d1, d2, d3, d4, d5, d6, d7}}
