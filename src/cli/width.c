/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Asks for the width of the terminal.
 */
#include "cli/width.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/util.h"

#define NARROWEST 20
#define USUAL	  80

int gw_terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int width = columns ? atoi(columns) : 0;

	if (width <= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	return width > 0 ? GW_MAX(width, NARROWEST) : USUAL;
}
