/* SPDX-License-Identifier: BSD-3-Clause */
/* privileges.h -- from root to somebody who can do nothing but serve.
 *
 * Ports are bound and files opened as root; then all threads become the user of the setting
 * `user`, once and for good. glibc changes the ids of all threads together. What a thread has
 * alone (that no program may give it new rights) is set before there is a second one. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum { PRIVILEGES_GROUPS = 64 };

struct privileges {
    bool change; /* else we are who we should be */
    uid_t uid;
    gid_t gid;
    gid_t group[PRIVILEGES_GROUPS]; /* the user's others */
    int ngroups;
};

/* For the whole process, before it has threads: files are ours alone, no program can give us new
 * rights, and memory with passwords in it is not dumped unless that is wanted. */
void privileges_start(bool core_dumps);

/* Looks the user up; an empty name stands for who we are. -ERR_INVALID with a sentence in error[n]
 * if there is none, it is root, or we are not root and somebody else. */
int privileges_find(struct privileges *p, const char *user, char *error, size_t n);

/* The file belongs to that user from now on: it will be opened again. */
void privileges_give(const struct privileges *p, int fd);

/* This thread, and those that it starts from now on, use files as that user does, so that what they
 * make is his. All else they still do as root. -ERR_DENIED with a sentence in error[n]. */
int privileges_files(const struct privileges *p, char *error, size_t n);

/* All threads become that user, and can't go back. -ERR_DENIED with a sentence in error[n]. */
int privileges_drop(const struct privileges *p, bool core_dumps, char *error, size_t n);
