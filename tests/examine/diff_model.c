/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The model and its images, written with the encoders of src/format/.
 */
#include "diff_model.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/x86/pv_layout.h"
#include "format/libxl/stream.h"
#include "format/x86/policy.h"
#include "format/xl/file.h"
#include "lib/hvm_context.h"
#include "lib/random.h"

#define SHARED_WC_SEC 3076u

const char *const model_registers[MODEL_WORDS] = {"rax", "rbx", "rcx", "rdx", "rip", "rsp"};
/* Offsets in struct hvm_hw_cpu and in the 64-bit vcpu_guest_context. */
static const unsigned hvm_at[MODEL_WORDS] = {512, 520, 528, 536, 640, 568};
static const unsigned pv_at[MODEL_WORDS] = {600, 560, 608, 616, 648, 672};

/* The bits of a word that a model may use: an address of a PV guest is canonical. */
static unsigned bits_of(unsigned w)
{
	return w >= MODEL_WORDS - 2 ? 47 : 64; /* rip, rsp */
}

static uint64_t below(uint64_t *random, uint64_t n)
{
	return random_next(random) % n;
}

static const uint8_t types[] = {GW_PAGE_NOTAB, GW_PAGE_L1TAB, GW_PAGE_L2TAB,
				GW_PAGE_L4TAB | GW_PAGE_PINNED};

static uint8_t some_type(const struct model *m, uint64_t *random)
{
	return m->pv && below(random, 3) == 0 ? types[below(random, GW_ARRAY_SIZE(types))]
					      : GW_PAGE_NOTAB;
}

/* A value of a param in gw_hvm_params_saved[i] that Xen takes; not 0. */
static uint64_t some_param(unsigned i, uint64_t *random)
{
	uint64_t value = below(random, 1000) + 1;

	switch (gw_hvm_params_saved[i]) {
	case 37: /* VM86_TSS_SIZED */
		return UINT64_C(0x80) << 32 | value;
	case 9: /* VIRIDIAN */
		return (value & 0x3ff) | 1;
	case 33: /* NR_IOREQ_SERVER_PAGES */
		return value % 64 + 1;
	case 36: /* X87_FIP_WIDTH */
		return value & 1 ? 4 : 8;
	case 19: /* ACPI_IOPORTS_LOCATION */
	case 38: /* MCA_CAP */
		return 1;
	default:
		return value;
	}
}

/* Params whose value may change while an image is restored. */
static bool may_change(uint64_t index)
{
	return index == 1 || index == 17 || index == 12 || index == 34 ||
	       (index >= 27 && index <= 29);
}

void model_make(struct model *m, uint64_t *random)
{
	*m = (struct model){.pv = below(random, 2)};
	m->layers = !m->pv && below(random, 2);
	for (unsigned i = 0; i < MODEL_PFNS; i++) {
		m->pages[i].there = below(random, 5) != 0;
		m->pages[i].type = some_type(m, random);
		m->pages[i].seed = below(random, 4) ? (uint32_t)random_next(random) : 0;
	}
	for (unsigned i = 0; i < 16; i++)
		m->params[i] = i == 0 || below(random, 2) ? some_param(i, random) : 0;
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 4; k++)
			m->leaves[i][k] = (uint32_t)random_next(random);
	for (unsigned i = 0; i < 2; i++)
		m->msrs[i] = random_next(random) & (i ? UINT64_MAX : GW_XEN_PLATFORM_INFO);
	m->tsc = (struct gw_tsc_info){.khz = 1000000, .nsec = random_next(random)};
	for (unsigned v = 0; v < MODEL_VCPUS; v++)
		for (unsigned w = 0; w < MODEL_WORDS; w++)
			m->vcpus[v][w] = random_next(random) >> (64 - bits_of(w));
	m->wc_sec = (uint32_t)random_next(random);
	m->emulator = (uint32_t)random_next(random);
	m->emulator_len = (uint32_t)below(random, 40000) + 1;
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		m->keys[i] = (uint32_t)below(random, 3);
}

