/* SPDX-License-Identifier: BSD-3-Clause */
/* doorbell.pml -- sleep and wake between a sender and a receiver (src/core/mesh_bell.c).
 *
 * The sender publishes MAILS mails through a ring of SLOTS slots and sleeps while the
 * ring is full, having asked to be rung back. The receiver takes mail, answers who
 * asked, and sleeps when nobody rang. Both end only when all mail is through: a lost
 * wake-up is a deadlock (pan: "invalid end state").
 *
 * A core's plain stores (its index in the ring) pass through a store buffer that empties
 * at any later time; a fence or a locked instruction waits until it is empty. That is
 * the x86 machine; the one reordering it allows is the one that matters here.
 *
 * Correct as it stands, and each of these breaks it:
 *   NO_FENCE       no fence between publishing the tail and looking at one's bit
 *   NO_BACK_FENCE  no fence between moving the head and looking at who asked
 *   NO_LOOK_AGAIN  the receiver blocks without looking at its bits after raising the flag
 *   FLAG_FIRST     the sender looks at the sleeping flag before it sets its bit
 *   NO_ASK         the sender sleeps on a full ring without asking
 *   NO_ROOM_CHECK  the sender asks, but does not look for room again before it blocks */

#define MAILS 4
#ifndef SLOTS
#define SLOTS 2
#endif

#define R 0 /* the receiver's bell */
#define S 1 /* the sender's bell */

/* Memory as everybody sees it. Of each bitmap one bit is enough here. */
byte tail, head;
bool rung[2], asked, sleeping[2];
byte fd[2]; /* eventfds */

/* Stores that others do not see yet. */
chan tails = [MAILS] of { byte };
chan heads = [MAILS] of { byte };

active proctype buffers()
{
end:
    do
    :: tails?tail
    :: heads?head
    od
}

#define fence(buffer) (empty(buffer))

/* Locked instructions wait for the core's store buffer. */
inline raise(buffer, flag)
{
    atomic { empty(buffer) -> flag = true }
}

inline lower(buffer, flag)
{
    atomic { empty(buffer) -> flag = false }
}

/* Whoever clears the flag writes the eventfd, some time later. */
inline wake(buffer, b)
{
    if
    :: sleeping[b] ->
        atomic {
            empty(buffer);
            won = sleeping[b];
            sleeping[b] = false;
        }
        if
        :: won -> fd[b]++
        :: else
        fi
    :: else
    fi;
    won = false
}

inline ring(buffer, b)
{
#ifdef FLAG_FIRST
    wake(buffer, b);
    raise(buffer, rung[b])
#else
    if
    :: rung[b]
    :: else ->
        raise(buffer, rung[b]);
        wake(buffer, b)
    fi
#endif
}

/* Takes the flag down and drains the eventfd; a wake-up not yet written stays due. */
inline awake(buffer, b)
{
    atomic {
        empty(buffer);
        if
        :: !sleeping[b] -> due++
        :: else -> sleeping[b] = false
        fi
    }
    if
    :: due > 0 ->
        atomic { assert(fd[b] <= due); due = due - fd[b]; fd[b] = 0 }
    :: else
    fi
}

active proctype sender()
{
    byte sent, due;
    bool won;

    do
    :: sent == MAILS -> break
    :: sent < MAILS && sent - head < SLOTS ->
        sent++;
        tails!sent;
#ifndef NO_FENCE
        fence(tails);
#endif
        ring(tails, R)
    :: sent < MAILS && sent - head >= SLOTS ->
#ifndef NO_ASK
        raise(tails, asked);
#endif
        raise(tails, sleeping[S]);
        if
        :: rung[S]
        :: else ->
            if
#ifndef NO_ROOM_CHECK
            :: sent - head < SLOTS
            :: else -> fd[S] > 0
#else
            :: fd[S] > 0
#endif
            fi
        fi;
        awake(tails, S);
        lower(tails, rung[S])
    od
}

active proctype receiver()
{
    byte got, seen, due;
    bool won;

    do
    :: rung[R] ->
        lower(heads, rung[R]);
        seen = tail;
        if
        :: seen > got ->
            got = seen;
            heads!got;
#ifndef NO_BACK_FENCE
            fence(heads);
#endif
            if
            :: asked -> lower(heads, asked); ring(heads, S)
            :: else
            fi
        :: else
        fi
    :: !rung[R] && got < MAILS ->
        raise(heads, sleeping[R]);
        if
#ifndef NO_LOOK_AGAIN
        :: rung[R]
        :: else -> fd[R] > 0
#else
        :: fd[R] > 0
#endif
        fi;
        awake(heads, R)
    :: !rung[R] && got == MAILS -> break
    od
}
