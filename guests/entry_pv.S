/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry of the PV heartbeat guest: long mode in ring 3, rsi the start info, memory mapped from address 0.
 */
	.macro	note kind, value:vararg
	.align	4
	.long	4, 2f - 1f, \kind
	.asciz	"Xen"
1:	\value
2:	.align	4
	.endm

	.section .note.Xen, "a", @note
	note	1, .quad _start			/* ENTRY */
	note	3, .quad 0			/* VIRT_BASE */
	note	4, .quad 0			/* PADDR_OFFSET */
	note	5, .asciz "xen-3.0"		/* XEN_VERSION */
	note	6, .asciz "godwit-guest"	/* GUEST_OS */
	note	8, .asciz "generic"		/* LOADER */

	.text
	.globl	_start
_start:
	cld
	leaq	stack + 16384(%rip), %rsp
	xorl	%ebp, %ebp
	movq	%rsi, %rdi
	call	guest_main

	.section .note.GNU-stack, "", @progbits
