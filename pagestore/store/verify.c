/*
 * verify.c - the order of the work: control file, log, catalog, each table, and what else lies in
 * the folder of tables.
 */
#include "pagestore/verify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "store/verify_internal.h"

#define TEXT_MAX 512

void ps_verify_report(struct ps_verifier *v, enum ps_severity severity,
                      const struct ps_place *place, const char *word, const char *fmt, ...)
{
    char text[TEXT_MAX];
    struct ps_finding finding = {
        .severity = severity,
        .file = place->file,
        .table = place->table,
        .page = place->page,
        .offset = place->offset,
        .word = word,
        .text = text,
    };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (severity == PS_FAULT)
        v->result.faults++;
    if (severity == PS_SUSPECT)
        v->result.suspects++;
    if (v->opts->report)
        v->opts->report(v->opts->ctx, &finding);
}

void ps_verify_progress(struct ps_verifier *v, const char *what, uint64_t bytes)
{
    v->bytes_done += bytes;
    if (v->opts->progress)
        v->opts->progress(v->opts->ctx, what, v->bytes_done, v->bytes_total);
}

const char *ps_verify_word(const struct ps_format *fmt, const void *page,
                           const struct ps_page_ident *who)
{
    uint32_t stored, computed;
    bool none;

    if (ps_page_is_zero(page, who->page_size))
        return "zero";
    fmt->checksum(page, who, &stored, &computed, &none);
    return stored == computed ? "identity" : "checksum";
}

/* --- the list of tables ------------------------------------------------------------------- */

ps_err ps_verify_add_table(struct ps_verifier *v, const struct ps_verify_table *table)
{
    size_t cap = v->table_cap ? 2 * v->table_cap : 64;
    struct ps_verify_table *bigger;

    if (v->table_count == v->table_cap) {
        bigger = reallocarray(v->tables, cap, sizeof(*bigger));
        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for the list of tables");
        v->tables = bigger;
        v->table_cap = cap;
    }
    v->tables[v->table_count++] = *table;
    return PS_OK;
}

static int id_cmp(const void *key, const void *element)
{
    const uint32_t id = *(const uint32_t *)key;
    const struct ps_verify_table *table = element;

    return id < table->entry.table ? -1 : id > table->entry.table;
}

/* After ps_verify_catalog; NULL if there is none of that id. */
static const struct ps_verify_table *find_table(const struct ps_verifier *v, uint32_t id)
{
    return bsearch(&id, v->tables, v->table_count, sizeof(*v->tables), id_cmp);
}

/* --- control file ------------------------------------------------------------------------- */

/* The page size under which the catalog's first page verifies; 0 if there is none. */
static uint32_t guess_page_size(struct ps_io *io)
{
    struct ps_page_ident who = {.page_no = 0, .table_id = PS_CATALOG_ID};
    struct ps_window w = {0};
    const uint8_t *page;
    uint32_t found = 0;
    char path[32];

    ps_table_path(path, sizeof(path), PS_CATALOG_ID, "pages");
    if (ps_window_open(&w, io, path, PS_PAGE_SIZE_MAX) != PS_OK)
        return 0;
    for (who.page_size = PS_PAGE_SIZE_MIN; who.page_size <= PS_PAGE_SIZE_MAX && !found;
         who.page_size *= 2)
        if (ps_window_read(&w, 0, who.page_size, &page) == PS_OK &&
            ps_format_native.verify(page, &who) == PS_OK)
            found = who.page_size;
    ps_window_close(&w);
    return found;
}

static void report_control_copies(struct ps_verifier *v, const struct ps_control_report *report)
{
    struct ps_place place = {.file = PS_CONTROL_PATH, .page = -1};
    unsigned i;

    for (i = 0; i < 2; i++) {
        place.offset = i * PS_CONTROL_COPY_LEN;
        if (report->copy_err[i])
            ps_verify_report(v, PS_FAULT, &place, "control", "copy %u: %s", i + 1,
                             report->copy_why[i]);
        if (report->copy_has_reserved[i])
            ps_verify_report(v, PS_SUSPECT, &place, "control",
                             "copy %u: bytes that have no meaning are not zero", i + 1);
    }
    if (report->differ[0])
        ps_verify_report(v, PS_FAULT, &place, "control", "%s", report->differ);
    if (report->trailing > 0)
        ps_verify_report(v, PS_SUSPECT, &place, "trailing", "%" PRIu64 " bytes behind the copies",
                         report->trailing);
}

/* Fails when there is nothing here that could be a store, or none of a known version. */
static ps_err verify_control(struct ps_verifier *v)
{
    struct ps_control_report report = {0};
    const struct ps_place place = {.file = PS_CONTROL_PATH, .page = -1};
    char why[TEXT_MAX] = "";
    ps_err err;

    err = ps_control_read(v->io, &v->control, &report);
    if (err && err != PS_ERR_CORRUPT && err != PS_ERR_NOENT && err != PS_ERR_IO)
        return err;
    if (err) /* guessing fails on its way */
        snprintf(why, sizeof(why), "%s", ps_message());
    v->control_sound = err == PS_OK;
    v->crashed = v->control_sound && v->control.state != PS_STATE_CLEAN;
    v->result.needs_recovery = v->crashed;
    v->end_lsn = UINT64_MAX;
    v->page_size = v->control_sound ? v->control.page_size : guess_page_size(v->io);
    if (v->page_size == 0)
        return ps_fail(err, "%s", why);
    if (err == PS_ERR_NOENT)
        ps_verify_report(v, PS_FAULT, &place, "control", "it is missing");
    else if (err == PS_ERR_IO)
        ps_verify_report(v, PS_FAULT, &place, "control", "%s", why);
    else
        report_control_copies(v, &report);
    return PS_OK;
}

