/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The files of certificates and keys: who may read them, and the lines of a file of pre-shared
 * keys.
 */
#include "channel/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "base/util.h"

#define FILE_MAX_SIZE (1u << 20)
#define KEY_MIN	      16

static int check_file(int fd, const char *path, bool secret, struct gw_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return gw_fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return gw_fail(err, GW_USAGE, "%s is not a regular file", path);
	if (secret && (st.st_mode & (S_IRWXO | S_IWGRP)))
		return gw_fail(
			err, GW_USAGE,
			"%s holds a secret, and its mode %04o lets other users read or change it: chmod 600 %s",
			path, st.st_mode & 07777u, path);
	return 0;
}

static char *read_all(int fd, const char *path, struct gw_error *err)
{
	char *text = malloc(FILE_MAX_SIZE + 1), *shorter = NULL;
	size_t len = 0;
	ssize_t got = text ? 1 : -1;

	while (got > 0 && len < FILE_MAX_SIZE) {
		got = read(fd, text + len, FILE_MAX_SIZE - len);
		if (got < 0 && errno == EINTR)
			got = 1;
		else
			len += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		gw_fail_errno(err, "reading %s", path);
	} else if (len == FILE_MAX_SIZE || memchr(text, 0, len)) {
		gw_fail(err, GW_USAGE, "%s is no text of less than 1 MiB", path);
	} else {
		text[len] = '\0';
		shorter = strdup(text);
		if (!shorter)
			gw_fail_errno(err, "reading %s", path);
	}
	if (text)
		explicit_bzero(text, len);
	free(text);
	return shorter;
}

char *gw_tls_read_file(const char *path, bool secret, struct gw_error *err)
{
	int fd = gw_safe_open(path, O_RDONLY | O_NONBLOCK, 0, GW_SAFE_PRIVATE, err);
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (check_file(fd, path, secret, err) == 0)
		text = read_all(fd, path, err);
	close(fd);
	return text;
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void gw_tls_texts_free(struct gw_tls_texts *texts)
{
	free(texts->cert);
	free(texts->ca);
	wipe(texts->key);
	wipe(texts->psk);
	*texts = (struct gw_tls_texts){0};
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One line without its end: true if it is USER:HEXKEY. */
static bool parse_line(const char *line, size_t len, struct gw_tls_psk *psk)
{
	const char *colon = memrchr(line, ':', len), *hex = colon ? colon + 1 : line;
	size_t hex_len = (size_t)(line + len - hex), user_len = colon ? (size_t)(colon - line) : 0;

	if (!user_len || user_len >= sizeof(psk->user) || hex_len % 2 || hex_len / 2 < KEY_MIN ||
	    hex_len / 2 > sizeof(psk->key))
		return false;
	memcpy(psk->user, line, user_len);
	psk->user[user_len] = '\0';
	psk->key_len = hex_len / 2;
	for (size_t i = 0; i < hex_len; i++) {
		int value = digit(hex[i]);

		if (value < 0)
			return false;
		psk->key[i / 2] = (uint8_t)(psk->key[i / 2] << 4 | value);
	}
	return true;
}

int gw_tls_find_psk(const char *text, const char *user, size_t user_len, struct gw_tls_psk *psk,
		    struct gw_error *err)
{
	unsigned number = 1;

	for (const char *line = text; *line; number++) {
		size_t len = strcspn(line, "\n");
		size_t used = len && line[len - 1] == '\r' ? len - 1 : len;

		if (used) {
			*psk = (struct gw_tls_psk){0};
			if (!parse_line(line, used, psk))
				return gw_fail(
					err, GW_USAGE,
					"line %u of the pre-shared keys is no USER:HEXKEY with a key of 16 to 64 bytes",
					number);
			if (!user || (strlen(psk->user) == user_len &&
				      memcmp(psk->user, user, user_len) == 0))
				return 1;
		}
		line += len + (line[len] == '\n');
	}
	explicit_bzero(psk, sizeof(*psk));
	return 0;
}
