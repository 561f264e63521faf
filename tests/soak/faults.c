/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs scenarios with a fault at each chosen point.
 *
 * usage: faults memory|emu SCENARIO count
 *        faults memory|emu SCENARIO SECONDS NUMBER...
 *
 * It prints the number of points, or a line for each point: "ok NUMBER what", "unused NUMBER" where
 * the run had fewer points, "not ok NUMBER what: why". The exit status is 1 after the last kind.
 */
#include "lib/gwtest.h"

#include <signal.h>

#include "points.h"
#include "scenario.h"

static const struct scenario *find(const char *name)
{
	for (unsigned i = 0; i < nr_scenarios; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	fprintf(stderr, "no scenario %s\n", name);
	exit(2);
}

static int run_all(struct bench *b, const struct scenario *s, int n, char **numbers)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		unsigned number = (unsigned)strtoul(numbers[i], NULL, 10);

		bench_run(b, s, number);
		if (b->why[0]) {
			printf("not ok %u %s: %s\n", number, points_failed(), b->why);
			status = 1;
		} else if (points_failed()[0]) {
			printf("ok %u %s%s%s\n", number, points_failed(), b->failed ? ": " : "",
			       b->failed ? b->err.text : "");
		} else {
			printf("unused %u\n", number);
		}
		fflush(stdout);
	}
	return status;
}

int main(int argc, char **argv)
{
	const struct scenario *s;
	struct bench b;
	int status = 0;

	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	s = find(argv[2]);
	bench_open(&b, strcmp(argv[1], "emu") == 0);
	if (strcmp(argv[3], "count") == 0) {
		bench_run(&b, s, POINTS_NEVER);
		printf("%u%s%s\n", points_seen(), b.why[0] ? " " : "", b.why);
		status = b.why[0] != 0;
	} else {
		b.seconds = (unsigned)strtoul(argv[3], NULL, 10);
		status = run_all(&b, s, argc - 4, argv + 4);
	}
	bench_close(&b);
	return status;
}
