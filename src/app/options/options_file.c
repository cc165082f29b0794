/* SPDX-License-Identifier: BSD-3-Clause */
/* options_file.c -- the YAML file, through a libcyaml schema made from options.def.
 *
 * libcyaml checks the shape: which keys there are, and what is a list, a mapping or a
 * plain value. Plain values stay text and go through options_set() like those of every
 * other source. libcyaml 1.3 tells of the place only where it last was, so the line is
 * found by looking for the key from there on. */
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options/options.h"
#include "app/options/options_file.h"
#include "app/suggest.h"
#include "base/assert.h"
#include "base/err.h"

enum { FILE_BYTES_MAX = 1 << 20, SECTIONS_MAX = 16, COMPLAINT = 256 };

/* What libcyaml fills: one text per row of options.def. */
struct file_values {
    char *text[OPTIONS_MAX];
    struct file_listener *listeners;
    unsigned listeners_count;
    struct file_rule *rules;
    unsigned rules_count;
    struct file_data_rule *data_rules;
    unsigned data_rules_count;
};

struct file_section {
    char name[32];
    unsigned n;
    cyaml_schema_field_t field[OPTIONS_MAX + 1];
};

struct file_schema {
    cyaml_schema_value_t root;
    cyaml_schema_field_t top[OPTIONS_MAX + SECTIONS_MAX + 2];
    unsigned ntop;
    struct file_section section[SECTIONS_MAX];
    unsigned nsections;
};

/* What libcyaml had to say: its first sentence, the place it was at, and the innermost
 * field that it was in. */
struct complaint {
    char text[COMPLAINT];
    char field[COMPLAINT];
    unsigned line;
};

/* ---- schema ---------------------------------------------------------------------------- */

static cyaml_schema_field_t text_field(unsigned i, const char *name)
{
    cyaml_schema_field_t f = {
        .key = name,
        .value = {.type = CYAML_STRING,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(char),
                  .string = {.min = 0, .max = CYAML_UNLIMITED}},
    };
    f.data_offset = (uint32_t)(offsetof(struct file_values, text) + i * sizeof(char *));
    return f;
}

static struct file_section *section_at(struct file_schema *s, const char *name, size_t n)
{
    for (unsigned i = 0; i < s->nsections; i++)
        if (strlen(s->section[i].name) == n && memcmp(s->section[i].name, name, n) == 0)
            return &s->section[i];
    ASSERT(s->nsections < SECTIONS_MAX);
    struct file_section *section = &s->section[s->nsections++];
    ASSERT(n < sizeof section->name);
    memcpy(section->name, name, n);
    s->top[s->ntop++] = (cyaml_schema_field_t){
        .key = section->name,
        .value = {.type = CYAML_MAPPING,
                  .flags = CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(struct file_values),
                  .mapping = {.fields = section->field}},
    };
    return section;
}

static struct file_schema *schema_new(void)
{
    static const cyaml_schema_field_t listeners = CYAML_FIELD_SEQUENCE(
        "listeners", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_values, listeners,
        &file_listener_schema, 1, NET_LISTENERS_MAX);
    static const cyaml_schema_field_t rules =
        CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_values,
                             rules, &file_rule_schema, 1, ACL_RULES_MAX);
    static const cyaml_schema_field_t data_rules =
        CYAML_FIELD_SEQUENCE("rules", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_values,
                             data_rules, &file_data_rule_schema, 1, DURABILITY_RULES_MAX);
    struct file_schema *s = calloc(1, sizeof *s);

    if (!s) return NULL;
    s->top[s->ntop++] = rules;
    struct file_section *data = section_at(s, "data", strlen("data"));
    data->field[data->n++] = data_rules;
    for (unsigned i = 0; i < options_count(); i++) {
        const struct option *row = option_at(i);
        const char *dot = strchr(row->key, '.');
        if (row->kind == OPTION_ADDRESSES) {
            s->top[s->ntop++] = listeners;
        } else if (dot) {
            struct file_section *section = section_at(s, row->key, (size_t)(dot - row->key));
            section->field[section->n++] = text_field(i, dot + 1);
        } else {
            s->top[s->ntop++] = text_field(i, row->key);
        }
    }
    s->root = (cyaml_schema_value_t){
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_values, s->top),
    };
    return s;
}

/* ---- lines ------------------------------------------------------------------------------- */

static bool ends_key(const char *p)
{
    if (*p == '"' || *p == '\'') p++;
    p += strspn(p, " ");
    return *p == ':';
}

/* The line, counted from 1, in which `key` stands as a key, not before line `from`; 0: none. */
static unsigned line_of(const char *text, const char *key, size_t n, unsigned from)
{
    unsigned line = 1;
    bool comment = false, word = false;

    for (const char *p = text; *p; p++) {
        if (*p == '\n') {
            line++;
            comment = word = false;
            continue;
        }
        if (*p == '#' && !word) comment = true;
        if (!comment && !word && line >= from && strncmp(p, key, n) == 0 && ends_key(p + n))
            return line;
        word = *p != ' ' && *p != '{' && *p != ',' && *p != '"' && *p != '\'';
    }
    return 0;
}

/* The same for a key at the margin, as others may have its name within a section. Wherever it is if
 * there is none at the margin. */
static unsigned line_of_top(const char *text, const char *key, size_t n)
{
    unsigned line = 1;

    for (const char *p = text; p; line++) {
        if (strncmp(p, key, n) == 0 && ends_key(p + n)) return line;
        p = strchr(p, '\n');
        if (p) p++;
    }
    return line_of(text, key, n, 1);
}

