/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/io.h"

#include <errno.h>

int64_t io_read_all(const struct store_io *io, int fd, void *buf, size_t n, uint64_t offset)
{
    size_t got = 0;
    while (got < n) {
        int64_t r = io->pread(io->ctx, fd, (char *)buf + got, n - got, offset + got);
        if (r == -EINTR) continue;
        if (r < 0) return r;
        if (r == 0) break;
        got += (size_t)r;
    }
    return (int64_t)got;
}
