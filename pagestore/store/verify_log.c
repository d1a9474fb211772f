/*
 * verify_log.c - the log as verify reads it: from the oldest segment that is there to the end. What
 * lies before the point that recovery would start from is needed by nobody, so damage there is only
 * suspect.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/verify_internal.h"

#define LINE_MAX_BYTES 1024

struct log_pass {
    struct ps_verifier *v;
    struct ps_wal_end end;
    uint64_t needed_pos; /* recovery reads from here on */
    uint64_t records;    /* from needed_pos on */
};

static struct ps_place segment_place(const struct ps_verifier *v, uint64_t pos, char *buf,
                                     size_t len)
{
    snprintf(buf, len, "%s/%016" PRIx64, PS_WAL_DIR, pos / v->control.segment_size);
    return (struct ps_place){.file = buf, .page = -1, .offset = pos % v->control.segment_size};
}

/* --- what a crashed store's log will do --------------------------------------------------- */

static ps_err note_table(struct ps_verifier *v, const struct ps_record *rec)
{
    const struct ps_table_body *body = rec->body;
    struct ps_verify_table table = {.seq = rec->lsn, .dropped = rec->type == PS_TABLE_DROP};
    size_t name_len;

    name_len = ps_get16(body->name_len);
    if (name_len > PS_TABLE_NAME_MAX || rec->body_len - sizeof(*body) < name_len ||
        !ps_format_by_id(body->format))
        return PS_OK; /* its checksum is right, so it is of an unknown kind */
    table.entry.table = ps_get32(body->table);
    table.entry.format = body->format;
    table.entry.type = body->type;
    memcpy(table.entry.name, body + 1, name_len);
    return ps_verify_add_table(v, &table);
}

static ps_err note_refs(struct ps_verifier *v, const struct ps_record *rec)
{
    ps_err err = PS_OK;

    for (unsigned i = 0; i < rec->ref_count && !err; i++) {
        const struct ps_ref *ref = &rec->refs[i];

        err = ps_pageset_add(&v->log_files, ref->table, ref->fork);
        if (!err && ref->flags & PS_REF_IMAGE)
            err = ps_pageset_add(ref->fork == PS_FORK_MAP ? &v->map_images : &v->data_images,
                                 ref->table, ref->page);
    }
    return err;
}

static ps_err note_record(struct log_pass *pass, const struct ps_record *rec)
{
    struct ps_verifier *v = pass->v;
    char file[64];
    struct ps_place place;

    if (rec->pos < pass->needed_pos)
        return PS_OK;
    pass->records++;
    if (ps_record_check(rec, v->page_size)) {
        place = segment_place(v, rec->pos, file, sizeof(file));
        ps_verify_report(v, PS_FAULT, &place, "log", "%s", ps_message());
        return PS_OK;
    }
    if (!v->crashed || rec->pos < v->control.redo_lsn)
        return PS_OK;
    if (rec->rm == PS_RM_TABLE)
        return note_table(v, rec);
    return note_refs(v, rec);
}

/* --- reading it --------------------------------------------------------------------------- */

/* Reads from pos to the log's end. PS_OK, or an error that is about memory; *ret_end_err is how
 * the log ended: PS_ERR_NOENT soundly. */
static ps_err read_from(struct log_pass *pass, uint64_t pos, ps_err *ret_end_err)
{
    struct ps_verifier *v = pass->v;
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    struct ps_record rec;
    ps_err err;

    ps_reader_options(&v->control, v->io, &opts);
    opts.start_pos = pos;
    memset(&pass->end, 0, sizeof(pass->end));
    pass->end.end_pos = pos;
    *ret_end_err = ps_wal_reader_open(&opts, &reader);
    if (*ret_end_err)
        return *ret_end_err == PS_ERR_NOMEM ? PS_ERR_NOMEM : PS_OK;
    while ((*ret_end_err = ps_wal_reader_next(reader, &rec, &pass->end)) == PS_OK) {
        err = note_record(pass, &rec);
        if (err)
            break;
    }
    ps_wal_reader_close(reader);
    return *ret_end_err ? PS_OK : err;
}

/* The log from needed_pos on has been read as far as it goes. Would a store be opened on it? */
static ps_err judge_end(struct log_pass *pass, ps_err end_err)
{
    struct ps_verifier *v = pass->v;
    char file[64];
    const struct ps_place place = segment_place(v, pass->end.end_pos, file, sizeof(file));
    struct ps_analysis analysis;
    ps_err err;

    if (end_err != PS_ERR_NOENT) {
        ps_verify_report(v, PS_FAULT, &place, "log", "%s", ps_message());
        return PS_OK;
    }
    err = ps_analyze(v->io, &v->control, NULL, &analysis);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err) {
        ps_verify_report(v, PS_FAULT, &place, "log", "%s", ps_message());
        return PS_OK;
    }
    v->end_lsn = analysis.end.last_lsn;
    ps_analysis_deinit(&analysis);
    return PS_OK;
}

