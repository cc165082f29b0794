/* SPDX-License-Identifier: BSD-3-Clause */
/* log_file.c -- where log lines go.
 *
 * All cores write to one file descriptor, whose number never changes: another file is put
 * behind it with dup3(), which the kernel does for all threads at once. Standard error is
 * opened anew where it is a pipe, so that we don't wait for its reader, and don't make
 * others wait or not who have the same pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/serve/serve.h"
#include "base/err.h"

enum { FILE_MODE = 0640 }; /* a group may read it, whatever the umask is */

static int open_path(const char *path)
{
    const int how = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, how | O_CREAT | O_EXCL, FILE_MODE);

    if (fd < 0) return errno == EEXIST ? open(path, how) : -1;
    if (fchmod(fd, FILE_MODE) == 0) return fd;
    close(fd);
    return -1;
}

static int open_stderr(void)
{
    struct stat is;
    int fd = -1;

    if (fstat(STDERR_FILENO, &is) == 0 && S_ISFIFO(is.st_mode))
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC); /* there is no standard error */
}

int log_file_open(const char *path, char *error)
{
    int fd = *path ? open_path(path) : open_stderr();

    if (fd < 0)
        snprintf(error, OPTIONS_ERROR, "log.file: %.200s can't be opened: %s", path,
                 errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    return fd;
}

int log_file_reopen(int fd, const char *path, char *error)
{
    int fresh = log_file_open(path, error);

    if (fresh < 0) return -ERR_OS;
    int put = dup3(fresh, fd, O_CLOEXEC);
    if (put < 0) snprintf(error, OPTIONS_ERROR, "log.file: %s", strerror(errno));
    close(fresh);
    return put < 0 ? -ERR_OS : 0;
}
