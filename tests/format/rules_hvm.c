/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests of the rules for HVM contexts and params: each fault of a context that is good otherwise.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/hvm_context.h"
#include "rulecheck.h"
#include "rules_hvm.h"

/* What comes before the state that is judged. */
struct before {
	struct gw_policy policy; /* nr_leaves 0: none */
	struct gw_config_facts config;
	unsigned xen;
};

static void record(struct gw_image_rules *rules, uint32_t type, const void *data, size_t len)
{
	const struct gw_record rec = {.type = type, .length = (uint32_t)len, .data = data};

	gw_image_rules_record(rules, &rec, NULL);
}

static struct gw_image_rules *begin(const struct before *before, const struct gw_findings *out)
{
	const struct gw_image_header h = {
		.version = 3, .type = GW_GUEST_X86_HVM, .page_shift = 12, .xen_major = 4};
	struct gw_image_rules *rules = gw_image_rules_new(out, 0, GW_IMAGE_ANY, 0);
	struct gw_buffer buf = {0};
	struct gw_error err = GW_ERROR_INIT;

	assert_non_null(rules);
	gw_image_rules_config(rules, &before->config);
	gw_image_rules_header(rules, &h, NULL);
	if (before->policy.nr_leaves) {
		assert_ok(gw_policy_append(&buf, &before->policy, &err), &err);
		record(rules, GW_REC_X86_CPUID_POLICY, buf.data + 8, before->policy.nr_leaves * 24);
	}
	if (before->policy.nr_msrs)
		record(rules, GW_REC_X86_MSR_POLICY, before->policy.msrs,
		       before->policy.nr_msrs * 16);
	record(rules, GW_REC_STATIC_DATA_END, NULL, 0);
	gw_buffer_free(&buf);
	return rules;
}

static void check_ids(const struct seen *seen, const char *ids, const char *what)
{
	char got[sizeof(seen->ids)];

	snprintf(got, sizeof(got), "%s", seen->ids);
	if (*got)
		got[strlen(got) - 1] = 0;
	if (strcmp(got, ids) != 0)
		fail_msg("%s: \"%s\", expected \"%s\" (%s)", what, got, ids, seen->last.text);
}

static void context_after(const struct before *before, const struct gw_buffer *context,
			  const char *ids, const char *what)
{
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen, 0};
	struct gw_image_rules *rules = begin(before, &out);

	record(rules, GW_REC_HVM_CONTEXT, context->data, context->len);
	check_ids(&seen, ids, what);
	gw_image_rules_free(rules);
}

static const struct before nothing;

/* The data of an entry, and its descriptor before it. */
static uint8_t *entry_of(struct gw_buffer *context, uint16_t code, uint16_t instance)
{
	struct gw_hvm_entry entry;
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(gw_hvm_find(context->data, context->len, code, instance, &entry, &err), 1);
	return context->data + entry.offset + 8;
}

/* An entry of the context with one changed field; negative offsets are in the descriptor. */
struct fault {
	uint16_t code, instance;
	int offset;
	uint8_t width;
	uint64_t value;
	const char *ids;
};

