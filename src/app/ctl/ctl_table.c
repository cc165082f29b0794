/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/ctl/ctl_table.h"

#include <stdint.h>
#include <string.h>

/* How many bytes of UTF-8 make the next character, whose text is well-formed. */
static size_t length_of(unsigned char c)
{
    return c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
}

/* Controls of ASCII and of Latin-1, which terminals obey too. */
static bool is_control(const unsigned char *p, size_t left)
{
    return p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && left > 1 && p[1] < 0xA0);
}

static void put_text(const char *text, size_t n, char out[CTL_CELL_MAX])
{
    size_t at = 0;

    for (size_t i = 0; i < n && at + 16 < CTL_CELL_MAX;) {
        const unsigned char *p = (const unsigned char *)text + i;
        size_t len = length_of(*p);
        if (is_control(p, n - i)) {
            at += (size_t)snprintf(out + at, 16, "\\x%02x", (unsigned)p[len - 1]);
        } else {
            memcpy(out + at, p, len);
            at += len;
        }
        i += len;
    }
    out[at] = '\0';
}

static const json_t *member_of(const json_t *row, const char *member)
{
    const char *dot = strchr(member, '.');
    char first[64];

    if (!dot) return json_object_get(row, member);
    snprintf(first, sizeof first, "%.*s", (int)(dot - member), member);
    return member_of(json_object_get(row, first), dot + 1);
}

static void put_value(const json_t *v, char out[CTL_CELL_MAX])
{
    if (json_is_string(v) && json_string_length(v) > 0)
        put_text(json_string_value(v), json_string_length(v), out);
    else if (json_is_integer(v))
        snprintf(out, CTL_CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, CTL_CELL_MAX, "%.3f", json_real_value(v));
    else if (json_is_boolean(v))
        snprintf(out, CTL_CELL_MAX, "%s", json_is_true(v) ? "yes" : "no");
    else
        snprintf(out, CTL_CELL_MAX, "-");
}

void ctl_cell(const json_t *row, const char *member, char out[CTL_CELL_MAX])
{
    put_value(json_is_string(row) && !*member ? row : member_of(row, member), out);
}

/* Characters, not bytes. */
static unsigned width_of(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void put_cell(FILE *out, const char *text, unsigned width, bool last)
{
    fputs(text, out);
    for (unsigned n = width_of(text); !last && n < width + 2; n++)
        fputc(' ', out);
    if (last) fputc('\n', out);
}

static unsigned column_width(const struct ctl_column *column, const json_t *rows)
{
    unsigned widest = width_of(column->heading);
    char cell[CTL_CELL_MAX];

    for (size_t i = 0; i < json_array_size(rows); i++) {
        ctl_cell(json_array_get(rows, i), column->member, cell);
        if (width_of(cell) > widest) widest = width_of(cell);
    }
    return widest;
}

size_t ctl_table(FILE *out, const struct ctl_column *columns, const json_t *rows, bool headings)
{
    unsigned width[CTL_COLUMNS_MAX], n = 0;
    char cell[CTL_CELL_MAX];

    for (; n < CTL_COLUMNS_MAX && columns[n].heading; n++)
        width[n] = column_width(&columns[n], rows);
    for (unsigned c = 0; headings && c < n; c++)
        put_cell(out, columns[c].heading, width[c], c + 1 == n);
    for (size_t i = 0; i < json_array_size(rows); i++)
        for (unsigned c = 0; c < n; c++) {
            ctl_cell(json_array_get(rows, i), columns[c].member, cell);
            put_cell(out, cell, width[c], c + 1 == n);
        }
    return json_array_size(rows);
}

void ctl_members(FILE *out, const json_t *object)
{
    char cell[CTL_CELL_MAX];
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        if (json_is_object(v) || json_is_array(v)) continue;
        put_value(v, cell);
        fprintf(out, "%-24s %s\n", name, cell);
    }
}
