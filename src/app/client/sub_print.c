/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/client/sub_print.h"

#include <string.h>

const char *sub_format_check(const char *format)
{
    for (const char *p = format; *p; p++) {
        if (*p != '%' && *p != '\\') continue;
        const char *known = *p == '%' ? "tpqrl%" : "nt\\";
        if (!p[1] || !strchr(known, p[1])) return p;
        p++;
    }
    return NULL;
}

static void put(FILE *out, struct bytes b)
{
    if (b.n) fwrite(b.p, 1, b.n, out);
}

static void put_field(FILE *out, char which, const struct mqtt_publish *p)
{
    switch (which) {
    case 't': put(out, p->topic); break;
    case 'p': put(out, p->payload); break;
    case 'q': fprintf(out, "%u", p->qos); break;
    case 'r': fputc(p->retain ? '1' : '0', out); break;
    case 'l': fprintf(out, "%zu", p->payload.n); break;
    default: fputc(which, out);
    }
}

void sub_print(FILE *out, const char *format, const struct mqtt_publish *p)
{
    for (const char *f = format; *f; f++) {
        if (*f == '%')
            put_field(out, *++f, p);
        else if (*f == '\\')
            fputc(*++f == 'n' ? '\n' : *f == 't' ? '\t' : *f, out);
        else
            fputc(*f, out);
    }
}
