/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics.c -- /metrics: what all cores have counted, in Prometheus' text format 0.0.4.
 *
 * Each core takes a copy of its counters; the page is then written family by family, as fast as
 * the client takes it. Labels are few and ours alone: the core, a reason, a listener. */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/gather.h"
#include "admin/metric.h"
#include "admin/process.h"
#include "admin/text.h"
#include "broker/inspect.h"

struct snapshot {
    uint64_t counter[COUNTERS];
    uint64_t pool_bytes, outbox_bytes, timers;
    struct inspect_log log;
    bool has_log;
};

struct metrics {
    struct gather *gather;
    unsigned next; /* the family to be written: METRICS of metrics.def, then the counters */
};

/* ---- on each core ------------------------------------------------------------------------- */

static void look(void *slot, struct broker *there)
{
    struct snapshot *s = slot;
    const struct core *core = broker_core(there);

    for (enum counter c = 0; c < COUNTERS; c++)
        s->counter[c] = counter_read(&core->counters, c);
    s->pool_bytes = pool_bytes_used(core->pool);
    s->outbox_bytes = mesh_outbox_bytes(core->mesh);
    s->timers = core->wheel.armed;
    s->has_log = inspect_log(there, &s->log);
}

/* ---- families ------------------------------------------------------------------------------- */

