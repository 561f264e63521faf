/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text output of inspect.
 */
#include "cli/inspect/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "examine/describe.h"
#include "cli/inspect/line.h"
#include "cli/inspect/memory.h"
#include "cli/inspect/parts.h"
#include "format/x86/hvm_context.h"
#include "format/x86/pv_fields.h"
#include "format/xend/sxp.h"

/* NULL for a flag without a name. */
static const char *flag_name(unsigned bit)
{
	return bit == 0 ? "JSON" : bit == 1 ? "STREAM_V2" : NULL;
}

static void xl_header(const struct gw_summary *s)
{
	label("xl header");
	printf("at 0x%" PRIx64 ", flags", s->xl_offset);
	for (unsigned bit = 0; bit < 32; bit++) {
		const char *name = flag_name(bit);

		if (!(s->mandatory_flags >> bit & 1))
			continue;
		if (name)
			printf(" %s", name);
		else
			printf(" bit%u", bit);
	}
	printf("%s\n", s->mandatory_flags ? "" : " none");
}

static void xend_header(const struct gw_summary *s)
{
	line("xend header", "at 0x%" PRIx64 ", %zu bytes of config", s->xend_offset, s->config.len);
}

/* The values of its header and of its chunks. */
static void legacy(const struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	const struct gw_legacy_header *h = &e->legacy;

	label("legacy image");
	printf("at 0x%" PRIx64 ", %u-bit toolstack, 0x%" PRIx64 " pfns",
	       inspect->summary.image_offset, 8 * h->kind.width, h->p2m_size);
	if (h->kind.guest == GW_GUEST_X86_PV)
		printf(", %s extended info", h->has_extended_info ? "with" : "without");
	if (h->has_ext_contexts)
		printf(" (extended contexts%s)", h->xsave_bytes ? ", extended state" : "");
	else if (h->xsave_bytes)
		printf(" (extended state)");
	if (e->legacy_compressed)
		printf(", compressed");
	if (e->legacy_last_checkpoint)
		printf(", with LAST_CHECKPOINT");
	putchar('\n');
}

static void layers(const struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	const struct gw_summary *s = &inspect->summary;

	if (e->has_xl)
		xl_header(s);
	if (e->has_xend)
		xend_header(s);
	if (e->has_stream)
		line("libxl stream", "at 0x%" PRIx64 ", version %" PRIu32 "%s%s", s->stream_offset,
		     e->stream.version,
		     e->stream.options & GW_STREAM_BIG_ENDIAN ? ", big-endian" : "",
		     e->stream.options & GW_STREAM_CONVERTED ? ", converted from a legacy stream"
							     : "");
	if (e->has_legacy)
		legacy(inspect);
	else if (!e->has_image)
		return;
	else if (e->image.xen_major)
		line("libxc image",
		     "at 0x%" PRIx64 ", version %" PRIu32 ", written by Xen %" PRIu32 ".%" PRIu32,
		     s->image_offset, e->image.version, e->image.xen_major, e->image.xen_minor);
	else
		line("libxc image",
		     "at 0x%" PRIx64 ", version %" PRIu32 ", converted from a legacy image",
		     s->image_offset, e->image.version);
}

static void devices(const struct gw_xend_config *xend)
{
	if (!xend->nr_devices)
		return;
	label("Devices");
	for (size_t i = 0; i < xend->nr_devices; i++) {
		printf("%s%" PRIu32 " ", i ? ", " : "", xend->devices[i].count);
		gw_print_safe(stdout, xend->devices[i].kind);
	}
	putchar('\n');
}

