/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/cpu_choice.h"

static void list_is_read_as_it_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned count, first, last;
    } ROW[] = {
        {"0", 1, 0, 0},   {"0-7", 8, 0, 7},     {"0-7,16-23", 16, 0, 23},  {"3,1,2", 3, 1, 3},
        {"5-5", 1, 5, 5}, {"1,1,0-2", 3, 0, 2}, {"0-1023", 1024, 0, 1023}, {"63,64", 2, 63, 64},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++) {
        struct cpu_set s;
        assert_int_equal(cpu_list_parse(&s, ROW[i].text), 0);
        assert_int_equal(cpu_set_count(&s), ROW[i].count);
        assert_true(cpu_set_has(&s, ROW[i].first));
        assert_true(cpu_set_has(&s, ROW[i].last));
        assert_false(cpu_set_has(&s, ROW[i].last + 1));
    }
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "",   ",",     "0,",  ",0",  "0,,1", "-",    "0-",   "-3",     "3-1",
        "a",  "0x1",   "0-b", "1 2", " 1",   "1 ",   "1024", "0-1024", "99999999999999999999",
        "+1", "1-2-3", "1;2", "0\n", "1.0",  "0--1",
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXT); i++) {
        struct cpu_set s;
        assert_int_equal(cpu_list_parse(&s, TEXT[i]), -ERR_INVALID);
    }
}

