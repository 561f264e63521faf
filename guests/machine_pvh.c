/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The machine of a PVH guest: hypercalls through a hypercall page, the console at port 0xe9, the
 * shared info page in the place of a page of its own, memory as the loader's map says.
 */
#include <stddef.h>

#include "machine.h"
#include "start.h"

#define HVM_OP		       34
#define HVM_PARAM_CALLBACK_IRQ 0
#define MSR_LEAF	       0x40000002u

uint8_t shared_info[PAGE] __attribute__((aligned(4096)));
static uint8_t hypercall_page[PAGE] __attribute__((aligned(4096)));
static const struct start_info *start;

extern uint8_t image_end[];

word hypercall(word nr, word a, word b, word c)
{
	word result;
	const uint8_t *entry = hypercall_page + nr * 32;

#ifdef __x86_64__
	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : [entry] "r"(entry)
			 : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
#else
	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+b"(a), "+c"(b), "+d"(c)
			 : [entry] "r"(entry)
			 : "memory", "cc");
#endif
	return result;
}

void machine_put_char(char c)
{
	__asm__ volatile("outb %b0, %w1" ::"a"(c), "Nd"(0xe9));
}

static void set_hypercall_page(void)
{
	uint32_t a = MSR_LEAF, msr, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(msr), "+c"(c), "=d"(d));
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)(word)hypercall_page), "d"(0)
			 : "memory");
}

const char *machine_start(const void *info)
{
	start = info;
	set_hypercall_page();
	return (const char *)(word)start->cmdline;
}

static word after(word a, uint64_t b)
{
	return b > a && b < UINT32_MAX ? (word)b : a;
}

/* The first pfn that neither the image nor what the loader passes uses. */
static uint32_t first_free_pfn(void)
{
	word end = (word)image_end;

	end = after(end, (uint64_t)(word)start + PAGE);
	end = after(end, start->cmdline + PAGE);
	if (start->version >= 1)
		end = after(end, start->memmap + 24 * (uint64_t)start->memmap_entries);
	return (uint32_t)((end + PAGE - 1) / PAGE);
}

/* The RAM that begins at the first free pfn; as many pages as wanted if the loader has no map. */
uint32_t machine_room(uint32_t wanted, uint32_t *first_pfn)
{
	const struct memmap_entry *map = (const struct memmap_entry *)(word)start->memmap;
	uint32_t pfn = *first_pfn = first_free_pfn();

	if (start->version < 1 || !map)
		return wanted;
	for (uint32_t i = 0; i < start->memmap_entries; i++) {
		uint64_t from = map[i].addr / PAGE, end = (map[i].addr + map[i].size) / PAGE;

		if (map[i].type == 1 && from <= pfn && pfn < end && end - pfn < wanted)
			return (uint32_t)(end - pfn);
	}
	return wanted;
}

/*
 * libxc lets the suspend call of an HVM guest return 1 only if the guest has asked for events. It
 * asks for a vector that it never takes, because it runs with interrupts off.
 */
static void ask_for_events(void)
{
	struct {
		uint16_t domid, pad;
		uint32_t index;
		uint64_t value;
	} param = {DOMID_SELF, 0, HVM_PARAM_CALLBACK_IRQ, (uint64_t)2 << 56 | 0xf3};

	hypercall(HVM_OP, 0, (word)&param, 0);
}

int machine_connect(void)
{
	struct {
		uint16_t domid, size;
		uint32_t space;
		word index, gpfn;
	} map = {DOMID_SELF, 0, 0, 0, (word)shared_info / PAGE};

	set_hypercall_page();
	ask_for_events();
	return hypercall(MEMORY_OP, 7, (word)&map, 0) != 0;
}

word machine_suspend(void)
{
	uint32_t reason = SHUTDOWN_SUSPEND;

	return hypercall(SCHED_OP, 2, (word)&reason, 0);
}
