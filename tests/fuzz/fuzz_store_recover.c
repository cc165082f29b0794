/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery of a log whose only segment is the input, behind a good header or not: it ends, stays
 * within its bytes, gives no record twice, and what it has cut off stays so: a second recovery
 * finds the same records and nothing torn.
 *
 * The first byte says what is mended first: header, sums of records; so that the fuzzer gets behind
 * them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/record.h"
#include "store/segment.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 16, SEGMENT = 1, LAYOUT, DIRECTORY, NONE };

/* One directory with one segment; everything else can be written and is forgotten. */
struct tiny_disk {
    uint8_t bytes[ROOM];
    size_t size;
    bool removed, frozen, more; /* frozen: writes are lost; more: there is a second segment */
};

static int t_open_dir(void *ctx, int at, const char *name, bool create)
{
    (void)ctx, (void)at, (void)name, (void)create;
    return DIRECTORY;
}

static int t_list(void *ctx, int dir, io_name_fn *fn, void *arg)
{
    const struct tiny_disk *d = ctx;
    (void)dir;
    if (!d->removed) fn(arg, "00000001.log");
    return 0;
}

static int t_name(void *ctx, int dir, const char *from, const char *to)
{
    struct tiny_disk *d = ctx;
    (void)dir, (void)from, (void)to;
    d->more = true;
    return 0;
}

static int t_unlink(void *ctx, int dir, const char *name)
{
    struct tiny_disk *d = ctx;
    (void)dir;
    if (strcmp(name, "00000001.log") == 0) d->removed = true;
    return 0;
}

static int t_open(void *ctx, int dir, const char *name, enum io_how how)
{
    const struct tiny_disk *d = ctx;
    (void)dir;
    if (how == IO_CREATE) return NONE;
    return strcmp(name, "00000001.log") == 0 && !d->removed ? SEGMENT : -ENOENT;
}

static int t_fd(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static void t_close(void *ctx, int fd)
{
    (void)ctx, (void)fd;
}

static int64_t t_size(void *ctx, int fd)
{
    const struct tiny_disk *d = ctx;
    return fd == SEGMENT ? (int64_t)d->size : 0;
}

static int64_t t_read(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    const struct tiny_disk *d = ctx;
    if (fd != SEGMENT || offset >= d->size) return 0;
    if (n > d->size - offset) n = d->size - offset;
    memcpy(buf, d->bytes + offset, n);
    return (int64_t)n;
}

static int64_t t_write(void *ctx, int fd, const void *buf, size_t n, uint64_t offset)
{
    struct tiny_disk *d = ctx;
    if (fd != SEGMENT || d->frozen) return (int64_t)n;
    ASSERT(offset + n <= d->size + RECORD_SEAL_BYTES); /* a seal has room even in one cut short */
    if (offset + n > ROOM) return -ENOSPC;
    memcpy(d->bytes + offset, buf, n);
    if (offset + n > d->size) d->size = offset + n;
    return (int64_t)n;
}

struct seen {
    unsigned records, torn, damaged;
    uint64_t last, sum;
};

static int on_record(void *ctx, const struct store_record *r)
{
    struct seen *s = ctx;
    ASSERT(r->ref.pos > s->last);
    s->last = r->ref.pos;
    s->records++;
    for (size_t i = 0; i < r->key.n; i++)
        s->sum += r->key.p[i];
    for (size_t i = 0; i < r->body.n; i++)
        s->sum = s->sum * 31 + r->body.p[i];
    return 0;
}

static void on_found(void *ctx, const struct store_finding *f)
{
    struct seen *s = ctx;
    f->harmless ? s->torn++ : s->damaged++;
    ASSERT(f->text[0]);
}

static int recover(const struct store_io *io, bool salvage, struct seen *seen)
{
    static const struct clock clock;
    const struct store_dir dir = {.io = io, .fd = DIRECTORY, .id = 1, .generation = 1, .cores = 1};
    struct disk *disk = disk_new_inline(io);
    const struct store_options o = {.io = io,
                                    .disk = disk,
                                    .dir = &dir,
                                    .generation = 1,
                                    .clock = &clock,
                                    .segment_bytes = STORE_SEGMENT_MIN,
                                    .salvage = salvage};
    struct store *s = store_new(&o);
    *seen = (struct seen){0};
    ASSERT(disk && s);
    int err = store_recover(
        s, &(struct store_replay){.ctx = seen, .record = on_record, .found = on_found});
    ASSERT(err == 0 || *store_why(s));
    struct tiny_disk *d = io->ctx; /* no mark of a good end: as after a crash */
    d->frozen = true;
    store_close(&s);
    d->frozen = false;
    disk_free(&disk);
    return err;
}

/* Gives everything that could be a record sums that are right. */
static void mend_records(struct tiny_disk *d, uint32_t seed)
{
    uint64_t commit = 1;
    for (size_t at = SEGMENT_HEAD; at + RECORD_HEAD <= d->size; at += RECORD_ALIGN) {
        struct reader r = rd_of(bytes_of(d->bytes + at + 8, 8));
        uint32_t n = rd_u32be(&r) & 0xFF;
        uint16_t key = rd_u16be(&r);
        const struct record rec = {.type = rd_u8(&r) % 8u ? 9 : 252,
                                   .version = rd_u8(&r),
                                   .flags = d->bytes[at + 23] & 3,
                                   .commit = commit += d->bytes[at + 22] & 1};
        const struct bytes body = bytes_of(d->bytes + at + RECORD_HEAD, n);
        const struct record_parts p = {.part = &body, .nparts = 1};
        uint8_t copy[RECORD_HEAD + 256 + RECORD_ALIGN];
        uint32_t bytes = record_size(&rec, &p);
        if (key % 4 == 0 || at + bytes > d->size) continue;
        record_write(copy, seed, position_of(1, (uint32_t)at), &rec, &p);
        memcpy(d->bytes + at, copy, bytes);
        at += bytes - RECORD_ALIGN;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tiny_disk d;
    const struct store_io io = {.ctx = &d,
                                .open_dir = t_open_dir,
                                .list = t_list,
                                .rename = t_name,
                                .unlink = t_unlink,
                                .open = t_open,
                                .lock = t_fd,
                                .size = t_size,
                                .pread = t_read,
                                .pwrite = t_write,
                                .sync = t_fd,
                                .forget = t_fd,
                                .close = t_close};
    const struct store_dir dir = {.id = 1};
    uint64_t id = store_dir_log_id(&dir, 0, 1);
    struct seen first, second;

    if (size < 1 || size > ROOM - SEGMENT_HEAD) return 0;
    d.removed = d.more = false;
    d.size = SEGMENT_HEAD + size - 1;
    memset(d.bytes, 0, SEGMENT_HEAD);
    memcpy(d.bytes + SEGMENT_HEAD, data + 1, size - 1);
    if (data[0] & 1)
        segment_head_write(d.bytes, &(struct segment_head){.kind = SEGMENT_LOG,
                                                           .seq = 1,
                                                           .capacity = (uint32_t)d.size,
                                                           .log_id = id});
    if (data[0] & 2) mend_records(&d, record_seed(id));

    bool salvage = data[0] & 4;
    int err = recover(&io, salvage, &first);
    if (d.removed || d.more || err < 0) return 0;
    err = recover(&io, salvage, &second);
    ASSERT(err == 0);
    ASSERT(second.records == first.records && second.sum == first.sum && second.torn == 0);
    return 0;
}