static void put(uint8_t *at, uint8_t width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void one_fault(const struct before *before, const struct fault *f)
{
	struct gw_buffer context = hvm_context_of_all();
	char what[80];

	snprintf(what, sizeof(what), "%s %u at %d is 0x%llx", gw_hvm_code_name(f->code),
		 f->instance, f->offset, (unsigned long long)f->value);
	put(entry_of(&context, f->code, f->instance) + f->offset, f->width, f->value);
	context_after(before, &context, f->ids, what);
	gw_buffer_free(&context);
}

void hvm_contexts_without_fault(void **state)
{
	struct gw_buffer context = hvm_context_of_all();

	context_after(&nothing, &context, "", "every entry");
	gw_buffer_free(&context);
	context = hvm_context(128);
	context_after(&nothing, &context, "", "128 vCPUs");
	gw_buffer_free(&context);
}

#define CPU(offset, width, value, ids)                                                             \
	{                                                                                          \
		GW_HVM_CPU, 0, offset, width, value, ids                                           \
	}
#define XSAVE(offset, width, value, ids)                                                           \
	{                                                                                          \
		GW_HVM_CPU_XSAVE, 0, offset, width, value, ids                                     \
	}
#define MSR(offset, width, value, ids)                                                             \
	{                                                                                          \
		GW_HVM_CPU_MSR, 0, offset, width, value, ids                                       \
	}
#define PIT(offset, width, value, ids)                                                             \
	{                                                                                          \
		GW_HVM_PIT, 0, offset, width, value, ids                                           \
	}

static const struct fault faults[] = {
	{GW_HVM_HEADER, 0, 0, 4, 0x54381287, "hvm-context-header"},
	{GW_HVM_HEADER, 0, 4, 4, 2, "hvm-context-header"},
	/* Descriptors: typecode, instance. */
	{GW_HVM_TSC_ADJUST, 0, -8, 2, 21, "hvm-context-typecode"},
	{GW_HVM_TSC_ADJUST, 0, -8, 2, 1, "hvm-context-typecode"},
	{GW_HVM_RTC, 0, -8, 2, GW_HVM_VIRIDIAN_DOMAIN, ""},
	{GW_HVM_PMTIMER, 0, -8, 2, GW_HVM_PCI_IRQ, "hvm-context-length"},
	{GW_HVM_CPU, 0, -6, 2, 9, "hvm-context-vcpu"},
	{GW_HVM_CPU, 0, -6, 2, 65535, "hvm-context-vcpu"},
	{GW_HVM_MTRR, 0, -6, 2, 1, "hvm-context-vcpu"},
	{GW_HVM_PIC, 1, -6, 2, 2, "hvm-pic-instance"},
	{GW_HVM_IOAPIC, 0, -6, 2, 9, ""},
	/* CPU */
	CPU(656, 8, 0x1, "hvm-cpu-cr0"),
	CPU(656, 8, 0x80000010, "hvm-cpu-cr0"),
	CPU(656, 8, 0x80000011, ""),
	CPU(656, 8, 0x51, "hvm-cpu-cr0"),
	CPU(656, 8, 0x100000011, "hvm-cpu-cr0"),
	CPU(672, 8, UINT64_C(1) << 51, ""),
	CPU(672, 8, UINT64_C(1) << 52, "hvm-cpu-cr3"),
	CPU(680, 8, 0x7727ff, ""),
	CPU(680, 8, 1 << 12, "hvm-cpu-cr4"),
	CPU(680, 8, 1 << 23, "hvm-cpu-cr4"),
	CPU(680, 8, UINT64_C(1) << 32, "hvm-cpu-cr4"),
	CPU(680, 8, 1 << 24, "hvm-cpu-cr4-pks"),
	CPU(680, 8, 1 << 27, "hvm-cpu-cr4-lass"),
	CPU(992, 8, 0x5901, ""),
	CPU(992, 8, 0x2, "hvm-cpu-efer"),
	CPU(992, 8, 0x2000, "hvm-cpu-efer"),
	CPU(992, 8, 0x500, "hvm-cpu-efer"), /* LMA without paging */
	CPU(992, 8, 1 << 21, "hvm-cpu-efer-aibrse"),
	CPU(720, 8, UINT64_C(1) << 32, "hvm-cpu-debug"),
	CPU(728, 8, UINT64_C(1) << 32, "hvm-cpu-debug"),
	CPU(1000, 8, UINT64_C(1) << 32, "hvm-cpu-tsc-aux"),
	CPU(1024, 4, 1, ""),
	CPU(1024, 4, 2, "hvm-cpu-reserved"),
	CPU(1028, 4, 1, "hvm-cpu-reserved"),
	CPU(1016, 4, 0x00001100, ""), /* not valid: not looked at */
	CPU(1016, 4, 0x80000600, ""),
	CPU(1016, 4, 0x80000100, "hvm-cpu-event"),
	CPU(1016, 4, 0x80000700, "hvm-cpu-event"),
	CPU(1016, 4, 0x80001000, "hvm-cpu-event"),
	CPU(1016, 8, UINT64_C(0x1000080000b0e), "hvm-cpu-event"), /* error code above 0xffff */
	CPU(1016, 8, UINT64_C(0x100008000030e), ""),		  /* not valid either */
	/* XCR0, its accumulator, the header of the area */
	XSAVE(8, 8, 7, ""),
	XSAVE(8, 8, 2, "hvm-xsave-xcr0"),
	XSAVE(8, 8, 0, "hvm-xsave-xcr0"),
	XSAVE(8, 8, 0xf, "hvm-xsave-xcr0"),
	XSAVE(16, 8, 3, ""), /* a tail of zeros */
	XSAVE(16, 8, 1, "hvm-xsave-xcr0 hvm-xsave-header"),
	XSAVE(16, 8, 0x27, "hvm-xsave-xcr0 hvm-xsave-size"),
	XSAVE(16, 8, 0xe7, "hvm-xsave-size"),
	XSAVE(16, 8, UINT64_C(1) << 62 | 7, "hvm-xsave-xcr0"),
	XSAVE(24 + 512, 8, 4, ""),
	XSAVE(24 + 512, 8, 8, "hvm-xsave-header"),
	XSAVE(24 + 520, 8, UINT64_C(1) << 63, "hvm-xsave-header"),
	XSAVE(24 + 575, 1, 1, "hvm-xsave-header"),
	XSAVE(24 + 600, 1, 1, ""),
	/* MSRs */
	MSR(0, 4, 2, "hvm-msr-body"),
	MSR(0, 4, 0x10000001, "hvm-msr-body"),
	MSR(12, 4, 1, "hvm-msr-body"),
	MSR(8, 4, 0x1b, "hvm-msr-index"),
	MSR(16, 8, 0x100, "hvm-msr-value"),
	MSR(16, 8, 0x8, "hvm-msr-spec-ctrl"),
	MSR(8, 4, 0x140, ""),
	MSR(8, 4, 0x6e1, "hvm-msr-pkrs"),
	MSR(8, 4, 0xc001011f, "hvm-msr-virt-spec-ctrl"),
	MSR(8, 4, 0xda0, "hvm-msr-value"), /* XSS has no bit */
	MSR(8, 4, 0xd90, "hvm-msr-value"), /* BNDCFGS, without the states of MPX */
	MSR(8, 4, 0xc0011027, ""),
	/* devices */
	{GW_HVM_PIC, 0, 7, 1, 2, "hvm-pic-state"},
	{GW_HVM_PIC, 0, 5, 1, 0, "hvm-pic-state"},
	{GW_HVM_PIC, 1, 5, 1, 0x40, "hvm-pic-state"},
	{GW_HVM_PIC, 0, 4, 1, 1, "hvm-pic-state"},
	{GW_HVM_PIC, 0, 6, 1, 2, "hvm-pic-state"},
	{GW_HVM_PIC, 1, 6, 1, 0x20, "hvm-pic-state"},
	{GW_HVM_LAPIC, 0, 0, 4, 0xfee00400, "hvm-lapic-mode"},
	{GW_HVM_LAPIC, 0, 0, 4, 0xfee00c00, ""},
	{GW_HVM_PCI_LINK, 0, 3, 1, 16, "hvm-pci-link"},
	{GW_HVM_PCI_LINK, 0, 7, 1, 1, "hvm-pci-link-padding"},
	PIT(0, 4, 0x10001, "hvm-pit-state"),
	PIT(6, 1, 5, "hvm-pit-state"),
	PIT(16 + 9, 1, 5, "hvm-pit-state"),
	PIT(32 + 10, 1, 5, "hvm-pit-state"),
	PIT(32 + 12, 1, 4, "hvm-pit-state"),
	PIT(14, 1, 2, "hvm-pit-state"),
	PIT(15, 1, 0, "hvm-pit-state"),
	PIT(32 + 15, 1, 1, ""),
	PIT(32 + 15, 1, 2, "hvm-pit-state"),
	PIT(48, 4, 2, "hvm-pit-state"),
	PIT(52, 4, 1, "hvm-pit-state"),
	{GW_HVM_MTRR, 0, 224, 1, 9, "hvm-mtrr-ranges"},
	{GW_HVM_VIRIDIAN_VCPU, 0, 8, 1, 1, ""},
	{GW_HVM_VIRIDIAN_VCPU, 0, 15, 1, 1, "hvm-viridian-padding"},
	{GW_HVM_VMCE_VCPU, 0, 1, 1, 4, "hvm-vmce-caps"},
};

void hvm_entries(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(faults); i++)
		one_fault(&nothing, &faults[i]);
}

