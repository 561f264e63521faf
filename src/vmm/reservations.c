/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The file of reservations: records of a fixed size, locks on their bytes.
 */
#include "vmm/reservations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define FILE_NAME   "reservations"
#define SLOTS	    4096u
#define ALL_AT	    (SLOTS * sizeof(struct record)) /* the byte that stands for the whole file */
#define LOCK_MS	    5000
#define LOCK_ASK_US 2000
#define NO_SLOT	    UINT32_MAX

/* Only processes of this host read it: the byte order is the host's. */
struct record {
	uint8_t receiver[16];
	uint64_t pages;
	uint32_t pid;
	uint32_t in_shared;
	uint8_t spare[32];
};

static struct flock lock_on(off_t at, off_t len, short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = len};
}

/* The lock belongs to the open file, so that no other descriptor's end releases it. */
static int set_lock(int fd, off_t at, off_t len, short type)
{
	struct flock lock = lock_on(at, len, type);

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static int open_file(struct gw_reservation *r, const struct gw_runtime *rt, struct gw_error *err)
{
	struct stat st;

	r->slot = NO_SLOT;
	r->fd = openat(rt->fd, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		       0600);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return gw_fail_errno(err, "%s/" FILE_NAME, rt->path);
	if (!S_ISREG(st.st_mode))
		return gw_fail(err, GW_REFUSED, "%s/" FILE_NAME " is no regular file", rt->path);
	return 0;
}

static int lock_all(const struct gw_reservation *r, const struct gw_runtime *rt,
		    struct gw_error *err)
{
	uint64_t until = gw_clock_ms() + LOCK_MS;

	while (set_lock(r->fd, (off_t)ALL_AT, 1, F_WRLCK) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return gw_fail_errno(err, "cannot lock %s/" FILE_NAME, rt->path);
		if (gw_clock_ms() > until)
			return gw_fail(err, GW_BUSY,
				       "another process has locked %s/" FILE_NAME " for %d s",
				       rt->path, LOCK_MS / 1000);
		usleep(LOCK_ASK_US);
	}
	return 0;
}

/* True if another process holds the record. */
static bool is_held(const struct gw_reservation *r, unsigned slot)
{
	struct flock lock = lock_on((off_t)(slot * sizeof(struct record)),
				    (off_t)sizeof(struct record), F_WRLCK);

	return slot != r->slot && fcntl(r->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Pages that the process has touched; 0 if it cannot be asked. */
static uint64_t touched_pages(const struct record *record)
{
	const char *format = record->in_shared ? "RssShmem: %llu kB" : "RssAnon: %llu kB";
	unsigned long long kib = 0;
	char text[128];
	FILE *f;

	snprintf(text, sizeof(text), "/proc/%u/status", record->pid);
	f = fopen(text, "re");
	while (f && fgets(text, sizeof(text), f))
		if (sscanf(text, format, &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 4;
}

static bool read_record(const struct gw_reservation *r, unsigned slot, struct record *record)
{
	return pread(r->fd, record, sizeof(*record), (off_t)(slot * sizeof(*record))) ==
	       (ssize_t)sizeof(*record);
}

static void add_up(const struct gw_reservation *r, const uint8_t receiver[16],
		   struct gw_reserved *sums)
{
	static const uint8_t nobody[16];
	bool counts = memcmp(receiver, nobody, sizeof(nobody)) != 0;
	struct record record;

	*sums = (struct gw_reserved){0};
	for (unsigned slot = 0; slot < SLOTS && read_record(r, slot, &record); slot++) {
		uint64_t touched;

		if (!is_held(r, slot))
			continue;
		touched = touched_pages(&record);
		sums->promised += record.pages > touched ? record.pages - touched : 0;
		if (!counts || memcmp(receiver, record.receiver, sizeof(record.receiver)) != 0)
			continue;
		sums->pages += record.pages;
		sums->domains++;
	}
}

int gw_reservation_lock(struct gw_reservation *r, const struct gw_runtime *rt,
			const uint8_t receiver[16], struct gw_reserved *sums, struct gw_error *err)
{
	if (r->fd < 0 && open_file(r, rt, err) < 0) {
		gw_reservation_release(r);
		return -1;
	}
	if (lock_all(r, rt, err) < 0)
		return -1;
	add_up(r, receiver, sums);
	return 0;
}

void gw_reservation_unlock(struct gw_reservation *r)
{
	set_lock(r->fd, (off_t)ALL_AT, 1, F_UNLCK);
}

/* Takes the first record that nobody holds. */
static int take_slot(struct gw_reservation *r, struct gw_error *err)
{
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		if (set_lock(r->fd, (off_t)(slot * sizeof(struct record)),
			     (off_t)sizeof(struct record), F_WRLCK) == 0) {
			r->slot = slot;
			return 0;
		}
	}
	return gw_fail(err, GW_REFUSED, "%u domains exist here already", SLOTS);
}

int gw_reservation_set(struct gw_reservation *r, const uint8_t receiver[16], uint64_t pages,
		       bool in_shared, struct gw_error *err)
{
	struct record record = {.pages = pages, .pid = (uint32_t)getpid(), .in_shared = in_shared};

	memcpy(record.receiver, receiver, sizeof(record.receiver));
	if (r->slot == NO_SLOT && take_slot(r, err) < 0)
		return -1;
	if (pwrite(r->fd, &record, sizeof(record), (off_t)(r->slot * sizeof(record))) !=
	    (ssize_t)sizeof(record))
		return gw_fail_errno(err, "writing a reservation of memory");
	return 0;
}

void gw_reservation_release(struct gw_reservation *r)
{
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct gw_reservation)GW_RESERVATION_NONE;
}

uint64_t gw_machine_free_pages(void)
{
	unsigned long long kib = 0;
	bool found = false;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
	if (f)
		fclose(f);
	return found ? kib / 4 : UINT64_MAX;
}
