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
/* Until the tree is freed or written again. */
const char *json_object_to_json_string_ext(struct json_object *object, int flags);
int json_object_put(struct json_object *object);

#endif
