/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The size of a channel's input, from the file at the bottom.
 */
#include "channel/position.h"

#include "base/util.h"

uint64_t gw_channel_expected_size(const struct gw_channel *ch)
{
	const struct gw_channel *file = ch;
	unsigned __int128 size;

	while (file->below)
		file = file->below;
	if (!file->seekable)
		return 0;
	if (file == ch)
		return ch->size;
	if (file->read_pos == 0)
		return 0;
	size = (unsigned __int128)ch->read_pos * file->size / file->read_pos;
	return size > UINT64_MAX ? UINT64_MAX : (uint64_t)size;
}