/* HEADER, CPU, one entry of that length, END. */
static void with_entry(uint16_t code, uint32_t len, const char *ids)
{
	static const uint8_t zeros[2048];
	struct gw_buffer context = hvm_context(1);
	char what[40];

	context.len -= 8;
	hvm_put(&context, code, 0, zeros, len);
	hvm_put(&context, GW_HVM_END, 0, NULL, 0);
	snprintf(what, sizeof(what), "%s of %u bytes", gw_hvm_code_name(code), len);
	context_after(&nothing, &context, ids, what);
	gw_buffer_free(&context);
}

static void lengths(void)
{
	static const struct {
		uint16_t code;
		uint32_t len;
		bool shorter;
	} fixed[] = {
		{GW_HVM_IOAPIC, 400, false},  {GW_HVM_LAPIC_REGS, 1024, false},
		{GW_HVM_PCI_IRQ, 16, false},  {GW_HVM_ISA_IRQ, 8, false},
		{GW_HVM_HPET, 1048, false},   {GW_HVM_PMTIMER, 8, false},
		{GW_HVM_MTRR, 240, false},    {GW_HVM_TSC_ADJUST, 8, false},
		{GW_HVM_RTC, 24, true},	      {GW_HVM_VIRIDIAN_DOMAIN, 32, true},
		{GW_HVM_VMCE_VCPU, 32, true}, {GW_HVM_VIRIDIAN_VCPU, 216, true},
		{GW_HVM_PCI_LINK, 8, false},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(fixed); i++) {
		with_entry(fixed[i].code, fixed[i].len, "");
		with_entry(fixed[i].code, fixed[i].len + 1, "hvm-context-length");
		with_entry(fixed[i].code, fixed[i].len - 1,
			   fixed[i].shorter ? "" : "hvm-context-length");
		with_entry(fixed[i].code, 0, fixed[i].shorter ? "" : "hvm-context-length");
	}
	with_entry(GW_HVM_LAPIC, 24, "");
	with_entry(GW_HVM_LAPIC, 32, "hvm-context-lapic-size");
	with_entry(GW_HVM_LAPIC, 33, "hvm-context-length");
	with_entry(GW_HVM_CPU_XSAVE, 599, "hvm-context-length");
	with_entry(GW_HVM_CPU_MSR, 23, "hvm-context-length");
	with_entry(GW_HVM_CPU_MSR, 24, "hvm-msr-body");
	/* A CPU that ends before CR0 has none. */
	with_entry(GW_HVM_CPU, 600, "hvm-cpu-cr0");
	with_entry(GW_HVM_CPU, 1033, "hvm-context-length");
}

