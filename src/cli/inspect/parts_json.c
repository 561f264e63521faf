/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decoded state as JSON. docs/inspect-json.md describes it.
 */
#include "cli/inspect/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "format/x86/cpu_features.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_fields.h"

/* Numbers up to here are exact in every reader of JSON. */
#define EXACT_MAX (UINT64_C(1) << 53)

static json_t *hex_of(const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	GW_FREE_ON_EXIT char *text = malloc(len * 2 + 1);

	for (size_t i = 0; text && i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return text ? json_stringn(text, len * 2) : NULL;
}

static json_t *value_of(const struct gw_field *field)
{
	char text[32];

	if (field->kind == GW_FIELD_BYTES)
		return hex_of(field->bytes, field->width);
	if (field->kind == GW_FIELD_DEC && field->value <= EXACT_MAX && field->width < 8)
		return json_integer((json_int_t)field->value);
	return json_string(gw_field_text(field, text, sizeof(text)));
}

static void add_field(void *object, const struct gw_field *field)
{
	char key[64];
	const char *flag;
	json_t *flags;

	json_object_set_new(object, field->name, value_of(field));
	if (!field->names)
		return;
	flags = json_array();
	for (size_t i = 0; (flag = gw_field_flag(field, i)); i++)
		json_array_append_new(flags, json_string(flag));
	snprintf(key, sizeof(key), "%s_flags", field->name);
	json_object_set_new(object, key, flags);
}

static void entry_json(struct gw_inspect *inspect, const struct gw_hvm_entry *entry)
{
	json_t *fields = json_object();
	bool known = gw_hvm_fields(entry, add_field, fields);
	json_t *element = json_pack("{s:i, s:s?, s:i, s:I}", "code", entry->typecode, "name",
				    gw_hvm_code_name(entry->typecode), "instance", entry->instance,
				    "length", (json_int_t)entry->length);

	if (known)
		json_object_set(element, "fields", fields);
	else
		json_object_set_new(element, "data", hex_of(entry->data, entry->length));
	json_decref(fields);
	gw_json_element(&inspect->writer, element);
}

void gw_inspect_platform_json(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	struct gw_hvm_entry entry;
	struct gw_hvm_walk walk;

	if (s->shared_info.len && (!inspect->narrowed || inspect->platform)) {
		json_t *fields = json_object();

		gw_shared_info_fields(s->pv_info.guest_width, s->shared_info.data,
				      s->shared_info.len, add_field, fields);
		gw_json_member(&inspect->writer, "shared_info", fields);
	}
	if (!s->hvm_context.len)
		return;
	gw_json_list(&inspect->writer, "hvm_entries");
	gw_hvm_walk_init(&walk, s->hvm_context.data, s->hvm_context.len);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0)
		if (gw_inspect_wants_entry(inspect, &entry))
			entry_json(inspect, &entry);
	gw_json_list_end(&inspect->writer);
}

static json_t *pv_vcpu(const struct gw_summary *s, const struct gw_vcpu_summary *v)
{
	const struct gw_buffer *b = v->blobs;
	json_t *basic = json_object(), *extended = json_object(), *xsave = json_object(),
	       *msrs = json_object();

	gw_pv_basic_fields(s->pv_info.guest_width, b[GW_VCPU_BASIC].data, b[GW_VCPU_BASIC].len,
			   add_field, basic);
	gw_pv_extended_fields(b[GW_VCPU_EXTENDED].data, b[GW_VCPU_EXTENDED].len, add_field,
			      extended);
	gw_xsave_fields(b[GW_VCPU_XSAVE].data, b[GW_VCPU_XSAVE].len, add_field, xsave);
	gw_msr_fields(b[GW_VCPU_MSRS].data, b[GW_VCPU_MSRS].len, add_field, msrs);
	return json_pack("{s:I, s:o, s:o, s:o, s:o}", "id", (json_int_t)v->id, "basic", basic,
			 "extended", extended, "xsave", xsave, "msrs", msrs);
}

void gw_inspect_vcpus_json(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (inspect->examination.image.type != GW_GUEST_X86_PV)
		return;
	gw_json_list(&inspect->writer, "vcpu_state");
	for (size_t i = 0; i < s->nr_vcpus; i++)
		if (!inspect->narrowed || s->vcpus[i].id == inspect->vcpu)
			gw_json_element(&inspect->writer, pv_vcpu(s, &s->vcpus[i]));
	gw_json_list_end(&inspect->writer);
}

static json_t *features_of(const struct gw_cpuid_leaf *leaf)
{
	json_t *features = json_array();

	for (unsigned reg = GW_EAX; reg <= GW_EDX; reg++) {
		for (unsigned bit = 0; bit < 32; bit++) {
			const char *name = gw_cpu_feature_name(leaf->leaf, leaf->subleaf, reg, bit);

			if (name && gw_cpuid_leaf_reg(leaf, reg) >> bit & 1)
				json_array_append_new(features, json_string(name));
		}
	}
	return features;
}

static json_t *bits_of(const struct gw_msr_entry *msr)
{
	json_t *bits = json_array();

	for (unsigned bit = 0; bit < 64 && msr->index == GW_MSR_ARCH_CAPABILITIES; bit++)
		if (msr->value >> bit & 1 && gw_arch_caps_names[bit])
			json_array_append_new(bits, json_string(gw_arch_caps_names[bit]));
	return bits;
}

void gw_inspect_policy_json(struct gw_inspect *inspect)
{
	const struct gw_policy *p = &inspect->summary.policy;

	gw_json_list(&inspect->writer, "cpuid");
	for (size_t i = 0; i < p->nr_leaves; i++) {
		const struct gw_cpuid_leaf *l = &p->leaves[i];

		gw_json_element(&inspect->writer,
				json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "leaf",
					  gw_json_hex(l->leaf), "subleaf",
					  l->subleaf == GW_CPUID_NO_SUBLEAF
						  ? json_null()
						  : json_integer((json_int_t)l->subleaf),
					  "eax", gw_json_hex(l->a), "ebx", gw_json_hex(l->b), "ecx",
					  gw_json_hex(l->c), "edx", gw_json_hex(l->d), "features",
					  features_of(l)));
	}
	gw_json_list_end(&inspect->writer);
	gw_json_list(&inspect->writer, "msr_policy");
	for (size_t i = 0; i < p->nr_msrs; i++)
		gw_json_element(&inspect->writer, json_pack("{s:o, s:s?, s:o, s:o}", "index",
							    gw_json_hex(p->msrs[i].index), "name",
							    gw_msr_name(p->msrs[i].index), "value",
							    gw_json_hex(p->msrs[i].value),
							    "features", bits_of(&p->msrs[i])));
	gw_json_list_end(&inspect->writer);
}
