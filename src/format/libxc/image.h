/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libxc image, v2 and v3 (Xen's docs/specs/libxc-migration-stream.pandoc): headers, record
 * types, record bodies. Bytes to structs and back, no system call; the caller reads the bytes.
 * rules/rules.h decides whether a record is valid at its place.
 *
 * The reader never requests a byte beyond the current record. Page contents never pass through it:
 * it reports their size, and the caller reads them from its channel.
 */
#ifndef GW_FORMAT_LIBXC_IMAGE_H
#define GW_FORMAT_LIBXC_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/guest.h>
#include <godwit/policy.h>

#include "format/record.h"

#define GW_IMAGE_HEADER_SIZE  24    /* image header */
#define GW_DOMAIN_HEADER_SIZE 16    /* domain header */
#define GW_BATCH_MAX	      1024u /* pfns in a written PAGE_DATA; readers have no such bound */

enum gw_record_type {
	GW_REC_END = 0x00,
	GW_REC_PAGE_DATA = 0x01,
	GW_REC_X86_PV_INFO = 0x02,
	GW_REC_X86_PV_P2M_FRAMES = 0x03,
	GW_REC_X86_PV_VCPU_BASIC = 0x04,
	GW_REC_X86_PV_VCPU_EXTENDED = 0x05,
	GW_REC_X86_PV_VCPU_XSAVE = 0x06,
	GW_REC_SHARED_INFO = 0x07,
	GW_REC_X86_TSC_INFO = 0x08,
	GW_REC_HVM_CONTEXT = 0x09,
	GW_REC_HVM_PARAMS = 0x0a,
	GW_REC_TOOLSTACK = 0x0b,
	GW_REC_X86_PV_VCPU_MSRS = 0x0c,
	GW_REC_VERIFY = 0x0d,
	GW_REC_CHECKPOINT = 0x0e,
	GW_REC_CHECKPOINT_DIRTY_PFN_LIST = 0x0f,
	GW_REC_STATIC_DATA_END = 0x10,
	GW_REC_X86_CPUID_POLICY = 0x11,
	GW_REC_X86_MSR_POLICY = 0x12,
	/* Godwit's own, optional (docs/format.md): the Xen-ABI state of a guest that was paused by
	 * force. */
	GW_REC_GODWIT_XENABI = 0x80675801,
	/* Likewise: the state of a vCPU on KVM for which Xen has no record. */
	GW_REC_GODWIT_KVM = 0x80675802,
};

/* "PAGE_DATA", "GODWIT_XENABI"; NULL for unknown types. */
const char *gw_record_name(uint32_t type);

struct gw_image_header {
	uint32_t version;    /* 2 or 3 */
	uint16_t options;    /* bit 0: big endian */
	uint16_t reserved1;  /* 0 */
	uint32_t reserved2;  /* 0 */
	uint32_t type;	     /* enum gw_guest_type, as read */
	uint16_t page_shift; /* 12 */
	uint16_t reserved3;  /* 0 */
	uint32_t xen_major;  /* 0: converted from a legacy stream */
	uint32_t xen_minor;
};

/* Both headers, GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE bytes. */
void gw_image_header_encode(const struct gw_image_header *h, uint8_t *raw);
/* Fills h without further checks; fails (GW_INVALID) only if marker or id are wrong. */
int gw_image_header_decode(const uint8_t *raw, struct gw_image_header *h, struct gw_error *err);

/* PAGE_DATA entries: section "PAGE_DATA" of Xen's docs/specs/libxc-migration-stream.pandoc. */
#define GW_PAGE_ENTRY_PFN_MASK UINT64_C(0x000fffffffffffff)
#define GW_PAGE_ENTRY_RESERVED UINT64_C(0x0ff0000000000000)
static inline uint64_t gw_page_entry(uint64_t pfn, unsigned type)
{
	return (uint64_t)type << 60 | pfn;
}
static inline uint64_t gw_page_entry_pfn(uint64_t entry)
{
	return entry & GW_PAGE_ENTRY_PFN_MASK;
}
static inline unsigned gw_page_entry_type(uint64_t entry)
{
	return (unsigned)(entry >> 60);
}
/*
 * The length of the first run in n entries (n >= 1): entries of one type and with the same reserved
 * bits, whose pfns follow each other. Most records are one such run, and what is true of its first
 * and last entry is true of all between.
 */
static inline size_t gw_page_entry_run(const uint64_t *entries, size_t n)
{
	uint64_t to_last_pfn = GW_PAGE_ENTRY_PFN_MASK - gw_page_entry_pfn(entries[0]);
	size_t run = 1;

	n = to_last_pfn < n ? (size_t)to_last_pfn + 1 : n;
	while (run < n && entries[run] == entries[0] + run)
		run++;
	return run;
}
/*
 * Writes record header, count and entries of a PAGE_DATA record to raw: 16 + 8 * n bytes. The pages
 * follow without padding. Returns the bytes written.
 */
size_t gw_page_data_head_encode(uint8_t *raw, size_t n, const uint64_t *entries, size_t nr_pages);

/*
 * Bodies of the other records. Decoding fails with GW_INVALID when the body does not have the form
 * of its type (the text has expected and found; the rules add the place).
 */
struct gw_pv_info {
	uint8_t guest_width; /* 4 or 8 */
	uint8_t pt_levels;   /* 3 or 4 */
	uint8_t reserved[6];
};
int gw_pv_info_decode(const struct gw_record *rec, struct gw_pv_info *info, struct gw_error *err);
void gw_pv_info_encode(uint8_t raw[8], const struct gw_pv_info *info);

/* gw_p2m_frames_get(rec, i) returns frame i of the list (0..count-1). */
struct gw_p2m_frames {
	uint32_t start_pfn, end_pfn;
	uint32_t count;
};
int gw_p2m_frames_decode(const struct gw_record *rec, unsigned guest_width,
			 struct gw_p2m_frames *frames, struct gw_error *err);
uint64_t gw_p2m_frames_get(const struct gw_record *rec, uint32_t i);
/* Appends the record with frames->count pfns. */
int gw_p2m_frames_append(struct gw_buffer *buf, const struct gw_p2m_frames *frames,
			 const uint64_t *pfns, struct gw_error *err);

/* Common to X86_PV_VCPU_BASIC, _EXTENDED, _XSAVE, _MSRS. blob is inside rec->data. */
struct gw_vcpu_blob {
	uint32_t vcpu_id, reserved;
	const uint8_t *blob;
	uint32_t blob_len; /* 0: the empty form of the erratum */
};
int gw_vcpu_blob_decode(const struct gw_record *rec, unsigned guest_width,
			struct gw_vcpu_blob *vcpu, struct gw_error *err);
/* Appends the record of this type. */
int gw_vcpu_blob_append(struct gw_buffer *buf, uint32_t type, const struct gw_vcpu_blob *vcpu,
			struct gw_error *err);

int gw_tsc_info_decode(const struct gw_record *rec, struct gw_tsc_info *tsc, struct gw_error *err);
void gw_tsc_info_encode(uint8_t raw[24], const struct gw_tsc_info *tsc);

/* HVM_PARAMS: count entries of index and value. */
int gw_hvm_params_decode(const struct gw_record *rec, uint32_t *count, struct gw_error *err);
void gw_hvm_params_get(const struct gw_record *rec, uint32_t i, uint64_t *index, uint64_t *value);
int gw_hvm_params_append(struct gw_buffer *buf, uint32_t count, const uint64_t *index,
			 const uint64_t *value, struct gw_error *err);
/* "STORE_PFN" for 1, ...; NULL for an index without a name. */
#define GW_HVM_NR_PARAMS 39
const char *gw_hvm_param_name(uint64_t index);
/* The params that a save asks for, in Xen's order: write_hvm_params() in Xen's
 * tools/libs/guest/xg_sr_save_x86_hvm.c. */
extern const uint32_t gw_hvm_params_saved[16];

/* X86_CPUID_POLICY and X86_MSR_POLICY replace the matching half of policy. */
int gw_cpuid_policy_decode(const struct gw_record *rec, struct gw_policy *policy,
			   struct gw_error *err);
int gw_msr_policy_decode(const struct gw_record *rec, struct gw_policy *policy,
			 struct gw_error *err);
/* Appends the two records, each omitted if empty. */
int gw_policy_append(struct gw_buffer *buf, const struct gw_policy *policy, struct gw_error *err);

/* CHECKPOINT_DIRTY_PFN_LIST: length / 8 pfns. */
int gw_dirty_pfn_list_decode(const struct gw_record *rec, uint64_t *count, struct gw_error *err);
uint64_t gw_dirty_pfn_list_get(const struct gw_record *rec, uint64_t i);

/*
 * The reader, without input of its own. Loop: gw_image_reader_want() returns where the next bytes
 * go and exactly how many; read them (gw_channel_read(); none if that is 0 and no pages_done() is
 * due); gw_image_reader_got() decodes them and may report an event.
 */
enum gw_image_event {
	GW_IMAGE_MORE,	 /* nothing to report yet: go on */
	GW_IMAGE_HEADER, /* reader->header is filled */
	/*
	 * The header of a record with a body was read (reader->rec: type, length, offset, number);
	 * a record without a body is reported as GW_IMAGE_RECORD (or GW_IMAGE_PAGES) at once. The
	 * caller either continues, and GW_IMAGE_RECORD or GW_IMAGE_PAGES follows, or skips the body
	 * with gw_image_reader_skip_body(). got() fails for a length above GW_RECORD_MAX.
	 */
	GW_IMAGE_RECORD_HEAD,
	GW_IMAGE_RECORD, /* a complete record other than PAGE_DATA: reader->rec with data */
	/*
	 * The entries of a PAGE_DATA record are in reader->entries[0..nr_entries-1]; nr_pages of
	 * them have contents, and data_len bytes of the record follow. If well_formed, data_len ==
	 * 4096 * nr_pages. If not (count 0, count beyond the record, wrong length), claimed_count
	 * is the record's count, and nr_entries is 0 if the record has no room for that many. The
	 * caller takes or skips data_len bytes (including the padding of a wrong length), then
	 * calls gw_image_reader_pages_done().
	 */
	GW_IMAGE_PAGES,
	GW_IMAGE_DONE, /* reported by the got() after END: no more bytes are wanted */
};

struct gw_image_reader {
	struct gw_image_header header;
	struct gw_record rec;
	const uint64_t *entries; /* host byte order */
	size_t nr_entries, nr_pages;
	uint32_t claimed_count, reserved; /* of GW_IMAGE_PAGES, as in the record */
	uint64_t data_len;
	bool well_formed;
	uint64_t offset; /* bytes of the image taken so far */

	/* private */
	int state;
	struct gw_buffer buf;
	size_t need;
	uint64_t left, records;
};

void gw_image_reader_init(struct gw_image_reader *r);
void gw_image_reader_free(struct gw_image_reader *r);
/* Returns where the next bytes go, and how many: *len 0 means that pages_done() is due, or that the
 * image is over. -1: no memory. */
int gw_image_reader_want(struct gw_image_reader *r, void **to, size_t *len, struct gw_error *err);
/* The wanted bytes have arrived. 0 with *event, or -1 (the framing is lost: nothing after this can
 * be read). */
int gw_image_reader_got(struct gw_image_reader *r, enum gw_image_event *event,
			struct gw_error *err);
/* After GW_IMAGE_RECORD_HEAD: the caller skips *len bytes itself (body and padding). */
void gw_image_reader_skip_body(struct gw_image_reader *r, uint64_t *len);
void gw_image_reader_pages_done(struct gw_image_reader *r);
/*
 * True between records (and before the headers), also after want() if none of the wanted bytes
 * arrived: input that ends here ends cleanly.
 */
bool gw_image_reader_at_boundary(const struct gw_image_reader *r);

#endif
