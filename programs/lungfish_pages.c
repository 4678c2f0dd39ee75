/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lungfish_pages.c: what a unit says of itself, for people and as JSON: VPD pages (SPC-4 7.8, SBC-4 6.6),
 * mode pages (SPC-4 7.5, SBC-4 6.5), READ CAPACITY (16), supported commands. The bytes are not believed: what
 * is shorter than its layout has no more fields than fit.
 */
#include "programs/lungfish.h"

#include <stdlib.h>
#include <string.h>

#define LINE_WIDTH 78
#define TEXT_MAX   1024

/* ---- Fields, and where they go ---- */

/* What a value means. A row ends with a text of NULL. */
struct word {
	uint64_t value;
	const char *text;
};

/* One field: big-endian, in at most eight bytes. width 1 is a flag. */
struct field {
	const char *name; /* as T10 has it; in JSON lower-case with underscores */
	uint8_t at, size, shift, width;
	const char *unit; /* in the plural, or NULL */
	const struct word *words;
};

#define BIT(name, at, bit)                                                                                   \
	{                                                                                                    \
		name, at, 1, bit, 1, NULL, NULL                                                              \
	}
#define BITS(name, at, low, width, words)                                                                    \
	{                                                                                                    \
		name, at, 1, low, width, NULL, words                                                         \
	}
#define NUMBER(name, at, size, unit, words)                                                                  \
	{                                                                                                    \
		name, at, size, 0, 8 * (size), unit, words                                                   \
	}
#define FIELDS(row) row, lf_count_of(row)

/* json: the fields become its keys. NULL: they are lines; flags gather in one. */
struct sink {
	struct json_object *json;
	uint32_t column;
};

static void end_line(struct sink *sink)
{
	if (sink->column > 0)
		putchar('\n');
	sink->column = 0;
}

static void put_short(struct sink *sink, const char *name, uint64_t value)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)value);

	if (sink->column + 1 + (uint32_t)length > LINE_WIDTH)
		end_line(sink);
	sink->column += (uint32_t)printf("%s%s", sink->column ? " " : "  ", text);
}

static void put_line(struct sink *sink, const char *name, const char *value)
{
	end_line(sink);
	printf("  %-42s %s\n", name, value);
}

static void make_key(const char *name, char key[64])
{
	size_t i = 0;

	for (; name[i] && i < 63; i++) {
		char c = name[i];
		key[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c == ' ' || c == '-' ? '_' : c);
	}
	key[i] = '\0';
}

static void put_json(struct json_object *to, const char *name, struct json_object *value)
{
	char key[64];

	make_key(name, key);
	json_object_object_add(to, key, value);
}

static void put_text(struct sink *sink, const char *name, const char *text)
{
	if (sink->json)
		put_json(sink->json, name, json_object_new_string(text));
	else
		put_line(sink, name, text);
}

/* Of any size up to eight bytes. */
static uint64_t load(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

static const char *find_word(const struct word *words, uint64_t value)
{
	for (; words && words->text; words++) {
		if (words->value == value)
			return words->text;
	}
	return NULL;
}

static void put_number_line(struct sink *sink, const struct field *field, uint64_t value)
{
	const char *word = find_word(field->words, value), *unit = field->unit ? field->unit : "";
	size_t unit_length = strlen(unit);
	char text[128];

	if (value == 1 && unit_length > 0)
		unit_length--;
	snprintf(text, sizeof(text), "%llu%s%.*s%s%s%s", (unsigned long long)value, *unit ? " " : "",
		(int)unit_length, unit, word ? " (" : "", word ? word : "", word ? ")" : "");
	put_line(sink, field->name, text);
}

/* WCE=1: an abbreviation and a bare number. */
static bool is_short(const struct field *field)
{
	return !field->words && strpbrk(field->name, "abcdefghijklmnopqrstuvwxyz") == NULL;
}

static void put_fields(
	struct sink *sink, const struct field *fields, uint32_t count, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct field *field = &fields[i];
		uint64_t value;
		if ((uint32_t)field->at + field->size > length)
			continue;
		value = load(bytes + field->at, field->size) >> field->shift;
		if (field->width < 64)
			value &= (UINT64_C(1) << field->width) - 1;
		if (sink->json)
			put_json(sink->json, field->name,
				field->width == 1 ? json_object_new_boolean(value != 0)
						  : json_object_new_uint64(value));
		else if (is_short(field))
			put_short(sink, field->name, value);
		else
			put_number_line(sink, field, value);
	}
	if (!sink->json)
		end_line(sink);
}

