/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imports.c: takes the place of what the driver imports. Wine has filled its import table when the entry
 * point of this module is called, and has not called the driver yet: so the slots are overwritten, and the
 * file of the driver stays what is shipped.
 */
#include "tests/storport/wine/standin/standin.h"
#include <ntimage.h>

/* Of the loader's list of modules (PEB offset 0x18, offset 0x10), what is used here. */
struct module {
	LIST_ENTRY link;
	LIST_ENTRY other_links[2];
	uint8_t *base;
	void *entry_point;
	ULONG size_bytes;
	UNICODE_STRING full_name, base_name;
};

static LIST_ENTRY *modules(void)
{
	uint8_t *loader = *(uint8_t **)(RtlGetCurrentPeb() + 0x18);
	return (LIST_ENTRY *)(loader + 0x10);
}

static const struct standin_import *const tables[] = {
	standin_irql_imports,
	standin_timer_imports,
	standin_pool_imports,
	standin_mdl_imports,
	standin_irp_imports,
	standin_file_imports,
	standin_notify_imports,
	standin_etw_imports,
	standin_security_imports,
	standin_other_imports,
};

/* What may go to Wine as it is: there is nothing to judge, or nothing that Wine lacks. */
static const char *const wines_own[] = {"IoFileObjectType", "KeClearEvent", "KeInitializeEvent",
	"KeInitializeSemaphore", "KeInitializeTimer", "PsThreadType", "RtlAddAccessAllowedAce",
	"RtlCreateAcl", "RtlCreateSecurityDescriptor", "RtlFreeUnicodeString", "RtlInitUnicodeString",
	"RtlSetDaclSecurityDescriptor", "_vsnprintf", "memchr", "memcmp", "memcpy", "memmove", "memset",
	"strchr", "strcmp", "strlen", "strncmp", "strrchr", "strspn"};

static bool is_wines(const char *name)
{
	for (size_t i = 0; i < ARRAYSIZE(wines_own); i++)
		if (!strcmp(wines_own[i], name))
			return true;
	return false;
}

static const void *replacement(const char *name)
{
	for (size_t i = 0; i < ARRAYSIZE(tables); i++)
		for (const struct standin_import *row = tables[i]; row->name; row++)
			if (!strcmp(row->name, name))
				return row->function;
	return NULL;
}

static IMAGE_IMPORT_DESCRIPTOR *imports_of(uint8_t *base)
{
	IMAGE_DOS_HEADER *dos = (IMAGE_DOS_HEADER *)base;
	IMAGE_NT_HEADERS64 *nt = (IMAGE_NT_HEADERS64 *)(base + dos->e_lfanew);
	ULONG at = nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
	return at ? (IMAGE_IMPORT_DESCRIPTOR *)(base + at) : NULL;
}

static bool imports_us(uint8_t *base)
{
	IMAGE_IMPORT_DESCRIPTOR *from = imports_of(base);
	for (; from && from->Name; from++)
		if (!_stricmp((char *)base + from->Name, "storport.sys"))
			return true;
	return false;
}

static void overwrite(void *at, const void *bytes, SIZE_T count)
{
	void *page = at;
	SIZE_T size = count;
	ULONG before;
	NtProtectVirtualMemory(NtCurrentProcess(), &page, &size, PAGE_EXECUTE_READWRITE, &before);
	memcpy(at, bytes, count);
	NtProtectVirtualMemory(NtCurrentProcess(), &page, &size, before, &before);
}

/* As if the source had a null dereference there: a store to address 0, as the function's first instruction.
 */
static void break_at(uint8_t *at)
{
	static const UCHAR store[] = {0xc7, 0x04, 0x25, 0, 0, 0, 0, 1, 0, 0, 0}; /* mov dword [0], 1 */
	overwrite(at, store, sizeof(store));
}

static void replace_one(uint8_t *base, ULONGLONG name_at, void **slot)
{
	if (name_at & IMAGE_ORDINAL_FLAG64) {
		standin_fail("the driver imports by number");
		return;
	}
	const char *name = (const char *)base + name_at + 2; /* behind the hint */
	const void *function = replacement(name);
	if (!function && !is_wines(name))
		standin_fail("the driver imports %s, which nobody judges here", name);
	if (function)
		overwrite(slot, &function, sizeof(function));
}

static void replace_in(uint8_t *base)
{
	for (IMAGE_IMPORT_DESCRIPTOR *from = imports_of(base); from->Name; from++) {
		if (!_stricmp((char *)base + from->Name, "storport.sys"))
			continue;
		ULONGLONG *names = (ULONGLONG *)(base + from->OriginalFirstThunk);
		void **slots = (void **)(base + from->FirstThunk);
		for (; *names; names++, slots++)
			replace_one(base, *names, slots);
	}
}

void standin_imports_replace(void)
{
	LIST_ENTRY *head = modules();
	for (LIST_ENTRY *at = head->Flink; at != head; at = at->Flink) {
		struct module *module = CONTAINING_RECORD(at, struct module, link);
		if (!imports_us(module->base))
			continue;
		standin_log("module %.*ls at %p", module->base_name.Length / 2, module->base_name.Buffer,
			module->base);
		replace_in(module->base);
		if (standin_switch(SWITCH_BREAK_AT))
			break_at(module->base + standin_switch(SWITCH_BREAK_AT));
	}
}

bool standin_module(void *address, uint8_t **base, const char **name)
{
	static char text[64];
	LIST_ENTRY *head = modules();
	for (LIST_ENTRY *at = head->Flink; at != head; at = at->Flink) {
		struct module *module = CONTAINING_RECORD(at, struct module, link);
		if ((uint8_t *)address < module->base ||
			(uint8_t *)address >= module->base + module->size_bytes)
			continue;
		ULONG length = module->base_name.Length / 2;
		length = length < sizeof(text) ? length : sizeof(text) - 1;
		for (ULONG i = 0; i < length; i++)
			text[i] = (char)module->base_name.Buffer[i];
		text[length] = 0;
		*base = module->base;
		*name = text;
		return true;
	}
	return false;
}
