/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the reader of legacy images over every recorded one of tests/data: the order of the events,
 * their values, and that memory is the manifest's at each checkpoint. A walk of the test's own
 * computes the length of each item; the reader may want no byte beyond it.
 */
#include "lib/gwtest.h"

#include <zlib.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/legacy/legacy.h"
#include "format/legacy/delta.h"
#include "format/x86/pv_layout.h"
#include "format/rules/rules.h"
#include "format/xl/file.h"
#include "lib/manifest.h"
#include "lib/realdata.h"

/* `order` lists the events; batches in a row are one word, and so are params in a row. */
struct sample {
	const char *name;
	unsigned width;
	enum gw_guest_type guest;
	uint64_t p2m_size;
	const char *order;
	unsigned checkpoints;
	bool chopped; /* fed byte by byte: only some, because they are large */
};

#define PLAIN_HVM                                                                                  \
	"HEADER TSC_INFO pages VCPU_INFO LAST_CHECKPOINT END magic context model/1 checkpoint "    \
	"done"
#define TAIL_HVM "END magic context model/1 checkpoint "
#define TAIL_PV	 "END unmapped vcpu vcpu shared checkpoint "
#define ROUND	 "pages VCPU_INFO params " TAIL_HVM
#define COMPRESS "pages compressed VCPU_INFO " TAIL_HVM

