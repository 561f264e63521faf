/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory and registers of a stream of QEMU: pages at their guest-physical addresses, and the
 * registers of the CPU sections.
 */
#include "examine/export/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <godwit/guest.h>

#include "base/util.h"
#include "format/qemu/machine.h"

#define ABOVE_4G (UINT64_C(4) << 30)
/* Memory of this size lies in one piece on every PC. */
#define SURELY_BELOW (UINT64_C(2) << 30)
#define EFER_LMA     UINT64_C(0x400) /* long mode is active */

/* With the first page it is known which block is the memory, and where it is expected to lie. */
static int begin(struct gw_export_savevm *x, struct gw_error *err)
{
	const struct gw_savevm_block *memory = gw_pc_memory(&x->stream.ram);

	if (x->memory_name[0] || !memory)
		return 0;
	snprintf(x->memory_name, sizeof(x->memory_name), "%s", memory->name);
	x->length = memory->length;
	if (x->stream.ram.page_bits != GW_PAGE_SHIFT)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the pages of this machine have %u bytes: only the memory of PCs can be exported",
			1u << x->stream.ram.page_bits);
	if (gw_pc_below_4g(x->stream.configuration.machine, x->length, &x->below))
		return 0;
	/* The machine is not known; what the RTC says is compared at the end. */
	x->below = x->length;
	if (x->length <= SURELY_BELOW)
		return 0;
	return gw_fail(err, GW_UNSUPPORTED,
		       "where the 0x%" PRIx64
		       " bytes of RAM block \"%s\" lie is not known for machine type \"%s\"",
		       x->length, x->memory_name, x->stream.configuration.machine);
}

static uint64_t pfn_of(const struct gw_export_savevm *x, uint64_t offset)
{
	return (offset < x->below ? offset : offset - x->below + ABOVE_4G) >> GW_PAGE_SHIFT;
}

static int apply_delta(struct gw_export_savevm *x, const struct gw_savevm_ram_item *item,
		       uint64_t pfn, struct gw_error *err)
{
	uint8_t page[GW_PAGE_SIZE];

	if (gw_export_memory_get(x->memory, pfn, page, err) < 0)
		return -1;
	if (!gw_savevm_delta_apply(item->data, item->len, page, sizeof(page)))
		return gw_fail(err, GW_INVALID,
			       "RAM block \"%s\", page at 0x%" PRIx64
			       ": its changes (XBZRLE) cannot be applied",
			       item->block->name, item->offset);
	return gw_export_memory_add(x->memory, pfn, GW_PAGE_NOTAB, page, err);
}

static int uncompress_page(struct gw_export_savevm *x, const struct gw_savevm_ram_item *item,
			   uint64_t pfn, struct gw_error *err)
{
	uint8_t page[GW_PAGE_SIZE];
	uLongf len = sizeof(page);

	if (uncompress(page, &len, item->data, item->len) != Z_OK || len != sizeof(page))
		return gw_fail(err, GW_INVALID,
			       "RAM block \"%s\", page at 0x%" PRIx64 ": it cannot be decompressed",
			       item->block->name, item->offset);
	return gw_export_memory_add(x->memory, pfn, GW_PAGE_NOTAB, page, err);
}

int gw_export_savevm_page(struct gw_export_savevm *x, const struct gw_savevm_ram_item *item,
			  struct gw_error *err)
{
	uint64_t pfn;

	if (begin(x, err) < 0)
		return -1;
	if (strcmp(item->block->name, x->memory_name) != 0)
		return 0;
	pfn = pfn_of(x, item->offset);
	switch (item->kind) {
	case GW_SAVEVM_ITEM_DELTA:
		return apply_delta(x, item, pfn, err);
	case GW_SAVEVM_ITEM_COMPRESSED:
		return uncompress_page(x, item, pfn, err);
	default:
		return gw_export_memory_add(x->memory, pfn, GW_PAGE_NOTAB, item->data, err);
	}
}

/* The memory's place was taken from the machine type: the RTC has to say the same. */
static int check_place(const struct gw_export_savevm *x, const struct gw_log *log,
		       struct gw_error *err)
{
	uint64_t below;

	if (!gw_pc_below_4g_by_rtc(&x->stream, x->length, &below)) {
		if (x->length > SURELY_BELOW)
			gw_logf(log, GW_LOG_WARNING,
				"the fields of the RTC are not known: that 0x%" PRIx64
				" bytes of the memory lie below 4 GiB follows from the machine type alone",
				x->below);
		return 0;
	}
	if (below == x->below)
		return 0;
	return gw_fail(err, GW_UNSUPPORTED,
		       "the RTC says that 0x%" PRIx64
		       " bytes of the memory lie below 4 GiB, the machine type \"%s\" "
		       "says 0x%" PRIx64,
		       below, x->stream.configuration.machine, x->below);
}

static uint64_t field(const struct gw_savevm_section *cpu, const char *path)
{
	struct gw_savevm_value value;
	bool is_signed;

	if (!gw_savevm_field_get(cpu, path, &value) ||
	    !gw_savevm_number_size(value.type, value.size))
		return 0;
	return gw_savevm_number(&value, &is_signed);
}

