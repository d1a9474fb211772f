/*
 * cluster_names.c - names of relations' files, as src/common/relpath.c and md.c make them.
 */
#include <stdio.h>
#include <string.h>

#include "pg/cluster_internal.h"

const char *const ps_pg_fork_names[PS_PG_FORKS] = {"main", "fsm", "vm", "init"};

bool ps_cluster_parse_number(const char *text, const char **ret_end, uint32_t *ret)
{
    uint64_t value = 0;
    const char *at = text;

    while (*at >= '0' && *at <= '9' && value <= UINT32_MAX)
        value = value * 10 + (uint64_t)(*at++ - '0');
    if (at == text || value > UINT32_MAX || (text[0] == '0' && at > text + 1))
        return false;
    *ret = (uint32_t)value;
    *ret_end = at;
    return true;
}

bool ps_cluster_parse_segment(const char *path, size_t *ret_len, uint32_t *ret_segment)
{
    const char *dot = strrchr(path, '.'), *end;
    uint32_t segment;

    if (!dot || dot == path || dot[-1] == '/' ||
        !ps_cluster_parse_number(dot + 1, &end, &segment) || *end || segment == 0)
        return false;
    *ret_len = (size_t)(dot - path);
    *ret_segment = segment;
    return true;
}

/* "_fsm" and the like; false: there is '_' and no fork behind it. */
static bool parse_fork(const char **at, enum ps_pg_fork *ret)
{
    *ret = PS_PG_MAIN;
    if (**at != '_')
        return true;
    for (unsigned fork = PS_PG_FSM; fork < PS_PG_FORKS; fork++) {
        const size_t len = strlen(ps_pg_fork_names[fork]);

        if (strncmp(*at + 1, ps_pg_fork_names[fork], len) != 0)
            continue;
        *at += 1 + len;
        *ret = (enum ps_pg_fork)fork;
        return true;
    }
    return false;
}

/* "t3_" of a temporary relation of the session with that number. */
static bool parse_backend(const char **at, int32_t *ret)
{
    const char *end;
    uint32_t backend;

    *ret = -1;
    if (**at != 't')
        return true;
    if (!ps_cluster_parse_number(*at + 1, &end, &backend) || *end != '_' || backend > INT32_MAX)
        return false;
    *at = end + 1;
    *ret = (int32_t)backend;
    return true;
}

bool ps_pg_parse_file_name(const char *name, struct ps_pg_file *ret, uint32_t *ret_segment)
{
    struct ps_pg_file f = *ret;
    uint32_t segment = 0;

    if (!parse_backend(&name, &f.backend) || !ps_cluster_parse_number(name, &name, &f.node) ||
        f.node == 0 || !parse_fork(&name, &f.fork))
        return false;
    if (*name == '.' && (!ps_cluster_parse_number(name + 1, &name, &segment) || segment == 0))
        return false;
    if (*name)
        return false;
    *ret = f;
    *ret_segment = segment;
    return true;
}

void ps_pg_file_name(const struct ps_pg_file *file, char buf[PS_PG_FILE_NAME_MAX])
{
    const bool is_main = file->fork == PS_PG_MAIN;
    char backend[16] = "";

    if (file->backend >= 0)
        (void)snprintf(backend, sizeof(backend), "t%d_", file->backend);
    (void)snprintf(buf, PS_PG_FILE_NAME_MAX, "%s%u%s%s", backend, file->node, is_main ? "" : "_",
                   is_main ? "" : ps_pg_fork_names[file->fork]);
}

bool ps_cluster_is_known_name(const char *name)
{
    static const char *const whole[] = {"PG_VERSION", "pg_filenode.map", "pg_filenode.map.tmp",
                                        "pg_control"};
    static const char *const beginnings[] = {"pg_internal.init", "pgsql_tmp"};

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (strcmp(name, whole[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int ps_cluster_compare_files(const struct ps_pg_file *a, const struct ps_pg_file *b)
{
    int by = order(a->db, b->db);

    by = by ? by : order(a->space, b->space);
    by = by ? by : order(a->node, b->node);
    by = by ? by : order(a->backend, b->backend);
    return by ? by : order(a->fork, b->fork);
}
