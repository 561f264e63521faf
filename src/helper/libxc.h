/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Xen's libxc does around a save and a restore, for the programs and libraries that take its
 * place: its precopy policy, the answers of a toolstack's callbacks, progress, errno.
 */
#ifndef GW_HELPER_LIBXC_H
#define GW_HELPER_LIBXC_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/toolstack.h>

/*
 * The policy of libxc (simple_precopy_policy() in xg_sr_save.c): five live passes at most, and none
 * after one that began with fewer than 50 dirty pages.
 */
enum gw_precopy_decision gw_libxc_precopy(const struct gw_precopy_stats *stats);

/*
 * What a callback of a save answered to "what" ("suspend"): 0 if it is positive, else -1 with
 * GW_GUEST. who answered: "libxl".
 */
int gw_libxc_save_answer(int answer, const char *who, const char *what, struct gw_error *err);
/*
 * The same of a restore (XGR_CHECKPOINT_ in xenguest.h): 0; GW_CHECKPOINT_FAILOVER: the other side
 * is gone; -1 with GW_PEER.
 */
int gw_libxc_restore_answer(int answer, const char *who, const char *what, struct gw_error *err);

/* What the progress was about when it was last reported. Zeroed before the first. */
struct gw_libxc_progress {
	enum gw_stage stage;
	unsigned round;
};

/*
 * Whether to report p, once for each stage and round and then for each step of it: what receives
 * the subject as libxc words it, *total its pages, or 0 if there is nothing to count.
 */
bool gw_libxc_progress(struct gw_libxc_progress *last, bool restore, const struct gw_progress *p,
		       char what[64], uint64_t *total);

/* Puts after the failure of a save what has become of the domain, which who may resume. -1. */
int gw_libxc_save_failed(uint32_t domid, bool suspended, const char *who, struct gw_error *err);

/* A log message with the number (llu) of the checkpoint. */
#define GW_LIBXC_FAILED_OVER                                                                       \
	"the sender is gone: the domain has the state of checkpoint %llu, the last complete one"

/* The errno that stands for a failure. */
int gw_libxc_errno(const struct gw_error *err);

#endif