/* ---- Texts and bytes ---- */

/* Printable ASCII stays, without what fills it up; all else goes as \xNN, and so does '\' in lines. */
static const char *clean(const struct sink *sink, const uint8_t *bytes, uint32_t length, char text[TEXT_MAX])
{
	size_t at = 0;

	while (length > 0 && (bytes[length - 1] == ' ' || bytes[length - 1] == '\0'))
		length--;
	for (uint32_t i = 0; i < length && at + 5 < TEXT_MAX; i++) {
		if (bytes[i] < 0x20 || bytes[i] > 0x7e || (bytes[i] == '\\' && !sink->json))
			at += (size_t)snprintf(text + at, TEXT_MAX - at, "\\x%02x", bytes[i]);
		else
			text[at++] = (char)bytes[i];
	}
	text[at] = '\0';
	return text;
}

static const char *hex(const uint8_t *bytes, uint32_t length, char text[TEXT_MAX])
{
	text[0] = '\0';
	for (uint32_t i = 0; i < length && 2 * i + 2 < TEXT_MAX; i++)
		snprintf(text + 2 * i, TEXT_MAX - 2 * i, "%02x", bytes[i]);
	return text;
}

static struct json_object *json_hex(const uint8_t *bytes, uint32_t length)
{
	struct json_object *string;
	char *text = malloc(2 * (size_t)length + 1);