static void put_head(struct text *t, const char *name, const char *kind, const char *help)
{
    text_add(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void put_plain(struct text *t, const char *name, uint64_t v)
{
    text_add(t, "%s %" PRIu64 "\n", name, v);
}

/* 0 is what nobody could find out. */
static void put_known(struct text *t, const char *name, uint64_t v)
{
    if (v) put_plain(t, name, v);
}

static uint64_t value_on_core(enum metric_id id, const struct snapshot *s)
{
    switch (id) {
    case METRIC_POOL: return s->pool_bytes;
    case METRIC_OUTBOX: return s->outbox_bytes;
    default: return s->timers;
    }
}

static void put_cores(struct text *t, enum metric_id id, const struct metrics *m)
{
    unsigned cores = admin_of(t->x)->core->cores;

    for (unsigned i = 0; i < cores; i++) {
        const struct snapshot *s = gather_slot(m->gather, i);
        if (!s && id != METRIC_UP) continue;
        text_add(t, "%s{core=\"%u\"} %" PRIu64 "\n", metric_extra(id)->name, i,
                 id == METRIC_UP ? (uint64_t)(s != NULL) : value_on_core(id, s));
    }
}

static void put_commits(struct text *t, const char *name, unsigned core,
                        const struct inspect_log *l)
{
    for (unsigned i = 0; i < INSPECT_COMMIT_STEPS; i++)
        text_add(t, "%s_bucket{core=\"%u\",le=\"%.9g\"} %" PRIu64 "\n", name, core,
                 (double)inspect_commit_ns(i) / 1e9, l->commits_below[i]);
    text_add(t, "%s_bucket{core=\"%u\",le=\"+Inf\"} %" PRIu64 "\n", name, core, l->commits);
    text_add(t, "%s_sum{core=\"%u\"} %.9f\n", name, core, (double)l->commits_ns / 1e9);
    text_add(t, "%s_count{core=\"%u\"} %" PRIu64 "\n", name, core, l->commits);
}

static void put_log(struct text *t, enum metric_id id, const struct metrics *m)
{
    unsigned cores = admin_of(t->x)->core->cores;
    const char *name = metric_extra(id)->name;

    for (unsigned i = 0; i < cores; i++) {
        const struct snapshot *s = gather_slot(m->gather, i);
        if (!s || !s->has_log) continue;
        if (id == METRIC_LOG_COMMIT)
            put_commits(t, name, i, &s->log);
        else
            text_add(t, "%s{core=\"%u\"} %.3f\n", name, i, (double)s->log.recovery_ns / 1e9);
    }
}

static void put_ends(struct text *t, const char *name,
                     int64_t (*end_of)(const struct tls_context *x))
{
    const struct admin_shared *shared = admin_of(t->x)->shared;
    char address[SOCK_ADDR_TEXT];

    for (unsigned i = 0; i < shared->nlisteners; i++) {
        const struct listener *l = &shared->listeners[i];
        const struct tls_context *x = atomic_load_explicit(&l->tls, memory_order_acquire);
        if (x && end_of(x))
            text_add(t, "%s{listener=\"%s\"} %" PRId64 "\n", name,
                     sock_addr_text(&l->addr, address), end_of(x));
    }
}

static void put_extra(struct text *t, enum metric_id id, const struct metrics *m)
{
    const struct metric_extra *e = metric_extra(id);
    struct admin *a = admin_of(t->x);
    uint64_t now_ms = a->core->clock.wall_ms, began_ms = a->shared->began_ms;

    put_head(t, e->name, e->kind, e->help);
    switch (id) {
    case METRIC_BUILD: text_add(t, "%s{version=\"%s\"} 1\n", e->name, a->shared->version); break;
    case METRIC_START: text_add(t, "%s %.3f\n", e->name, (double)began_ms / 1e3); break;
    case METRIC_UPTIME:
        text_add(t, "%s %.3f\n", e->name,
                 now_ms > began_ms ? (double)(now_ms - began_ms) / 1e3 : 0);
        break;
    case METRIC_READY:
        put_plain(t, e->name, atomic_load(&a->shared->ready) && !atomic_load(&a->shared->failed));
        break;
    case METRIC_CORES: put_plain(t, e->name, a->core->cores); break;
    case METRIC_RESIDENT: put_known(t, e->name, process_resident_bytes()); break;
    case METRIC_FILES: put_known(t, e->name, process_open_files(a->shared, a->core)); break;
    case METRIC_FILES_MAX: put_plain(t, e->name, process_files_max()); break;
    case METRIC_CERTIFICATE: put_ends(t, e->name, tls_context_expiry); break;
    case METRIC_REVOCATIONS: put_ends(t, e->name, tls_context_crl_expiry); break;
    case METRIC_LOG_COMMIT:
    case METRIC_LOG_RECOVERY: put_log(t, id, m); break;
    default: put_cores(t, id, m);
    }
}

static void put_counter(struct text *t, enum counter c, const struct metrics *m)
{
    struct metric f = metric_of(c);
    unsigned cores = admin_of(t->x)->core->cores;

    for (unsigned i = 0; i < cores; i++) {
        const struct snapshot *s = gather_slot(m->gather, i);
        if (!s) continue;
        text_add(t, "%s{core=\"%u\"", f.name, i);
        if (f.label) text_add(t, ",%s=\"%s\"", f.label, f.value);
        text_add(t, "} %" PRIu64 "\n", s->counter[c]);
    }
}

static void put_family(struct text *t, enum counter first, const struct metrics *m)
{
    struct metric f = metric_of(first);

    if (!metric_is_first(first)) return;
    put_head(t, f.name, f.kind, f.help);
    for (enum counter c = first; c < COUNTERS; c++)
        if (metric_same(first, c)) put_counter(t, c, m);
}

/* ---- the page ---------------------------------------------------------------------------------
 */

static void destroy(struct metrics *m)
{
    gather_release(&m->gather);
    free(m);
}

/* As many families as there is room for. */
static void go_on(struct http_exchange *x)
{
    struct metrics *m = x->work;
    struct text t = text_resume(x);

    for (; m->next < METRICS + COUNTERS && http_has_room(x); m->next++) {
        if (m->next < METRICS)
            put_extra(&t, (enum metric_id)m->next, m);
        else
            put_family(&t, (enum counter)(m->next - METRICS), m);
    }
    text_flush(&t);
    if (m->next < METRICS + COUNTERS) {
        http_more(x);
        return;
    }
    destroy(m);
    http_end(x);
}

static void on_cancel(struct http_exchange *x)
{
    destroy(x->work);
}

static void done(struct gather *g, void *owner)
{
    struct http_exchange *x = owner;

    (void)g;
    http_begin(x, &(struct http_answer){.status = 200,
                                        .type = BYTES("text/plain; version=0.0.4; charset=utf-8")});
    go_on(x);
}

void admin_on_metrics(struct http_exchange *x)
{
    static const struct http_later later = {.on_room = go_on, .on_cancel = on_cancel};
    static const struct gather_question question = {
        .slot_bytes = sizeof(struct snapshot),
        .look = look,
        .done = done,
    };
    struct metrics *m = calloc(1, sizeof *m);

    if (m) m->gather = gather_new(admin_of(x), &question, x);
    if (!m || !m->gather) {
        free(m);
        http_refuse(x, 503, "out of memory");
        return;
    }
    x->work = m;
    x->later = &later;
    gather_send(m->gather);
}
