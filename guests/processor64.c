/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of the processor in long mode: SSE and AVX registers, debug registers, FS and GS base,
 * PAT, the MSRs of SYSCALL, and on request the LAPIC with a running timer and a waiting interrupt.
 */
#include <stdint.h>

#include "processor.h"

#define MSR_PAT	      0x277u
#define MSR_STAR      0xc0000081u
#define MSR_LSTAR     0xc0000082u
#define MSR_SFMASK    0xc0000084u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_KERNEL_GS 0xc0000102u

#define APIC_BASE   0xfee00000u
#define APIC_TPR    0x80u
#define APIC_SPIV   0xf0u
#define APIC_IRR    0x200u
#define APIC_ICR    0x300u
#define APIC_LVTT   0x320u
#define APIC_TMICT  0x380u
#define APIC_TMCCT  0x390u
#define APIC_TDCR   0x3e0u
#define SPIV	    0x1ffu   /* enabled, spurious vector 0xff */
#define WAITING	    0x51u    /* an interrupt that waits, because the guest runs with IF 0 */
#define TIMER	    0x20052u /* periodic, vector 0x52 */
#define TIMER_COUNT 0x00100000u

#define YMM_WORDS 4 /* 64-bit words of a register */

static const struct {
	uint32_t index;
	uint64_t value;
} msrs[] = {
	{MSR_PAT, 0x0007010600070106},	     {MSR_STAR, 0x0023001000000000},
	{MSR_LSTAR, 0x0000123456789000},     {MSR_SFMASK, 0x47700},
	{MSR_FS_BASE, 0x00001111aaaa0000},   {MSR_GS_BASE, 0x00002222bbbb0000},
	{MSR_KERNEL_GS, 0x00003333cccc0000},
};

static unsigned filled;
static uint64_t vectors[16][YMM_WORDS] __attribute__((aligned(32)));
static uint64_t now[16][YMM_WORDS] __attribute__((aligned(32)));

static void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t rdmsr(uint32_t index)
{
	uint32_t a, d;

	__asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(index));
	return (uint64_t)d << 32 | a;
}

static volatile uint32_t *apic(uint32_t reg)
{
	return (volatile uint32_t *)(uint64_t)(APIC_BASE + reg);
}

#define XMM(op, n, at) __asm__ volatile(op ::"r"(at) : "memory")
#define LOAD_XMM(n)    XMM("movups (%0), %%xmm" #n, n, vectors[n])
#define STORE_XMM(n)   XMM("movups %%xmm" #n ", (%0)", n, now[n])
#define LOAD_YMM(n)    XMM("vmovdqu (%0), %%ymm" #n, n, vectors[n])
#define STORE_YMM(n)   XMM("vmovdqu %%ymm" #n ", (%0)", n, now[n])
#define EACH(what)                                                                                 \
	what(0);                                                                                   \
	what(1);                                                                                   \
	what(2);                                                                                   \
	what(3);                                                                                   \
	what(4);                                                                                   \
	what(5);                                                                                   \
	what(6);                                                                                   \
	what(7);                                                                                   \
	what(8);                                                                                   \
	what(9);                                                                                   \
	what(10);                                                                                  \
	what(11);                                                                                  \
	what(12);                                                                                  \
	what(13);                                                                                  \
	what(14);                                                                                  \
	what(15)

static int has_avx(void)
{
	return filled & PROCESSOR_AVX;
}

/* CR4: SSE, and XSAVE with AVX. */
static void allow_vectors(void)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= 0x600 | (has_avx() ? 0x40000 : 0);
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
	if (has_avx())
		__asm__ volatile("xsetbv" ::"c"(0), "a"(7), "d"(0));
}

static void fill_vectors(void)
{
	uint64_t value = 0x9e3779b97f4a7c15;

	allow_vectors();
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < YMM_WORDS; j++)
			vectors[i][j] = value *= 0xbf58476d1ce4e5b9;
	if (has_avx()) {
		EACH(LOAD_YMM);
	} else {
		EACH(LOAD_XMM);
	}
}

static int vectors_lost(void)
{
	int words = has_avx() ? YMM_WORDS : 2;

	if (has_avx()) {
		EACH(STORE_YMM);
	} else {
		EACH(STORE_XMM);
	}
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < words; j++)
			if (now[i][j] != vectors[i][j])
				return 1;
	return 0;
}

#define DR_VALUE(n) (0x100000u + 0x1000u * (n))
#define LOAD_DR(n)  __asm__ volatile("mov %0, %%dr" #n ::"r"((uint64_t)DR_VALUE(n)))
#define LOST_DR(n)                                                                                 \
	__asm__ volatile("mov %%dr" #n ", %0" : "=r"(value));                                      \
	lost |= value != DR_VALUE(n)

static void fill_debug(void)
{
	LOAD_DR(0);
	LOAD_DR(1);
	LOAD_DR(2);
	LOAD_DR(3);
}

static int debug_lost(void)
{
	uint64_t value;
	int lost = 0;

	LOST_DR(0);
	LOST_DR(1);
	LOST_DR(2);
	LOST_DR(3);
	return lost;
}

static void fill_apic(void)
{
	*apic(APIC_SPIV) = SPIV;
	*apic(APIC_TPR) = 0x20;
	*apic(APIC_TDCR) = 3; /* divided by 16 */
	*apic(APIC_LVTT) = TIMER;
	*apic(APIC_TMICT) = TIMER_COUNT;
	*apic(APIC_ICR) = 0x40000 | WAITING; /* to itself */
}

static const char *apic_lost(void)
{
	if (*apic(APIC_SPIV) != SPIV || *apic(APIC_TPR) != 0x20 || *apic(APIC_LVTT) != TIMER)
		return "apic";
	if (!(*apic(APIC_IRR + WAITING / 32 * 16) >> WAITING % 32 & 1))
		return "waiting interrupt";
	if (*apic(APIC_TMICT) != TIMER_COUNT || *apic(APIC_TMCCT) > TIMER_COUNT ||
	    *apic(APIC_TMCCT) == 0)
		return "apic timer";
	return 0;
}

int processor_fill(unsigned what)
{
	filled = what;
	if (!what)
		return 0;
	fill_vectors();
	fill_debug();
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		wrmsr(msrs[i].index, msrs[i].value);
	if (what & PROCESSOR_APIC)
		fill_apic();
	return 0;
}

/* The name of an MSR. */
static const char *msr_name(uint32_t index)
{
	switch (index) {
	case MSR_PAT:
		return "pat";
	case MSR_FS_BASE:
		return "fs base";
	case MSR_GS_BASE:
		return "gs base";
	case MSR_KERNEL_GS:
		return "kernel gs base";
	default:
		return "star";
	}
}

const char *processor_lost(void)
{
	if (!filled)
		return 0;
	if (vectors_lost())
		return has_avx() ? "ymm" : "xmm";
	if (debug_lost())
		return "debug register";
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		if (rdmsr(msrs[i].index) != msrs[i].value)
			return msr_name(msrs[i].index);
	return filled & PROCESSOR_APIC ? apic_lost() : 0;
}
