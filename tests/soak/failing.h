/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel each of whose calls is a point for each kind of fault: of a file, or of a connection.
 */
#ifndef GW_TESTS_SOAK_FAILING_H
#define GW_TESTS_SOAK_FAILING_H

#include <godwit/channel.h>

/* Wraps below, and closes it. After a fault of a connection all calls fail in the same way. */
struct gw_channel *failing_channel(struct gw_channel *below, bool connection);

#endif