static void change_page(struct model *m, uint64_t *random)
{
	unsigned i = (unsigned)below(random, MODEL_PFNS);

	switch (below(random, 4)) {
	case 0:
		m->pages[i].there = !m->pages[i].there;
		break;
	case 1:
		m->pages[i].type = some_type(m, random);
		break;
	case 2:
		m->pages[i].seed = 0;
		break;
	default:
		m->pages[i].seed ^= 1u << below(random, 32);
		break;
	}
}

void model_change(struct model *m, uint64_t *random)
{
	unsigned i = (unsigned)below(random, 16);

	switch (below(random, 16)) {
	case 0:
		m->params[i] = i == 0 || below(random, 2) ? some_param(i, random) : 0;
		break;
	case 1:
		m->leaves[i % 8][i % 4] ^= 1u << below(random, 32);
		break;
	case 2:
		m->msrs[i % 2] ^= i % 2 ? UINT64_C(1) << below(random, 64) : GW_XEN_PLATFORM_INFO;
		break;
	case 3:
		m->tsc.nsec ^= UINT64_C(1) << below(random, 64);
		break;
	case 4:
		m->tsc.incarnation ^= 1;
		break;
	case 5:
		m->vcpus[i % MODEL_VCPUS][i % MODEL_WORDS] ^=
			UINT64_C(1) << below(random, bits_of(i % MODEL_WORDS));
		break;
	case 6:
		m->wc_sec ^= 1;
		break;
	case 7:
		m->emulator ^= 1;
		break;
	case 8:
		m->emulator_len = (uint32_t)below(random, 40000) + 1;
		break;
	case 9:
		m->keys[i % MODEL_KEYS] = (uint32_t)below(random, 3);
		break;
	default:
		change_page(m, random);
		break;
	}
}

const char *model_page(const struct model *a, const struct model *b, unsigned pfn)
{
	bool contents = a->pages[pfn].seed != b->pages[pfn].seed;
	bool type = a->pages[pfn].type != b->pages[pfn].type;

	if (!a->pages[pfn].there || !b->pages[pfn].there)
		return a->pages[pfn].there ? "A" : b->pages[pfn].there ? "B" : "";
	return contents ? (type ? "ct" : "c") : type ? "t" : "";
}

static void GW_PRINTF(2, 3) line(struct gw_buffer *lines, const char *fmt, ...)
{
	struct gw_error err = GW_ERROR_INIT;
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_ok(gw_buffer_printf(lines, &err, "%s\n", text), &err);
}

static uint8_t emulator_byte(const struct model *m, uint32_t i)
{
	return (uint8_t)((m->emulator >> i % 4 * 8) + i);
}

static void device_model(const struct model *a, const struct model *b, struct gw_buffer *lines)
{
	bool differs = a->emulator_len != b->emulator_len;

	if (!a->layers)
		return;
	for (uint32_t i = 0; i < GW_MIN(a->emulator_len, b->emulator_len); i++)
		differs |= emulator_byte(a, i) != emulator_byte(b, i);
	if (differs)
		line(lines, "emulator 0 - state");
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		if (a->keys[i] != b->keys[i])
			line(lines, "xenstore 0 - physmap/%x/size", i);
}

