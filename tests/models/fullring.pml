/* SPDX-License-Identifier: BSD-3-Clause */
/* fullring.pml -- two cores that fill both rings between them (src/core/mesh_post.c).
 *
 * Each core sends REQUESTS requests to the other and answers each request it takes with
 * a reply, from the handler. Rings have SLOTS slots, so both are full most of the time.
 * What a ring refuses waits in the sender's outbox; a core that sleeps with mail in it
 * asks to be rung back. All is well if every core gets its replies, each once and in
 * order, and ends up asleep with nothing left to do. Memory here is sequentially
 * consistent: the fences are doorbell.pml's business.
 *
 * Correct as it stands, and each of these breaks it:
 *   BLOCKING     the sender of mail waits for room: both wait for the other to take
 *   DROPPING     what a full ring refuses is lost, replies too
 *   OVERTAKING   new mail goes to the ring although older mail waits in the outbox
 *   NO_RINGBACK  nobody wakes a core that sleeps with a non-empty outbox */

#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif

mtype = { request, reply };

chan ring[2] = [SLOTS] of { mtype, byte };         /* ring[i] leads from core i */
chan outbox[2] = [2 * REQUESTS] of { mtype, byte }; /* of core i; this is room for all */
bool rung[2], asked[2], sleeping[2], bell[2];      /* of core i */

inline ring_bell(core)
{
    atomic {
        rung[core] = true;
        if
        :: sleeping[core] -> sleeping[core] = false; bell[core] = true
        :: else
        fi
    }
}

inline send(kind, number)
{
#ifdef BLOCKING
    ring[me]!kind(number);
    ring_bell(you)
#else
    if
#ifdef OVERTAKING
    :: nfull(ring[me]) -> ring[me]!kind(number); ring_bell(you)
#else
    :: nfull(ring[me]) && empty(outbox[me]) -> ring[me]!kind(number); ring_bell(you)
#endif
    :: else ->
#ifndef DROPPING
        outbox[me]!kind(number)
#else
        skip
#endif
    fi
#endif
}

#define IS_DONE (replies == REQUESTS && empty(outbox[me]))

proctype core(byte me)
{
    byte you = 1 - me;
    byte requests, replies, served; /* sent, received, answered */
    mtype kind;
    byte number;
    bool took;

    do
    :: true ->
        /* take */
        rung[me] = false;
        do
        :: ring[you]?request(number) ->
            took = true;
            assert(number == served);
            served++;
            send(reply, number)
        :: ring[you]?reply(number) ->
            took = true;
            assert(number == replies);
            replies++
        :: empty(ring[you]) -> break
        od;
        number = 0;

        /* what clients want; perhaps it comes later */
        do
        :: requests < REQUESTS -> send(request, requests); requests++
        :: true -> break
        od;

        /* post */
        do
        :: nempty(outbox[me]) && nfull(ring[me]) ->
            atomic { outbox[me]?kind(number); ring[me]!kind(number); kind = 0; number = 0 }
            ring_bell(you)
        :: empty(outbox[me]) || full(ring[me]) -> break
        od;
        if
        :: took && asked[me] -> asked[me] = false; ring_bell(you)
        :: else
        fi;
        took = false;

        /* sleep */
        if
        :: requests < REQUESTS
        :: else ->
#ifndef NO_RINGBACK
            if
            :: nempty(outbox[me]) -> asked[you] = true
            :: else
            fi;
#endif
            sleeping[me] = true;
            if
            :: rung[me] || (nempty(outbox[me]) && nfull(ring[me]))
            :: else ->
                if
                :: IS_DONE ->
end:
                    bell[me]
                :: else -> bell[me]
                fi
            fi;
            sleeping[me] = false;
            bell[me] = false
        fi
    od
}

init
{
    atomic { run core(0); run core(1) }
}
