/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ELF around exported memory: header in front, notes and program headers behind, so that the
 * memory can be written before it is known what there is of it.
 */
#include "examine/export/internal.h"

#include <elf.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/bytes.h"
#include "base/util.h"
#include "channel/offset_io.h"

/* struct elf_prstatus of Linux, for x86-64 and for i386. */
#define PRSTATUS64_SIZE 336u
#define PRSTATUS64_PID	32u
#define PRSTATUS64_REGS 112u
#define PRSTATUS32_SIZE 144u
#define PRSTATUS32_PID	24u
#define PRSTATUS32_REGS 72u

/* The registers of i386 in the order of its user_regs_struct. */
static const uint8_t regs32[] = {
	GW_CORE_RBX, GW_CORE_RCX, GW_CORE_RDX,	  GW_CORE_RSI, GW_CORE_RDI, GW_CORE_RBP,
	GW_CORE_RAX, GW_CORE_DS,  GW_CORE_ES,	  GW_CORE_FS,  GW_CORE_GS,  GW_CORE_ORIG_RAX,
	GW_CORE_RIP, GW_CORE_CS,  GW_CORE_RFLAGS, GW_CORE_RSP, GW_CORE_SS,
};

struct core {
	bool wide; /* ELF64 */
	struct gw_buffer notes, headers;
	size_t segments; /* from PN_XNUM on in a section header: "extended numbering" of elf(5) */
	uint64_t first, pfns; /* a run of populated pfns that is not in headers yet; pfns 0: none */
	struct gw_error *err;
	bool failed;
};

static void put_prstatus(const struct core *c, const struct gw_core_vcpu *vcpu, uint8_t *raw)
{
	if (c->wide) {
		gw_put_le32(raw + PRSTATUS64_PID, vcpu->id + 1);
		for (size_t i = 0; i < GW_CORE_NR_REGS; i++)
			gw_put_le64(raw + PRSTATUS64_REGS + 8 * i, vcpu->reg[i]);
		return;
	}
	gw_put_le32(raw + PRSTATUS32_PID, vcpu->id + 1);
	for (size_t i = 0; i < sizeof(regs32); i++)
		gw_put_le32(raw + PRSTATUS32_REGS + 4 * i, (uint32_t)vcpu->reg[regs32[i]]);
}

static int add_note(struct core *c, const struct gw_core_vcpu *vcpu, struct gw_error *err)
{
	static const char name[8] = "CORE";
	uint32_t size = c->wide ? PRSTATUS64_SIZE : PRSTATUS32_SIZE;
	uint8_t raw[12 + sizeof(name) + PRSTATUS64_SIZE] = {0};

	gw_put_le32(raw, 5); /* of the name, with its terminator */
	gw_put_le32(raw + 4, size);
	gw_put_le32(raw + 8, NT_PRSTATUS);
	memcpy(raw + 12, name, sizeof(name));
	put_prstatus(c, vcpu, raw + 12 + sizeof(name));
	return gw_buffer_append(&c->notes, raw, 12 + sizeof(name) + size, err);
}

struct segment {
	uint32_t type, flags;
	uint64_t offset, address, size, align;
};

static int add_header(struct core *c, const struct segment *s, struct gw_error *err)
{
	uint64_t in_memory = s->type == PT_LOAD ? s->size : 0;
	uint8_t raw[sizeof(Elf64_Phdr)];

	gw_put_le32(raw, s->type);
	if (c->wide) {
		gw_put_le32(raw + 4, s->flags);
		gw_put_le64(raw + 8, s->offset);
		gw_put_le64(raw + 16, s->address);
		gw_put_le64(raw + 24, s->address);
		gw_put_le64(raw + 32, s->size);
		gw_put_le64(raw + 40, in_memory);
		gw_put_le64(raw + 48, s->align);
	} else {
		gw_put_le32(raw + 4, (uint32_t)s->offset);
		gw_put_le32(raw + 8, (uint32_t)s->address);
		gw_put_le32(raw + 12, (uint32_t)s->address);
		gw_put_le32(raw + 16, (uint32_t)s->size);
		gw_put_le32(raw + 20, (uint32_t)in_memory);
		gw_put_le32(raw + 24, s->flags);
		gw_put_le32(raw + 28, (uint32_t)s->align);
	}
	c->segments++;
	return gw_buffer_append(&c->headers, raw, c->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr),
				err);
}

static int end_run(struct core *c)
{
	const struct segment s = {
		.type = PT_LOAD,
		.flags = PF_R | PF_W | PF_X,
		.offset = GW_CORE_MEMORY_START + c->first * GW_PAGE_SIZE,
		.address = c->first * GW_PAGE_SIZE,
		.size = c->pfns * GW_PAGE_SIZE,
		.align = GW_PAGE_SIZE,
	};

	if (!c->pfns)
		return 0;
	c->pfns = 0;
	return add_header(c, &s, c->err);
}

