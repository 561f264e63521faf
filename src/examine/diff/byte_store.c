/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The byte store's two forms: the input itself, or an unlinked file. Adjacent pages are written
 * together.
 */
#include "examine/diff/byte_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel/offset_io.h"
#include "channel/kind.h"

#define RUN_MAX ((size_t)256 << 10)

int gw_byte_store_begin(struct gw_byte_store *store, const struct gw_channel *in,
			struct gw_error *err)
{
	store->in = in;
	store->in_input = in->seekable && in->fd >= 0;
	snprintf(store->what, sizeof(store->what), "the unlinked file with the pages of %.60s",
		 in->name);
	return store->in_input ? 0 : gw_spool_begin(&store->file, err);
}

uint64_t gw_byte_store_reserve(struct gw_byte_store *store, uint64_t len)
{
	uint64_t place = store->end;

	store->end += len;
	return place;
}

static int flush(struct gw_byte_store *store, struct gw_error *err)
{
	int rc = gw_pwrite_all(store->file.fd, store->run_offset, store->run.data, store->run.len,
			       store->what, err);

	gw_buffer_reset(&store->run);
	return rc;
}

int gw_byte_store_put(struct gw_byte_store *store, uint64_t place, const void *data, size_t len,
		      struct gw_error *err)
{
	if (store->run.len &&
	    (store->run.len >= RUN_MAX || store->run_offset + store->run.len != place) &&
	    flush(store, err) < 0)
		return -1;
	if (!store->run.len)
		store->run_offset = place;
	return gw_buffer_append(&store->run, data, len, err);
}

int gw_byte_store_to_file(struct gw_byte_store *store, struct gw_error *err)
{
	if (!store->in_input)
		return 0;
	store->in_input = false;
	return gw_spool_begin(&store->file, err);
}

int gw_byte_store_get(struct gw_byte_store *store, uint64_t place, void *buf, size_t len,
		      struct gw_error *err)
{
	ssize_t n;

	if (store->run.len && flush(store, err) < 0)
		return -1;
	memset(buf, 0, len);
	do
		n = pread(store->file.fd, buf, len, (off_t)place);
	while (n < 0 && errno == EINTR);
	return n < 0 ? gw_fail_errno(err, "reading back %s", store->what) : 0;
}

int gw_byte_store_finish(struct gw_byte_store *store, struct gw_error *err)
{
	if (store->in_input)
		return 0;
	if (flush(store, err) < 0)
		return -1;
	/* What was reserved and not put is a hole, also at the end. */
	if (ftruncate(store->file.fd, (off_t)store->end) < 0)
		return gw_fail_errno(err, "setting the size of %s to %llu bytes", store->what,
				     (unsigned long long)store->end);
	return 0;
}

int gw_byte_store_read(const struct gw_byte_store *store, uint64_t place, void *buf, size_t len,
		       struct gw_error *err)
{
	if (store->in_input)
		return gw_channel_pread(store->in, place, buf, len, err);
	if (gw_channel_check(store->in, GW_READING, err))
		return -1;
	return gw_pread_all(store->file.fd, place, buf, len, store->what, err);
}

void gw_byte_store_free(struct gw_byte_store *store)
{
	gw_spool_close(&store->file);
	gw_buffer_free(&store->run);
}
