/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The connections of a receiver: each is served by a child process of its own, so that none waits
 * for another. Words between a child and the receiver go over a socket.
 */
#ifndef GW_CLI_ARRIVALS_H
#define GW_CLI_ARRIVALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <godwit/cancel.h>
#include <godwit/error.h>

#define GW_ARRIVALS_MAX	  64 /* connections at a time on which no domain is in place yet */
#define GW_ARRIVALS_SHARE 48 /* of them from one address, or of one user of this machine */

/* Who is at the other end: an IPv4 address, the network of an IPv6 host (64 bits), or a user. */
struct gw_arrival_peer {
	int family;
	uint8_t address[8];
};

/* The receiver's end of an arrival. */
struct gw_arrival {
	pid_t pid;
	int fd;
	struct gw_arrival_peer peer;
	uint64_t number; /* in the order of their coming */
	bool heard;	 /* its sender has said which domain it sends */
	bool leaving;	 /* it was asked to end */
};

struct gw_arrivals {
	struct gw_arrival of[GW_ARRIVALS_MAX];
	unsigned nr;
	uint64_t came;	/* so far */
	bool one;	/* the receiver takes one domain: an arrival has to claim that place */
	pid_t claiming; /* the child that claims it and waits for an answer; 0: none */
	struct gw_arrival winner; /* has the place; pid 0: none yet */
};

/* The child's end; fd -1: this process is no such child. */
struct gw_arrival_end {
	int fd;
	bool one;
	bool heard;
	sigset_t mask; /* signals that were blocked before the fork */
};

#define GW_ARRIVAL_NONE                                                                            \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Forks for this connection, for which there is room. Returns 1 in the child with its end in *end,
 * 0 in the receiver, or -1. The child has the signals blocked that ask it to end: it unblocks them
 * (end->mask) when it has handlers of its own. A child of a receiver that takes one domain dies
 * with the receiver, until gw_arrival_detach().
 *
 * An address that has its share already loses the arrival of its own of which nothing was heard for
 * the longest time; if there is none, the new one is sent away.
 */
int gw_arrivals_fork(struct gw_arrivals *a, int connection, struct gw_arrival_end *end,
		     struct gw_error *err);

/*
 * Waits until a connection comes at listen_fd (-1: none is wanted) for which there is room, until
 * an arrival ends or claims the place, for a second at most. Where a connection waits and there is
 * no room, the arrival of which nothing was heard for the longest time is ended. Returns 1 if there
 * is a connection, 0, or -1: GW_CANCELLED if the token is set.
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
/* In a child: 0, or -1 with GW_REFUSED and the reason if the receiver has asked it to end. */
int gw_arrival_check(const struct gw_arrival_end *end, struct gw_error *err);
/* In a child: its sender has said which domain it sends. Only the first call counts. */
void gw_arrival_heard(struct gw_arrival_end *end);
/* In a child whose domain is in place and goes to the background: it has left the receiver. */
void gw_arrival_detach(struct gw_arrival_end *end);

#endif
