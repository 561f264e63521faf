/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vCPU blobs of PV guests: one that Xen takes, with one field changed, breaks the rule for that
 * field and no other; values at the limits break none.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/rules/rules.h"
#include "rulecheck.h"
#include "rules_pv_vcpu.h"

#define BASIC	 GW_REC_X86_PV_VCPU_BASIC
#define EXTENDED GW_REC_X86_PV_VCPU_EXTENDED
#define XSAVE	 GW_REC_X86_PV_VCPU_XSAVE
#define MSRS	 GW_REC_X86_PV_VCPU_MSRS

#define IN_KERNEL     4u
#define SPEC_CTRL     0x48u
#define MISC_FEATURES 0x140u
#define BLOB_MAX      8192u

/* A 64-bit or, if len is that of one, a 32-bit context; an AVX area if there is room for it. */
static void make_blob(uint8_t *raw, uint32_t type, uint32_t id, uint32_t len)
{
	memset(raw, 0, len);
	switch (type) {
	case BASIC:
		gw_put_le32(raw + 512, IN_KERNEL);
		break;
	case EXTENDED:
		gw_put_le32(raw, id);
		gw_put_le32(raw + 4, len);
		break;
	case XSAVE:
		if (len < 592)
			break;
		gw_put_le64(raw, len > 848 ? 0xe7 : len == 848 ? 7 : 3);
		gw_put_le64(raw + 8, gw_get_le64(raw));
		break;
	default:
		for (uint32_t i = 0; i + 16 <= len; i += 16)
			gw_put_le32(raw + i, MISC_FEATURES);
	}
}

void rules_pv_append_vcpu(struct gw_buffer *buf, uint32_t type, uint32_t id, uint32_t len)
{
	static uint8_t raw[BLOB_MAX];
	struct gw_vcpu_blob vcpu = {.vcpu_id = id, .blob = raw, .blob_len = len};
	struct gw_error err = GW_ERROR_INIT;

	assert_true(len <= sizeof(raw));
	make_blob(raw, type, id, len);
	assert_ok(gw_vcpu_blob_append(buf, type, &vcpu, &err), &err);
}

/* Records of an image, judged one by one. */
static void judge(struct gw_image_rules *rules, const struct gw_buffer *buf)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_record rec = {
		.type = gw_get_le32(buf->data),
		.length = gw_get_le32(buf->data + 4),
		.data = buf->data + 8,
	};

	gw_image_rules_record(rules, &rec, &err);
	gw_error_clear(&err);
}

/* The ids that a vCPU record of a guest of this width breaks, to Xen 4.xen. */
static void judge_vcpu(unsigned width, uint32_t type, uint32_t id, const uint8_t *blob,
		       uint32_t len, struct seen *seen)
{
	const struct gw_image_header header = {
		.version = 2, .type = GW_GUEST_X86_PV, .page_shift = 12, .xen_major = 4};
	const struct gw_vcpu_blob vcpu = {.vcpu_id = id, .blob = blob, .blob_len = len};
	const uint8_t info[8] = {(uint8_t)width, width == 8 ? 4 : 3};
	const struct gw_findings out = {.report = rulecheck_report, .opaque = seen};
	struct gw_image_rules *rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, 0);
	struct gw_buffer buf = {0};
	struct gw_error err = GW_ERROR_INIT;

	memset(seen, 0, sizeof(*seen));
	assert_non_null(rules);
	assert_ok(gw_image_rules_header(rules, &header, &err), &err);
	assert_ok(gw_record_append(&buf, GW_REC_X86_PV_INFO, info, sizeof(info), &err), &err);
	judge(rules, &buf);
	gw_buffer_reset(&buf);
	assert_string_equal(seen->ids, "");
	assert_ok(gw_vcpu_blob_append(&buf, type, &vcpu, &err), &err);
	judge(rules, &buf);
	gw_buffer_free(&buf);
	gw_image_rules_free(rules);
}

/* vcpu-order is broken by all of them: no page came before. */
#define ORDER "vcpu-order "

