/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/problem.h"

#include "admin/json_out.h"

bool admin_is_api(const struct http_exchange *x)
{
    return bytes_eq(http_segment(&x->head, 0), BYTES("api"));
}

void admin_problem_body(struct http_answer *a, const char *field, const char *detail,
                        char room[PROBLEM_MAX])
{
    struct json_out j = {.at = NULL};

    json_out_open(&j, NULL, '{');
    json_out_str(&j, "type", "about:blank"); /* [RFC9457-4.2.1] */
    json_out_str(&j, "title", http_status_text(a->status));
    json_out_number(&j, "status", a->status);
    if (field) json_out_str(&j, "field", field);
    if (detail) json_out_str(&j, "detail", detail);
    json_out_close(&j, '}');
    struct bytes body = json_out_bytes(&j);
    if (j.failed || body.n > PROBLEM_MAX) body = BYTES("{}");
    memcpy(room, body.p, body.n);
    a->type = BYTES("application/problem+json");
    a->body = bytes_of(room, body.n);
    json_out_fini(&j);
}

void admin_problem(struct http_exchange *x, unsigned status, const char *field, const char *detail)
{
    struct http_answer a = {.status = status};
    char room[PROBLEM_MAX];

    admin_problem_body(&a, field, detail, room);
    http_answer(x, &a);
}

void admin_refuse(struct http_exchange *x, unsigned status, const char *why)
{
    if (admin_is_api(x))
        admin_problem(x, status, NULL, why);
    else
        http_refuse(x, status, why);
}
