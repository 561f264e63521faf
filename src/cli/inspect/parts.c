/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decoded state as text: one field a line.
 */
#include "cli/inspect/parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "format/x86/cpu_features.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_fields.h"

bool gw_inspect_wants_entry(const struct gw_inspect *inspect, const struct gw_hvm_entry *entry)
{
	bool per_vcpu = gw_hvm_code_is_per_vcpu(entry->typecode);

	if (entry->typecode == GW_HVM_END)
		return false;
	if (!inspect->narrowed)
		return true;
	if (per_vcpu)
		return inspect->one_vcpu && entry->instance == inspect->vcpu;
	return inspect->platform;
}

/* Elements of arrays that are 0 say nothing. */
static void show_field(void *opaque, const struct gw_field *field)
{
	char text[80];
	const char *flag;

	if (field->element && field->zero)
		return;
	printf("    %-34s %s", field->name, gw_field_text(field, text, sizeof(text)));
	for (size_t i = 0; (flag = gw_field_flag(field, i)); i++)
		printf(" %s", flag);
	if (field->kind == GW_FIELD_BYTES && field->width > 39)
		printf(" (%zu bytes)", field->width);
	putchar('\n');
}

static void entry_text(const struct gw_hvm_entry *entry)
{
	const char *name = gw_hvm_code_name(entry->typecode);

	if (name)
		printf("%s", name);
	else
		printf("code %u", entry->typecode);
	printf(" %u: %" PRIu32 " bytes\n", entry->instance, entry->length);
	if (!gw_hvm_fields(entry, show_field, NULL))
		gw_field_bytes("(unknown)", entry->data, entry->length, show_field, NULL);
}

static void context_text(const struct gw_inspect *inspect)
{
	const struct gw_buffer *blob = &inspect->summary.hvm_context;
	struct gw_hvm_entry entry;
	struct gw_hvm_walk walk;

	gw_hvm_walk_init(&walk, blob->data, blob->len);
	while (blob->len && gw_hvm_walk_next(&walk, &entry, NULL) > 0)
		if (gw_inspect_wants_entry(inspect, &entry))
			entry_text(&entry);
}

void gw_inspect_vcpu_text(const struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	const struct gw_vcpu_summary *v;
	const struct gw_buffer *b;

	if (!s->vcpu_places[inspect->vcpu] || inspect->examination.image.type != GW_GUEST_X86_PV)
		return;
	v = &s->vcpus[s->vcpu_places[inspect->vcpu] - 1];
	b = v->blobs;
	printf("BASIC %" PRIu32 ": %" PRIu32 " bytes\n", v->id, v->basic);
	gw_pv_basic_fields(s->pv_info.guest_width, b[GW_VCPU_BASIC].data, b[GW_VCPU_BASIC].len,
			   show_field, NULL);
	if (v->extended)
		printf("EXTENDED %" PRIu32 ": %" PRIu32 " bytes\n", v->id, v->extended);
	gw_pv_extended_fields(b[GW_VCPU_EXTENDED].data, b[GW_VCPU_EXTENDED].len, show_field, NULL);
	if (v->xsave)
		printf("XSAVE %" PRIu32 ": %" PRIu32 " bytes\n", v->id, v->xsave);
	gw_xsave_fields(b[GW_VCPU_XSAVE].data, b[GW_VCPU_XSAVE].len, show_field, NULL);
	if (v->msrs)
		printf("MSRS %" PRIu32 ": %" PRIu32 " bytes\n", v->id, v->msrs);
	gw_msr_fields(b[GW_VCPU_MSRS].data, b[GW_VCPU_MSRS].len, show_field, NULL);
}

void gw_inspect_platform_text(const struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;

	if (s->shared_info.len && inspect->platform) {
		printf("SHARED_INFO: %zu bytes\n", s->shared_info.len);
		gw_shared_info_fields(s->pv_info.guest_width, s->shared_info.data,
				      s->shared_info.len, show_field, NULL);
	}
	context_text(inspect);
}

static void leaf_text(const struct gw_cpuid_leaf *leaf)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};

	printf("0x%08" PRIx32, leaf->leaf);
	if (leaf->subleaf == GW_CPUID_NO_SUBLEAF)
		printf("     ");
	else
		printf(".%-4" PRIu32, leaf->subleaf);
	for (unsigned reg = GW_EAX; reg <= GW_EDX; reg++)
		printf(" %s %08" PRIx32, regs[reg], gw_cpuid_leaf_reg(leaf, reg));
	putchar('\n');
	for (unsigned reg = GW_EAX; reg <= GW_EDX; reg++) {
		unsigned shown = 0;

		for (unsigned bit = 0; bit < 32; bit++) {
			const char *name = gw_cpu_feature_name(leaf->leaf, leaf->subleaf, reg, bit);

			if (!name || !(gw_cpuid_leaf_reg(leaf, reg) >> bit & 1))
				continue;
			if (!shown++)
				printf("    %s:", regs[reg]);
			printf(" %s", name);
		}
		if (shown)
			putchar('\n');
	}
}

/* What Xen compares with the host's own policy, feature bits apart. */
static void needs_text(const struct gw_policy *p)
{
	const struct gw_cpuid_leaf *basic = gw_policy_leaf(p, GW_LEAF_BASIC, 0);
	const struct gw_cpuid_leaf *extended = gw_policy_leaf(p, GW_LEAF_EXTENDED, 0);
	char vendor[GW_CPU_VENDOR_SIZE];

	if (!basic || !extended)
		return;
	gw_cpu_vendor((const uint32_t[]){basic->a, basic->b, basic->c, basic->d}, vendor);
	printf("Needs a host with leaves up to 0x%" PRIx32 " and 0x%" PRIx32
	       ", for Xen 4.22 a CPU of vendor %s\n",
	       basic->a, extended->a, vendor);
}

void gw_inspect_policy_text(const struct gw_inspect *inspect)
{
	const struct gw_policy *p = &inspect->summary.policy;

	for (size_t i = 0; i < p->nr_leaves; i++)
		leaf_text(&p->leaves[i]);
	for (size_t i = 0; i < p->nr_msrs; i++) {
		const char *name = gw_msr_name(p->msrs[i].index);

		printf("MSR 0x%08" PRIx32 " %-22s 0x%" PRIx64, p->msrs[i].index, name ? name : "",
		       p->msrs[i].value);
		for (unsigned bit = 0; bit < 64 && p->msrs[i].index == GW_MSR_ARCH_CAPABILITIES;
		     bit++)
			if (p->msrs[i].value >> bit & 1 && gw_arch_caps_names[bit])
				printf(" %s", gw_arch_caps_names[bit]);
		putchar('\n');
	}
	needs_text(p);
}
