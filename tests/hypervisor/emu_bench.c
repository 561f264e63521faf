/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helpers for the tests of the built-in machine.
 */
#include "emu_bench.h"

#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/machine/machine.h"
#include "hypervisor/pvh/boot.h"

bool bench_on_kvm(void)
{
	const char *machine = getenv("GODWIT_TEST_MACHINE");

	return machine && strcmp(machine, "kvm") == 0;
}

static struct gw_host *open_host(const char *machine, const char *query, struct gw_error *err)
{
	char uri[256];

	snprintf(uri, sizeof(uri), "%s:%s%s", machine, *query ? "?" : "", query);
	return gw_host_open(uri, err);
}

static const char *machine(void)
{
	return bench_on_kvm() ? "kvm" : "emu";
}

void bench_require(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = open_host(machine(), "", &err);
	struct gw_domain_config config = {
		.name = "probe", .type = GW_GUEST_X86_HVM, .max_pages = 16, .vcpus = 1};
	struct gw_domain *d = host ? gw_host_create(host, &config, &err) : NULL;

	if (!d) {
		printf("skipped: %s\n", err.text);
		exit(77);
	}
	gw_control_destroy(d->control);
	gw_host_close(host);
}

void *bench_guest_file(const char *width, size_t *len)
{
	const char *dir = getenv("GODWIT_GUESTS");
	char path[512];
	FILE *f;
	void *bytes = malloc(1 << 20);

	snprintf(path, sizeof(path), "%s/godwit-guest%s.elf", dir ? dir : ".", width);
	f = fopen(path, "rb");
	if (!f) {
		printf("skipped: no %s\n", path);
		exit(77);
	}
	*len = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	return bytes;
}

static void take(void *opaque, const char *bytes, size_t len)
{
	struct guest *g = opaque;

	pthread_mutex_lock(&g->lock);
	len = GW_MIN(len, sizeof(g->text) - 1 - g->len);
	memcpy(g->text + g->len, bytes, len);
	g->len += len;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
}

struct guest *guest_new(const char *query, uint64_t max_pfns)
{
	return guest_new_on(machine(), query, max_pfns);
}

struct guest *guest_new_on(const char *machine, const char *query, uint64_t max_pfns)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_config config = {
		.name = "test", .type = GW_GUEST_X86_HVM, .max_pages = max_pfns, .vcpus = 1};
	struct guest *g = calloc(1, sizeof(*g));

	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->cond, NULL);
	g->host = open_host(machine, query, &err);
	if (!g->host)
		fail_msg("%s", err.text);
	g->d = gw_host_create(g->host, &config, &err);
	if (!g->d)
		fail_msg("%s", err.text);
	gw_control_set_events(g->d->control,
			      &(struct gw_control_events){.console = take, .opaque = g});
	return g;
}

struct guest *guest_boot(const char *query, const char *width, const char *cmdline,
			 uint64_t mem_pages)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new(query, mem_pages + GW_PVH_EXTRA_PAGES);
	size_t len;
	void *elf = bench_guest_file(width, &len);
	char line[512];

	/* The guest takes the first of two options. A KVM without hardware, which emulates each
	 * instruction, takes seconds for a million of them. */
	snprintf(line, sizeof(line), "%s%s",
		 bench_on_kvm() ? "light=1 rate=1 check=1 period=4 " : "", cmdline);
	assert_ok(gw_pvh_boot(g->d, elf, len, line, mem_pages, &err), &err);
	free(elf);
	return g;
}

void guest_free(struct guest *g)
{
	gw_control_destroy(g->d->control);
	gw_host_close(g->host);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->cond);
	free(g);
}

void guest_pause(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_pause(g->d->control, &err), &err);
}

void guest_unpause(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_unpause(g->d->control, &err), &err);
}

