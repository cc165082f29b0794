/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_file_linux.c -- Unix sockets that listen, and who connects to them.
 *
 * The file is made with no permission at all, since the mode that an unbound socket has is the
 * one it is bound with (Linux: unix(7) does not say so, but unix_bind() takes the inode's), and
 * gets its group and mode before anybody listens. While it is made, its folder is locked, so that
 * two brokers that find the same leavings don't remove one another's socket. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "core/sock.h"

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

static int os_error(void)
{
    return -err_from_errno(errno);
}

static struct sockaddr_un path_of(const struct sock_addr *a)
{
    struct sockaddr_un un;

    memcpy(&un, &a->ss, sizeof un);
    return un;
}

/* Holds the folder of `path` until the descriptor is closed. */
static int lock_folder(const char *path)
{
    char folder[sizeof(struct sockaddr_un)];
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : (size_t)(slash - path);

    memcpy(folder, path, n);
    folder[n] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return os_error();
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    close(fd);
    return -ERR_BUSY;
}

/* Somebody who listens takes a connection, or makes it wait. */
static bool somebody_listens(const struct sock_addr *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool taken = connect(fd, (const struct sockaddr *)&a->ss, a->len) == 0 || errno != ECONNREFUSED;

    if (fd >= 0) close(fd);
    return taken;
}

/* Removes a socket on which nobody listens any more. */
static int clear_place(const struct sock_addr *a, const char *path)
{
    struct stat s;

    if (lstat(path, &s) < 0) return errno == ENOENT ? 0 : os_error();
    if (!S_ISSOCK(s.st_mode)) return -ERR_EXISTS;
    if (somebody_listens(a)) return -ERR_BUSY;
    return unlink(path) < 0 ? os_error() : 0;
}

static int bind_file(struct sock_file *f, const char *path, mode_t mode, gid_t gid)
{
    struct stat s;

    if (fchmod(f->fd, 0) < 0 || bind(f->fd, (struct sockaddr *)&f->addr.ss, f->addr.len) < 0)
        return os_error();
    if (lstat(path, &s) < 0) return os_error();
    f->device = s.st_dev;
    f->inode = s.st_ino;
    bool ok = (gid == (gid_t)-1 || chown(path, (uid_t)-1, gid) == 0) && chmod(path, mode) == 0 &&
              listen(f->fd, BACKLOG) == 0;
    if (ok) return 0;
    int err = os_error();
    unlink(path);
    return err;
}

int sock_file_open(struct sock_file *f, const struct sock_addr *a, mode_t mode, gid_t gid)
{
    struct sockaddr_un un = path_of(a);

    *f = (struct sock_file){.fd = -1, .addr = *a};
    int lock = lock_folder(un.sun_path);
    if (lock < 0) return lock;
    int err = clear_place(a, un.sun_path);
    if (err == 0) f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (err == 0) err = f->fd < 0 ? os_error() : bind_file(f, un.sun_path, mode, gid);
    if (err < 0 && f->fd >= 0) close(f->fd);
    if (err < 0) f->fd = -1;
    close(lock);
    return err;
}

void sock_file_unlink(struct sock_file *f)
{
    struct sockaddr_un un = path_of(&f->addr);
    struct stat s;

    if (f->fd < 0 || lstat(un.sun_path, &s) < 0) return;
    if (s.st_dev == f->device && s.st_ino == f->inode) unlink(un.sun_path);
}

void sock_file_close(struct sock_file *f)
{
    sock_file_unlink(f);
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

int64_t sock_uid(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0) return os_error();
    return who.uid;
}
