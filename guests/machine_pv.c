/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The machine of a 64-bit PV guest on Xen. Virtual addresses are pfn * 4096 throughout (the ELF
 * notes ask for VIRT_BASE 0), so a page table walk is never needed. The structures are those of
 * Xen's public/xen.h and public/arch-x86/xen.h.
 */
#include <stddef.h>

#include "machine.h"

#define UPDATE_VA_MAPPING 14
#define FLUSH_PAGE	  2 /* UVMF_INVLPG */
#define WRITABLE	  7 /* present, writable, user: a PV kernel runs in ring 3 */

#define ROOM 256 /* pages: the loader maps the image and little more */

struct pv_start_info {
	char magic[32];
	uint64_t nr_pages, shared_info;
	uint32_t flags;
	uint64_t store_mfn;
	uint32_t store_evtchn;
	uint64_t console_mfn;
	uint32_t console_evtchn;
	uint64_t pt_base, nr_pt_frames, mfn_list, mod_start, mod_len;
	char cmd_line[1024];
};

/* The console page: struct xencons_interface of public/io/console.h. */
struct pv_console {
	char in[1024], out[2048];
	uint32_t in_cons, in_prod, out_cons, out_prod;
};

/* In the shared info page, after 32 vcpu_info, the event channels and the wall clock. */
struct pv_arch_info {
	uint64_t max_pfn, frame_list_list;
};
#define ARCH_INFO (32 * 64 + 64 * 8 * 2 + 16)

uint8_t shared_info[PAGE] __attribute__((aligned(4096)));
static uint8_t room[ROOM * PAGE] __attribute__((aligned(4096)));
/* The frames of the p2m, from which libxc finds every page. 512 of them are 1 GiB. */
static uint64_t frame_list[512] __attribute__((aligned(4096)));
static uint64_t frame_list_list[512] __attribute__((aligned(4096)));
static struct pv_start_info *start;
static volatile struct pv_console *console;

word hypercall(word nr, word a, word b, word c)
{
	word result;

	__asm__ volatile("syscall"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : "0"(nr)
			 : "rcx", "r8", "r10", "r11", "memory", "cc");
	return result;
}

/* What does not fit is dropped: nobody may be reading. */
void machine_put_char(char c)
{
	uint32_t port = start->console_evtchn;

	if (console->out_prod - console->out_cons < sizeof(console->out)) {
		console->out[console->out_prod % sizeof(console->out)] = c;
		__sync_synchronize();
		console->out_prod++;
	}
	if (c == '\n')
		hypercall(EVENT_CHANNEL_OP, 4, (word)&port, 0);
}

static uint64_t mfn_of(const void *address)
{
	return ((const uint64_t *)start->mfn_list)[(word)address / PAGE];
}

static uint64_t pfn_of(uint64_t mfn)
{
	const uint64_t *p2m = (const uint64_t *)start->mfn_list;

	for (uint64_t pfn = 0; pfn < start->nr_pages; pfn++)
		if (p2m[pfn] == mfn)
			return pfn;
	return mfn;
}

static void find_console(void)
{
	console = (volatile struct pv_console *)(pfn_of(start->console_mfn) * PAGE);
}

const char *machine_start(const void *info)
{
	start = (struct pv_start_info *)info;
	find_console();
	return start->cmd_line;
}

uint32_t machine_room(uint32_t wanted, uint32_t *first_pfn)
{
	*first_pfn = (uint32_t)((word)room / PAGE);
	return wanted < ROOM ? wanted : ROOM;
}

static word map_at(void *address, uint64_t mfn_address)
{
	return hypercall(UPDATE_VA_MAPPING, (word)address, mfn_address | WRITABLE, FLUSH_PAGE);
}

int machine_connect(void)
{
	struct pv_arch_info *arch = (struct pv_arch_info *)(shared_info + ARCH_INFO);

	find_console();
	if (map_at(shared_info, start->shared_info))
		return 1;
	for (uint64_t i = 0; i * 512 < start->nr_pages && i < 512; i++)
		frame_list[i] = mfn_of((const uint8_t *)start->mfn_list + i * PAGE);
	frame_list_list[0] = mfn_of(frame_list);
	arch->max_pfn = start->nr_pages;
	arch->frame_list_list = mfn_of(frame_list_list);
	return 0;
}

/*
 * libxc wants pfns in the start info, and no page table may hold the mfn of the shared info page,
 * which is not in the p2m. Both are as before if the suspend is cancelled.
 */
word machine_suspend(void)
{
	uint32_t reason = SHUTDOWN_SUSPEND;
	uint64_t store = start->store_mfn, console_mfn = start->console_mfn;
	word answer;

	map_at(shared_info, mfn_of(shared_info) * PAGE);
	start->store_mfn = pfn_of(store);
	start->console_mfn = pfn_of(console_mfn);
	answer = hypercall(SCHED_OP, 2, (word)&reason, mfn_of(start));
	if (answer) {
		start->store_mfn = store;
		start->console_mfn = console_mfn;
		map_at(shared_info, start->shared_info);
	}
	return answer;
}
