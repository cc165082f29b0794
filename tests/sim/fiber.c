/* SPDX-License-Identifier: BSD-3-Clause */
/* fiber.c -- see fiber.h. AddressSanitizer has to be told which stack is the current one. */
#include "fiber.h"

#include <stdlib.h>
#include <ucontext.h>

#include "base/assert.h"
#include "machine.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(bottom), (void)(size))
#define __asan_unpoison_memory_region(at, size) ((void)(at))
#endif

enum { STACK = 256 << 10 };

struct fiber {
    ucontext_t mine, scheduler;
    void (*fn)(void *);
    void *arg;
    void *shadow, *scheduler_shadow; /* the sanitizer's */
    const void *scheduler_stack;
    size_t scheduler_size;
    char stack[];
};

static void begin(void)
{
    struct fiber *f = machine()->running;
    __sanitizer_finish_switch_fiber(NULL, &f->scheduler_stack, &f->scheduler_size);
    f->fn(f->arg);
    ASSERT(0); /* a core ends only with its world */
}

/* On its own: getcontext may return twice, for all that the compiler knows. */
__attribute__((noinline)) static int prepare(ucontext_t *c, void *stack)
{
    if (getcontext(c) < 0) return -1;
    c->uc_stack.ss_sp = stack;
    c->uc_stack.ss_size = STACK;
    makecontext(c, begin, 0);
    return 0;
}

struct fiber *fiber_new(void (*fn)(void *arg), void *arg)
{
    struct fiber *f = malloc(sizeof *f + STACK);
    if (!f) return NULL;
    *f = (struct fiber){.fn = fn, .arg = arg};
    if (prepare(&f->mine, f->stack) < 0) {
        free(f);
        return NULL;
    }
    return f;
}

void fiber_free(struct fiber **f)
{
    if (!*f) return;
    __asan_unpoison_memory_region((*f)->stack, STACK);
    free(*f);
    *f = NULL;
}

void fiber_run(struct fiber *f)
{
    machine()->running = f;
    __sanitizer_start_switch_fiber(&f->scheduler_shadow, f->stack, STACK);
    int err = swapcontext(&f->scheduler, &f->mine);
    __sanitizer_finish_switch_fiber(f->scheduler_shadow, NULL, NULL);
    ASSERT(err == 0);
    machine()->running = NULL;
}

void fiber_yield(struct fiber *f)
{
    __sanitizer_start_switch_fiber(&f->shadow, f->scheduler_stack, f->scheduler_size);
    int err = swapcontext(&f->mine, &f->scheduler);
    __sanitizer_finish_switch_fiber(f->shadow, &f->scheduler_stack, &f->scheduler_size);
    ASSERT(err == 0);
}
