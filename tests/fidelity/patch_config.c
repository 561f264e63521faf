/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of the domain's config, which is JSON that libxl parses.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "fidelity/patch.h"

struct swap {
	const char *find, *put;
};

static const struct swap swaps[] = {
	{"\"type\": \"pv\"", "\"type\": \"hvm\""},
	{"\"type\": \"pv\"", "\"type\": \"pvh\""},
	{"\"type\": \"pvh\"", "\"type\": \"pv\""},
	{"\"type\": \"pvh\"", "\"type\": \"hvm\""},
	{"\"type\": \"hvm\"", "\"type\": \"pv\""},
	{"\"type\": \"hvm\"", "\"type\": \"pvh\""},
	{"\"type\": ", "\"type\": \"vm\", \"was\": "},
	{"\"type\": ", "\"tipe\": "},
	{"\"type.", "\"type.x"},
	{"\"type.pv\"", "\"type.pvh\""},
	{"\"type.pvh\"", "\"type.hvm\""},
	{"\"type.hvm\"", "\"type.pv\""},
	{"\"name\": \"", "\"name\": \"a/b"},
	{"\"name\": \"", "\"name\": \"-_. "},
	{"\"name\": \"", "\"name\": \"Domain-0"},
	{"\"name\": \"", "\"name\": null, \"x\": \""},
	{"\"name\": \"", "\"name\": 7, \"x\": \""},
	{"\"name\": \"", "\"nome\": \""},
	{"\"uuid\": \"", "\"uuid\": \"0"},
	{"\"uuid\": \"", "\"uuid\": null, \"x\": \""},
	{"\"uuid\": \"", "\"uuid\": 1, \"x\": \""},
	{"\"uuid\": \"", "\"uuid\": \"not one\", \"x\": \""},
	{"\"uuid\": \"", "\"uuid\": \"00000000-0000-0000-0000-000000000000\", \"x\": \""},
	{"\"uuid\": \"", "\"uid\": \""},
	{"\"run_hotplug_scripts\": \"False\"", "\"run_hotplug_scripts\": \"false\""},
	{"\"run_hotplug_scripts\": \"False\"", "\"run_hotplug_scripts\": false"},
	{"\"run_hotplug_scripts\": \"False\"", "\"run_hotplug_scripts\": 0"},
	{"\"run_hotplug_scripts\": \"False\"", "\"run_hotplug_scripts\": \"<default>\""},
	{"\"run_hotplug_scripts\": \"False\"", "\"driver_domain\": \"True\""},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 0"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 2"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 128"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 129"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 100000"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": -1"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": \"1\""},
	{"\"max_vcpus\": 1", "\"max_vcpus\": 1.0"},
	{"\"max_vcpus\": 1", "\"max_vcpus\": null"},
	{"\"max_vcpus\": 1,", ""},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": [1,"},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": [63,"},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": [\"0\","},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": [-1,"},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": [], \"x\": ["},
	{"\"avail_vcpus\": [", "\"avail_vcpus\": null, \"x\": ["},
	{"\"avail_vcpus\": [", "\"x\": ["},
	{"\"max_memkb\": ", "\"max_memkb\": 8"},
	{"\"max_memkb\": ", "\"max_memkb\": 0, \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": 4, \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": 1024, \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": -5, \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": 5e3, \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": \"4096\", \"x\": "},
	{"\"max_memkb\": ", "\"max_memkb\": null, \"x\": "},
	{"\"max_memkb\": ", "\"x\": "},
	{"\"target_memkb\": ", "\"target_memkb\": 0, \"x\": "},
	{"\"target_memkb\": ", "\"target_memkb\": 8, \"x\": "},
	{"\"target_memkb\": ", "\"target_memkb\": 65536, \"x\": "},
	{"\"target_memkb\": ", "\"target_memkb\": \"many\", \"x\": "},
	{"\"target_memkb\": ", "\"target_memkb\": -1, \"x\": "},
	{"\"target_memkb\": ", "\"x\": "},
	{"\"video_memkb\": 0", "\"video_memkb\": 1024"},
	{"\"video_memkb\": 0", "\"video_memkb\": -1"},
	{"\"video_memkb\": 0", "\"shadow_memkb\": 4096"},
	{"\"video_memkb\": 0", "\"shadow_memkb\": 8"},
	{"\"video_memkb\": 0", "\"rtc_timeoffset\": 4294967296"},
	{"\"video_memkb\": 0", "\"rtc_timeoffset\": 3600"},
	{"\"video_memkb\": 0", "\"nested_hvm\": \"True\""},
	{"\"video_memkb\": 0", "\"max_grant_frames\": 4"},
	{"\"video_memkb\": 0", "\"max_maptrack_frames\": 0"},
	{"\"video_memkb\": 0", "\"event_channels\": 127"},
	{"\"video_memkb\": 0", "\"event_channels\": 2"},
	{"\"video_memkb\": 0", "\"tsc_mode\": \"native\""},
	{"\"video_memkb\": 0", "\"tsc_mode\": \"always\""},
	{"\"video_memkb\": 0", "\"tsc_mode\": 1"},
	{"\"video_memkb\": 0", "\"vnuma_nodes\": []"},
	{"\"video_memkb\": 0", "\"vcpu_hard_affinity\": [[0]]"},
	{"\"video_memkb\": 0", "\"vcpu_hard_affinity\": [[0],[0],[0]]"},
	{"\"video_memkb\": 0", "\"apic\": \"False\""},
	{"\"video_memkb\": 0", "\"acpi\": \"False\""},
	{"\"video_memkb\": 0", "\"bootloader\": \"/none\""},
	{"\"sched\": \"credit2\"", "\"sched\": \"unknown\""},
	{"\"sched\": \"credit2\"", "\"sched\": \"fast\""},
	{"\"sched\": \"credit2\"", "\"sched\": 6"},
	{"\"sched\": \"credit2\"", "\"sched\": null"},
	{"\"weight\": 256", "\"weight\": 0"},
	{"\"weight\": 256", "\"weight\": 1"},
	{"\"weight\": 256", "\"weight\": 65535"},
	{"\"weight\": 256", "\"weight\": 65536"},
	{"\"weight\": 256", "\"weight\": -2"},
	{"\"weight\": 256", "\"weight\": \"x\""},
	{"\"cap\": 0", "\"cap\": 50"},
	{"\"cap\": 0", "\"cap\": 101"},
	{"\"cap\": 0", "\"cap\": -1"},
	{"\"claim_mode\": \"True\"", "\"claim_mode\": \"False\""},
	{"\"claim_mode\": \"True\"", "\"claim_mode\": \"Maybe\""},
	{"\"claim_mode\": \"True\"", "\"claim_mode\": true"},
	{"\"kernel\": \"", "\"kernel\": \"/nowhere"},
	{"\"kernel\": \"", "\"kernel\": 3, \"x\": \""},
	{"\"kernel\": \"", "\"x\": \""},
	{"\"arch_arm\": {", "\"arch_arm\": {\"gic_version\": \"v3\""},
	{"\"arch_arm\": {", "\"arch_arm\": {\"gic_version\": \"v9\""},
	{"\"arch_arm\": {", "\"arch_arm\": [], \"x\": {"},
	{"\"msr_relaxed\": \"False\"", "\"msr_relaxed\": \"True\""},
	{"\"msr_relaxed\": \"False\"", "\"msr_relaxed\": 2"},
	{"\"on_reboot\": \"restart\"", "\"on_reboot\": \"destroy\""},
	{"\"on_reboot\": \"restart\"", "\"on_reboot\": \"again\""},
	{"\"on_reboot\": \"restart\"", "\"on_reboot\": 3"},
	{"\"on_crash\": \"preserve\"", "\"on_crash\": null"},
	{"\"on_crash\": \"preserve\"", "\"on_crash\": [\"preserve\"]"},
	{"\"on_soft_reset\": \"soft_reset\"", "\"x\": {\"a\": [1, 2, {}]}"},
	{"\"on_soft_reset\"", "\"on_poweroff\""},
	{"\"c_info\": {", "\"c_info\": {\"ssidref\": 1,"},
	{"\"c_info\": {", "\"c_info\": {\"xsdata\": {\"a\": \"b\"},"},
	{"\"c_info\": {", "\"c_info\": {\"xsdata\": {\"a\": 1},"},
	{"\"c_info\": {", "\"c_info\": {\"platformdata\": {},"},
	{"\"c_info\": {", "\"c_info\": {\"hap\": \"False\","},
	{"\"c_info\": {", "\"c_info\": {\"oos\": \"False\","},
	{"\"c_info\": {", "\"c_info\": {\"pvh\": \"True\","},
	{"\"c_info\": {", "\"c_info\": {\"name\": \"twice\","},
	{"\"c_info\": {", "\"c_info\": {\"poolid\": 0,"},
	{"\"c_info\": {", "\"c_info\": {\"poolid\": \"0\","},
	{"\"c_info\": {", "\"c_info\": [], \"x\": {"},
	{"\"c_info\": {", "\"x\": {"},
	{"\"b_info\": {", "\"b_info\": null, \"x\": {"},
	{"\"b_info\": {", "\"x\": {"},
	{"\"b_info\": {", "\"b_info\": {\"max_vcpus\": 1,"},
	{"\"b_info\": {", "\"disks\": [], \"b_info\": {"},
	{"\"b_info\": {", "\"disks\": {}, \"b_info\": {"},
	{"\"b_info\": {", "\"nics\": [7], \"b_info\": {"},
	{"\"b_info\": {", "\"vtpms\": [], \"b_info\": {"},
	{"\"b_info\": {", "// no comment\n\"b_info\": {"},
	{"\"b_info\": {", "/* a comment */\"b_info\": {"},
	{"\"readwrite\": 1", "\"readwrite\": 0"},
	{"\"readwrite\": 1", "\"readwrite\": \"True\""},
	{"\"readwrite\": 1", "\"removable\": 1"},
	{"\"format\": \"raw\"", "\"format\": \"rau\""},
	{"\"format\": \"raw\"", "\"format\": null"},
	{"\"vdev\": \"hda\"", "\"vdev\": \"hdz\""},
	{"\"vdev\": \"hda\"", "\"vdev\": \"xvda\""},
	{"\"vdev\": \"hda\"", "\"vdev\": \"nonsense\""},
	{"\"vdev\": \"hda\",", ""},
	{"\"boot\": \"c\"", "\"boot\": \"dcn\""},
	{"\"boot\": \"c\"", "\"boot\": \"zz\""},
	{"\"usb\": \"False\"", "\"usb\": \"off\""},
	{"\"kind\": \"none\"", "\"kind\": \"some\""},
	{"\"kind\": \"none\"", "\"kind\": 3"},
	{"\"xen_platform_pci\": \"False\"", "\"xen_platform_pci\": \"<default>\""},
	{"\"xen_platform_pci\": \"False\"", "\"hdtype\": \"ide\""},
	{"\"xen_platform_pci\": \"False\"", "\"hdtype\": \"scsi\""},
	{"\"rdm\": {", "\"rdm\": {\"strategy\": \"host\""},
	{"\"spice\": {", "\"x\": {"},
	{"\"sdl\": {", "\"sdl\": 1, \"x\": {"},
	{"\n}", ""},
	{"\n}", "\n,}"},
	{"\n}", "\n}}"},
	{"\n}", "\n} x"},
	{"\n}", "\n}\n\n"},
	{"{", "["},
	{"{", " {"},
	{",", ",,"},
	{": ", " "},
	{"\"", "'"},
	{"\"restart\"", "\"re\\u0073tart\""},
	{"\"restart\"", "\"re\\qstart\""},
	{"\"restart\"", "\"restart"},
};

