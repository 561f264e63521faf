/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a guest kernel's ELF file, 32-bit or 64-bit x86, as hostile input.
 */
#include "hypervisor/pvh/elf.h"

#include <elf.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

#define NOTE_XEN_PHYS32_ENTRY 18
#define NOTE_GODWIT_ENTRY64   1

struct file {
	const uint8_t *bytes;
	size_t len;
	bool wide; /* ELFCLASS64 */
};

/* A program header, either class. */
struct header {
	uint32_t type;
	uint64_t offset, paddr, file_size, mem_size;
};

/* True if size bytes at offset lie in the file. */
static bool inside(const struct file *f, uint64_t offset, uint64_t size)
{
	return offset <= f->len && size <= f->len - offset;
}

static int check_ident(struct file *f, struct gw_error *err)
{
	uint16_t machine;

	if (f->len < sizeof(Elf32_Ehdr) || memcmp(f->bytes, ELFMAG, SELFMAG) != 0)
		return gw_fail(err, GW_INVALID, "the guest is not an ELF file");
	f->wide = f->bytes[EI_CLASS] == ELFCLASS64;
	if ((!f->wide && f->bytes[EI_CLASS] != ELFCLASS32) || f->bytes[EI_DATA] != ELFDATA2LSB)
		return gw_fail(err, GW_INVALID,
			       "the guest's ELF file is neither 32-bit nor 64-bit little endian");
	if (f->wide && f->len < sizeof(Elf64_Ehdr))
		return gw_fail(err, GW_INVALID, "the guest's ELF file ends inside its header");
	machine = gw_get_le16(f->bytes + offsetof(Elf64_Ehdr, e_machine));
	if (machine != EM_386 && machine != EM_X86_64)
		return gw_fail(err, GW_UNSUPPORTED, "the guest is for ELF machine %u, not for x86",
			       machine);
	return 0;
}

static void read_header(const struct file *f, uint64_t at, struct header *h)
{
	const uint8_t *p = f->bytes + at;

	if (f->wide) {
		h->type = gw_get_le32(p + offsetof(Elf64_Phdr, p_type));
		h->offset = gw_get_le64(p + offsetof(Elf64_Phdr, p_offset));
		h->paddr = gw_get_le64(p + offsetof(Elf64_Phdr, p_paddr));
		h->file_size = gw_get_le64(p + offsetof(Elf64_Phdr, p_filesz));
		h->mem_size = gw_get_le64(p + offsetof(Elf64_Phdr, p_memsz));
	} else {
		h->type = gw_get_le32(p + offsetof(Elf32_Phdr, p_type));
		h->offset = gw_get_le32(p + offsetof(Elf32_Phdr, p_offset));
		h->paddr = gw_get_le32(p + offsetof(Elf32_Phdr, p_paddr));
		h->file_size = gw_get_le32(p + offsetof(Elf32_Phdr, p_filesz));
		h->mem_size = gw_get_le32(p + offsetof(Elf32_Phdr, p_memsz));
	}
}

static int take_segment(struct gw_pvh_elf *elf, const struct file *f, const struct header *h,
			struct gw_error *err)
{
	uint64_t end;

	if (!h->mem_size)
		return 0;
	if (h->file_size > h->mem_size || !inside(f, h->offset, h->file_size) ||
	    gw_add_overflows(h->paddr, h->mem_size, &end))
		return gw_fail(
			err, GW_INVALID,
			"a segment of the guest's ELF file extends beyond the file or memory");
	if (elf->nr_segments == GW_PVH_SEGMENTS)
		return gw_fail(err, GW_UNSUPPORTED,
			       "the guest's ELF file has more than %d segments", GW_PVH_SEGMENTS);
	elf->segment[elf->nr_segments++] =
		(struct gw_pvh_segment){h->paddr, h->mem_size, f->bytes + h->offset, h->file_size};
	elf->end = GW_MAX(elf->end, end);
	return 0;
}

static void take_note(struct gw_pvh_elf *elf, const char *name, size_t name_len, uint32_t type,
		      const uint8_t *desc, size_t desc_len)
{
	uint64_t value;

	if (desc_len != 4 && desc_len != 8)
		return;
	value = desc_len == 8 ? gw_get_le64(desc) : gw_get_le32(desc);
	if (type == NOTE_XEN_PHYS32_ENTRY && name_len == 4 && !memcmp(name, "Xen", 4)) {
		elf->has_entry32 = value <= UINT32_MAX;
		elf->entry32 = (uint32_t)value;
	} else if (type == NOTE_GODWIT_ENTRY64 && name_len == 7 && !memcmp(name, "Godwit", 7)) {
		elf->has_entry64 = true;
		elf->entry64 = value;
	}
}

static int take_notes(struct gw_pvh_elf *elf, const struct file *f, const struct header *h,
		      struct gw_error *err)
{
	uint64_t at = h->offset, end;

	if (!inside(f, h->offset, h->file_size))
		return gw_fail(err, GW_INVALID,
			       "the notes of the guest's ELF file extend beyond the file");
	end = h->offset + h->file_size;
	while (end - at >= sizeof(Elf32_Nhdr)) {
		const uint8_t *p = f->bytes + at;
		uint64_t name_len = gw_get_le32(p), desc_len = gw_get_le32(p + 4);
		uint64_t name = at + sizeof(Elf32_Nhdr);
		uint64_t desc = name + GW_ROUND_UP(name_len, 4);
		uint64_t next = desc + GW_ROUND_UP(desc_len, 4);

		/* The last note's padding may be missing. */
		if (desc + desc_len > end)
			return gw_fail(err, GW_INVALID,
				       "a note of the guest's ELF file is longer than the notes");
		take_note(elf, (const char *)f->bytes + name, name_len, gw_get_le32(p + 8),
			  f->bytes + desc, desc_len);
		if (next >= end)
			break;
		at = next;
	}
	return 0;
}

int gw_pvh_elf_parse(struct gw_pvh_elf *elf, const void *file, size_t len, struct gw_error *err)
{
	struct file f = {file, len, false};
	size_t size;
	uint64_t table;
	uint16_t n;

	*elf = (struct gw_pvh_elf){0};
	if (check_ident(&f, err) < 0)
		return -1;
	size = f.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	table = f.wide ? gw_get_le64(f.bytes + offsetof(Elf64_Ehdr, e_phoff))
		       : gw_get_le32(f.bytes + offsetof(Elf32_Ehdr, e_phoff));
	n = gw_get_le16(f.bytes +
			(f.wide ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum)));
	if (!inside(&f, table, (uint64_t)n * size))
		return gw_fail(
			err, GW_INVALID,
			"the program headers of the guest's ELF file extend beyond the file");
	for (uint16_t i = 0; i < n; i++) {
		struct header h;
		int rc = 0;

		read_header(&f, table + (uint64_t)i * size, &h);
		if (h.type == PT_LOAD)
			rc = take_segment(elf, &f, &h, err);
		else if (h.type == PT_NOTE)
			rc = take_notes(elf, &f, &h, err);
		if (rc < 0)
			return -1;
	}
	if (!elf->nr_segments || !(elf->has_entry32 || elf->has_entry64))
		return gw_fail(err, GW_INVALID,
			       "the guest's ELF file has no PVH entry (note \"Xen\", type %d)",
			       NOTE_XEN_PHYS32_ENTRY);
	return 0;
}