/* --- the folder of tables ----------------------------------------------------------------- */

static ps_err check_file_name(void *ctx, const char *name)
{
    struct ps_verifier *v = ctx;
    const uint32_t id = ps_table_of_file(name);
    const struct ps_verify_table *table = id ? find_table(v, id) : NULL;
    char path[300];
    struct ps_place place = {.file = path, .page = -1};

    snprintf(path, sizeof(path), "%s/%s", PS_TABLES_DIR, name);
    if (id == 0)
        ps_verify_report(v, PS_SUSPECT, &place, "unknown-file", "it is no file of a table");
    else if (table && table->dropped)
        ps_verify_report(v, PS_NEEDS_RECOVERY, &place, "dropped", "its table was dropped");
    else if (!table && v->catalog_whole)
        ps_verify_report(v, PS_SUSPECT, &place, "orphan", "no table has id %" PRIu32, id);
    return PS_OK;
}

static void verify_file_names(struct ps_verifier *v)
{
    const struct ps_place place = {.file = PS_TABLES_DIR, .page = -1};

    if (v->io->ops->list(v->io, PS_TABLES_DIR, check_file_name, v) != PS_OK)
        ps_verify_report(v, PS_FAULT, &place, "missing", "%s", ps_message());
}

/* --- what the log of a crashed store needs ------------------------------------------------ */

/* Files of tables that there are, or were until the log dropped them, are seen to elsewhere. */
static void check_log_file(void *ctx, uint32_t table, uint32_t fork)
{
    struct ps_verifier *v = ctx;
    struct ps_io_stat st;
    char path[32];
    const struct ps_place place = {.file = path, .page = -1};

    ps_table_path(path, sizeof(path), table, fork == PS_FORK_MAP ? "map" : "pages");
    if (!find_table(v, table) && v->io->ops->stat_path(v->io, path, &st) == PS_ERR_NOENT)
        ps_verify_report(v, PS_FAULT, &place, "missing",
                         "the log changes it, but no table has id %" PRIu32, table);
}

/* --- all of it ---------------------------------------------------------------------------- */

static void add_file_size(struct ps_verifier *v, uint32_t id)
{
    struct ps_io_file *file = NULL;
    struct ps_io_stat st;
    char path[32];

    ps_table_path(path, sizeof(path), id, "pages");
    if (v->io->ops->open(v->io, path, PS_IO_RDONLY, &file) != PS_OK)
        return; /* reported when its turn comes */
    if (v->io->ops->stat(file, &st) == PS_OK)
        v->bytes_total += st.size;
    ps_io_close(file);
}

static ps_err verify_tables(struct ps_verifier *v)
{
    size_t i;
    ps_err err;

    for (i = 0; i < v->table_count && v->opts->progress; i++)
        if (!v->tables[i].dropped)
            add_file_size(v, v->tables[i].entry.table);
    for (i = 0; i < v->table_count; i++) {
        if (v->tables[i].dropped)
            continue;
        v->result.tables++;
        err = ps_verify_table(v, &v->tables[i]);
        if (err)
            return err;
    }
    return PS_OK;
}

static ps_err verify_store(struct ps_verifier *v)
{
    ps_err err;

    err = verify_control(v);
    if (!err)
        err = ps_verify_log(v);
    if (!err)
        err = ps_verify_catalog(v);
    if (!err)
        ps_pageset_each(&v->log_files, check_log_file, v);
    if (!err)
        err = verify_tables(v);
    if (!err)
        verify_file_names(v);
    return err;
}

ps_err ps_verify_open_io(const char *path, struct ps_io *given, struct ps_io **ret)
{
    if (given) {
        *ret = given;
        return PS_OK;
    }
    return ps_io_posix(path, PS_IO_KIND_AUTO, NULL, NULL, ret);
}

ps_err ps_verify(const char *path, const struct ps_verify_options *opts,
                 struct ps_verify_result *ret)
{
    struct ps_verifier v = {.opts = opts};
    ps_err err;

    err = ps_verify_open_io(path, opts->io_given, &v.io);
    if (err)
        return err;
    err = verify_store(&v);
    if (err == PS_ERR_NOENT)
        err = ps_fail_in(err, "%s is no page store", path);
    free(v.tables);
    ps_pageset_deinit(&v.data_images);
    ps_pageset_deinit(&v.map_images);
    ps_pageset_deinit(&v.log_files);
    if (!opts->io_given)
        ps_io_destroy(v.io);
    if (err)
        return err;
    *ret = v.result;
    return PS_OK;
}