void model_state(const struct model *a, const struct model *b, struct gw_buffer *lines)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};

	for (unsigned i = 1; i <= 8; i++)
		for (unsigned k = 0; k < 4; k++)
			if (a->leaves[i % 8][k] != b->leaves[i % 8][k])
				line(lines, "cpuid %u - %s", i, regs[k]);
	if (a->msrs[0] != b->msrs[0])
		line(lines, "msr_policy 206 - PLATFORM_INFO");
	if (a->msrs[1] != b->msrs[1])
		line(lines, "msr_policy 266 - ARCH_CAPABILITIES");
	if (a->tsc.nsec != b->tsc.nsec)
		line(lines, "tsc 0 - nsec");
	if (a->tsc.incarnation != b->tsc.incarnation)
		line(lines, "tsc 0 - incarnation");
	for (unsigned i = 0; i < 16; i++)
		if (!a->pv && a->params[i] != b->params[i])
			line(lines, "hvm_param %u - %s", gw_hvm_params_saved[i],
			     gw_hvm_param_name(gw_hvm_params_saved[i]));
	for (unsigned v = 0; v < MODEL_VCPUS; v++)
		for (unsigned w = 0; w < MODEL_WORDS; w++)
			if (a->vcpus[v][w] != b->vcpus[v][w])
				line(lines, "vcpu %u %s %s", v, a->pv ? "BASIC" : "CPU",
				     model_registers[w]);
	if (a->pv && a->wc_sec != b->wc_sec)
		line(lines, "shared_info 0 - wc_sec");
	device_model(a, b, lines);
}

/* Images */

struct writer {
	const struct model *m;
	uint64_t *random; /* NULL: no random choices */
	struct gw_buffer out;
	struct gw_error err;
	bool checkpointed, dealt[MODEL_PFNS]; /* a copy was sent */
};

/* Decides, with n in a hundred, whether to do something optional. */
static bool chance(struct writer *w, unsigned n)
{
	return w->random && below(w->random, 100) < n;
}

static void put(struct writer *w, uint32_t type, const void *body, size_t len)
{
	assert_ok(gw_record_append(&w->out, type, body, len, &w->err), &w->err);
}

static void fill_page(uint8_t *page, uint32_t seed)
{
	for (unsigned i = 0; i < GW_PAGE_SIZE; i += 4)
		gw_put_le32(page + i, seed ? seed + i * 2654435761u : 0);
	/* One word, at a place that depends on the seed, is the seed itself. */
	gw_put_le32(page + seed % 1024 * 4, seed);
}

/* Entries of one record; other: with contents that a later copy replaces. */
struct batch {
	size_t n, nr_pages;
	uint64_t entries[64];
	uint32_t seeds[64];
};

static void end_batch(struct writer *w, struct batch *b)
{
	uint8_t head[16 + 8 * 64], page[GW_PAGE_SIZE];

	if (!b->n)
		return;
	assert_ok(gw_buffer_append(&w->out, head,
				   gw_page_data_head_encode(head, b->n, b->entries, b->nr_pages),
				   &w->err),
		  &w->err);
	for (size_t i = 0; i < b->n; i++) {
		if (!gw_page_has_data(gw_page_entry_type(b->entries[i])))
			continue;
		fill_page(page, b->seeds[i]);
		assert_ok(gw_buffer_append(&w->out, page, sizeof(page), &w->err), &w->err);
	}
	*b = (struct batch){0};
}

static void add_entry(struct writer *w, struct batch *b, uint64_t pfn, unsigned type, uint32_t seed)
{
	b->entries[b->n] = gw_page_entry(pfn, type);
	b->seeds[b->n++] = seed;
	b->nr_pages += gw_page_has_data(type);
	if (b->n == 64 || chance(w, 10))
		end_batch(w, b);
}

/* Copies that a later one replaces, and entries of pfns that have no page. */
static void put_noise(struct writer *w)
{
	struct batch b = {0};
	uint64_t n = w->random ? below(w->random, 60) : 0;

	while (n--) {
		unsigned pfn = (unsigned)below(w->random, MODEL_PFNS);

		if (!w->m->pages[pfn].there) {
			add_entry(w, &b, pfn, chance(w, 50) ? GW_PAGE_XTAB : GW_PAGE_BROKEN, 0);
			continue;
		}
		add_entry(w, &b, pfn, some_type(w->m, w->random), (uint32_t)random_next(w->random));
		w->dealt[pfn] = true;
	}
	end_batch(w, &b);
}