void hvm_chains(void **state)
{
	struct gw_buffer context = hvm_context(1);

	lengths();
	context_after(&nothing, &context, "", "one CPU");
	put(context.data + 4, 4, 23);
	context_after(&nothing, &context, "hvm-context-length hvm-context-walk", "short HEADER");
	put(context.data + 4, 4, 24);
	put(context.data, 2, GW_HVM_CPU);
	context_after(&nothing, &context, "hvm-context-walk", "no HEADER");
	put(context.data, 2, GW_HVM_HEADER);
	put(context.data + 32 + 4, 4, GW_HVM_CPU_SIZE + 9);
	context_after(&nothing, &context, "hvm-context-walk", "a long entry");
	put(context.data + 32 + 4, 4, GW_HVM_CPU_SIZE);
	context.len -= 1;
	context_after(&nothing, &context, "hvm-context-walk", "no END");
	context.len += 1;
	/* Xen does not look at END's length, nor at what comes after it. */
	put(context.data + context.len - 4, 4, 99);
	context_after(&nothing, &context, "hvm-context-end", "END with a length");
	put(context.data + context.len - 4, 4, 0);
	hvm_put(&context, GW_HVM_HEADER, 0, "x", 1);
	context_after(&nothing, &context, "hvm-context-end", "bytes after END");
	gw_buffer_free(&context);

	context = hvm_context(0);
	context_after(&nothing, &context, "hvm-context-no-cpu", "no CPU");
	gw_buffer_free(&context);
	context = hvm_context(129);
	context_after(&nothing, &context, "hvm-context-vcpu", "129 vCPUs");
	gw_buffer_free(&context);
}

#define LEAF(leaf, subleaf, a, b, c, d)                                                            \
	{                                                                                          \
		leaf, subleaf, a, b, c, d                                                          \
	}

