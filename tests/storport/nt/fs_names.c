/* SPDX-License-Identifier: BSD-2-Clause */
/* fs_names.c: volumes, files, and what ZwCreateFile makes of a path, a caller and those who have it open. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/storport/nt/fs.h"

#include <wdmguid.h>

static pthread_mutex_t mutex =
	PTHREAD_MUTEX_INITIALIZER; /* of the lists, of opens, of held_..., of the hook */
static struct lf_fake_volume *volumes;
static struct lf_fake_file *files;
static uint64_t next_id = 1;
static NTSTATUS open_status; /* by atomics */
static void (*open_hook)(void *context, const struct lf_fake_asked *asked);
static void *open_hook_context;

/* ---- volumes ---- */

static void set_device(struct lf_fake_volume *volume, DEVICE_OBJECT *device, CCHAR stack_size)
{
	device->Type = 3;
	device->Size = sizeof(DEVICE_OBJECT);
	device->DriverObject = &volume->driver;
	device->StackSize = stack_size;
	device->DeviceType = volume->options.device_type;
	device->AlignmentRequirement = volume->options.alignment;
	device->SectorSize = (USHORT)volume->options.sector_bytes;
	device->DeviceExtension = volume;
}

struct lf_fake_volume *lf_fake_volume_add(const struct lf_fake_volume_options *options)
{
	struct lf_fake_volume *volume = calloc(1, sizeof(*volume));
	volume->options = *options;
	snprintf(volume->name, sizeof(volume->name), "%s", options->name);
	struct lf_fake_volume_options *own = &volume->options;
	own->sector_bytes = own->sector_bytes ? own->sector_bytes : 512;
	own->physical_bytes = own->physical_bytes ? own->physical_bytes : own->sector_bytes;
	own->device_type = own->device_type ? own->device_type
			   : own->remote    ? FILE_DEVICE_NETWORK_FILE_SYSTEM
					    : FILE_DEVICE_DISK;
	lf_fake_volume_device_id(volume, options->device_id, options->device_id_bytes);
	set_device(volume, &volume->device, 2);
	set_device(volume, &volume->fs_device, 7);
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		volume->driver.MajorFunction[i] = lf_fake_irp_dispatch;
	pthread_mutex_lock(&mutex);
	volume->serial = 0x4c460000u + (ULONG)next_id++;
	volume->next = volumes;
	volumes = volume;
	pthread_mutex_unlock(&mutex);
	return volume;
}

void lf_fake_volume_device_id(struct lf_fake_volume *volume, const void *descriptor, uint32_t length_bytes)
{
	__atomic_store_n(&volume->device_id_bytes, length_bytes, __ATOMIC_RELEASE);
	__atomic_store_n(&volume->device_id, descriptor, __ATOMIC_RELEASE);
}

void lf_fake_volume_status(struct lf_fake_volume *volume, NTSTATUS status)
{
	__atomic_store_n(&volume->status, status, __ATOMIC_RELEASE);
}

NTSTATUS lf_fake_volume_remove(struct lf_fake_volume *volume, bool surprise)
{
	lf_fake_passive("lf_fake_volume_remove");
	NTSTATUS answer =
		surprise ? STATUS_SUCCESS : lf_fake_pnp_tell(volume, &GUID_TARGET_DEVICE_QUERY_REMOVE);
	if (!NT_SUCCESS(answer)) {
		lf_fake_pnp_tell(volume, &GUID_TARGET_DEVICE_REMOVE_CANCELLED);
		return answer;
	}
	lf_fake_volume_status(volume, STATUS_VOLUME_DISMOUNTED);
	lf_fake_pnp_tell(volume, &GUID_TARGET_DEVICE_REMOVE_COMPLETE);
	return STATUS_SUCCESS;
}

struct lf_fake_volume *lf_fake_volume_of(FILE_OBJECT *file)
{
	return lf_fake_open_of(file)->volume;
}

bool lf_fake_volume_is_remote(const struct lf_fake_volume *volume)
{
	return volume->options.remote;
}

/* The volume that path begins with, and what follows. Under the mutex. */
static struct lf_fake_volume *volume_of_path(const char *path, const char **rest)
{
	for (struct lf_fake_volume *volume = volumes; volume; volume = volume->next) {
		size_t length = strlen(volume->name);
		if (strncasecmp(volume->name, path, length) || (path[length] && path[length] != '\\'))
			continue;
		*rest = path + length;
		return volume;
	}
	return NULL;
}

