/* SPDX-License-Identifier: BSD-3-Clause */
/* names.h -- the topics and filters of the simulated world, few, so that clients meet. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { TOPICS = 16, TOPIC_WILL = 15, FILTERS = 28, FILTER_ALL = 0, SHARES = 5 };

const char *topic_name(unsigned topic);
int topic_find(const uint8_t *name, uint32_t n); /* -1: none of ours */

const char *filter_name(unsigned filter);
bool filter_takes(unsigned filter, unsigned topic);

/* Shared ones are a list of their own. */
const char *share_name(unsigned share);
bool share_takes(unsigned share, unsigned topic);
