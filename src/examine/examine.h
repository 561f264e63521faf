/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walking a stored image through all its layers: xl header, libxl stream, libxc image. Every
 * record is held against the rules (format/rules.h) and handed to a sink together with what the
 * rules found. The walk goes on behind a fault wherever the framing still says where the next
 * record begins. Page contents and the state of device models are passed over, unless the sink
 * wants them.
 */
#ifndef GW_EXAMINE_EXAMINE_H
#define GW_EXAMINE_EXAMINE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/toolstack.h>

#include "examine/detect.h"
#include "format/image.h"
#include "format/rules.h"
#include "format/stream.h"
#include "format/xlfile.h"

/* A record on its way through the sink. Borrowed for the call. */
struct gw_examined_record {
	enum gw_layer layer;	     /* GW_LAYER_LIBXL or GW_LAYER_LIBXC */
	uint64_t offset;	     /* of its header, from the first byte of the input */
	const struct gw_record *rec; /* data is NULL where the body was passed over */
	/* PAGE_DATA: the reader with its entries; NULL for all others. */
	const struct gw_image_reader *pages;
	/* Records of the libxl layer without data: the body's first min(length, 8) bytes. */
	const uint8_t *body_head;
};

/* Receives what the walk meets, in the order of the input. Any entry may be NULL. Offsets count
 * from the input's start. */
struct gw_examine_sink {
	void *opaque;
	void (*xlfile)(void *opaque, uint64_t offset, const struct gw_xlfile *xl);
	/* Does the config in it say that the guest is PVH? What a config means is not known here.
	 */
	bool (*is_pvh)(void *opaque, const struct gw_xlfile *xl);
	void (*stream)(void *opaque, uint64_t offset, const struct gw_stream_header *header);
	void (*image)(void *opaque, uint64_t offset, const struct gw_image_header *header);
	/* Comes before the findings about it. */
	void (*record)(void *opaque, const struct gw_examined_record *record);
	/*
	 * Each entry of a PAGE_DATA record, after the record and the findings about it, with the
	 * 4096 bytes that it carries (NULL if none, or if they are not wanted). Entries whose wanted
	 * bytes the input lacks, and those of a record that is not well formed, do not come. -1
	 * with err ends the walk. With NULL here page contents are not read.
	 */
	int (*page)(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		    struct gw_error *err);
	/* Are the contents of this entry wanted? All are without this. */
	bool (*wants)(void *opaque, uint64_t pfn, unsigned type);
	/*
	 * What follows body_head in a libxl record that came without data (device model state), in
	 * pieces, padding left out, behind the record and the findings about it. -1 with err ends
	 * the walk. With NULL here such bodies are passed over.
	 */
	int (*body)(void *opaque, const struct gw_examined_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err);
	void (*finding)(void *opaque, const struct gw_finding *finding);
	void (*progress)(void *opaque, const struct gw_progress *progress);
};

/* What there was, in short. */
struct gw_examined {
	enum gw_file_format format; /* of the outermost layer */
	bool has_xl, has_stream, has_image;
	struct gw_stream_header stream; /* if has_stream */
	struct gw_image_header image;	/* if has_image */
	struct gw_image_facts facts;	/* if has_image */
	uint64_t image_records, stream_records;
	uint64_t page_entries; /* of all PAGE_DATA records */
	uint64_t pages;	       /* with data, resent ones counted each time */
	uint64_t bytes;	       /* of the input, decompressed */
	uint64_t errors, warnings, notes;
};

/*
 * Walks in to its end. Returns 0 when the walk is over, whatever it found; -1 if the input could
 * not be read on (GW_SYSTEM), memory ran out, the channel's token was set (GW_CANCELLED), or the
 * sink's page or body failed. Input that ends early or whose compression is damaged is a finding.
 */
int gw_examine(struct gw_channel *in, const struct gw_examine_sink *sink,
	       struct gw_examined *examined, struct gw_error *err);

#endif
