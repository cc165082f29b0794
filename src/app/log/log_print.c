/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/log/log_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/log/log_record.h"
#include "base/assert.h"
#include "broker/journal/record.h"

void log_look_begin(struct log_look *l, unsigned core)
{
    *l = (struct log_look){.verb = l->verb, .json = l->json, .damaged = l->damaged, .core = core};
}

static void add(struct log_sum *s, uint32_t bytes)
{
    s->records++;
    s->bytes += bytes;
}

/* ---- records ---------------------------------------------------------------------- */

static void print_hex(const char *name, struct bytes b)
{
    printf(",\"%s\":\"", name);
    for (size_t i = 0; i < b.n; i++)
        printf("%02x", b.p[i]);
    putchar('"');
}

static const char *where(const struct store_record *r)
{
    if (r->snapshot) return "snapshot";
    return r->old ? "old" : "log";
}

static void dump_json(const struct log_look *l, const struct store_record *r)
{
    printf("{\"core\":%u,\"where\":\"%s\"", l->core, where(r));
    if (!r->snapshot)
        printf(",\"segment\":%u,\"offset\":%u", (unsigned)(r->ref.pos >> 32), (uint32_t)r->ref.pos);
    printf(",\"bytes\":%" PRIu32 ",\"type\":%u,\"name\":\"%s\",\"version\":%u,\"kept\":%s",
           r->ref.bytes, r->type, record_name(r->type), r->version, r->kept ? "true" : "false");
    if (r->moved_from)
        printf(",\"moved_from\":{\"segment\":%u,\"offset\":%u}", (unsigned)(r->moved_from >> 32),
               (uint32_t)r->moved_from);
    print_hex("key", r->key);
    print_hex("body", r->body);
    puts("}");
}

static void print_raw(const struct store_record *r)
{
    printf("type %u.%u%s  key ", r->type, r->version, r->kept ? " kept" : "");
    log_print_text(r->key);
    printf("  %zu bytes ", r->body.n);
    log_print_text(r->body);
}

static void dump_text(const struct log_look *l, const struct store_record *r)
{
    printf("core %u  %-8s ", l->core, where(r));
    if (!r->snapshot) printf("%08x:%-9u ", (unsigned)(r->ref.pos >> 32), (uint32_t)r->ref.pos);
    if (!log_print_words(r)) print_raw(r);
    if (r->moved_from)
        printf("  moved from %08x:%u", (unsigned)(r->moved_from >> 32), (uint32_t)r->moved_from);
    putchar('\n');
}

int log_on_record(void *look, const struct store_record *r)
{
    struct log_look *l = look;
    ASSERT(r->type <= STORE_TYPE_MAX);
    add(&l->by_type[r->type], r->ref.bytes);
    if (r->kept) add(&l->kept, r->ref.bytes);
    if (r->snapshot) add(&l->snapshot, r->ref.bytes);
    if (r->old) add(&l->old, r->ref.bytes);
    if (l->verb == LOG_DUMP) l->json ? dump_json(l, r) : dump_text(l, r);
    return 0;
}

/* ---- findings ----------------------------------------------------------------------- */

void log_on_found(void *look, const struct store_finding *f)
{
    static const char *const kinds[] = {
        [FOUND_TORN] = "torn",           [FOUND_DAMAGED] = "damaged",
        [FOUND_TRUNCATED] = "truncated", [FOUND_MISSING] = "missing",
        [FOUND_BAD_HEADER] = "header",   [FOUND_UNREADABLE] = "unreadable",
    };
    struct log_look *l = look;

    l->findings++;
    if (!f->harmless) l->damaged = true;
    if (l->json) /* texts have no characters that JSON would want escaped */
        printf("{\"core\":%u,\"finding\":\"%s\",\"harmless\":%s,\"file\":\"%s\",\"offset\":%" PRIu64
               ",\"bytes\":%" PRIu64 ",\"text\":\"%s\"}\n",
               l->core, kinds[f->kind], f->harmless ? "true" : "false", f->file, f->offset,
               f->bytes, f->text);
    else
        printf("%s: %s\n", f->harmless ? "note" : "damage", f->text);
}

/* ---- sums ------------------------------------------------------------------------------ */

static struct log_sum total(const struct log_look *l)
{
    struct log_sum t = {0};
    for (unsigned i = 0; i <= STORE_TYPE_MAX; i++) {
        t.records += l->by_type[i].records;
        t.bytes += l->by_type[i].bytes;
    }
    return t;
}

static void stat_json(const struct log_look *l, const struct store_stats *t)
{
    const char *comma = "";
    struct log_sum all = total(l);
    printf("{\"core\":%u,\"segments\":%u,\"disk_bytes\":%" PRIu64 ",\"records\":%" PRIu64
           ",\"record_bytes\":%" PRIu64 ",\"kept_bytes\":%" PRIu64 ",\"snapshot_bytes\":%" PRIu64
           ",\"old_bytes\":%" PRIu64 ",\"findings\":%u,\"types\":{",
           l->core, t->segments, t->disk_bytes, all.records, all.bytes, l->kept.bytes,
           l->snapshot.bytes, l->old.bytes, l->findings);
    for (unsigned i = 0; i <= STORE_TYPE_MAX; i++) {
        if (!l->by_type[i].records) continue;
        printf("%s\"%u\":{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", comma, i,
               l->by_type[i].records, l->by_type[i].bytes);
        comma = ",";
    }
    puts("}}");
}

static void stat_text(const struct log_look *l, const struct store_stats *t)
{
    struct log_sum all = total(l);
    printf("core %u: %u segments, %" PRIu64 " bytes on disk\n", l->core, t->segments,
           t->disk_bytes);
    printf("  %-15s %12s %14s\n", "", "records", "bytes");
    printf("  %-15s %12" PRIu64 " %14" PRIu64 "\n", "all", all.records, all.bytes);
    printf("  %-15s %12" PRIu64 " %14" PRIu64 "\n", "kept", l->kept.records, l->kept.bytes);
    printf("  %-15s %12" PRIu64 " %14" PRIu64 "\n", "snapshot", l->snapshot.records,
           l->snapshot.bytes);
    printf("  %-15s %12" PRIu64 " %14" PRIu64 "\n", "old", l->old.records, l->old.bytes);
    for (unsigned i = 0; i <= STORE_TYPE_MAX; i++)
        if (l->by_type[i].records)
            printf("  %2u %-12s %12" PRIu64 " %14" PRIu64 "\n", i, record_name((uint8_t)i),
                   l->by_type[i].records, l->by_type[i].bytes);
}

void log_look_end(struct log_look *l, struct store_stats t)
{
    if (l->verb == LOG_STAT) l->json ? stat_json(l, &t) : stat_text(l, &t);
    if (l->verb == LOG_CHECK && !l->json)
        printf("core %u: %" PRIu64 " records checked, %u finding%s\n", l->core, total(l).records,
               l->findings, l->findings == 1 ? "" : "s");
}
