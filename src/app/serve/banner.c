/* SPDX-License-Identifier: BSD-3-Clause */
/* banner.c -- the few lines a person sees when the broker has started. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/serve/serve.h"
#include "broker/access/login.h"

bool banner_is_loopback(const struct sock_addr *a)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (a->ss.ss_family == AF_UNIX) return true;
    if (a->ss.ss_family == AF_INET) {
        memcpy(&in, &a->ss, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    memcpy(&in6, &a->ss, sizeof in6);
    return a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static unsigned port_of(const struct sock_addr *a)
{
    struct sockaddr_in in; /* the port is at the same place in both families */

    memcpy(&in, &a->ss, sizeof in);
    return ntohs(in.sin_port);
}

static void row(FILE *out, const char *name, const char *text)
{
    fprintf(out, "  %-11s%s\n", name, text);
}

static void print_cores(const struct serve *s, FILE *out)
{
    static const char *const idle[] = {"sleep", "spin", "busy"};
    const struct cpu_plan *p = &s->plan;
    char cpus[160], text[256];
    unsigned pinned = 0;

    for (unsigned i = 0; i < p->cores; i++)
        pinned += s->cores[i].pinned;
    snprintf(text, sizeof text, "%u on %s %s, %s, idle %s", p->cores,
             strpbrk(cpu_plan_text(p, cpus, sizeof cpus), ",-") ? "CPUs" : "CPU", cpus,
             pinned == p->cores ? "pinned"
             : pinned           ? "some of them pinned"
                                : "not pinned",
             idle[s->options->idle]);
    row(out, "cores", text);

    if (p->cores == 1) {
        row(out, "rings", "none: there is only one core");
        return;
    }
    uint32_t slots = s->options->mesh.ring_slots;
    if (slots == 0) slots = p->cores <= 8 ? 1024 : 256;
    snprintf(text, sizeof text, "%u of %u mails each", p->cores * (p->cores - 1), slots);
    row(out, "rings", text);
}

static void print_data(const struct serve *s, FILE *out)
{
    static const char *const durability[] = {"memory", "interval", "commit"};
    const struct data_options *o = &s->options->data;
    const struct journal_found *f = &s->data.found;
    char text[OPTION_TEXT_MAX + 128];

    if (!s->data.is_open) {
        row(out, "data", "in memory only: nothing survives a restart");
        return;
    }
    snprintf(text, sizeof text, "%s, %s, by %s", o->dir, durability[o->durability],
             s->data.uring ? "io_uring" : "helper threads");
    row(out, "data", text);
    snprintf(text, sizeof text,
             "%" PRIu64 " sessions, %" PRIu64 " waiting and %" PRIu64
             " retained messages in %.1f s%s",
             f->sessions, f->messages, f->retained, (double)s->data.recovery_ms / 1e3,
             f->lost ? "; SOME WERE LOST, see the log" : "");
    row(out, "", text);
}

static void print_security(const struct serve *s, FILE *out)
{
    unsigned anybody = 0;
    bool open = false;

    for (unsigned i = 0; i < s->options->listeners.n; i++) {
        const struct access_door *d = &s->door[i];
        if (listen_is_admin(&s->options->listeners.how[i])) continue;
        if (!login_anonymous(s->access, d)) continue;
        anybody++;
        if (!d->loopback) open = true;
    }
    row(out, "security",
        open      ? "WARNING: anybody who reaches these addresses comes in without a name"
        : anybody ? "anonymous clients, loopback only"
                  : "only clients that say who they are");
}

/* Where it listens for MQTT, or for the operator. Returns the first of those listeners. */
static unsigned print_addresses(const struct serve *s, FILE *out, bool admin)
{
    unsigned n = s->options->listeners.n, first = n;

    for (unsigned i = 0; i < n; i++) {
        const struct listen_how *how = &s->options->listeners.how[i];
        char address[SOCK_ADDR_TEXT], text[2 * SOCK_ADDR_TEXT];
        if (listen_is_admin(how) != admin) continue;
        snprintf(text, sizeof text, "%s%s%s", sock_addr_text(&s->listener[i].addr, address),
                 how->transport ? " " : "", how->transport ? listen_transport_text(how) : "");
        row(out, first < n ? "" : admin ? "admin" : "mqtt", text);
        if (first == n) first = i;
    }
    return first;
}

void banner_print(const struct serve *s, FILE *out)
{
    char text[OPTION_TEXT_MAX + 32], port[SOCK_ADDR_TEXT + 8] = "", address[SOCK_ADDR_TEXT];

    fprintf(out, "Pinion " PINION_VERSION "\n");
    unsigned first = print_addresses(s, out, false);
    print_addresses(s, out, true);
    snprintf(text, sizeof text, "token in %s", s->options->admin_token_file);
    if (s->has_admin) row(out, "", text);
    print_cores(s, out);
    print_data(s, out);
    print_security(s, out);

    const struct sock_addr *a = &s->listener[first].addr;
    unsigned number = port_of(a);
    if (a->ss.ss_family == AF_UNIX)
        snprintf(port, sizeof port, " -h %s", sock_addr_text(a, address));
    else if (number != 1883)
        snprintf(port, sizeof port, " -p %u", number);
    fprintf(out, "  %-11spinion sub%s '#' -v &  pinion pub%s hello world\n", "try", port, port);
    fflush(out);
}
