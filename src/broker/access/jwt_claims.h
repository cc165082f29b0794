/* SPDX-License-Identifier: BSD-3-Clause */
/* jwt_claims.h -- is a token whose signature is good also meant for us, now? [RFC7519-4] */
#pragma once

#include <jansson.h>

#include "broker/access/jwt.h"

/* As jwt_verify(), with the claims set of the token. */
enum jwt_refusal jwt_claims_judge(const struct jwt_options *o, const json_t *claims,
                                  const struct jwt_login *login, struct jwt_identity *out);
