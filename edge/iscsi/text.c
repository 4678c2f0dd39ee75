/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c: key=value text of login and text PDUs (RFC 7143 6.1). */
#include <nettle/base64.h>

#include "edge/iscsi/text.h"

static bool key_character(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '+' || c == '@' || c == '_' || c == '#';
}

enum iscsi_text_result lf_iscsi_text_next(
	const char *text, uint32_t length, uint32_t *at, struct iscsi_pair *pair)
{
	uint32_t here = *at, key;

	/* More than one NUL between pairs does no harm: padding looks like that. */
	while (here < length && text[here] == '\0')
		here++;
	if (here == length)
		return ISCSI_TEXT_END;
	key = here;
	while (here < length && key_character(text[here]))
		here++;
	if (here == key || here - key > ISCSI_KEY_NAME_MAX || here == length || text[here] != '=')
		return ISCSI_TEXT_BAD;
	memcpy(pair->key, text + key, here - key);
	pair->key[here - key] = '\0';
	pair->value = text + here + 1;
	while (here < length && text[here] != '\0')
		here++;
	if (here == length)
		return ISCSI_TEXT_BAD;
	*at = here + 1;
	return ISCSI_TEXT_PAIR;
}

void lf_iscsi_text_init(struct iscsi_text *text, uint32_t limit)
{
	*text = (struct iscsi_text){.limit = limit};
}

void lf_iscsi_text_fini(struct iscsi_text *text)
{
	lf_free(text->bytes);
	*text = (struct iscsi_text){.limit = text->limit};
}

void lf_iscsi_text_clear(struct iscsi_text *text)
{
	text->length = 0;
	text->sent = 0;
	text->overflowed = false;
}

bool lf_iscsi_text_append(struct iscsi_text *text, const void *bytes, uint32_t length)
{
	if (length > text->limit - text->length) {
		text->overflowed = true;
		return false;
	}
	if (length > text->room - text->length) {
		uint32_t room = lf_min(lf_max(2 * text->room, text->length + length + 1024), text->limit);
		char *more = lf_alloc(room);

		if (more == NULL) {
			text->overflowed = true;
			return false;
		}
		if (text->length > 0)
			memcpy(more, text->bytes, text->length);
		lf_free(text->bytes);
		text->bytes = more;
		text->room = room;
	}
	if (length > 0)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return true;
}

/* A pair goes in whole or marks the text as overflowed, which whoever sends it looks at. */
void lf_iscsi_text_put(struct iscsi_text *text, const char *key, const char *value)
{
	/* The terminating NUL of value goes with it. */
	if (lf_iscsi_text_append(text, key, (uint32_t)strlen(key)) && lf_iscsi_text_append(text, "=", 1))
		(void)lf_iscsi_text_append(text, value, (uint32_t)strlen(value) + 1);
}

void lf_iscsi_text_put_number(struct iscsi_text *text, const char *key, uint32_t value)
{
	char digits[11];
	uint32_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	lf_iscsi_text_put(text, key, digits + at);
}

void lf_iscsi_text_put_binary(struct iscsi_text *text, const char *key, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	if (!lf_iscsi_text_append(text, key, (uint32_t)strlen(key)) || !lf_iscsi_text_append(text, "=0x", 3))
		return;
	for (size_t i = 0; i < length; i++) {
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

		if (!lf_iscsi_text_append(text, pair, sizeof(pair)))
			return;
	}
	(void)lf_iscsi_text_append(text, "", 1);
}

bool lf_iscsi_text_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool lf_iscsi_text_number(const char *value, uint32_t *number)
{
	uint64_t sum = 0;
	int base = 10;

	if (value[0] == '0' && (value[1] == 'x' || value[1] == 'X')) {
		base = 16;
		value += 2;
	}
	if (*value == '\0')
		return false;
	for (; *value != '\0'; value++) {
		int digit = digit_value(*value);

		if (digit >= base)
			return false;
		sum = sum * (uint64_t)base + (uint64_t)digit;
		if (sum > UINT32_MAX)
			return false;
	}
	*number = (uint32_t)sum;
	return true;
}

static bool hex_bytes(const char *digits, uint8_t *bytes, size_t room, size_t *length)
{
	size_t count = strlen(digits);

	if (count % 2 != 0 || count / 2 > room)
		return false;
	for (size_t i = 0; i < count; i += 2) {
		int high = digit_value(digits[i]), low = digit_value(digits[i + 1]);

		if (high > 15 || low > 15)
			return false;
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	*length = count / 2;
	return true;
}

static bool base64_bytes(const char *digits, uint8_t *bytes, size_t room, size_t *length)
{
	size_t count = strlen(digits);
	struct base64_decode_ctx context;

	/* Three bytes in four digits: the last of them may be padding, so that what does not fit looks
	 * longer. */
	if (count % 4 != 0 || count / 4 * 3 > room + 2)
		return false;
	base64_decode_init(&context);
	for (*length = 0; *digits != '\0'; digits++) {
		uint8_t byte;
		int made = base64_decode_single(&context, &byte, *digits);

		if (made < 0 || (made > 0 && *length == room))
			return false;
		if (made > 0)
			bytes[(*length)++] = byte;
	}
	return base64_decode_final(&context) != 0;
}

bool lf_iscsi_text_binary(const char *value, uint8_t *bytes, size_t room, size_t *length)
{
	*length = 0;
	if (value[0] != '0' || value[1] == '\0' || value[2] == '\0')
		return false;
	if (value[1] == 'x' || value[1] == 'X')
		return hex_bytes(value + 2, bytes, room, length);
	return (value[1] == 'b' || value[1] == 'B') && base64_bytes(value + 2, bytes, room, length) &&
	       *length > 0;
}

/* Whether the list's first item is the word. */
static bool item_is(const char *list, const char *word)
{
	while (*word != '\0' && *list == *word) {
		list++;
		word++;
	}
	return *word == '\0' && (*list == ',' || *list == '\0');
}

int lf_iscsi_text_list_first(const char *list, const char *const *words, size_t count)
{
	while (*list != '\0') {
		for (size_t i = 0; i < count; i++) {
			if (item_is(list, words[i]))
				return (int)i;
		}
		while (*list != '\0' && *list != ',')
			list++;
		if (*list == ',')
			list++;
	}
	return -1;
}

bool lf_iscsi_text_list_has(const char *list, const char *word)
{
	return lf_iscsi_text_list_first(list, &word, 1) >= 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool lf_iscsi_name_valid(const char *name)
{
	static const char prefixes[][5] = {"iqn.", "eui.", "naa."};
	size_t length = strlen(name);
	bool known = false;

	for (size_t i = 0; i < lf_count_of(prefixes); i++) {
		known = known ||
			(length > 4 && lower(name[0]) == prefixes[i][0] && lower(name[1]) == prefixes[i][1] &&
				lower(name[2]) == prefixes[i][2] && name[3] == '.');
	}
	if (!known || length > ISCSI_NAME_MAX)
		return false;
	for (; *name != '\0'; name++) {
		char c = lower(*name);

		/* Bytes above ASCII are UTF-8 that stringprep let pass; it is the initiator that prepared it.
		 */
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' ||
			((uint8_t)c & 0x80) != 0)
			continue;
		/* Not permitted by 4.2.7.2, and yet seen: open-iscsi's users write underscores. */
		if (c != '_')
			return false;
	}
	return true;
}

bool lf_iscsi_name_equal(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}
