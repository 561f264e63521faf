/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: examines any bytes as verify --deep does, all layers and kinds: every rule, and, if
 * no rule is broken, the restore into memory that goes on after each fault. An input can also be
 * changes to a small PV image.
 */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "convert/convert.h"
#include "examine/describe.h"
#include "examine/examine.h"
#include "guest_image.h"
#include "input.h"
#include "migrate/rehearse.h"

struct verify {
	struct gw_rehearsal rehearsal;
	uint64_t layer; /* offset of the stream, or of the image that is in none */
	bool has_layer;
};

static void on_stream(void *opaque, uint64_t offset, const struct gw_stream_header *header)
{
	struct verify *v = opaque;

	v->layer = v->has_layer ? v->layer : offset;
	v->has_layer = true;
}

static void on_image(void *opaque, uint64_t offset, const struct gw_image_header *header)
{
	on_stream(opaque, offset, NULL);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verify *v = opaque;
	char words[600];

	gw_rehearsal_record(&v->rehearsal, record->layer, record->rec, record->pages);
	gw_describe_record(record, 8, words, sizeof(words));
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	char text[600];

	if (!gw_finding_format(finding, text, sizeof(text))[0])
		abort();
}

static struct gw_channel *again(const struct verify *v, const struct input *in, bool legacy)
{
	struct gw_channel *ch = peer_channel(in->data + v->layer, in->len - (size_t)v->layer, 0);
	const struct gw_convert_args args = {
		.in = ch, .to = GW_CONVERT_LIBXC, .from = GW_CONVERT_LEGACY};
	struct gw_channel *converted = legacy ? gw_convert_channel(&args, NULL, NULL) : ch;

	if (!converted)
		exit(1);
	return converted;
}

static void rehearse(const struct verify *v, const struct gw_examination *e, const struct input *in)
{
	const struct gw_findings findings = {.report = on_finding};
	struct gw_rehearsal_args args = {
		.guest = (enum gw_guest_type)e->image.type,
		.in = again(v, in, e->has_legacy),
		.in_stream = e->has_stream,
		.origin = v->layer,
		.converted = e->has_legacy,
		.findings = &findings,
	};
	struct gw_error err = GW_ERROR_INIT;

	if (gw_rehearse(&v->rehearsal, &args, &err) < 0 && !err.text[0])
		abort();
	gw_channel_close(args.in);
}

static void verify(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct verify v = {0};
	const struct gw_examine_sink sink = {.opaque = &v,
					     .with_config = true,
					     .stream = on_stream,
					     .image = on_image,
					     .record = on_record,
					     .finding = on_finding};
	struct gw_channel *ch = peer_channel(data, size, 0);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;

	bound_begin();
	if (gw_examine(ch, &sink, &examination, &err) < 0 && !err.text[0])
		abort();
	bound_check("verify", BOUND_OF_IMAGE(size));
	/* The tables of the domain that is restored grow with the highest pfn. */
	if (err.code == GW_OK && !examination.errors && v.rehearsal.nr_pfns < (1u << 20))
		rehearse(&v, &examination, &in);
	gw_channel_close(ch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_image image;

	if (!guest_image_is_patched(data, size)) {
		verify(data, size);
		return 0;
	}
	image = guest_image_patch(data, size);
	verify(image.data, image.len);
	free(image.data);
	return 0;
}
