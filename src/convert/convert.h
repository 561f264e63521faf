/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rewriting a stored or arriving image as one of version 3: legacy images, images of version 2, and
 * the layers around either (of xend's header nothing is left). Domains are not known here.
 *
 * A legacy stream is converted as it comes, without reading ahead. What of it may still be taken
 * back by a later checkpoint waits: the tail of each round in memory, the pages of rounds behind
 * the first in an unlinked file; nothing of an incomplete round is written. A compressed round
 * (Remus) tells its pages as differences, so the pages of the first have to be at hand: of an input
 * that can be sought in they are read again, of a pipe they are kept in an unlinked file, unless
 * the stream shows from its beginning that it was not live.
 */
#ifndef GW_CONVERT_CONVERT_H
#define GW_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/toolstack.h>

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
	const struct gw_toolstack *toolstack;
};

/* What a conversion read and wrote. */
struct gw_conversion_result {
	enum gw_convert_source from;
	enum gw_convert_form to;
	struct gw_legacy_kind legacy; /* as detected or forced, if from is LEGACY */
	uint64_t pages;		      /* written, resent ones counted */
	uint64_t checkpoints;	      /* complete ones of the input */
	uint64_t dropped;	      /* things that were told as dropped */
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
 * A channel that reads what gw_convert() makes of args->in, for whoever restores it: the conversion
 * runs in a thread of its own, which also calls the toolstack (*args and its toolstack are copied).
 * Takes args->in over on success, with a token of its own; args->out is not used, args->cancel is
 * the channel's. What fails in the conversion fails the read that comes to it, with the same text
 * (GW_INVALID where the input was cut: it is not the converted image that is).
 * *done, if not NULL, is filled when the channel is closed.
 */
struct gw_channel *gw_convert_channel(const struct gw_convert_args *args,
				      struct gw_conversion_result *done, struct gw_error *err);

#endif
