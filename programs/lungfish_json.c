/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_json.c: devices as JSON: names once given stay, what is not there is null, sizes are bytes. */
#include "programs/lungfish.h"
#include "programs/os.h"

#define SCHEMA 1

struct json_object *lf_json_new(void)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "schema", json_object_new_int(SCHEMA));
	return root;
}

void lf_json_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, *text ? json_object_new_string(text) : NULL);
}

void lf_json_number(struct json_object *to, const char *key, uint64_t number)
{
	json_object_object_add(to, key, json_object_new_uint64(number));
}

void lf_json_flag(struct json_object *to, const char *key, bool flag)
{
	json_object_object_add(to, key, json_object_new_boolean(flag));
}

struct json_object *lf_json_device(const struct lf_control_device *device)
{
	struct json_object *object = json_object_new_object();
	char text[40], shown[LF_CONTROL_PATH_CAPACITY];
	bool kept;

	lf_json_text(object, "id", device->id.bytes);
	lf_json_number(object, "number", device->number);
	snprintf(text, sizeof(text), "%u:%u:%u", device->bus, device->target, device->lun);
	lf_json_text(object, "address", text);
	lf_json_number(object, "lun", device->lun);
	lf_json_text(object, "type", lf_format_type(device->type));
	lf_json_number(object, "size", device->block_count * device->block_size);
	lf_json_number(object, "block_size", device->block_size);
	lf_json_number(object, "physical_size", device->physical_block_size);
	lf_json_text(object, "blk", lf_format_block(device));
	lf_json_flag(object, "read_only", device->flags & LF_CONTROL_DEVICE_READ_ONLY);
	lf_json_flag(object, "removable", device->flags & LF_CONTROL_DEVICE_REMOVABLE);
	lf_json_flag(object, "ejected", device->flags & LF_CONTROL_DEVICE_EJECTED);
	lf_json_flag(object, "prevented", device->flags & LF_CONTROL_DEVICE_PREVENTED);
	lf_json_text(object, "state", lf_format_state(device->state));
	lf_json_text(object, "image", lf_image_shown(device->image.bytes, shown));
	lf_json_text(object, "via", device->url.length ? "iscsi" : "");
	lf_json_text(object, "iscsi_url", device->url.bytes);
	json_object_object_add(object, "device", NULL);
	lf_json_number(object, "sessions", device->sessions);
	lf_json_number(object, "in_flight", device->in_flight);
	lf_json_text(object, "serial", device->serial.bytes);
	snprintf(text, sizeof(text), "3%015llx", (unsigned long long)device->identifier);
	lf_json_text(object, "naa", text);
	lf_json_text(object, "vendor", device->vendor.bytes);
	lf_json_text(object, "product", device->product.bytes);
	lf_json_text(object, "revision", device->revision.bytes);
	/* SBC-4 6.6.2: 1 does not rotate. Here 0 says so, and null is unknown. */
	json_object_object_add(object, "rotation_rpm",
		device->rotation == 0 ? NULL
				      : json_object_new_int(device->rotation == 1 ? 0 : device->rotation));
	lf_json_flag(object, "unmap", device->flags & LF_CONTROL_DEVICE_UNMAP);
	lf_json_flag(object, "saves", device->flags & LF_CONTROL_DEVICE_SAVES);
	json_object_object_add(
		object, "kept", lf_os_is_kept(device, &kept) ? json_object_new_boolean(kept) : NULL);
	return object;
}

struct json_object *lf_json_devices(const struct lf_control_device *devices, uint32_t count)
{
	struct json_object *root = lf_json_new(), *array = json_object_new_array();

	for (uint32_t i = 0; i < count; i++)
		json_object_array_add(array, lf_json_device(&devices[i]));
	json_object_object_add(root, "devices", array);
	return root;
}

void lf_json_print(FILE *out, struct json_object *object)
{
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(object,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
