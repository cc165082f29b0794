/* SPDX-License-Identifier: BSD-3-Clause */
/* io_linux.c -- io.h on Linux. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/io.h"

static int64_t or_errno(int64_t result)
{
    return result < 0 ? -errno : result;
}

static int open_dir(void *ctx, int at, const char *name, bool create)
{
    (void)ctx;
    if (at < 0) at = AT_FDCWD;
    if (create && mkdirat(at, name, 0700) < 0 && errno != EEXIST) return -errno;
    return (int)or_errno(openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int list(void *ctx, int dir, io_name_fn *fn, void *arg)
{
    (void)ctx;
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closed with the stream */
    if (own < 0) return -errno;
    DIR *d = fdopendir(own);
    if (!d) {
        int error = errno;
        close(own);
        return -error;
    }
    errno = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL; errno = 0)
        if (e->d_name[0] != '.') fn(arg, e->d_name);
    int error = errno;
    closedir(d);
    return -error;
}

static int rename_in(void *ctx, int dir, const char *from, const char *to)
{
    (void)ctx;
    return (int)or_errno(renameat(dir, from, dir, to));
}

static int unlink_in(void *ctx, int dir, const char *name)
{
    (void)ctx;
    if (unlinkat(dir, name, 0) == 0) return 0;
    return errno == EISDIR ? (int)or_errno(unlinkat(dir, name, AT_REMOVEDIR)) : -errno;
}

static int open_in(void *ctx, int dir, const char *name, enum io_how how)
{
    static const int flags[] = {
        [IO_READ] = O_RDONLY, [IO_WRITE] = O_RDWR, [IO_CREATE] = O_RDWR | O_CREAT | O_EXCL};
    (void)ctx;
    return (int)or_errno(openat(dir, name, flags[how] | O_NOFOLLOW | O_CLOEXEC, 0600));
}

static int lock(void *ctx, int fd)
{
    (void)ctx;
    return (int)or_errno(flock(fd, LOCK_EX | LOCK_NB));
}

static int64_t size(void *ctx, int fd)
{
    struct stat st;
    (void)ctx;
    if (fstat(fd, &st) < 0) return -errno;
    return S_ISREG(st.st_mode) ? st.st_size : -EINVAL;
}

static int64_t pread_at(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    (void)ctx;
    return or_errno(pread(fd, buf, n, (off_t)offset));
}

static int64_t pwrite_at(void *ctx, int fd, const void *buf, size_t n, uint64_t offset)
{
    (void)ctx;
    return or_errno(pwrite(fd, buf, n, (off_t)offset));
}

/* fdatasync keeps the length too, which is all of a directory's or a segment's metadata we need. */
static int sync_fd(void *ctx, int fd)
{
    (void)ctx;
    return (int)or_errno(fdatasync(fd));
}

static int forget(void *ctx, int fd)
{
    (void)ctx;
    return -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void close_fd(void *ctx, int fd)
{
    (void)ctx;
    close(fd);
}

const struct store_io *store_io_linux(void)
{
    static const struct store_io io = {
        .open_dir = open_dir,
        .list = list,
        .rename = rename_in,
        .unlink = unlink_in,
        .open = open_in,
        .lock = lock,
        .size = size,
        .pread = pread_at,
        .pwrite = pwrite_at,
        .sync = sync_fd,
        .forget = forget,
        .close = close_fd,
    };
    return &io;
}
