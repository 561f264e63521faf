/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as QEMU's savevm stream, in pieces whose length the first byte says.
 */
#include <stdlib.h>

#include "base/util.h"
#include "bound.h"
#include "format/qemu/whole.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gw_qemu_sections q;
	struct input in = {data, size};
	size_t piece = 1 + (size_t)input_u8(&in) * 16;
	char text[300];
	int rc = 0;

	bound_begin();
	gw_qemu_sections_begin(&q, in.len);
	while (in.len && rc == 0) {
		size_t len = piece;
		const uint8_t *from = input_bytes(&in, &len);

		rc = gw_qemu_sections_add(&q, from, len, NULL);
	}
	if (rc == 0 && gw_qemu_sections_end(&q, NULL) == 0) {
		if (gw_qemu_judge(&q, text, sizeof(text)) != GW_QEMU_WHOLE && !text[0])
			abort();
		for (size_t i = 0; i < q.nr; i++)
			gw_qemu_least_size(q.list[i].name, q.list[i].version, q.list[i].first_word);
	}
	gw_qemu_sections_free(&q);
	bound_check("a state of QEMU", 64 * size + (1u << 20));
	return 0;
}