static unsigned line_of_option(const char *text, const char *key)
{
    const char *dot = strchr(key, '.');
    if (!dot) return line_of_top(text, key, strlen(key));
    unsigned section = line_of_top(text, key, (size_t)(dot - key));
    return line_of(text, dot + 1, strlen(dot + 1), section);
}

/* ---- complaints ----------------------------------------------------------------------------- */

static void on_complaint(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
    static const char in_field[] = "in mapping field '";
    struct complaint *c = ctx;
    char line[COMPLAINT];

    (void)level;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    const char *at = strstr(line, "(line: ");
    const char *field = strstr(line, in_field);
    if (field && !*c->field) {
        field += sizeof in_field - 1;
        snprintf(c->field, sizeof c->field, "%.*s", (int)strcspn(field, "'"), field);
    }
    if (at && c->line == 0) c->line = (unsigned)strtoul(at + 7, NULL, 10);
    if (!at && !*c->text && strncmp(text, "Backtrace", 9) != 0)
        snprintf(c->text, sizeof c->text, "%s", text);
}

/* The part of `text` behind `start`, or NULL if it starts otherwise. */
static const char *behind(const char *text, const char *start)
{
    size_t n = strlen(start);
    return strncmp(text, start, n) == 0 ? text + n : NULL;
}

static int refuse_key(struct options *o, const char *text, const struct complaint *c,
                      const char *key)
{
    char section[COMPLAINT + 1];
    struct suggest near = suggest_start(key);
    unsigned line = line_of(text, key, strlen(key), c->line);

    snprintf(section, sizeof section, *c->field ? "%s." : "%s", c->field);
    for (unsigned i = 0; i < options_count(); i++) {
        const char *rest = behind(option_at(i)->key, section);
        if (rest) suggest_offer(&near, rest);
    }
    const char *best = suggest_best(&near);
    return options_refuse(o, "%s:%u: %s%.80s is not a setting%s%s%s", o->file,
                          line ? line : c->line, section, key, best ? "; did you mean " : "",
                          best ? section : "", best ? best : "");
}

static int refuse_file(struct options *o, const char *text, const struct complaint *c)
{
    unsigned line = c->line ? c->line : 1;
    const char *key = behind(c->text, "Unexpected key: ");
    const char *wanted = behind(c->text, "Expecting ");
    const char *syntax = behind(c->text, "libyaml: ");

    if (key) return refuse_key(o, text, c, key);
    if (wanted)
        return options_refuse(o, "%s:%u: %s takes %s", o->file, line, c->field,
                              behind(wanted, "MAPPING")    ? "settings of its own"
                              : behind(wanted, "SEQUENCE") ? "a list"
                                                           : "one value");
    if (syntax)
        return options_refuse(o, "%s: not YAML, in line %u or after it: %s", o->file, line, syntax);
    return options_refuse(o, "%s:%u: %s", o->file, line, *c->text ? c->text : "not understood");
}

/* ---- loading -----------------------------------------------------------------------------------
 */

/* The whole file as a string, or NULL with o->error set. */
static char *read_file(struct options *o, const char *path)
{
    char *text = NULL;
    FILE *f = fopen(path, "re");

    if (!f) {
        options_refuse(o, "%s can't be read: %s", path, strerror(errno));
        return NULL;
    }
    text = malloc(FILE_BYTES_MAX + 1);
    size_t n = text ? fread(text, 1, FILE_BYTES_MAX + 1, f) : 0;
    if (!text || ferror(f) || n > FILE_BYTES_MAX) {
        options_refuse(o, "%s can't be read: %s", path,
                       n > FILE_BYTES_MAX ? "larger than 1 MiB" : strerror(errno));
        free(text);
        text = NULL;
    } else {
        text[n] = '\0';
    }
    fclose(f);
    return text;
}

static int take_values(struct options *o, const struct file_values *v, const char *text)
{
    for (unsigned i = 0; i < options_count(); i++) {
        unsigned line = line_of_option(text, option_at(i)->key);
        int err = 0;
        if (v->text[i])
            err = options_set(o, i, v->text[i], FROM_FILE, line);
        else if (option_at(i)->kind == OPTION_ADDRESSES && v->listeners)
            err = file_take_listeners(o, v->listeners, v->listeners_count,
                                      (struct file_place){i, line});
        if (err < 0) return err;
    }
    if (v->data_rules) {
        int err = file_take_data_rules(o, v->data_rules, v->data_rules_count,
                                       line_of_option(text, "data.rules"));
        if (err < 0) return err;
    }
    if (!v->rules) return 0;
    struct file_rules rules = {.at = v->rules, .n = v->rules_count};
    return file_take_rules(o, &rules, text, line_of_option(text, "rules"));
}

int options_load_file(struct options *o, const char *path)
{
    struct complaint complaint = {.line = 0};
    const cyaml_config_t config = {
        .log_fn = on_complaint,
        .log_ctx = &complaint,
        .log_level = CYAML_LOG_WARNING,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct file_values *values = NULL;
    int err = -ERR_INVALID;

    o->file = path;
    char *text = read_file(o, path);
    struct file_schema *schema = text ? schema_new() : NULL;
    if (text && !schema) options_refuse(o, "out of memory");
    if (schema) {
        cyaml_err_t bad = cyaml_load_data((const uint8_t *)text, strlen(text), &config,
                                          &schema->root, (cyaml_data_t **)&values, NULL);
        err = bad == CYAML_OK ? 0 : refuse_file(o, text, &complaint);
        if (values) err = take_values(o, values, text);
        cyaml_free(&config, &schema->root, values, 0);
    }
    free(schema);
    free(text);
    return err;
}