struct lf_fake_volume *lf_fake_volume_find(const char *name)
{
	const char *rest;
	pthread_mutex_lock(&mutex);
	struct lf_fake_volume *volume = volume_of_path(name, &rest);
	pthread_mutex_unlock(&mutex);
	return volume;
}

/* ---- files ---- */

/* Under the mutex. path: below the volume, with a backslash before it. */
static struct lf_fake_file *find(struct lf_fake_volume *volume, const char *path)
{
	struct lf_fake_file *file = files;
	while (file && (file->volume != volume || file->is_deleted || strcasecmp(file->path, path)))
		file = file->next;
	return file;
}

/* Something lies below it: it is a directory. Under the mutex. */
static bool is_above(struct lf_fake_volume *volume, const char *path, size_t length)
{
	if (length <= 1)
		return true;
	for (struct lf_fake_file *file = files; file; file = file->next)
		if (file->volume == volume && strncasecmp(file->path, path, length) == 0 &&
			file->path[length] == '\\')
			return true;
	return false;
}

static struct lf_fake_file *make_file(struct lf_fake_volume *volume, const char *path, ULONG attributes)
{
	struct lf_fake_file *file = calloc(1, sizeof(*file));
	lf_fake_data_init(file);
	file->volume = volume;
	snprintf(file->path, sizeof(file->path), "%s", path);
	file->attributes = attributes ? attributes : FILE_ATTRIBUTE_ARCHIVE;
	file->user_rights = file->admin_rights = FILE_ALL_ACCESS;
	file->id = next_id++;
	file->next = files;
	files = file;
	return file;
}

struct lf_fake_file *lf_fake_file_add(const char *path, uint64_t size_bytes, ULONG attributes)
{
	const char *rest = NULL;
	pthread_mutex_lock(&mutex);
	struct lf_fake_volume *volume = volume_of_path(path, &rest);
	if (!volume || *rest != '\\')
		lf_fake_broken("the tests have no volume for %s", path);
	struct lf_fake_file *file = make_file(volume, rest, attributes);
	file->size = size_bytes;
	pthread_mutex_unlock(&mutex);
	return file;
}

struct lf_fake_file *lf_fake_file_add_linux(const char *path, const char *linux_path, ULONG attributes)
{
	struct stat stat;
	struct lf_fake_file *file = lf_fake_file_add(path, 0, attributes);
	file->fd = open(linux_path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0)
		file->fd = open(linux_path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &stat))
		lf_fake_broken("the tests cannot open %s", linux_path);
	file->size = (uint64_t)stat.st_size;
	return file;
}

struct lf_fake_file *lf_fake_file_find(const char *path)
{
	const char *rest = NULL;
	pthread_mutex_lock(&mutex);
	struct lf_fake_volume *volume = volume_of_path(path, &rest);
	struct lf_fake_file *file = volume ? find(volume, rest) : NULL;
	pthread_mutex_unlock(&mutex);
	return file;
}

void lf_fake_file_reparse(struct lf_fake_file *file, ULONG tag)
{
	file->reparse_tag = tag;
	file->attributes |= FILE_ATTRIBUTE_REPARSE_POINT;
}

void lf_fake_file_user_rights(struct lf_fake_file *file, ACCESS_MASK rights)
{
	file->user_rights = rights;
}

void lf_fake_file_admin_rights(struct lf_fake_file *file, ACCESS_MASK rights)
{
	file->admin_rights = rights;
}

void lf_fake_file_hold(struct lf_fake_file *file, ACCESS_MASK access, ULONG share)
{
	pthread_mutex_lock(&mutex);
	file->is_held = true;
	file->held_access = access;
	file->held_share = share;
	pthread_mutex_unlock(&mutex);
}

void lf_fake_file_let_go(struct lf_fake_file *file)
{
	pthread_mutex_lock(&mutex);
	file->is_held = false;
	pthread_mutex_unlock(&mutex);
}

void lf_fake_file_delete(struct lf_fake_file *file)
{
	pthread_mutex_lock(&mutex);
	file->is_deleted = true;
	pthread_mutex_unlock(&mutex);
}

