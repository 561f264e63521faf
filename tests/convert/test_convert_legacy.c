/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests conversions of random legacy images: memory and state are those of the last complete
 * checkpoint, whatever the input is read from and wherever it is cut. GODWIT_IMAGES sets their
 * number.
 */
#include "fixture.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/legacy_writer.h"
#include "lib/random.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "format/legacy/map.h"

#define WRONG(t, ...)                                                                              \
	do {                                                                                       \
		print_message("seed %llu, round %zu: ", (unsigned long long)(t)->seed,             \
			      (size_t)((t)->round - (t)->made->rounds));                           \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

struct trip {
	uint64_t seed;
	const struct legacy_made *made;
	const struct legacy_made_round *round; /* the round that the result must show */
	struct seen s;
};

static void check_page(struct trip *t, uint64_t pfn)
{
	unsigned was = t->round->types[pfn], is = seen_type(&t->s, pfn);
	const uint8_t *memory = t->round->memory + pfn * GW_PAGE_SIZE;
	const uint8_t *page = seen_page(&t->s, pfn);

	if (t->round->unmapped[pfn]) {
		if (is != GW_PAGE_XTAB)
			WRONG(t, "pfn 0x%llx has type %u although it is unmapped",
			      (unsigned long long)pfn, is);
		return;
	}
	/* A page that does not exist may be left out. */
	if (was == LEGACY_NEVER || was == GW_PAGE_XTAB) {
		if (is != NEVER && is != GW_PAGE_XTAB)
			WRONG(t, "pfn 0x%llx has type %u", (unsigned long long)pfn, is);
		return;
	}
	if (is != was && !(was == GW_PAGE_XALLOC && is == GW_PAGE_NOTAB))
		WRONG(t, "pfn 0x%llx has type %u, expected %u", (unsigned long long)pfn, is, was);
	if (gw_page_has_data(was) && (!page || memcmp(page, memory, GW_PAGE_SIZE) != 0))
		WRONG(t, "pfn 0x%llx has other contents", (unsigned long long)pfn);
}

static const struct seen_record *record(struct trip *t, bool libxl, uint32_t type, size_t n)
{
	const struct seen_record *r = seen_find(&t->s, libxl, type, n);

	if (!r)
		WRONG(t, "number %zu of type %u is missing: %s", n, type, seen_order(&t->s));
	return r;
}

static void none(struct trip *t, bool libxl, uint32_t type, size_t n)
{
	if (seen_find(&t->s, libxl, type, n))
		WRONG(t, "too many of type %u: %s", type, seen_order(&t->s));
}

static void same(struct trip *t, const struct seen_record *r, size_t skip, size_t at, size_t len)
{
	if (r->length != skip + len ||
	    (len && memcmp(r->body + skip, t->made->bytes.data + at, len) != 0))
		WRONG(t, "a record of type %u has other contents", r->type);
}

static void check_tsc(struct trip *t)
{
	const struct seen_record *r;

	if (!t->round->has_tsc) {
		none(t, false, GW_REC_X86_TSC_INFO, 0);
		return;
	}
	r = record(t, false, GW_REC_X86_TSC_INFO, 0);
	none(t, false, GW_REC_X86_TSC_INFO, 1);
	assert_int_equal(gw_get_le32(r->body), t->round->tsc.mode);
	assert_int_equal(gw_get_le32(r->body + 4), t->round->tsc.khz);
	assert_int_equal(gw_get_le64(r->body + 8), t->round->tsc.nsec);
	assert_int_equal(gw_get_le32(r->body + 16), t->round->tsc.incarnation);
}

static void check_params(struct trip *t)
{
	const struct seen_record *r = record(t, false, GW_REC_HVM_PARAMS, 0);
	uint64_t expected[LEGACY_PARAMS], has = t->round->has_param;
	uint32_t count = gw_get_le32(r->body);

	none(t, false, GW_REC_HVM_PARAMS, 1);
	memcpy(expected, t->round->params, sizeof(expected));
	expected[5] = t->round->magic_pfns[0];
	expected[6] = t->round->magic_pfns[1];
	expected[1] = t->round->magic_pfns[2];
	has |= 1 << 1 | 1 << 5 | 1 << 6;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t index = gw_get_le64(r->body + 8 + 16 * (size_t)i);
		uint64_t value = gw_get_le64(r->body + 16 + 16 * (size_t)i);

		if (index >= LEGACY_PARAMS || !(has >> index & 1) || value != expected[index])
			WRONG(t, "param %llu is 0x%llx", (unsigned long long)index,
			      (unsigned long long)value);
		has &= ~(UINT64_C(1) << index);
	}
	if (has)
		WRONG(t, "params 0x%llx are missing", (unsigned long long)has);
}

