/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/ws.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"

enum ws_state {
    WS_OPENING, /* the request is not complete */
    WS_OPEN,    /* frames come and go */
    WS_REFUSED, /* the request was refused; the answer is all that will be said */
    WS_ENDED,   /* a close frame was said or is due: nothing after it */
};

struct ws {
    const struct ws_options *options;
    uint8_t *request; /* what has come of it, until it is complete */
    size_t nrequest;
    struct ws_request asked;
    uint8_t state;
    bool accept_due;
    bool close_due;
    uint16_t status; /* of the refusal; 0: said, or none */
    uint16_t refused;
    uint16_t code; /* of our close frame */
    struct ws_frames in;
    struct zip_out zipped; /* what has come of a compressed message; none most of the time */
};

struct ws *ws_new(const struct ws_options *o)
{
    struct ws *w = calloc(1, sizeof *w);

    if (w) w->options = o;
    return w;
}

void ws_free(struct ws **wp)
{
    struct ws *w = *wp;

    if (!w) return;
    *wp = NULL;
    free(w->request);
    free(w->zipped.p);
    free(w);
}

bool ws_is_open(const struct ws *w)
{
    return w->state == WS_OPEN || w->state == WS_ENDED;
}

/* ---- in ---------------------------------------------------------------------------------- */

/* Keeps what has come of a request. False: no memory. */
static bool keep_request(struct ws *w, struct bytes b)
{
    uint8_t *p = realloc(w->request, w->nrequest + b.n);

    if (!p) return false;
    memcpy(p + w->nrequest, b.p, b.n);
    w->request = p;
    w->nrequest += b.n;
    return true;
}

static int refuse(struct ws *w, unsigned status)
{
    w->state = WS_REFUSED;
    w->status = w->refused = (uint16_t)status;
    return -ERR_PROTOCOL;
}

/* Looks at the request with `n` new bytes; sets *used to those of them that belong to it.
 * 0, or -ERR_X. */
static int read_request(struct ws *w, const uint8_t *p, size_t n, size_t *used)
{
    size_t before = w->nrequest;
    size_t now = n < WS_REQUEST_MAX - before ? n : WS_REQUEST_MAX - before;

    *used = n;
    if (!keep_request(w, bytes_of(p, now))) return -ERR_NOMEM;
    long all = ws_request_read(&w->asked, w->options, bytes_of(w->request, w->nrequest));
    if (all < 0) return refuse(w, (unsigned)-all);
    if (all == 0) return 0;
    ASSERT((size_t)all > before); /* or it had been complete before */
    *used = (size_t)all - before;
    free(w->request);
    w->request = NULL;
    w->state = WS_OPEN;
    w->in.deflate = w->asked.deflate.agreed;
    w->accept_due = true;
    return 0;
}

static int end_of_frames(struct ws *w)
{
    const struct ws_frames *f = &w->in;

    if (!f->error && !f->peer_code) return 0;
    w->state = WS_ENDED;
    w->close_due = true;
    w->code = f->error ? f->error : f->peer_code;
    return f->error ? -ERR_PROTOCOL : -ERR_CLOSED;
}

size_t ws_read(struct ws *w, uint8_t *p, size_t n, int *end)
{
    size_t used = 0;

    *end = 0;
    if (w->state == WS_OPENING && n > 0) *end = read_request(w, p, n, &used);
    if (w->state != WS_OPEN) return 0;
    if (used > 0) memmove(p, p + used, n - used);
    if (w->in.deflate) return n - used;
    size_t kept = ws_frames_read(&w->in, p, n - used);
    *end = end_of_frames(w);
    return kept;
}

/* ---- compressed ---------------------------------------------------------------------------- */

enum { UNZIP_MIN = 64 }; /* shorter messages hardly get smaller */

bool ws_is_zipping(const struct ws *w)
{
    return w->in.deflate && w->state != WS_OPENING;
}

/* Some of a message, and perhaps its end. Of a compressed one, all is kept until then: its window
 * would be larger. 0, or -ERR_X. */