uint32_t lf_fake_file_opens(struct lf_fake_file *file)
{
	uint32_t count = 0;
	pthread_mutex_lock(&mutex);
	for (struct lf_fake_open *open = file->opens; open; open = open->next)
		count++;
	pthread_mutex_unlock(&mutex);
	return count;
}

/* ---- opening ---- */

static ULONG attributes_of(struct lf_fake_file *file)
{
	pthread_mutex_lock(&file->mutex);
	ULONG attributes = file->attributes;
	pthread_mutex_unlock(&file->mutex);
	return attributes;
}

void lf_fake_open_status(NTSTATUS status)
{
	__atomic_store_n(&open_status, status, __ATOMIC_RELAXED);
}

void lf_fake_open_hook(void (*hook)(void *context, const struct lf_fake_asked *asked), void *context)
{
	pthread_mutex_lock(&mutex);
	open_hook = hook;
	open_hook_context = context;
	pthread_mutex_unlock(&mutex);
}

static void call_hook(const struct lf_fake_asked *asked)
{
	pthread_mutex_lock(&mutex);
	void (*hook)(void *context, const struct lf_fake_asked *asked) = open_hook;
	void *context = open_hook_context;
	pthread_mutex_unlock(&mutex);
	if (hook)
		hook(context, asked);
}

struct lf_fake_open *lf_fake_open_of(FILE_OBJECT *file)
{
	if (!lf_fake_object_is(file, LF_FAKE_FILE))
		lf_fake_broken("%p is no file object", (void *)file);
	return file->FsContext2;
}

static bool collides(ACCESS_MASK access, ULONG share)
{
	return ((access & (FILE_READ_DATA | FILE_EXECUTE)) && !(share & FILE_SHARE_READ)) ||
	       ((access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) && !(share & FILE_SHARE_WRITE)) ||
	       ((access & DELETE) && !(share & FILE_SHARE_DELETE));
}

/* Under the mutex. */
static bool is_shared(const struct lf_fake_file *file, ACCESS_MASK access, ULONG share)
{
	if (file->is_held && (collides(access, file->held_share) || collides(file->held_access, share)))
		return false;
	for (const struct lf_fake_open *open = file->opens; open; open = open->next)
		if (collides(access, open->share) || collides(open->access, share))
			return false;
	return true;
}

static ACCESS_MASK specific(ACCESS_MASK access)
{
	ACCESS_MASK mask = access & 0x0fffffff;
	mask |= access & GENERIC_READ ? FILE_GENERIC_READ : 0;
	mask |= access & GENERIC_WRITE ? FILE_GENERIC_WRITE : 0;
	mask |= access & GENERIC_EXECUTE ? FILE_GENERIC_EXECUTE : 0;
	return mask | (access & GENERIC_ALL ? FILE_ALL_ACCESS : 0);
}

/* What the one who opens may do; only looked at when OBJ_FORCE_ACCESS_CHECK says so, as the kernel may all.
 */
static NTSTATUS check_rights(const struct lf_fake_file *file, ULONG attributes, ACCESS_MASK access)
{
	SECURITY_IMPERSONATION_LEVEL level;
	enum lf_fake_who who = lf_fake_acting(&level);
	if (!(attributes & OBJ_FORCE_ACCESS_CHECK)) {
		if (lf_fake_is_impersonating())
			lf_fake_broken("an open for a client without OBJ_FORCE_ACCESS_CHECK: he may all");
		return STATUS_SUCCESS;
	}
	if (level < SecurityImpersonation)
		return STATUS_BAD_IMPERSONATION_LEVEL;
	ACCESS_MASK rights = who == LF_FAKE_USER ? file->user_rights : file->admin_rights;
	return access & ~rights ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

/* What the request is about. */
struct opening {
	ACCESS_MASK access;
	ULONG attributes, share, disposition, options, created;
	char path[LF_FAKE_NAME_BYTES];
	const char *rest;
	struct lf_fake_volume *volume;
	struct lf_fake_file *file;
	bool is_directory;
};

/* The path after \??\, or what is wrong with it. */
static NTSTATUS read_path(const UNICODE_STRING *name, struct opening *opening)
{
	static const char *const before[] = {"\\??\\UNC\\", "\\??\\", "\\DosDevices\\", "\\GLOBAL??\\"};
	char text[LF_FAKE_NAME_BYTES];
	if (!name || name->Length < 2 || name->Buffer[0] != L'\\')
		return STATUS_OBJECT_PATH_SYNTAX_BAD;
	if (name->Length / 2 >= LF_FAKE_NAME_BYTES)
		return STATUS_NAME_TOO_LONG;
	lf_fake_ascii(name, text, sizeof(text));
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		size_t length = strlen(before[i]);
		if (strncasecmp(text, before[i], length))
			continue;
		memcpy(opening->path, text + length, strlen(text + length) + 1);
		bool is_bad = strpbrk(opening->path, "\"<>|?*/") != NULL || strstr(opening->path, "\\\\");
		return is_bad ? STATUS_OBJECT_NAME_INVALID : STATUS_SUCCESS;
	}
	return STATUS_OBJECT_PATH_NOT_FOUND;
}