size_t guest_wait(struct guest *g, size_t from, const char *text)
{
	struct timespec until;
	char *at;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += bench_on_kvm() ? 60 : 10;
	pthread_mutex_lock(&g->lock);
	while (!(at = strstr(g->text + from, text)))
		if (pthread_cond_timedwait(&g->cond, &g->lock, &until))
			break;
	pthread_mutex_unlock(&g->lock);
	if (!at)
		fail_msg("no \"%s\" on the console:\n%s\n%s", text, g->text + from,
			 gw_control_crash_text(g->d->control));
	return (size_t)(at - g->text) + strlen(text);
}

size_t guest_console_len(struct guest *g)
{
	size_t len;

	pthread_mutex_lock(&g->lock);
	len = g->len;
	pthread_mutex_unlock(&g->lock);
	return len;
}

void *guest_page(struct guest *g, uint64_t gfn)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	void *page;

	assert_ok(gw_domain_map(g->d, 1, &gfn, false, &page, &mapping, &err), &err);
	gw_domain_unmap(g->d, &mapping);
	return page;
}

void guest_write(struct guest *g, uint64_t gfn, size_t offset, const void *bytes, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping mapping;
	uint8_t *page;

	assert_ok(gw_domain_map(g->d, 1, &gfn, true, (void **)&page, &mapping, &err), &err);
	memcpy(page + offset, bytes, len);
	gw_domain_unmap(g->d, &mapping);
}

static void copy_memory(struct gw_domain *to, struct gw_domain *from)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_mapping a, b;
	uint64_t nr, same;
	uint8_t type;
	void *src, *dst;

	assert_ok(gw_domain_nr_pfns(from, &nr, &err), &err);
	for (uint64_t gfn = 0; gfn < nr; gfn++) {
		assert_ok(gw_domain_page_types(from, 1, &gfn, &type, &err), &err);
		if (type != GW_PAGE_NOTAB)
			continue;
		assert_ok(gw_domain_populate(to, 1, &gfn, &same, &err), &err);
		assert_ok(gw_domain_map(from, 1, &gfn, false, &src, &a, &err), &err);
		assert_ok(gw_domain_map(to, 1, &gfn, true, &dst, &b, &err), &err);
		memcpy(dst, src, GW_PAGE_SIZE);
		gw_domain_unmap(from, &a);
		gw_domain_unmap(to, &b);
	}
}

static void copy_rest(struct gw_domain *to, struct gw_domain *from)
{
	static const char *const extras[] = {GW_EXTRA_XENABI, GW_EXTRA_KVM};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy policy = {0};
	struct gw_tsc_info tsc;
	uint64_t value;
	void *blob;
	size_t len;

	assert_ok(gw_domain_get_policy(from, &policy, &err), &err);
	assert_ok(gw_domain_set_policy(to, &policy, &err), &err);
	gw_policy_free(&policy);
	assert_ok(gw_domain_get_tsc(from, &tsc, &err), &err);
	assert_ok(gw_domain_set_tsc(to, &tsc, &err), &err);
	for (size_t i = 0; i < GW_ARRAY_SIZE(gw_hvm_params_saved); i++) {
		assert_ok(gw_domain_get_param(from, gw_hvm_params_saved[i], &value, &err), &err);
		assert_ok(gw_domain_set_param(to, gw_hvm_params_saved[i], value, &err), &err);
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(extras); i++) {
		assert_ok(gw_domain_get_extra(from, extras[i], &blob, &len, &err), &err);
		if (len)
			assert_ok(gw_domain_set_extra(to, extras[i], blob, len, &err), &err);
		free(blob);
	}
	assert_ok(gw_domain_get_context(from, &blob, &len, &err), &err);
	assert_ok(gw_domain_set_context(to, blob, len, &err), &err);
	free(blob);
}

struct guest *guest_copy(struct guest *from, const char *query)
{
	return guest_copy_to(from, machine(), query);
}

struct guest *guest_copy_to(struct guest *from, const char *machine, const char *query)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_info info;
	struct guest *to;

	assert_ok(gw_domain_info(from->d, &info, &err), &err);
	to = guest_new_on(machine, query, info.nr_pages);
	copy_memory(to->d, from->d);
	copy_rest(to->d, from->d);
	assert_ok(gw_control_restored(to->d->control, &err), &err);
	return to;
}