static const struct change {
	unsigned width;
	uint32_t type, id, len; /* of the blob */
	uint32_t at;
	uint64_t value; /* 64 bits at this offset, 32 in a 32-bit context */
	const char *ids;
} changes[] = {
	/* 64-bit contexts */
	{8, BASIC, 0, 5168, 648, UINT64_C(0x0000800000000000), "vcpu-canonical "}, /* rip */
	{8, BASIC, 0, 5168, 672, UINT64_C(0xffff7fffffffffff), "vcpu-canonical "}, /* rsp */
	{8, BASIC, 1, 5168, 4976, UINT64_C(1) << 47, "vcpu-canonical "},	   /* kernel_sp */
	{8, BASIC, 1, 5168, 5112, UINT64_C(1) << 63, "vcpu-canonical "}, /* event callback */
	{8, BASIC, 1, 5168, 5120, UINT64_C(1) << 48, "vcpu-canonical "}, /* failsafe callback */
	{8, BASIC, 1, 5168, 5128, UINT64_C(1) << 62, "vcpu-canonical "}, /* syscall callback */
	{8, BASIC, 1, 5168, 5144, UINT64_C(1) << 47, "vcpu-canonical "}, /* fs_base */
	{8, BASIC, 1, 5168, 5152, UINT64_C(1) << 47, "vcpu-canonical "}, /* gs_base_kernel */
	{8, BASIC, 1, 5168, 5160, UINT64_C(1) << 47, "vcpu-canonical "}, /* gs_base_user */
	{8, BASIC, 0, 5168, 728, UINT64_C(1) << 47, "vcpu-canonical "},	 /* trap 0 */
	{8, BASIC, 0, 5168, 720 + 255 * 16 + 8, UINT64_C(1) << 47, "vcpu-canonical "},
	{8, BASIC, 0, 5168, 4816, 0x1800, "vcpu-ldt "},
	{8, BASIC, 0, 5168, 4816, UINT64_C(0xffff800000000000), "vcpu-ldt "},
	{8, BASIC, 0, 5168, 4816, UINT64_C(0xffff87fffffff000), "vcpu-ldt "},
	{8, BASIC, 0, 5168, 4816, UINT64_C(0x0000800000000000), "vcpu-ldt "},
	{8, BASIC, 0, 5168, 4824, 8193, "vcpu-ldt "},
	{8, BASIC, 0, 5168, 4960, 7169, "vcpu-gdt "},
	{8, BASIC, 0, 5168, 4960, UINT64_C(1) << 32, "vcpu-gdt "},
	{8, BASIC, 0, 5168, 512, 0, "vcpu-user-root "},
	{8, BASIC, 0, 5168, 4992, 0x29000, "vcpu-user-root "},
	{8, BASIC, 0, 5168, 5136, 0x40, "vcpu-vm-assist "},
	{8, BASIC, 0, 5168, 5136, UINT64_C(1) << 33, "vcpu-vm-assist "},
	{8, BASIC, 0, 5168, 5048, UINT64_C(0xffff800000000000), "vcpu-debug-registers "},
	{8, BASIC, 0, 5168, 5072, UINT64_C(0x0000800000000000), "vcpu-debug-registers "},
	{8, BASIC, 0, 5168, 5096, UINT64_C(1) << 32, "vcpu-debug-registers "},
	{8, BASIC, 0, 5168, 5104, UINT64_C(1) << 63, "vcpu-debug-registers "},
	/* 32-bit contexts */
	{4, BASIC, 0, 2800, 2632, 0x800, "vcpu-ldt "},
	{4, BASIC, 0, 2800, 2636, 8193, "vcpu-ldt "},
	{4, BASIC, 0, 2800, 2704, 7169, "vcpu-gdt "},
	{4, BASIC, 0, 2800, 2796, 0x40, "vcpu-vm-assist "},
	{4, BASIC, 0, 2800, 556, 0x20000, "vcpu-vm86 "},
	/* extended contexts */
	{8, EXTENDED, 0, 64, 8, UINT64_C(1) << 47, "vcpu-canonical "},
	{4, EXTENDED, 0, 64, 16, UINT64_C(1) << 47, "vcpu-canonical "},
	{8, EXTENDED, 3, 64, 0, UINT64_C(31) << 32 | 3, "vcpu-extended-size vcpu-extended-short "},
	{8, EXTENDED, 0, 64, 32, 0x200, "vcpu-mca-caps "},
	{8, EXTENDED, 0, 64, 32, UINT64_C(1) << 63, "vcpu-mca-caps "},
	/* extended state */
	{8, XSAVE, 0, 592, 0, 0, "vcpu-xsave-xcr0 "},
	{8, XSAVE, 0, 592, 0, 2, "vcpu-xsave-xcr0 "},
	{8, XSAVE, 0, 592, 0, 7, "vcpu-xsave-xcr0 "},
	{8, XSAVE, 0, 848, 0, 5, "vcpu-xsave-xcr0 "},			/* AVX without SSE */
	{8, XSAVE, 0, 848, 8, 0x207, "vcpu-xsave-xcr0 "},		/* PKRU */
	{8, XSAVE, 0, 848, 8, 0xf, "vcpu-xsave-xcr0 vcpu-xsave-xcr0 "}, /* half of MPX */
	{8, XSAVE, 0, 848, 8, UINT64_C(1) << 18 | 7, "vcpu-xsave-xcr0 vcpu-xsave-xcr0 "},
	{8, XSAVE, 0, 2704, 0, 0x67, "vcpu-xsave-xcr0 "}, /* a part of AVX-512 */
	{8, XSAVE, 0, 2704, 0, 0xe3, "vcpu-xsave-xcr0 "}, /* AVX-512 without AVX */
	{8, XSAVE, 0, 592, 8, 7, "vcpu-xsave-size "},
	{8, XSAVE, 0, 16, 8, 3, "vcpu-xsave-xcr0 vcpu-xsave-size "},
	{8, XSAVE, 0, 600, 8, 3, "vcpu-xsave-size "},
	{8, XSAVE, 0, 2576, 8, 0xe7, "vcpu-xsave-size "},
	{8, XSAVE, 0, 592, 16 + 512, 4, "vcpu-xsave-header "},
	{8, XSAVE, 0, 592, 16 + 520, 1, "vcpu-xsave-header "},
	{8, XSAVE, 0, 592, 16 + 520, UINT64_C(1) << 63, "vcpu-xsave-header "},
	{8, XSAVE, 0, 592, 16 + 528, 1, "vcpu-xsave-header "},
	{8, XSAVE, 0, 592, 16 + 568, UINT64_C(1) << 63, "vcpu-xsave-header "},
	/* MSRs */
	{8, MSRS, 0, 32, 16, 0x1a0, "vcpu-msr-index "},
	{8, MSRS, 0, 32, 16, 0xc001101c, "vcpu-msr-index "},
	{8, MSRS, 0, 32, 16, UINT64_C(1) << 32 | 0x48, "vcpu-msrs "},
	{8, MSRS, 0, 16, 8, 8, "vcpu-msr-value "},
	{8, MSRS, 0, 16 * 8, 8, 0, "vcpu-msr-count-7 "},
	{8, MSRS, 0, 16 * 12, 8, 0, "vcpu-msr-count "},
};