static void put_pages(struct writer *w)
{
	unsigned order[MODEL_PFNS];
	struct batch b = {0};

	for (unsigned i = 0; i < MODEL_PFNS; i++)
		order[i] = i;
	for (unsigned i = MODEL_PFNS - 1; chance(w, 90) && i > 0; i--) {
		unsigned k = (unsigned)below(w->random, i + 1), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	for (unsigned i = 0; i < MODEL_PFNS; i++) {
		unsigned pfn = order[i], type = w->m->pages[pfn].type;
		uint32_t seed = w->m->pages[pfn].seed;

		if (!w->m->pages[pfn].there) {
			if (chance(w, 50))
				add_entry(w, &b, pfn, GW_PAGE_XTAB, 0);
			continue;
		}
		if (!seed && type == GW_PAGE_NOTAB && !w->dealt[pfn] && chance(w, 50))
			type = GW_PAGE_XALLOC;
		add_entry(w, &b, pfn, type, seed);
		/* A restore of an HVM guest never takes a page away. */
		if (!w->m->pv && chance(w, 5))
			add_entry(w, &b, pfn, GW_PAGE_XTAB, 0);
		w->dealt[pfn] = true;
	}
	end_batch(w, &b);
}

static void put_params(struct writer *w)
{
	uint64_t index[16], values[16];
	uint32_t n = 0;

	for (unsigned i = 0; i < 16; i++) {
		if (!w->m->params[i])
			continue;
		index[n] = gw_hvm_params_saved[i];
		values[n++] = w->m->params[i];
		/* A record that a later one replaces. */
		if (may_change(index[n - 1]) && chance(w, 5))
			assert_ok(gw_hvm_params_append(&w->out, 1, &index[n - 1], &(uint64_t){7},
						       &w->err),
				  &w->err);
	}
	assert_ok(gw_hvm_params_append(&w->out, n, index, values, &w->err), &w->err);
}

static void put_hvm(struct writer *w)
{
	const struct gw_hvm_header h = {GW_HVM_HEADER_MAGIC, GW_HVM_HEADER_VERSION, 1, 2, 3};
	uint8_t header[GW_HVM_HEADER_SIZE], cpu[GW_HVM_CPU_SIZE];
	struct gw_buffer context = {0};

	gw_hvm_header_encode(header, &h);
	gw_hvm_entry_append(&context, GW_HVM_HEADER, 0, header, sizeof(header), &w->err);
	for (unsigned i = 0; i < MODEL_VCPUS; i++) {
		hvm_cpu(cpu);
		for (unsigned r = 0; r < MODEL_WORDS; r++)
			gw_put_le64(cpu + hvm_at[r], w->m->vcpus[i][r]);
		gw_hvm_entry_append(&context, GW_HVM_CPU, (uint16_t)i, cpu, sizeof(cpu), &w->err);
	}
	gw_hvm_entry_append(&context, GW_HVM_END, 0, NULL, 0, &w->err);
	if (chance(w, 50))
		put_params(w);
	put(w, GW_REC_HVM_CONTEXT, context.data, context.len);
	put_params(w);
	gw_buffer_free(&context);
}

static void put_pv(struct writer *w)
{
	static uint8_t shared[GW_PAGE_SIZE];

	gw_put_le32(shared + SHARED_WC_SEC, w->m->wc_sec);
	put(w, GW_REC_SHARED_INFO, shared, sizeof(shared));
	for (unsigned i = 0; i < MODEL_VCPUS; i++) {
		uint8_t context[5168], ext[64] = {0};
		struct gw_vcpu_blob blob = {i, 0, context, sizeof(context)};

		memset(context, 0, sizeof(context));
		memset(context, (int)i, 512);
		gw_put_le32(context + 512, GW_PV_VCPU_KERNEL);
		for (unsigned r = 0; r < MODEL_WORDS; r++)
			gw_put_le64(context + pv_at[r], w->m->vcpus[i][r]);
		gw_vcpu_blob_append(&w->out, GW_REC_X86_PV_VCPU_BASIC, &blob, &w->err);
		if (chance(w, 20)) {
			blob.blob_len = 0;
			gw_vcpu_blob_append(&w->out, GW_REC_X86_PV_VCPU_BASIC, &blob, &w->err);
		}
		gw_put_le32(ext, i);
		gw_put_le32(ext + 4, sizeof(ext));
		blob = (struct gw_vcpu_blob){i, 0, ext, sizeof(ext)};
		gw_vcpu_blob_append(&w->out, GW_REC_X86_PV_VCPU_EXTENDED, &blob, &w->err);
	}
	assert_int_equal(w->err.code, 0);
}

static void put_tsc(struct writer *w)
{
	uint8_t raw[24];

	gw_tsc_info_encode(raw, &w->m->tsc);
	put(w, GW_REC_X86_TSC_INFO, raw, sizeof(raw));
}

static void put_state(struct writer *w)
{
	bool first = chance(w, 50);

	if (first)
		put_tsc(w);
	if (w->m->pv)
		put_pv(w);
	else
		put_hvm(w);
	if (!first)
		put_tsc(w);
}

static void put_static(struct writer *w)
{
	struct gw_cpuid_leaf leaves[8];
	struct gw_msr_entry msrs[2] = {{0xce, 0, w->m->msrs[0]}, {0x10a, 0, w->m->msrs[1]}};
	const struct gw_policy policy = {leaves, 8, msrs, 2};
	const struct gw_pv_info info = {8, 4, {0}};
	const struct gw_p2m_frames p2m = {0, MODEL_PFNS - 1, 1};
	uint8_t raw[8];

	/* Leaf 8 in the place of leaf 0, which gives the highest. */
	for (unsigned i = 0; i < 8; i++) {
		const uint32_t *r = w->m->leaves[i];

		leaves[i] = (struct gw_cpuid_leaf){
			i ? i : 8, i == 4 || i == 7 ? 0 : GW_CPUID_NO_SUBLEAF, r[0], r[1], r[2],
			r[3]};
	}
	if (w->m->pv) {
		gw_pv_info_encode(raw, &info);
		put(w, GW_REC_X86_PV_INFO, raw, sizeof(raw));
	}
	assert_ok(gw_policy_append(&w->out, &policy, &w->err), &w->err);
	put(w, GW_REC_STATIC_DATA_END, NULL, 0);
	if (w->m->pv)
		assert_ok(gw_p2m_frames_append(&w->out, &p2m, &(uint64_t){9}, &w->err), &w->err);
}

/* The device model's state that libxl adds, after an image or at a checkpoint. */
static void put_device_model(struct writer *w)
{
	const struct model *m = w->m;
	struct gw_buffer keys = {0}, state = {0};
	struct gw_emulator_data emu = {.emulator_id = GW_EMULATOR_UPSTREAM};

	for (unsigned i = 0; i < MODEL_KEYS; i++)
		if (m->keys[i])
			gw_buffer_printf(&keys, &w->err, "physmap/%x/size%c%u%c", i, 0, m->keys[i],
					 0);
	/* QEMU reads nothing after the mark at the end; the diff compares all bytes. */
	gw_buffer_append(&state, "QEVM\0\0\0\3", 9, &w->err);
	for (uint32_t i = 0; i < m->emulator_len; i++) {
		uint8_t byte = emulator_byte(m, i);

		gw_buffer_append(&state, &byte, 1, &w->err);
	}
	emu.data = keys.data;
	emu.len = keys.len;
	if (keys.len || chance(w, 50))
		gw_emulator_data_append(&w->out, GW_STREAM_EMULATOR_XENSTORE_DATA, &emu, &w->err);
	emu.data = state.data;
	emu.len = state.len;
	gw_emulator_data_append(&w->out, GW_STREAM_EMULATOR_CONTEXT, &emu, &w->err);
	assert_int_equal(w->err.code, 0);
	gw_buffer_free(&keys);
	gw_buffer_free(&state);
}

static void put_checkpoint(struct writer *w)
{
	put(w, GW_REC_CHECKPOINT, NULL, 0);
	if (!w->m->layers)
		return;
	put_device_model(w);
	put(w, GW_STREAM_CHECKPOINT_END, NULL, 0);
}

/* A round with another state, which the next round replaces. */
static void put_other_round(struct writer *w)
{
	const struct model *m = w->m;
	struct model other = *m;

	for (unsigned i = 0; i < 20; i++)
		model_change(&other, w->random);
	/* Params and keys are never removed, only set again; static data comes once. */
	memcpy(other.params, m->params, sizeof(m->params));
	memcpy(other.keys, m->keys, sizeof(m->keys));
	memcpy(other.leaves, m->leaves, sizeof(m->leaves));
	memcpy(other.msrs, m->msrs, sizeof(m->msrs));
	put_noise(w);
	w->m = &other;
	put_state(w);
	put_checkpoint(w);
	w->m = m;
}

/* A round after the last complete checkpoint, cut anywhere: it does not count. */
static void put_cut_round(struct writer *w)
{
	size_t before = w->out.len;

	put_other_round(w);
	w->out.len = before + (size_t)below(w->random, w->out.len - before);
}

static void put_image(struct writer *w)
{
	const struct gw_image_header h = {
		.version = 3,
		.type = w->m->pv ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM,
		.page_shift = GW_PAGE_SHIFT,
		.xen_major = 4,
	};
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(&h, raw);
	gw_buffer_append(&w->out, raw, sizeof(raw), &w->err);
	put_static(w);
	w->checkpointed = chance(w, 40);
	for (uint64_t n = w->checkpointed ? below(w->random, 3) : 0; n; n--)
		put_other_round(w);
	put_noise(w);
	put_pages(w);
	put_state(w);
	if (!w->checkpointed) {
		put(w, GW_REC_END, NULL, 0);
		return;
	}
	put_checkpoint(w);
	if (chance(w, 50))
		put_cut_round(w);
}

static struct gw_buffer image(const struct model *m, uint64_t *random)
{
	const struct gw_stream_header h = {.version = GW_STREAM_VERSION};
	struct writer w = {.m = m, .random = random};
	uint8_t raw[GW_STREAM_HEADER_SIZE];
	/* Layers that bring no state of their own make no difference. */
	bool layers = m->layers || chance(&w, 30);

	assert_non_null(gw_buffer_reserve(&w.out, 2 * MODEL_PFNS * GW_PAGE_SIZE, &w.err));
	if (layers && chance(&w, 50))
		gw_xlfile_append(&w.out, GW_XLFILE_JSON | GW_XLFILE_STREAM_V2, NULL, 0, &w.err);
	if (layers) {
		gw_stream_header_encode(&h, raw);
		gw_buffer_append(&w.out, raw, sizeof(raw), &w.err);
		put(&w, GW_STREAM_LIBXC_CONTEXT, NULL, 0);
		/* An image with checkpoints would need libxl's records between its rounds. */
		if (!m->layers) {
			w.random = NULL;
			put_image(&w);
			put(&w, GW_STREAM_END, NULL, 0);
			return w.out;
		}
	}
	put_image(&w);
	if (layers && !w.checkpointed) {
		put_device_model(&w);
		put(&w, GW_STREAM_END, NULL, 0);
	}
	assert_int_equal(w.err.code, 0);
	return w.out;
}

struct gw_buffer model_image(const struct model *m, uint64_t *random)
{
	return image(m, random);
}

struct gw_buffer model_plain_image(const struct model *m)
{
	return image(m, NULL);
}
