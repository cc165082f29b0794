/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/bytes64.h"
#include "store/crc32c.h"

enum { VERSION = 1, MAGIC_BYTES = 8, SUM_AT = SEGMENT_HEAD - 4 };

static const char magic[] = "PinionLg";

void segment_head_write(uint8_t out[SEGMENT_HEAD], const struct segment_head *h)
{
    ASSERT(out); /* or gcc -O3 warns of wr_of(NULL) */
    struct writer w = wr_of(out, SUM_AT), sum = wr_of(out + SUM_AT, 4);

    memset(out, 0, SEGMENT_HEAD);
    wr_bytes(&w, bytes_of(magic, MAGIC_BYTES));
    wr_u16be(&w, VERSION);
    wr_u16be(&w, (uint16_t)h->kind);
    wr_u32be(&w, h->seq);
    wr_u32be(&w, h->capacity);
    wr_u64be(&w, h->log_id);
    wr_u32be(&sum, crc32c(0, bytes_of(out, SUM_AT)));
}

int segment_head_read(struct bytes in, uint64_t log_id, struct segment_head *h)
{
    struct reader r = rd_of(in);
    struct bytes head = rd_take(&r, SUM_AT);
    uint32_t sum = rd_u32be(&r);

    if (r.bad || crc32c(0, head) != sum) return -ERR_CORRUPT;
    r = rd_of(head);
    if (!bytes_eq(rd_take(&r, MAGIC_BYTES), bytes_of(magic, MAGIC_BYTES))) return -ERR_CORRUPT;
    if (rd_u16be(&r) != VERSION) return -ERR_UNSUPPORTED;
    h->kind = (enum segment_kind)rd_u16be(&r);
    h->seq = rd_u32be(&r);
    h->capacity = rd_u32be(&r);
    h->log_id = rd_u64be(&r);
    return h->log_id == log_id ? 0 : -ERR_CORRUPT;
}

const char *segment_name(char out[SEGMENT_NAME], enum segment_kind kind, uint32_t seq)
{
    snprintf(out, SEGMENT_NAME, kind == SEGMENT_LOG ? "%08" PRIx32 ".log" : "snapshot-%08" PRIx32,
             seq);
    return out;
}

bool segment_name_read(const char *name, enum segment_kind *kind, uint32_t *seq)
{
    char again[SEGMENT_NAME];
    *kind = name[0] == 's' ? SEGMENT_SNAPSHOT : SEGMENT_LOG;
    const char *format = *kind == SEGMENT_LOG ? "%8" SCNx32 : "snapshot-%8" SCNx32;
    return sscanf(name, format, seq) == 1 && strcmp(segment_name(again, *kind, *seq), name) == 0;
}
