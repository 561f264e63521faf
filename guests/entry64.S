/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entries of the 64-bit heartbeat guest. A PVH loader enters at _start, in flat 32-bit protected mode
 * with ebx the start info: page tables that map 4 GiB one to one are built and long mode entered. A
 * loader that knows the "Godwit" note enters at _start64, in long mode with memory mapped one to
 * one and rbx the start info.
 */
	.section .note.Xen, "a", @note
	.align	4
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.align	4
	.long	7, 8, 1			/* entry in long mode */
	.asciz	"Godwit"
	.align	4
	.quad	_start64

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	/* Four page directories, 2 MiB pages. */
	movl	$directories, %edi
	movl	$0x83, %eax		/* present, writable, large */
	xorl	%edx, %edx
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	incl	%edx
	cmpl	$2048, %edx
	jb	1b
	movl	$pointers, %edi
	movl	$directories + 3, %eax
	movl	$4, %edx
2:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	decl	%edx
	jnz	2b
	movl	$pointers + 3, root
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$root, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$0x100, %eax		/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax	/* PG */
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $_start64

	.code64
	.globl	_start64
_start64:
	cli
	cld
	movq	$stack + 16384, %rsp
	xorl	%ebp, %ebp
	movl	%ebx, %edi
	call	guest_main

	.section .rodata
	.align	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	23
	.long	gdt

	.bss
	.align	4096
root:	.skip	4096
pointers:
	.skip	4096
directories:
	.skip	4 * 4096

	.section .note.GNU-stack, "", @progbits
