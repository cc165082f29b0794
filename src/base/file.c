/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* The file's bytes into buf[room]; how many, or -1 with errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t room)
{
    size_t n = 0;

    while (n < room) {
        ssize_t got = read(fd, buf + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static int read_open(struct file_text *f, int fd, size_t bytes_max, const char **why)
{
    struct stat st;

    if (fstat(fd, &st) < 0) return -ERR_OS;
    if (!S_ISREG(st.st_mode)) {
        *why = "not a regular file";
        return -ERR_INVALID;
    }
    uint8_t *buf = malloc(bytes_max + 1);
    if (!buf) return -ERR_NOMEM;
    ssize_t n = read_all(fd, buf, bytes_max + 1); /* one more shows that there is more */
    if (n < 0 || (size_t)n > bytes_max) {
        if (n >= 0) *why = "larger than such a file may be";
        explicit_bzero(buf, bytes_max + 1);
        free(buf);
        return n < 0 ? -ERR_OS : -ERR_TOO_LARGE;
    }
    f->text = bytes_of(buf, (size_t)n);
    f->private = (st.st_mode & (S_IRWXO | S_IWGRP)) == 0;
    return 0;
}

int file_read(struct file_text *f, const char *path, size_t bytes_max, char *error, size_t n)
{
    const char *why = NULL;
    int err = -ERR_OS;

    *f = (struct file_text){.text = {.n = 0}};
    /* O_NONBLOCK: opening a pipe that nobody writes to must not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0) err = read_open(f, fd, bytes_max, &why);
    if (err < 0)
        snprintf(error, n, "%s: %s", path,
                 why                 ? why
                 : err == -ERR_NOMEM ? err_text(err)
                                     : strerror(errno));
    if (fd >= 0) close(fd);
    return err;
}

void file_free(struct file_text *f)
{
    void *p = (void *)(uintptr_t)f->text.p;

    if (!p) return;
    explicit_bzero(p, f->text.n);
    free(p);
    *f = (struct file_text){.text = {.n = 0}};
}