/* Finds or makes the file. Under the mutex. */
static NTSTATUS look_up(struct opening *opening)
{
	opening->volume = volume_of_path(opening->path, &opening->rest);
	if (!opening->volume)
		return strchr(opening->path, '\\') ? STATUS_OBJECT_PATH_NOT_FOUND
						   : STATUS_OBJECT_NAME_NOT_FOUND;
	NTSTATUS status = __atomic_load_n(&opening->volume->status, __ATOMIC_ACQUIRE);
	size_t length = strlen(opening->rest);
	if (!NT_SUCCESS(status) || length == 0)
		return status;
	opening->file = find(opening->volume, opening->rest);
	opening->is_directory = opening->file ? (attributes_of(opening->file) & FILE_ATTRIBUTE_DIRECTORY) != 0
					      : is_above(opening->volume, opening->rest, length);
	if (opening->is_directory)
		return opening->options & FILE_NON_DIRECTORY_FILE ? STATUS_FILE_IS_A_DIRECTORY
								  : STATUS_SUCCESS;
	if (opening->options & FILE_DIRECTORY_FILE)
		return opening->file ? STATUS_NOT_A_DIRECTORY : STATUS_OBJECT_NAME_NOT_FOUND;
	if (opening->rest[length - 1] == '\\')
		return STATUS_OBJECT_NAME_INVALID;
	if (opening->file)
		return opening->disposition == FILE_CREATE ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS;
	if (!is_above(opening->volume, opening->rest, (size_t)(strrchr(opening->rest, '\\') - opening->rest)))
		return STATUS_OBJECT_PATH_NOT_FOUND;
	if (opening->disposition == FILE_OPEN)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	opening->file = make_file(opening->volume, opening->rest, FILE_ATTRIBUTE_ARCHIVE);
	opening->created = FILE_CREATED;
	return STATUS_SUCCESS;
}

/* Under the mutex. */
static NTSTATUS check_file(const struct opening *opening)
{
	struct lf_fake_file *file = opening->file;
	if (!file)
		return STATUS_SUCCESS;
	if (file->reparse_tag && file->reparse_tag != IO_REPARSE_TAG_CLOUD &&
		!(opening->options & FILE_OPEN_REPARSE_POINT))
		return STATUS_IO_REPARSE_TAG_NOT_HANDLED;
	NTSTATUS status = check_rights(file, opening->attributes, opening->access);
	if (!NT_SUCCESS(status))
		return status;
	if ((attributes_of(file) & FILE_ATTRIBUTE_READONLY) &&
		(opening->access & (FILE_WRITE_DATA | FILE_APPEND_DATA)))
		return STATUS_ACCESS_DENIED;
	return is_shared(file, opening->access, opening->share) ? STATUS_SUCCESS : STATUS_SHARING_VIOLATION;
}

/* The handle was closed: others may open it now. */
static void closed(void *body)
{
	struct lf_fake_open *open = ((FILE_OBJECT *)body)->FsContext2;
	(void)lf_fake_io_call(open->file, LF_FAKE_CLOSE);
	pthread_mutex_lock(&mutex);
	__atomic_store_n(&open->is_closed, true, __ATOMIC_RELEASE);
	struct lf_fake_open **at = open->file ? &open->file->opens : NULL;
	while (at && *at != open)
		at = &(*at)->next;
	if (at)
		*at = open->next;
	pthread_mutex_unlock(&mutex);
}

