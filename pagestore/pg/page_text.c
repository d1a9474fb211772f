/*
 * page_text.c - pages of relations by their access method, all others by their own header.
 */
#include "pg/page_text.h"

#include "base/mem.h"

/* What the table's pages are; AUTO: only they themselves can tell. */
static enum ps_pg_page_kind kind_of_table(struct ps_pg_catalog *catalog, uint32_t table_id)
{
    const struct ps_pg_file *file = ps_pg_file_by_id(ps_pg_catalog_cluster(catalog), table_id);
    enum ps_pg_fork fork = file ? file->fork : PS_PG_MAIN, named;
    uint32_t db;
    const struct ps_pg_relation *r = ps_pg_relation_of_table(catalog, table_id, &db, &named);

    return ps_pg_page_kind(r ? r->am_name : "", r ? r->kind : '\0', fork);
}

/* As its own header tells. */
static ps_err add_page(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                       struct ps_text *out)
{
    struct ps_text_stream s;
    ps_err err = PS_OK;

    ps_text_stream_open(&s);
    if (s.file)
        err = ps_page_text(table, page_no, cancel, s.file);
    ps_text_stream_close(&s, out);
    return err;
}

static ps_err add_relation_page(struct ps_pg_catalog *catalog, struct ps_table *table,
                                uint32_t page_no, struct ps_cancel *cancel, struct ps_text *out)
{
    const struct ps_page_ident who = {.page_size = ps_store_page_size(ps_table_store(table)),
                                      .page_no = page_no};
    void *page = ps_buf_alloc(who.page_size);
    ps_err err;

    if (!page)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page");
    err = ps_page_copy(table, page_no, cancel, page);
    if (!err || err == PS_ERR_CORRUPT) {
        ps_pg_decode(kind_of_table(catalog, ps_table_id(table)), page, &who,
                     ps_pg_has_checksums(ps_pg_catalog_cluster(catalog)), out);
        err = PS_OK;
    }
    ps_buf_free(page);
    return err;
}

ps_err ps_pg_page_text(struct ps_pg_catalog *catalog, struct ps_table *table, uint32_t page_no,
                       struct ps_cancel *cancel, struct ps_text *out)
{
    struct ps_table_info info;
    ps_err err = ps_table_info(table, &info);

    if (err)
        return err;
    err = catalog && info.format == PS_FORMAT_POSTGRES
              ? add_relation_page(catalog, table, page_no, cancel, out)
              : add_page(table, page_no, cancel, out);
    return err ? err : ps_text_err(out);
}