static void check_xenstore(struct trip *t)
{
	const struct seen_record *r = seen_find(&t->s, true, GW_STREAM_EMULATOR_XENSTORE_DATA, 0);
	struct gw_buffer body = {0};
	uint32_t entries = 0;

	if (t->round->has_toolstack)
		assert_int_equal(gw_legacy_map_xenstore(t->made->bytes.data + t->round->toolstack,
							t->round->toolstack_len,
							t->made->kind.width, &body, &entries, NULL),
				 0);
	if (!entries != !r)
		WRONG(t, "%u entries of xenstore data, and %s", entries, r ? "a record" : "none");
	if (r) {
		assert_int_equal(gw_get_le64(r->body), 0);
		assert_int_equal(r->length, body.len + 8);
		assert_memory_equal(r->body + 8, body.data, body.len);
	}
	gw_buffer_free(&body);
}

static void check_hvm(struct trip *t)
{
	const struct seen_record *r;

	check_params(t);
	same(t, record(t, false, GW_REC_HVM_CONTEXT, 0), 0, t->round->context,
	     t->round->context_len);
	none(t, false, GW_REC_HVM_CONTEXT, 1);
	if (t->s.stream_at == SIZE_MAX)
		return;
	check_xenstore(t);
	if (t->made->bare || !t->round->model) {
		none(t, true, GW_STREAM_EMULATOR_CONTEXT, 0);
		return;
	}
	r = record(t, true, GW_STREAM_EMULATOR_CONTEXT, 0);
	none(t, true, GW_STREAM_EMULATOR_CONTEXT, 1);
	assert_int_equal(gw_get_le64(r->body), 0);
	same(t, r, 8, t->round->model, t->round->model_len);
}

static void check_vcpu(struct trip *t, size_t i)
{
	const struct legacy_made_vcpu *v = &t->round->vcpus[i];
	const struct seen_record *r = record(t, false, GW_REC_X86_PV_VCPU_BASIC, i);
	size_t ext = 0, xsave = 0;

	assert_int_equal(gw_get_le32(r->body), v->id);
	if (t->made->vcpu_info) {
		same(t, r, 8, v->context, v->context_len);
	} else {
		/* flags; VGCF_online */
		assert_true(gw_get_le32(r->body + 8 + 512) & 32);
		assert_int_equal(r->length, 8 + v->context_len);
		assert_memory_equal(r->body + 8, t->made->bytes.data + v->context, 512);
	}
	for (size_t j = 0; j < i; j++) {
		ext += t->round->vcpus[j].ext > 0;
		xsave += t->round->vcpus[j].xsave > 0;
	}
	if (v->ext)
		same(t, record(t, false, GW_REC_X86_PV_VCPU_EXTENDED, ext), 8, v->ext, 128);
	if (v->xsave)
		same(t, record(t, false, GW_REC_X86_PV_VCPU_XSAVE, xsave), 8, v->xsave,
		     v->xsave_len);
}

static void check_pv(struct trip *t)
{
	const struct seen_record *info = record(t, false, GW_REC_X86_PV_INFO, 0);
	const struct seen_record *frames = record(t, false, GW_REC_X86_PV_P2M_FRAMES, 0);

	assert_int_equal(info->body[0], t->made->guest_width);
	assert_int_equal(info->body[1], t->made->guest_width == 8 ? 4 : 3);
	assert_int_equal(gw_get_le32(frames->body), 0);
	assert_int_equal(gw_get_le32(frames->body + 4), t->made->p2m_size - 1);
	for (size_t at = 8; at < frames->length; at += 8)
		assert_int_equal(gw_get_le64(frames->body + at),
				 t->made->first_frame + (at - 8) / 8);
	same(t, record(t, false, GW_REC_SHARED_INFO, 0), 0, t->round->shared_info, 4096);
	none(t, false, GW_REC_SHARED_INFO, 1);
	for (size_t i = 0; i < t->round->nr_vcpus; i++)
		check_vcpu(t, i);
	none(t, false, GW_REC_X86_PV_VCPU_BASIC, t->round->nr_vcpus);
	none(t, true, GW_STREAM_EMULATOR_CONTEXT, 0);
}

