/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets the deadline of each part of a migration.
 */
#include "migrate/sender_clock.h"

#include "base/clock.h"

static const struct gw_sender_times defaults = {
	.hello_ms = GW_HELLO_MS,
	.config_ms = 60000,
	.data_ms = GW_DATA_MS,
	/* A guest may be given an hour to suspend. */
	.suspend_ms = 3660000,
	.handover_ms = 60000,
	.data_bytes = GW_DATA_BYTES,
};

static void begin(struct gw_sender_clock *c, int ms, uint64_t from_ms, const char *what)
{
	c->in_data = false;
	c->deadline = (struct gw_deadline){.at_ms = from_ms + (uint64_t)ms, .ms = ms, .what = what};
	gw_channel_set_deadline(c->ch, &c->deadline);
}

static int or_default(int given, int otherwise)
{
	return given ? given : otherwise;
}

void gw_sender_clock_start(struct gw_sender_clock *c, struct gw_channel *ch,
			   const struct gw_sender_times *times)
{
	*c = (struct gw_sender_clock){
		.ch = ch,
		.times =
			{
				.hello_ms = or_default(times->hello_ms, defaults.hello_ms),
				.config_ms = or_default(times->config_ms, defaults.config_ms),
				.data_ms = or_default(times->data_ms, defaults.data_ms),
				.suspend_ms = or_default(times->suspend_ms, defaults.suspend_ms),
				.handover_ms = or_default(times->handover_ms, defaults.handover_ms),
				.data_bytes = or_default(times->data_bytes, defaults.data_bytes),
			},
	};
	begin(c, c->times.hello_ms, times->from_ms ? times->from_ms : gw_clock_ms(), "its HELLO");
}

void gw_sender_clock_config(struct gw_sender_clock *c)
{
	begin(c, c->times.config_ms, gw_clock_ms(), "its CONFIG with the static data");
}

static void begin_piece(struct gw_sender_clock *c)
{
	begin(c, c->times.data_ms, gw_clock_ms(), "enough of the domain");
	c->piece = 0;
	c->in_data = true;
}

void gw_sender_clock_data(struct gw_sender_clock *c)
{
	begin_piece(c);
}

void gw_sender_clock_suspend(struct gw_sender_clock *c)
{
	begin(c, c->times.suspend_ms, gw_clock_ms(), "the state of the suspended guest");
	/* The first byte ends the wait. */
	c->piece = (uint64_t)c->times.data_bytes - 1;
	c->in_data = true;
}

void gw_sender_clock_came(struct gw_sender_clock *c, uint64_t bytes)
{
	if (!c->in_data)
		return;
	c->piece += bytes;
	if (c->piece >= (uint64_t)c->times.data_bytes)
		begin_piece(c);
}

void gw_sender_clock_handover(struct gw_sender_clock *c, const char *what)
{
	begin(c, c->times.handover_ms, gw_clock_ms(), what);
}

void gw_sender_clock_stop(struct gw_sender_clock *c)
{
	c->in_data = false;
	gw_channel_set_deadline(c->ch, NULL);
}
