/* SPDX-License-Identifier: BSD-2-Clause */
/* json_text.c: writes a tree that has everything; tests/windows/json.py links it once with each writer. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

static struct json_object *numbers(void)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, json_object_new_int(0));
	json_object_array_add(array, json_object_new_int(INT32_MIN));
	json_object_array_add(array, json_object_new_int(INT32_MAX));
	json_object_array_add(array, json_object_new_uint64(0));
	json_object_array_add(array, json_object_new_uint64(UINT64_MAX));
	return array;
}

/* Every byte that a text can have, one by one and all together. */
static struct json_object *texts(void)
{
	struct json_object *array = json_object_new_array();
	char all[256] = "";

	json_object_array_add(array, json_object_new_string(all));
	for (int i = 1; i < 256; i++) {
		char one[2] = {(char)i, 0};
		all[i - 1] = (char)i;
		json_object_array_add(array, json_object_new_string(one));
	}
	json_object_array_add(array, json_object_new_string(all));
	json_object_array_add(array, json_object_new_string("C:\\Bilder\\\xc3\xa4 b/c.img"));
	return array;
}

/* What reading the tree finds, in the order in which it is found. */
static void walk(struct json_object *value)
{
	enum json_type type = json_object_get_type(value);

	printf("type %d\n", (int)type);
	if (type == json_type_object) {
		struct json_object_iterator at = json_object_iter_begin(value);
		struct json_object_iterator end = json_object_iter_end(value);
		for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
			puts(json_object_iter_peek_name(&at));
			walk(json_object_iter_peek_value(&at));
		}
	} else if (type == json_type_array) {
		printf("%zu\n", json_object_array_length(value));
		for (size_t i = 0; i < json_object_array_length(value); i++)
			walk(json_object_array_get_idx(value, i));
	} else if (type == json_type_string) {
		puts(json_object_get_string(value));
	} else if (type == json_type_boolean) {
		printf("%d\n", json_object_get_boolean(value));
	}
}

/* Of those in the tree one is negative: it is not asked for. */
static void read_numbers(struct json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		if (i != 1)
			printf("%" PRIu64 "\n", json_object_get_uint64(json_object_array_get_idx(array, i)));
	}
}

int main(void)
{
	struct json_object *root = json_object_new_object(), *deep = root;

	json_object_object_add(root, "numbers", numbers());
	json_object_object_add(root, "texts", texts());
	json_object_object_add(root, "true", json_object_new_boolean(1));
	json_object_object_add(root, "false", json_object_new_boolean(0));
	json_object_object_add(root, "null", NULL);
	json_object_object_add(root, "no array", json_object_new_array());
	json_object_object_add(root, "no object", json_object_new_object());
	json_object_object_add(root, "a \"key\"\\\n/", json_object_new_int(1));
	for (int i = 0; i < 12; i++) {
		struct json_object *array = json_object_new_array(), *below = json_object_new_object();
		json_object_object_add(deep, "deep", array);
		json_object_array_add(array, NULL);
		json_object_array_add(array, below);
		deep = below;
	}
	struct json_object *first = json_object_array_get_idx(json_object_object_get(root, "numbers"), 1);
	puts(json_object_to_json_string_ext(
		first, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	for (int i = 0; i < 2; i++)
		puts(json_object_to_json_string_ext(root,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	walk(root);
	read_numbers(json_object_object_get(root, "numbers"));
	if (json_object_object_get(root, "absent"))
		puts("found what is not there");
	return json_object_put(root) == 1 ? 0 : 1;
}
