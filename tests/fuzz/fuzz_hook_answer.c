/* SPDX-License-Identifier: BSD-3-Clause */
/* What the web service says is understood or refused, and owns nothing if refused; and what a
 * client says is JSON of one line in the question, whatever it is. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/access/hook_json.h"
#include "broker/access/json_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_answer(struct bytes in)
{
    struct hook_answer a;

    if (hook_json_read(in, 1700000000, &a) < 0) ASSERT(a.verdict == HOOK_DENY && !a.user.p);
    ASSERT(a.expires_s > 1700000000);
    for (unsigned i = 0; i < a.rules.n; i++)
        ASSERT(a.rules.rule[i].ntopics > 0);
    hook_answer_free(&a);
}

static void write_question(struct bytes in)
{
    struct hook_text t = {.action = HOOK_LOGIN, .user = in, .password = bytes_skip(in, in.n / 2)};
    struct bytes out;

    if (hook_json_write(&t, &out) < 0) return;
    for (size_t i = 0; i < out.n; i++)
        ASSERT(out.p[i] >= 0x20);
    json_t *v = json_in(out, 1);
    json_t *user = json_object_get(v, "user");
    ASSERT(json_is_object(v));
    ASSERT(user ? bytes_eq(json_in_text(user), in) : json_object_get(v, "user_base64") != NULL);
    json_decref(v);
    free((void *)(uintptr_t)out.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *p = malloc(size ? size : 1);

    ASSERT(p);
    if (size) memcpy(p, data, size);
    read_answer(bytes_of(p, size));
    write_question(bytes_of(p, size));
    free(p);
    return 0;
}
