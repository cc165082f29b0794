/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/scram_text.h"

#include "base/utf8.h"

/* ---- pieces --------------------------------------------------------------------------------- */

/* Up to the next comma or the end; moves `in` to the comma. */
static struct bytes take_value(struct bytes *in)
{
    const uint8_t *comma = in->n ? memchr(in->p, ',', in->n) : NULL;
    struct bytes value = bytes_of(in->p, comma ? (size_t)(comma - in->p) : in->n);

    *in = bytes_skip(*in, value.n);
    return value;
}

static bool skip_text(struct bytes *in, struct bytes text)
{
    if (!bytes_starts(*in, text)) return false;
    *in = bytes_skip(*in, text.n);
    return true;
}

/* "X=VALUE" with a value of at least one character. */
static bool take_attribute(struct bytes *in, struct bytes name, struct bytes *value)
{
    if (!skip_text(in, name)) return false;
    *value = take_value(in);
    return value->n > 0;
}

/* [RFC5802-7] printable, which leaves the comma out; take_value() has done so. */
static bool is_printable(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < 0x21 || b.p[i] > 0x7E) return false;
    return true;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* [RFC5802-7] extensions, up to the end: optional ones are allowed and mean nothing to us; "m" is
 * one that is not [RFC5802-5.1]. */
static bool skip_extensions(struct bytes in)
{
    while (in.n > 0) {
        if (in.n < 4 || in.p[0] != ',' || !is_letter(in.p[1]) || in.p[2] != '=') return false;
        if (in.p[1] == 'm') return false;
        in = bytes_skip(in, 3);
        if (take_value(&in).n == 0) return false;
    }
    return true;
}

/* ---- the first message ------------------------------------------------------------------------
 */

/* [RFC5802-7] gs2-header. */
static const char *read_gs2(struct scram_client_first *m, struct bytes *in)
{
    struct bytes start = *in;

    /* [RFC5802-6] We offer no mechanism that binds to a channel: who insists on it ("p=") can't be
     * served, and who thinks that we don't ("y") is right. */
    if (bytes_starts(*in, BYTES("p="))) return SCRAM_E_BINDING;
    if (!skip_text(in, BYTES("n,")) && !skip_text(in, BYTES("y,"))) return SCRAM_E_OTHER;
    if (bytes_starts(*in, BYTES("a=")) && !take_attribute(in, BYTES("a="), &m->authzid))
        return SCRAM_E_OTHER;
    if (!skip_text(in, BYTES(","))) return SCRAM_E_OTHER;
    m->gs2 = bytes_of(start.p, start.n - in->n);
    return NULL;
}

const char *scram_read_first(struct scram_client_first *m, struct bytes in)
{
    *m = (struct scram_client_first){.gs2 = {.n = 0}};
    if (!utf8_valid(in)) return SCRAM_E_ENCODING; /* and no U+0000 */
    const char *why = read_gs2(m, &in);
    if (why) return why;
    m->bare = in;
    if (bytes_starts(in, BYTES("m="))) return SCRAM_E_EXTENSION; /* [RFC5802-5.1] mandatory */
    if (!take_attribute(&in, BYTES("n="), &m->user)) return SCRAM_E_OTHER;
    if (!take_attribute(&in, BYTES(",r="), &m->nonce)) return SCRAM_E_OTHER;
    if (!is_printable(m->nonce) || !skip_extensions(in)) return SCRAM_E_OTHER;
    return NULL;
}

bool scram_put_name(struct writer *w, struct bytes saslname)
{
    while (saslname.n > 0) { /* [RFC5802-5.1] */
        uint8_t c = saslname.p[0];
        if (c != '=')
            saslname = bytes_skip(saslname, 1);
        else if (skip_text(&saslname, BYTES("=2C")))
            c = ',';
        else if (!skip_text(&saslname, BYTES("=3D")))
            return false;
        wr_u8(w, c);
    }
    return !w->bad;
}

/* ---- the last message ---------------------------------------------------------------------------
 */

const char *scram_read_final(struct scram_client_final *m, struct bytes in)
{
    struct bytes start = in;

    *m = (struct scram_client_final){.without_proof = {.n = 0}};
    if (!utf8_valid(in)) return SCRAM_E_ENCODING;
    if (!take_attribute(&in, BYTES("c="), &m->binding)) return SCRAM_E_OTHER;
    if (!take_attribute(&in, BYTES(",r="), &m->nonce)) return SCRAM_E_OTHER;
    while (in.n > 0 && !bytes_starts(in, BYTES(",p="))) { /* extensions, then the proof */
        struct bytes one = bytes_skip(in, 1);
        one = bytes_of(in.p, 1 + take_value(&one).n);
        if (!skip_extensions(one)) return SCRAM_E_OTHER;
        in = bytes_skip(in, one.n);
    }
    m->without_proof = bytes_of(start.p, start.n - in.n);
    if (!take_attribute(&in, BYTES(",p="), &m->proof) || in.n > 0) return SCRAM_E_OTHER;
    return NULL;
}