static int take_payload(struct ws *w, const struct ws_unzip *to, struct bytes b)
{
    int err;

    if (!w->in.zipped) return zip_out_add(to->out, b);
    if (w->zipped.n + b.n > to->max) return -ERR_TOO_LARGE;
    if (w->in.ended && w->zipped.n == 0) return zip_inflate(to->zip, b, to->out, to->max);
    err = zip_out_add(&w->zipped, b);
    if (err < 0 || !w->in.ended) return err;
    err = zip_inflate(to->zip, bytes_of(w->zipped.p, w->zipped.n), to->out, to->max);
    free(w->zipped.p);
    w->zipped = (struct zip_out){.p = NULL};
    return err;
}

static void give_up(struct ws *w, int err)
{
    w->in.error = err == -ERR_TOO_LARGE   ? WS_TOO_LARGE
                  : err == -ERR_MALFORMED ? WS_BAD_TEXT
                                          : WS_OUR_ERROR;
}

size_t ws_unzip(struct ws *w, const struct ws_unzip *to, uint8_t *p, size_t n, int *end)
{
    size_t used = 0, before = to->out->n;

    *end = 0;
    if (w->state != WS_OPEN) return n;
    size_t kept = ws_frames_message(&w->in, p, n, &used);
    int err = take_payload(w, to, bytes_of(p, kept));
    if (err < 0) {
        to->out->n = before;
        give_up(w, err);
    }
    *end = end_of_frames(w);
    return used;
}

void ws_put_zipped(const struct ws *w, struct zip *z, struct writer *out, struct bytes plain)
{
    uint8_t *at = out->p;
    unsigned bits = w->asked.deflate.window_bits;
    size_t most = plain.n < UNZIP_MIN ? 0 : plain.n - 1;
    size_t n = 0;

    /* Behind the longest header that it can have, and moved to where its own one ends. */
    if (most && wr_room(out, WS_PUT_HEADER_MAX + most))
        n = zip_deflate(z, plain, at + WS_PUT_HEADER_MAX, most, bits);
    ws_frame_put_header(out, n ? WS_BINARY | WS_ZIPPED : WS_BINARY, n ? n : plain.n);
    if (n > 0 && wr_room(out, n)) {
        memmove(out->p, at + WS_PUT_HEADER_MAX, n);
        out->p += n;
    } else {
        wr_bytes(out, plain);
    }
}

/* ---- out --------------------------------------------------------------------------------- */

bool ws_has_words(const struct ws *w)
{
    return w->accept_due || w->status || w->in.pong_due;
}

void ws_say_close(struct ws *w, struct writer *out)
{
    if (!w->close_due) return;
    bool coded = w->code != WS_NO_CODE;

    ws_frame_put_header(out, WS_CLOSE, coded ? 2 : 0);
    if (coded) wr_u16be(out, w->code);
    w->close_due = false;
}

void ws_say(struct ws *w, struct writer *out)
{
    if (w->status) ws_put_refusal(out, w->status);
    w->status = 0;
    if (w->accept_due) ws_put_accept(out, &w->asked);
    w->accept_due = false;
    if (w->in.pong_due) {
        ws_frame_put_header(out, WS_PONG, w->in.npong);
        wr_bytes(out, bytes_of(w->in.pong, w->in.npong));
        w->in.pong_due = false;
    }
}

void ws_put_header(struct writer *out, size_t n)
{
    ws_frame_put_header(out, WS_BINARY, n);
}

static uint16_t code_of(int why)
{
    switch (-why) {
    case 0:
    case ERR_CLOSED: return WS_NORMAL;
    case ERR_TOO_LARGE: return WS_TOO_LARGE;
    case ERR_MALFORMED:
    case ERR_PROTOCOL:
    case ERR_UNSUPPORTED: return WS_PROTOCOL_ERROR;
    case ERR_NOMEM:
    case ERR_OS: return WS_OUR_ERROR;
    default: return WS_POLICY;
    }
}

void ws_end(struct ws *w, int why)
{
    if (w->state != WS_OPEN) return;
    w->state = WS_ENDED;
    w->code = code_of(why);
    w->close_due = true;
}

const char *ws_reason(const struct ws *w)
{
    return w->refused ? ws_status_text(w->refused) : err_text(-ERR_NOMEM);
}