static void take_registers(const struct gw_savevm_section *cpu, struct gw_core_vcpu *vcpu)
{
	/* The order of CPUX86State.regs and segs. */
	static const uint8_t regs[] = {GW_CORE_RAX, GW_CORE_RCX, GW_CORE_RDX, GW_CORE_RBX,
				       GW_CORE_RSP, GW_CORE_RBP, GW_CORE_RSI, GW_CORE_RDI,
				       GW_CORE_R8,  GW_CORE_R9,	 GW_CORE_R10, GW_CORE_R11,
				       GW_CORE_R12, GW_CORE_R13, GW_CORE_R14, GW_CORE_R15};
	static const uint8_t segments[] = {GW_CORE_ES, GW_CORE_CS, GW_CORE_SS,
					   GW_CORE_DS, GW_CORE_FS, GW_CORE_GS};
	char path[40];

	for (size_t i = 0; i < GW_ARRAY_SIZE(regs); i++) {
		snprintf(path, sizeof(path), "env.regs[%zu]", i);
		vcpu->reg[regs[i]] = field(cpu, path);
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(segments); i++) {
		snprintf(path, sizeof(path), "env.segs[%zu].selector", i);
		vcpu->reg[segments[i]] = field(cpu, path);
	}
	vcpu->reg[GW_CORE_FS_BASE] = field(cpu, "env.segs[4].base");
	vcpu->reg[GW_CORE_GS_BASE] = field(cpu, "env.segs[5].base");
	vcpu->reg[GW_CORE_RIP] = field(cpu, "env.eip");
	vcpu->reg[GW_CORE_RFLAGS] = field(cpu, "env.eflags");
	vcpu->reg[GW_CORE_ORIG_RAX] = UINT64_MAX; /* in no system call */
	vcpu->wide = field(cpu, "env.efer") & EFER_LMA;
}

static int take_vcpus(const struct gw_export_savevm *x, struct gw_export_vcpus *vcpus,
		      const struct gw_log *log, struct gw_error *err)
{
	for (size_t i = 0; i < x->stream.nr_sections; i++) {
		const struct gw_savevm_section *s = &x->stream.sections[i];
		struct gw_core_vcpu vcpu = {.id = s->head.instance};

		if (strcmp(s->head.name, "cpu") != 0)
			continue;
		if (!s->layout) {
			gw_logf(log, GW_LOG_WARNING,
				"the fields of vCPU %" PRIu32 " are not known: the core lacks it",
				vcpu.id);
			continue;
		}
		take_registers(s, &vcpu);
		if (gw_buffer_append(&vcpus->list, &vcpu, sizeof(vcpu), err) < 0)
			return -1;
	}
	return 0;
}

/* Pages that the bitmap of a mapped block leaves out are zero. */
static int add_missing(const struct gw_export_savevm *x, const struct gw_log *log,
		       struct gw_error *err)
{
	const struct gw_savevm_block *memory = gw_pc_memory(&x->stream.ram);
	uint64_t came = memory->pages + memory->zeros + memory->deltas + memory->compressed;

	/* A length that no words confirm is not believed. */
	if (!memory->is_mapped && came < x->length >> GW_PAGE_SHIFT) {
		gw_logf(log, GW_LOG_WARNING,
			"RAM block \"%s\" has %" PRIu64 " pages, and the stream has %" PRIu64
			" of them: the rest is left out",
			x->memory_name, x->length >> GW_PAGE_SHIFT, came);
		return 0;
	}
	for (uint64_t offset = 0; offset < x->length; offset += GW_PAGE_SIZE) {
		uint64_t pfn = pfn_of(x, offset);

		if (gw_memory_map_type(&x->memory->map, pfn) < 0 &&
		    gw_export_memory_add(x->memory, pfn, GW_PAGE_NOTAB, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* Names what is not in the result. */
static void name_others(const struct gw_export_savevm *x, const struct gw_log *log)
{
	char names[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < x->stream.ram.nr_blocks; i++) {
		const char *name = x->stream.ram.blocks[i].name;

		if (strcmp(name, x->memory_name) != 0 && used + 3 < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", name);
	}
	if (used)
		gw_logf(log, GW_LOG_INFO,
			"left out, because the stream does not say where they lie: %s", names);
}

int gw_export_savevm_finish(struct gw_export_savevm *x, struct gw_export_vcpus *vcpus,
			    const struct gw_log *log, struct gw_error *err)
{
	if (begin(x, err) < 0)
		return -1;
	if (!x->length)
		return gw_fail(err, GW_UNSUPPORTED, "the stream has no memory");
	if (x->stream.ram.ignore_shared && gw_memory_map_type(&x->memory->map, 0) < 0)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"RAM block \"%s\" is not in the stream: it was shared and left out (x-ignore-shared)",
			x->memory_name);
	if (check_place(x, log, err) < 0 || add_missing(x, log, err) < 0)
		return -1;
	name_others(x, log);
	return x->want_vcpus ? take_vcpus(x, vcpus, log, err) : 0;
}
