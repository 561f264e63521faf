/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The connections of a receiver: each is served by a child process of its own, so that none waits
 * for another. Words between a child and the receiver go over a socket.
 */
#ifndef GW_CLI_ARRIVALS_H
#define GW_CLI_ARRIVALS_H

#include <stdbool.h>
#include <sys/types.h>

#include <godwit/cancel.h>
#include <godwit/error.h>

#define GW_ARRIVALS_MAX 64 /* connections at a time on which no domain is in place yet */

/* The receiver's end of an arrival. */
struct gw_arrival {
	pid_t pid;
	int fd;
};

struct gw_arrivals {
	struct gw_arrival of[GW_ARRIVALS_MAX];
	unsigned nr;
	bool one;	/* the receiver takes one domain: an arrival has to claim that place */
	pid_t claiming; /* the child that claims it and waits for an answer; 0: none */
	struct gw_arrival winner; /* has the place; pid 0: none yet */
};

/* The child's end; fd -1: this process is no such child. */
struct gw_arrival_end {
	int fd;
	bool one;
};

#define GW_ARRIVAL_NONE                                                                            \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Forks. Returns 1 in the child with its end in *end, 0 in the receiver, or -1. A child of a
 * receiver that takes one domain dies with the receiver, until gw_arrival_detach().
 */
int gw_arrivals_fork(struct gw_arrivals *a, struct gw_arrival_end *end, struct gw_error *err);

/*
 * Waits until a connection comes at listen_fd (-1: none is wanted; also not waited for if there is
 * no room), until an arrival ends or claims the place, for a second at most. Returns 1 if there is
 * a connection, 0, or -1: GW_CANCELLED if the token is set.
 */
int gw_arrivals_wait(struct gw_arrivals *a, int listen_fd, const struct gw_cancel *cancel,
		     struct gw_error *err);

/* Asks all children to end (SIGTERM). */
void gw_arrivals_end(const struct gw_arrivals *a);

/* Gives the place to the arrival that claims it. The others learn that it is taken, and end. */
void gw_arrivals_grant(struct gw_arrivals *a);

/*
 * After that: passes signals on to the winner until it ends or, in_background, until its domain is
 * in place. Returns its status as waitpid(2) does, 0 for a domain in place.
 */
int gw_arrivals_follow(struct gw_arrivals *a, bool in_background);

/* In a child: claims the place of the only domain. 0, or -1 with GW_REFUSED: another has it. Does
 * nothing where there are places for all. */
int gw_arrival_claim(const struct gw_arrival_end *end, struct gw_error *err);
/* In a child: 0, or -1 with GW_REFUSED if another has the place. */
int gw_arrival_check(const struct gw_arrival_end *end, struct gw_error *err);
/* In a child whose domain is in place and goes to the background: it has left the receiver. */
void gw_arrival_detach(struct gw_arrival_end *end);

#endif
