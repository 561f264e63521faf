/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The numbers of the rules and the call that reports a violation, shared by the files of the
 * checkers. Other files include rules.h.
 */
#ifndef GW_FORMAT_RULES_INTERNAL_H
#define GW_FORMAT_RULES_INTERNAL_H

#include "format/rules/rules.h"

/* In the order of the table in table.c. */
enum gw_rule_number {
	/* the input as a whole */
	R_FILE_FORMAT,
	R_FILE_DAMAGED,
	R_TRAILING_BYTES,
	R_MIGRATE_HANDSHAKE,
	/* xl header */
	R_XL_MAGIC,
	R_XL_TRUNCATED,
	R_XL_BYTEORDER,
	R_XL_FLAGS,
	R_XL_OPTIONAL_FLAGS,
	R_XL_SIZE,
	R_XL_CONFIG_LENGTH,
	R_XL_CONFIG_NUL,
	R_XL_CONFIG_MISSING,
	R_XL_CONFIG_MORE,
	R_XL_LEGACY,
	/* the config in it */
	R_CONFIG_SYNTAX,
	R_CONFIG_TRAILING,
	R_CONFIG_TWICE,
	R_CONFIG_SECTIONS,
	R_CONFIG_TYPE,
	R_CONFIG_BUILD_TYPE,
	R_CONFIG_UUID,
	R_CONFIG_NAME,
	R_CONFIG_NAME_HERE,
	R_CONFIG_MEMORY,
	R_CONFIG_TARGET,
	R_CONFIG_VCPUS,
	R_CONFIG_VCPUS_ZERO,
	R_CONFIG_FIELD_TYPE,
	R_CONFIG_TRADITIONAL,
	/* xend header */
	R_XEND_MAGIC,
	R_XEND_TRUNCATED,
	R_XEND_LENGTH,
	R_XEND_SIZE,
	R_XEND_CONFIG,
	/* libxl stream */
	R_STREAM_IDENT,
	R_STREAM_VERSION,
	R_STREAM_ENDIAN,
	R_STREAM_RESERVED,
	R_STREAM_CONVERTED,
	R_STREAM_FRAMING,
	R_STREAM_TYPE,
	R_STREAM_PADDING,
	R_STREAM_LENGTH,
	R_STREAM_AFTER_END,
	R_STREAM_CONTEXT_FIRST,
	R_STREAM_CONTEXT_TWICE,
	R_STREAM_CONTEXT_MISSING,
	R_STREAM_EMULATOR_GUEST,
	R_STREAM_EMULATOR_LENGTH,
	R_STREAM_EMULATOR_ID,
	R_STREAM_EMULATOR_INDEX,
	R_STREAM_EMULATOR_SIZE,
	R_STREAM_EMULATOR_TWICE,
	R_STREAM_EMULATOR_MISSING,
	R_STREAM_EMULATOR_NEEDED,
	R_STREAM_EMULATOR_TRADITIONAL,
	R_STREAM_XENSTORE_STRINGS,
	R_STREAM_XENSTORE_PATH,
	R_STREAM_XENSTORE_KEY,
	R_STREAM_XENSTORE_PHYSMAP,
	R_STREAM_CHECKPOINT_PLACE,
	R_STREAM_CHECKPOINT_STATE,
	R_STREAM_TRUNCATED,
	R_STREAM_CUT_ROUND,
	R_STREAM_CHECKPOINTED,
	/* libxc image: headers, framing, types */
	R_IMAGE_HEADER,
	R_IMAGE_VERSION,
	R_IMAGE_ENDIAN,
	R_IMAGE_RESERVED,
	R_IMAGE_GUEST,
	R_IMAGE_CONFIG_GUEST,
	R_IMAGE_PAGE_SIZE,
	R_IMAGE_CONVERTED,
	R_IMAGE_TRUNCATED,
	R_IMAGE_CUT_ROUND,
	R_IMAGE_CHECKPOINTED,
	R_RECORD_FRAMING,
	R_RECORD_TYPE,
	R_RECORD_OPTIONAL,
	R_RECORD_OPTIONAL_ROUND,
	R_RECORD_GUEST,
	R_RECORD_TOOLSTACK,
	R_RECORD_BACK_CHANNEL,
	R_RECORD_PADDING,
	R_RECORD_LENGTH,
	R_RECORD_RESERVED,
	R_RECORD_REPEATED,
	R_RECORD_AFTER_END,
	R_VERIFY_MODE,
	R_CHECKPOINT_PLAIN,
	R_CHECKPOINT_THEN_END,
	/* libxc image: static data */
	R_STATIC_TWICE,
	R_STATIC_MISSING,
	R_STATIC_INFERRED,
	R_STATIC_V2,
	R_STATIC_LATE,
	R_STATIC_EARLY,
	R_POLICY_BODY,
	R_POLICY_FLAGS,
	R_POLICY_REPEATED,
	R_POLICY_LEAVES,
	R_POLICY_LEAF,
	R_POLICY_MAX,
	R_POLICY_MAX_SUBLEAF,
	R_POLICY_CLEARED,
	R_POLICY_MSRS,
	R_POLICY_MSR,
	R_POLICY_MSR_VALUE,
	R_POLICY_ENTRY_TWICE,
	R_POLICY_VENDOR,
	/* libxc image: pages */
	R_PAGES_SHORT,
	R_PAGES_COUNT,
	R_PAGES_LENGTH,
	R_PAGES_TYPE,
	R_PAGES_RESERVED,
	R_PAGES_PFN,
	R_PAGES_TABLES,
	R_PAGES_LEVEL,
	R_PAGES_CONFIG,
	/* libxc image: PV */
	R_PV_INFO_BODY,
	R_PV_INFO_PAIR,
	R_PV_INFO_TWICE,
	R_PV_ORDER,
	R_P2M_BODY,
	R_P2M_RANGE,
	R_P2M_HOLE,
	R_P2M_FRAME,
	R_VCPU_BODY,
	R_VCPU_EMPTY,
	R_VCPU_ID,
	R_VCPU_CONFIG,
	R_VCPU_REPEATED,
	R_VCPU_EXTENDED,
	R_VCPU_EXTENDED_SIZE,
	R_VCPU_XSAVE,
	R_VCPU_MSRS,
	R_VCPU_CANONICAL,
	R_VCPU_LDT,
	R_VCPU_GDT,
	R_VCPU_USER_ROOT,
	R_VCPU_ASSIST,
	R_VCPU_DEBUG,
	R_VCPU_VM86,
	R_VCPU_EXTENDED_SHORT,
	R_VCPU_MCA,
	R_VCPU_XCR0,
	R_VCPU_XSAVE_SIZE,
	R_VCPU_XSAVE_HEADER,
	R_VCPU_MSR_INDEX,
	R_VCPU_MSR_VALUE,
	R_VCPU_MSR_COUNT,
	R_VCPU_MSR_COUNT_NEW,
	R_VCPU_ORDER,
	R_VCPU_NO_BASIC,
	R_VCPU0_MISSING,
	R_SHARED_INFO_BODY,
	R_SHARED_INFO_MISSING,
	/* libxc image: HVM, and both */
	R_TSC_BODY,
	R_TSC_MISSING,
	R_PARAMS_BODY,
	R_PARAMS_EMPTY,
	R_PARAMS_INDEX,
	R_PARAMS_REPEATED,
	R_PARAMS_PFN,
	R_PARAMS_VM86,
	R_PARAMS_ORDER,
	R_PARAMS_MISSING,
	R_CONTEXT_EMPTY,
	R_CONTEXT_ORDER,
	R_CONTEXT_WALK,
	R_CONTEXT_MISSING,
	R_XENABI,
	R_XENABI_PLACE,
	/* libxc image: what only a restore can check (verify --deep) */
	R_DEEP_DOMAIN,
	R_DEEP_ENTRY,
	R_DEEP_TREE,
	R_DEEP_ROOT,
	R_DEEP_GDT,
	R_DEEP_DESCRIPTOR,
	R_DEEP_STATE,
	R_DEEP_START_INFO,
	R_DEEP_P2M,
	R_DEEP_RING,
	R_DEEP_PARAM,
	/* legacy image */
	R_LEGACY_HEADER,
	R_LEGACY_FRAMING,
	R_LEGACY_TRUNCATED,
	R_LEGACY_CUT_ROUND,
	R_LEGACY_NO_LAST,
	R_LEGACY_NO_INFO,
	R_LEGACY_INFO_BLOCK,
	R_LEGACY_GUEST,
	R_LEGACY_REPEATED,
	R_LEGACY_VERIFY,
	R_LEGACY_TYPE,
	R_LEGACY_PFN,
	R_LEGACY_UNMAPPED,
	R_LEGACY_NO_PAGES,
	R_LEGACY_TMEM,
	R_LEGACY_TMEM_PAGES,
	R_LEGACY_TOOLSTACK,
	R_LEGACY_COMPRESSION,
	R_LEGACY_COMPRESSED,
	R_LEGACY_ACPI,
	R_LEGACY_IOREQ,
	R_LEGACY_MODEL,
	R_LEGACY_NO_MODEL,
	R_LEGACY_VCPU_INFO,
	R_LEGACY_VCPU_MAP,
	R_LEGACY_XSAVE,
	GW_NR_RULES,
};

