/* SPDX-License-Identifier: BSD-2-Clause */
/* secrets.c: the file of CHAP secrets: read with care, kept no longer than needed, wiped. */
#include <errno.h>
#include <fcntl.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/iscsi/secrets.h"
#include "platform/linux.h"

static const char mutual_word[] = "mutual ";

/* ---- Lines ---- */

static bool same_secret(const struct iscsi_secret *a, const struct iscsi_secret *b)
{
	return a->secret_length == b->secret_length && memcmp(a->secret, b->secret, a->secret_length) == 0;
}

/* NAME:SECRET; NULL, or what is wrong with it. A name may be an iSCSI name, which has colons itself. */
static const char *read_pair(const char *line, size_t length, struct iscsi_secret *secret)
{
	const char *colon = memrchr(line, ':', length);
	size_t name_length = colon == NULL ? 0 : (size_t)(colon - line), secret_length;

	for (size_t i = 0; i < length; i++) {
		if ((uint8_t)line[i] < 0x20 || line[i] == 0x7f)
			return "a control character: write one NAME:SECRET a line";
	}
	if (name_length == 0)
		return "no NAME:SECRET";
	if (name_length > ISCSI_CHAP_NAME_MAX)
		return "the name is too long: 255 bytes at most";
	secret_length = length - name_length - 1;
	if (secret_length < ISCSI_CHAP_SECRET_MIN)
		return "the secret is too short: 12 bytes at least";
	if (secret_length > ISCSI_CHAP_SECRET_MAX)
		return "the secret is too long: 255 bytes at most";
	memcpy(secret->name, line, name_length);
	memcpy(secret->secret, colon + 1, secret_length);
	secret->name_length = (uint32_t)name_length;
	secret->secret_length = (uint32_t)secret_length;
	return NULL;
}

static const char *read_mutual(struct lf_iscsi_secrets *secrets, const char *line, size_t length)
{
	if (secrets->mutual.name_length > 0)
		return "a second mutual secret: there is one for all";
	return read_pair(line, length, &secrets->mutual);
}

static const char *read_user(struct lf_iscsi_secrets *secrets, const char *line, size_t length)
{
	struct iscsi_secret *user = &secrets->users[secrets->count];
	const char *wrong;

	if (secrets->count == secrets->room)
		return "too many names: 4096 at most";
	wrong = read_pair(line, length, user);
	if (wrong != NULL)
		return wrong;
	if (lf_iscsi_secrets_find(secrets, user->name) != NULL)
		return "a name that was there before";
	secrets->count++;
	return NULL;
}

static const char *read_line(struct lf_iscsi_secrets *secrets, const char *line, size_t length)
{
	size_t word = sizeof(mutual_word) - 1;

	if (length == 0 || *line == '#')
		return NULL;
	if (length > word && memcmp(line, mutual_word, word) == 0)
		return read_mutual(secrets, line + word, length - word);
	return read_user(secrets, line, length);
}

/* What can be said only of the whole. */
static const char *check_all(const struct lf_iscsi_secrets *secrets)
{
	if (secrets->count == 0)
		return "nobody could log in: name an initiator: NAME:SECRET";
	for (uint32_t i = 0; secrets->mutual.name_length > 0 && i < secrets->count; i++) {
		/* Who has the same secret both ways can be made to answer himself: RFC 7143 9.2.1 */
		if (same_secret(&secrets->users[i], &secrets->mutual))
			return "the mutual secret is also an initiator's: choose another";
	}
	return NULL;
}

static bool read_lines(struct lf_iscsi_secrets *secrets, const char *text, size_t length, const char *path,
	struct lf_message *message)
{
	const char *wrong = NULL;
	uint32_t number = 0;

	for (size_t at = 0; at < length && wrong == NULL;) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t here = end == NULL ? length - at : (size_t)(end - (text + at));

		number++;
		wrong = read_line(secrets, text + at, here);
		at += here + 1;
	}
	if (wrong != NULL) {
		lf_message_set(message, "%.160s: line %u: %s", path, number, wrong);
		return false;
	}
	wrong = check_all(secrets);
	if (wrong != NULL)
		lf_message_set(message, "%.160s: %s", path, wrong);
	return wrong == NULL;
}

