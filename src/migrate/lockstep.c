/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The back channel of COLO, and the secondary's part of a checkpoint (lockstep.h).
 */
#include "migrate/lockstep.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/domain.h"

#define AT_ONCE 512 /* pfns */
/* The rest of a list was written by the same system call: it is on its way or does not exist. */
#define REST_MS 1000

static int read_bytes(struct gw_channel *in, void *to, size_t len, struct gw_error *err)
{
	int rc = gw_channel_read(in, to, len, err);

	return rc == 0 ? gw_fail(err, GW_PEER, "%s: the secondary has closed it", in->name)
		       : GW_MIN(rc, 0);
}

static int set_pfn(uint64_t *bitmap, uint64_t nr, uint64_t pfn, struct gw_error *err)
{
	if (pfn >= nr)
		return gw_fail(err, GW_INVALID,
			       "CHECKPOINT_DIRTY_PFN_LIST: pfn 0x%" PRIx64
			       " is beyond the domain, which has 0x%" PRIx64 " pfns",
			       pfn, nr);
	gw_bitmap_set(bitmap, pfn);
	return 0;
}

/* Reads n pfns of the list. */
static int read_pfns(struct gw_channel *in, uint64_t n, uint64_t *bitmap, uint64_t nr,
		     struct gw_error *err)
{
	uint8_t bytes[AT_ONCE * 8];

	while (n > 0) {
		size_t now = GW_MIN(n, (uint64_t)AT_ONCE);

		if (read_bytes(in, bytes, now * 8, err) < 0)
			return -1;
		for (size_t i = 0; i < now; i++)
			if (set_pfn(bitmap, nr, gw_get_le64(bytes + 8 * i), err) < 0)
				return -1;
		n -= now;
	}
	return 0;
}

/* Does more come on the channel? The secondary sends nothing else before the next checkpoint. */
static bool more_comes(struct gw_channel *in)
{
	if (!gw_channel_has_input(in) && in->fd >= 0)
		gw_cancel_wait(in->cancel, in->fd, POLLIN, REST_MS, NULL);
	return gw_channel_has_input(in);
}

/*
 * The list began with a pfn 0, of which nobody knows yet whether it is a pointer, and all of its
 * length was read. A pointer means that one more pfn comes.
 */
static int read_rest(struct gw_channel *in, enum gw_list_form *form, uint64_t *bitmap, uint64_t nr,
		     struct gw_error *err)
{
	uint8_t last[8];
	int rc;

	if (!more_comes(in)) {
		*form = GW_LIST_8;
		return set_pfn(bitmap, nr, 0, err);
	}
	rc = gw_channel_read(in, last, sizeof(last), err);
	if (rc <= 0)
		return rc;
	*form = GW_LIST_16;
	return set_pfn(bitmap, nr, gw_get_le64(last), err);
}

/* A list without a pfn: only a pointer can come. */
static int read_empty(struct gw_channel *in, enum gw_list_form *form, struct gw_error *err)
{
	uint8_t pointer[8];
	int rc;

	if (*form == GW_LIST_8 || (*form == GW_LIST_UNKNOWN && !more_comes(in)))
		return 0;
	rc = gw_channel_read(in, pointer, sizeof(pointer), err);
	if (rc > 0)
		*form = GW_LIST_16;
	return GW_MIN(rc, 0);
}

static int read_first(struct gw_channel *in, uint64_t *value, struct gw_error *err)
{
	uint8_t bytes[8];

	if (read_bytes(in, bytes, sizeof(bytes), err) < 0)
		return -1;
	*value = gw_get_le64(bytes);
	return 0;
}

/* The list of n pfns, n > 0, from the byte after its type and length on. */
static int read_list(struct gw_channel *in, enum gw_list_form *form, uint64_t n, uint64_t *bitmap,
		     uint64_t nr, struct gw_error *err)
{
	uint64_t first;

	if (read_first(in, &first, err) < 0)
		return -1;
	if (*form == GW_LIST_16 && first != 0)
		return gw_fail(err, GW_INVALID,
			       "CHECKPOINT_DIRTY_PFN_LIST: its header ends with 0x%" PRIx64
			       ", expected 0 as in earlier ones",
			       first);
	if (*form == GW_LIST_UNKNOWN && first != 0)
		*form = GW_LIST_8;
	if (*form == GW_LIST_16)
		return read_pfns(in, n, bitmap, nr, err);
	if (*form == GW_LIST_8 && set_pfn(bitmap, nr, first, err) < 0)
		return -1;
	if (read_pfns(in, n - 1, bitmap, nr, err) < 0)
		return -1;
	return *form == GW_LIST_UNKNOWN ? read_rest(in, form, bitmap, nr, err) : 0;
}