extern const struct gw_rule gw_rules_table[GW_NR_RULES];

/* Most findings of one rule that are reported: a hostile input can break it a million times. */
#define GW_FINDINGS_PER_RULE 32

/* Where a checker reports, and the number of its findings. */
struct gw_reporter {
	const struct gw_findings *out;
	uint64_t layer_start; /* offset of the layer's first byte in the input */
	uint8_t times[GW_NR_RULES];
};

/*
 * A rule was broken at offset (from the layer's first byte), in the given record if rec is not
 * NULL. Returns 0, or -1 with err if the rule's level is error (code GW_TRUNCATED for rules about
 * input that ended, else GW_INVALID).
 */
int gw_broken(struct gw_reporter *reporter, enum gw_rule_number number, uint64_t offset,
	      const struct gw_record *rec, struct gw_error *err, const char *fmt, ...)
	GW_PRINTF(6, 7);
/*
 * The same for input that ended at offset: the finding names the record that was cut, its place,
 * and the end of the input. inside NULL: no record was cut.
 */
int gw_cut(struct gw_reporter *reporter, enum gw_rule_number number, const struct gw_record *inside,
	   uint64_t offset, struct gw_error *err, const char *fmt, ...) GW_PRINTF(6, 7);

/* The same, but reported only the first time. */
#define GW_BROKEN_ONCE(reporter, number, ...)                                                      \
	((reporter)->times[number] ? 0 : gw_broken(reporter, number, __VA_ARGS__))

/* True if all padding after the record's body is zero. */
bool gw_padding_is_zero(const struct gw_record *rec);

#endif
