/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON output of inspect. docs/inspect-json.md specifies it: change both together, and raise
 * the version number there when a member is removed or changes its meaning.
 */
#include "cli/inspect/inspect.h"

#include <string.h>

#include "cli/inspect/memory.h"
#include "cli/inspect/parts.h"
#include "examine/describe.h"
#include "format/x86/hvm_context.h"
#include "format/x86/pv_fields.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *legacy(const struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	const struct gw_legacy_header *h = &e->legacy;

	return json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:b, s:b}", "offset",
			 number(inspect->summary.image_offset), "toolstack_bits",
			 number(8 * h->kind.width), "p2m_size", number(h->p2m_size),
			 "extended_info", h->has_extended_info, "extended_contexts",
			 h->has_ext_contexts, "xsave_bytes", number(h->xsave_bytes),
			 "unknown_blocks", number(h->unknown_blocks), "compressed",
			 e->legacy_compressed, "last_checkpoint", e->legacy_last_checkpoint);
}

static void layers(struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	const struct gw_summary *s = &inspect->summary;
	json_t *list = json_object();

	if (e->has_xl)
		json_object_set_new(list, "xl",
				    json_pack("{s:o, s:o, s:o}", "offset", number(s->xl_offset),
					      "mandatory_flags", number(s->mandatory_flags),
					      "optional_flags", number(s->optional_flags)));
	if (e->has_xend)
		json_object_set_new(list, "xend",
				    json_pack("{s:o, s:o}", "offset", number(s->xend_offset),
					      "config_bytes", number(s->config.len)));
	if (e->has_stream)
		json_object_set_new(list, "libxl",
				    json_pack("{s:o, s:o, s:o, s:b}", "offset",
					      number(s->stream_offset), "version",
					      number(e->stream.version), "options",
					      number(e->stream.options), "converted",
					      (e->stream.options & GW_STREAM_CONVERTED) != 0));
	if (e->has_legacy)
		json_object_set_new(list, "legacy", legacy(inspect));
	else if (e->has_image)
		json_object_set_new(
			list, "libxc",
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "offset",
				  number(s->image_offset), "version", number(e->image.version),
				  "options", number(e->image.options), "type",
				  number(e->image.type), "page_shift", number(e->image.page_shift),
				  "xen_major", number(e->image.xen_major), "xen_minor",
				  number(e->image.xen_minor), "converted",
				  e->image.xen_major == 0));
	gw_json_member(&inspect->writer, "layers", list);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, gw_json_text(text, strlen(text)));
}

/* xend's devices, counted by kind. */
static json_t *devices(const struct gw_xend_config *xend)
{
	json_t *list = json_array();

	for (size_t i = 0; i < xend->nr_devices; i++) {
		const struct gw_xend_devices *d = &xend->devices[i];

		json_array_append_new(list, json_pack("{s:o, s:o}", "kind",
						      gw_json_text(d->kind, strlen(d->kind)),
						      "count", number(d->count)));
	}
	return list;
}

static void guest(struct gw_inspect *inspect)
{
	const struct gw_config *c = &inspect->config;
	json_t *g = json_object();
	char uuid[37];

	if (inspect->examination.has_image)
		set_text(g, "type", gw_guest_type_title(inspect->examination.image.type));
	if (inspect->has_config) {
		gw_uuid_format(c->uuid, uuid);
		json_object_set_new(g, "pvh", json_boolean(c->pvh));
		set_text(g, "name", c->name);
		set_text(g, "uuid", uuid);
		json_object_set_new(g, "max_vcpus", number(c->max_vcpus));
		json_object_set_new(g, "max_memkb", number(c->max_memkb));
		set_text(g, "kernel", c->kernel);
	}
	if (inspect->has_config && inspect->summary.config_is_xend)
		json_object_set_new(g, "devices", devices(&inspect->xend));
	gw_json_member(&inspect->writer, "guest", g);
}

static void config(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	json_t *parsed = NULL;

	if (!s->has_config)
		return;
	if (s->config_is_json)
		parsed = json_loadb((const char *)s->config.data, s->config.len, 0, NULL);
	if (parsed)
		gw_json_member(&inspect->writer, "config", parsed);
	else
		gw_json_member(&inspect->writer, "config_text",
			       gw_json_text((const char *)s->config.data, s->config.len));
}

static void types(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	char title[40];

	gw_json_list(&inspect->writer, "record_types");
	for (size_t i = 0; i < s->nr_types; i++) {
		const struct gw_type_count *t = &s->types[i];

		gw_json_element(&inspect->writer,
				json_pack("{s:s, s:o, s:s, s:o, s:o}", "layer",
					  t->layer == GW_LAYER_LIBXL ? "libxl" : "libxc", "type",
					  number(t->type), "name",
					  gw_record_title(t->layer, t->type, title, sizeof(title)),
					  "count", number(t->count), "bytes", number(t->bytes)));
	}
	gw_json_list_end(&inspect->writer);
}

/* For a legacy image. */
static void items(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (!inspect->examination.has_legacy)
		return;
	gw_json_list(&inspect->writer, "chunk_types");
	for (size_t i = 0; i < s->nr_items; i++)
		gw_json_element(&inspect->writer,
				json_pack("{s:i, s:s, s:o, s:o}", "id", (int)s->items[i].id, "name",
					  s->items[i].name, "count", number(s->items[i].count),
					  "bytes", number(s->items[i].bytes)));
	gw_json_list_end(&inspect->writer);
}

