/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that verify and restore agree on thousands of damaged images, made of real ones with a few
 * pages left. What verify calls an error, restore refuses. What restore refuses, verify calls an
 * error, or restore names a rule that only a restore can check. GODWIT_MUTANTS sets the number.
 */
#include "lib/gwtest.h"

#include <time.h>

#include "base/bytes.h"
#include "base/util.h"
#include "examine/examine.h"
#include "format/libxl/stream.h"
#include "hypervisor/control.h"
#include "stored.h"
#include "lib/random.h"

#define MAX_PARTS    256
#define KEEP_ENTRIES 6 /* pages of each HVM PAGE_DATA that are left */
#define MAX_PFNS     2048
#define MANY_PFNS    (UINT64_C(1) << 16) /* no domain of a mutant gets more */

/* A part of an image or stream: a header, or a record of either layer. */
struct part {
	uint8_t *data; /* malloc'ed */
	size_t len;
};

struct parent {
	const char *name;
	bool libxl;
	enum gw_guest_type type;
	struct part parts[MAX_PARTS];
	size_t n;
	size_t first_record;	       /* the parts before it are headers */
	const struct gw_buffer *image; /* set while it is taken apart */
};

static void add_part(struct parent *p, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	assert_true(p->n < MAX_PARTS);
	memcpy(copy, data, len);
	p->parts[p->n++] = (struct part){copy, len};
}

static void free_parts(struct parent *p)
{
	while (p->n)
		free(p->parts[--p->n].data);
}

/*
 * Decides which pages keep their contents. A PV image needs its tables, start_info, the rings
 * beside it, the P2M, and the GDT among the first pages; all others may be empty.
 */
static bool needed(const struct parent *p, uint64_t entry, size_t kept)
{
	unsigned type = gw_page_entry_type(entry);

	if (p->type == GW_GUEST_X86_HVM)
		return kept < KEEP_ENTRIES;
	for (uint64_t pfn = gw_page_entry_pfn(entry), i = 0; i < 4; i++)
		if (pages_special(p->image, pfn - i) || pages_special(p->image, pfn + i))
			return true;
	return gw_page_table_level(type) > 0 || gw_page_entry_pfn(entry) < 0x40;
}

/* The same record with fewer pages: pages that are not needed become empty ones (XALLOC). */
static void add_pages(struct parent *p, const uint8_t *body)
{
	uint32_t count = gw_get_le32(body);
	const uint8_t *data = body + 8 + 8 * (size_t)count;
	struct gw_buffer out = {0};
	struct gw_error err = GW_ERROR_INIT;
	size_t kept = 0, holes = 0, n = 0;
	uint8_t head[16] = {0};

	assert_ok(gw_buffer_append(&out, head, sizeof(head), &err), &err);
	for (int pass = 0; pass < 2; pass++) {
		const uint8_t *page = data;

		kept = 0;
		for (uint32_t i = 0; i < count; i++) {
			uint64_t entry = gw_get_le64(body + 8 + 8 * (size_t)i);
			bool has = gw_page_has_data(gw_page_entry_type(entry));
			bool need = has && needed(p, entry, kept);
			bool hole = has && !need;
			uint8_t raw[8];

			gw_put_le64(raw, hole ? (gw_page_entry_pfn(entry) | (uint64_t)GW_PAGE_XALLOC
										    << 60)
					      : entry);
			kept += need;
			holes += hole;
			if (pass == 0 && (need || hole || (!has && i < 64))) {
				assert_ok(gw_buffer_append(&out, raw, 8, &err), &err);
				n++;
			}
			if (pass == 1 && need)
				assert_ok(gw_buffer_append(&out, page, GW_PAGE_SIZE, &err), &err);
			page += has ? GW_PAGE_SIZE : 0;
		}
	}
	gw_put_le32(out.data, GW_REC_PAGE_DATA);
	gw_put_le32(out.data + 4, (uint32_t)(out.len - 8));
	gw_put_le32(out.data + 8, (uint32_t)n);
	/* PVH images have many records of holes only: a few of them are enough. */
	if (n && (kept || holes || p->n < 16 || p->type == GW_GUEST_X86_PV))
		add_part(p, out.data, out.len);
	gw_buffer_free(&out);
}