static void check_result(struct trip *t, const struct outcome *o)
{
	see(&t->s, o->out.data, o->out.len);
	assert_true(t->s.ended);
	assert_int_equal(t->s.header.type, t->made->kind.guest);
	for (uint64_t pfn = 0; pfn < t->made->p2m_size; pfn++)
		check_page(t, pfn);
	if (t->s.nr_pfns > t->made->p2m_size)
		WRONG(t, "pfn 0x%llx is beyond the guest", (unsigned long long)t->s.nr_pfns - 1);
	check_tsc(t);
	if (t->made->kind.guest == GW_GUEST_X86_PV)
		check_pv(t);
	else
		check_hvm(t);
	none(t, false, GW_REC_VERIFY, t->made->verify);
	seen_free(&t->s);
}

/* The last round that is complete in the first len bytes; NULL: none. */
static const struct legacy_made_round *whole_up_to(const struct legacy_made *made, size_t len)
{
	const struct legacy_made_round *round = NULL;

	for (size_t i = 0; i < made->nr_rounds; i++)
		if (made->rounds[i].end <= len)
			round = &made->rounds[i];
	return round;
}

/* Which ends of the conversion can be read again; a pipe cannot. */
enum ends { PIPES, FILE_IN, FILE_OUT, ENDS };

/* A file with some foreign bytes in front, then len bytes of the image. */
static struct gw_channel *file_with(const void *data, size_t len, int *fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;

	*fd = memfd_create("image", 0);
	assert_int_equal(write(*fd, "what xl read", 12), 12);
	assert_int_equal(write(*fd, data, len), len);
	assert_int_equal(lseek(*fd, 12, SEEK_SET), 12);
	ch = gw_channel_from_fd(*fd, true, "image", &err);
	assert_non_null(ch);
	return ch;
}

static void convert_between(struct outcome *o, const void *data, size_t len, enum ends ends,
			    const struct gw_convert_args *args)
{
	int fd;
	struct gw_channel *in = ends == FILE_IN ? file_with(data, len, &fd) : source_of(data, len);
	struct gw_channel *out = ends == FILE_OUT ? file_with("", 0, &fd) : NULL;

	convert_channels(o, in, out, args);
	if (ends == FILE_OUT && o->rc == 0) {
		void *to = gw_buffer_reserve(&o->out, o->done.out_bytes, NULL);

		assert_int_equal(pread(fd, to, o->done.out_bytes, 12), o->done.out_bytes);
		o->out.len = o->done.out_bytes;
	}
	gw_channel_close(in);
	gw_channel_close(out);
}

/* Complete but for the device model's record, which libxl writes and libxc alone does not. */
static bool ends_before_model(const struct legacy_made *m, size_t len)
{
	const struct legacy_made_round *first = &m->rounds[0];

	return m->kind.guest == GW_GUEST_X86_HVM && !m->bare && m->last && m->nr_rounds == 1 &&
	       len == first->context + first->context_len;
}

/* The result is the same for all kinds of input and output. */
static void convert_cut(struct trip *t, size_t len, enum gw_convert_form to, enum ends ends)
{
	struct gw_convert_args args = {.to = to, .bare = t->made->bare};
	struct legacy_made_round without;
	struct outcome o;

	/* An image of Xen 3.0 can look like one of another kind. */
	if (t->made->kind.guest == GW_GUEST_X86_PV && !t->made->extended_info)
		args.legacy = t->made->kind;
	t->round = whole_up_to(t->made, len);
	if (ends_before_model(t->made, len)) {
		without = t->made->rounds[0];
		without.model = 0;
		t->round = &without;
	}
	convert_between(&o, t->made->bytes.data, len, ends, &args);
	if (!t->round) {
		t->round = t->made->rounds;
		if (o.rc == 0)
			WRONG(t, "%zu of %zu bytes convert", len, t->made->rounds->end);
		if (o.err.code != GW_TRUNCATED)
			WRONG(t, "%zu of %zu bytes: %s", len, t->made->rounds->end, o.err.text);
		outcome_free(&o);
		return;
	}
	if (o.rc < 0)
		WRONG(t, "%zu bytes: %s", len, o.err.text);
	check_result(t, &o);
	if (len == t->made->bytes.len)
		check_verified(o.out.data, o.out.len);
	outcome_free(&o);
}

