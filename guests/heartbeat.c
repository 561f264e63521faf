/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The heartbeat guest, 32-bit and 64-bit: a PVH kernel that rewrites a working set, checks it all
 * the time and prints the result. If a page is lost, is an older copy of itself or is another page,
 * the guest names it and stops. It answers every suspend request (docs/guest-abi.md).
 *
 * Command line: seed=1 pages=64 rate=1 check=1 period=1000 idle=1 light=0. A step rewrites rate
 * pages, checks check pages, yields idle times and looks for a request; every period steps a line
 * is printed.
 */
#include <stdint.h>

#include "layout.h"
#include "start.h"

#define SCHED_OP	 29
#define EVENT_CHANNEL_OP 32
#define MEMORY_OP	 12

#define SHUTDOWN_SUSPEND 2
#define SHUTDOWN_CRASH	 3
#define DOMID_SELF	 0x7ff0

#define MSR_LEAF 0x40000002u

#define PAGE 4096u

typedef unsigned long word;

static struct hb_header header __attribute__((section(".header"), aligned(4096)));
/* A copy of the header in another page: a stale header differs from it. */
static struct hb_header shadow __attribute__((aligned(4096)));
static uint8_t shared_info[PAGE] __attribute__((aligned(4096)));
uint8_t hypercall_page[PAGE] __attribute__((aligned(4096)));
uint8_t stack[16384] __attribute__((aligned(4096)));

static struct {
	uint32_t rate, check, period, idle;
} pace;

extern uint8_t image_end[];

static void put_char(char c)
{
	__asm__ volatile("outb %b0, %w1" ::"a"(c), "Nd"(0xe9));
}

static void put_text(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_number(uint32_t v)
{
	char digits[10];
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		put_char(digits[--n]);
}

static word hypercall(word nr, word a, word b)
{
	word result;
	const uint8_t *entry = hypercall_page + nr * 32;

#ifdef __x86_64__
	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a), "+S"(b)
			 : [entry] "r"(entry)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
#else
	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+b"(a), "+c"(b)
			 : [entry] "r"(entry)
			 : "edx", "memory", "cc");
#endif
	return result;
}

static uint32_t *page_at(uint32_t page)
{
	return (uint32_t *)(((word)header.first_pfn + page) * PAGE);
}

static void __attribute__((noreturn)) stop(void)
{
	uint32_t reason = SHUTDOWN_CRASH;

	put_char('\n');
	hypercall(SCHED_OP, 2, (word)&reason);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void corrupt(uint32_t page, const char *how)
{
	put_text("CORRUPT page ");
	put_number(page);
	put_char(' ');
	put_text(how);
}

static void __attribute__((noreturn))
name_fault(uint32_t page, uint32_t want, const uint32_t *at, uint32_t word_index)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < HB_PAGE_WORDS; i++)
		any |= at[i];
	if (!any) {
		corrupt(page, "lost: it is all zeros");
	} else if (at[2] != hb_key(header.seed, at[0], at[1]) || at[3] != ~at[2]) {
		corrupt(page, "damaged at word ");
		put_number(word_index);
	} else if (at[0] != page) {
		corrupt(page, "swapped: it holds page ");
		put_number(at[0]);
	} else if (at[1] != want) {
		corrupt(page, at[1] < want ? "stale: generation " : "ahead: generation ");
		put_number(at[1]);
		put_text(", expected ");
		put_number(want);
	} else {
		corrupt(page, "damaged at word ");
		put_number(word_index);
	}
	stop();
}

/* The start value of a page's pattern, if its first words have this key. */
static uint32_t pattern_base(uint32_t page, uint32_t key)
{
	return header.light ? hb_key(header.seed, page, 0) : key;
}

static void write_head(uint32_t page, uint32_t generation)
{
	uint32_t *at = page_at(page), key = hb_key(header.seed, page, generation);

	for (uint32_t i = 0; i < 4; i++)
		at[i] = hb_word(page, generation, key, i);
}

static void write_page(uint32_t page, uint32_t generation)
{
	uint32_t *at = page_at(page), phase = 4;
	uint32_t base = pattern_base(page, hb_key(header.seed, page, generation));

	write_head(page, generation);
	for (uint32_t i = 4; i < HB_PAGE_WORDS; i++) {
		at[i] = base + phase * 0x9e3779b1u;
		if (++phase == HB_PERIOD)
			phase = 0;
	}
}

static void check_page(uint32_t page)
{
	uint32_t want = header.generation + (page < header.position);
	uint32_t key = hb_key(header.seed, page, want), phase = 4;
	uint32_t base = pattern_base(page, key);
	const uint32_t *at = page_at(page);

	for (uint32_t i = 0; i < 4; i++)
		if (at[i] != hb_word(page, want, key, i))
			name_fault(page, want, at, i);
	for (uint32_t i = 4; i < HB_PAGE_WORDS; i++) {
		if (at[i] != base + phase * 0x9e3779b1u)
			name_fault(page, want, at, i);
		if (++phase == HB_PERIOD)
			phase = 0;
	}
}

static void check_header(void)
{
	if (header.generation == shadow.generation && header.position == shadow.position &&
	    header.beats == shadow.beats && header.cursor == shadow.cursor)
		return;
	put_text("CORRUPT header: it and its copy are of different times");
	stop();
}

static void rewrite_next(void)
{
	if (header.light)
		write_head(header.position, header.generation + 1);
	else
		write_page(header.position, header.generation + 1);
	if (++header.position == header.pages) {
		header.position = 0;
		header.generation++;
	}
	shadow.position = header.position;
	shadow.generation = header.generation;
}

