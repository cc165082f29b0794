/* SPDX-License-Identifier: BSD-3-Clause */
/* topic.h -- topics and filters as people and programs write them to the API. */
#pragma once

#include "admin/param.h"

/* NULL: it is one [MQTT-4.7]; else what is wrong with it. */
const char *topic_fault(struct bytes topic);
const char *topic_filter_fault(struct bytes filter);

/* Answers with a problem about `name` unless there is no fault. */
bool topic_good(struct http_exchange *x, const char *name, const char *fault);
