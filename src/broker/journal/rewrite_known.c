/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite_known.c -- what the old logs knew of QoS 2 messages that are in doubt, for their
 * sessions.
 *
 * Sessions of several old logs come to one new core, and a message in doubt may have been in the
 * one log and not in the other. So the sessions of an old log become a cohort, and what their log
 * knew is known for them alone. Sessions that were a cohort already knew that as well, from before.
 * Only what is in doubt counts: cohorts that know nothing of it are none, so that their number does
 * not grow. */
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "broker/journal/origin.h"
#include "broker/journal/rewrite_internal.h"
#include "store/bytes64.h"

/* ---- in doubt ---------------------------------------------------------------------------- */

static uint64_t origin_of_session(const struct image_session *s)
{
    return origin_of(s->r.tenant, s->r.client_id);
}

static int note_doubts(struct rewriting *w, const struct image_session *s)
{
    int err = 0;
    for (struct image_received *x = s->received; x && err == 0; x = x->next)
        if (!x->accepted)
            err = table_add(&w->doubts, hash_pair(origin_of_session(s), x->serial), x);
    return err < 0 ? -ERR_NOMEM : 0;
}

int rewrite_doubts(struct rewriting *w)
{
    int err = 0;
    for (unsigned i = 0; i < w->nold && err == 0; i++)
        for (const struct image_session *s = w->old[i].image.sessions; s && err == 0; s = s->next)
            err = note_doubts(w, s);
    return err;
}

static bool in_doubt(const struct rewriting *w, uint64_t origin, uint64_t serial)
{
    struct table_iter it = table_seek(&w->doubts, hash_pair(origin_client(origin), serial));
    for (const struct image_received *x; (x = table_next(&w->doubts, &it)) != NULL;)
        if (x->serial == serial && origin_of_session(x->session) == origin_client(origin))
            return true;
    return false;
}

/* ---- cohorts --------------------------------------------------------------------------------- */

/* Is this known to sessions that had that cohort? */
static bool is_for(const struct image_origin *x, uint32_t was)
{
    uint32_t cohort;
    if ((uint32_t)x->origin == ORIGIN_OF_SESSIONS) return true;
    return origin_is_of_cohort(x->origin, &cohort) && cohort == was && was != 0;
}

static bool knows_any(const struct rewriting *w, const struct rewrite_old *old, uint32_t was)
{
    for (const struct image_origin *x = old->image.origins; x; x = x->next)
        for (uint32_t i = 0; is_for(x, was) && i < x->n; i++)
            if (in_doubt(w, x->origin, x->serial[i])) return true;
    return false;
}

int rewrite_cohort(struct rewriting *w, struct rewrite_old *old, uint32_t was, uint32_t *cohort)
{
    for (uint32_t i = 0; i < old->ncohorts; i++)
        if (old->cohort[i].was == was) {
            *cohort = old->cohort[i].is;
            return 0;
        }
    size_t bytes = (old->ncohorts + 1) * sizeof *old->cohort;
    struct rewrite_cohort *more = realloc(old->cohort, bytes);
    if (!more) return -ERR_NOMEM;
    old->cohort = more;
    *cohort = knows_any(w, old, was) ? ++w->cohort : 0;
    old->cohort[old->ncohorts++] = (struct rewrite_cohort){.was = was, .is = *cohort};
    return 0;
}

/* ---- into the new logs --------------------------------------------------------------------------
 */

/* To all cores that have got sessions of the old log. */
static int put(struct rewriting *w, const struct image_origin *x, uint64_t origin)
{
    uint8_t *serials = malloc(8 * (size_t)x->n + 1);
    if (!serials) return -ERR_NOMEM;
    struct writer out = wr_of(serials, 8 * (size_t)x->n);
    struct record_buf b;
    struct record_origin r = {.origin = origin, .serials = serials};
    for (uint32_t i = 0; i < x->n; i++)
        if (in_doubt(w, x->origin, x->serial[i])) {
            wr_u64be(&out, x->serial[i]);
            r.nserials++;
        }
    record_put_origin(&b, &r);
    int err = 0;
    for (unsigned i = 0; i < w->r->cores && r.nserials && err == 0; i++)
        if (w->new[i].has_session) err = rewrite_put(w, i, &b, NULL);
    free(serials);
    return err;
}

/* A group, and what is retained, is known wherever any core knew it: they are asked as one. */
static bool is_common(const struct image_origin *x)
{
    return x->origin & ORIGIN_OF_GROUP || (uint32_t)x->origin == ORIGIN_OF_RETAINED;
}

int rewrite_known(struct rewriting *w, struct rewrite_old *old)
{
    int err = 0;
    for (const struct image_origin *x = old->image.origins; x && err == 0; x = x->next) {
        if (is_common(x)) err = put(w, x, x->origin);
        for (uint32_t i = 0; i < old->ncohorts && err == 0; i++)
            if (old->cohort[i].is && is_for(x, old->cohort[i].was))
                err = put(w, x, origin_for_cohort(x->origin, old->cohort[i].is));
    }
    return err;
}

void rewrite_known_fini(struct rewriting *w)
{
    for (unsigned i = 0; w->old && i < w->nold; i++)
        free(w->old[i].cohort);
    table_fini(&w->doubts);
}
