/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as the address of a peer, as the text of a host's uri, and as a list
 * of kinds of images.
 */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "channel/address.h"
#include "format/xl/config.h"
#include "hypervisor/host.h"
#include "input.h"
#include "migrate/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_address address;
	uint8_t uuid[16];
	unsigned set;

	if (!text)
		exit(1);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	bound_begin();
	if (gw_address_parse(&address, text, &err) < 0 && !err.text[0])
		abort();
	gw_generations_parse(text, &set, NULL);
	gw_uuid_parse(text, uuid);
	gw_name_is_valid(text);
	if (strncmp(text, "memory:", 7) == 0)
		gw_host_close(gw_host_open(text, NULL));
	bound_check("an address", 1u << 20);
	free(text);
	return 0;
}