static void gone(void *body)
{
	struct lf_fake_open *open = ((FILE_OBJECT *)body)->FsContext2;
	if (__atomic_load_n(&open->outstanding, __ATOMIC_ACQUIRE))
		lf_fake_broken("a file object goes while requests of it are out");
	free(((FILE_OBJECT *)body)->FileName.Buffer);
	free(open);
}

/* Under the mutex. */
static FILE_OBJECT *make_object(const struct opening *opening)
{
	FILE_OBJECT *object = lf_fake_object_make(LF_FAKE_FILE, sizeof(FILE_OBJECT), gone);
	struct lf_fake_open *open = calloc(1, sizeof(*open));
	open->file = opening->is_directory ? NULL : opening->file;
	open->volume = opening->volume;
	open->access = opening->access;
	open->share = opening->share;
	open->options = opening->options;
	open->is_directory = opening->is_directory;
	if (open->file) {
		open->next = open->file->opens;
		open->file->opens = open;
	}
	object->Type = LF_FAKE_FILE;
	object->Size = sizeof(FILE_OBJECT);
	object->DeviceObject = &opening->volume->device;
	object->FsContext = opening->file;
	object->FsContext2 = open;
	object->ReadAccess = (opening->access & (FILE_READ_DATA | FILE_EXECUTE)) != 0;
	object->WriteAccess = (opening->access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
	object->SharedRead = (opening->share & FILE_SHARE_READ) != 0;
	object->SharedWrite = (opening->share & FILE_SHARE_WRITE) != 0;
	object->SharedDelete = (opening->share & FILE_SHARE_DELETE) != 0;
	ULONG options = opening->options;
	object->Flags |= options & FILE_NO_INTERMEDIATE_BUFFERING ? FO_NO_INTERMEDIATE_BUFFERING : 0;
	object->Flags |= options & FILE_WRITE_THROUGH ? FO_WRITE_THROUGH : 0;
	object->Flags |=
		options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) ? FO_SYNCHRONOUS_IO : 0;
	size_t length = strlen(opening->rest);
	object->FileName.Buffer = malloc((length + 1) * sizeof(WCHAR));
	for (size_t i = 0; i < length; i++)
		object->FileName.Buffer[i] = (WCHAR)(uint8_t)opening->rest[i];
	object->FileName.Length = (USHORT)(length * sizeof(WCHAR));
	KeInitializeEvent(&object->Event, NotificationEvent, FALSE);
	KeInitializeEvent(&object->Lock, SynchronizationEvent, FALSE);
	return object;
}

/* What Windows would take, and the driver must not ask for. */
static void check_request(const OBJECT_ATTRIBUTES *attributes, ULONG disposition, PVOID ea, ULONG ea_bytes)
{
	lf_fake_passive("ZwCreateFile");
	lf_fake_need_no_boxes("ZwCreateFile");
	if (attributes->Length != sizeof(*attributes) || attributes->RootDirectory)
		lf_fake_broken(
			"ZwCreateFile with attributes of %u bytes, or below a directory", attributes->Length);
	if (!(attributes->Attributes & OBJ_KERNEL_HANDLE))
		lf_fake_broken("ZwCreateFile without OBJ_KERNEL_HANDLE: a program could close it");
	if (ea || ea_bytes)
		lf_fake_broken("ZwCreateFile with extended attributes");
	if (disposition != FILE_OPEN && disposition != FILE_OPEN_IF && disposition != FILE_CREATE)
		lf_fake_broken(
			"ZwCreateFile with disposition %u: what is there would be destroyed", disposition);
}

