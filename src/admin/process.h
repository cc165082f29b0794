/* SPDX-License-Identifier: BSD-3-Clause */
/* process.h -- what the operating system knows about this process. */
#pragma once

#include "admin/admin.h"

uint64_t process_resident_bytes(void); /* 0: not known */
uint64_t process_files_max(void);

/* Open files, as counted last; 0: never yet. Counting takes long when there are many, so a helper
 * thread does it for the next who asks. */
uint64_t process_open_files(struct admin_shared *s, struct core *c);
