/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints words of a guest's memory, for the rows of the matrix: look DOMID PFN OFFSET COUNT. Words
 * have 32 bits and are printed in decimal on one line. A page of a PV guest is found as the virtual
 * address PFN * 4096, where the project's PV guests have it. look DOMID param INDEX prints an
 * HVM param in decimal. Exit status: 0 printed, 1 there is no such domain, page or param (stderr),
 * 2 usage.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

static int print_param(uint32_t domid, uint32_t index)
{
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	uint64_t value;

	if (!xc || xc_hvm_param_get(xc, domid, index, &value) < 0) {
		fprintf(stderr, "look: domain %u has no param %u\n", domid, index);
		return 1;
	}
	printf("%llu\n", (unsigned long long)value);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[2], "param") == 0)
		return print_param((uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[3]));
	if (argc != 5)
		return 2;

	uint32_t domid = (uint32_t)atoi(argv[1]);
	unsigned long pfn = strtoul(argv[2], NULL, 0), offset = strtoul(argv[3], NULL, 0),
		      count = strtoul(argv[4], NULL, 0);
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
	xc_dominfo_t info;

	if (offset > 4096 || count > (4096 - offset) / 4)
		return 2;
	if (!xc || !memory || xc_domain_getinfo(xc, domid, 1, &info) != 1 || info.domid != domid) {
		fprintf(stderr, "look: there is no domain %u\n", domid);
		return 1;
	}

	xen_pfn_t frame = info.hvm ? pfn
				   : xc_translate_foreign_address(xc, domid, 0,
								  (unsigned long long)pfn << 12);
	int fault = 0;
	uint8_t *page = xenforeignmemory_map(memory, domid, PROT_READ, 1, &frame, &fault);

	if (!page || fault) {
		fprintf(stderr, "look: page %#lx of domain %u cannot be mapped\n", pfn, domid);
		return 1;
	}
	for (unsigned long i = 0; i < count; i++)
		printf("%u%c", ((volatile uint32_t *)(page + offset))[i],
		       i + 1 < count ? ' ' : '\n');
	return 0;
}