static NTSTATUS check_options(const struct opening *opening)
{
	const ULONG synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
	if ((opening->options & synchronous) == synchronous ||
		((opening->options & synchronous) && !(opening->access & SYNCHRONIZE)) ||
		((opening->options & FILE_NO_INTERMEDIATE_BUFFERING) &&
			(opening->access & FILE_APPEND_DATA)) ||
		((opening->options & FILE_DIRECTORY_FILE) && (opening->options & FILE_NON_DIRECTORY_FILE)))
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

NTSTATUS ZwCreateFile(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
	IO_STATUS_BLOCK *status_block, LARGE_INTEGER *allocation, ULONG file_attributes, ULONG share,
	ULONG disposition, ULONG options, PVOID ea, ULONG ea_bytes)
{
	UNREFERENCED_PARAMETER(allocation);
	UNREFERENCED_PARAMETER(file_attributes);
	check_request(attributes, disposition, ea, ea_bytes);
	const SECURITY_QUALITY_OF_SERVICE *quality = attributes->SecurityQualityOfService;
	call_hook(&(struct lf_fake_asked){access, attributes->Attributes, options, share, disposition,
		lf_fake_is_impersonating(), quality ? quality->ImpersonationLevel : SecurityImpersonation});
	struct opening opening = {specific(access), attributes->Attributes, share, disposition, options,
		FILE_OPENED, {0}, "", NULL, NULL, false};
	FILE_OBJECT *object = NULL;
	NTSTATUS status = lf_fake_fails(LF_FAKE_OPEN) ? __atomic_load_n(&open_status, __ATOMIC_RELAXED)
						      : read_path(attributes->ObjectName, &opening);
	if (NT_SUCCESS(status))
		status = check_options(&opening);
	struct lf_fake_file *known = NT_SUCCESS(status) ? lf_fake_file_find(opening.path) : NULL;
	if (known)
		status = lf_fake_io_call(known, LF_FAKE_OPEN_FILE);
	if (NT_SUCCESS(status)) {
		pthread_mutex_lock(&mutex);
		status = look_up(&opening);
		if (NT_SUCCESS(status))
			status = check_file(&opening);
		if (NT_SUCCESS(status))
			object = make_object(&opening);
		pthread_mutex_unlock(&mutex);
	}
	status_block->Status = status;
	status_block->Information = NT_SUCCESS(status) ? opening.created : 0;
	if (!NT_SUCCESS(status))
		return status;
	*handle = lf_fake_handle_make(object, opening.access);
	lf_fake_object_dereference(object);
	return STATUS_SUCCESS;
}

DEVICE_OBJECT *IoGetRelatedDeviceObject(FILE_OBJECT *file)
{
	lf_fake_need_irql("IoGetRelatedDeviceObject", DISPATCH_LEVEL);
	return &lf_fake_open_of(file)->volume->fs_device;
}

/* Of disks, which are volumes without a file. */
NTSTATUS IoGetDeviceObjectPointer(
	UNICODE_STRING *name, ACCESS_MASK access, FILE_OBJECT **file, DEVICE_OBJECT **device)
{
	static const char before[] = "\\GLOBAL??\\";
	char ascii[LF_FAKE_NAME_BYTES];
	struct opening opening = {.access = access, .rest = ""};
	lf_fake_passive("IoGetDeviceObjectPointer");
	lf_fake_need_no_boxes("IoGetDeviceObjectPointer");
	lf_fake_ascii(name, ascii, sizeof(ascii));
	if (strncmp(ascii, before, sizeof(before) - 1) == 0)
		opening.volume = lf_fake_volume_find(ascii + sizeof(before) - 1);
	if (!opening.volume)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	pthread_mutex_lock(&mutex);
	*file = make_object(&opening);
	pthread_mutex_unlock(&mutex);
	*device = &opening.volume->device;
	return STATUS_SUCCESS;
}

/* ---- to begin with ---- */

static void begin(void)
{
	lf_fake_open_status(STATUS_SHARING_VIOLATION);
	lf_fake_open_hook(NULL, NULL);
	lf_fake_volume_add(&(struct lf_fake_volume_options){.name = "C:"});
}

__attribute__((constructor)) static void make_file_system(void)
{
	lf_fake_type_closed(LF_FAKE_FILE, closed);
	begin();
}

void lf_fake_fs_reset(void)
{
	lf_fake_io_reset();
	pthread_mutex_lock(&mutex);
	for (struct lf_fake_file *file = files; file; file = file->next)
		if (file->opens)
			lf_fake_broken("lf_fake_reset while %s is open", file->path);
	while (files) {
		struct lf_fake_file *file = files;
		files = file->next;
		lf_fake_data_fini(file);
		free(file);
	}
	while (volumes) {
		struct lf_fake_volume *volume = volumes;
		volumes = volume->next;
		free(volume);
	}
	pthread_mutex_unlock(&mutex);
	begin();
}