/* At the limits, and fields that Xen does not look at. */
static const struct change taken[] = {
	{8, BASIC, 0, 5168, 648, UINT64_C(0x00007fffffffffff), ""},
	{8, BASIC, 0, 5168, 648, UINT64_C(0xffff800000000000), ""}, /* rip may be in Xen's range */
	{8, BASIC, 0, 5168, 4816, UINT64_C(0xffff880000000000), ""},
	{8, BASIC, 0, 5168, 4816, UINT64_C(0x00007ffffffff000), ""},
	{8, BASIC, 0, 5168, 4824, 8192, ""},
	{8, BASIC, 0, 5168, 4960, 7168, ""},
	{8, BASIC, 0, 5168, 4992, 0x29001, ""},
	{8, BASIC, 0, 5168, 5136, UINT64_C(0x10000003f), ""},
	{8, BASIC, 1, 5168, 5136, 0x40, ""},	   /* only vCPU 0's counts */
	{8, BASIC, 0, 5168, 5080, UINT64_MAX, ""}, /* debugreg[4] */
	{8, BASIC, 0, 5168, 5096, UINT32_MAX, ""},
	{8, BASIC, 0, 5168, 664, 0x20000, ""}, /* rflags.VM: cleared */
	{4, BASIC, 0, 2800, 512, 0, ""},       /* a 32-bit guest has one root */
	{4, BASIC, 0, 2800, 548, UINT32_MAX, ""},
	{4, BASIC, 0, 2800, 2748, UINT32_MAX, ""},
	{4, BASIC, 0, 2800, 2796, 0x3f, ""},
	{8, EXTENDED, 0, 64, 32, 0x09000dff, ""},
	{8, EXTENDED, 0, 32, 24, 0, ""}, /* no MCA state */
	{8, XSAVE, 0, 16, 0, 0, ""},
	{8, XSAVE, 0, 592, 0, 1, ""},
	{8, XSAVE, 0, 592, 16 + 512, 3, ""},
	{8, XSAVE, 0, 848, 0, 3, ""},
	{8, XSAVE, 0, 2448, 0, 7, ""}, /* AMD */
	{8, XSAVE, 0, 2704, 0, 7, ""}, /* Intel */
	{8, MSRS, 0, 16 * 7, 8, 1, ""},
	{8, MSRS, 0, 32, 16, 0x140, ""},
	{8, MSRS, 0, 32, 16, 0xc0000103, ""},
	{8, MSRS, 0, 32, 16, 0xc0011019, ""},
	{8, MSRS, 0, 32, 16, 0xc001101b, ""},
	{8, MSRS, 0, 32, 16, 0xc0011027, ""},
};