	if (!text)
		return NULL;
	text[0] = '\0';
	for (uint32_t i = 0; i < length; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", bytes[i]);
	string = json_object_new_string(text);
	free(text);
	return string;
}

static void print_dump(const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		printf("%s%02x%s", i % 16 ? " " : "  ", bytes[i],
			i % 16 == 15 || i + 1 == length ? "\n" : "");
}

/* ---- VPD pages ---- */

static const struct word not_reported[] = {{0, "not reported"}, {0, NULL}};
static const struct word no_limit[] = {{0, "not reported"}, {UINT32_MAX, "no limit"}, {0, NULL}};
static const struct word rotation_words[] = {{0, "not reported"}, {1, "does not rotate"}, {0, NULL}};
static const struct word form_words[] = {{0, "not reported"}, {1, "5.25 inch"}, {2, "3.5 inch"},
	{3, "2.5 inch"}, {4, "1.8 inch"}, {5, "less than 1.8 inch"}, {0, NULL}};
static const struct word zoned_words[] = {
	{0, "not reported"}, {1, "host-aware"}, {2, "device-managed"}, {0, NULL}};
static const struct word provisioning_words[] = {{0, "not reported, or fully provisioned"},
	{1, "resource provisioned"}, {2, "thin provisioned"}, {0, NULL}};
static const struct word zeros_words[] = {{0, "unmapped blocks read anything"},
	{1, "unmapped blocks read zeros"},
	{2, "unmapped blocks read the provisioning initialization pattern"}, {0, NULL}};

static const struct field extended_inquiry[] = {
	BITS("SPT", 4, 3, 3, NULL),
	BIT("GRD_CHK", 4, 2),
	BIT("APP_CHK", 4, 1),
	BIT("REF_CHK", 4, 0),
	BIT("UASK_SUP", 5, 5),
	BIT("GROUP_SUP", 5, 4),
	BIT("PRIOR_SUP", 5, 3),
	BIT("HEADSUP", 5, 2),
	BIT("ORDSUP", 5, 1),
	BIT("SIMPSUP", 5, 0),
	BIT("WU_SUP", 6, 3),
	BIT("CRD_SUP", 6, 2),
	BIT("NV_SUP", 6, 1),
	BIT("V_SUP", 6, 0),
	BIT("LUICLR", 7, 0),
	NUMBER("maximum supported sense data length", 13, 1, "bytes", not_reported),
};

static const struct field block_limits[] = {
	BIT("WSNZ", 4, 0),
	NUMBER("maximum compare and write length", 5, 1, "blocks", NULL),
	NUMBER("optimal transfer length granularity", 6, 2, "blocks", not_reported),
	NUMBER("maximum transfer length", 8, 4, "blocks", not_reported),
	NUMBER("optimal transfer length", 12, 4, "blocks", not_reported),
	NUMBER("maximum prefetch length", 16, 4, "blocks", NULL),
	NUMBER("maximum unmap LBA count", 20, 4, "blocks", no_limit),
	NUMBER("maximum unmap block descriptor count", 24, 4, "descriptors", no_limit),
	NUMBER("optimal unmap granularity", 28, 4, "blocks", not_reported),
	{"unmap granularity alignment", 32, 4, 0, 31, "blocks", NULL},
	BIT("UGAVALID", 32, 7),
	NUMBER("maximum write same length", 36, 8, "blocks", not_reported),
	NUMBER("maximum atomic transfer length", 44, 4, "blocks", not_reported),
	NUMBER("atomic alignment", 48, 4, "blocks", NULL),
	NUMBER("atomic transfer length granularity", 52, 4, "blocks", NULL),
	NUMBER("maximum atomic transfer with boundary", 56, 4, "blocks", NULL),
	NUMBER("maximum atomic boundary size", 60, 4, "blocks", NULL),
};

static const struct field characteristics[] = {
	NUMBER("medium rotation rate", 4, 2, NULL, rotation_words),
	NUMBER("product type", 6, 1, NULL, NULL),
	BITS("nominal form factor", 7, 0, 4, form_words),
	BITS("zoned", 8, 4, 2, zoned_words),
	BIT("FUAB", 8, 1),
	BIT("VBULS", 8, 0),
};

static const struct field provisioning[] = {
	BIT("LBPU", 5, 7),
	BIT("LBPWS", 5, 6),
	BIT("LBPWS10", 5, 5),
	BIT("ANC_SUP", 5, 1),
	BIT("DP", 5, 0),
	BITS("LBPRZ", 5, 2, 3, zeros_words),
	BITS("provisioning type", 6, 0, 3, provisioning_words),
	NUMBER("threshold exponent", 4, 1, NULL, NULL),
};

static void put_supported(struct sink *sink, const uint8_t *bytes, uint32_t length)
{
	struct json_object *array = sink->json ? json_object_new_array() : NULL;
	char code[4];

	for (uint32_t i = 4; i < length; i++) {
		snprintf(code, sizeof(code), "%02x", bytes[i]);
		if (array)
			json_object_array_add(array, json_object_new_string(code));
		else
			printf("%s%s%s", (i - 4) % 24 ? " " : "  ", code,
				(i - 4) % 24 == 23 || i + 1 == length ? "\n" : "");
	}
	if (array)
		put_json(sink->json, "pages", array);
}

static void put_serial(struct sink *sink, const uint8_t *bytes, uint32_t length)
{
	char text[TEXT_MAX];

	put_text(sink, "serial number", clean(sink, bytes + 4, length - 4, text));
}

/* ---- 83h ---- */

static const char *const associations[] = {"logical unit", "target port", "target device", "reserved"};
static const struct word designator_words[] = {{0, "vendor specific"}, {1, "T10 vendor ID"}, {2, "EUI-64"},
	{3, "NAA"}, {4, "relative target port"}, {5, "target port group"}, {6, "logical unit group"},
	{7, "MD5"}, {8, "SCSI name string"}, {9, "protocol specific port"}, {10, "UUID"}, {0, NULL}};

static void put_designator(struct sink *sink, struct json_object *array, const uint8_t *head)
{
	const char *association = associations[head[1] >> 4 & 3];
	const char *type = find_word(designator_words, head[1] & 0x0f);
	bool binary = (head[0] & 0x0f) < 2;
	struct json_object *object;
	char text[TEXT_MAX], kind[48];

	if (!array) {
		snprintf(kind, sizeof(kind), "%s, %s", association, type ? type : "unknown");
		put_line(sink, kind,
			binary ? hex(head + 4, head[3], text) : clean(sink, head + 4, head[3], text));
		return;
	}
	object = json_object_new_object();
	put_json(object, "association", json_object_new_string(association));
	put_json(object, "type", json_object_new_int(head[1] & 0x0f));
	put_json(object, "type_name", type ? json_object_new_string(type) : NULL);
	put_json(object, "code_set", json_object_new_int(head[0] & 0x0f));
	put_json(object, "protocol", head[1] & 0x80 ? json_object_new_int(head[0] >> 4) : NULL);
	put_json(
		object, "text", binary ? NULL : json_object_new_string(clean(sink, head + 4, head[3], text)));
	put_json(object, "hex", json_hex(head + 4, head[3]));
	json_object_array_add(array, object);
}

static void put_designators(struct sink *sink, const uint8_t *bytes, uint32_t length)
{
	struct json_object *array = sink->json ? json_object_new_array() : NULL;

	for (uint32_t at = 4; at + 4 <= length && bytes[at + 3] <= length - at - 4; at += 4u + bytes[at + 3])
		put_designator(sink, array, bytes + at);
	if (array)
		put_json(sink->json, "designators", array);
}

/* What a page is called, and its fields or a function for them; neither: its bytes are shown. */
struct page {
	uint8_t code;
	const char *name;
	const struct field *fields;
	uint32_t count;
	void (*put)(struct sink *sink, const uint8_t *bytes, uint32_t length);
};

static const struct page vital_pages[] = {
	{0x00, "Supported VPD Pages", NULL, 0, put_supported},
	{0x80, "Unit Serial Number", NULL, 0, put_serial},
	{0x83, "Device Identification", NULL, 0, put_designators},
	{0x85, "Management Network Addresses", NULL, 0, NULL},
	{0x86, "Extended INQUIRY Data", FIELDS(extended_inquiry), NULL},
	{0x87, "Mode Page Policy", NULL, 0, NULL},
	{0x88, "SCSI Ports", NULL, 0, NULL},
	{0x8f, "Third-party Copy", NULL, 0, NULL},
	{0xb0, "Block Limits", FIELDS(block_limits), NULL},
	{0xb1, "Block Device Characteristics", FIELDS(characteristics), NULL},
	{0xb2, "Logical Block Provisioning", FIELDS(provisioning), NULL},
	{0xb3, "Referrals", NULL, 0, NULL},
	{0xb7, "Block Limits Extension", NULL, 0, NULL},
};

/* ---- Mode pages and READ CAPACITY (16) ---- */

static const struct field error_recovery[] = {
	BIT("AWRE", 2, 7),
	BIT("ARRE", 2, 6),
	BIT("TB", 2, 5),
	BIT("RC", 2, 4),
	BIT("EER", 2, 3),
	BIT("PER", 2, 2),
	BIT("DTE", 2, 1),
	BIT("DCR", 2, 0),
	NUMBER("read retry count", 3, 1, NULL, NULL),
	NUMBER("write retry count", 8, 1, NULL, NULL),
};

static const struct field caching[] = {
	BIT("WCE", 2, 2),
	BIT("RCD", 2, 0),
	BIT("DRA", 12, 5),
	BIT("NV_DIS", 13, 0),
};

static const struct word busy_words[] = {{0, "not reported"}, {0xffff, "no limit"}, {0, NULL}};
static const struct word order_words[] = {
	{0, "tasks keep their order"}, {1, "tasks are reordered"}, {0, NULL}};

static const struct field control[] = {
	BIT("D_SENSE", 2, 2),
	BIT("GLTSD", 2, 1),
	BIT("SWP", 4, 3),
	BIT("TAS", 5, 6),
	BIT("ATO", 5, 7),
	BITS("TST", 2, 5, 3, NULL),
	BITS("queue algorithm modifier", 3, 4, 4, order_words),
	BITS("QERR", 3, 1, 2, NULL),
	BITS("UA_INTLCK_CTRL", 4, 4, 2, NULL),
	NUMBER("busy timeout period", 8, 2, NULL, busy_words),
};

static const struct field exceptions[] = {
	BIT("PERF", 2, 7),
	BIT("EBF", 2, 5),
	BIT("EWASC", 2, 4),
	BIT("DEXCPT", 2, 3),
	BIT("TEST", 2, 2),
	BIT("LOGERR", 2, 0),
	BITS("MRIE", 3, 0, 4, NULL),
};

static const struct page mode_pages[] = {
	{0x01, "Read-Write Error Recovery", FIELDS(error_recovery), NULL},
	{0x02, "Disconnect-Reconnect", NULL, 0, NULL},
	{0x08, "Caching", FIELDS(caching), NULL},
	{0x0a, "Control", FIELDS(control), NULL},
	{0x18, "Protocol Specific Logical Unit", NULL, 0, NULL},
	{0x19, "Protocol Specific Port", NULL, 0, NULL},
	{0x1a, "Power Condition", NULL, 0, NULL},
	{0x1c, "Informational Exceptions Control", FIELDS(exceptions), NULL},
};

/* Of MODE SENSE (10), SBC-4 6.5.1. */
static const struct field mode_header[] = {
	BIT("WP", 3, 7),
	BIT("DPOFUA", 3, 4),
};

static const struct field capacity[] = {
	NUMBER("returned logical block address", 0, 8, NULL, NULL),
	NUMBER("logical block length", 8, 4, "bytes", NULL),
	BITS("logical blocks per physical block exponent", 13, 0, 4, NULL),
	{"lowest aligned logical block address", 14, 2, 0, 14, NULL, NULL},
	BITS("P_TYPE", 12, 1, 3, NULL),
	BIT("PROT_EN", 12, 0),
	BIT("LBPME", 14, 7),
	BIT("LBPRZ", 14, 6),
};

static const struct page *find_page(const struct page *pages, uint32_t count, uint8_t code)
{
	for (uint32_t i = 0; i < count; i++) {
		if (pages[i].code == code)
			return &pages[i];
	}
	return NULL;
}

static void put_page(struct sink *sink, const struct page *page, const uint8_t *bytes, uint32_t length)
{
	if (page && page->put)
		page->put(sink, bytes, length);
	else if (page && page->count > 0)
		put_fields(sink, page->fields, page->count, bytes, length);
	else if (!sink->json)
		print_dump(bytes, length);
}

static struct json_object *json_page(const struct page *page, const uint8_t *bytes, uint32_t length)
{
	struct sink sink = {.json = json_object_new_object()};