static void params(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	gw_json_list(&inspect->writer, "hvm_params");
	for (size_t i = 0; i < s->nr_params; i++)
		gw_json_element(&inspect->writer,
				json_pack("{s:o, s:s?, s:o}", "index", number(s->params[i].index),
					  "name", gw_hvm_param_name(s->params[i].index), "value",
					  gw_json_hex(s->params[i].value)));
	gw_json_list_end(&inspect->writer);
}

static void vcpus(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	bool pv = inspect->examination.image.type == GW_GUEST_X86_PV;

	gw_json_list(&inspect->writer, "vcpus");
	for (size_t i = 0; i < s->nr_vcpus; i++) {
		const struct gw_vcpu_summary *v = &s->vcpus[i];

		if (pv)
			gw_json_element(&inspect->writer,
					json_pack("{s:o, s:o, s:o, s:o, s:o}", "id", number(v->id),
						  "basic", number(v->basic), "extended",
						  number(v->extended), "xsave", number(v->xsave),
						  "msrs", number(v->msrs)));
		else
			gw_json_element(&inspect->writer, json_pack("{s:o}", "id", number(v->id)));
	}
	gw_json_list_end(&inspect->writer);
}

static void context(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	json_t *entries;

	if (!s->hvm_context_bytes)
		return;
	entries = json_array();
	for (size_t i = 0; i < s->nr_codes; i++)
		json_array_append_new(entries, json_pack("{s:o, s:s?, s:o, s:o}", "code",
							 number(s->codes[i].code), "name",
							 gw_hvm_code_name(s->codes[i].code),
							 "count", number(s->codes[i].count),
							 "bytes", number(s->codes[i].bytes)));
	gw_json_member(&inspect->writer, "hvm_context",
		       json_pack("{s:o, s:o, s:o}", "bytes", number(s->hvm_context_bytes),
				 "cpuid_1_eax",
				 s->has_hvm_header ? gw_json_hex(s->hvm_cpuid) : json_null(),
				 "entries", entries));
}

static void pv(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (s->has_pv_info)
		gw_json_member(&inspect->writer, "pv",
			       json_pack("{s:i, s:i}", "width", s->pv_info.guest_width, "levels",
					 s->pv_info.pt_levels));
	if (s->has_p2m)
		gw_json_member(&inspect->writer, "p2m",
			       json_pack("{s:o, s:o, s:o}", "first_pfn", number(s->p2m.start_pfn),
					 "last_pfn", number(s->p2m.end_pfn), "frames",
					 number(s->p2m.count)));
}

static void tsc(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (s->has_tsc)
		gw_json_member(&inspect->writer, "tsc",
			       json_pack("{s:o, s:s?, s:o, s:o, s:o}", "mode", number(s->tsc.mode),
					 "mode_name", gw_tsc_mode_name(s->tsc.mode), "khz",
					 number(s->tsc.khz), "nsec", gw_json_hex(s->tsc.nsec),
					 "incarnation", number(s->tsc.incarnation)));
}

static void state(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	struct gw_json_writer *w = &inspect->writer;

	pv(inspect);
	gw_json_member(w, "policy",
		       json_pack("{s:o, s:o}", "cpuid_leaves", number(s->nr_leaves), "msrs",
				 number(s->nr_msrs)));
	gw_inspect_policy_json(inspect);
	tsc(inspect);
	vcpus(inspect);
	gw_inspect_vcpus_json(inspect);
	params(inspect);
	context(inspect);
	gw_inspect_platform_json(inspect);
	gw_inspect_emulator_json(inspect);
	if (s->has_xenstore)
		gw_json_member(w, "xenstore", json_pack("{s:o}", "keys", number(s->xenstore_keys)));
}

static void facts(struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;
	struct gw_json_writer *w = &inspect->writer;

	gw_json_member(w, "checkpoints", number(e->facts.checkpoints));
	gw_json_member(w, "ended", json_boolean(e->facts.ended));
	gw_json_member(w, "verify_mode", json_boolean(e->facts.verify_mode));
	gw_json_member(w, "static_data_inferred", json_boolean(e->facts.static_data_inferred));
	gw_json_member(w, "not_for_stock_xen", json_boolean(e->facts.not_for_stock_xen));
	gw_json_member(w, "bytes", number(e->bytes));
	gw_json_member(w, "errors", number(e->errors));
	gw_json_member(w, "warnings", number(e->warnings));
	gw_json_member(w, "notes", number(e->notes));
}

/* The requested parts. */
static int parts(struct gw_inspect *inspect, struct gw_error *err)
{
	if (inspect->memory && gw_inspect_memory_json(inspect, err) < 0)
		return -1;
	if (inspect->page_tables && gw_inspect_tables_json(inspect, err) < 0)
		return -1;
	if (inspect->params)
		params(inspect);
	if (inspect->policy)
		gw_inspect_policy_json(inspect);
	if (inspect->platform)
		tsc(inspect);
	if (inspect->one_vcpu)
		gw_inspect_vcpus_json(inspect);
	if (inspect->platform || inspect->one_vcpu)
		gw_inspect_platform_json(inspect);
	if (inspect->platform)
		gw_inspect_emulator_json(inspect);
	return 0;
}

int gw_inspect_json(struct gw_inspect *inspect, struct gw_error *err)
{
	gw_json_member(&inspect->writer, "format",
		       json_string(gw_file_format_name(inspect->examination.format)));
	if (inspect->narrowed)
		return parts(inspect, err);
	layers(inspect);
	guest(inspect);
	config(inspect);
	items(inspect);
	types(inspect);
	if (gw_inspect_memory_json(inspect, err) < 0)
		return -1;
	state(inspect);
	facts(inspect);
	return 0;
}
