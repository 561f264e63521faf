/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The hand-over of a domain between two sides: the network, the deaths of either process, the
 * operator, and what must always hold. check.py makes the steps of the two sides of sides.table.
 *
 * CALM, REACHED and HASTY make other models of it; see check.py.
 */
mtype = { HELLO, OFFER, ACCEPT, REFUSE, STREAM, READY, YOURS, MINE, RELEASE, RUNNING, CANCEL, ERROR, ALIVE };
mtype = { begin, closed, silence, cancel, none };
/* What a side is at its end. */
mtype = { at_work, source, moved, unknown, dead };
/* What becomes of a copy. Undecided: paused, listed with the migration and its side. */
mtype = { absent, paused, undecided, running };

chan to_receiver = [12] of { mtype };
chan to_sender = [12] of { mtype };

mtype sent = at_work, received = at_work; /* the outcomes */
mtype source_copy = running, destination_copy = absent;
byte sender_state = 0, receiver_state = 0;

bool cut = false;             /* the connection: both sides see its end */
bool yours_sent = false, mine_sent = false, release_sent = false;
bool ran_there = false;       /* the destination's copy has run */
bool run_failed = false;
bool source_destroyed = false, destination_destroyed = false;
byte doubles = 3, sender_cancels = 2, receiver_cancels = 2;

/* The first two promises: never two running, and only a process that lives runs its copy. */
inline check_running()
{
	assert(!(source_copy == running && destination_copy == running));
	assert(source_copy != running || sent != dead);
	assert(destination_copy != running || received != dead);
}

/* A frame leaves: it arrives, or is lost, or arrives twice. Nobody reads what an ended side gets. */
inline put(wire, frame, peer)
{
	if
	:: peer != at_work
	:: else ->
		if
		:: wire!frame
#ifndef CALM
		:: true
		:: doubles > 0 -> doubles--; wire!frame; wire!frame
#endif
		fi
	fi
}

mtype unread;
inline forget(wire)
{
	do
	:: nempty(wire) -> wire?unread
	:: empty(wire) -> break
	od;
	unread = 0
}

mtype first = none, second = none, outcome = at_work; /* what a step decides */

inline sender_sends(frame)
{
	if
	:: frame != none ->
		if
		:: frame == STREAM -> source_copy = paused
		:: frame == YOURS -> yours_sent = true
		:: frame == RELEASE -> release_sent = true
		:: else
		fi;
		put(to_receiver, frame, received)
	:: else
	fi
}

inline receiver_sends(frame)
{
	if
	:: frame != none ->
		if
		:: frame == ACCEPT -> destination_copy = paused
		:: frame == MINE -> mine_sent = true
		:: else
		fi;
		put(to_sender, frame, sent)
	:: else
	fi
}

/* Of what a step leaves, nothing but its effects makes another state. */
inline reset(event)
{
	check_running();
	event = none;
	first = none;
	second = none;
	outcome = at_work
}

/* sender_chooses(event) and receiver_chooses(event), made of sides.table. */
#include "sides.pml"

inline sender_step(event)
{
	outcome = at_work;
	sender_chooses(event);
	sender_sends(first);
	sender_sends(second);
	if
	:: outcome == at_work
	:: outcome == source -> source_copy = running
	:: outcome == unknown -> source_copy = undecided
	:: outcome == moved -> source_copy = absent
	fi;
	if
	:: outcome != at_work -> sent = outcome; sender_cancels = 0; forget(to_sender)
	:: else
	fi;
	reset(event)
}

inline receiver_step(event)
{
	outcome = at_work;
	receiver_chooses(event);
	receiver_sends(first);
	receiver_sends(second);
	if
	:: outcome == at_work
	:: outcome == source -> destination_copy = absent
	:: outcome == unknown -> destination_copy = undecided
	:: outcome == moved -> destination_copy = running; ran_there = true
	fi;
	if
	:: outcome != at_work -> received = outcome; receiver_cancels = 0; forget(to_receiver)
	:: else
	fi;
	reset(event)
}

proctype sender()
{
	mtype event = begin;

	do
	:: atomic { sent == at_work ->
		if
		:: event == begin
		:: event != begin && nempty(to_sender) -> to_sender?event
		:: event != begin && empty(to_sender) && (cut || received != at_work) -> event = closed
		:: event != begin && sender_cancels > 0 -> sender_cancels--; event = cancel
#ifndef CALM
		/* A frame that is late comes after the limit has passed: at any time. */
		:: event != begin -> event = silence
#endif
		fi;
		sender_step(event) }
#ifndef CALM
	:: atomic { sent != dead -> sent = dead; source_copy = absent; sender_cancels = 0; forget(to_sender); break }
#endif
	:: atomic { sent != at_work -> break }
	od
}

