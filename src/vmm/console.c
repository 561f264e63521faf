/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The console's ring. Positions count every byte ever put, so that a reader knows what it lost.
 */
#include "vmm/console.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/util.h"

struct gw_console {
	pthread_mutex_t lock;
	int wake;
	uint64_t end; /* bytes ever put */
	bool held;
	uint64_t visible; /* held: readers see the bytes before it */
	uint8_t ring[GW_CONSOLE_SIZE];
};

struct gw_console *gw_console_new(struct gw_error *err)
{
	struct gw_console *console = calloc(1, sizeof(*console));

	if (!console) {
		gw_fail(err, GW_NO_MEMORY, "no memory for the console");
		return NULL;
	}
	pthread_mutex_init(&console->lock, NULL);
	console->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (console->wake < 0) {
		gw_fail_errno(err, "an eventfd for the console");
		gw_console_free(console);
		return NULL;
	}
	return console;
}

void gw_console_free(struct gw_console *console)
{
	if (!console)
		return;
	if (console->wake >= 0)
		close(console->wake);
	pthread_mutex_destroy(&console->lock);
	free(console);
}

static void wake(const struct gw_console *console)
{
	static const uint64_t one = 1;
	/* Fails only when the counter is full, and then the descriptor is readable already. */
	ssize_t n = write(console->wake, &one, sizeof(one));

	(void)n;
}

void gw_console_put(struct gw_console *console, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	if (!len)
		return;
	pthread_mutex_lock(&console->lock);
	if (len > GW_CONSOLE_SIZE) {
		console->end += len - GW_CONSOLE_SIZE;
		from += len - GW_CONSOLE_SIZE;
		len = GW_CONSOLE_SIZE;
	}
	size_t at = console->end % GW_CONSOLE_SIZE;
	size_t first = GW_MIN(len, GW_CONSOLE_SIZE - at);

	memcpy(console->ring + at, from, first);
	memcpy(console->ring, from + first, len - first);
	console->end += len;
	pthread_mutex_unlock(&console->lock);
	wake(console);
}

int gw_console_fd(const struct gw_console *console)
{
	return console->wake;
}

void gw_console_quiet(struct gw_console *console)
{
	uint64_t count;
	ssize_t n = read(console->wake, &count, sizeof(count));

	(void)n;
}

static uint64_t newest(const struct gw_console *console)
{
	return console->held ? console->visible : console->end;
}

static uint64_t oldest(const struct gw_console *console)
{
	uint64_t kept = console->end > GW_CONSOLE_SIZE ? console->end - GW_CONSOLE_SIZE : 0;

	return GW_MIN(kept, newest(console));
}

uint64_t gw_console_hold(struct gw_console *console)
{
	uint64_t end;

	pthread_mutex_lock(&console->lock);
	end = console->end;
	if (!console->held)
		console->visible = end;
	console->held = true;
	pthread_mutex_unlock(&console->lock);
	return end;
}

void gw_console_release(struct gw_console *console, uint64_t pos)
{
	pthread_mutex_lock(&console->lock);
	console->visible = GW_MIN(GW_MAX(console->visible, pos), console->end);
	pthread_mutex_unlock(&console->lock);
	wake(console);
}

void gw_console_unhold(struct gw_console *console)
{
	pthread_mutex_lock(&console->lock);
	console->held = false;
	pthread_mutex_unlock(&console->lock);
	wake(console);
}

uint64_t gw_console_oldest(struct gw_console *console)
{
	pthread_mutex_lock(&console->lock);
	uint64_t pos = oldest(console);
	pthread_mutex_unlock(&console->lock);
	return pos;
}

uint64_t gw_console_newest(struct gw_console *console)
{
	pthread_mutex_lock(&console->lock);
	uint64_t pos = newest(console);
	pthread_mutex_unlock(&console->lock);
	return pos;
}

size_t gw_console_peek(struct gw_console *console, uint64_t *pos, void *to, size_t len)
{
	uint8_t *out = to;

	pthread_mutex_lock(&console->lock);
	/* Bytes that were overwritten while they were held back are lost for every reader. */
	uint64_t kept = console->end > GW_CONSOLE_SIZE ? console->end - GW_CONSOLE_SIZE : 0;
	uint64_t last = newest(console);

	*pos = GW_MIN(GW_MAX(*pos, kept), last);
	len = GW_MIN(len, (size_t)(last - *pos));

	size_t at = *pos % GW_CONSOLE_SIZE;
	size_t first = GW_MIN(len, GW_CONSOLE_SIZE - at);

	memcpy(out, console->ring + at, first);
	memcpy(out + first, console->ring, len - first);
	pthread_mutex_unlock(&console->lock);
	return len;
}
