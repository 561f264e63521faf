/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain processes for tests: each in a child, with the memory backend, in a runtime folder that
 * exists as long as the test.
 */
#ifndef GW_TESTS_VMM_FIXTURE_H
#define GW_TESTS_VMM_FIXTURE_H

#include "lib/gwtest.h"

#include <sys/types.h>

#include <jansson.h>

#include "vmm/runtime.h"

#define DOMAINS_MAX 4

struct fixture {
	char dir[200];
	struct gw_runtime rt;
	pid_t pids[DOMAINS_MAX]; /* children, killed at the end */
	unsigned nr_pids;
};

/* cmocka's setup and teardown: an empty runtime folder, *state is the fixture. */
int open_runtime(void **state);
int close_runtime(void **state);
/* The same, with a running domain named "t". */
int start(void **state);
int stop(void **state);

/* A new domain of that name with 4 MiB and nr_pages different pages; returns when it runs. */
pid_t start_domain(struct fixture *f, const char *name, uint64_t nr_pages);
/* A domain that is restored from, or received over, this descriptor: the child owns it. */
pid_t start_restore(struct fixture *f, const char *name, int fd);
pid_t start_receive(struct fixture *f, const char *name, int fd);
/* Asserts that the process ends with this status (enum gw_process_end). */
void assert_end(struct fixture *f, pid_t pid, int end);

/* A child that asks these two domains for their info until it is stopped; either may not exist. */
pid_t start_asking(struct fixture *f, const char *one, const char *other);
void stop_child(struct fixture *f, pid_t pid);

/* Sends one request from a new client, with fd (-1: none); returns the reply, or NULL with err. */
json_t *ask_of(struct fixture *f, const char *name, json_t *request, int fd, struct gw_error *err);
/* The same for the domain "t". */
json_t *ask(struct fixture *f, json_t *request, struct gw_error *err);
void assert_state_of(struct fixture *f, const char *name, const char *wanted);
void assert_state(struct fixture *f, const char *wanted);
/* Waits a few seconds at most for that state. */
void wait_for_state(struct fixture *f, const char *name, const char *wanted);
void assert_done_by(struct fixture *f, const char *name, const char *request);
void assert_done(struct fixture *f, const char *request);

#endif
