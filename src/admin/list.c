/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CURSOR_TEXT = 48 };

static struct list *list_of(struct ask *a)
{
    return CONTAINER_OF(a, struct list, ask);
}

bool list_added(struct list *l)
{
    return --l->left > 0 && l->out.n < LIST_PIECE && !l->out.failed;
}

static void look(struct ask *a, struct broker *there)
{
    struct list *l = list_of(a);

    l->place = l->kind->step[l->stage](l, there);
}

static void fini(struct ask *a)
{
    json_out_fini(&list_of(a)->out);
}

/* ---- cursors -------------------------------------------------------------------------------- */

static bool take_cursor(struct list *l)
{
    struct param_text t = {.n = 0};
    char text[CURSOR_TEXT];
    int end = 0;

    if (!param_text(l->ask.x, "cursor", &t)) return false;
    if (t.n == 0) return true;
    snprintf(text, sizeof text, "%.*s", (int)t.n, (const char *)t.at);
    if (t.n < CURSOR_TEXT &&
        sscanf(text, "%u-%u-%" SCNx64 "%n", &l->core, &l->stage, &l->place, &end) == 3 &&
        end == t.n && l->core < l->ask.admin->core->cores && l->stage < LIST_STAGES &&
        l->kind->step[l->stage])
        return true;
    admin_problem(l->ask.x, 400, "cursor", "it is not one of this broker's");
    return false;
}

/* Moves on where the core, or a stage of it, has nothing more. False at the end of all. */
static bool move_on(struct list *l)
{
    if (l->place != 0) return true;
    if (++l->stage < LIST_STAGES && l->kind->step[l->stage]) return true;
    l->stage = 0;
    return ++l->core < l->ask.admin->core->cores && !l->only;
}

/* ---- the page ------------------------------------------------------------------------------- */

static void send_piece(struct list *l)
{
    struct http_answer head = {.status = 200, .type = BYTES("application/json")};

    if (!l->begun) http_begin(l->ask.x, &head);
    l->begun = true;
    http_write(l->ask.x, json_out_bytes(&l->out));
    json_out_clear(&l->out);
}

static void give_up(struct list *l)
{
    struct http_exchange *x = l->ask.x;
    bool begun = l->begun;

    ask_done(&l->ask);
    if (begun)
        http_abort(x);
    else
        admin_refuse(x, 503, "out of memory");
}

static void end_page(struct list *l, bool more)
{
    struct http_exchange *x = l->ask.x;
    char cursor[CURSOR_TEXT];

    json_out_close(&l->out, ']');
    snprintf(cursor, sizeof cursor, "%u-%u-%" PRIx64, l->core, l->stage, l->place);
    if (more)
        json_out_str(&l->out, "next", cursor);
    else
        json_out_null(&l->out, "next");
    json_out_close(&l->out, '}');
    if (l->out.failed) {
        give_up(l);
        return;
    }
    send_piece(l);
    ask_done(&l->ask);
    http_end(x);
}

static void back(struct ask *a)
{
    struct list *l = list_of(a);
    bool more = move_on(l);

    if (l->out.failed) {
        give_up(l);
        return;
    }
    if (!more || l->left == 0 || ++l->steps == LIST_STEPS_MAX) {
        end_page(l, more);
        return;
    }
    if (l->out.n >= LIST_PIECE / 2) send_piece(l);
    ask_again(a);
}

static void on_room(struct ask *a)
{
    ask_send(a, list_of(a)->core);
}

static bool take_params(struct list *l)
{
    struct http_exchange *x = l->ask.x;
    char known[128];

    l->left = LIST_LIMIT;
    snprintf(known, sizeof known, "limit cursor%s", l->kind->params);
    return param_known(x, known) && param_number(x, "limit", LIST_LIMIT_MAX, &l->left) &&
           (!l->kind->take || l->kind->take(l)) && take_cursor(l);
}

void list_begin(struct http_exchange *x, const struct list_kind *kind)
{
    static const struct ask_kind how = {
        .bytes = sizeof(struct list), .look = look, .back = back, .on_room = on_room, .fini = fini};
    struct ask *a = ask_new(x, &how);

    if (!a) return;
    struct list *l = list_of(a);
    l->kind = kind;
    if (!take_params(l)) {
        ask_done(a);
        return;
    }
    if (l->only) l->core = l->only - 1;
    json_out_open(&l->out, NULL, '{');
    json_out_open(&l->out, kind->name, '[');
    ask_send(a, l->core);
}
