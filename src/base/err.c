/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/err.h"

#include <errno.h>

static const char *const text[ERR_COUNT] = {
    [ERR_NONE] = "no error",
#define ERR(name, sentence) [ERR_##name] = sentence,
#include "base/err.def"
#undef ERR
};

const char *err_text(int e)
{
    if (e < 0) e = -e;
    return e < ERR_COUNT ? text[e] : "unknown error";
}

int err_from_errno(int os_errno)
{
    switch (os_errno) {
    case 0: return ERR_NONE;
    case EAGAIN: return ERR_AGAIN;
    case ENOMEM:
    case ENOBUFS: return ERR_NOMEM;
    case EMFILE:
    case ENFILE: return ERR_NOFILE;
    case EEXIST: return ERR_EXISTS;
    case ENOENT: return ERR_ABSENT;
    case EINVAL: return ERR_INVALID;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EADDRINUSE:
    case EBUSY: return ERR_BUSY;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case ENOSPC:
    case EDQUOT: return ERR_DISK_FULL;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED: return ERR_RESET;
    default: return ERR_OS;
    }
}
