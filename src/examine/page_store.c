/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input itself, or the unlinked file. Pages that follow each other are written together.
 */
#include "examine/page_store.h"

#include <stdio.h>
#include <unistd.h>

#include "channel/offset_io.h"
#include "channel/kind.h"

#define RUN_MAX ((size_t)256 << 10)

int gw_kept_begin(struct gw_kept *kept, const struct gw_channel *in, struct gw_error *err)
{
	kept->in = in;
	kept->by_place = in->seekable && in->fd >= 0;
	snprintf(kept->what, sizeof(kept->what), "the unlinked file with the pages of %.60s",
		 in->name);
	return kept->by_place ? 0 : gw_spool_begin(&kept->file, err);
}

uint64_t gw_kept_reserve(struct gw_kept *kept, uint64_t len)
{
	uint64_t place = kept->end;

	kept->end += len;
	return place;
}

static int flush(struct gw_kept *kept, struct gw_error *err)
{
	int rc = gw_pwrite_all(kept->file.fd, kept->run_at, kept->run.data, kept->run.len, kept->what,
			     err);

	gw_buffer_reset(&kept->run);
	return rc;
}

int gw_kept_put(struct gw_kept *kept, uint64_t place, const void *data, size_t len,
		struct gw_error *err)
{
	if (kept->run.len && (kept->run.len >= RUN_MAX || kept->run_at + kept->run.len != place) &&
	    flush(kept, err) < 0)
		return -1;
	if (!kept->run.len)
		kept->run_at = place;
	return gw_buffer_append(&kept->run, data, len, err);
}

int gw_kept_finish(struct gw_kept *kept, struct gw_error *err)
{
	if (kept->by_place)
		return 0;
	if (flush(kept, err) < 0)
		return -1;
	/* What was reserved and not put is a hole, the last of it, too. */
	if (ftruncate(kept->file.fd, (off_t)kept->end) < 0)
		return gw_fail_errno(err, "giving %s its size, %llu bytes", kept->what,
				     (unsigned long long)kept->end);
	return 0;
}

int gw_kept_read(const struct gw_kept *kept, uint64_t place, void *buf, size_t len,
		 struct gw_error *err)
{
	if (kept->by_place)
		return gw_channel_pread(kept->in, place, buf, len, err);
	if (gw_channel_check(kept->in, GW_READING, err))
		return -1;
	return gw_pread_all(kept->file.fd, place, buf, len, kept->what, err);
}

void gw_kept_free(struct gw_kept *kept)
{
	gw_spool_close(&kept->file);
	gw_buffer_free(&kept->run);
}
