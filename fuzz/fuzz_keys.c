/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a file of pre-shared keys, and looks for the user of its last
 * line.
 */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "channel/tls.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_tls_psk psk;
	const char *user;

	if (!text)
		exit(1);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	user = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
	bound_begin();
	if (gw_tls_find_psk(text, NULL, 0, &psk, &err) < 0 && !err.text[0])
		abort();
	gw_error_clear(&err);
	if (gw_tls_find_psk(text, user, strcspn(user, ":"), &psk, &err) > 0 &&
	    (psk.key_len < 16 || psk.key_len > sizeof(psk.key) || !psk.user[0]))
		abort();
	bound_check("keys", 1u << 16);
	free(text);
	return 0;
}