static void swap_text(struct patch *p, const struct swap *s)
{
	struct bytes *config = &p->img->config;
	size_t find = strlen(s->find);
	uint8_t *at = memmem(config->data, config->len, s->find, find);

	bytes_splice(config, (size_t)(at - config->data), find, s->put, strlen(s->put));
	say(p, "config: %.60s becomes %.60s", s->find, s->put);
	for (char *c = p->text; *c; c++)
		if (*c == '\n')
			*c = '~';
}

/* A random character of the text is another one. */
static void damage_text(struct patch *p)
{
	struct bytes *config = &p->img->config;
	size_t at = draw(p, (uint32_t)config->len);
	uint8_t old = config->data[at];

	while (isspace(config->data[at]))
		at = (at + 1) % config->len;
	old = config->data[at];
	config->data[at] = (uint8_t)(one_in(p, 8) ? draw(p, 256) : 33 + draw(p, 94));
	say(p, "config: byte %zu 0x%02x (%c) -> 0x%02x", at, old, old, config->data[at]);
}

void patch_config(struct patch *p)
{
	const struct swap *s;

	switch (draw(p, 12)) {
	case 0:
	case 1:
		damage_text(p);
		return;
	case 2:
		if (one_in(p, 2)) {
			bytes_resize(&p->img->config, draw(p, (uint32_t)p->img->config.len));
			say(p, "config: cut to %zu bytes", p->img->config.len);
		} else {
			p->img->optional_more = one_in(p, 2) ? 1 + draw(p, 16) : -(1 + draw(p, 16));
			say(p, "xl header: optional data claims %d bytes more",
			    (int)p->img->optional_more);
		}
		return;
	default:
		do
			s = swaps + draw(p, GW_ARRAY_SIZE(swaps));
		while (!memmem(p->img->config.data, p->img->config.len, s->find, strlen(s->find)));
		swap_text(p, s);
	}
}