	put_json(sink.json, "name", page ? json_object_new_string(page->name) : NULL);
	put_page(&sink, page, bytes, length);
	put_json(sink.json, "hex", json_hex(bytes, length));
	return sink.json;
}

static void print_page(
	const char *kind, const char *code, const struct page *page, const uint8_t *bytes, uint32_t length)
{
	struct sink sink = {0};
	char heading[32];

	snprintf(heading, sizeof(heading), "%s %s", kind, code);
	printf("%-10s %s\n", heading, page ? page->name : "-");
	put_page(&sink, page, bytes, length);
}

/* A mode page among the others: SPC-4 7.5.1. */
struct mode_page {
	char code[8]; /* "08", "0a/01" */
	const struct page *page;
	const uint8_t *bytes;
	uint32_t length;
};

/* The one behind those of length *at; false when there is none that is whole. */
static bool next_mode_page(const struct lf_answer *mode, uint32_t *at, struct mode_page *page)
{
	const uint8_t *bytes = mode->bytes + *at;
	uint32_t left = mode->length - *at;
	bool is_sub;

	if (left < 4)
		return false;
	is_sub = bytes[0] & 0x40;
	page->length = is_sub ? 4u + lf_get_be16(bytes + 2) : 2u + bytes[1];
	if (page->length > left)
		return false;
	snprintf(page->code, sizeof(page->code), is_sub ? "%02x/%02x" : "%02x", bytes[0] & 0x3f, bytes[1]);
	page->page = is_sub ? NULL : find_page(mode_pages, lf_count_of(mode_pages), bytes[0] & 0x3f);
	page->bytes = bytes;
	*at += page->length;
	return true;
}

/* Where the pages begin: behind the header and the block descriptors. */
static uint32_t first_mode_page(const struct lf_answer *mode)
{
	if (!mode->readable || mode->length < 8)
		return mode->length;
	return lf_min(mode->length, 8u + lf_get_be16(mode->bytes + 6));
}

/* ---- Supported commands ---- */

/* One descriptor, SPC-4 6.35.2. array: it is added there; NULL: a line. */
static void put_command(struct json_object *array, uint32_t type, const uint8_t *bytes)
{
	bool has_action = bytes[5] & 0x01;
	uint32_t action = has_action ? lf_get_be16(bytes + 2) : LF_NO_ACTION;
	const char *name = lf_command_name(bytes[0], action, type);
	struct json_object *object;
	char code[12], action_code[8];

	snprintf(code, sizeof(code), "%02x", bytes[0]);
	snprintf(action_code, sizeof(action_code), "%02x", action & 0xffff);
	if (!array) {
		printf("  %s%s%-*s %s\n", code, has_action ? "/" : "", has_action ? 5 : 6,
			has_action ? action_code : "", name ? name : "-");
		return;
	}
	object = json_object_new_object();
	put_json(object, "opcode", json_object_new_string(code));
	put_json(object, "service_action", has_action ? json_object_new_string(action_code) : NULL);
	put_json(object, "name", name ? json_object_new_string(name) : NULL);
	put_json(object, "cdb_length", json_object_new_int(lf_get_be16(bytes + 6)));
	json_object_array_add(array, object);
}

/* A timeouts descriptor stands behind those that say so (CTDP). */
static void put_commands(struct json_object *array, uint32_t type, const struct lf_answer *commands)
{
	uint32_t end = 4;

	if (commands->length >= 4)
		end = (uint32_t)lf_min(commands->length, 4 + (uint64_t)lf_get_be32(commands->bytes));
	for (uint32_t at = 4; at + 8 <= end;) {
		put_command(array, type, commands->bytes + at);
		at += commands->bytes[at + 5] & 0x02 ? 20 : 8;
	}
}

/* ---- All of it ---- */

static void print_unreadable(const char *kind, const char *code, const struct lf_answer *answer)
{
	char heading[32];

	snprintf(heading, sizeof(heading), "%s%s%s", kind, *code ? " " : "", code);
	printf("%-10s cannot be read: status %02xh, sense %x/%02x/%02x\n", heading, answer->scsi_status,
		answer->key, answer->asc, answer->ascq);
}

static void print_vital(const struct lf_pages *pages)
{
	char code[4];

	for (uint32_t i = 0; i < lf_count_of(pages->vital); i++) {
		const struct lf_answer *answer = &pages->vital[i];
		snprintf(code, sizeof(code), "%02x", i & 0xff);
		if (answer->readable)
			print_page("VPD", code, find_page(vital_pages, lf_count_of(vital_pages), (uint8_t)i),
				answer->bytes, answer->length);
		else if (answer->came)
			print_unreadable("VPD", code, answer);
	}
}

static void print_mode(const struct lf_answer *mode)
{
	uint32_t at = first_mode_page(mode);
	struct mode_page page;
	struct sink sink = {0};

	if (!mode->readable) {
		print_unreadable("MODE", "", mode);
		return;
	}
	printf("%-10s Mode Parameter Header\n", "MODE");
	put_fields(&sink, FIELDS(mode_header), mode->bytes, mode->length);
	while (next_mode_page(mode, &at, &page))
		print_page("MODE", page.code, page.page, page.bytes, page.length);
}

void lf_pages_show(const struct lf_pages *pages)
{
	struct sink sink = {0};

	print_vital(pages);
	print_mode(&pages->mode);
	if (pages->capacity.readable) {
		printf("%-10s READ CAPACITY (16)\n", "CAPACITY");
		put_fields(&sink, FIELDS(capacity), pages->capacity.bytes, pages->capacity.length);
	} else {
		print_unreadable("CAPACITY", "", &pages->capacity);
	}
	if (pages->commands.readable) {
		printf("%-10s Supported Operation Codes\n", "COMMANDS");
		put_commands(NULL, pages->type, &pages->commands);
	} else {
		print_unreadable("COMMANDS", "", &pages->commands);
	}
}

static struct json_object *json_vital(const struct lf_pages *pages)
{
	struct json_object *object = json_object_new_object();
	char code[4];