/* A register of the entries above, on a guest whose policy has only a part of the features. */
void hvm_policies(void **state)
{
	struct gw_cpuid_leaf leaves[] = {
		LEAF(0, GW_CPUID_NO_SUBLEAF, 0xd, 0, 0, 0),
		/* ecx: xsave, avx; edx: all but pge (13) */
		LEAF(1, GW_CPUID_NO_SUBLEAF, 0, 0, 1u << 26 | 1u << 28, ~(1u << 13)),
		LEAF(7, 0, 0, 1 << 7, 0, 1u << 26), /* smep, ibrsb */
		LEAF(0x80000000, GW_CPUID_NO_SUBLEAF, 0x80000008, 0, 0, 0),
		LEAF(0x80000001, GW_CPUID_NO_SUBLEAF, 0, 0, 0, 1u << 29 | 1u << 20), /* lm, nx */
		LEAF(0x80000008, GW_CPUID_NO_SUBLEAF, 40, 0, 0, 0),
	};
	struct gw_msr_entry platform = {0xce, 0, 0};
	const struct before some = {.policy = {leaves, GW_ARRAY_SIZE(leaves), &platform, 1}};
	const struct before first = {.policy = {leaves, 1, NULL, 0}};
	const struct fault of_policy[] = {
		CPU(672, 8, UINT64_C(1) << 39, ""),
		CPU(672, 8, UINT64_C(1) << 40, "hvm-cpu-cr3"),
		CPU(680, 8, 1 << 20 | 1 << 18 | 1 << 8, ""),
		CPU(680, 8, 1 << 7, "hvm-cpu-cr4"),
		CPU(680, 8, 1 << 21, "hvm-cpu-cr4"),
		CPU(680, 8, 1 << 24, "hvm-cpu-cr4"), /* not hvm-cpu-cr4-pks as well */
		CPU(680, 8, 1 << 27, "hvm-cpu-cr4"),
		CPU(992, 8, 0x900, ""),
		CPU(992, 8, 0x1, "hvm-cpu-efer"),
		CPU(992, 8, 1 << 21, "hvm-cpu-efer"), /* its leaf is above the highest */
		XSAVE(16, 8, 0x207, "hvm-xsave-xcr0 hvm-xsave-size"),
		MSR(16, 8, 4, "hvm-msr-value"),
		MSR(16, 8, 2, ""),
		MSR(8, 4, 0x140, "hvm-msr-value"),
		MSR(8, 4, 0xc0011027, "hvm-msr-value"),
		MSR(8, 4, 0x6e1, "hvm-msr-value"),
	};
	/* The maximum is known, the leaf is not. */
	const struct fault unknown[] = {
		CPU(680, 8, 1 << 7, ""),
		CPU(680, 8, 1 << 21, ""),
		CPU(992, 8, 0x901, ""),
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(of_policy); i++)
		one_fault(&some, &of_policy[i]);
	for (size_t i = 0; i < GW_ARRAY_SIZE(unknown); i++)
		one_fault(&first, &unknown[i]);
}

void hvm_configs(void **state)
{
	struct before b = {.config = {.known = true, .type = GW_GUEST_X86_HVM, .vcpus = 2}};
	struct gw_buffer context = hvm_context(3);

	context_after(&b, &context, "hvm-context-vcpu", "3 of 2 vCPUs");
	b.config.vcpus = 3;
	context_after(&b, &context, "", "3 of 3 vCPUs");
	gw_buffer_free(&context);

	context = hvm_context_of_all();
	context_after(&b, &context, "", "an HVM guest's devices");
	b.config.pvh = true;
	context_after(&b, &context,
		      "hvm-context-pvh hvm-context-pvh hvm-context-pvh hvm-context-pvh "
		      "hvm-context-pvh hvm-context-pvh hvm-context-pvh",
		      "a PVH guest's devices");
	gw_buffer_free(&context);
}

static void set(struct gw_image_rules *rules, uint64_t index, uint64_t value)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	assert_ok(gw_hvm_params_append(&buf, 1, &index, &value, &err), &err);
	record(rules, GW_REC_HVM_PARAMS, buf.data + 8, 24);
	gw_buffer_free(&buf);
}

static void one_param(const struct before *before, uint64_t index, uint64_t value, const char *ids)
{
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen, 0};
	struct gw_image_rules *rules = begin(before, &out);
	char what[60];

	set(rules, index, value);
	snprintf(what, sizeof(what), "param %llu is 0x%llx", (unsigned long long)index,
		 (unsigned long long)value);
	/* There is no page in this image. */
	assert_memory_equal(seen.ids, "hvm-params-order ", 17);
	memmove(seen.ids, seen.ids + 17, strlen(seen.ids + 17) + 1);
	check_ids(&seen, ids, what);
	gw_image_rules_free(rules);
}