/* Adds the record of the image at data; returns its size. */
static size_t add_record(struct parent *p, const uint8_t *data)
{
	size_t len = 8 + (((size_t)gw_get_le32(data + 4) + 7) & ~(size_t)7);

	if (gw_get_le32(data) == GW_REC_PAGE_DATA)
		add_pages(p, data + 8);
	else
		add_part(p, data, len);
	return len;
}

static struct parent load_parent(const char *name)
{
	struct stored s = stored_load(name);
	struct parent p = {.name = name, .libxl = s.libxl, .type = s.type};
	size_t at = s.image + 40;
	bool in_image = true;
	struct gw_buffer image = {.data = s.file.data + s.image, .len = s.file.len - s.image};

	p.image = &image;
	add_part(&p, s.file.data + s.at, s.image + 40 - s.at);
	p.first_record = p.n;
	while (at + 8 <= s.file.len) {
		uint32_t type = gw_get_le32(s.file.data + at);
		size_t len = 8 + (((size_t)gw_get_le32(s.file.data + at + 4) + 7) & ~(size_t)7);

		if (in_image) {
			len = add_record(&p, s.file.data + at);
			if (s.libxl && (type == GW_REC_END || type == GW_REC_CHECKPOINT))
				in_image = false;
			else if (type == GW_REC_END)
				break;
		} else {
			add_part(&p, s.file.data + at, len);
			if (type == GW_STREAM_END)
				break;
			in_image = type == GW_STREAM_CHECKPOINT_END;
		}
		at += len;
	}
	stored_free(&s);
	p.image = NULL;
	return p;
}

static void join(const struct parent *p, struct gw_buffer *out)
{
	struct gw_error err = GW_ERROR_INIT;

	gw_buffer_reset(out);
	for (size_t i = 0; i < p->n; i++)
		assert_ok(gw_buffer_append(out, p->parts[i].data, p->parts[i].len, &err), &err);
}

/* The result of examining an image, and the pfns that a domain for it must have. */
struct verdict {
	uint64_t errors;
	char first[600];
	uint64_t nr_pfns;
	uint32_t vcpus;
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verdict *v = opaque;

	if (finding->level == GW_LEVEL_ERROR && !v->errors++)
		gw_finding_format(finding, v->first, sizeof(v->first));
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verdict *v = opaque;
	const struct gw_image_reader *r = record->pages;

	for (size_t i = 0; r && i < r->nr_entries; i++)
		v->nr_pfns = GW_MAX(v->nr_pfns, gw_page_entry_pfn(r->entries[i]) + 1);
	if (record->layer == GW_LAYER_LIBXC && record->rec->data &&
	    record->rec->type == GW_REC_X86_PV_P2M_FRAMES && record->rec->length >= 8)
		v->nr_pfns = GW_MAX(v->nr_pfns, (uint64_t)gw_get_le32(record->rec->data + 4) + 1);
}

static struct verdict examine(const struct gw_buffer *bytes)
{
	struct verdict v = {0};
	const struct gw_examine_sink sink = {
		.opaque = &v, .finding = on_finding, .record = on_record};
	struct gw_channel *in = stored_bytes(bytes->data, bytes->len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;

	assert_ok(gw_examine(in, &sink, &examination, &err), &err);
	assert_int_equal(v.errors > 0, examination.errors > 0);
	gw_channel_close(in);
	return v;
}

static int restore(const struct gw_buffer *bytes, bool libxl, const struct verdict *v,
		   struct gw_refusal *refusal, struct gw_error *err)
{
	/* The guest type is the mutant's, as in a domain made for it. */
	const uint8_t *mark = memmem(bytes->data, bytes->len, "XENF", 4);
	size_t at = mark ? (size_t)(mark - bytes->data) + 16 : bytes->len;
	uint32_t type = at + 4 <= bytes->len ? gw_get_le32(bytes->data + at) : 0;
	uint64_t nr = GW_MIN(GW_MAX(v->nr_pfns, UINT64_C(1)), MANY_PFNS);
	struct gw_restore_args args = {
		.domain =
			stored_domain(type == GW_GUEST_X86_PV ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM,
				      GW_MAX(nr, (uint64_t)MAX_PFNS)),
		.in = stored_bytes(bytes->data, bytes->len),
	};
	struct gw_restore_result result;
	int rc = restore_as_owner(&args, libxl, &result, err);