static bool add_run(void *opaque, const struct gw_map_run *run)
{
	struct core *c = opaque;

	if (!gw_page_is_populated(run->type))
		return true;
	if (c->pfns && c->first + c->pfns != run->first && end_run(c) < 0) {
		c->failed = true;
		return false;
	}
	if (!c->pfns)
		c->first = run->first;
	c->pfns += run->last - run->first + 1;
	return true;
}

static bool is_extended(const struct core *c)
{
	return c->segments >= PN_XNUM;
}

static size_t section_size(const struct core *c)
{
	return c->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
}

static void encode_header(const struct core *c, uint64_t headers_at, uint8_t *raw)
{
	static const uint8_t ident[EI_NIDENT] = {ELFMAG0,    ELFMAG1,	  ELFMAG2,   ELFMAG3,
						 ELFCLASS32, ELFDATA2LSB, EV_CURRENT};
	uint8_t *sizes = raw + (c->wide ? 48 : 36); /* e_flags, and what follows it */

	memcpy(raw, ident, sizeof(ident));
	raw[EI_CLASS] = c->wide ? ELFCLASS64 : ELFCLASS32;
	gw_put_le16(raw + 16, ET_CORE);
	gw_put_le16(raw + 18, c->wide ? EM_X86_64 : EM_386);
	gw_put_le32(raw + 20, EV_CURRENT);
	if (c->wide)
		gw_put_le64(raw + 32, headers_at);
	else
		gw_put_le32(raw + 28, (uint32_t)headers_at);
	gw_put_le16(sizes + 4, c->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	gw_put_le16(sizes + 6, c->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	gw_put_le16(sizes + 8, (uint16_t)GW_MIN(c->segments, (size_t)PN_XNUM));
	if (!is_extended(c))
		return;
	if (c->wide)
		gw_put_le64(raw + 40, headers_at + c->headers.len);
	else
		gw_put_le32(raw + 32, (uint32_t)(headers_at + c->headers.len));
	gw_put_le16(sizes + 10, (uint16_t)section_size(c));
	gw_put_le16(sizes + 12, 1);
}

/* After the program headers: the first section, whose sh_info is their number. */
static int add_section(struct core *c, struct gw_error *err)
{
	uint8_t raw[sizeof(Elf64_Shdr)] = {0};

	gw_put_le32(raw + (c->wide ? 44 : 28), (uint32_t)c->segments);
	return gw_buffer_append(&c->headers, raw, section_size(c), err);
}

static int build(struct core *c, const struct gw_memory_map *map,
		 const struct gw_export_vcpus *vcpus, uint64_t notes_at, struct gw_error *err)
{
	struct segment s = {.type = PT_NOTE, .offset = notes_at, .align = 4};

	for (size_t i = 0; i < gw_export_nr_vcpus(vcpus); i++) {
		if (add_note(c, gw_export_vcpu(vcpus, i), err) < 0)
			return -1;
	}
	s.size = c->notes.len;
	if (add_header(c, &s, err) < 0 || gw_memory_map_runs(map, add_run, c, err) < 0)
		return -1;
	return c->failed || end_run(c) < 0 ? -1 : 0;
}

/* ELF32 has room for nothing behind 4 GiB. */
static bool needs_wide(const struct gw_export_vcpus *vcpus, uint64_t memory_end)
{
	/* More than any notes and headers take: between two runs is a page that is in none. */
	uint64_t segments = memory_end / (2 * GW_PAGE_SIZE) + 4;

	if (memory_end + gw_export_nr_vcpus(vcpus) * 256 + segments * sizeof(Elf32_Phdr) >=
	    UINT32_MAX)
		return true;
	for (size_t i = 0; i < gw_export_nr_vcpus(vcpus); i++) {
		if (gw_export_vcpu(vcpus, i)->wide)
			return true;
	}
	return false;
}

int gw_export_core(int fd, const struct gw_memory_map *map, const struct gw_export_vcpus *vcpus,
		   uint64_t *end, struct gw_error *err)
{
	struct core c = {.wide = needs_wide(vcpus, *end), .err = err};
	uint8_t header[sizeof(Elf64_Ehdr)] = {0};
	int rc = build(&c, map, vcpus, *end, err);
	/* Notes are a multiple of 4 long; the headers want 8. */
	uint64_t headers_at = (*end + c.notes.len + 7) / 8 * 8;

	if (rc == 0) {
		encode_header(&c, headers_at, header);
		if (is_extended(&c))
			rc = add_section(&c, err);
	}
	if (rc == 0) {
		rc = gw_pwrite_all(fd, *end, c.notes.data, c.notes.len, GW_EXPORT_OUTPUT, err);
	}
	if (rc == 0)
		rc = gw_pwrite_all(fd, headers_at, c.headers.data, c.headers.len, GW_EXPORT_OUTPUT,
				   err);
	if (rc == 0)
		rc = gw_pwrite_all(fd, 0, header, sizeof(header), GW_EXPORT_OUTPUT, err);
	*end = headers_at + c.headers.len;
	gw_buffer_free(&c.notes);
	gw_buffer_free(&c.headers);
	return rc;
}
