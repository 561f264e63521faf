/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls of the control table (godwit/control.h), which gives their meaning. They are for the
 * owner of a domain: the engine and the guest hooks never include this file.
 */
#ifndef GW_HYPERVISOR_CONTROL_H
#define GW_HYPERVISOR_CONTROL_H

#include <godwit/control.h>

static inline int gw_control_pause(struct gw_control *c, struct gw_error *err)
{
	return c->ops->pause(c, err);
}

static inline int gw_control_unpause(struct gw_control *c, struct gw_error *err)
{
	return c->ops->unpause(c, err);
}

static inline int gw_control_suspend(struct gw_control *c, int timeout_ms,
				     const struct gw_cancel *cancel, struct gw_error *err)
{
	return c->ops->suspend(c, timeout_ms, cancel, err);
}

static inline int gw_control_resume(struct gw_control *c, struct gw_error *err)
{
	return c->ops->resume(c, err);
}

static inline int gw_control_restored(struct gw_control *c, struct gw_error *err)
{
	return c->ops->restored(c, err);
}

static inline void gw_control_set_events(struct gw_control *c,
					 const struct gw_control_events *events)
{
	c->ops->set_events(c, events);
}

static inline const char *gw_control_crash_text(struct gw_control *c)
{
	return c->ops->crash_text(c);
}

static inline int gw_control_throttle(struct gw_control *c, unsigned percent, struct gw_error *err)
{
	return c->ops->throttle(c, percent, err);
}

static inline void gw_control_destroy(struct gw_control *c)
{
	c->ops->destroy(c);
}

#endif