static void guest(const struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	const struct gw_summary *s = &inspect->summary;
	const struct gw_config *c = &inspect->config;
	static const uint8_t no_uuid[16];
	char uuid[37];

	if (!e->has_image && !inspect->has_config)
		return;
	label("Guest");
	if (e->has_image)
		printf("%s%s", gw_guest_type_title(e->image.type), c->pvh ? " (PVH)" : "");
	if (s->has_pv_info)
		printf(", %u-bit with %u page table levels", s->pv_info.guest_width * 8u,
		       s->pv_info.pt_levels);
	putchar('\n');
	if (!inspect->has_config)
		return;
	if (c->name) {
		label("Name");
		gw_print_safe(stdout, c->name);
		putchar('\n');
	}
	gw_uuid_format(c->uuid, uuid);
	if (memcmp(c->uuid, no_uuid, sizeof(no_uuid)))
		line("UUID", "%s", uuid);
	line("Config", "%u vCPU%s, %" PRIu64 " KiB", c->max_vcpus, c->max_vcpus == 1 ? "" : "s",
	     c->max_memkb);
	if (c->kernel) {
		label("Kernel");
		gw_print_safe(stdout, c->kernel);
		putchar('\n');
	}
	devices(&inspect->xend);
}

static void config_lines(const char *text)
{
	printf("Config text:\n");
	while (*text) {
		size_t len = strcspn(text, "\n");
		GW_FREE_ON_EXIT char *copy = strndup(text, len);

		fputs("    ", stdout);
		gw_print_safe(stdout, copy ? copy : "");
		putchar('\n');
		text += len;
		text += *text == '\n';
	}
}

/* A config that is not JSON: printed unchanged, except xend's, which is one long line. */
static int raw_config(const struct gw_summary *s, struct gw_error *err)
{
	struct gw_buffer laid_out = {0};
	const char *text = (const char *)s->config.data;
	int rc = 0;

	if (!s->has_config || s->config_is_json)
		return 0;
	if (s->config_is_xend && gw_sxp_lay_out(text, s->config.len, &laid_out, NULL) == 0) {
		rc = gw_buffer_append(&laid_out, NULL, 1, err);
		text = (const char *)laid_out.data;
	}
	if (rc == 0)
		config_lines(text);
	gw_buffer_free(&laid_out);
	return rc;
}

static void types(const struct gw_summary *s, enum gw_layer layer, const char *name)
{
	bool first = true;
	char title[40];

	for (size_t i = 0; i < s->nr_types; i++) {
		const struct gw_type_count *t = &s->types[i];

		if (t->layer != layer)
			continue;
		line(first ? name : "", "%8" PRIu64 "  %-26s %12" PRIu64 " bytes", t->count,
		     gw_record_title(layer, t->type, title, sizeof(title)), t->bytes);
		first = false;
	}
}

static void items(const struct gw_summary *s)
{
	for (size_t i = 0; i < s->nr_items; i++)
		line(i ? "" : "legacy chunks", "%8" PRIu64 "  %-26s %12" PRIu64 " bytes",
		     s->items[i].count, s->items[i].name, s->items[i].bytes);
}

static void params(const struct gw_summary *s)
{
	for (size_t i = 0; i < s->nr_params; i++) {
		const char *name = gw_hvm_param_name(s->params[i].index);

		label(i ? "" : "HVM params");
		if (name)
			printf("%-26s", name);
		else
			printf("param %-20" PRIu64, s->params[i].index);
		printf(" 0x%" PRIx64 "\n", s->params[i].value);
	}
}

static void vcpus(const struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (s->nr_vcpus && inspect->examination.image.type != GW_GUEST_X86_PV) {
		label("vCPUs");
		printf("%zu: ", s->nr_vcpus);
		for (size_t i = 0; i < s->nr_vcpus; i++)
			printf("%s%" PRIu32,
			       i		 ? ", "
			       : s->nr_vcpus > 1 ? "ids "
						 : "id ",
			       s->vcpus[i].id);
		putchar('\n');
		return;
	}
	if (s->nr_vcpus)
		line("vCPUs", "%zu", s->nr_vcpus);
	for (size_t i = 0; i < s->nr_vcpus; i++) {
		const struct gw_vcpu_summary *v = &s->vcpus[i];

		line("",
		     "id %" PRIu32 ": basic %" PRIu32 ", extended %" PRIu32 ", xsave %" PRIu32
		     ", MSRs %" PRIu32 " bytes",
		     v->id, v->basic, v->extended, v->xsave, v->msrs);
	}
}

