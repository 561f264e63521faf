/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An export from end to end: the walk through the image, and the output. memory.c decides where
 * pages go, core.c what the ELF looks like.
 */
#include "examine/export/export.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <godwit/guest.h>

#include "base/clock.h"
#include "base/estimate.h"
#include "base/util.h"
#include "examine/examine.h"
#include "examine/export/internal.h"

#define COPY_STEP (256u << 10)

struct export
{
	const struct gw_observer *observer;
	enum gw_export_form form;
	struct gw_export_memory memory;
	/* Of the round at hand, and of the last complete state. */
	struct gw_export_vcpus vcpus, complete;
	struct gw_checkpoints checkpoints;
	struct gw_export_savevm savevm; /* a stream of QEMU */
	const struct gw_savevm_description *like;
	struct gw_estimate writing;
	struct gw_error bad;	 /* the first rule of level error that was broken */
	struct gw_error failure; /* of a hook that cannot say so itself */
};

static int keep_vcpus(struct export *x, struct gw_error *err)
{
	gw_buffer_reset(&x->complete.list);
	return gw_buffer_append(&x->complete.list, x->vcpus.list.data, x->vcpus.list.len, err);
}

static void checkpoint(struct export *x)
{
	if (keep_vcpus(x, &x->failure) == 0)
		gw_export_memory_checkpoint(&x->memory, &x->failure);
}

/* The rules may yet refuse the record: then that is what is said. */
static void take_vcpus(struct export *x, const struct gw_record *rec)
{
	if (x->form == GW_EXPORT_CORE && gw_export_vcpus_record(&x->vcpus, rec, &x->failure) < 0)
		gw_fail_in(&x->failure, "the registers of the vCPUs");
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct export *x = opaque;

	if (x->bad.code || x->failure.code)
		return;
	x->checkpoints = *record->checkpoints;
	switch (record->counts) {
	case GW_COUNTS_CHECKPOINT:
		checkpoint(x);
		break;
	case GW_COUNTS_END:
		keep_vcpus(x, &x->failure);
		break;
	default:
		if (record->layer == GW_LAYER_LIBXC && !record->pages)
			take_vcpus(x, record->rec);
		break;
	}
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct export *x = opaque;

	gw_examine_obey(finding, &x->observer->log, &x->bad);
}

static int on_page(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		   struct gw_error *err)
{
	struct export *x = opaque;

	/* VERIFY: what follows was sent before. */
	if (x->bad.code || x->failure.code || x->checkpoints.verifying)
		return 0;
	return gw_export_memory_add(&x->memory, pfn, type, contents, err);
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	struct export *x = opaque;

	/* It is read, but not written yet. */
	if (x->observer->progress && progress->stage != GW_STAGE_DONE)
		x->observer->progress(x->observer->owner, progress);
}

/* done of size bytes are written. */
static void report_writing(struct export *x, enum gw_stage stage, uint64_t done, uint64_t size)
{
	struct gw_progress p = {.stage = stage, .bytes = done, .bytes_total = size};

	if (!x->observer->progress)
		return;
	gw_estimate(&x->writing, &p, gw_clock_ns());
	x->observer->progress(x->observer->owner, &p);
}

static int on_savevm_page(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err)
{
	struct export *x = opaque;

	return x->bad.code ? 0 : gw_export_savevm_page(&x->savevm, item, err);
}

static int read_image(struct export *x, struct gw_channel *in, struct gw_error *err)
{
	const struct gw_examine_sink sink = {
		.opaque = x,
		.record = on_record,
		.finding = on_finding,
		.page = on_page,
		.progress = on_progress,
		.savevm = &x->savevm.stream,
		.savevm_page = on_savevm_page,
		.like = x->like,
	};
	struct gw_examination examination;

	if (gw_examine(in, &sink, &examination, err) < 0)
		return -1;
	if (x->bad.code)
		return gw_fail(err, x->bad.code, "%s", x->bad.text);
	if (x->failure.code) {
		*err = x->failure;
		return -1;
	}
	if (examination.has_savevm)
		return gw_export_savevm_finish(&x->savevm, &x->complete, &x->observer->log, err);
	return gw_checkpoints_over(&x->checkpoints, err);
}

