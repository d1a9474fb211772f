/*
 * pagectl load STORE TABLE [FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pagectl.h"

#define BATCH_ITEMS 4096u
#define BATCH_BYTES (512u * 1024u) /* of text; every batch commits by itself */

/* Lines that are loaded in one step. */
struct batch {
    struct ps_item items[BATCH_ITEMS];
    uint32_t count;
    char *bytes; /* what the items point into: BATCH_BYTES and one line more */
    size_t len;
    uint64_t line_last; /* number of the last line in it, from 1 */
};

/* Where lines go: a table of a store, or the items file of a mount. */
struct sink {
    int (*put)(struct sink *sink, const struct batch *batch);
    uint32_t item_max; /* longest line */
    struct ps_table *table;
    int fd;
    const char *path;
};

struct source {
    FILE *file;
    const char *name;
    uint64_t bytes_read, bytes_total; /* total is 0 where it cannot be known */
};

/* --- reading lines ------------------------------------------------------------------------------
 */

static int source_open(const char *name, struct source *ret)
{
    struct stat st;

    ret->name = name && strcmp(name, "-") != 0 ? name : "standard input";
    ret->file = name && strcmp(name, "-") != 0 ? fopen(name, "re") : stdin;
    ret->bytes_read = 0;
    ret->bytes_total = 0;
    if (!ret->file)
        return pc_error("%s: %s", name, strerror(errno));
    if (fstat(fileno(ret->file), &st) == 0 && S_ISREG(st.st_mode))
        ret->bytes_total = (uint64_t)st.st_size;
    return PC_OK;
}

static void source_close(struct source *source)
{
    if (source->file != stdin)
        fclose(source->file);
}

static void batch_add(struct batch *batch, const char *line, size_t len)
{
    memcpy(batch->bytes + batch->len, line, len);
    batch->items[batch->count].data = batch->bytes + batch->len;
    batch->items[batch->count].len = (uint32_t)len;
    batch->count++;
    batch->len += len;
    batch->line_last++;
}

static int batch_put(struct batch *batch, struct sink *sink)
{
    uint64_t line_first = batch->line_last - batch->count + 1;
    int status;

    if (batch->count == 0)
        return PC_OK;
    status = sink->put(sink, batch);
    if (status)
        return pc_error("lines %" PRIu64 " to %" PRIu64 " are not loaded, those before them are",
                        line_first, batch->line_last);
    batch->count = 0;
    batch->len = 0;
    return PC_OK;
}

/* Loads all lines; those before a failure stay loaded. */
static int load_lines(struct source *source, struct batch *batch, struct sink *sink)
{
    struct pc_progress bar;
    char *line = NULL;
    size_t cap = 0;
    int status = PC_OK;
    ssize_t n;

    pc_progress_start(&bar);
    while (status == PC_OK && (n = getline(&line, &cap, source->file)) >= 0) {
        source->bytes_read += (uint64_t)n;
        if (n > 0 && line[n - 1] == '\n')
            n--;
        if ((size_t)n > sink->item_max) {
            status = batch_put(batch, sink);
            if (status == PC_OK)
                status = pc_error("%s: line %" PRIu64 " has %zd bytes, an item at most %" PRIu32
                                  "; the lines before it are loaded",
                                  source->name, batch->line_last + 1, n, sink->item_max);
            break;
        }
        batch_add(batch, line, (size_t)n);
        if (batch->count == BATCH_ITEMS || batch->len >= BATCH_BYTES)
            status = batch_put(batch, sink);
        if (source->bytes_total > 0)
            pc_progress_show(&bar, "load", source->bytes_read, source->bytes_total);
    }
    pc_progress_end(&bar);
    free(line);
    if (status == PC_OK && ferror(source->file))
        status = pc_error("%s: %s", source->name, strerror(errno));
    return status ? status : batch_put(batch, sink);
}

static int load(struct source *source, struct sink *sink)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    int status;

    if (!batch)
        return pc_error("out of memory");
    batch->bytes = malloc(BATCH_BYTES + (size_t)sink->item_max);
    status = batch->bytes ? load_lines(source, batch, sink) : pc_error("out of memory");
    free(batch->bytes);
    free(batch);
    return status;
}

/* --- into a store that is not mounted -----------------------------------------------------------
 */

static int put_items(struct sink *sink, const struct batch *batch)
{
    return pc_report(ps_items_append(sink->table, batch->items, batch->count, 0, NULL));
}

static int load_table(struct source *source, struct ps_store *store, const char *name)
{
    struct sink sink = {.put = put_items};
    struct ps_table_info info;
    int status;

    status = pc_lookup(store, name, &sink.table);
    if (status)
        return status;
    status = pc_report(ps_table_info(sink.table, &info));
    if (status == PC_OK) {
        sink.item_max =
            ps_slotted_item_max(ps_format_by_id(info.format), ps_store_page_size(store));
        status = load(source, &sink);
    }
    ps_table_unref(sink.table);
    return status;
}

static int load_unmounted(struct source *source, const struct pc_target *target, const char *name)
{
    struct ps_store *store;
    int status;

    status = pc_open(target, false, &store);
    if (status)
        return status;
    status = load_table(source, store, name);
    return pc_close(store, status);
}

/* --- through a mount ----------------------------------------------------------------------------
 */

/* The lines as the items view reads them: a backslash starts an escape there. */
static char *batch_text(const struct batch *batch, size_t *ret_len)
{
    char *text = malloc(4 * batch->len + batch->count);
    char *p = text;
    uint32_t i, k;

    for (i = 0; text && i < batch->count; i++) {
        const char *data = batch->items[i].data;

        for (k = 0; k < batch->items[i].len; k++) {
            if (data[k] == '\\')
                p = mempcpy(p, "\\x5c", 4);
            else
                *p++ = data[k];
        }
        *p++ = '\n';
    }
    *ret_len = (size_t)(p - text);
    return text;
}

static int put_text(struct sink *sink, const struct batch *batch)
{
    size_t len;
    char *text = batch_text(batch, &len);
    ssize_t n;

    if (!text)
        return pc_error("out of memory");
    n = write(sink->fd, text, len);
    free(text);
    if (n < 0)
        return pc_error("%s: %s", sink->path, strerror(errno));
    if ((size_t)n < len)
        return pc_error("%s: only %zd of %zu bytes were taken", sink->path, n, len);
    return PC_OK;
}

static int load_mounted(struct source *source, const struct pc_target *target, const char *name)
{
    char path[PATH_MAX];
    struct sink sink = {.put = put_text, .item_max = PS_PAGE_SIZE_MAX, .path = path};
    int status;

    status = pc_mount_path(target, name, "views/items", path, sizeof(path));
    if (status)
        return status;
    sink.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (sink.fd < 0)
        return pc_error_mount(target, name, path, errno);
    status = load(source, &sink);
    close(sink.fd);
    return status;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct pc_target target;
    struct source source;
    const char *words[3];
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words, 2, 3);
    if (status != PC_GO_ON)
        return status;
    status = source_open(words[2], &source);
    if (status)
        return status;
    pc_target_find(words[0], &target);
    if (pc_mounted(&target))
        status = load_mounted(&source, &target, words[1]);
    else
        status = load_unmounted(&source, &target, words[1]);
    source_close(&source);
    return status;
}

const struct pc_command pc_cmd_load = {
    .name = "load",
    .args = "STORE TABLE [FILE]",
    .summary = "append the lines of a text as items",
    .text =
        "Each line of FILE, or of standard input, becomes an item of the slotted table, in order.\n"
        "An empty raw table becomes slotted. Lines that were loaded before an error stay.",
    .run = run,
};