proctype receiver()
{
	mtype event = begin;

	do
	:: atomic { received == at_work ->
		if
		:: event == begin
		:: event != begin && nempty(to_receiver) -> to_receiver?event
		:: event != begin && empty(to_receiver) && (cut || sent != at_work) -> event = closed
		:: event != begin && receiver_cancels > 0 -> receiver_cancels--; event = cancel
#ifndef CALM
		:: event != begin -> event = silence
#endif
		fi;
		receiver_step(event) }
#ifndef CALM
	:: atomic { received != dead -> received = dead; destination_copy = absent; receiver_cancels = 0; forget(to_receiver); break }
#endif
	:: atomic { received != at_work -> break }
	od
}

/* Copies of frames that come late, after others; and the end of the connection. */
proctype network()
{
	mtype frame;
end:
	do
#ifndef CALM
	:: atomic { doubles > 0 && nempty(to_receiver) -> doubles--; to_receiver?<frame>; to_receiver!frame; frame = 0 }
	:: atomic { doubles > 0 && nempty(to_sender) -> doubles--; to_sender?<frame>; to_sender!frame; frame = 0 }
	:: atomic { !cut -> cut = true }
#endif
	:: atomic { sent != at_work && received != at_work -> break }
	od
}

/*
 * The operator's rule (docs/control.md): claims a copy only if the other does not run and cannot
 * begin to. A source that never had MINE may be claimed at once: nothing lets the other copy run.
 */
#ifdef HASTY
#define may_claim_source (destination_copy != running)
#else
#define may_claim_source \
	(destination_copy != running && (!release_sent || received != at_work))
#endif
#define may_claim_destination (source_copy != running)

#define decided (sent != at_work && received != at_work && \
		 source_copy != undecided && destination_copy != undecided)

/* What holds in the end, whoever died and whatever was lost. */
inline check_end()
{
	check_running();
	/* Pairs of outcomes that docs/protocol.md does not have. */
	assert(!(sent == source && (received == moved || received == unknown)));
	assert(!(sent == moved && received != moved && received != dead));
	/* Lost only with a process that was the domain, or by the operator. */
	assert(source_copy == running || destination_copy == running ||
	       sent == dead || (received == dead && ran_there) || source_destroyed || destination_destroyed);
	/* The sender is killed before YOURS: the receiver's copy is gone. */
	assert(!(sent == dead && !yours_sent) || destination_copy == absent);
	/* The receiver is killed before MINE: the source has the domain. */
	assert(!(received == dead && !mine_sent && sent != dead && !source_destroyed) || source_copy == running);
	/* A side that may have run the domain is not forgotten: no copy is left paused. */
	assert(source_copy != paused && destination_copy != paused);
#ifdef CALM
	/* Without faults of the network only a copy that cannot be run needs the operator. */
	assert(!(sent == unknown || received == unknown) || run_failed);
#endif
#ifdef REACHED
	/* Each is false where that end is reached: spin prints it with its number. */
	assert(!(1 && sent == source && received == source));
	assert(!(2 && sent == unknown && received == source));
	assert(!(3 && sent == unknown && received == unknown));
	assert(!(4 && sent == unknown && received == moved));
	assert(!(5 && sent == moved && received == moved));
	assert(!(6 && sent == dead && received == source));
	assert(!(7 && sent == dead && received == unknown));
	assert(!(8 && sent == dead && received == moved));
	assert(!(9 && sent == source && received == dead));
	assert(!(10 && sent == unknown && received == dead));
	assert(!(11 && sent == moved && received == dead));
	assert(!(12 && sent == dead && received == dead));
#endif
}

/* Acts on what is listed as undecided, whenever it likes; a crash may come before that. */
proctype operator()
{
	do
	:: atomic { source_copy == undecided && may_claim_source -> source_copy = running; check_running() }
	:: atomic { destination_copy == undecided && may_claim_destination ->
		destination_copy = running; ran_there = true; check_running() }
	:: atomic { source_copy == undecided -> source_copy = absent; source_destroyed = true }
	:: atomic { destination_copy == undecided -> destination_copy = absent; destination_destroyed = true }
	:: atomic { decided -> break }
	od;
	atomic { check_end() }
}

init
{
	atomic { run sender(); run receiver(); run network(); run operator() }
}
