/*
 * demo_trace.c - accesses in a file: "r PAGE" or "w PAGE" a line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "demo.h"

/* False: the line is not an access. */
static bool parse_line(const char *line, struct demo_access *ret)
{
    uint64_t page;

    if ((line[0] != 'r' && line[0] != 'w') || line[1] != ' ' ||
        !ps_parse_number(line + 2, 0, DEMO_PAGES_MAX - 1, &page))
        return false;
    *ret = (struct demo_access){.page = (uint32_t)page, .write = line[0] == 'w'};
    return true;
}

static int append(struct demo_trace *trace, uint64_t *room, const struct demo_access *access)
{
    if (trace->count == *room) {
        uint64_t more = *room ? *room * 2 : 4096;
        struct demo_access *grown = realloc(trace->accesses, more * sizeof(*grown));

        if (!grown)
            return demo_error("no memory for a trace of %llu accesses", (unsigned long long)more);
        trace->accesses = grown;
        *room = more;
    }
    trace->accesses[trace->count++] = *access;
    if (trace->pages_end <= access->page)
        trace->pages_end = access->page + 1;
    return DEMO_OK;
}

static int read_lines(const char *path, FILE *file, struct demo_trace *trace)
{
    uint64_t room = 0, line_no = 0;
    struct demo_access access;
    char *line = NULL;
    size_t line_room = 0;
    int status = DEMO_OK;

    while (status == DEMO_OK && getline(&line, &line_room, file) >= 0) {
        line_no++;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (parse_line(line, &access))
            status = append(trace, &room, &access);
        else
            status = demo_error("%s:%llu: must be 'r PAGE' or 'w PAGE' with a page below %u, "
                                "not '%.40s'",
                                path, (unsigned long long)line_no, DEMO_PAGES_MAX, line);
    }
    if (status == DEMO_OK && !feof(file)) /* it failed, or there was no memory for a line */
        status = demo_error("%s: %s", path, strerror(errno));
    free(line);
    if (status == DEMO_OK && trace->count == 0)
        status = demo_error("%s: no accesses in this trace", path);
    return status;
}

int demo_trace_read(const char *path, struct demo_trace *ret)
{
    FILE *file = fopen(path, "re");
    int status;

    *ret = (struct demo_trace){0};
    if (!file)
        return demo_error("%s: %s", path, strerror(errno));
    status = read_lines(path, file, ret);
    (void)fclose(file);
    if (status != DEMO_OK)
        demo_trace_free(ret);
    return status;
}

void demo_trace_free(struct demo_trace *trace)
{
    free(trace->accesses);
    *trace = (struct demo_trace){0};
}

void demo_trace_write(FILE *file, const struct demo_access *access)
{
    (void)fprintf(file, "%c %u\n", access->write ? 'w' : 'r', access->page);
}
