/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"

enum { ROWS_FIRST = 64 };

static void free_row(struct conn_table *t, uint32_t i)
{
    t->row[i].conn = NULL;
    t->row[i].next_free = 0;
    if (t->free_first)
        t->row[t->free_last].next_free = i;
    else
        t->free_first = i;
    t->free_last = i;
}

static int grow(struct conn_table *t)
{
    uint32_t rows = t->rows ? t->rows * 2 : ROWS_FIRST;

    if (rows > CONN_ROWS_MAX) return -ERR_FULL;
    struct conn_row *row = realloc(t->row, rows * sizeof *row);
    if (!row) return -ERR_NOMEM;
    memset(row + t->rows, 0, (rows - t->rows) * sizeof *row);
    t->row = row;
    for (uint32_t i = t->rows ? t->rows : 1; i < rows; i++)
        free_row(t, i);
    t->rows = rows;
    return 0;
}

int conn_table_add(struct conn_table *t, struct conn *c)
{
    if (!t->free_first) {
        int err = grow(t);
        if (err) return err;
    }
    uint32_t i = t->free_first;
    struct conn_row *r = &t->row[i];

    t->free_first = r->next_free;
    r->conn = c;
    c->id = i | (uint32_t)r->generation << CONN_ROW_BITS;
    t->used++;
    return 0;
}

void conn_table_del(struct conn_table *t, struct conn *c)
{
    uint32_t i = c->id & (CONN_ROWS_MAX - 1);

    ASSERT(i < t->rows && t->row[i].conn == c);
    t->row[i].generation++;
    free_row(t, i);
    t->used--;
}

struct conn *conn_table_find(const struct conn_table *t, uint32_t id)
{
    uint32_t i = id & (CONN_ROWS_MAX - 1);

    if (i >= t->rows || t->row[i].generation != id >> CONN_ROW_BITS) return NULL;
    return t->row[i].conn;
}
