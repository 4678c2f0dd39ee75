/* SPDX-License-Identifier: BSD-2-Clause */
/* json.c: a tree of JSON values and its text (RFC 8259), by json-c's interface and to the same bytes. */
#include <assert.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_OBJECT, KIND_ARRAY, KIND_STRING, KIND_FLAG, KIND_NUMBER, KIND_LARGE };

struct member {
	char *key; /* NULL in an array */
	struct json_object *value;
};

/* Memory that grows by doubling. */
struct text {
	char *bytes;
	size_t length, room;
};

struct json_object {
	enum kind kind;
	union {
		char *string;
		bool flag;
		int32_t number;
		uint64_t large;
	};
	struct member *members; /* of an object or array */
	size_t count, room;
	struct text text; /* of the last writing */
};

/* A command that cannot have the few bytes of its answer has no way to say more. */
static void *resize(void *memory, size_t length)
{
	memory = realloc(memory, length);
	if (memory == NULL) {
		fputs("lungfish: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static char *copy(const char *text)
{
	size_t length = strlen(text) + 1;

	return memcpy(resize(NULL, length), text, length);
}

static struct json_object *make(enum kind kind)
{
	struct json_object *object = resize(NULL, sizeof(*object));

	memset(object, 0, sizeof(*object));
	object->kind = kind;
	return object;
}

struct json_object *json_object_new_object(void)
{
	return make(KIND_OBJECT);
}

struct json_object *json_object_new_array(void)
{
	return make(KIND_ARRAY);
}

struct json_object *json_object_new_string(const char *text)
{
	struct json_object *object = make(KIND_STRING);

	object->string = copy(text);
	return object;
}

struct json_object *json_object_new_boolean(int flag)
{
	struct json_object *object = make(KIND_FLAG);

	object->flag = flag != 0;
	return object;
}

struct json_object *json_object_new_int(int32_t number)
{
	struct json_object *object = make(KIND_NUMBER);

	object->number = number;
	return object;
}

struct json_object *json_object_new_uint64(uint64_t number)
{
	struct json_object *object = make(KIND_LARGE);

	object->large = number;
	return object;
}

static void add(struct json_object *to, char *key, struct json_object *value)
{
	if (to->count == to->room) {
		to->room = to->room ? to->room * 2 : 8;
		to->members = resize(to->members, to->room * sizeof(*to->members));
	}
	to->members[to->count++] = (struct member){.key = key, .value = value};
}

int json_object_object_add(struct json_object *object, const char *key, struct json_object *value)
{
	assert(object->kind == KIND_OBJECT && json_object_object_get(object, key) == NULL);
	add(object, copy(key), value);
	return 0;
}

int json_object_array_add(struct json_object *array, struct json_object *value)
{
	assert(array->kind == KIND_ARRAY);
	add(array, NULL, value);
	return 0;
}

struct json_object *json_object_object_get(const struct json_object *object, const char *key)
{
	for (size_t i = 0; object != NULL && i < object->count; i++)
		if (strcmp(object->members[i].key, key) == 0)
			return object->members[i].value;
	return NULL;
}

struct json_object *json_object_array_get_idx(const struct json_object *array, size_t index)
{
	return array != NULL && index < array->count ? array->members[index].value : NULL;
}

size_t json_object_array_length(const struct json_object *array)
{
	return array->count;
}

enum json_type json_object_get_type(const struct json_object *object)
{
	static const enum json_type types[] = {
		[KIND_OBJECT] = json_type_object,
		[KIND_ARRAY] = json_type_array,
		[KIND_STRING] = json_type_string,
		[KIND_FLAG] = json_type_boolean,
		[KIND_NUMBER] = json_type_int,
		[KIND_LARGE] = json_type_int,
	};

	return object == NULL ? json_type_null : types[object->kind];
}

int json_object_get_boolean(const struct json_object *object)
{
	assert(object->kind == KIND_FLAG);
	return object->flag;
}

uint64_t json_object_get_uint64(const struct json_object *object)
{
	assert(object->kind == KIND_LARGE || (object->kind == KIND_NUMBER && object->number >= 0));
	return object->kind == KIND_LARGE ? object->large : (uint64_t)object->number;
}

const char *json_object_get_string(struct json_object *object)
{
	assert(object->kind == KIND_STRING);
	return object->string;
}

struct json_object_iterator json_object_iter_begin(struct json_object *object)
{
	assert(object->kind == KIND_OBJECT);
	return (struct json_object_iterator){.object = object};
}

struct json_object_iterator json_object_iter_end(const struct json_object *object)
{
	return (struct json_object_iterator){.object = object, .index = object->count};
}

int json_object_iter_equal(const struct json_object_iterator *one, const struct json_object_iterator *other)
{
	return one->object == other->object && one->index == other->index;
}

void json_object_iter_next(struct json_object_iterator *iterator)
{
	iterator->index++;
}

const char *json_object_iter_peek_name(const struct json_object_iterator *iterator)
{
	return iterator->object->members[iterator->index].key;
}

struct json_object *json_object_iter_peek_value(const struct json_object_iterator *iterator)
{
	return iterator->object->members[iterator->index].value;
}

/* ---- Text ---- */

static void put(struct text *text, const char *bytes, size_t length)
{
	while (text->room - text->length <= length) {
		text->room = text->room ? text->room * 2 : 1024;
		text->bytes = resize(text->bytes, text->room);
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = 0;
}

static void put_text(struct text *text, const char *bytes)
{
	put(text, bytes, strlen(bytes));
}

/* RFC 8259 7. Bytes of UTF-8 stay as they are. */
static void put_string(struct text *text, const char *string)
{
	static const char short_names[] = "\b\n\r\t\f\"\\", letters[] = "bnrtf\"\\";

	put_text(text, "\"");
	for (const char *at = string; *at; at++) {
		const char *short_name = strchr(short_names, *at);
		char escape[8];
		if (short_name != NULL)
			snprintf(escape, sizeof(escape), "\\%c", letters[short_name - short_names]);
		else if ((unsigned char)*at < ' ')
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)(unsigned char)*at);
		else
			snprintf(escape, sizeof(escape), "%c", *at);
		put_text(text, escape);
	}
	put_text(text, "\"");
}

static void put_line(struct text *text, unsigned depth)
{
	put_text(text, "\n");
	while (depth--)
		put_text(text, "  ");
}

/* A tree is as deep as the code that makes it says. */
static void put_value(struct text *text, const struct json_object *object, unsigned depth)
{
	char number[24];

	if (object == NULL) {
		put_text(text, "null");
	} else if (object->kind == KIND_STRING) {
		put_string(text, object->string);
	} else if (object->kind == KIND_FLAG) {
		put_text(text, object->flag ? "true" : "false");
	} else if (object->kind == KIND_NUMBER) {
		snprintf(number, sizeof(number), "%" PRId32, object->number);
		put_text(text, number);
	} else if (object->kind == KIND_LARGE) {
		snprintf(number, sizeof(number), "%" PRIu64, object->large);
		put_text(text, number);
	} else {
		put_text(text, object->kind == KIND_OBJECT ? "{" : "[");
		for (size_t i = 0; i < object->count; i++) {
			put_text(text, i ? "," : "");
			put_line(text, depth + 1);
			if (object->kind == KIND_OBJECT) {
				put_string(text, object->members[i].key);
				put_text(text, ": ");
			}
			put_value(text, object->members[i].value, depth + 1);
		}
		put_line(text, depth);
		put_text(text, object->kind == KIND_OBJECT ? "}" : "]");
	}
}

const char *json_object_to_json_string_ext(struct json_object *object, int flags)
{
	assert(flags == (JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	object->text.length = 0;
	put_value(&object->text, object, 0);
	return object->text.bytes;
}

int json_object_put(struct json_object *object)
{
	if (object == NULL)
		return 0;
	for (size_t i = 0; i < object->count; i++) {
		free(object->members[i].key);
		json_object_put(object->members[i].value);
	}
	if (object->kind == KIND_STRING)
		free(object->string);
	free(object->members);
	free(object->text.bytes);
	free(object);
	return 1;
}
