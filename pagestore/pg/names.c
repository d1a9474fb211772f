/*
 * names.c - names encoded byte by byte, and cut between characters where they are too long.
 */
#include "pg/names.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define SUFFIX_MAX 16u

/* A name under construction. Beyond max the bytes are counted, not kept; cut is the longest length
 * up to cut_max that splits no character and no %XX. */
struct name {
    char *buf;
    size_t len, max;
    size_t cut, cut_max;
};

static void name_add(struct name *n, const char *unit, size_t len)
{
    if (n->len + len <= n->max)
        memcpy(n->buf + n->len, unit, len);
    n->len += len;
    if (n->len <= n->cut_max)
        n->cut = n->len;
}

static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '/' || c == '%' || c == '.' || c == '~';
}

static void name_add_escaped(struct name *n, unsigned char c)
{
    char unit[4];

    snprintf(unit, sizeof(unit), "%%%02X", c);
    name_add(n, unit, 3);
}

static void name_add_encoded(struct name *n, const char *text)
{
    struct ps_utf8 c = ps_utf8_of(text, strlen(text));

    while (ps_utf8_next(&c)) {
        if (c.len == 1 && must_escape(*c.at))
            name_add_escaped(n, *c.at);
        else
            name_add(n, (const char *)c.at, c.len); /* of another encoding, perhaps */
    }
}

/* Ends the name with the suffix, cut and marked with the OID if it would be too long. */
static void name_end(struct name *n, ps_oid oid, const char *suffix)
{
    if (n->len + strlen(suffix) > PS_PG_DIR_MAX)
        snprintf(n->buf + n->cut, PS_PG_DIR_MAX + 1 - n->cut, "~%u%s", oid, suffix);
    else
        snprintf(n->buf + n->len, PS_PG_DIR_MAX + 1 - n->len, "%s", suffix);
}

/* suffix_len: of what will follow a cut name. */
static struct name name_begin(char buf[PS_PG_DIR_MAX + 1], ps_oid oid, size_t suffix_len)
{
    size_t mark_len = (size_t)snprintf(NULL, 0, "~%u", oid);

    return (struct name){
        .buf = buf, .max = PS_PG_DIR_MAX, .cut_max = PS_PG_DIR_MAX - mark_len - suffix_len};
}

void ps_pg_database_dir(const char *name, ps_oid oid, char buf[PS_PG_DIR_MAX + 1])
{
    struct name n = name_begin(buf, oid, 0);

    if (strcmp(name, "global") == 0) {
        name_add_escaped(&n, (unsigned char)*name);
        name++;
    }
    name_add_encoded(&n, name);
    name_end(&n, oid, "");
}

void ps_pg_relation_file(const char *schema, const char *name, ps_oid oid, const char *suffix,
                         char buf[PS_PG_DIR_MAX + 1])
{
    struct name n = name_begin(buf, oid, strlen(suffix));

    assert(strlen(suffix) <= SUFFIX_MAX);
    if (*schema != '\0') {
        name_add_encoded(&n, schema);
        name_add(&n, ".", 1);
    }
    name_add_encoded(&n, name);
    name_end(&n, oid, suffix);
}

void ps_pg_relation_dir(const char *schema, const char *name, ps_oid oid, enum ps_pg_fork fork,
                        char buf[PS_PG_DIR_MAX + 1])
{
    char suffix[SUFFIX_MAX + 1] = "";

    assert(fork < PS_PG_FORKS);
    if (fork != PS_PG_MAIN)
        snprintf(suffix, sizeof(suffix), ".%s", ps_pg_fork_names[fork]);
    ps_pg_relation_file(schema, name, oid, suffix, buf);
}

void ps_pg_filenode_name(const struct ps_pg_file *file, char buf[PS_PG_DIR_MAX + 1])
{
    char name[PS_PG_FILE_NAME_MAX];

    ps_pg_file_name(file, name);
    if (file->space == PS_PG_DEFAULT_SPACE || file->space == PS_PG_GLOBAL_SPACE)
        snprintf(buf, PS_PG_DIR_MAX + 1, "%s", name);
    else
        snprintf(buf, PS_PG_DIR_MAX + 1, "%u.%s", file->space, name);
}
