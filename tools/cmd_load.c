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
    ps_err (*put)(struct sink *sink, const struct batch *batch);
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

/* --- reading lines ------------------------------------------------------------------------ */

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
    char *at = batch->bytes + batch->len;

    memcpy(at, line, len);
    at[len] = '\n';
    batch->items[batch->count].data = at;
    batch->items[batch->count].len = (uint32_t)len;
    batch->count++;
    batch->len += len + 1;
    batch->line_last++;
}

static int batch_put(struct batch *batch, struct sink *sink)
{
    uint64_t line_first = batch->line_last - batch->count + 1;

    if (batch->count == 0)
        return PC_OK;
    if (sink->put(sink, batch) != PS_OK)
        return pc_error("%s; lines %" PRIu64 " to %" PRIu64
                        " are not loaded, those before them are",
                        ps_message(), line_first, batch->line_last);
    batch->count = 0;
    batch->len = 0;
    return PC_OK;
}

/* Takes one line, without its newline. */
static int take_line(const struct source *source, struct batch *batch, struct sink *sink,
                     const char *line, size_t len)
{
    int status;

    if (len > sink->item_max) {
        status = batch_put(batch, sink);
        if (status)
            return status;
        return pc_error("%s: line %" PRIu64 " has %zu bytes, an item at most %" PRIu32
                        "; the lines before it are loaded",
                        source->name, batch->line_last + 1, len, sink->item_max);
    }
    batch_add(batch, line, len);
    if (batch->count == BATCH_ITEMS || batch->len >= BATCH_BYTES)
        return batch_put(batch, sink);
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
        status = take_line(source, batch, sink, line, (size_t)n);
        if (source->bytes_total > 0)
            pc_progress_show(&bar, "load", source->bytes_read, source->bytes_total);
    }
    pc_progress_end(&bar);
    if (status == PC_OK && !feof(source->file)) /* it failed, or there was no memory for a line */
        status = pc_error("%s: %s", source->name, strerror(errno));
    free(line);
    return status ? status : batch_put(batch, sink);
}

static int load(struct source *source, struct sink *sink)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    int status;

    if (!batch)
        return pc_error("out of memory");
    batch->bytes = malloc(BATCH_BYTES + (size_t)sink->item_max + 1);
    status = batch->bytes ? load_lines(source, batch, sink) : pc_error("out of memory");
    free(batch->bytes);
    free(batch);
    return status;
}

/* --- into a store that is not mounted ----------------------------------------------------- */

static ps_err put_items(struct sink *sink, const struct batch *batch)
{
    return ps_items_append(sink->table, batch->items, batch->count, 0, NULL);
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

/* --- through a mount ---------------------------------------------------------------------- */

static ps_err put_text(struct sink *sink, const struct batch *batch)
{
    ssize_t n = write(sink->fd, batch->bytes, batch->len);

    if (n < 0)
        return ps_fail_errno(errno, "%s", sink->path);
    if ((size_t)n < batch->len)
        return ps_fail(PS_ERR_IO, "%s: only %zd of %zu bytes were taken", sink->path, n,
                       batch->len);
    return PS_OK;
}

/* Only tables that have items, or may come to have some, show that file. */
static int error_no_items(const struct pc_target *target, const char *name, const char *path,
                          int sys_errno)
{
    char folder[PATH_MAX];

    if (sys_errno == ENOENT && pc_mount_path(target, name, NULL, folder, sizeof(folder)) == PC_OK &&
        access(folder, F_OK) == 0)
        return pc_error("table '%s' is raw: it has no items", name);
    return pc_error_mount(target, name, path, sys_errno);
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
        return error_no_items(target, name, path, errno);
    status = load(source, &sink);
    if (close(sink.fd) != 0 && status == PC_OK)
        status = pc_error("%s: %s", path, strerror(errno));
    return status;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct pc_target target;
    struct source source;
    const char *words[3];
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words);
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
    .words_min = 2,
    .words_max = 3,
    .run = run,
};
