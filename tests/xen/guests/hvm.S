/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The boot sector of the HVM guest: reads the 32-bit heartbeat guest, which follows it on the disk as a flat image,
 * and enters it as a PVH loader would. SECTORS is the size of the image; ENTRY and END are addresses in it.
 */
	.code16
	.globl	_start
_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movw	$packet, %si
	movb	$0x42, %ah		/* extended read; dl is the drive already */
	int	$0x13
	jc	stop
	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $flat
stop:	hlt
	jmp	stop

	.code32
flat:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	/* hvmloader was where the guest belongs: zero it all, then copy. */
	movl	$0x100000, %edi
	movl	$(END - 0x100000) / 4, %ecx
	xorl	%eax, %eax
	rep stosl
	movl	$0x10000, %esi
	movl	$0x100000, %edi
	movl	$SECTORS * 128, %ecx
	rep movsl
	movl	$info, %ebx
	movl	$ENTRY, %eax
	jmp	*%eax

	.align	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	23
	.long	gdt
packet:	.byte	16, 0
	.word	SECTORS, 0, 0x1000	/* to 0x10000 */
	.quad	1
	.align	8
info:	.long	0x336ec578, 0, 0, 0	/* version 0: no memory map */
	.long	0, 0, line, 0, 0, 0
line:	.asciz	"seed=5 pages=64 period=200 listen=0"

	.org	510
	.word	0xaa55
