/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reserved address space: memory for a domain's frames and tables, which the kernel provides page
 * by page at first touch.
 */
#include <inttypes.h>
#include <sys/mman.h>

#include "hypervisor/memory/domain.h"

void *gw_memory_reserve(uint64_t bytes, struct gw_error *err)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p != MAP_FAILED)
		return p;
	gw_fail_errno(err, "reserving %" PRIu64 " bytes of address space for a domain", bytes);
	return NULL;
}

void gw_memory_release(void *p, uint64_t bytes)
{
	if (p)
		munmap(p, bytes);
}