static void setting_becomes_a_plan(void **state)
{
    (void)state;
    static const struct {
        const char *cores, *allowed;
        unsigned quota, count;
        const char *cpus;
    } ROW[] = {
        {"auto", "0-7", 0, 8, "0-7"},
        {"auto", "0-7", 3, 3, "0-2"},
        {"auto", "2,5-6", 0, 3, "2,5-6"},
        {"auto", "2,5-6", 100, 3, "2,5-6"},
        {"auto", "4", 0, 1, "4"},
        {"auto", "0-511", 0, 256, "0-255"},
        {"1", "3-4", 0, 1, "3"},
        {"2", "0,2,4", 1, 2, "0,2"},
        {"5", "0-1", 0, 5, "0-1"},
        {"256", "0-1", 0, 256, "0-1"},
        {"007", "0-7", 0, 7, "0-6"},
        {"3-3", "0-7", 0, 1, "3"},
        {"0-1,6-7", "0-7", 2, 4, "0-1,6-7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++) {
        struct cpu_set allowed;
        struct cpu_plan p = {0};
        char error[CPU_ERROR_TEXT], text[64];
        assert_int_equal(cpu_list_parse(&allowed, ROW[i].allowed), 0);
        assert_int_equal(cpu_choose(&p, ROW[i].cores, &allowed, ROW[i].quota, error), 0);
        assert_int_equal(p.cores, ROW[i].count);
        assert_string_equal(cpu_plan_text(&p, text, sizeof text), ROW[i].cpus);
    }
}

static void more_cores_than_cpus_take_them_in_turn(void **state)
{
    (void)state;
    struct cpu_set allowed;
    struct cpu_plan p = {0};
    char error[CPU_ERROR_TEXT];
    assert_int_equal(cpu_list_parse(&allowed, "1,4,9"), 0);
    assert_int_equal(cpu_choose(&p, "7", &allowed, 0, error), 0);
    static const uint16_t WANT[] = {1, 4, 9, 1, 4, 9, 1};
    assert_memory_equal(p.cpu, WANT, sizeof WANT);
    for (unsigned i = 0; i < p.cores; i++)
        assert_int_equal(p.node[i], -1);
}

static void refusal_names_the_setting_the_value_and_the_cpus(void **state)
{
    (void)state;
    static const struct {
        const char *cores, *allowed, *error;
    } ROW[] = {
        {"0,9", "0-1", "cores: CPU 9 does not exist or is not allowed here; there are 0-1"},
        {"0-3", "0-1,3", "cores: CPU 2 does not exist or is not allowed here; there are 0-1,3"},
        {"0", "0-1", "cores: 0 is not a number of cores from 1 to 256; there are 0-1"},
        {"257", "0-1", "cores: 257 is not a number of cores from 1 to 256; there are 0-1"},
        {"0-x", "0-1",
         "cores: \"0-x\" is not auto, a number or a list of CPUs such as 0-3,8; there are 0-1"},
        {"", "0-1",
         "cores: \"\" is not auto, a number or a list of CPUs such as 0-3,8; there are 0-1"},
        {"Auto", "2",
         "cores: \"Auto\" is not auto, a number or a list of CPUs such as 0-3,8; there are 2"},
        {"0-299", "0-511",
         "cores: 300 CPUs are listed but there can be at most 256 cores; there are 0-511"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++) {
        struct cpu_set allowed;
        struct cpu_plan p = {0};
        char error[CPU_ERROR_TEXT];
        assert_int_equal(cpu_list_parse(&allowed, ROW[i].allowed), 0);
        int err = cpu_choose(&p, ROW[i].cores, &allowed, 0, error);
        assert_int_equal(err, -ERR_INVALID);
        assert_string_equal(error, ROW[i].error);
    }
}

static void refusal_of_a_monster_is_still_a_sentence(void **state)
{
    (void)state;
    struct cpu_set allowed = {0};
    struct cpu_plan p = {0};
    char error[CPU_ERROR_TEXT], cores[5000];
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu += 2)
        cpu_set_add(&allowed, cpu);
    memset(cores, 'x', sizeof cores);
    cores[sizeof cores - 1] = '\0';
    assert_int_equal(cpu_choose(&p, cores, &allowed, 0, error), -ERR_INVALID);
    assert_true(strlen(error) < CPU_ERROR_TEXT);
    assert_non_null(strstr(error, "; there are 0,2,4,"));
}

static void plan_text_is_cut_at_whole_items(void **state)
{
    (void)state;
    struct cpu_plan p = {.cores = 3, .cpu = {10, 20, 30}};
    char text[6];
    assert_string_equal(cpu_plan_text(&p, text, 6), "10,20");
    assert_string_equal(cpu_plan_text(&p, text, 5), "10");
    assert_string_equal(cpu_plan_text(&p, text, 1), "");
}

static void quota_is_rounded_up_to_whole_cpus(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned cpus;
    } ROW[] = {
        {"max 100000\n", 0},
        {"200000 100000\n", 2},
        {"150000 100000\n", 2},
        {"100001 100000", 2},
        {"1000 100000", 1},
        {"100000 100000", 1},
        {"", 0},
        {"max", 0},
        {"100000", 0},
        {"0 100000", 0},
        {"-1 100000", 0},
        {"100000 0", 0},
        {"100000 x", 0},
        {"x 100000", 0},
        {"9999999999 1", CPU_MAX},
        {"99999999999999999999 1", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++)
        assert_int_equal(cgroup_parse_cpu_max(ROW[i].text), ROW[i].cpus);
}

/* ---- a machine made of files ------------------------------------------------ */

static void write_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void quota_is_found_wherever_the_groups_lie(void **state)
{
    (void)state;
    static const struct {
        const char *file[4][2];
        unsigned cpus;
    } ROW[] = {
        {{{NULL}}, 0},
        {{{"/proc/self/cgroup", "0::/\n"}}, 0},
        /* Version 2: our group, one above it, both, and a container that sees only its root. */
        {{{"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"}},
         3},
        {{{"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/cpu.max", "300000 100000\n"}}, 3},
        {{{"/proc/self/cgroup", "0::/a/b\n"},
          {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"},
          {"/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"}},
         2},
        {{{"/proc/self/cgroup", "0::/a/b\n"},
          {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"},
          {"/sys/fs/cgroup/a/b/cpu.max", "300000 100000\n"}},
         3},
        {{{"/proc/self/cgroup", "0::/docker/1f\n"}, {"/sys/fs/cgroup/cpu.max", "50000 100000\n"}},
         1},
        /* Version 1, among other controllers, and both versions side by side. */
        {{{"/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/x\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "250000\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}},
         3},
        {{{"/proc/self/cgroup", "4:cpuacct,cpu:/x\n0::/x\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n"},
          {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
         4},
        {{{"/proc/self/cgroup", "4:cpu,cpuacct:/x\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}},
         0},
        {{{"/proc/self/cgroup", "5:cpuset:/x\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "100000\n"},
          {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}},
         0},
        /* What nobody should write there. */
        {{{"/proc/self/cgroup", "nonsense\n::\n:\n\n0::"}}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++) {
        char root[] = "/tmp/pinion-cpu-XXXXXX", remove[64];
        assert_non_null(mkdtemp(root));
        for (size_t k = 0; k < 4 && ROW[i].file[k][0]; k++)
            write_file(root, ROW[i].file[k][0], ROW[i].file[k][1]);
        assert_int_equal(cgroup_cpus(root), ROW[i].cpus);
        snprintf(remove, sizeof remove, "rm -r %s", root);
        assert_int_equal(system(remove), 0);
    }
}

static void memory_of_the_groups_is_found_in_both_versions(void **state)
{
    (void)state;
    static const struct {
        const char *file[3][2];
        unsigned mib;
    } ROW[] = {
        {{{NULL}}, 0},
        {{{"/proc/self/cgroup", "0::/a/b\n"},
          {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
          {"/sys/fs/cgroup/a/memory.max", "1073741824\n"}},
         1024},
        {{{"/proc/self/cgroup", "7:memory:/x\n4:cpu:/x\n"},
          {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "268435456\n"}},
         256},
        {{{"/proc/self/cgroup", "7:memory:/x\n"}, /* as version 1 says "none" */
          {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"}},
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++) {
        char root[] = "/tmp/pinion-cpu-XXXXXX", remove[64];
        assert_non_null(mkdtemp(root));
        for (size_t k = 0; k < 3 && ROW[i].file[k][0]; k++)
            write_file(root, ROW[i].file[k][0], ROW[i].file[k][1]);
        assert_int_equal(cgroup_memory_mib(root), ROW[i].mib);
        snprintf(remove, sizeof remove, "rm -r %s", root);
        assert_int_equal(system(remove), 0);
    }
}

/* ---- this machine ----------------------------------------------------------- */

static void plan_for_this_machine_uses_only_cpus_that_can_be_pinned_to(void **state)
{
    (void)state;
    struct cpu_plan p;
    char error[CPU_ERROR_TEXT];
    assert_int_equal(cpu_plan_make(&p, "auto", true, error), 0);
    assert_true(p.cores >= 1 && p.pin);
    cpu_set_t before, mask;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (unsigned i = 0; i < p.cores; i++) {
        assert_int_equal(cpu_pin(p.cpu[i]), 0);
        assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
        assert_int_equal(CPU_COUNT(&mask), 1);
        assert_true(CPU_ISSET(p.cpu[i], &mask));
    }

    /* Pinned to one CPU, "auto" is one core. */
    assert_int_equal(cpu_plan_make(&p, "auto", false, error), 0);
    assert_int_equal(p.cores, 1);
    assert_false(p.pin);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void what_no_core_is_pinned_to_is_left_for_others(void **state)
{
    char error[CPU_ERROR_TEXT];
    struct cpu_plan p;
    struct cpu_set rest;

    (void)state;
    assert_int_equal(cpu_plan_make(&p, "auto", false, error), 0);
    assert_int_equal(cpu_plan_rest(&p, &rest), 0); /* all are anybody's */
    assert_int_equal(cpu_plan_make(&p, "1", true, error), 0);
    unsigned left = cpu_plan_rest(&p, &rest);
    assert_int_equal(left, cpu_set_count(&rest));
    assert_false(cpu_set_has(&rest, p.cpu[0]));
    struct cpu_plan all;
    assert_int_equal(cpu_plan_make(&all, "auto", true, error), 0);
    if (all.cores > 1) assert_true(left >= all.cores - 1);
}

static void cpu_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct cpu_plan p;
    char error[CPU_ERROR_TEXT];
    assert_int_equal(cpu_plan_make(&p, "1023,0", true, error), -ERR_INVALID);
    assert_non_null(strstr(error, "cores: CPU 1023 does not exist or is not allowed here; there"));
    assert_int_equal(cpu_pin(1023), -ERR_OS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_read_as_it_is_written),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(setting_becomes_a_plan),
        cmocka_unit_test(more_cores_than_cpus_take_them_in_turn),
        cmocka_unit_test(refusal_names_the_setting_the_value_and_the_cpus),
        cmocka_unit_test(refusal_of_a_monster_is_still_a_sentence),
        cmocka_unit_test(plan_text_is_cut_at_whole_items),
        cmocka_unit_test(quota_is_rounded_up_to_whole_cpus),
        cmocka_unit_test(quota_is_found_wherever_the_groups_lie),
        cmocka_unit_test(memory_of_the_groups_is_found_in_both_versions),
        cmocka_unit_test(plan_for_this_machine_uses_only_cpus_that_can_be_pinned_to),
        cmocka_unit_test(what_no_core_is_pinned_to_is_left_for_others),
        cmocka_unit_test(cpu_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
