/* SPDX-License-Identifier: BSD-3-Clause */
/* rings.c -- how fast mail goes from core to core: rings, mesh, doorbell. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "bench.h"

static const char HELP[] =
    "usage: rings [--json] [--quick] [--cpus A,B] [--help]\n"
    "\n"
    "Measures mail of 16 bytes between pinned threads; every figure is the median of several "
    "runs.\n"
    "  throughput  one thread pushes, one takes, neither sleeps: Concurrency Kit's ck_ring\n"
    "              one by one, and Pinion's ring published every `batch` mails\n"
    "  round_trip  one mail there and one back\n"
    "  all_to_all  every core writes to every core through the mesh, 256 mails a turn;\n"
    "              more cores than CPUs share them, so read the CPU time per mail\n"
    "  wake_up     from posting mail to the handler of a core that was asleep\n"
    "\n"
    "  --json      one JSON object per result and line\n"
    "  --quick     fewer mails and runs: a few seconds in all, and noisier\n"
    "  --cpus A,B  where the two threads run (default 0,1)\n";

static void parse_cpus(struct bench *b, const char *text)
{
    char rest;
    if (sscanf(text, "%u,%u%c", &b->cpu[0], &b->cpu[1], &rest) != 2)
        bench_die("--cpus wants two numbers, as in --cpus 0,1");
}

static void parse(struct bench *b, int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"json", no_argument, NULL, 'j'},
        {"quick", no_argument, NULL, 'q'},
        {"cpus", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    for (int o; (o = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (o) {
        case 'j': b->json = true; break;
        case 'q': b->quick = true; break;
        case 'c': parse_cpus(b, optarg); break;
        case 'h': fputs(HELP, stdout); exit(0);
        default: fputs(HELP, stderr); exit(2);
        }
    }
    if (optind < argc) bench_die("takes no arguments but options: see --help");
    b->runs = b->quick ? 3 : 11;
}

int main(int argc, char **argv)
{
    static void (*const MEASUREMENTS[])(const struct bench *) = {
        throughput,
        round_trip,
        mesh_growth,
        wake_up,
    };
    struct bench b = {.name = "rings", .cpu = {0, 1}};

    parse(&b, argc, argv);
    if (!b.json)
        printf("Mail of 16 bytes between threads on CPUs %u and %u; medians of %u runs.\n"
               "What is measured: see --help.\n\n",
               b.cpu[0], b.cpu[1], b.runs);
    for (size_t i = 0; i < ARRAY_LEN(MEASUREMENTS); i++)
        MEASUREMENTS[i](&b);
    return 0;
}