static void check_next(void)
{
	check_page(header.cursor);
	if (++header.cursor == header.pages)
		header.cursor = 0;
	shadow.cursor = header.cursor;
}

static void beat(void)
{
	shadow.beats = ++header.beats;
	put_text("godwit-guest: beat ");
	put_number(header.beats);
	put_text(" gen ");
	put_number(header.generation);
	put_text(" ok\n");
}

static void set_hypercall_page(void)
{
	uint32_t a = MSR_LEAF, msr, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(msr), "+c"(c), "=d"(d));
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)(word)hypercall_page), "d"(0)
			 : "memory");
}

/* Registers everything that Xen forgets about a restored guest. */
static void register_with_xen(void)
{
	struct {
		uint16_t domid, size;
		uint32_t space;
		word index, gpfn;
	} map = {DOMID_SELF, 0, 0, 0, (word)shared_info / PAGE};
	struct {
		uint16_t domid, remote;
		uint32_t port;
	} port = {DOMID_SELF, 0, 0};

	set_hypercall_page();
	header.suspend_port = 0;
	if (hypercall(MEMORY_OP, 7, (word)&map)) {
		put_text("godwit-guest: no shared info\n");
		return;
	}
	if (hypercall(EVENT_CHANNEL_OP, 6, (word)&port)) {
		put_text("godwit-guest: no event channel\n");
		return;
	}
	header.suspend_port = port.port;
}

/* Takes the port's pending bit; 0 if it was not set. */
static int take_request(void)
{
	volatile word *pending = (volatile word *)(shared_info + 0x800);
	unsigned bits = 8 * sizeof(word), port = header.suspend_port;
	word bit = (word)1 << port % bits;

	if (!port || !(pending[port / bits] & bit))
		return 0;
	__sync_fetch_and_and(&pending[port / bits], ~bit);
	shared_info[0] = 0;
	return 1;
}

static void answer_request(void)
{
	uint32_t reason = SHUTDOWN_SUSPEND;
	word answer;

	put_text("godwit-guest: suspend\n");
	answer = hypercall(SCHED_OP, 2, (word)&reason);
	/* 0: restored elsewhere; 1: cancelled, nothing has changed. */
	if (answer == 0)
		register_with_xen();
	header.resumes++;
	header.last_answer = (uint32_t)answer;
	put_text(answer == 0 ? "godwit-guest: restored\n" : "godwit-guest: cancelled\n");
}

/* The number after "name=" in the command line. */
static uint32_t option(const char *line, const char *name, uint32_t otherwise)
{
	uint32_t value = 0;

	for (; line && *line; line++) {
		const char *n = name, *l = line;

		while (*n && *n == *l)
			n++, l++;
		if (*n || *l != '=' || l[1] < '0' || l[1] > '9')
			continue;
		for (l++; *l >= '0' && *l <= '9'; l++)
			value = value * 10 + (uint32_t)(*l - '0');
		return value;
	}
	return otherwise;
}

static word after(word a, uint64_t b)
{
	return b > a && b < UINT32_MAX ? (word)b : a;
}

/* The first pfn after the image and the loader's data. */
static uint32_t first_free_pfn(const struct start_info *info)
{
	word end = (word)image_end;

	end = after(end, (uint64_t)(word)info + PAGE);
	end = after(end, info->cmdline + PAGE);
	if (info->version >= 1)
		end = after(end, info->memmap + 24 * (uint64_t)info->memmap_entries);
	return (uint32_t)((end + PAGE - 1) / PAGE);
}

/* The pages of RAM that begin at this pfn; as many as wanted if the loader gives no map. */
static uint32_t ram_from(const struct start_info *info, uint32_t pfn, uint32_t wanted)
{
	const struct memmap_entry *map = (const struct memmap_entry *)(word)info->memmap;

	if (info->version < 1 || !info->memmap)
		return wanted;
	for (uint32_t i = 0; i < info->memmap_entries; i++) {
		uint64_t start = map[i].addr / PAGE, end = (map[i].addr + map[i].size) / PAGE;

		if (map[i].type == 1 && start <= pfn && pfn < end && end - pfn < wanted)
			return (uint32_t)(end - pfn);
	}
	return wanted;
}

static void begin(const struct start_info *info)
{
	const char *line = (const char *)(word)info->cmdline;
	uint32_t wanted = option(line, "pages", 64);

	for (int i = 0; i < 8; i++)
		header.magic[i] = HB_MAGIC[i];
	header.version = 1;
	header.seed = option(line, "seed", 1);
	header.first_pfn = first_free_pfn(info);
	header.pages = ram_from(info, header.first_pfn, wanted);
	header.light = option(line, "light", 0) != 0;
	pace.rate = option(line, "rate", 1);
	pace.check = option(line, "check", 1);
	pace.period = option(line, "period", 1000);
	pace.idle = option(line, "idle", 1);
	register_with_xen();
	put_text("godwit-guest: up, seed ");
	put_number(header.seed);
	put_text(" pages ");
	put_number(header.pages);
	put_text(" port ");
	put_number(header.suspend_port);
	put_char('\n');
	for (uint32_t p = 0; p < header.pages; p++)
		write_page(p, 0);
}

void __attribute__((noreturn)) guest_main(const struct start_info *info)
{
	uint32_t steps = 0;

	begin(info);
	for (;;) {
		for (uint32_t i = 0; i < pace.rate && header.pages; i++)
			rewrite_next();
		for (uint32_t i = 0; i < pace.check && header.pages; i++)
			check_next();
		check_header();
		if (++steps >= pace.period) {
			steps = 0;
			beat();
		}
		for (uint32_t i = 0; i < pace.idle; i++)
			hypercall(SCHED_OP, 0, 0);
		if (take_request())
			answer_request();
	}
}
