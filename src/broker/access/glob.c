/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/glob.h"

/* When a later part does not fit, only the last '*' takes a byte more: what an earlier one
 * could take instead leaves less for the parts behind it, never another chance. */
bool glob_matches(struct bytes pattern, struct bytes text)
{
    size_t p = 0, t = 0, star = 0, taken = 0;
    bool any = false;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            any = true;
            star = ++p;
            taken = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (any) {
            p = star;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}