/* A QEMU record without a length goes to the end of the input: a cut only makes it shorter. */
static bool goes_to_the_end(const struct legacy_made *made)
{
	const struct legacy_made_round *last = &made->rounds[made->nr_rounds - 1];

	return last->model_len && last->model_kind == GW_LEGACY_DM_QEMU;
}

static void trip(uint64_t seed, const struct legacy_wish *wish)
{
	struct legacy_made *made = legacy_make(seed, wish);
	struct trip t = {.seed = seed, .made = made};
	uint64_t random = seed;
	size_t whole = made->bytes.len;

	for (enum ends ends = PIPES; ends < ENDS; ends++)
		convert_cut(&t, whole, GW_CONVERT_SAME, ends);
	convert_cut(&t, whole, GW_CONVERT_LIBXC, seed % ENDS);
	if (goes_to_the_end(made))
		whole = made->rounds[made->nr_rounds - 1].model - 21;
	/* At the ends of rounds, near them, and anywhere. */
	for (size_t i = 0; i < made->nr_rounds; i++)
		for (size_t at = made->rounds[i].end - 1; at <= made->rounds[i].end + 1; at++)
			if (at < whole)
				convert_cut(&t, at, GW_CONVERT_SAME, random_next(&random) % ENDS);
	if (made->kind.guest == GW_GUEST_X86_HVM)
		convert_cut(&t, made->rounds[0].context + made->rounds[0].context_len,
			    GW_CONVERT_SAME, random_next(&random) % ENDS);
	for (int i = 0; i < 6; i++)
		convert_cut(&t, random_next(&random) % whole, GW_CONVERT_SAME,
			    random_next(&random) % ENDS);
	legacy_made_free(made);
}

static unsigned images(unsigned otherwise)
{
	const char *given = getenv("GODWIT_IMAGES");

	return given ? (unsigned)strtoul(given, NULL, 0) : otherwise;
}

static void random_images(void **state)
{
	uint64_t seed = random_seed();

	for (unsigned i = 0, n = images(25); i < n; i++)
		trip(seed + i, NULL);
}

/* Images with properties that random choices give too rarely. */
static void wished_images(void **state)
{
	static const struct legacy_wish wishes[] = {
		{.rounds = 4, .compression = LEGACY_YES, .guest = GW_GUEST_X86_HVM},
		{.rounds = 4, .compression = LEGACY_YES, .guest = GW_GUEST_X86_PV},
		{.rounds = 3, .compression = LEGACY_NO},
		{.rounds = 1, .verify = LEGACY_YES},
		{.xend = LEGACY_YES, .guest = GW_GUEST_X86_HVM},
		{.tmem = LEGACY_YES},
		{.bare = true, .rounds = 1, .guest = GW_GUEST_X86_HVM},
		{.p2m_size = 9000, .rounds = 2, .compression = LEGACY_YES},
		{.last = LEGACY_NO, .rounds = 1},
	};
	uint64_t seed = random_seed();

	for (size_t i = 0; i < GW_ARRAY_SIZE(wishes); i++)
		for (unsigned j = 0, n = GW_MAX(images(25) / 10, 1u); j < n; j++)
			trip(seed + 1000 * i + j, &wishes[i]);
}

/* At every boundary between two items, one byte beside it, and between boundaries. */
static void cut_everywhere(void **state)
{
	uint64_t seed = random_seed();

	for (unsigned i = 0; i < 4; i++) {
		const struct legacy_wish wish = {
			.p2m_size = LEGACY_P2M_MIN,
			.rounds = 2,
			.guest = i & 1 ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM,
			.compression = i & 2 ? LEGACY_YES : LEGACY_NO,
			.xend = LEGACY_NO,
		};
		struct legacy_made *made = legacy_make(seed + i, &wish);
		struct trip t = {.seed = seed + i, .made = made};
		size_t last = 0;

		for (size_t e = 0; e < made->nr_events; e++) {
			size_t end = made->events[e].end;
			size_t cuts[] = {(last + end) / 2, end - 1, end, end + 1};

			for (size_t c = 0; c < GW_ARRAY_SIZE(cuts) && end > last; c++)
				if (cuts[c] < made->bytes.len)
					convert_cut(&t, cuts[c], GW_CONVERT_SAME, c % ENDS);
			last = end;
		}
		legacy_made_free(made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_images),
		cmocka_unit_test(wished_images),
		cmocka_unit_test(cut_everywhere),
	};

	return cmocka_run_group_tests_name("convert legacy", tests, NULL, NULL);
}