/* Room for every line that could name somebody. */
static uint32_t count_lines(const char *text, size_t length)
{
	uint32_t count = 1;

	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n';
	return count;
}

struct lf_iscsi_secrets *lf_iscsi_secrets_parse(
	char *text, size_t length, const char *path, struct lf_message *message)
{
	struct lf_iscsi_secrets *secrets = lf_alloc(sizeof(*secrets));
	bool good = secrets != NULL;

	if (good) {
		secrets->room = lf_min(count_lines(text, length), ISCSI_CHAP_USERS_MAX);
		secrets->users = lf_alloc((secrets->room + 1) * sizeof(*secrets->users));
		good = secrets->users != NULL &&
		       getrandom(secrets->decoy, sizeof(secrets->decoy), 0) == sizeof(secrets->decoy);
	}
	if (!good)
		lf_message_set(message, "%.160s: no memory for its secrets", path);
	good = good && read_lines(secrets, text, length, path, message);
	explicit_bzero(text, length);
	if (good)
		return secrets;
	lf_iscsi_secrets_free(secrets);
	return NULL;
}

void lf_iscsi_secrets_free(struct lf_iscsi_secrets *secrets)
{
	if (secrets == NULL)
		return;
	if (secrets->users != NULL)
		explicit_bzero(secrets->users, (secrets->room + 1) * sizeof(*secrets->users));
	lf_free(secrets->users);
	explicit_bzero(secrets, sizeof(*secrets));
	lf_free(secrets);
}

const struct iscsi_secret *lf_iscsi_secrets_find(const struct lf_iscsi_secrets *secrets, const char *name)
{
	const struct iscsi_secret *found = NULL;
	size_t length = strlen(name);

	for (uint32_t i = 0; i < secrets->count; i++) {
		const struct iscsi_secret *user = &secrets->users[i];

		if (user->name_length == length && memeql_sec(user->name, name, length))
			found = user;
	}
	return found;
}

/* ---- The file ---- */

static bool failed(const char *path, int error, struct lf_message *message)
{
	lf_message_set(message, "%.160s: %s", path, lf_error_text(lf_error_from_errno(error)));
	return false;
}

/* Up to its end or to size bytes. */
static bool read_all(
	int fd, const char *path, char *text, size_t size, size_t *length, struct lf_message *message)
{
	for (*length = 0; *length < size;) {
		ssize_t got = read(fd, text + *length, size - *length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed(path, errno, message);
		if (got == 0)
			return true;
		*length += (size_t)got;
	}
	lf_message_set(message, "%.160s: too long: 4 MiB at most", path);
	return false;
}

/* Whoever else may read it knows every secret. */
static bool check_mode(int fd, const char *path, struct lf_message *message)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return failed(path, errno, message);
	if (!S_ISREG(status.st_mode)) {
		lf_message_set(message, "%.160s: no regular file", path);
		return false;
	}
	if (status.st_uid != geteuid() && status.st_uid != 0) {
		lf_message_set(message,
			"%.160s: somebody else's, who could write to it: make one of your own", path);
		return false;
	}
	if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return true;
	lf_message_set(message, "%.160s: others than its owner can get at it: chmod 600", path);
	return false;
}

struct lf_iscsi_secrets *lf_iscsi_secrets_read(const char *path, struct lf_message *message)
{
	struct lf_iscsi_secrets *secrets = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* it may be a pipe: no waiting */
	char *text = lf_alloc(ISCSI_CHAP_FILE_MAX);
	size_t length;

	if (fd < 0)
		failed(path, errno, message);
	else if (text == NULL)
		failed(path, ENOMEM, message);
	else if (check_mode(fd, path, message) &&
		 read_all(fd, path, text, ISCSI_CHAP_FILE_MAX, &length, message))
		secrets = lf_iscsi_secrets_parse(text, length, path, message);
	if (text != NULL)
		explicit_bzero(text, ISCSI_CHAP_FILE_MAX);
	lf_free(text);
	if (fd >= 0)
		close(fd);
	return secrets;
}
