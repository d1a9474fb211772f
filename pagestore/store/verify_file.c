/* A file of native pages that belongs to no store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "store/verify_internal.h"

#define GUESS_PAGES 4u   /* any of the first ones may be damaged */
#define TABLE_ID_OFF 28u /* FORMAT.md section 2 */

static uint32_t table_id_of(const uint8_t *page)
{
    ps_le32 id;

    memcpy(id.b, page + TABLE_ID_OFF, sizeof(id.b));
    return ps_get32(id);
}

/* True if one of the first pages of that size is sound; *ret_table is the table id on it. */
static bool begins_with_pages(struct ps_window *w, uint32_t page_size, uint64_t file_bytes,
                              uint32_t *ret_table)
{
    struct ps_page_ident who = {.page_size = page_size};
    const uint8_t *page;

    for (; who.page_no < GUESS_PAGES; who.page_no++) {
        if ((who.page_no + (uint64_t)1) * page_size > file_bytes ||
            ps_window_read(w, (uint64_t)who.page_no * page_size, page_size, &page) != PS_OK)
            return false;
        who.table_id = table_id_of(page);
        if (ps_format_native.verify(page, &who) == PS_OK) {
            *ret_table = who.table_id;
            return true;
        }
    }
    return false;
}

/* Finds out the page size if it is 0, and the table id. With a page size given, a file without a
 * sound page among the first ones is held against table id 0. */
static ps_err find_shape(struct ps_window *w, const char *path, uint64_t file_bytes,
                         struct ps_page_ident *who)
{
    uint32_t size;

    if (who->page_size != 0) {
        (void)begins_with_pages(w, who->page_size, file_bytes, &who->table_id);
        return PS_OK;
    }
    for (size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 2) {
        if (begins_with_pages(w, size, file_bytes, &who->table_id)) {
            who->page_size = size;
            return PS_OK;
        }
    }
    return ps_fail(PS_ERR_UNSUPPORTED, "%s does not begin with native pages of any size", path);
}

struct page_finding {
    struct ps_verifier *v;
    struct ps_place place;
};

static void report_structure(void *ctx, const char *word, int lp, const char *text)
{
    const struct page_finding *at = ctx;

    (void)lp; /* the text names it */
    ps_verify_report(at->v, PS_FAULT, &at->place, word, "%s", text);
}

static void check_page(struct ps_verifier *v, struct ps_window *w, const char *name,
                       const struct ps_page_ident *who)
{
    struct page_finding at = {
        .v = v,
        .place = {.file = name,
                  .page = who->page_no,
                  .offset = (uint64_t)who->page_no * who->page_size},
    };
    const uint8_t *page;

    v->result.pages++;
    if (ps_window_read(w, at.place.offset, who->page_size, &page) != PS_OK)
        ps_verify_report(v, PS_FAULT, &at.place, "io", "%s", ps_message());
    else if (ps_format_native.verify(page, who) != PS_OK)
        ps_verify_report(v, PS_FAULT, &at.place, ps_verify_word(&ps_format_native, page, who), "%s",
                         ps_message());
    else
        ps_format_native.check(page, who, report_structure, &at);
    ps_verify_progress(v, name, who->page_size);
}

static ps_err check_file(struct ps_verifier *v, struct ps_window *w, const char *name,
                         struct ps_page_ident *who)
{
    struct ps_place place = {.file = name, .page = -1};
    struct ps_io_stat st;
    ps_err err;

    err = w->file->io->ops->stat(w->file, &st);
    if (!err)
        err = find_shape(w, name, st.size, who);
    if (err)
        return err;
    v->bytes_total = st.size;
    for (who->page_no = 0; who->page_no < st.size / who->page_size; who->page_no++)
        check_page(v, w, name, who);
    place.offset = st.size - st.size % who->page_size;
    if (place.offset != st.size)
        ps_verify_report(v, PS_FAULT, &place, "trailing",
                         "%" PRIu64 " bytes at the end are no whole page", st.size - place.offset);
    return PS_OK;
}

/* Splits path into the folder, which takes the place of a store's, and the file in it. */
static ps_err open_folder(const char *path, struct ps_io *given, const char **ret_name,
                          struct ps_io **ret)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    ps_err err;

    *ret_name = given || !slash ? path : slash + 1;
    if (given || !slash)
        return ps_verify_open_io(".", given, ret);
    folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return ps_fail(PS_ERR_NOMEM, "no memory for a path");
    err = ps_verify_open_io(folder, NULL, ret);
    free(folder);
    return err;
}

ps_err ps_verify_file(const char *path, uint32_t page_size, const struct ps_verify_options *opts,
                      struct ps_verify_result *ret)
{
    struct ps_verifier v = {.opts = opts};
    struct ps_page_ident who = {.page_size = page_size};
    struct ps_window w = {0};
    const char *name;
    ps_err err;

    err = open_folder(path, opts->io_given, &name, &v.io);
    if (err)
        return err;
    err = ps_window_open(&w, v.io, name, PS_PAGE_SIZE_MAX);
    if (!err)
        err = check_file(&v, &w, name, &who);
    ps_window_close(&w);
    if (!opts->io_given)
        ps_io_destroy(v.io);
    if (err)
        return err;
    *ret = v.result;
    return PS_OK;
}