	*refusal = result.refusal;
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
	return rc;
}

static const struct gw_rule *rule_of(const char *id)
{
	size_t n;
	const struct gw_rule *rules = gw_rules(&n);

	for (size_t i = 0; id && i < n; i++)
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	return NULL;
}

struct tally {
	unsigned long taken, refused, deep;
};

/* True if the two agree. */
static bool agree(const struct parent *p, const struct gw_buffer *bytes, struct tally *tally)
{
	struct verdict v = examine(bytes);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_refusal refusal;
	int rc = restore(bytes, p->libxl, &v, &refusal, &err);
	const struct gw_rule *rule = rule_of(refusal.rule);

	if (rc == 0 && v.errors) {
		print_message("%s: restored, although verify says: %s\n", p->name, v.first);
		return false;
	}
	if (rc == 0) {
		tally->taken++;
		return true;
	}
	if (err.code != GW_INVALID && err.code != GW_TRUNCATED && !v.errors) {
		print_message("%s: refused with code %d: %s\n", p->name, err.code, err.text);
		return false;
	}
	if (v.errors) {
		tally->refused++;
		return true;
	}
	if (!rule || !rule->deep || rule->level != GW_LEVEL_ERROR || !refusal.text[0]) {
		print_message("%s: verify says ok, but restore: %s [%s]\n", p->name, err.text,
			      refusal.rule ? refusal.rule : "no rule");
		return false;
	}
	tally->deep++;
	if (getenv("GODWIT_VERBOSE"))
		print_message("%s: only a restore: %s [%s]\n", p->name, err.text, rule->id);
	return true;
}

static uint32_t interesting(void)
{
	static const uint32_t values[] = {
		0,	    1,		2,	    7,		8,	    9,	     15,
		16,	    23,		24,	    4095,	4096,	    8191,    8192,
		0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 0x08000000, 0x10000, 0x80675801,
		0x400,	    0x3ff,	0x20000000, 0x90000000, 0xf0000000,
	};

	return random_below(3) ? values[random_below(GW_ARRAY_SIZE(values))]
			       : (uint32_t)random_below(24);
}

static void swap(struct part *a, struct part *b)
{
	struct part t = *a;

	*a = *b;
	*b = t;
}

static void insert(struct parent *p, size_t at, const uint8_t *data, size_t len)
{
	if (p->n == MAX_PARTS)
		return;
	add_part(p, data, len);
	for (size_t i = p->n - 1; i > at; i--)
		swap(&p->parts[i], &p->parts[i - 1]);
}

static void drop(struct parent *p, size_t at)
{
	free(p->parts[at].data);
	p->n--;
	for (size_t i = at; i < p->n; i++)
		p->parts[i] = p->parts[i + 1];
}

/* Inserts a small record of any type before another. */
static void insert_new(struct parent *p, size_t at)
{
	uint8_t raw[8 + 32] = {0};
	size_t len = 8 * random_below(5);

	gw_put_le32(raw, random_below(4) ? (uint32_t)random_below(20) : interesting());
	gw_put_le32(raw + 4, (uint32_t)len);
	for (size_t i = 0; i < len && random_below(2); i++)
		raw[8 + i] = (uint8_t)random64();
	insert(p, at, raw, 8 + len);
}

/* A field of a part; more often one near its start, where counts and ids are. */
static uint8_t *field(const struct part *part, size_t size)
{
	size_t span = random_below(3) ? GW_MIN(part->len, (size_t)64) : part->len;

	return part->len < size ? NULL : part->data + random_below((span - size) / 4 + 1) * 4;
}

/* Lengthens or shortens the body, with its length field. */
static void resize(struct part *part)
{
	size_t body = part->len - 8;
	size_t len = random_below(2) ? body + 8 * random_below(4)
				     : body - GW_MIN(body, 8 * random_below(4));
	uint8_t *data = realloc(part->data, 8 + len);

	assert_non_null(data);
	if (len > body)
		memset(data + 8 + body, random_below(2) ? 0 : 0x11, len - body);
	gw_put_le32(data + 4, (uint32_t)(len - random_below(2) * GW_MIN(len, random_below(8))));
	*part = (struct part){data, 8 + len};
}

/* A field of a random entry of an HVM context: of its descriptor or its data. */
static uint8_t *context_field(const struct part *part)
{
	size_t at = 8, chosen = 8, len = 0, n = 0;

	while (at + 8 <= part->len && gw_get_le32(part->data + at + 4) <= part->len - at - 8) {
		if (random_below(++n) == 0) {
			chosen = at;
			len = gw_get_le32(part->data + at + 4);
		}
		at += 8 + (size_t)gw_get_le32(part->data + at + 4);
	}
	if (chosen + 8 > part->len)
		return NULL;
	/* The first fields and the last are those with rules, as are registers in between. */
	return part->data + chosen + random_below((len + 8) / 4) * 4;
}

/* The ids, the header or the end of a device model's state; or it ends early. */
static uint8_t *model_field(struct part *part)
{
	if (random_below(3) == 0) {
		part->len = 40 + random_below(part->len - 40) / 8 * 8;
		gw_put_le32(part->data + 4, (uint32_t)part->len - 8);
	}
	return part->data + (random_below(4) ? 8 + random_below(6) * 4 : part->len - 4);
}

/* Damages the state of an HVM guest: an entry of a context, a param, the device model. */
static void damage_state(struct parent *p)
{
	size_t from = random_below(p->n);

	for (size_t i = 0; i < p->n; i++) {
		struct part *part = &p->parts[(from + i) % p->n];
		uint32_t type = part->len >= 32 ? gw_get_le32(part->data) : 0;
		uint8_t *f = NULL;

		if (type == GW_REC_HVM_CONTEXT)
			f = context_field(part);
		else if (type == GW_REC_HVM_PARAMS)
			f = part->data + 16 + random_below((part->len - 16) / 4) * 4;
		else if (type == GW_STREAM_EMULATOR_CONTEXT && p->libxl && part->len >= 1000)
			f = model_field(part);
		if (!f)
			continue;
		if (random_below(2))
			gw_put_le32(f, interesting());
		else
			f[random_below(4)] ^= (uint8_t)(1u << random_below(8));
		return;
	}
}

static void damage(struct parent *p, const struct parent *other)
{
	size_t at = p->first_record + random_below(p->n - p->first_record), to;
	struct part *part;
	uint8_t *f;

	if (p->n <= p->first_record + 1)
		return;
	part = &p->parts[random_below(12) ? at : 0];
	if (part->len < 8 || p->parts[at].len < 8)
		return;
	switch (random_below(14)) {
	case 12:
	case 13:
		damage_state(p);
		break;
	case 0:
		part->data[random_below(random_below(2) ? part->len
							: GW_MIN(part->len, (size_t)48))] ^=
			(uint8_t)(1u << random_below(8));
		break;
	case 1:
	case 2:
		if ((f = field(part, 4)))
			gw_put_le32(f, interesting());
		break;
	case 3:
		gw_put_le32(p->parts[at].data, interesting());
		break;
	case 4:
		resize(&p->parts[at]);
		break;
	case 5:
		drop(p, at);
		break;
	case 6:
		insert(p, p->first_record + random_below(p->n - p->first_record), p->parts[at].data,
		       p->parts[at].len);
		break;
	case 7:
		to = p->first_record + random_below(p->n - p->first_record);
		swap(&p->parts[at], &p->parts[to]);
		break;
	case 8:
		to = other->first_record + random_below(other->n - other->first_record);
		insert(p, at, other->parts[to].data, other->parts[to].len);
		break;
	case 9:
		insert_new(p, at);
		break;
	case 10:
		if (random_below(3) == 0)
			while (p->n > at + 1)
				drop(p, p->n - 1);
		if (random_below(4) == 0 && p->parts[p->n - 1].len)
			p->parts[p->n - 1].len = random_below(p->parts[p->n - 1].len);
		break;
	default:
		/* Types and pfns of pages, roots and frames of vCPUs: 64-bit fields. */
		f = part->data + random_below(part->len / 8) * 8;
		gw_put_le32(f + 4 * random_below(2), interesting());
		break;
	}
}

static const char *const names[] = {
	"xen-code/v2_46_hvm_w64_1024.xz",
	"xen-code/v2_46_pv64_w64_live_1024.xz",
	"xen-code/v3_422_hvm_1024.xz",
	"xen-code/v3_422_pv64_1024.xz",
	"xen-code/v3_422_pv32_live_1024.xz",
	"xen-code/v3_422_hvm_remus3_1024.xz",
	"xen-code/v3_422_hvm_verify_1024.xz",
	"xen-code/v3_422_libxl_hvm_1024.xz",
	"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
	"xen417/tiny-pv.save.xz",
	"xen417/tiny-pvh.save.xz",
};
#define NR GW_ARRAY_SIZE(names)

static struct parent parents[NR];

static void parents_restore(void **state)
{
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (size_t i = 0; i < NR; i++) {
		join(&parents[i], &bytes);
		if (getenv("GODWIT_VERBOSE"))
			print_message("%s: %zu parts, %zu bytes\n", names[i], parents[i].n,
				      bytes.len);
		assert_true(agree(&parents[i], &bytes, &tally));
		assert_int_equal(tally.taken, i + 1);
	}
	gw_buffer_free(&bytes);
}

static void copy_parent(const struct parent *from, struct parent *to)
{
	*to = (struct parent){.name = from->name,
			      .libxl = from->libxl,
			      .type = from->type,
			      .first_record = from->first_record};
	for (size_t i = 0; i < from->n; i++)
		add_part(to, from->parts[i].data, from->parts[i].len);
}

static void mutants_agree(void **state)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long mutants = env ? strtoul(env, NULL, 0) : 3000, wrong = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (unsigned long i = 0; i < mutants; i++) {
		struct parent mutant;

		copy_parent(&parents[i % NR], &mutant);
		for (size_t n = 1 + (random_below(3) ? 0 : random_below(3)); n; n--)
			damage(&mutant, &parents[random_below(NR)]);
		join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", i), wrong++;
		free_parts(&mutant);
	}
	print_message("%lu mutants: %lu restored, %lu errors to both, %lu only to a restore\n",
		      mutants, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	/* Otherwise the mutants prove little. */
	assert_true(mutants < 1000 || (tally.taken > mutants / 20 && tally.refused > mutants / 5 &&
				       tally.deep > mutants / 300));
}

/* Changes one entry of a policy: its number, its subleaf or flags, or its contents. */
static void damage_policy(struct part *policy)
{
	static const uint32_t numbers[] = {
		0,	    1,		4,	    7,		0xb,  0xd,   0xe,  0x40000000,
		0x40000001, 0x80000000, 0x80000021, 0x80000022, 0xce, 0x10a, 0x10b};
	static const uint32_t values[] = {
		0,  1,	2,	    3,		5,	    6,		7,	    0xd,     0xe,
		62, 63, UINT32_MAX, 0x80000000, 0x80000008, 0x80000021, 0x80000022, 1u << 31};
	size_t size = gw_get_le32(policy->data) == GW_REC_X86_CPUID_POLICY ? 24 : 16;
	uint32_t length = gw_get_le32(policy->data + 4);
	size_t n = length / size;
	uint8_t *entry = policy->data + 8 + (n ? random_below(n) : 0) * size;

	if (n == 0)
		return;
	switch (random_below(4)) {
	case 0:
		gw_put_le32(entry, numbers[random_below(GW_ARRAY_SIZE(numbers))]);
		break;
	case 1: /* one entry in the place of another */
		memmove(entry, policy->data + 8 + random_below(n) * size, size);
		break;
	case 2: /* leaf 0, or the first MSR */
		entry = policy->data + 8;
		/* fall through */
	default:
		gw_put_le32(entry + 4 + 4 * random_below(size / 4 - 1),
			    values[random_below(GW_ARRAY_SIZE(values))]);
	}
}

/* Makes the record longer by entries of one that it has, up to more than Xen takes. */
static void lengthen_policy(struct part *policy)
{
	size_t size = gw_get_le32(policy->data) == GW_REC_X86_CPUID_POLICY ? 24 : 16;
	uint32_t length = gw_get_le32(policy->data + 4);
	size_t more = size == 24 ? 8 * random_below(15) : 2 * random_below(2);
	uint8_t *data = realloc(policy->data, policy->len + more * size);

	assert_non_null(data);
	if (length < size || length % 8)
		more = 0;
	for (size_t i = 0; i < more; i++)
		memcpy(data + 8 + length + i * size, data + 8, size);
	gw_put_le32(data + 4, length + (uint32_t)(more * size));
	*policy = (struct part){data, policy->len + more * size};
}

static void policies_agree(void **state)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long mutants = (env ? strtoul(env, NULL, 0) : 3000) / 4, wrong = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (unsigned long i = 0; i < mutants; i++) {
		struct parent mutant;

		copy_parent(&parents[2 + i % (NR - 2)], &mutant);
		for (size_t k = mutant.first_record; k < mutant.n; k++) {
			uint32_t type = gw_get_le32(mutant.parts[k].data);

			if (type != GW_REC_X86_CPUID_POLICY && type != GW_REC_X86_MSR_POLICY)
				continue;
			if (random_below(4) == 0)
				lengthen_policy(&mutant.parts[k]);
			else if (random_below(2))
				damage_policy(&mutant.parts[k]);
		}
		join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", i), wrong++;
		free_parts(&mutant);
	}
	print_message("%lu policies: %lu restored, %lu errors to both, %lu only to a restore\n",
		      mutants, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	/* No fault of a policy is found by a restore alone. */
	assert_int_equal(tally.deep, 0);
	assert_true(mutants < 250 || (tally.taken > mutants / 10 && tally.refused > mutants / 10));
}

/* Values of a vCPU's fields: addresses at the limits of Xen's checks, sizes, masks. */
static uint64_t interesting_word(void)
{
	static const uint64_t values[] = {
		UINT64_C(0x00007fffffffffff), UINT64_C(0x0000800000000000),
		UINT64_C(0xffff7fffffffffff), UINT64_C(0xffff800000000000),
		UINT64_C(0xffff87fffffff000), UINT64_C(0xffff880000000000),
		UINT64_C(0x0000000100000000), UINT64_C(0x8000000000000000),
		UINT64_C(0x00007ffffffff000), UINT64_MAX,
	};

	return random_below(2) ? values[random_below(GW_ARRAY_SIZE(values))]
			       : UINT64_C(1) << random_below(64);
}

static bool is_vcpu(const struct part *part)
{
	uint32_t type = part->len > 24 ? gw_get_le32(part->data) : 0;

	return (type >= GW_REC_X86_PV_VCPU_BASIC && type <= GW_REC_X86_PV_VCPU_XSAVE) ||
	       type == GW_REC_X86_PV_VCPU_MSRS;
}

/* Changes a word inside the blob of some vCPU record, more often one that is not a trap handler. */
static void damage_blob(struct parent *p)
{
	size_t at = random_below(p->n);
	struct part *part;
	size_t word;

	while (!is_vcpu(&p->parts[at]))
		at = (at + 1) % p->n;
	part = &p->parts[at];
	word = random_below((part->len - 16) / 8);
	if (part->len > 5000 && random_below(4))
		word = random_below(2) ? 64 + random_below(26) : 602 + random_below(44);
	gw_put_le64(part->data + 16 + 8 * word,
		    random_below(4) ? interesting_word() : (uint64_t)interesting());
}

/* Records as they were, with other contents in the vCPUs' blobs. */
static void blobs_agree(void **state)
{
	unsigned long wrong = 0, done = 0;
	struct gw_buffer bytes = {0};
	struct tally tally = {0};

	for (size_t i = 0; done < 1200; i++) {
		struct parent mutant;

		if (parents[i % NR].type != GW_GUEST_X86_PV)
			continue;
		copy_parent(&parents[i % NR], &mutant);
		for (size_t n = 1 + random_below(2); n; n--)
			damage_blob(&mutant);
		join(&mutant, &bytes);
		if (!agree(&mutant, &bytes, &tally))
			print_message("  (mutant %lu)\n", done), wrong++;
		free_parts(&mutant);
		done++;
	}
	print_message("%lu mutants: %lu restored, %lu errors to both, %lu only to a restore\n",
		      done, tally.taken, tally.refused, tally.deep);
	gw_buffer_free(&bytes);
	assert_int_equal(wrong, 0);
	assert_true(tally.taken > done / 5 && tally.refused > done / 20 && tally.deep > 0);
}

static int load_parents(void **state)
{
	for (size_t i = 0; i < NR; i++)
		parents[i] = load_parent(names[i]);
	return 0;
}

static int free_parents(void **state)
{
	for (size_t i = 0; i < NR; i++)
		free_parts(&parents[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents_restore),
		cmocka_unit_test(mutants_agree),
		cmocka_unit_test(policies_agree),
		cmocka_unit_test(blobs_agree),
	};

	return cmocka_run_group_tests_name("agreement", tests, load_parents, free_parents);
}