	for (uint32_t i = 0; i < lf_count_of(pages->vital); i++) {
		const struct lf_answer *answer = &pages->vital[i];
		const struct page *page = find_page(vital_pages, lf_count_of(vital_pages), (uint8_t)i);
		snprintf(code, sizeof(code), "%02x", i & 0xff);
		if (answer->came)
			put_json(object, code,
				answer->readable ? json_page(page, answer->bytes, answer->length) : NULL);
	}
	return object;
}

static struct json_object *json_mode(const struct lf_answer *mode)
{
	struct json_object *object = json_object_new_object();
	uint32_t at = first_mode_page(mode);
	struct mode_page page;

	while (next_mode_page(mode, &at, &page))
		put_json(object, page.code, json_page(page.page, page.bytes, page.length));
	return object;
}

static struct json_object *json_fields(
	const struct field *fields, uint32_t count, const struct lf_answer *answer)
{
	struct sink sink = {.json = json_object_new_object()};

	put_fields(&sink, fields, count, answer->bytes, answer->length);
	return sink.json;
}

/* Keys that are there stay: what cannot be had is null. */
void lf_pages_json(const struct lf_pages *pages, struct json_object *device)
{
	struct json_object *array = NULL;
	bool has_mode = pages && pages->mode.readable;

	put_json(device, "vpd", pages ? json_vital(pages) : NULL);
	put_json(device, "mode_header", has_mode ? json_fields(FIELDS(mode_header), &pages->mode) : NULL);
	put_json(device, "mode", has_mode ? json_mode(&pages->mode) : NULL);
	put_json(device, "capacity",
		pages && pages->capacity.readable ? json_fields(FIELDS(capacity), &pages->capacity) : NULL);
	if (pages && pages->commands.readable) {
		array = json_object_new_array();
		put_commands(array, pages->type, &pages->commands);
	}
	put_json(device, "commands", array);
}