static void check(const struct change *c)
{
	static uint8_t blob[BLOB_MAX];
	struct seen seen;
	char expected[200];

	make_blob(blob, c->type, c->id, c->len);
	if (c->width == 4 && c->type == BASIC)
		gw_put_le32(blob + c->at, (uint32_t)c->value);
	else
		gw_put_le64(blob + c->at, c->value);
	judge_vcpu(c->width, c->type, c->id, blob, c->len, &seen);
	snprintf(expected, sizeof(expected), "%s%s", ORDER, c->ids);
	if (strcmp(seen.ids, expected) != 0)
		fail_msg("type %u, %u bytes, 0x%llx at %u: \"%s\", expected \"%s\" (%s)", c->type,
			 c->len, (unsigned long long)c->value, c->at, seen.ids, expected,
			 seen.last.text);
}

void rules_pv_vcpu_broken_one_by_one(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(changes); i++)
		check(&changes[i]);
}

/* The ids that an MSR breaks in an image whose policy has leaf 7, with these bits in edx. */
static void judge_msr(uint32_t msr, uint32_t edx, struct seen *seen)
{
	const struct gw_image_header header = {
		.version = 3, .type = GW_GUEST_X86_PV, .page_shift = 12, .xen_major = 4};
	const uint8_t info[8] = {8, 4};
	const struct gw_findings out = {.report = rulecheck_report, .opaque = seen};
	struct gw_image_rules *rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, 0);
	struct gw_buffer buf = {0};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t leaf[24] = {7}, blob[16];
	const struct gw_vcpu_blob vcpu = {.blob = blob, .blob_len = sizeof(blob)};

	memset(seen, 0, sizeof(*seen));
	gw_put_le32(leaf + 20, edx);
	make_blob(blob, MSRS, 0, sizeof(blob));
	gw_put_le32(blob, msr);
	assert_ok(gw_image_rules_header(rules, &header, &err), &err);
	assert_ok(gw_record_append(&buf, GW_REC_X86_PV_INFO, info, sizeof(info), &err), &err);
	judge(rules, &buf);
	gw_buffer_reset(&buf);
	assert_ok(gw_record_append(&buf, GW_REC_X86_CPUID_POLICY, leaf, sizeof(leaf), &err), &err);
	judge(rules, &buf);
	gw_buffer_reset(&buf);
	assert_ok(gw_vcpu_blob_append(&buf, MSRS, &vcpu, &err), &err);
	judge(rules, &buf);
	gw_buffer_free(&buf);
	gw_image_rules_free(rules);
}

void rules_pv_msrs_need_features(void **state)
{
	struct seen seen;

	judge_msr(SPEC_CTRL, 1u << 26, &seen); /* ibrsb */
	assert_null(strstr(seen.ids, "vcpu-msr"));
	judge_msr(SPEC_CTRL, 1u << 25, &seen);
	assert_non_null(strstr(seen.ids, "vcpu-msr-feature "));
	judge_msr(0xc0011027, 1u << 26, &seen);
	assert_non_null(strstr(seen.ids, "vcpu-msr-feature "));
	judge_msr(0x140, 0, &seen);
	assert_null(strstr(seen.ids, "vcpu-msr"));
}

void rules_pv_vcpu_takes(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(taken); i++)
		check(&taken[i]);
}
