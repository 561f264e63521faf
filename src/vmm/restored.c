/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that remember restored images.
 */
#include "vmm/restored.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "format/xl/config.h"

#define FOLDER	  "restored"
#define UUID_TEXT 36

static void read_uuid(int folder, const char *file, uint8_t uuid[16])
{
	char text[UUID_TEXT + 1] = "";
	int fd = gw_safe_open_regular(folder, file, file, O_RDONLY, 0, NULL);

	memset(uuid, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, UUID_TEXT) == UUID_TEXT && !gw_uuid_parse(text, uuid))
		memset(uuid, 0, 16);
	close(fd);
}

static int write_uuid(int fd, const uint8_t uuid[16])
{
	char text[UUID_TEXT + 1];

	gw_uuid_format(uuid, text);
	return write(fd, text, UUID_TEXT) == UUID_TEXT ? 0 : -1;
}

int gw_restored_note(struct gw_runtime *rt, uint64_t fingerprint, const uint8_t uuid[16],
		     bool *before, uint8_t uuid_before[16], struct gw_error *err)
{
	char file[17];
	int folder, fd, rc;

	*before = false;
	if (mkdirat(rt->fd, FOLDER, 0700) < 0 && errno != EEXIST)
		return gw_fail_errno(err, "%s/" FOLDER, rt->path);
	folder = openat(rt->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return gw_fail_errno(err, "%s/" FOLDER, rt->path);
	snprintf(file, sizeof(file), "%016" PRIx64, fingerprint);
	/* Of two restores at the same time one creates it. */
	fd = openat(folder, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		rc = write_uuid(fd, uuid);
		close(fd);
	} else {
		*before = errno == EEXIST;
		rc = *before ? 0 : -1;
	}
	if (rc < 0)
		gw_fail_errno(err, "%s/" FOLDER "/%s", rt->path, file);
	if (*before)
		read_uuid(folder, file, uuid_before);
	close(folder);
	return rc;
}
