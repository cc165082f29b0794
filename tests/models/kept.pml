/* SPDX-License-Identifier: BSD-3-Clause */
/* kept.pml -- a publisher hears "taken" when all that must be on disk is, and once.
 *
 * A home publishes MESSAGES messages, one after the other. Their owner writes some to its own log
 * (retained), sends each to some of KEEPERS cores, and answers ACCEPTED with their number: at
 * once, or when its own record is on disk, so answers overtake one another. Each of those
 * cores answers KEPT once: at once if no session there wanted it on disk, else when it is,
 * or with an error when the disk has failed. Every pair of cores has a ring of its own, so KEPT
 * may come before ACCEPTED. The home adds what ACCEPTED announces and takes off what KEPT
 * brings; a message is done when it is accepted and the sum is nought. It tells its publisher in
 * the order of publishing. The session may end at any moment; then its slot is free for
 * another one when no mail can name it any more.
 *
 * Correct as it stands, and each of these breaks it:
 *   NO_KEPT      told when accepted
 *   NO_SIGN      what comes before ACCEPTED is not counted
 *   AT_ONCE      KEPT is sent when the record is written, not when it is on disk
 *   LAST_STATUS  the last word is told, not the worst
 *   SLOT_EARLY   the slot is free when the owners have answered */

#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef KEEPERS
#define KEEPERS 2
#endif

chan publish = [MESSAGES] of { byte };
chan accepted = [MESSAGES] of { byte, byte, bool };      /* number, keepers, error */
chan owner_log = [MESSAGES] of { byte, byte };           /* what waits for the owner's disk */
chan deliver[KEEPERS] = [MESSAGES] of { byte };
chan keeper_log[KEEPERS] = [MESSAGES] of { byte };       /* what waits for a keeper's disk */
chan kept[KEEPERS] = [MESSAGES] of { byte, bool };       /* number, error */

/* How many records of each message are to be on disk and are not yet. */
byte unsafe[MESSAGES];
bool routed[MESSAGES];

/* The home's session. */
short due[MESSAGES];
bool has_accepted[MESSAGES], has_failed[MESSAGES];
byte head;       /* the next to be told of */
byte owed_mail;  /* ACCEPTED to come */
short owed_kept; /* KEPT to come, as far as known */
bool dead, free;

proctype owner()
{
    byte n, k, to;

end:
    do
    :: publish?n ->
        d_step {
            to = 0;
            routed[n] = true;
        }
        k = 0;
        do
        :: k < KEEPERS -> deliver[k]!n; to++; k++
        :: k < KEEPERS -> k++
        :: k == KEEPERS -> break
        od;
        if
        :: accepted!n(to, false)
        :: atomic { unsafe[n]++; owner_log!n(to) }
        fi
    :: owner_log?n(to) ->
        if
        :: atomic { unsafe[n]--; accepted!n(to, false) }
        :: accepted!n(to, true)
        fi
    od
}

proctype keeper(byte k)
{
    byte n;

end:
    do
    :: deliver[k]?n ->
        if
        :: kept[k]!n(false) /* nobody here wants it on disk */
#ifdef AT_ONCE
        :: atomic { unsafe[n]++; keeper_log[k]!n; kept[k]!n(false) }
#else
        :: atomic { unsafe[n]++; keeper_log[k]!n }
#endif
        fi
    :: keeper_log[k]?n ->
#ifdef AT_ONCE
        unsafe[n]--
#else
        if
        :: atomic { unsafe[n]--; kept[k]!n(false) }
        :: kept[k]!n(true) /* it never will be */
        fi
#endif
    od
}

#ifdef NO_KEPT
#define DONE(n) has_accepted[n]
#else
#define DONE(n) (has_accepted[n] && due[n] == 0)
#endif

inline failed_or_not(n, error)
{
#ifdef LAST_STATUS
    has_failed[n] = error;
#else
    has_failed[n] = has_failed[n] || error;
#endif
}

/* Tells the publisher what is settled, in order. */
inline tell()
{
    do
    :: !dead && head < MESSAGES && DONE(head) ->
        assert(routed[head]);
        assert(has_failed[head] || unsafe[head] == 0); /* "taken" is on disk everywhere */
        head++
    :: else -> break
    od
}

inline release()
{
    if
#ifdef SLOT_EARLY
    :: dead && owed_mail == 0 -> free = true
#else
    :: dead && owed_mail == 0 && owed_kept == 0 -> free = true
#endif
    :: else
    fi
}

inline heard_kept()
{
    d_step {
        assert(!free);
        owed_kept--;
#ifdef NO_SIGN
        if
        :: has_accepted[n] -> due[n]--
        :: else
        fi;
#else
        due[n]--;
#endif
        failed_or_not(n, error);
        tell();
        release()
    }
}

proctype home()
{
    byte n, to, k, sent;
    bool error, mortal;

    if
    :: mortal = true
    :: mortal = false
    fi;
    do
    :: !dead && sent < MESSAGES -> atomic { owed_mail++; publish!sent; sent++ }
    :: accepted?n(to, error) ->
        d_step {
            assert(!free); /* the slot is still the session's */
            assert(!has_accepted[n]);
            owed_mail--;
            owed_kept = owed_kept + to;
            has_accepted[n] = true;
            due[n] = due[n] + to;
            failed_or_not(n, error);
            tell();
            release()
        }
    :: kept[0]?n(error) -> heard_kept()
#if KEEPERS > 1
    :: kept[1]?n(error) -> heard_kept()
#endif
#if KEEPERS > 2
    :: kept[2]?n(error) -> heard_kept()
#endif
    :: mortal && !dead -> d_step { dead = true; release() }
    :: free || head == MESSAGES -> break
    od;
    assert(dead || (owed_mail == 0 && owed_kept == 0))
}

init
{
    byte k;

    atomic {
        run owner();
        for (k : 0 .. KEEPERS - 1) {
            run keeper(k)
        }
        run home()
    }
}
