/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit run: starts a new domain in this process or in a background process.
 */
#include "cli/connect.h"
#include "cli/domain.h"

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_domain_verb dv = GW_DOMAIN_VERB_INIT(cli);
	struct gw_process_boot boot = {
		.kernel = gw_args_positional(args, 0),
		.memory = gw_args_number(args, "memory", UINT64_C(64) << 20),
		.cmdline = gw_args_text(args, "cmdline"),
		.cpu = gw_args_text(args, "cpu"),
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_process_args pa;
	struct gw_process *p;
	int status;

	if (gw_connect_is(cli, "memory"))
		return gw_cli_error(
			cli, GW_EXIT_USAGE,
			"memory: only holds domains: no guest would run there, and this one has nothing to hold yet");
	dv.own_log = gw_args_flag(args, "detach") > 0;
	if (dv.own_log && gw_background_split(cli, &dv.bg, &status))
		return status;
	gw_domain_verb_args(&dv, gw_args_text(args, "name"), gw_args_flag(args, "paused") > 0,
			    !dv.own_log, &pa);
	pa.console_raw = gw_args_flag(args, "raw") > 0;
	p = gw_process_new(&pa, &err);
	if (!p || gw_process_boot(p, &boot, &err) < 0) {
		gw_process_free(p);
		return gw_cli_fail(cli, &err);
	}
	return gw_domain_verb_run(&dv, p);
}

const struct gw_verb gw_verb_run = {
	.name = "run",
	.group = GW_GROUP_DOMAINS,
	.summary = "start a domain from a kernel",
	.description =
		"Starts a domain on the built-in machine from GUEST, an ELF kernel with a PVH entry "
		"point. Console output goes to standard output, and the command ends when the domain "
		"does. The exit status is 0 if the guest powered off or the domain was destroyed, saved "
		"or migrated, and 3 if it crashed.\n\n"
		"The process is the domain: Ctrl-C, SIGTERM and SIGHUP destroy it, except during a "
		"handover to another host.\n\n"
		"The CPU model decides which hosts can take the guest later. portable has what every "
		"x86-64 processor has and as few CPUID leaves as possible, so Xen 4.14 to 4.21 take it on "
		"any AMD or Intel host. Xen 4.22 takes a guest only on a host of the same CPU vendor: portable "
		"and amd name AMD, portable-intel and intel name Intel. amd and intel have what the "
		"machine implements of a recent processor. host has everything that the built-in machine "
		"accepts, also what it does not implement (x2apic, umip, nx, syscall, CPUID faulting), "
		"and leaves up to 0xd and 0x80000021: Xen 4.14 to 4.17 take it only where the processor "
		"has them.",
	.options =
		(const struct gw_option[]){
			{"name", 'n', GW_KIND_TEXT, "NAME",
			 "the domain's name; unless given, the file's name, with a number if that is in use"},
			{"memory", 'm', GW_KIND_SIZE, "SIZE",
			 "memory of the domain; 64M unless given", .min = 1 << 20,
			 .max = UINT64_C(1) << 40},
			{"cmdline", 0, GW_KIND_TEXT, "TEXT", "the kernel's command line"},
			{"cpu", 0, GW_KIND_LIST, "MODEL,...",
			 "the CPU that the guest sees: portable (default), portable-intel, amd, intel or host, then +NAME and -NAME for single features",
			 .choices = "portable|portable-intel|amd|intel|host"},
			{"detach", 'd', GW_KIND_FLAG,
			 .help = "go to the background when the domain runs, and print its name"},
			{"paused", 0, GW_KIND_FLAG,
			 .help = "leave the domain paused until \"godwit resume\""},
			GW_OPTION_RAW,
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"GUEST", GW_KIND_FILE, "the kernel"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit run -d --name g1 --memory 128M kernel.elf",
			 "Starts g1 in the background."},
			{"godwit run --cpu portable-intel,+sse4_2 kernel.elf",
			 "Starts a guest that Xen takes on Intel hosts with SSE 4.2."},
			{0},
		},
	.connects = GW_CONNECTS_CREATES,
	.run = run,
};
