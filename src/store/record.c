/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/record.h"

#include "base/assert.h"
#include "store/bytes64.h"
#include "store/crc32c.h"

enum { AT_BODY_SUM = 4, AT_FLAGS = 23, KEY_MAX = UINT16_MAX };

static size_t padding(size_t n)
{
    return (RECORD_ALIGN - n % RECORD_ALIGN) % RECORD_ALIGN;
}

static size_t payload_bytes(const struct record *r, const struct record_parts *p)
{
    size_t n = p->key.n + (r->flags & RECORD_MOVED ? 8 : 0);
    for (unsigned i = 0; i < p->nparts; i++)
        n += p->part[i].n;
    return n;
}

uint32_t record_size(const struct record *r, const struct record_parts *p)
{
    size_t n = payload_bytes(r, p);
    if (p->key.n > KEY_MAX || n > INT32_MAX) return 0;
    return (uint32_t)(RECORD_HEAD + n + padding(n));
}

uint32_t record_seed(uint64_t log_id)
{
    uint8_t id[8];
    struct writer w = wr_of(id, sizeof id);
    wr_u64be(&w, log_id);
    return crc32c(0, bytes_of(id, sizeof id));
}

static uint32_t head_sum(const uint8_t *head, uint32_t seed, uint64_t pos)
{
    uint8_t at[8];
    struct writer w = wr_of(at, sizeof at);
    wr_u64be(&w, pos);
    return crc32c(crc32c(seed, bytes_of(at, sizeof at)), bytes_of(head + 4, RECORD_HEAD - 4));
}

static void write_head_sum(uint8_t *head, uint32_t seed, uint64_t pos)
{
    struct writer w = wr_of(head, 4);
    wr_u32be(&w, head_sum(head, seed, pos));
}

void record_write(uint8_t *out, uint32_t seed, uint64_t pos, const struct record *r,
                  const struct record_parts *p)
{
    static const uint8_t zeros[RECORD_ALIGN];
    size_t n = payload_bytes(r, p);
    struct writer w = wr_of(out, RECORD_HEAD + n + padding(n));

    wr_u32be(&w, 0); /* the sums come last */
    wr_u32be(&w, 0);
    wr_u32be(&w, (uint32_t)n);
    wr_u16be(&w, (uint16_t)p->key.n);
    wr_u8(&w, r->type);
    wr_u8(&w, r->version);
    wr_u64be(&w, r->commit << 8 | r->flags);
    if (r->flags & RECORD_MOVED) wr_u64be(&w, r->moved_from);
    wr_bytes(&w, p->key);
    for (unsigned i = 0; i < p->nparts; i++)
        wr_bytes(&w, p->part[i]);
    wr_bytes(&w, bytes_of(zeros, padding(n)));
    ASSERT(!w.bad);

    struct writer sum = wr_of(out + AT_BODY_SUM, 4);
    wr_u32be(&sum, crc32c(0, bytes_of(out + RECORD_HEAD, wr_len(&w) - RECORD_HEAD)));
    write_head_sum(out, seed, pos);
}

void record_add_flags(uint8_t *out, uint32_t seed, uint64_t pos, uint8_t flags)
{
    out[AT_FLAGS] |= flags;
    write_head_sum(out, seed, pos);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i]) return false;
    return true;
}

static enum record_state read_body(struct bytes in, uint32_t payload, struct record *r)
{
    struct reader body = rd_of(in);
    rd_take(&body, RECORD_HEAD);
    struct bytes padded = rd_take(&body, r->bytes - RECORD_HEAD);
    struct reader head = rd_of(bytes_of(in.p + AT_BODY_SUM, 10));
    uint32_t sum = rd_u32be(&head);
    rd_u32be(&head);
    uint16_t key = rd_u16be(&head);

    if (body.bad || crc32c(0, padded) != sum) return RECORD_BAD_BODY;
    body = rd_of(bytes_of(padded.p, payload));
    if (r->flags & RECORD_MOVED) r->moved_from = rd_u64be(&body);
    r->key = rd_take(&body, key);
    r->body = rd_rest(&body);
    return body.bad ? RECORD_BAD_BODY : RECORD_GOOD;
}

enum record_state record_read(struct bytes in, uint32_t seed, uint64_t pos, struct record *r)
{
    struct reader head = rd_of(in);
    *r = (struct record){0};
    if (in.n < RECORD_HEAD) return all_zero(in.p, in.n) ? RECORD_NONE : RECORD_BAD_HEAD;

    uint32_t sum = rd_u32be(&head);
    rd_u32be(&head);
    uint32_t payload = rd_u32be(&head);
    rd_u16be(&head);
    r->type = rd_u8(&head);
    r->version = rd_u8(&head);
    uint64_t last = rd_u64be(&head);
    if (r->type == 0 && all_zero(in.p, RECORD_HEAD)) return RECORD_NONE;
    if (r->type == 0 || payload > INT32_MAX || sum != head_sum(in.p, seed, pos))
        return RECORD_BAD_HEAD;
    r->commit = last >> 8;
    r->flags = (uint8_t)last;
    r->bytes = (uint32_t)(RECORD_HEAD + payload + padding(payload));
    return read_body(in, payload, r);
}

size_t record_find(struct bytes in, size_t from, uint32_t seed, uint64_t pos, unsigned shift)
{
    struct record r;
    for (size_t at = from; at + RECORD_HEAD <= in.n; at += RECORD_ALIGN)
        if (record_read(bytes_skip(in, at), seed, pos + (at >> shift), &r) == RECORD_GOOD)
            return at;
    return in.n;
}
