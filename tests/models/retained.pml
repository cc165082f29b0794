/* SPDX-License-Identifier: BSD-3-Clause */
/* retained.pml -- a new subscriber gets the retained messages and then every later one,
 * none twice, none missed, though it subscribes while others publish.
 *
 * The owner of TOPICS topics keeps a retained value for each. A subscription that
 * matches them all arrives. The owner collects the values in bounded steps, a walk of one
 * topic at a time, and goes on with its other work in between. A retained publish to a
 * topic already visited replaces its entry in the collected vector; for one not yet
 * visited there is nothing to do. At the end one mail carries the vector to the
 * subscriber's core and the interest bit is set: live messages take the same ring, hence
 * come behind it. The core may have had an older subscriber to the same topics all
 * along; what its ring brings before the vector is not for the new one.
 *
 * Each message of a topic has a number. What must be true of the vector travels with it,
 * and is looked at by nobody but the assertions.
 *
 * Correct as it stands, and each of these breaks it:
 *   REPLY_AFTER_LIVE  the interest bit is set at once, the values are read later
 *   NO_REPLACE        the walk does not hear of publishes to topics it has visited
 *   REPLACE_ALWAYS    a publish that is not retained replaces the collected value too
 *   NO_SNAPSHOT       the values travel one by one as they are visited
 *   NO_GATE           the new subscriber takes what the ring brings for the older one
 *   TWO_WAYS          the vector takes another way than the live messages */

#ifndef TOPICS
#define TOPICS 2
#endif
#ifndef PUBLISHES
#define PUBLISHES 4
#endif

mtype = { value, vector, live };

/* Kind, topic, number of the message. The ring with its outbox has room for all. */
chan ring = [PUBLISHES + TOPICS + 1] of { mtype, byte, byte };
#ifdef TWO_WAYS
chan side = [1] of { mtype, byte, byte };
#else
#define side ring
#endif

bool subscribed;       /* the mail SUBSCRIBE */
byte number[TOPICS];   /* of the newest message */
byte retained[TOPICS]; /* number of the retained one; 0: none */
byte collected[TOPICS];
byte visited; /* topics the walk has seen */
bool walking, interest, over;

/* The mail's content, and what is true when it leaves. */
byte sent[TOPICS], truth[TOPICS], newest[TOPICS];
byte published;

inline finish_walk()
{
    byte i;
    d_step {
        for (i : 0 .. TOPICS - 1) {
            sent[i] = collected[i];
            truth[i] = retained[i];
            newest[i] = number[i];
        }
        i = 0;
        walking = false;
        side!vector(0, 0);
        interest = true
    }
}

inline publish(t, retain)
{
    d_step {
        published++;
        number[t]++;
        if
        :: retain -> retained[t] = number[t]
        :: else
        fi;
#ifndef NO_REPLACE
        if
#ifdef REPLACE_ALWAYS
        :: walking && t < visited -> collected[t] = number[t]
#else
        :: walking && t < visited && retain -> collected[t] = number[t]
#endif
        :: else
        fi;
#endif
        if
        :: interest -> ring!live(t, number[t])
        :: else
        fi
    }
}

active proctype owner()
{
    bool begun;

    if
#ifndef REPLY_AFTER_LIVE
    :: interest = true /* of an older subscriber on the same core */
#endif
    :: skip
    fi;
    do
    :: published < PUBLISHES -> publish(0, true)
    :: published < PUBLISHES -> publish(1, true)
    :: published < PUBLISHES -> publish(0, false)
    :: published < PUBLISHES -> publish(1, false)
    :: subscribed && !begun ->
        begun = true;
        walking = true;
#ifdef REPLY_AFTER_LIVE
        interest = true
#endif
    :: walking && visited < TOPICS ->
        d_step {
            collected[visited] = retained[visited];
#ifdef NO_SNAPSHOT
            ring!value(visited, retained[visited]);
#endif
            visited++
        }
    :: walking && visited == TOPICS -> finish_walk()
    :: published == PUBLISHES && begun && !walking -> break
    od;
    over = true
}

active proctype subscriber()
{
    byte last[TOPICS]; /* number of the newest message delivered or known to be older than us */
    byte kept[TOPICS]; /* number of the retained message delivered */
    bool answered;
    byte t, n, i;

    subscribed = true;
    do
    :: ring?value(t, n) -> kept[t] = n
    :: side?vector(t, n) ->
        d_step {
            answered = true;
            for (i : 0 .. TOPICS - 1) {
#ifndef NO_SNAPSHOT
                kept[i] = sent[i];
#endif
                assert(last[i] == 0);         /* nothing live came before it */
                assert(kept[i] == truth[i]); /* and it is not out of date */
                last[i] = newest[i];
            }
        }
    :: ring?live(t, n) ->
        d_step {
            if
#if defined(NO_GATE) || defined(REPLY_AFTER_LIVE)
            :: true ->
#else
            :: answered ->
#endif
                assert(!answered || n == last[t] + 1); /* the next one: none twice, none missed */
                last[t] = n
            :: else
            fi
        }
    :: over && empty(ring) && empty(side) -> break
    od;

    assert(answered);
    for (i : 0 .. TOPICS - 1) {
        assert(last[i] == number[i])
    }
}
