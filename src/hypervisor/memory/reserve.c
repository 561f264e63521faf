/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reserved address space: memory for a domain's frames and tables, which the kernel provides page
 * by page at first touch. A page before it and at least one after it cannot be touched, so that an
 * access beyond a domain's memory ends the process and reaches nothing else.
 */
#include <inttypes.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"

/* What one reservation takes of the address space, guards included; 0 if that is too much. */
static uint64_t guarded_size(uint64_t bytes)
{
	uint64_t pages = bytes / GW_PAGE_SIZE + (bytes % GW_PAGE_SIZE != 0);

	return pages < (UINT64_C(1) << 50) ? (pages + 2) * GW_PAGE_SIZE : 0;
}

void *gw_memory_reserve(uint64_t bytes, struct gw_error *err)
{
	uint64_t size = guarded_size(bytes);
	uint8_t *p = size ? mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0)
			  : MAP_FAILED;

	if (p != MAP_FAILED &&
	    mprotect(p + GW_PAGE_SIZE, size - 2 * GW_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0)
		return p + GW_PAGE_SIZE;
	gw_fail_errno(err, "reserving %" PRIu64 " bytes of address space for a domain", bytes);
	if (p != MAP_FAILED)
		munmap(p, size);
	return NULL;
}

void gw_memory_release(void *p, uint64_t bytes)
{
	if (p)
		munmap((uint8_t *)p - GW_PAGE_SIZE, guarded_size(bytes));
}
