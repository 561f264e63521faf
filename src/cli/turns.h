/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The turns of processes that shall not all work at the same time.
 */
#ifndef GW_CLI_TURNS_H
#define GW_CLI_TURNS_H

#include <stdbool.h>

#include <godwit/error.h>

/*
 * A file that the processes share since a fork; each locks one of its first n bytes (fcntl) while
 * it works. The kernel gives back the turn of a process that dies. fd -1: there is no limit.
 */
struct gw_turns {
	int fd;
	unsigned n;
};

/* 0 or -1. */
int gw_turns_open(struct gw_turns *turns, unsigned n, struct gw_error *err);
/* Takes a turn, for this process. False: all are taken. */
bool gw_turns_take(const struct gw_turns *turns);
/* Gives back the turn of this process, if it has one, and closes. */
void gw_turns_close(struct gw_turns *turns);

#endif
