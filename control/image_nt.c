/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_nt.c: opens an image as the one who asks. It is the caller's token that the file system sees, so what
 * he may not read or write he cannot connect, and what only he can see (his mapped drives) is found.
 */
#include "control/image_nt.h"

#include "control/path.h"

/* ---- What went wrong ---- */

static const struct {
	NTSTATUS code;
	enum lf_control_status status;
	const char *text;
} causes[] = {
	{STATUS_OBJECT_NAME_NOT_FOUND, LF_CONTROL_NOT_FOUND,
		"no such file: name one that exists, or make it with --create SIZE"},
	{STATUS_NO_SUCH_FILE, LF_CONTROL_NOT_FOUND,
		"no such file: name one that exists, or make it with --create SIZE"},
	{STATUS_OBJECT_PATH_NOT_FOUND, LF_CONTROL_NOT_FOUND,
		"no such directory or drive: of mapped drives, elevated programs see only those that were "
		"mapped "
		"elevated; name the share: \\\\server\\share"},
	{STATUS_SHARING_VIOLATION, LF_CONTROL_BUSY, "in use by another program: close it there"},
	{STATUS_DELETE_PENDING, LF_CONTROL_BUSY, "it is being deleted: name another"},
	{STATUS_ACCESS_DENIED, LF_CONTROL_PERMISSION,
		"permission denied: it is opened with your own rights; check who may use it, and whether it "
		"is "
		"marked read-only"},
	{STATUS_MEDIA_WRITE_PROTECTED, LF_CONTROL_PERMISSION,
		"it cannot be written: the volume is write-protected: add --read-only"},
	{STATUS_FILE_IS_A_DIRECTORY, LF_CONTROL_INVALID, "it is a directory: name an image file"},
	{STATUS_OBJECT_NAME_INVALID, LF_CONTROL_INVALID, "no valid name: the file system does not have such"},
	{STATUS_OBJECT_PATH_INVALID, LF_CONTROL_INVALID, "no valid name: the file system does not have such"},
	{STATUS_OBJECT_PATH_SYNTAX_BAD, LF_CONTROL_INVALID,
		"no valid name: the file system does not have such"},
	{STATUS_NAME_TOO_LONG, LF_CONTROL_INVALID, "the path is too long: move the image"},
	{STATUS_BAD_NETWORK_PATH, LF_CONTROL_NOT_FOUND,
		"the server is not there: check its name and the network"},
	{STATUS_BAD_NETWORK_NAME, LF_CONTROL_NOT_FOUND, "no such share: check its name"},
	{STATUS_NETWORK_UNREACHABLE, LF_CONTROL_NOT_FOUND,
		"the server is not there: check its name and the network"},
	{STATUS_HOST_UNREACHABLE, LF_CONTROL_NOT_FOUND,
		"the server is not there: check its name and the network"},
	{STATUS_IO_TIMEOUT, LF_CONTROL_TIMED_OUT, "the server does not answer: check it and the network"},
	{STATUS_LOGON_FAILURE, LF_CONTROL_PERMISSION,
		"the server does not know you: log on to the share first, in an elevated program"},
	{STATUS_NO_MEDIA_IN_DEVICE, LF_CONTROL_NOT_FOUND, "no medium is in the drive: insert it"},
	{STATUS_INSUFFICIENT_RESOURCES, LF_CONTROL_FAILED, "memory is short: try again"},
	{STATUS_UNRECOGNIZED_VOLUME, LF_CONTROL_NOT_FOUND,
		"no file system is on the volume: name a file on another"},
};

static enum lf_control_status cannot_open(NTSTATUS code, struct lf_message *message)
{
	enum lf_error error = lf_error_from_status(code);

	for (uint32_t i = 0; i < lf_count_of(causes); i++) {
		if (causes[i].code == code) {
			lf_message_set(message, "%s", causes[i].text);
			return causes[i].status;
		}
	}
	lf_message_set(message, "it cannot be opened: %s (status 0x%08x): check it with another program",
		lf_error_text(error), (unsigned int)code);
	return error == LF_E_NOT_FOUND    ? LF_CONTROL_NOT_FOUND
	       : error == LF_E_BUSY       ? LF_CONTROL_BUSY
	       : error == LF_E_PERMISSION ? LF_CONTROL_PERMISSION
					  : LF_CONTROL_FAILED;
}

/* ---- Opening ---- */

/* A disk or a volume that was opened itself has no such facts. */
static bool is_of_no_file(NTSTATUS status)
{
	enum lf_error error = lf_error_from_status(status);

	return error == LF_E_INVALID || error == LF_E_UNSUPPORTED;
}

/*
 * A name on a volume can still lead elsewhere: by a link that the caller has put under a drive letter, to a
 * disk itself, or to a pipe of a server.
 */
static enum lf_control_status check_file(HANDLE file, struct lf_message *message)
{
	FILE_FS_DEVICE_INFORMATION device = {0};
	FILE_STANDARD_INFORMATION standard = {0};
	IO_STATUS_BLOCK block;
	NTSTATUS status =
		ZwQueryInformationFile(file, &block, &standard, sizeof(standard), FileStandardInformation);

