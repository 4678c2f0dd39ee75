/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h: as much of json-c's interface as the command uses, for Windows, where Debian has no json-c to link.
 * On Linux the command has the library itself; a test holds what both write against each other.
 */
#ifndef LF_JSON_NT_H
#define LF_JSON_NT_H

#include <stddef.h>
#include <stdint.h>

/* The one way to write that there is here: all three together. */
#define JSON_C_TO_STRING_SPACED        (1 << 0)
#define JSON_C_TO_STRING_PRETTY        (1 << 1)
#define JSON_C_TO_STRING_NOSLASHESCAPE (1 << 4)

/* NULL is null. What is added to another belongs to that; json_object_put frees a tree. */
struct json_object;

enum json_type {
	json_type_null,
	json_type_boolean,
	json_type_double,
	json_type_int,
	json_type_object,
	json_type_array,
	json_type_string
};

/* A member of an object, in the order in which they were added. */
struct json_object_iterator {
	const struct json_object *object;
	size_t index;
};

struct json_object *json_object_new_object(void);
struct json_object *json_object_new_array(void);
struct json_object *json_object_new_string(const char *text);
struct json_object *json_object_new_boolean(int flag);
struct json_object *json_object_new_int(int32_t number);
struct json_object *json_object_new_uint64(uint64_t number);
/* key: of none that the object has already. */
int json_object_object_add(struct json_object *object, const char *key, struct json_object *value);
int json_object_array_add(struct json_object *array, struct json_object *value);
struct json_object *json_object_object_get(const struct json_object *object, const char *key);
struct json_object *json_object_array_get_idx(const struct json_object *array, size_t index);
size_t json_object_array_length(const struct json_object *array);
enum json_type json_object_get_type(const struct json_object *object);
/* Of an object of that type, that is not negative; the text is the object's. */
int json_object_get_boolean(const struct json_object *object);
uint64_t json_object_get_uint64(const struct json_object *object);
const char *json_object_get_string(struct json_object *object);
/* While nothing is added. */
struct json_object_iterator json_object_iter_begin(struct json_object *object);
struct json_object_iterator json_object_iter_end(const struct json_object *object);
int json_object_iter_equal(const struct json_object_iterator *one, const struct json_object_iterator *other);
void json_object_iter_next(struct json_object_iterator *iterator);
const char *json_object_iter_peek_name(const struct json_object_iterator *iterator);
struct json_object *json_object_iter_peek_value(const struct json_object_iterator *iterator);
/* Until the tree is freed or written again. */
const char *json_object_to_json_string_ext(struct json_object *object, int flags);
int json_object_put(struct json_object *object);

#endif
