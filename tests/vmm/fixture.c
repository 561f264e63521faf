/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts domain processes for tests, sends them requests, checks how they end.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hypervisor/domain.h"
#include "lib/hvm_context.h"
#include "vmm/client.h"
#include "vmm/domain.h"
#include "vmm/process.h"

#define WAIT_MS 20000

int open_runtime(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct gw_error err = GW_ERROR_INIT;

	snprintf(f->dir, sizeof(f->dir), "%s/godwit-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	setenv("GODWIT_RUNTIME_DIR", f->dir, 1);
	*state = f;
	return gw_runtime_open(&f->rt, &err);
}

int close_runtime(void **state)
{
	struct fixture *f = *state;
	char command[300];

	for (unsigned i = 0; i < f->nr_pids; i++) {
		kill(f->pids[i], SIGKILL);
		waitpid(f->pids[i], NULL, 0);
	}
	gw_runtime_close(&f->rt);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	free(f);
	return system(command);
}

int start(void **state)
{
	if (open_runtime(state) < 0)
		return -1;
	start_domain(*state, "t", 0);
	return 0;
}

int stop(void **state)
{
	return close_runtime(state);
}

/* Forks a child that the teardown kills; returns 0 in the child. */
static pid_t spawn(struct fixture *f)
{
	pid_t pid = fork();

	assert_true(pid >= 0 && f->nr_pids < DOMAINS_MAX);
	if (pid > 0)
		f->pids[f->nr_pids++] = pid;
	return pid;
}

static struct gw_process *new_process(const char *name, bool paused)
{
	struct gw_process_args args = {.connect = "memory:",
				       .name = name,
				       .paused = paused,
				       .console_fd = -1,
				       .admission.images = true};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_process *p = gw_process_new(&args, &err);

	if (!p)
		_exit(99);
	return p;
}

static void run(struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_process_end end = gw_process_run(p, &err);

	if (end == GW_END_NONE)
		fprintf(stderr, "%s\n", err.text);
	gw_process_free(p);
	_exit((int)end);
}

static int add_pages(struct gw_domain *d, uint64_t nr, struct gw_error *err)
{
	for (uint64_t pfn = 0; pfn < nr; pfn++) {
		struct gw_mapping mapping;
		uint64_t gfn;
		void *page;

		if (gw_domain_populate(d, 1, &pfn, &gfn, err) < 0 ||
		    gw_domain_map(d, 1, &gfn, true, &page, &mapping, err) < 0)
			return -1;
		memset(page, (int)(pfn % 251) + 1, GW_PAGE_SIZE);
		gw_domain_unmap(d, &mapping);
	}
	return 0;
}

static int give_context(struct gw_domain *d, struct gw_error *err)
{
	struct gw_buffer context = hvm_context(1);
	int rc = gw_domain_set_context(d, context.data, context.len, err);

	gw_buffer_free(&context);
	return rc;
}

static void be_domain(const char *name, uint64_t nr_pages, int ready)
{
	struct gw_process *p = new_process(name, false);
	struct gw_error err = GW_ERROR_INIT;

	p->config.name = strdup(name);
	p->config.type = GW_GUEST_X86_HVM;
	p->config.pvh = true;
	p->config.max_memkb = 4096;
	if (gw_config_build(&p->config, &err) < 0 || gw_process_create_domain(p, &err) < 0 ||
	    give_context(p->domain, &err) < 0 || add_pages(p->domain, nr_pages, &err) < 0 ||
	    gw_process_start_domain(p, &err) < 0)
		_exit(98);
	gw_console_put(p->console, "hello from the guest\n", 21);
	if (write(ready, "x", 1) != 1)
		_exit(97);
	run(p);
}

pid_t start_domain(struct fixture *f, const char *name, uint64_t nr_pages)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_return_code(pipe2(ready, O_CLOEXEC), 0);
	pid = spawn(f);
	if (pid == 0)
		be_domain(name, nr_pages, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

typedef int bring_fn(struct gw_process *p, struct gw_channel *ch, struct gw_error *err);

static pid_t start_from(struct fixture *f, const char *name, int fd, bring_fn *bring)
{
	struct gw_error err = GW_ERROR_INIT;
	pid_t pid = spawn(f);

	if (pid == 0) {
		struct gw_process *p = new_process(name, false);
		struct gw_channel *ch = gw_channel_from_fd(fd, true, "the test", &err);

		if (!ch || bring(p, ch, &err) < 0)
			_exit(96);
		run(p);
	}
	close(fd);
	return pid;
}

pid_t start_restore(struct fixture *f, const char *name, int fd)
{
	return start_from(f, name, fd, gw_process_restore);
}

pid_t start_receive(struct fixture *f, const char *name, int fd)
{
	return start_from(f, name, fd, gw_process_receive);
}

static void forget(struct fixture *f, pid_t pid)
{
	for (unsigned i = 0; i < f->nr_pids; i++)
		if (f->pids[i] == pid)
			f->pids[i] = f->pids[--f->nr_pids];
}

void assert_end(struct fixture *f, pid_t pid, int end)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	forget(f, pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), end);
}

pid_t start_asking(struct fixture *f, const char *one, const char *other)
{
	pid_t pid = spawn(f);

	if (pid > 0)
		return pid;
	for (;;) {
		json_decref(ask_of(f, one, json_pack("{s:s}", "request", "info"), -1, NULL));
		json_decref(ask_of(f, other, json_pack("{s:s}", "request", "info"), -1, NULL));
	}
}

void stop_child(struct fixture *f, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	forget(f, pid);
}

json_t *ask_of(struct fixture *f, const char *name, json_t *request, int fd, struct gw_error *err)
{
	struct gw_client client;
	json_t *reply = NULL;

	if (gw_client_connect(&client, &f->rt, name, err) < 0) {
		json_decref(request);
		return NULL;
	}
	gw_client_call(&client, request, fd, NULL, NULL, NULL, WAIT_MS, &reply, err);
	gw_client_close(&client);
	return reply;
}

json_t *ask(struct fixture *f, json_t *request, struct gw_error *err)
{
	return ask_of(f, "t", request, -1, err);
}

void assert_state_of(struct fixture *f, const char *name, const char *wanted)
{
	struct gw_error err = GW_ERROR_INIT;
	json_t *reply = ask_of(f, name, json_pack("{s:s}", "request", "info"), -1, &err);

	if (!reply)
		fail_msg("info: %s", err.text);
	assert_string_equal(json_string_value(json_object_get(reply, "state")), wanted);
	json_decref(reply);
}

void assert_state(struct fixture *f, const char *wanted)
{
	assert_state_of(f, "t", wanted);
}

void wait_for_state(struct fixture *f, const char *name, const char *wanted)
{
	bool there = false;

	for (int ms = 0; ms < WAIT_MS && !there; ms += 10) {
		json_t *reply = ask_of(f, name, json_pack("{s:s}", "request", "info"), -1, NULL);
		const char *state = json_string_value(json_object_get(reply, "state"));

		there = state && strcmp(state, wanted) == 0;
		json_decref(reply);
		if (!there)
			usleep(10000);
	}
	if (!there)
		fail_msg("%s is not %s", name, wanted);
}

void assert_done_by(struct fixture *f, const char *name, const char *request)
{
	struct gw_error err = GW_ERROR_INIT;
	json_t *reply = ask_of(f, name, json_pack("{s:s}", "request", request), -1, &err);

	if (!reply)
		fail_msg("%s: %s", request, err.text);
	json_decref(reply);
}

void assert_done(struct fixture *f, const char *request)
{
	assert_done_by(f, "t", request);
}
