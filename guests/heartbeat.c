/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The heartbeat guest, PVH (32-bit and 64-bit) and PV: a kernel that rewrites a working set, checks
 * it all the time and prints the result. If a page is lost, is an older copy of itself or is
 * another page, the guest names it and stops. It answers every suspend request (docs/guest-abi.md).
 *
 * Command line: seed=1 pages=64 rate=1 check=1 period=1000 idle=1 light=0 listen=1 answer=2 beats=0
 * end=0. A step checks check pages, rewrites rate pages, yields idle times and looks for a request;
 * every period steps a line is printed. A request is answered with the shutdown answer; after beats
 * lines comes the shutdown end.
 */
#include <stdint.h>

#include "layout.h"
#include "machine.h"
#include "processor.h"

static struct hb_header header __attribute__((section(".header"), aligned(4096)));
/* A copy of the header in another page: a stale header differs from it. */
static struct hb_header shadow __attribute__((aligned(4096)));
uint8_t stack[16384] __attribute__((aligned(4096)));

static struct {
	uint32_t rate, check, period, idle;
} pace;

static uint32_t listens;
static uint32_t answer;		/* the shutdown reason that answers a suspend request */
static uint32_t last_beat, end; /* 0, or the beat after which the guest shuts down for reason end */

static void put_text(const char *s)
{
	while (*s)
		machine_put_char(*s++);
}

static void put_number(uint32_t v)
{
	char digits[10];
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		machine_put_char(digits[--n]);
}

static uint32_t *page_at(uint32_t page)
{
	return (uint32_t *)(((word)header.first_pfn + page) * PAGE);
}

static void __attribute__((noreturn)) shut_down(uint32_t reason)
{
	hypercall(SCHED_OP, 2, (word)&reason, 0);
	for (;;)
		hypercall(SCHED_OP, 0, 0, 0);
}

static void __attribute__((noreturn)) stop(void)
{
	machine_put_char('\n');
	shut_down(SHUTDOWN_CRASH);
}

static void __attribute__((noreturn)) leave(uint32_t reason)
{
	put_text("godwit-guest: shutdown ");
	put_number(reason);
	machine_put_char('\n');
	shut_down(reason);
}

static void corrupt(uint32_t page, const char *how)
{
	put_text("CORRUPT page ");
	put_number(page);
	machine_put_char(' ');
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
	if (header.beats == last_beat)
		leave(end);
}

/* Registers everything that Xen forgets about a restored guest. */
static void register_with_xen(void)
{
	struct {
		uint16_t domid, remote;
		uint32_t port;
	} port = {DOMID_SELF, 0, 0};

	header.suspend_port = 0;
	if (!listens)
		return;
	if (machine_connect()) {
		put_text("godwit-guest: no shared info\n");
		return;
	}
	if (hypercall(EVENT_CHANNEL_OP, 6, (word)&port, 0)) {
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
	word result;

	if (answer != SHUTDOWN_SUSPEND)
		leave(answer);
	put_text("godwit-guest: suspend\n");
	result = machine_suspend();
	/* 0: restored elsewhere; 1: cancelled, nothing has changed. */
	if (result == 0)
		register_with_xen();
	header.resumes++;
	header.last_answer = (uint32_t)result;
	put_text(result == 0 ? "godwit-guest: restored\n" : "godwit-guest: cancelled\n");
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

static void begin(const void *info)
{
	const char *line = machine_start(info);

	for (int i = 0; i < 8; i++)
		header.magic[i] = HB_MAGIC[i];
	header.version = 1;
	header.seed = option(line, "seed", 1);
	header.pages = machine_room(option(line, "pages", 64), &header.first_pfn);
	header.light = option(line, "light", 0) != 0;
	pace.rate = option(line, "rate", 1);
	pace.check = option(line, "check", 1);
	pace.period = option(line, "period", 1000);
	pace.idle = option(line, "idle", 1);
	listens = option(line, "listen", 1);
	answer = option(line, "answer", SHUTDOWN_SUSPEND);
	last_beat = option(line, "beats", 0);
	end = option(line, "end", 0);
	register_with_xen();
	put_text("godwit-guest: up, seed ");
	put_number(header.seed);
	put_text(" pages ");
	put_number(header.pages);
	put_text(" port ");
	put_number(header.suspend_port);
	machine_put_char('\n');
	if (processor_fill(option(line, "state", 0)))
		put_text("godwit-guest: no processor state here\n");
	for (uint32_t p = 0; p < header.pages; p++)
		write_page(p, 0);
}

static void check_processor(void)
{
	const char *lost = processor_lost();

	if (!lost)
		return;
	put_text("CORRUPT processor: ");
	put_text(lost);
	stop();
}

void __attribute__((noreturn)) guest_main(const void *info)
{
	uint32_t steps = 0;

	begin(info);
	for (;;) {
		/* Checked first: a page that was lost must not be rewritten unseen. */
		for (uint32_t i = 0; i < pace.check && header.pages; i++)
			check_next();
		for (uint32_t i = 0; i < pace.rate && header.pages; i++)
			rewrite_next();
		check_header();
		check_processor();
		if (++steps >= pace.period) {
			steps = 0;
			beat();
		}
		for (uint32_t i = 0; i < pace.idle; i++)
			hypercall(SCHED_OP, 0, 0, 0);
		if (take_request())
			answer_request();
	}
}