	if (NT_SUCCESS(status))
		status = ZwQueryVolumeInformationFile(
			file, &block, &device, sizeof(device), FileFsDeviceInformation);
	if (NT_SUCCESS(status) && lf_nt_has_files(device.DeviceType))
		return LF_CONTROL_OK;
	if (!NT_SUCCESS(status) && !is_of_no_file(status))
		return cannot_open(status, message);
	lf_message_set(message, "it is a device, not a file: name an image file");
	return LF_CONTROL_INVALID;
}

/*
 * Not for synchronous I/O: then the I/O manager would let one request in at a time. A writable image is never
 * cached: its dirty pages could only be written by the memory manager through us, who may need memory for
 * that. Others may read it meanwhile, nobody may write.
 */
enum opening { FOR_WRITING, FOR_READING, FOR_FACTS };

static const struct {
	ACCESS_MASK access;
	ULONG share, options;
} openings[] = {
	[FOR_WRITING] = {FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
		FILE_SHARE_READ, FILE_NON_DIRECTORY_FILE | FILE_NO_INTERMEDIATE_BUFFERING},
	[FOR_READING] = {FILE_READ_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_SHARE_READ,
		FILE_NON_DIRECTORY_FILE},
	/* What nobody's sharing forbids. */
	[FOR_FACTS] = {FILE_READ_ATTRIBUTES | SYNCHRONIZE,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, FILE_NON_DIRECTORY_FILE},
};

static NTSTATUS create(UNICODE_STRING *name, enum opening how, HANDLE *file)
{
	/* A pipe that the name may lead to learns nothing of the caller, and cannot act as he. */
	SECURITY_QUALITY_OF_SERVICE lent = {sizeof(lent), SecurityAnonymous, SECURITY_STATIC_TRACKING, TRUE};
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK status;

	/* The handle is the kernel's, of no process; access is checked although a kernel thread asks. */
	InitializeObjectAttributes(&attributes, name,
		OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK, NULL, NULL);
	attributes.SecurityQualityOfService = &lent;
	return ZwCreateFile(file, openings[how].access, &attributes, &status, NULL, FILE_ATTRIBUTE_NORMAL,
		openings[how].share, FILE_OPEN, openings[how].options, NULL, 0);
}

static NTSTATUS create_as(
	SECURITY_CLIENT_CONTEXT *client, UNICODE_STRING *name, enum opening how, HANDLE *file)
{
	NTSTATUS status = SeImpersonateClientEx(client, NULL);

	if (!NT_SUCCESS(status))
		return status;
	status = create(name, how, file);
	PsRevertToSelf();
	return status;
}

/* Somebody has it open: perhaps a device of this adapter, and then that can be said. */
static void identify(SECURITY_CLIENT_CONTEXT *client, UNICODE_STRING *name, struct lf_system_file *user)
{
	struct lf_message unsaid;
	HANDLE file = NULL;

	if (!NT_SUCCESS(create_as(client, name, FOR_FACTS, &file)))
		return;
	(void)lf_system_identify((lf_handle)file, true, user, &unsaid);
	ZwClose(file);
}

enum lf_control_status lf_image_open(const char *path, bool read_only, SECURITY_CLIENT_CONTEXT *client,
	lf_handle *handle, struct lf_system_file *user, struct lf_message *message)
{
	size_t length = strlen(path);
	/* No character takes more units of UTF-16 than bytes of UTF-8. */
	ULONG room_bytes = (ULONG)(length * sizeof(WCHAR)), name_bytes = 0;
	UNICODE_STRING name;
	const char *problem = lf_path_problem(path);
	enum lf_control_status refused;
	HANDLE file = NULL;
	NTSTATUS status;

	*handle = LF_HANDLE_NONE;
	if (problem) {
		lf_message_set(message, "%s", problem);
		return LF_CONTROL_INVALID;
	}
	name.Buffer = lf_alloc(room_bytes);
	if (!name.Buffer) {
		lf_message_set(message, "memory is short: try again");
		return LF_CONTROL_FAILED;
	}
	status = RtlUTF8ToUnicodeN(name.Buffer, room_bytes, &name_bytes, path, (ULONG)length);
	name.Length = (USHORT)name_bytes;
	name.MaximumLength = (USHORT)room_bytes;
	/* Anything but plain success: a character had to be replaced. */
	if (status == STATUS_SUCCESS)
		status = create_as(client, &name, read_only ? FOR_READING : FOR_WRITING, &file);
	else
		status = STATUS_OBJECT_NAME_INVALID;
	if (status == STATUS_SHARING_VIOLATION)
		identify(client, &name, user);
	lf_free(name.Buffer);
	if (!NT_SUCCESS(status))
		return cannot_open(status, message);
	refused = check_file(file, message);
	if (refused == LF_CONTROL_OK)
		*handle = (lf_handle)file;
	else
		ZwClose(file);
	return refused;
}