void hvm_params(void **state)
{
	static const struct {
		uint64_t index, value;
		const char *ids;
	} params[] = {
		{1, 0xfeffc, ""},
		{39, 0, "hvm-params-index"},
		{UINT64_C(1) << 32 | 1, 0, "hvm-params-index"},
		{13, 1, "hvm-params-index"},
		{20, 1, "hvm-params-index"},
		{23, 1, "hvm-params-index"},
		{26, 1, "hvm-params-index"},
		{24, 1, "hvm-params-nestedhvm"},
		{35, 1, "hvm-params-altp2m"},
		{35, 4, "hvm-params-altp2m hvm-params-value"},
		{4, 1, ""},
		{0, 1, "hvm-params-unsent"},
		{10, 3, "hvm-params-unsent"},
		{10, 4, "hvm-params-unsent hvm-params-value"},
		{14, 3, "hvm-params-unsent"},
		{14, 1, "hvm-params-unsent hvm-params-value"},
		{31, 6, "hvm-params-unsent hvm-params-value"},
		{19, 1, ""},
		{19, 2, "hvm-params-value"},
		{33, 64, ""},
		{33, 0, "hvm-params-value"},
		{33, 65, "hvm-params-value"},
		{36, 8, ""},
		{36, 2, "hvm-params-value"},
		{38, 1, ""},
		{38, 2, "hvm-params-value"},
		{9, 1, ""},
		{9, 2, "hvm-params-viridian"},
		{9, 0x2001, "hvm-params-viridian"},
		{9, 0x1001, "hvm-params-viridian-new"},
		{9, 0x3ff, ""},
		{15, UINT32_MAX, ""},
		{15, UINT64_C(1) << 32, "hvm-params-vm86-tss"},
		{37, UINT64_C(104) << 32, ""},
		{37, UINT64_C(103) << 32, "hvm-params-vm86-tss"},
		{37, 0, "hvm-params-vm86-tss"},
		{17, UINT64_C(1) << 36, "hvm-params-pfn"},
		{27, UINT64_C(1) << 36, "hvm-params-ring-pfn"},
	};
	const struct before pvh = {
		.config = {.known = true, .type = GW_GUEST_X86_HVM, .pvh = true, .vcpus = 1}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(params); i++)
		one_param(&nothing, params[i].index, params[i].value, params[i].ids);
	one_param(&pvh, 19, 0, "hvm-params-pvh");
	one_param(&pvh, 9, 1, "");
}

/* Xen sets each param when it comes, in every round. */
void hvm_params_of_rounds(void **state)
{
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen, 0};
	struct gw_image_rules *rules = begin(&nothing, &out);

	set(rules, 5, 0);
	set(rules, 5, 0x1000);
	set(rules, 5, 0x1000);
	check_ids(&seen,
		  "hvm-params-order hvm-params-order hvm-params-repeated hvm-params-order "
		  "hvm-params-repeated",
		  "the same value");
	memset(&seen, 0, sizeof(seen));
	record(rules, GW_REC_CHECKPOINT, NULL, 0);
	memset(&seen, 0, sizeof(seen));
	set(rules, 5, 0x1001);
	check_ids(&seen, "hvm-params-order hvm-params-changed", "another value");
	memset(&seen, 0, sizeof(seen));
	set(rules, 12, 0x1000);
	set(rules, 12, 0x2000);
	check_ids(&seen, "hvm-params-order hvm-params-order hvm-params-repeated",
		  "a param that may change");
	gw_image_rules_free(rules);
}

void hvm_releases(void **state)
{
	static const struct {
		const char *id;
		unsigned refused, taken;
	} changes[] = {
		{"hvm-cpu-debug", 18, 17},	    {"hvm-cpu-cr4-pks", 17, 18},
		{"hvm-cpu-cr4-lass", 21, 22},	    {"hvm-cpu-efer-aibrse", 17, 18},
		{"hvm-context-lapic-size", 17, 18}, {"hvm-msr-pkrs", 17, 18},
		{"hvm-msr-virt-spec-ctrl", 16, 17}, {"hvm-msr-spec-ctrl", 14, 15},
		{"hvm-pic-state", 19, 18},	    {"hvm-pit-state", 19, 18},
		{"hvm-pci-link-padding", 19, 18},   {"hvm-params-nestedhvm", 15, 14},
		{"hvm-params-altp2m", 19, 18},	    {"hvm-params-viridian-new", 14, 15},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(changes); i++) {
		const struct gw_rule *rule = gw_rule_find(changes[i].id);

		assert_int_equal(gw_rule_level(rule, changes[i].refused), GW_LEVEL_ERROR);
		assert_int_equal(gw_rule_level(rule, changes[i].taken), GW_LEVEL_NOTE);
	}
}
