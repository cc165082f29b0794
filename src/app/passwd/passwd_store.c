/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/passwd/passwd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "broker/access/password_file.h"

static int fail(struct passwd_store *s, const char *path, const char *why)
{
    snprintf(s->error, sizeof s->error, "%s: %s", path, why);
    return -ERR_OS;
}

/* ---- opening ------------------------------------------------------------------------------ */

static int find(struct passwd_store *s, const char *path, bool make)
{
    char full[PATH_MAX];
    bool there = realpath(path, full) != NULL;

    if (!there && (errno != ENOENT || !make)) {
        fail(s, path, strerror(errno));
        return errno == ENOENT ? -ERR_ABSENT : -ERR_OS;
    }
    s->is_new = !there;
    int n = snprintf(s->path, sizeof s->path, "%s", there ? full : path);
    int m = snprintf(s->fresh, sizeof s->fresh, "%s.new", there ? full : path);
    if (n >= (int)sizeof s->path || m >= (int)sizeof s->fresh)
        return fail(s, path, strerror(ENAMETOOLONG));
    return 0;
}

static int reserve(struct passwd_store *s)
{
    s->fd = open(s->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd >= 0) return 0;
    if (errno != EEXIST) return fail(s, s->fresh, strerror(errno));
    fail(s, s->fresh,
         "it is there already: somebody else changes the file right now, or was "
         "interrupted; if nobody does, remove it");
    return -ERR_BUSY;
}

int passwd_store_open(struct passwd_store *s, const char *path, bool make)
{
    *s = (struct passwd_store){.fd = -1};
    int err = find(s, path, make);
    if (err == 0) err = reserve(s);
    if (err < 0 || s->is_new) return err;
    return file_read(&s->text, s->path, PASSWORD_FILE_MAX, s->error, sizeof s->error);
}

/* ---- replacing ---------------------------------------------------------------------------- */

/* The new file belongs to whom the old one belongs to, before anything is in it. */
static int keep_owner(struct passwd_store *s)
{
    struct stat st;

    if (s->is_new) return 0;
    if (stat(s->path, &st) < 0) return fail(s, s->path, strerror(errno));
    bool same = st.st_uid == geteuid() && st.st_gid == getegid();
    if (!same && fchown(s->fd, st.st_uid, st.st_gid) < 0)
        return fail(s, s->path, "its owner can't be kept; do it as that user, or as root");
    if (fchmod(s->fd, st.st_mode & 0640) < 0) return fail(s, s->fresh, strerror(errno));
    return 0;
}

static int write_all(struct passwd_store *s, struct bytes text)
{
    while (text.n > 0) {
        ssize_t n = write(s->fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(s, s->fresh, strerror(errno));
        text = bytes_skip(text, (size_t)n);
    }
    if (fsync(s->fd) < 0) return fail(s, s->fresh, strerror(errno));
    return 0;
}

/* The name is on the disk only when its folder is. */
static void sync_folder(const struct passwd_store *s)
{
    char path[PATH_MAX];

    memcpy(path, s->path, sizeof path);
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return; /* may not be readable: then it gets there when the system likes */
    (void)fsync(fd);
    close(fd);
}

int passwd_store_commit(struct passwd_store *s, struct bytes text)
{
    int err = keep_owner(s);

    if (err == 0) err = write_all(s, text);
    if (err < 0) return err;
    if (rename(s->fresh, s->path) < 0) return fail(s, s->path, strerror(errno));
    close(s->fd);
    s->fd = -1;
    sync_folder(s);
    return 0;
}

void passwd_store_close(struct passwd_store *s)
{
    file_free(&s->text);
    if (s->fd < 0) return;
    unlink(s->fresh);
    close(s->fd);
    s->fd = -1;
}
