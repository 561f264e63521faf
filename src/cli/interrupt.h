/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SIGINT, SIGTERM and SIGHUP: the first asks the running operation to cancel, the second ends the
 * process at once, as it would without a handler.
 */
#ifndef GW_CLI_INTERRUPT_H
#define GW_CLI_INTERRUPT_H

#include <godwit/cancel.h>

/* Makes the signals set this token, which must live as long as the process. 0 or -1. */
int gw_interrupt_start(struct gw_cancel *cancel, struct gw_error *err);

#endif