/* Segments are made whole, of their full length, before they have their name. Those that recovery
 * does not read, it makes anew where they are not. */
static bool is_read(const struct log_pass *pass, uint64_t seg_no)
{
    const uint64_t size = pass->v->control.segment_size;

    return seg_no >= pass->needed_pos / size && seg_no <= pass->end.end_pos / size;
}

static ps_err check_segment(void *ctx, const char *name)
{
    const struct log_pass *pass = ctx;
    struct ps_verifier *v = pass->v;
    struct ps_io_file *file = NULL;
    struct ps_io_stat st = {0};
    char path[300];
    struct ps_place place = {.file = path, .page = -1};
    const uint64_t size = v->control.segment_size;
    bool trailing, harmless;
    uint64_t seg_no;
    ps_err err;

    if (!ps_wal_seg_parse(name, &seg_no))
        return PS_OK;
    snprintf(path, sizeof(path), "%s/%s", PS_WAL_DIR, name);
    err = v->io->ops->open(v->io, path, PS_IO_RDONLY, &file);
    if (!err)
        err = v->io->ops->stat(file, &st);
    ps_io_close(file);
    place.offset = st.size;
    trailing = st.size > size && st.size / 2 < size;
    harmless = trailing || !is_read(pass, seg_no);
    if (err)
        ps_verify_report(v, PS_FAULT, &place, "log", "%s", ps_message());
    else if (st.size != size)
        ps_verify_report(v, harmless ? PS_SUSPECT : PS_FAULT, &place, trailing ? "trailing" : "log",
                         "it has %" PRIu64 " bytes, a segment of this log has %" PRIu64, st.size,
                         size);
    return PS_OK;
}

ps_err ps_verify_log(struct ps_verifier *v)
{
    struct log_pass pass = {.v = v};
    uint64_t segment = v->control.segment_size;
    uint64_t oldest = 0;
    ps_err err, end_err;

    if (!v->control_sound)
        return PS_OK; /* nobody can say where it starts */
    pass.needed_pos = v->control.redo_lsn;
    if (v->control.log_start_lsn < pass.needed_pos)
        pass.needed_pos = v->control.log_start_lsn / segment * segment;

    end_err = ps_wal_oldest_pos(v->io, v->control.segment_size, &oldest);
    if (end_err == PS_OK && oldest < pass.needed_pos) {
        err = read_from(&pass, oldest, &end_err);
        if (err)
            return err;
        if (pass.end.end_pos < pass.needed_pos) {
            char file[64];
            struct ps_place place = segment_place(v, pass.end.end_pos, file, sizeof(file));

            ps_verify_report(v, PS_SUSPECT, &place, "old-log",
                             "unreadable and no longer needed: %s",
                             end_err == PS_ERR_NOENT ? pass.end.why : ps_message());
        }
    }
    if (pass.records == 0) {
        err = read_from(&pass, pass.needed_pos, &end_err);
        if (err)
            return err;
    }
    err = judge_end(&pass, end_err);
    if (!err) /* a folder that is not there has been reported then */
        (void)v->io->ops->list(v->io, PS_WAL_DIR, check_segment, &pass);
    return err;
}

/* --- the log as text ---------------------------------------------------------------------- */

static ps_err list_from(struct ps_wal_reader *reader, uint64_t from,
                        ps_err (*each)(void *ctx, const char *line), void *ctx)
{
    char line[LINE_MAX_BYTES];
    struct ps_wal_end end;
    struct ps_record rec;
    ps_err err;

    while ((err = ps_wal_reader_next(reader, &rec, &end)) == PS_OK) {
        if (rec.lsn < from)
            continue;
        ps_record_format(&rec, line, sizeof(line));
        err = each(ctx, line);
        if (err)
            return err;
    }
    return err == PS_ERR_NOENT ? PS_OK : err;
}

static ps_err list_log(struct ps_io *io, uint64_t from, ps_err (*each)(void *ctx, const char *line),
                       void *ctx)
{
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    struct ps_control control;
    ps_err err;

    err = ps_control_read(io, &control, NULL);
    if (err)
        return err;
    ps_reader_options(&control, io, &opts);
    err = ps_wal_oldest_pos(io, control.segment_size, &opts.start_pos);
    if (!err)
        err = ps_wal_reader_open(&opts, &reader);
    if (err)
        return err;
    err = each(ctx, PS_RECORD_TEXT_HEADER);
    if (!err)
        err = list_from(reader, from, each, ctx);
    ps_wal_reader_close(reader);
    return err;
}

ps_err ps_wal_text(const char *path, uint64_t from, ps_err (*each)(void *ctx, const char *line),
                   void *ctx)
{
    struct ps_io *io = NULL;
    ps_err err;

    err = ps_verify_open_io(path, NULL, &io);
    if (err)
        return err;
    err = list_log(io, from, each, ctx);
    ps_io_destroy(io);
    return err;
}