static void context(const struct gw_summary *s)
{
	if (!s->hvm_context_bytes)
		return;
	line("HVM context", "%" PRIu32 " bytes", s->hvm_context_bytes);
	for (size_t i = 0; i < s->nr_codes; i++) {
		const struct gw_code_count *c = &s->codes[i];
		const char *name = gw_hvm_code_name(c->code);
		char number[20];

		if (c->code == GW_HVM_END)
			continue;
		snprintf(number, sizeof(number), "code %u", c->code);
		line("", "%8" PRIu32 "  %-26s %12" PRIu64 " bytes", c->count, name ? name : number,
		     c->bytes);
	}
}

static void tsc(const struct gw_summary *s)
{
	const char *name = gw_tsc_mode_name(s->tsc.mode);

	if (s->has_tsc)
		line("TSC",
		     "mode %" PRIu32 " (%s), %" PRIu32 " kHz, %" PRIu64 " ns, incarnation %" PRIu32,
		     s->tsc.mode, name ? name : "unknown", s->tsc.khz, s->tsc.nsec,
		     s->tsc.incarnation);
}

static void state(const struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	const struct gw_image_facts *f = &inspect->examination.facts;

	if (f->checkpoints)
		line("Checkpoints", "%" PRIu64 "%s", f->checkpoints,
		     s->unfinished ? "; the incomplete round after them is left out" : "");
	if (f->verify_mode)
		line("Verify", "the pages are sent once more after %s",
		     inspect->examination.has_legacy ? "ENABLE_VERIFY_MODE" : "a VERIFY record");
	if (f->static_data_inferred)
		line("Static data", "its end is inferred, as in every image of version 2");
	if (f->not_for_stock_xen)
		line("Only godwit", "this image contains state that stock Xen does not restore");
	if (s->has_p2m)
		line("P2M", "pfns 0x%" PRIx32 "-0x%" PRIx32 " in %" PRIu32 " frames",
		     s->p2m.start_pfn, s->p2m.end_pfn, s->p2m.count);
	if (s->nr_leaves || s->nr_msrs)
		line("CPU policy", "%" PRIu32 " CPUID leaves, %" PRIu32 " MSRs", s->nr_leaves,
		     s->nr_msrs);
	tsc(s);
	vcpus(inspect);
	params(s);
	context(s);
	gw_inspect_emulator_text(inspect, false);
	if (s->has_xenstore)
		line("", "%" PRIu64 " xenstore keys", s->xenstore_keys);
}

/* The requested parts, in full. */
static int parts(struct gw_inspect *inspect, struct gw_error *err)
{
	if (inspect->memory && gw_inspect_memory_text(inspect, err) < 0)
		return -1;
	if (inspect->page_tables && gw_inspect_tables_text(inspect, err) < 0)
		return -1;
	if (inspect->params)
		params(&inspect->summary);
	if (inspect->policy)
		gw_inspect_policy_text(inspect);
	if (inspect->platform)
		tsc(&inspect->summary);
	if (inspect->one_vcpu)
		gw_inspect_vcpu_text(inspect);
	if (inspect->platform || inspect->one_vcpu)
		gw_inspect_platform_text(inspect);
	if (inspect->platform)
		gw_inspect_emulator_text(inspect, true);
	return 0;
}

int gw_inspect_text(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_summary *s = &inspect->summary;
	char title[256];

	if (inspect->records && inspect->examination.has_image)
		putchar('\n');
	gw_print_safe(stdout, inspect->file);
	printf(": %s\n", gw_examination_title(&inspect->examination, title, sizeof(title)));
	if (inspect->narrowed)
		return parts(inspect, err);
	layers(inspect);
	guest(inspect);
	if (raw_config(s, err) < 0)
		return -1;
	items(s);
	types(s, GW_LAYER_LIBXL,
	      inspect->examination.has_legacy ? "become libxl" : "libxl records");
	types(s, GW_LAYER_LIBXC,
	      inspect->examination.has_legacy ? "become libxc" : "libxc records");
	if (gw_inspect_memory_text(inspect, err) < 0)
		return -1;
	state(inspect);
	return 0;
}