static const struct sample samples[] = {
	{"leg40_hvm_w64_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO params END magic context model/0 checkpoint done", 1,
	 true},
	{"leg40_pv64_w64_1024", 8, GW_GUEST_X86_PV, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO " TAIL_PV, 1, true},
	{"leg42_hvm_w32_1024", 4, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO params TOOLSTACK LAST_CHECKPOINT " TAIL_HVM "done", 1,
	 true},
	{"leg45_hvm_w32_1024", 4, GW_GUEST_X86_HVM, 0x400, PLAIN_HVM, 1, true},
	{"leg45_hvm_w64_1024", 8, GW_GUEST_X86_HVM, 0x400, PLAIN_HVM, 1, true},
	{"leg45_hvm_w64_chunks_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO params TOOLSTACK LAST_CHECKPOINT " TAIL_HVM "done", 1,
	 true},
	{"leg45_hvm_w64_live_4096", 8, GW_GUEST_X86_HVM, 0x1000,
	 "HEADER pages TSC_INFO pages VCPU_INFO params TOOLSTACK LAST_CHECKPOINT " TAIL_HVM "done",
	 1, false},
	{"leg45_hvm_w64_qemutrad_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO LAST_CHECKPOINT END magic context model/0 checkpoint done",
	 1, true},
	{"leg45_hvm_w64_remus4_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER pages TSC_INFO " ROUND ROUND ROUND ROUND, 4, true},
	{"leg45_hvm_w64_remus4_comp_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER pages TSC_INFO pages VCPU_INFO ENABLE_COMPRESSION " TAIL_HVM COMPRESS COMPRESS
		 COMPRESS,
	 4, true},
	{"leg45_hvm_w64_verify_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages ENABLE_VERIFY_MODE pages VCPU_INFO LAST_CHECKPOINT " TAIL_HVM
	 "done",
	 1, true},
	{"leg45_pv32_w32_1024", 4, GW_GUEST_X86_PV, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO LAST_CHECKPOINT " TAIL_PV "done", 1, true},
	{"leg45_pv64_w64_1024", 8, GW_GUEST_X86_PV, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO LAST_CHECKPOINT " TAIL_PV "done", 1, true},
	{"leg45_pv64_w64_live_4096", 8, GW_GUEST_X86_PV, 0x1000,
	 "HEADER pages TSC_INFO pages VCPU_INFO LAST_CHECKPOINT " TAIL_PV "done", 1, false},
	{"leg45_pv64_w64_ts0_1024", 8, GW_GUEST_X86_PV, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO TOOLSTACK LAST_CHECKPOINT " TAIL_PV "done", 1, true},
	{"xl45_hvm_w64_1024", 8, GW_GUEST_X86_HVM, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO params TOOLSTACK LAST_CHECKPOINT " TAIL_HVM "done", 1,
	 true},
	{"xl45_pv32_w32_1024", 4, GW_GUEST_X86_PV, 0x400,
	 "HEADER TSC_INFO pages VCPU_INFO TOOLSTACK LAST_CHECKPOINT " TAIL_PV "done", 1, true},
};

struct feed {
	const struct sample *sample;
	const uint8_t *data;
	size_t len, pos, limit, image; /* limit: the reader may want no byte at or after it now */
	struct gw_legacy_reader r;
	struct gw_legacy_rules *rules;
	struct gw_error err;
	char order[4096];
	char findings[200];	 /* "id id " */
	uint8_t *memory, *types; /* by pfn; 0xff: never came */
	uint64_t *queue;	 /* compressed round: pfns whose contents are to come */
	size_t queued, unqueued;
	struct gw_legacy_delta delta;
	unsigned params; /* a bit for each that came */
	bool to_end;	 /* the device model took all that was left */
};

static void log_finding(void *opaque, const struct gw_finding *finding)
{
	struct feed *f = opaque;
	size_t len = strlen(f->findings);

	snprintf(f->findings + len, sizeof(f->findings) - len, "%s ", finding->rule->id);
}

/* The findings that the rules have for each sample, none of them an error. */
static const char *findings_of(const struct sample *s)
{
	if (strstr(s->name, "verify"))
		return "legacy-verify-mode ";
	if (strstr(s->name, "remus") || strstr(s->name, "leg40_pv"))
		return "legacy-no-last-checkpoint ";
	return "";
}

/* Until the next call, the reader may read this many bytes from here and no more. */
static void allow(struct feed *f, uint64_t len)
{
	assert_true(len <= f->len - f->pos);
	f->limit = f->pos + (size_t)len;
}

/* The length of the header, computed without code of the reader. */
static size_t header_bytes(const struct feed *f)
{
	size_t w = f->sample->width, at = f->pos + 2 * w + 4, end;
	size_t guest = w;

	if (f->sample->guest == GW_GUEST_X86_HVM)
		return w == 8 ? 16 : 8; /* with the id of the first chunk */
	end = at + gw_get_le32(f->data + at - 4);
	while (at < end) {
		if (!memcmp(f->data + at, "vcpu", 4))
			guest = gw_get_le32(f->data + at + 4) == 0x1430 ? 8 : 4;
		at += 8 + gw_get_le32(f->data + at + 4);
	}
	return end - f->pos + w * ((f->sample->p2m_size * guest + 4095) / 4096);
}

/* Bytes of the chunk that begins here, without pages and compressed data. */
static size_t chunk_bytes(const struct feed *f)
{
	int32_t id = (int32_t)gw_get_le32(f->data + f->pos);
	size_t w = f->sample->width;

	if (id > 0)
		return 4 + w * (size_t)id;
	switch (id) {
	case 0:
	case -1:
	case -9:
	case -13:
		return 4;
	case -2:
		return 16 + 8 * (size_t)(gw_get_le32(f->data + f->pos + 4) / 64);
	case -7:
		return 24;
	case -12:
		return 4 + w;
	case -18:
		return 8 + gw_get_le32(f->data + f->pos + 4);
	default:
		assert_true(gw_legacy_id_param(id) > 0);
		return 16;
	}
}

/* Sets what may be read next, after the last event. */
static void allow_next(struct feed *f, enum gw_legacy_event last)
{
	size_t context = f->sample->guest == GW_GUEST_X86_HVM ? 0 : f->r.header.guest_width;

	context = context == 8 ? 0x1430 : 0xaf0;
	context += (f->r.header.has_ext_contexts ? 128 : 0) + f->r.header.xsave_bytes;
	switch (last) {
	case GW_LEGACY_BODY_END:
		allow(f, f->sample->guest == GW_GUEST_X86_HVM
				 ? 24
				 : 4 + f->sample->width * (uint64_t)gw_get_le32(f->data + f->pos));
		break;
	case GW_LEGACY_MAGIC_PFNS:
		allow(f, 4 + gw_get_le32(f->data + f->pos));
		break;
	case GW_LEGACY_HVM_CONTEXT:
		allow(f, f->data[f->pos] == 'Q' ? 21 : 25);
		break;
	case GW_LEGACY_UNMAPPED:
	case GW_LEGACY_VCPU:
		allow(f, f->r.vcpu.id < 1 || last == GW_LEGACY_UNMAPPED ? context : 4096);
		break;
	case GW_LEGACY_SHARED_INFO:
	case GW_LEGACY_DEVICE_MODEL:
		allow(f, 0);
		break;
	default:
		allow(f, chunk_bytes(f));
	}
}

/* Brings the bytes that the reader wants: one at a time, each from a different address, or all at
 * once. */
static void bring(struct feed *f, void *to, size_t len)
{
	assert_true(len <= f->limit - f->pos);
	for (size_t i = 0; f->sample->chopped && i < len; i++)
		((uint8_t *)to)[i] = f->data[f->pos + i];
	if (!f->sample->chopped && len)
		memcpy(to, f->data + f->pos, len);
	f->pos += len;
}

static void log_word(struct feed *f, const char *word)
{
	size_t len = strlen(f->order), n = strlen(word);
	bool run = !strcmp(word, "pages") || !strcmp(word, "params");

	if (run && len > n && !strncmp(f->order + len - n - 1, word, n))
		return;
	assert_true(len + n + 2 < sizeof(f->order));
	snprintf(f->order + len, sizeof(f->order) - len, "%s ", word);
}

static void check_bytes(const uint8_t *p, size_t from, size_t to, unsigned a, unsigned b)
{
	for (size_t i = from; i < to; i++)
		if (p[i] != (uint8_t)(a * i + b))
			fail_msg("byte %zu is 0x%02x, expected 0x%02x", i, p[i],
				 (uint8_t)(a * i + b));
}

static uint8_t *page_of(struct feed *f, uint64_t pfn)
{
	return f->memory + pfn * GW_PAGE_SIZE;
}

static void take_pages(struct feed *f)
{
	const struct gw_legacy_reader *r = &f->r;
	size_t contents = 0;

	for (size_t i = 0; i < r->nr_entries; i++) {
		uint64_t pfn = gw_page_entry_pfn(r->entries[i]);
		unsigned type = gw_page_entry_type(r->entries[i]);

		assert_true(pfn < f->sample->p2m_size);
		assert_int_equal(r->entries[i] & GW_PAGE_ENTRY_RESERVED, 0);
		if (!gw_page_has_data(type))
			continue;
		contents++;
		f->types[pfn] = (uint8_t)type;
		if (r->data_len == 0) {
			f->queue[f->queued++] = pfn;
			continue;
		}
		assert_true(f->len - f->pos >= GW_PAGE_SIZE);
		if (r->verify_mode)
			assert_memory_equal(page_of(f, pfn), f->data + f->pos, GW_PAGE_SIZE);
		memcpy(page_of(f, pfn), f->data + f->pos, GW_PAGE_SIZE);
		f->pos += GW_PAGE_SIZE;
	}
	assert_int_equal(r->nr_pages, contents);
	assert_int_equal(r->nr_entries, r->id);
	if (r->compressed && r->rounds)
		assert_int_equal(r->data_len, 0);
	else
		assert_int_equal(r->data_len, contents * GW_PAGE_SIZE);
	gw_legacy_reader_data_done(&f->r);
}

static void take_compressed(struct feed *f)
{
	uint64_t left = f->r.data_len;

	assert_true(left <= f->len - f->pos);
	assert_true(left > 0);
	while (left) {
		bool complete;
		long used;

		assert_true(f->unqueued < f->queued);
		used = gw_legacy_delta_apply(&f->delta, f->data + f->pos, (size_t)left,
					     page_of(f, f->queue[f->unqueued]), &complete, &f->err);
		assert_ok(used, &f->err);
		f->unqueued += complete;
		f->pos += (size_t)used;
		left -= (uint64_t)used;
	}
	gw_legacy_reader_data_done(&f->r);
}

/* The value that the recorder gave the guest in each of its params (README of the recordings). */
static void check_param(struct feed *f)
{
	bool old = strstr(f->sample->name, "leg42"), is64 = f->sample->p2m_size == 0x400;
	const uint64_t top = is64 ? 0x400 : 0x1000;
	const struct {
		int32_t id;
		int param;
		uint64_t value;
	} want[] = {
		{-3, 12, 0xfeff2000}, {-4, 15, 0xfeff1000}, {-8, 17, top - 6},
		{-10, 19, 1},	      {-11, 9, 0x27},	    {-14, 34, old ? 0x3f5400 : 0xfc00f400},
		{-15, 27, top - 8},   {-16, 28, top - 9},   {-17, 29, top - 10},
		{-19, 32, top - 3},   {-20, 33, 2},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(want); i++) {
		if (want[i].id != f->r.id)
			continue;
		assert_int_equal(gw_legacy_id_param(f->r.id), want[i].param);
		assert_int_equal(f->r.value, want[i].value);
		f->params |= 1u << -f->r.id;
		return;
	}
	fail_msg("chunk %d", f->r.id);
}

static void check_toolstack(struct feed *f)
{
	const struct gw_legacy_reader *r = &f->r;

	assert_true(r->len >= 8);
	assert_int_equal(gw_get_le32(r->data), 1);
	if (f->sample->guest == GW_GUEST_X86_PV)
		assert_int_equal(r->len, 8);
	else
		assert_int_equal(r->len, r->header.kind.width == 8 ? 89 : 81);
}

static void take_chunk(struct feed *f)
{
	const struct gw_legacy_reader *r = &f->r;

	if (gw_legacy_id_param(r->id) >= 0) {
		check_param(f);
		log_word(f, "params");
		return;
	}
	log_word(f, gw_legacy_id_name(r->id));
	switch (r->id) {
	case GW_LEG_TSC_INFO:
		assert_int_equal(r->tsc.mode, 2);
		assert_int_equal(r->tsc.nsec, 0x123456789abc);
		assert_int_equal(r->tsc.khz, 2594110);
		assert_int_equal(r->tsc.incarnation, 3);
		break;
	case GW_LEG_VCPU_INFO:
		assert_int_equal(r->max_vcpu_id, 1);
		assert_int_equal(r->vcpu_map[0], 3);
		assert_true(r->has_vcpu_info);
		break;
	case GW_LEG_TOOLSTACK:
		check_toolstack(f);
		break;
	default:
		break;
	}
}

static void check_header(struct feed *f)
{
	const struct gw_legacy_header *h = &f->r.header;
	bool old = strstr(f->sample->name, "leg40");

	assert_int_equal(h->kind.width, f->sample->width);
	assert_int_equal(h->kind.guest, f->sample->guest);
	assert_int_equal(h->p2m_size, f->sample->p2m_size);
	if (h->kind.guest == GW_GUEST_X86_HVM) {
		assert_int_equal(h->guest_width, 0);
		return;
	}
	assert_int_equal(h->guest_width, strstr(f->sample->name, "pv32") ? 4 : 8);
	assert_true(h->has_extended_info);
	assert_true(h->has_ext_contexts);
	assert_true(h->pae_extended_cr3);
	assert_int_equal(h->unknown_blocks, 0);
	assert_int_equal(h->xsave_bytes, old ? 0 : 864);
	assert_int_equal(h->p2m_frames, h->p2m_size * h->guest_width / GW_PAGE_SIZE);
	for (uint64_t i = 0; i < h->p2m_frames; i++)
		assert_int_equal(gw_legacy_p2m_frame(&f->r, i), 0x40 + i);
}

static void check_vcpu(struct feed *f)
{
	const struct gw_legacy_vcpu *v = &f->r.vcpu;
	const struct gw_pv_layout *l = gw_pv_layout(f->r.header.guest_width);
	uint8_t ext[8] = {(uint8_t)v->id, 0, 0, 0, 128, 0, 0, 0};

	assert_int_equal(v->context_len, l->vcpu_size);
	assert_false(v->assumed);
	/* xmm0 to xmm15; see tests/data/pv_contexts.py. */
	check_bytes(v->context, 160, 416, 7, 31 * v->id + 3);
	/* The root of the page tables, identified by its pfn. */
	assert_int_equal(
		gw_pv_cr3_to_frame(l,
				   gw_pv_get_word(l, gw_pv_word_at(l, v->context + l->vcpu_cr, 3))),
		0x28);
	if (v->id == 0)
		assert_int_equal(gw_pv_get_word(l, v->context + l->vcpu_edx), 0x20);
	assert_int_equal(v->ext_len, 128);
	assert_memory_equal(v->ext, ext, 8);
	assert_true(gw_get_le64(v->ext + 8) ==
		    UINT64_C(0xffffffff81000000) + 0x1000 * (uint64_t)v->id);
	assert_true(gw_get_le64(v->ext + 16) == gw_get_le64(v->ext + 8) + 0x10);
	if (f->r.header.xsave_bytes == 0) {
		assert_null(v->xsave);
		return;
	}
	assert_int_equal(v->xsave_mask, 7);
	assert_int_equal(v->xsave_len, 848);
	assert_true(gw_get_le64(v->xsave) == 7 && gw_get_le64(v->xsave + 8) == 7);
	assert_memory_equal(v->xsave + 16, v->context, 512);
	check_bytes(v->xsave, 592, 848, 3, 19 * v->id);
}

static void check_magic(struct feed *f)
{
	static const unsigned below_end[] = {5, 4, 7}; /* ioreq, bufioreq, store */

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->r.magic_pfns[i], f->sample->p2m_size - below_end[i]);
}

static void check_unmapped(struct feed *f)
{
	assert_int_equal(f->r.unmapped, 16);
	assert_int_equal(f->r.nr_entries, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(f->r.entries[i], f->sample->p2m_size - 16 + i);
}

/* The entries of set_hvm_context.py; rax is that of tiny-hvm. */
static void check_context(const uint8_t *data, size_t len)
{
	static const struct {
		uint16_t code, at;
	} entries[] = {{1, 0},	  {2, 32},    {3, 1064},  {3, 1080}, {8, 1096},
		       {9, 1112}, {11, 1128}, {13, 1160}, {0, 1176}};

	assert_int_equal(len, 1184);
	for (size_t i = 0; i < GW_ARRAY_SIZE(entries); i++)
		assert_int_equal(gw_get_le16(data + entries[i].at), entries[i].code);
	assert_int_equal(gw_get_le32(data + 36), 1024);
	assert_int_equal(gw_get_le64(data + 40 + 512), 0xcd8ab3);
}

/* The CRC-32 of the state of each checkpoint: set_qemu_state.py made them. */
static const uint32_t models[] = {0x9be2a82b, 0x36530516, 0x5c3d0356, 0xe85259e4};

static void take_model(struct feed *f)
{
	uint64_t rest = f->len - f->pos, len = f->r.data_len;
	char word[16];

	snprintf(word, sizeof(word), "model/%d", (int)f->r.model);
	log_word(f, word);
	if (f->r.model == GW_LEGACY_DM_QEMU) {
		assert_true(len == UINT64_MAX);
		len = rest;
		f->to_end = true;
	}
	assert_true(len <= rest);
	assert_int_equal(len, 2051 + 5 * f->r.rounds);
	assert_true(f->r.rounds < GW_ARRAY_SIZE(models));
	assert_int_equal(crc32(0, f->data + f->pos, (unsigned)len), models[f->r.rounds]);
	f->pos += (size_t)len;
	gw_legacy_reader_data_done(&f->r);
}

/* Memory has every page of the checkpoint's manifest, and no other. */
static void compare_memory(struct feed *f)
{
	char name[128];
	struct manifest m;
	size_t pages = 0, listed = 0;

	if (f->sample->checkpoints > 1)
		snprintf(name, sizeof(name), "xen-code/%s.cp%u.manifest.xz", f->sample->name,
			 (unsigned)f->r.rounds - 1);
	else
		snprintf(name, sizeof(name), "xen-code/%s.manifest.xz", f->sample->name);
	m = manifest_load(name);
	for (size_t i = 0; i < m.nr; i++) {
		const struct manifest_page *p = &m.pages[i];
		uint8_t hash[MANIFEST_HASH];

		if (!p->has_data)
			continue;
		listed++;
		manifest_hash(page_of(f, p->pfn), hash);
		if (f->types[p->pfn] != p->type || memcmp(hash, p->hash, sizeof(hash)) != 0)
			fail_msg("%s: pfn 0x%llx (type %u) is not as in %s (%u)", f->sample->name,
				 (unsigned long long)p->pfn, f->types[p->pfn], name, p->type);
	}
	for (uint64_t pfn = 0; pfn < f->sample->p2m_size; pfn++)
		pages += f->types[pfn] != 0xff;
	assert_int_equal(pages, listed);
	manifest_free(&m);
}

static void take_checkpoint(struct feed *f)
{
	log_word(f, "checkpoint");
	assert_int_equal(f->unqueued, f->queued);
	assert_int_equal(f->delta.state, 0);
	f->queued = f->unqueued = 0;
	assert_true(gw_legacy_reader_at_boundary(&f->r));
	compare_memory(f);
}

static void take_event(struct feed *f, enum gw_legacy_event event)
{
	switch (event) {
	case GW_LEGACY_HEADER:
		log_word(f, "HEADER");
		check_header(f);
		return;
	case GW_LEGACY_CHUNK:
		take_chunk(f);
		return;
	case GW_LEGACY_PAGES:
		log_word(f, "pages");
		take_pages(f);
		return;
	case GW_LEGACY_COMPRESSED:
		log_word(f, "compressed");
		take_compressed(f);
		return;
	case GW_LEGACY_BODY_END:
		log_word(f, "END");
		return;
	case GW_LEGACY_MAGIC_PFNS:
		log_word(f, "magic");
		check_magic(f);
		return;
	case GW_LEGACY_HVM_CONTEXT:
		log_word(f, "context");
		check_context(f->r.data, f->r.len);
		return;
	case GW_LEGACY_DEVICE_MODEL:
		take_model(f);
		return;
	case GW_LEGACY_UNMAPPED:
		log_word(f, "unmapped");
		check_unmapped(f);
		return;
	case GW_LEGACY_VCPU:
		log_word(f, "vcpu");
		check_vcpu(f);
		return;
	case GW_LEGACY_SHARED_INFO:
		log_word(f, "shared");
		assert_int_equal(f->r.len, GW_PAGE_SIZE);
		check_bytes(f->r.data, 0, 2048, 11, 5);
		return;
	case GW_LEGACY_CHECKPOINT:
		take_checkpoint(f);
		return;
	default:
		fail_msg("event %d", (int)event);
	}
}

static void skip_xl_header(struct feed *f)
{
	struct gw_xlfile xl = {0};

	if (strncmp(f->sample->name, "xl", 2) != 0)
		return;
	assert_ok(gw_xlfile_header_decode(f->data, &xl, &f->err), &f->err);
	assert_int_equal(xl.mandatory_flags & GW_XLFILE_STREAM_V2, 0);
	f->image = f->pos = GW_XLFILE_HEADER_SIZE + xl.optional_len;
	gw_xlfile_free(&xl);
}

/* The reader detects an HVM image from its first bytes, some of which belong to the first chunk.
 * The test's own walk continues at that chunk. */
static void allow_first_chunk(struct feed *f)
{
	size_t read = f->pos;

	f->pos = f->image + f->sample->width;
	allow(f, chunk_bytes(f));
	f->pos = read;
}

static void allow_behind(struct feed *f, enum gw_legacy_event event)
{
	if (event == GW_LEGACY_HEADER && f->sample->guest == GW_GUEST_X86_HVM)
		allow_first_chunk(f);
	else if (event == GW_LEGACY_CHECKPOINT && f->pos == f->len)
		f->limit = f->len + 4; /* the reader may want these, but there is no more input */
	else
		allow_next(f, event);
}

static void read_on(struct feed *f)
{
	enum gw_legacy_event event = GW_LEGACY_MORE;
	size_t len;
	void *to;

	allow(f, header_bytes(f));
	while (event != GW_LEGACY_DONE) {
		assert_ok(gw_legacy_reader_want(&f->r, &to, &len, &f->err), &f->err);
		assert_true(len <= f->limit - f->pos);
		/* Input may end after a complete round. */
		if (len && f->pos == f->len && gw_legacy_reader_at_boundary(&f->r))
			break;
		bring(f, to, len);
		assert_ok(gw_legacy_reader_got(&f->r, &event, &f->err), &f->err);
		if (event == GW_LEGACY_MORE || event == GW_LEGACY_DONE)
			continue;
		assert_int_equal(f->pos, f->limit);
		assert_ok(gw_legacy_rules_event(f->rules, &f->r, event, &f->err), &f->err);
		take_event(f, event);
		if (!f->to_end && event != GW_LEGACY_HEADER)
			assert_int_equal(f->r.offset, f->pos - f->image);
		allow_behind(f, event);
	}
	if (event == GW_LEGACY_DONE)
		log_word(f, "done");
	assert_ok(gw_legacy_rules_end(f->rules, &f->r, gw_legacy_reader_at_boundary(&f->r), f->pos,
				      &f->err),
		  &f->err);
}

/* Every param of the recording was reported. */
static void check_params(const struct feed *f)
{
	const char *name = f->sample->name;
	unsigned all = 1u << 3 | 1u << 4 | 1u << 8 | 1u << 10 | 1u << 11 | 1u << 14 | 1u << 15 |
		       1u << 16 | 1u << 17;

	if (!strstr(f->order, "params"))
		assert_int_equal(f->params, 0);
	else if (strstr(name, "leg40"))
		assert_int_equal(f->params, 1u << 3 | 1u << 4);
	else if (strstr(name, "leg42"))
		assert_int_equal(f->params, all);
	else
		assert_int_equal(f->params, all | 1u << 19 | 1u << 20);
}

static void read_sample(const struct sample *sample)
{
	char path[128];
	struct gw_buffer file;
	struct feed *f = calloc(1, sizeof(*f));
	const struct gw_findings out = {log_finding, f};

	assert_non_null(f);
	snprintf(path, sizeof(path), "xen-code/%s.xz", sample->name);
	file = realdata_load(realdata_path(path));
	f->sample = sample;
	f->data = file.data;
	f->len = file.len;
	f->memory = calloc(sample->p2m_size, GW_PAGE_SIZE);
	f->types = malloc(sample->p2m_size);
	f->queue = calloc(sample->p2m_size, sizeof(*f->queue));
	assert_true(f->memory && f->types && f->queue);
	memset(f->types, 0xff, sample->p2m_size);
	skip_xl_header(f);
	gw_legacy_reader_init(&f->r, NULL);
	f->rules = gw_legacy_rules_new(&out, 0);
	assert_non_null(f->rules);
	read_on(f);
	assert_string_equal(f->findings, findings_of(sample));
	check_params(f);
	assert_int_equal(f->pos, f->len);
	assert_int_equal(f->r.rounds, sample->checkpoints);
	assert_int_equal(strncmp(f->order, sample->order, strlen(sample->order)), 0);
	assert_true(strlen(f->order) <= strlen(sample->order) + 1);
	gw_legacy_reader_free(&f->r);
	gw_legacy_rules_free(f->rules);
	free(f->memory);
	free(f->types);
	free(f->queue);
	free(f);
	gw_buffer_free(&file);
}

static void every_sample(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(samples); i++)
		read_sample(&samples[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample),
	};

	return cmocka_run_group_tests_name("legacy", tests, NULL, NULL);
}
