/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domains under test.
 */
#include "lib/gwtest.h"

#include <unistd.h>

#include "base/clock.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "../hypervisor/emu_bench.h"
#include "../migrate/stored.h"
#include "place.h"
#include "points.h"

#define RAM_PAGES 512
#define EXTRA	  8 /* special pages of a PVH guest */
#define MAX_PFNS  (UINT64_C(1) << 20)

static struct place over(struct guest *g, struct gw_domain *d)
{
	struct place p = {.guest = g, .f = faulty_new(d)};

	p.f->also_fails = point;
	return p;
}

struct place place_empty(bool emu)
{
	struct guest *g = emu ? guest_new("", RAM_PAGES + EXTRA) : NULL;

	return over(g, g ? g->d : stored_domain(GW_GUEST_X86_HVM, MAX_PFNS));
}

/* A domain with some pages, the params and the context that a save needs. */
static struct gw_domain *in_memory(void)
{
	struct stored s = stored_load("xen417/tiny-pvh.save.xz");
	struct gw_restore_args args = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d;

	assert_ok(stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err), &err);
	stored_free(&s);
	return d;
}

struct place place_source(bool emu)
{
	struct guest *g;

	if (!emu)
		return over(NULL, in_memory());
	g = guest_boot("", "64", "pages=40 period=200", RAM_PAGES);
	guest_unpause(g);
	guest_wait(g, 0, "beat 1 ");
	return over(g, g->d);
}

void place_free(struct place *p)
{
	if (p->guest) {
		faulty_let_go(p->f);
		guest_free(p->guest);
	} else if (p->f) {
		faulty_free(p->f);
	}
	*p = (struct place){0};
}

void place_resume(struct place *p)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = p->f->inner;
	struct gw_domain_info info;

	assert_ok(gw_domain_info(d, &info, &err), &err);
	if (info.shutdown == GW_SHUTDOWN_SUSPEND)
		assert_ok(gw_control_resume(d->control, &err), &err);
}

const char *place_leftover(const struct place *p)
{
	if (p->f->mapped != 0)
		return "pages are mapped";
	return p->f->logging ? "log-dirty is on" : NULL;
}

bool place_beats(struct place *p, unsigned seconds)
{
	uint64_t until = gw_clock_ms() + 1000 * (uint64_t)seconds;
	size_t at;

	if (!p->guest)
		return true;
	at = guest_console_len(p->guest);
	/* At least two: the first may have been on its way. */
	at = guest_wait(p->guest, at, "beat ");
	at = guest_wait(p->guest, at, "beat ");
	/* The test keeps only so much of what a guest prints. */
	while (gw_clock_ms() < until && at < sizeof(p->guest->text) - 4096)
		at = guest_wait(p->guest, at, "beat ");
	return !strstr(p->guest->text, "CORRUPT") && !*gw_control_crash_text(p->guest->d->control);
}
