/* SPDX-License-Identifier: BSD-3-Clause */
/* options_data.c -- what is kept on disk: rules of topics in the file, and whether the settings fit
 * each other. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/number.h"
#include "app/options/options_file.h"
#include "base/assert.h"
#include "base/err.h"
#include "proto/mqtt/mqtt.h"
#include "store/store.h"

enum {
    RECORD_EXTRA = 1024, /* what a message's record in the log has besides packet and topic */
    SEGMENTS_MIN = 4,    /* the one in use, the next, a snapshot, and one to move to */
};

const char *const listen_durability_words[5] = {"inherit", "memory", "interval", "commit", NULL};

uint8_t listen_durability(const struct options *o, const struct listen_how *h)
{
    if (!*o->data.dir) return DURABILITY_MEMORY;
    return h->durability ? (uint8_t)(h->durability - 1) : o->data.durability;
}

/* ---- rules ------------------------------------------------------------------------------ */

#define TEXT_FIELD(name)                                                                           \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, struct file_data_rule, name, 1,              \
                           CYAML_UNLIMITED)

static const cyaml_schema_field_t rule_fields[] = {
    TEXT_FIELD(topic),
    TEXT_FIELD(durability),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t file_data_rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_data_rule, rule_fields),
};

/* NULL, or why the rule is refused. */
static const char *take_rule(const struct file_data_rule *from, struct durability_rule *r)
{
    int word = 0;

    r->filter = bytes_str(from->topic);
    if (!mqtt_filter_valid(r->filter)) return "not a filter";
    if (*from->topic == '$') return "topics that begin with $ are never kept";
    for (word = 1; listen_durability_words[word]; word++)
        if (strcmp(listen_durability_words[word], from->durability) == 0) break;
    if (!listen_durability_words[word]) return "durability is memory, interval or commit";
    r->durability = (uint8_t)(word - 1);
    return NULL;
}

int file_take_data_rules(struct options *o, const struct file_data_rule *rules, unsigned n,
                         unsigned line)
{
    struct durability_rule made[DURABILITY_RULES_MAX];

    ASSERT(n <= DURABILITY_RULES_MAX); /* the schema says so */
    for (unsigned i = 0; i < n; i++) {
        const char *why = take_rule(&rules[i], &made[i]);
        if (why)
            return options_refuse(o, "%s:%u: data.rules: %.80s: %s", o->file, line, rules[i].topic,
                                  why);
    }
    o->data_rules = durability_rules_new(made, n);
    return o->data_rules ? 0 : options_refuse(o, "data.rules: %s", err_text(ERR_NOMEM));
}

/* ---- do they fit? --------------------------------------------------------------------------- */

/* Somebody who asks for data on disk must say where. */
static int check_without(struct options *o)
{
    int row = option_find("data.durability", strlen("data.durability"));
    char address[SOCK_ADDR_TEXT];

    ASSERT(row >= 0);
    for (unsigned i = 0; i < o->listeners.n; i++)
        if (o->listeners.how[i].durability > DURABILITY_MEMORY + 1)
            return options_refuse(o, "listeners: %s: durability: needs data.dir, a directory",
                                  sock_addr_text(&o->listeners.at[i], address));
    if (o->data_rules) return options_refuse(o, "data.rules: needs data.dir, a directory");
    if (o->origin[row].source == FROM_DEFAULT || o->data.durability == DURABILITY_MEMORY) return 0;
    return options_refuse(o, "data.durability: needs data.dir, a directory");
}

int options_check_data(struct options *o)
{
    const struct data_options *d = &o->data;
    uint64_t record = (uint64_t)o->mqtt.packet_bytes_max + o->mqtt.topic_bytes_max + RECORD_EXTRA;
    char segment[NUMBER_TEXT], packet[NUMBER_TEXT], need[NUMBER_TEXT];

    if (!*d->dir) return check_without(o);
    number_text(NUMBER_SIZE, d->segment_bytes, segment);
    number_text(NUMBER_SIZE, SEGMENTS_MIN * (uint64_t)d->segment_bytes, need);
    if (d->bytes_max && d->bytes_max < SEGMENTS_MIN * (uint64_t)d->segment_bytes)
        return options_refuse(o, "data.bytes: with a data.segment of %s it takes at least %s, or 0",
                              segment, need);
    uint32_t limit = store_record_limit(d->segment_bytes & ~7u);
    if (record <= limit) return 0;
    return options_refuse(
        o,
        "data.segment: %s is too small for an mqtt.packet of %s, with a topic of up to "
        "mqtt.topic_bytes: it takes at least %" PRIu64 " bytes",
        segment, number_text(NUMBER_SIZE, o->mqtt.packet_bytes_max, packet),
        record + (d->segment_bytes - limit));
}
