/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl for tests: starts the real save helper as libxl does, reads its messages one by one, and
 * answers as the test says. The helper holds its domain in memory: (stand_in.h).
 */
#ifndef GW_TESTS_HELPER_FAKE_LIBXL_H
#define GW_TESTS_HELPER_FAKE_LIBXL_H

#include "lib/gwtest.h"

#include <sys/types.h>

#include "base/buffer.h"

/* The messages of the protocol, as in libxl_save_msgs_gen.pl. */
enum {
	MSG_LOG = 1,
	MSG_PROGRESS,
	MSG_SUSPEND,
	MSG_POSTCOPY,
	MSG_CHECKPOINT,
	MSG_WAIT_CHECKPOINT,
	MSG_SWITCH_LOGDIRTY,
	MSG_STATIC_DATA_DONE,
	MSG_RESTORE_RESULTS,
	MSG_COMPLETE,
	MSG_END = -1, /* the helper has closed its end */
};

/* Callback flags that libxl passes. */
#define CB_SAVE		 "136"
#define CB_SAVE_REMUS	 "184"
#define CB_SAVE_COLO	 "248"
#define CB_RESTORE	 "768"
#define CB_RESTORE_REMUS "800"
#define CB_RESTORE_COLO	 "888"

#define DOMID 5

struct fake_libxl {
	pid_t pid;
	int messages; /* from the helper */
	int answers;  /* to it */
	/* The message read last. */
	int id;
	uint8_t body[65536]; /* after the number */
	size_t len;
	/* All there was of LOG, a line each: "LEVEL ERRNO TEXT". */
	struct gw_buffer log;
	/* Of PROGRESS, a line each, without the counts; equal ones once. */
	struct gw_buffer progress;
	/* The bytes of all other messages, as they came. */
	struct gw_buffer raw;
};

/*
 * Starts the helper with these arguments (NULL at the end) and these variables added to the
 * environment ("NAME=VALUE", NULL at the end). fds: descriptors besides 0, 1 and 2 that it inherits
 * under their numbers, -1 at the end.
 */
void fake_start(struct fake_libxl *f, const char *const *args, const char *const *env,
		const int *fds);
/* "--save-domain", with io and back (-1) as its descriptors. flags: "0", "1", "3". */
void fake_save(struct fake_libxl *f, int io, int back, const char *flags, const char *callbacks,
	       const char *type, const char *const *env);
/* "--restore-domain", with ports 3 and 4 of domain 0. */
void fake_restore(struct fake_libxl *f, int io, int back, const char *callbacks, const char *type,
		  const char *const *env);

/* Reads up to the next message that is neither LOG nor PROGRESS. Its number, or MSG_END. */
int fake_next(struct fake_libxl *f);
/* Fails the test if the next message is another one. */
void fake_expect(struct fake_libxl *f, int id);
/* Reads up to the next message of any kind. */
int fake_next_any(struct fake_libxl *f);
/* A number of the message read last: field i of 4 bytes. */
uint32_t fake_u32(const struct fake_libxl *f, unsigned i);
uint64_t fake_u64(const struct fake_libxl *f, unsigned i);

void fake_answer(struct fake_libxl *f, int32_t answer);
void fake_answer_bytes(struct fake_libxl *f, const void *bytes, size_t len);
/* Expects a message and answers it. */
void fake_serve(struct fake_libxl *f, int id, int32_t answer);
/* Answers everything with what means "fine" until COMPLETE, that included. Its retval. */
int fake_serve_all(struct fake_libxl *f);

/* Closes both pipes, as a libxl that died. */
void fake_die(struct fake_libxl *f);
void fake_signal(struct fake_libxl *f, int sig);
/* Waits for the helper's end. Its exit status, or minus the signal. Frees what f holds. */
int fake_end(struct fake_libxl *f);
/* Fails the test if no LOG had this text. */
void fake_log_has(const struct fake_libxl *f, const char *text);

/* An empty file in memory; what it holds; and one that holds these bytes, at its start. */
int mem_file(void);
struct gw_buffer mem_contents(int fd);
int mem_with(const void *data, size_t len);

/* A path below the test's folder, in a static buffer for each of eight names. */
const char *scratch(const char *name);
struct gw_buffer scratch_load(const char *name);
void scratch_save(const char *name, const void *data, size_t len);
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

#endif
