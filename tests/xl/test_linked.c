/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program written against libxenguest: it gets godwit's functions, and where no Xen runs they say
 * so. The test links it with libgodwit-xenguest, and with libxenguest under LD_PRELOAD.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenguest.h>

#define SKIPPED 77

static char said[1000];

static void keep(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
		 const char *context, const char *format, va_list al)
{
	if (level == XTL_ERROR)
		vsnprintf(said, sizeof(said), format, al);
}

static void nothing(struct xentoollog_logger *logger)
{
}

static int never(void *data)
{
	return 0;
}

static int check(int rc, int errnum, const char *what)
{
	static const char no_xen[] = "this machine does not run Xen";

	if (rc == -1 && errnum == EOPNOTSUPP && strstr(said, no_xen) && strstr(said, what))
		return 0;
	fprintf(stderr, "%s: %d, errno %d, \"%s\"\n", what, rc, errnum, said);
	return 1;
}

int main(void)
{
	static xentoollog_logger logger = {.vmessage = keep, .destroy = nothing};
	struct save_callbacks save = {.suspend = never};
	struct restore_callbacks restore = {.checkpoint = never};
	unsigned long store = 0, console = 0;
	xc_interface *xch = xc_interface_open(&logger, &logger, XC_OPENFLAG_DUMMY);
	Dl_info info;
	int rc, failed;

	if (access("/dev/xen/privcmd", F_OK) == 0)
		return SKIPPED;
	if (!xch || !dladdr((void *)xc_domain_save, &info) ||
	    !strstr(info.dli_fname, "libgodwit-xenguest")) {
		fprintf(stderr, "xc_domain_save is that of %s\n", xch ? info.dli_fname : "nothing");
		return 1;
	}
	rc = xc_domain_save(xch, STDOUT_FILENO, 1, XCFLAGS_LIVE, &save, XC_STREAM_PLAIN, -1);
	failed = check(rc, errno, "saving domain 1");
	rc = xc_domain_restore(xch, STDIN_FILENO, 1, 1, &store, 0, 2, &console, 0, XC_STREAM_PLAIN,
			       &restore, -1);
	failed += check(rc, errno, "restoring domain 1");
	xc_interface_close(xch);
	return failed;
}