/* A file that starts here can be written anywhere; whatever else there is, in order only. */
static bool is_fresh_file(const struct gw_channel *out)
{
	struct stat st;

	return out->fd >= 0 && fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 &&
	       lseek(out->fd, 0, SEEK_CUR) == 0 && strcmp(out->name, "standard output") != 0;
}

static int copy_out(struct export *x, int fd, struct gw_channel *out, uint64_t size,
		    struct gw_error *err)
{
	uint64_t left = size;
	struct gw_channel *from = NULL;
	struct gw_buffer step = {0};
	void *room = gw_buffer_reserve(&step, COPY_STEP, err);
	int rc = room ? 0 : -1;

	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = gw_fail_errno(err, "reading back the memory");
	if (rc == 0) {
		from = gw_channel_from_fd(fd, false, "the memory", err);
		rc = from ? 0 : -1;
	}
	while (rc == 0 && left) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)COPY_STEP);

		report_writing(x, GW_STAGE_WRITING, size - left, size);
		if (gw_channel_read(from, room, n, err) != 1)
			rc = gw_fail(err, GW_SYSTEM, "the memory could not be read back");
		else
			rc = gw_channel_write(out, room, n, err);
		left -= n;
	}
	gw_channel_close(from);
	gw_buffer_free(&step);
	return rc;
}

static bool count_pages(void *opaque, const struct gw_map_run *run)
{
	uint64_t *pages = opaque;

	if (gw_page_is_populated(run->type))
		*pages += run->last - run->first + 1;
	return true;
}

/* Everything into the file under memory. */
static int fill(struct export *x, struct gw_channel *in, struct gw_export_result *exported,
		struct gw_error *err)
{
	if (read_image(x, in, err) < 0 ||
	    gw_export_memory_finish(&x->memory, &exported->bytes, err) < 0)
		return -1;
	if (x->form == GW_EXPORT_CORE &&
	    gw_export_core(x->memory.fd, &x->memory.map, &x->complete, &exported->bytes, err) < 0)
		return -1;
	exported->vcpus = (unsigned)gw_export_nr_vcpus(&x->complete);
	exported->checkpoints = x->checkpoints.complete;
	return gw_memory_map_runs(&x->memory.map, count_pages, &exported->pages, err);
}

static int deliver(struct export *x, struct gw_channel *out, struct gw_spool *scratch,
		   uint64_t size, struct gw_error *err)
{
	if (scratch->open) {
		if (copy_out(x, scratch->fd, out, size, err) < 0)
			return -1;
	} else if (fsync(out->fd) < 0) {
		/* The channel does so only for what passed through it. */
		return gw_fail_errno(err, "flushing %s to disk", out->name);
	}
	if (gw_channel_finish(out, err) < 0)
		return -1;
	report_writing(x, GW_STAGE_DONE, size, size);
	return 0;
}

int gw_export(struct gw_channel *in, struct gw_channel *out, enum gw_export_form form,
	      const struct gw_savevm_description *like, const struct gw_observer *observer,
	      struct gw_export_result *exported, struct gw_error *err)
{
	struct export x = {
		.observer = observer,
		.form = form,
		.like = like,
		.memory.start = form == GW_EXPORT_CORE ? GW_CORE_MEMORY_START : 0,
	};
	struct gw_spool scratch = {0};
	int rc = 0;

	*exported = (struct gw_export_result){0};
	x.savevm.memory = &x.memory;
	x.savevm.want_vcpus = form == GW_EXPORT_CORE;
	if (!is_fresh_file(out))
		rc = gw_spool_begin(&scratch, err);
	x.memory.fd = scratch.open ? scratch.fd : out->fd;
	if (rc == 0)
		rc = fill(&x, in, exported, err);
	if (rc == 0)
		rc = deliver(&x, out, &scratch, exported->bytes, err);
	gw_export_memory_free(&x.memory);
	gw_buffer_free(&x.vcpus.list);
	gw_buffer_free(&x.complete.list);
	gw_savevm_stream_free(&x.savevm.stream);
	gw_spool_close(&scratch);
	return rc;
}
