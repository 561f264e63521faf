/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Entry of the 32-bit heartbeat guest: flat protected mode, paging off, ebx the start info.
 */
	.section .note.Xen, "a", @note
	.align	4
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.globl	_start
_start:
	cli
	cld
	movl	$stack + 16384, %esp
	xorl	%ebp, %ebp
	subl	$12, %esp		/* the call leaves the stack aligned as the ABI wants it */
	pushl	%ebx
	call	guest_main

	.section .note.GNU-stack, "", @progbits
