/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/serve/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

enum {
    LOOK_UP_ROOM = 16384,
    NO_CORE = 1, /* as 0, and holds for the program that core_pattern may pipe to as well */
};

void privileges_start(bool core_dumps)
{
    struct rlimit limit;

    umask(0077);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* fails on kernels before 3.5 only */
    if (getrlimit(RLIMIT_CORE, &limit) < 0) return;
    limit.rlim_cur = core_dumps || limit.rlim_max < NO_CORE ? limit.rlim_max : NO_CORE;
    setrlimit(RLIMIT_CORE, &limit); /* downwards it can't fail, upwards it is a wish */
}

static int refuse(char *error, size_t n, const char *user, const char *why)
{
    snprintf(error, n, "user: \"%.80s\": %s", user, why);
    return -ERR_INVALID;
}

int privileges_find(struct privileges *p, const char *user, char *error, size_t n)
{
    char room[LOOK_UP_ROOM];
    struct passwd entry, *found = NULL;

    *p = (struct privileges){.change = false};
    if (!*user) return 0;
    int err = getpwnam_r(user, &entry, room, sizeof room, &found);
    if (!found) return refuse(error, n, user, err ? strerror(err) : "there is no such user");
    if (entry.pw_uid == 0) return refuse(error, n, user, "that is root; leave it empty");
    if (entry.pw_uid == geteuid()) return 0;
    if (geteuid() != 0) return refuse(error, n, user, "only root can become another user");
    p->change = true;
    p->uid = entry.pw_uid;
    p->gid = entry.pw_gid;
    p->ngroups = PRIVILEGES_GROUPS;
    if (getgrouplist(user, p->gid, p->group, &p->ngroups) >= 0) return 0;
    return refuse(error, n, user, "in too many groups");
}

void privileges_give(const struct privileges *p, int fd)
{
    if (p->change && fchown(fd, p->uid, p->gid) < 0)
        return; /* a terminal or a pipe: it is not opened by name */
}

int privileges_files(const struct privileges *p, char *error, size_t n)
{
    if (!p->change) return 0;
    bool done = setgroups((size_t)p->ngroups, p->group) == 0;
    setfsgid(p->gid);
    setfsuid(p->uid);
    /* They don't tell whether it worked, but what was so before. */
    if (done && (gid_t)setfsgid(p->gid) == p->gid && (uid_t)setfsuid(p->uid) == p->uid) return 0;
    snprintf(error, n, "user: files can't be used as that user");
    return -ERR_DENIED;
}

static bool can_go_back(const struct privileges *p)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;

    if (setuid(0) == 0 || seteuid(0) == 0) return true;
    if (p->gid != 0 && (setgid(0) == 0 || setegid(0) == 0)) return true;
    if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0) return true;
    return r != p->uid || e != p->uid || s != p->uid || gr != p->gid || ge != p->gid ||
           gs != p->gid;
}

int privileges_drop(const struct privileges *p, bool core_dumps, char *error, size_t n)
{
    if (!p->change) return 0;
    bool done = setgroups((size_t)p->ngroups, p->group) == 0 &&
                setresgid(p->gid, p->gid, p->gid) == 0 && setresuid(p->uid, p->uid, p->uid) == 0;
    if (!done || can_go_back(p)) {
        snprintf(error, n, "user: privileges can't be dropped: %s",
                 done ? "root can be had back" : strerror(errno));
        return -ERR_DENIED;
    }
    if (core_dumps) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* another user's process is none */
    return 0;
}