int gw_dirty_list_read(struct gw_channel *in, enum gw_list_form *form, uint64_t *bitmap,
		       uint64_t nr, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];
	uint32_t type, length;

	if (read_bytes(in, head, sizeof(head), err) < 0)
		return -1;
	gw_record_header_decode(head, &type, &length);
	if (type != GW_REC_CHECKPOINT_DIRTY_PFN_LIST)
		return gw_fail(err, GW_INVALID,
			       "%s: record 0x%x, expected CHECKPOINT_DIRTY_PFN_LIST (0x%x)",
			       in->name, type, GW_REC_CHECKPOINT_DIRTY_PFN_LIST);
	if (length % 8 != 0 || length / 8 > nr)
		return gw_fail(
			err, GW_INVALID,
			"CHECKPOINT_DIRTY_PFN_LIST: length %u, expected 8 bytes for each of at most 0x%" PRIx64
			" pfns",
			length, nr);
	if (length == 0)
		return read_empty(in, form, err);
	return read_list(in, form, length / 8, bitmap, nr, err);
}

int gw_dirty_list_write(struct gw_channel *out, const uint64_t *bitmap, uint64_t nr,
			struct gw_error *err)
{
	uint64_t count = gw_bitmap_count(bitmap, nr);
	struct gw_buffer list = {0};
	uint8_t *body;
	int rc;

	if (count > GW_RECORD_MAX / 8)
		return gw_fail(err, GW_UNSUPPORTED,
			       "the secondary has written %" PRIu64
			       " pages, more than one list can name",
			       count);
	rc = gw_record_append(&list, GW_REC_CHECKPOINT_DIRTY_PFN_LIST, NULL, (uint32_t)(count * 8),
			      err);
	if (rc == 0) {
		body = list.data + GW_RECORD_HEADER_SIZE;
		for (uint64_t pfn = gw_bitmap_next_set(bitmap, nr, 0); pfn < nr;
		     pfn = gw_bitmap_next_set(bitmap, nr, pfn + 1), body += 8)
			gw_put_le64(body, pfn);
		rc = gw_channel_write(out, list.data, list.len, err);
	}
	gw_buffer_free(&list);
	return rc;
}

/* What the secondary's guest has written since the last time. Its owner has turned log-dirty on. */
static int send_dirty(const struct gw_toolstack *ts, struct gw_domain *d, struct gw_error *err)
{
	GW_FREE_ON_EXIT uint64_t *bitmap = NULL;
	uint64_t nr, dirty;

	if (gw_domain_nr_pfns(d, &nr, err) < 0)
		return -1;
	bitmap = gw_bitmap_new(nr);
	if (!bitmap)
		return gw_fail(err, GW_NO_MEMORY, "memory for a bitmap of %" PRIu64 " pages", nr);
	if (gw_domain_logdirty_fetch_and_clear(d, bitmap, nr, &dirty, err) < 0)
		return -1;
	return gw_dirty_list_write(ts->back_channel, bitmap, nr, err);
}

static int complete(const struct gw_toolstack *ts, struct gw_restore_guest *g, struct gw_error *err)
{
	if (g->ops->stream_complete(g, err) < 0)
		return -1;
	return ts->restore_results(ts->owner, g->store_gfn, g->console_gfn, err);
}

/* Runs the domain until there is a reason for a checkpoint. 0, GW_CHECKPOINT_FAILOVER, -1. */
static int run_until_checkpoint(const struct gw_toolstack *ts, struct gw_error *err)
{
	int rc = ts->postcopy(ts->owner, err);

	if (rc == 0) {
		rc = ts->wait_checkpoint(ts->owner, err);
		if (rc == GW_CHECKPOINT_STOP)
			return gw_fail(err, GW_PEER, "the toolstack wants no more checkpoints");
		if (rc == GW_CHECKPOINT_GO_ON)
			rc = ts->suspend(ts->owner, err);
	}
	return rc;
}

enum gw_read_result gw_lockstep_run(const struct gw_toolstack *ts, struct gw_restore_guest *guest,
				    struct gw_error *err)
{
	int rc = complete(ts, guest, err);

	if (rc == 0)
		rc = run_until_checkpoint(ts, err);
	if (rc == 0)
		rc = send_dirty(ts, guest->domain, err);
	if (rc < 0)
		return GW_READ_FAILED;
	return rc == 0 ? GW_READ_OK : GW_READ_ENDED;
}