#define RAW_CODE 0x100000u

void guest_cpu(struct guest *g, struct gw_hvm_cpu *cpu)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_entry entry;
	void *blob;
	size_t len;

	assert_ok(gw_domain_get_context(g->d, &blob, &len, &err), &err);
	assert_int_equal(gw_hvm_find(blob, len, GW_HVM_CPU, 0, &entry, &err), 1);
	assert_ok(gw_hvm_cpu_decode(&entry, cpu, &err), &err);
	free(blob);
}

void guest_set_cpu(struct guest *g, const struct gw_hvm_cpu *cpu)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
				       .version = GW_HVM_HEADER_VERSION};
	uint8_t raw_header[GW_HVM_HEADER_SIZE], raw[GW_HVM_CPU_SIZE];
	struct gw_buffer blob = {0};

	gw_hvm_header_encode(raw_header, &header);
	gw_hvm_cpu_encode(raw, cpu);
	assert_ok(
		gw_hvm_entry_append(&blob, GW_HVM_HEADER, 0, raw_header, sizeof(raw_header), &err),
		&err);
	assert_ok(gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, raw, sizeof(raw), &err), &err);
	assert_ok(gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, &err), &err);
	assert_ok(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err);
	gw_buffer_free(&blob);
}

void guest_set_entry(struct guest *g, uint32_t eip)
{
	struct gw_hvm_cpu cpu = {
		.rip = eip, .rflags = 2, .cr0 = 0x11, .dr6 = 0xffff0ff0, .dr7 = 0x400};

	for (int i = GW_HVM_CS; i <= GW_HVM_SS; i++)
		cpu.seg[i] = (struct gw_hvm_segment){.limit = UINT32_MAX, .ar = 0xc93};
	cpu.seg[GW_HVM_CS].ar = 0xc9b;
	cpu.gpr[GW_HVM_RSP] = RAW_CODE;
	guest_set_cpu(g, &cpu);
}

/* Replaces each VMMCALL by the instruction with which the machine is called. */
static void own_hypercalls(struct guest *g, uint8_t *code, size_t len)
{
	const struct gw_machine_ops *ops = gw_machine_of(g->d)->ops;
	uint8_t *at = code;

	while ((at = memmem(at, (size_t)(code + len - at), "\x0f\x01\xd9", 3))) {
		memcpy(at, ops->hypercall_insn, sizeof(ops->hypercall_insn));
		at += sizeof(ops->hypercall_insn);
	}
}

struct guest *guest_raw(const char *query, const void *code, size_t len, uint64_t mem_pages)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new(query, mem_pages);
	uint64_t gfn, same;

	for (gfn = 0; gfn < mem_pages; gfn++)
		assert_ok(gw_domain_populate(g->d, 1, &gfn, &same, &err), &err);
	uint8_t *own = malloc(len);

	memcpy(own, code, len);
	own_hypercalls(g, own, len);
	guest_write(g, RAW_CODE / GW_PAGE_SIZE, 0, own, len);
	free(own);
	guest_set_entry(g, RAW_CODE);
	return g;
}

void guest_wait_halted(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_info info;
	struct gw_hvm_cpu cpu, again;

	for (int i = 0; i < 5000; i++) {
		guest_pause(g);
		assert_ok(gw_domain_info(g->d, &info, &err), &err);
		guest_cpu(g, &cpu);
		if (info.shutdown != GW_SHUTDOWN_NONE)
			return;
		guest_unpause(g);
		usleep(2000);
		guest_pause(g);
		guest_cpu(g, &again);
		/* Halted, if it did not move and its last instruction was HLT. */
		if (cpu.rip == again.rip &&
		    ((uint8_t *)guest_page(
			    g, (cpu.rip - 1) / GW_PAGE_SIZE))[(cpu.rip - 1) % GW_PAGE_SIZE] == 0xf4)
			return;
		guest_unpause(g);
	}
	fail_msg("the guest did not halt, rip is 0x%llx: %s", (unsigned long long)cpu.rip,
		 gw_control_crash_text(g->d->control));
}
