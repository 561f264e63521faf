/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The conversion of a stored or arriving image to version 3: legacy images, images of version 2,
 * and the layers around them (a xend header is dropped). It knows no domains.
 *
 * A legacy stream is converted as it arrives, without reading ahead. Data that a later checkpoint
 * may replace waits: the tail of each round in memory, the pages of later rounds in an unlinked
 * file. An incomplete round is never written. A compressed round (Remus) encodes its pages as
 * differences, so the pages of the first round are needed: they are read again from a seekable
 * input, and kept in an unlinked file for a pipe, unless the start of the stream shows that it was
 * not a live save.
 */
#ifndef GW_CONVERT_CONVERT_H
#define GW_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/progress.h>

#include "format/legacy/legacy.h"

enum gw_convert_form {
	GW_CONVERT_SAME, /* the outermost layer of the input; of a legacy image that is bare or
			    xend's: libxl */
	GW_CONVERT_LIBXC,
	GW_CONVERT_LIBXL,
	/* The input must have a config to carry over, or be a file of xend: the header then has
	 * none, and xl wants a config of its own beside the result. */
	GW_CONVERT_XL,
};

enum gw_convert_source { GW_CONVERT_ANY, GW_CONVERT_LEGACY, GW_CONVERT_V2, GW_CONVERT_V3 };

struct gw_convert_args {
	struct gw_channel *in, *out;
	enum gw_convert_form to;
	enum gw_convert_source from;  /* ANY: by detection; else other images are refused */
	struct gw_legacy_kind legacy; /* what is known better than by detection */
	bool legacy_is_guess; /* ... or only believed: content that says otherwise counts, with a
				 WARNING */
	bool bare;	      /* no device model record ends the image (HVM) */
	const struct gw_cancel *cancel; /* NULL: that of the channels stays */
	/* NULL is fine. progress; log: what is dropped on purpose is a WARNING each. */
	const struct gw_observer *observer;
};

/* What a conversion read and wrote. */
struct gw_conversion_result {
	enum gw_convert_source from;
	enum gw_convert_form to;
	struct gw_legacy_kind legacy; /* as detected or forced, if from is LEGACY */
	uint64_t pages;		      /* written, resent ones counted */
	uint64_t checkpoints;	      /* complete ones of the input */
	uint64_t dropped;	      /* number of reported drops */
	uint64_t in_bytes, out_bytes;
};

/*
 * Reads one image from args->in, exactly to its end where the image itself says where that is, and
 * writes it to args->out, which the caller finishes. GW_INVALID and GW_TRUNCATED: the input breaks
 * a rule (format/rules/rules.h) or is cut; GW_UNSUPPORTED: it holds what version 3 cannot carry, by
 * name. What stands in out then is no image.
 */
int gw_convert(const struct gw_convert_args *args, struct gw_conversion_result *done,
	       struct gw_error *err);

/*
 * Returns a channel that reads the output of gw_convert() on args->in. The conversion runs in its
 * own thread, which also calls the observer (*args and its observer are copied). On success the
 * channel owns args->in and sets its own cancel token on it; args->out is not used, args->cancel
 * becomes the channel's token. A failure of the conversion fails the read that reaches it, with the
 * same text (GW_INVALID for a truncated input, because the converted image is not the truncated
 * one). *done, if not NULL, is filled when the channel is closed.
 */
struct gw_channel *gw_convert_channel(const struct gw_convert_args *args,
				      struct gw_conversion_result *done, struct gw_error *err);

#endif
