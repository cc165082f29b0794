/* SPDX-License-Identifier: BSD-3-Clause */
/* problem.h -- how the API says no: a problem details object [RFC9457-3] that names the parameter
 * or field it is about. */
#pragma once

#include "proto/http/http_session.h"

/* Answers and ends the exchange. `field` and `detail` may be NULL. */
void admin_problem(struct http_exchange *x, unsigned status, const char *field, const char *detail);

/* The same in the manner of the path: for the API a problem, elsewhere a line of text. */
void admin_refuse(struct http_exchange *x, unsigned status, const char *why);

/* A problem object as the body of `a`, whose status is set, into room[n]. */
enum { PROBLEM_MAX = 1024 };
void admin_problem_body(struct http_answer *a, const char *field, const char *detail,
                        char room[PROBLEM_MAX]);
bool admin_is_api(const struct http_exchange *x);
