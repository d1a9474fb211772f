/* Decoded pages against what pageinspect says of every page of a real cluster, and the damage of
 * single pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/byteorder.h"
#include "corpus.h"
#include "csv.h"
#include "format_test.h"
#include "pagestore/slotted.h"
#include "pg/decode.h"

#define PAGE 8192u

/* The last page that was decoded; rows of the same page come one after the other. */
struct decoded {
    char path[600];
    uint32_t block;
    enum ps_pg_page_kind kind;
    struct ps_text text;
};

static void decode_page(struct decoded *d, const struct corpus *c, const char *file, uint32_t block,
                        enum ps_pg_page_kind kind)
{
    struct ps_page_ident who = {.page_size = PAGE, .page_no = block};
    char path[600], below[300];
    unsigned char page[PAGE];

    snprintf(below, sizeof(below), "cluster/%s", file);
    corpus_path(c, below, path);
    if (d->text.len > 0 && d->block == block && d->kind == kind && strcmp(d->path, path) == 0)
        return;
    read_page(path, block, page, PAGE);
    ps_text_clear(&d->text);
    ps_pg_decode(kind, page, &who, true, &d->text);
    ps_text_add(&d->text, "", 1);
    assert_int_equal(ps_text_err(&d->text), PS_OK);
    snprintf(d->path, sizeof(d->path), "%s", path);
    d->block = block;
    d->kind = kind;
    assert_null(strstr(d->text.data, "\ndamage "));
}

static void expect_line(const struct decoded *d, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = strstr(d->text.data, line); at; at = strstr(at + 1, line))
        if (at > d->text.data && at[-1] == '\n' && at[len] == '\n')
            return;
    fail_msg("%s block %u: no line \"%s\" in\n%s", d->path, d->block, line, d->text.data);
}

/* A line that begins so. */
static void expect_start(const struct decoded *d, const char *start)
{
    for (const char *at = strstr(d->text.data, start); at; at = strstr(at + 1, start))
        if (at > d->text.data && at[-1] == '\n')
            return;
    fail_msg("%s block %u: no line begins with \"%s\" in\n%s", d->path, d->block, start,
             d->text.data);
}

/* `NAME VALUE`, and more behind it or not, for each of the columns. */
static void expect_fields(const struct decoded *d, const struct csv *csv, const char *const *names,
                          unsigned count)
{
    char line[128];

    for (unsigned i = 0; i < count; i++) {
        const char *end;

        snprintf(line, sizeof(line), "%s %s", names[i], csv_field(csv, names[i]));
        expect_start(d, line);
        end = strstr(d->text.data, line) + strlen(line);
        assert_true(*end == '\n' || *end == ' ');
    }
}
#define EXPECT_FIELDS(d, csv, ...)                            \
    expect_fields(d, csv, (const char *const[]){__VA_ARGS__}, \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static struct csv *truth(const struct corpus *c, const char *name)
{
    char path[600], below[200];
    struct csv *csv;

    snprintf(below, sizeof(below), "truth/%s.csv", name);
    csv = csv_open(corpus_path(c, below, path));
    assert_non_null(csv);
    return csv;
}

static const char *or_dash(const char *value)
{
    return value[0] ? value : "-";
}

/* Calls row for every row of a file of truth, with its page decoded. */
static void for_each_row(void **state, const char *name, enum ps_pg_page_kind kind, bool has_block,
                         void (*row)(const struct decoded *d, const struct csv *csv),
                         unsigned expected)
{
    struct csv *csv = truth(*state, name);
    struct decoded d = {0};
    unsigned rows = 0;

    while (csv_next(csv)) {
        uint32_t block = 0;

        if (has_block)
            block = (uint32_t)csv_number(csv, strcmp(name, "bt_page_stats") ? "blk" : "blkno");
        decode_page(&d, *state, csv_field(csv, "fpath"), block, kind);
        row(&d, csv);
        rows++;
    }
    csv_close(csv);
    ps_text_deinit(&d.text);
    assert_int_equal(rows, expected);
}

/* --- headers and heap ----------------------------------------------------------------------- */

static void header_row(const struct decoded *d, const struct csv *csv)
{
    unsigned sum = (uint16_t)csv_number(csv, "checksum");
    char line[100];

    EXPECT_FIELDS(d, csv, "lsn", "flags", "lower", "upper", "special", "pagesize", "version",
                  "prune_xid");
    snprintf(line, sizeof(line), "pd_checksum %u (0x%04x, as int2 %d)", sum, sum, (int16_t)sum);
    expect_line(d, line);
}

static void every_page_has_the_fields_of_page_header(void **state)
{
    for_each_row(state, "page_header", PS_PG_PAGE_AUTO, true, header_row, 420);
}

static void heap_row(const struct decoded *d, const struct csv *csv)
{
    static const char *const columns[] = {"lp_off",     "lp_flags", "lp_len", "t_xmin",
                                          "t_xmax",     "t_field3", "t_ctid", "t_infomask2",
                                          "t_infomask", "t_hoff",   "t_bits", "t_oid"};
    char line[2048];
    int len = snprintf(line, sizeof(line), "%s", csv_field(csv, "lp"));

    for (unsigned i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        len += snprintf(line + len, sizeof(line) - (size_t)len, " %s",
                        or_dash(csv_field(csv, columns[i])));
    snprintf(line + len, sizeof(line) - (size_t)len, " ");
    expect_start(d, line);
}

static void heap_pages_have_the_columns_of_heap_page_items(void **state)
{
    for_each_row(state, "heap_page_items", PS_PG_PAGE_HEAP, true, heap_row, 8763);
}

/* A page with one tuple, and its text. */
static void infomask_flags_have_their_names(void **state)
{
    struct csv *csv = truth(*state, "infomask_flags");
    const struct ps_format *fmt = &ps_format_postgres;
    struct ps_page_ident who = {.page_size = PAGE};
    unsigned rows = 0;

    while (csv_next(csv)) {
        unsigned char page[PAGE], item[64] = {0};
        struct ps_text text = {0};
        char flags[600];
        uint32_t slot;
        ps_le16 v;

        v = ps_put16((uint16_t)csv_number(csv, "t_infomask2"));
        memcpy(item + 18, &v, sizeof(v));
        v = ps_put16((uint16_t)csv_number(csv, "t_infomask"));
        memcpy(item + 20, &v, sizeof(v));
        item[22] = 32;
        memset(page, 0, PAGE);
        assert_int_equal(ps_slotted_insert(fmt, page, PAGE, item, sizeof(item), &slot), PS_OK);
        ps_pg_decode(PS_PG_PAGE_HEAP, page, &who, false, &text);
        ps_text_add(&text, "", 1);
        snprintf(flags, sizeof(flags), " %s %s\n", csv_field(csv, "raw_flags"),
                 csv_field(csv, "combined_flags"));
        if (!strstr(text.data, flags))
            fail_msg("no \"%s\" in\n%s", flags, text.data);
        ps_text_deinit(&text);
        rows++;
    }
    csv_close(csv);
    assert_int_equal(rows, 100);
}

static void sequences_have_the_fields_of_their_tuple(void **state)
{
    struct decoded d = {0};

    decode_page(&d, *state, "base/16384/16578", 0, PS_PG_PAGE_SEQUENCE);
    expect_start(&d, "last_value ");
    expect_start(&d, "log_cnt ");
    expect_start(&d, "is_called ");
    ps_text_deinit(&d.text);
}

/* --- B-tree --------------------------------------------------------------------------------- */

static void metap_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "magic", "version", "root", "level", "fastroot", "fastlevel",
                  "last_cleanup_num_delpages", "last_cleanup_num_tuples", "allequalimage");
}

static void btree_metapages_have_the_fields_of_bt_metap(void **state)
{
    for_each_row(state, "bt_metap", PS_PG_PAGE_BTREE, false, metap_row, 22);
}

static void stats_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "type", "live_items", "dead_items", "avg_item_size", "page_size",
                  "free_size", "btpo_prev", "btpo_next", "btpo_level", "btpo_flags");
}

static void btree_pages_have_the_fields_of_bt_page_stats(void **state)
{
    for_each_row(state, "bt_page_stats", PS_PG_PAGE_BTREE, true, stats_row, 26);
}

/* An array of addresses: {"(0,1)","(0,2)"} without the quotes. */
static const char *unquoted(const char *value, char *buf)
{
    char *to = buf;

    for (const char *at = value; *at; at++)
        if (*at != '"')
            *to++ = *at;
    *to = '\0';
    return buf;
}

static void bt_item_row(const struct decoded *d, const struct csv *csv)
{
    char start[32], line[8192], tids[4096];
    const char *at;

    snprintf(start, sizeof(start), "\n%s ", csv_field(csv, "itemoffset"));
    snprintf(line, sizeof(line), " %s %s %s %s %s %s %s %s\n", csv_field(csv, "ctid"),
             csv_field(csv, "itemlen"), csv_field(csv, "nulls"), csv_field(csv, "vars"),
             or_dash(csv_field(csv, "dead")), or_dash(csv_field(csv, "htid")),
             or_dash(unquoted(csv_field(csv, "tids"), tids)), or_dash(csv_field(csv, "data")));
    at = strstr(strstr(d->text.data, "\nitemoffset "), start);
    assert_non_null(at);
    if (strstr(at, line) == NULL || strstr(at, line) > strchr(at + 1, '\n'))
        fail_msg("%s block %u: no \"%s\" in %.200s", d->path, d->block, line, at + 1);
}

static void btree_items_have_the_columns_of_bt_page_items(void **state)
{
    for_each_row(state, "bt_page_items", PS_PG_PAGE_BTREE, true, bt_item_row, 4555);
}

/* --- hash ----------------------------------------------------------------------------------- */

static void hash_type_row(const struct decoded *d, const struct csv *csv)
{
    char line[64];

    snprintf(line, sizeof(line), "type %s", csv_field(csv, "ty"));
    expect_line(d, line);
}

static void hash_stats_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "live_items", "dead_items", "page_size", "free_size", "hasho_prevblkno",
                  "hasho_nextblkno", "hasho_bucket", "hasho_flag", "hasho_page_id");
}

/* {1,2,0,0}: what is printed ends with the last that is not 0. */
static void expect_array(const struct decoded *d, const char *name, const char *value)
{
    char line[8192];
    size_t len;

    snprintf(line, sizeof(line), "%s %s", name, value);
    len = strlen(line) - 1;
    while (len > 2 && strncmp(line + len - 2, ",0", 2) == 0)
        len -= 2;
    snprintf(line + len, sizeof(line) - len, "}");
    expect_line(d, line);
}

static void hash_meta_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "magic", "version", "ntuples", "ffactor", "bsize", "bmsize", "bmshift",
                  "maxbucket", "highmask", "lowmask", "ovflpoint", "firstfree", "nmaps", "procid");
    expect_array(d, "spares", csv_field(csv, "spares"));
    expect_array(d, "mapp", csv_field(csv, "mapp"));
}

/* Line pointer's columns stand between the item's number and its own. */
static void expect_item(const struct decoded *d, const struct csv *csv, const char *columns)
{
    char start[32];
    const char *at, *end;

    snprintf(start, sizeof(start), "\n%s ", csv_field(csv, "itemoffset"));
    at = strstr(strstr(d->text.data, "\nitemoffset "), start);
    assert_non_null(at);
    end = strchr(at + 1, '\n');
    if (strstr(at, columns) == NULL || strstr(at, columns) > end)
        fail_msg("%s block %u: no \"%s\" in %.200s", d->path, d->block, columns, at + 1);
}

static void hash_item_row(const struct decoded *d, const struct csv *csv)
{
    char columns[100];

    snprintf(columns, sizeof(columns), " %s %s\n", csv_field(csv, "ctid"), csv_field(csv, "data"));
    expect_item(d, csv, columns);
}

static void hash_pages_are_as_pageinspect_has_them(void **state)
{
    for_each_row(state, "hash_page_type", PS_PG_PAGE_HASH, true, hash_type_row, 18);
    for_each_row(state, "hash_page_stats", PS_PG_PAGE_HASH, true, hash_stats_row, 16);
    for_each_row(state, "hash_metapage_info", PS_PG_PAGE_HASH, false, hash_meta_row, 1);
    for_each_row(state, "hash_page_items", PS_PG_PAGE_HASH, true, hash_item_row, 2159);
}

/* --- GIN, GiST, SP-GiST, BRIN --------------------------------------------------------------- */

static void gin_meta_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "pending_head", "pending_tail", "tail_free_size", "n_pending_pages",
                  "n_pending_tuples", "n_total_pages", "n_entry_pages", "n_data_pages",
                  "n_entries");
    expect_line(d, "version 2");
}

static void expect_flags(const struct decoded *d, const struct csv *csv)
{
    char flags[200];

    snprintf(flags, sizeof(flags), " %s)\n", csv_field(csv, "flags"));
    if (!strstr(strstr(d->text.data, "\nopaque_flags "), flags))
        fail_msg("%s block %u: no flags %s in\n%s", d->path, d->block, flags, d->text.data);
}

static void gin_opaque_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "rightlink", "maxoff");
    expect_flags(d, csv);
}

static void gin_leaf_row(const struct decoded *d, const struct csv *csv)
{
    static char line[200000], tids[100000];

    assert_true(strlen(csv_field(csv, "tids")) < sizeof(tids));
    snprintf(line, sizeof(line), "%s %s %s", csv_field(csv, "first_tid"), csv_field(csv, "nbytes"),
             unquoted(csv_field(csv, "tids"), tids));
    expect_line(d, line);
}

static void gin_pages_are_as_pageinspect_has_them(void **state)
{
    for_each_row(state, "gin_metapage_info", PS_PG_PAGE_GIN, false, gin_meta_row, 1);
    for_each_row(state, "gin_page_opaque_info", PS_PG_PAGE_GIN, true, gin_opaque_row, 25);
    for_each_row(state, "gin_leafpage_items", PS_PG_PAGE_GIN, true, gin_leaf_row, 8);
}

static void gist_opaque_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "lsn", "nsn", "rightlink");
    expect_flags(d, csv);
}

static void gist_item_row(const struct decoded *d, const struct csv *csv)
{
    char columns[100];

    snprintf(columns, sizeof(columns), " %s %s %s ", csv_field(csv, "ctid"),
             csv_field(csv, "itemlen"), csv_field(csv, "dead"));
    expect_item(d, csv, columns);
}

static void gist_pages_are_as_pageinspect_has_them(void **state)
{
    for_each_row(state, "gist_page_opaque_info", PS_PG_PAGE_GIST, true, gist_opaque_row, 27);
    for_each_row(state, "gist_page_items", PS_PG_PAGE_GIST, true, gist_item_row, 2182);
}

static void brin_type_row(const struct decoded *d, const struct csv *csv)
{
    hash_type_row(d, csv);
}

static void brin_meta_row(const struct decoded *d, const struct csv *csv)
{
    EXPECT_FIELDS(d, csv, "version", "pagesperrange", "lastrevmappage");
    assert_non_null(strstr(d->text.data, csv_field(csv, "magic")));
}

static void brin_revmap_row(const struct decoded *d, const struct csv *csv)
{
    char line[64];

    snprintf(line, sizeof(line), "%s %s", csv_field(csv, "n"), csv_field(csv, "pages"));
    expect_line(d, line);
}

static void brin_item_row(const struct decoded *d, const struct csv *csv)
{
    char columns[64];

    snprintf(columns, sizeof(columns), " %s %s %s f - ", csv_field(csv, "blknum"),
             csv_field(csv, "hasnulls"), csv_field(csv, "placeholder"));
    expect_item(d, csv, columns);
}

static void brin_pages_are_as_pageinspect_has_them(void **state)
{
    for_each_row(state, "brin_page_type", PS_PG_PAGE_BRIN, true, brin_type_row, 3);
    for_each_row(state, "brin_metapage_info", PS_PG_PAGE_BRIN, false, brin_meta_row, 1);
    for_each_row(state, "brin_revmap_data", PS_PG_PAGE_BRIN, true, brin_revmap_row, 16);
    for_each_row(state, "brin_page_items", PS_PG_PAGE_BRIN, true, brin_item_row, 16);
}

/* Each row of the table leads into the index once: leaf tuples name as many rows of the heap. */
static void spgist_leaves_have_an_address_in_the_heap(void **state)
{
    char path[600];
    size_t len = 0;
    unsigned char *bytes =
        read_whole_file(corpus_path(*state, "cluster/base/16384/16615", path), &len);
    struct decoded d = {0};
    unsigned live = 0;

    free(bytes);
    for (uint32_t block = 0; block < len / PAGE; block++) {
        decode_page(&d, *state, "base/16384/16615", block, PS_PG_PAGE_SPGIST);
        if (block == 0)
            expect_start(&d, "magic 3121327086 (0xba0babee)");
        for (const char *at = d.text.data;
             strstr(d.text.data, "next_offset") && (at = strstr(at, " live ")) != NULL; at++)
            live++;
    }
    ps_text_deinit(&d.text);
    assert_true(live > 1000);
}

/* --- maps ----------------------------------------------------------------------------------- */

static void fsm_row(const struct decoded *d, const struct csv *csv)
{
    char line[64];
    unsigned node, value;
    int taken;

    for (const char *at = csv_field(csv, "contents");
         sscanf(at, "%u: %u %n", &node, &value, &taken) == 2; at += taken) {
        snprintf(line, sizeof(line), "%u %u ", node, value);
        expect_start(d, line);
    }
    snprintf(line, sizeof(line), "fp_next_slot %ld",
             atol(strstr(csv_field(csv, "contents"), "fp_next_slot: ") + 14));
    expect_line(d, line);
}

static void free_space_maps_have_the_nodes_of_fsm_page_contents(void **state)
{
    for_each_row(state, "fsm_page_contents", PS_PG_PAGE_FSM, true, fsm_row, 63);
}

/* Is block within a range of the map's text that has both bits as told? */
static bool in_range(const struct decoded *d, unsigned long block, char visible, char frozen)
{
    const char *at = strstr(d->text.data, "\nblkno all_visible all_frozen\n");
    unsigned long first, last;
    char v, f;

    for (at = strchr(at + 1, '\n'); sscanf(at, "\n%lu-%lu %c %c", &first, &last, &v, &f) == 4;
         at = strchr(at + 1, '\n'))
        if (block >= first && block <= last)
            return v == visible && f == frozen;
    return visible == 'f' && frozen == 'f';
}

static void visibility_maps_have_the_bits_of_pg_visibility(void **state)
{
    struct csv *csv = truth(*state, "pg_visibility");
    struct decoded d = {0};
    unsigned rows = 0;

    while (csv_next(csv)) {
        char file[300], path[600], below[400];
        FILE *f;

        snprintf(file, sizeof(file), "%s_vm", csv_field(csv, "path"));
        snprintf(below, sizeof(below), "cluster/%s", file);
        f = fopen(corpus_path(*state, below, path), "r");
        if (!f)
            continue; /* a relation without a map */
        fclose(f);
        decode_page(&d, *state, file, 0, PS_PG_PAGE_VM);
        assert_true(in_range(&d, (unsigned long)csv_number(csv, "blkno"),
                             csv_field(csv, "all_visible")[0], csv_field(csv, "all_frozen")[0]));
        rows++;
    }
    csv_close(csv);
    ps_text_deinit(&d.text);
    assert_true(rows > 30);
}

/* --- damage of a page ----------------------------------------------------------------------- */

static enum ps_pg_page_kind kind_of_file(const struct csv *csv)
{
    const char *path = csv_field(csv, "path"), *kind = csv_field(csv, "relkind");
    enum ps_pg_fork fork = PS_PG_MAIN;

    if (strstr(path, "_fsm"))
        fork = PS_PG_FSM;
    else if (strstr(path, "_vm"))
        fork = PS_PG_VM;
    return ps_pg_page_kind(csv_field(csv, "amname"), kind[0], fork);
}

static void keep(void *ctx, bool fault, const char *word, uint32_t lp, const char *text)
{
    char marked[300];

    snprintf(marked, sizeof(marked), "%s: %s", fault ? "fault" : "suspect", text);
    damages_keep(ctx, word, (int)lp, marked);
}

static void pages_of_a_sound_cluster_have_no_damage(void **state)
{
    char path[600], below[300];
    struct csv *csv = csv_open(corpus_path(*state, "MANIFEST.csv", path));
    unsigned pages = 0;

    assert_non_null(csv);
    while (csv_next(csv)) {
        size_t len = 0;
        unsigned char *bytes;

        if (csv_field(csv, "relname")[0] == '\0')
            continue;
        snprintf(below, sizeof(below), "cluster/%s", csv_field(csv, "path"));
        bytes = read_whole_file(corpus_path(*state, below, path), &len);
        for (uint32_t block = 0; block < len / PAGE; block++, pages++) {
            struct ps_page_ident who = {.page_size = PAGE, .page_no = block};
            struct damages found = {0};

            ps_pg_check(kind_of_file(csv), bytes + block * PAGE, &who, true, 0, keep, &found);
            if (found.count > 0)
                fail_msg("%s block %u: %s: %s", path, block, found.first_word, found.first_text);
        }
        free(bytes);
    }
    csv_close(csv);
    assert_true(pages > 400);
}

/* Changes a page of a file, makes its checksum right again, and expects one word first. */
struct change {
    const char *file;
    uint32_t block;
    enum ps_pg_page_kind kind;
    uint32_t offset; /* from the page's start */
    uint32_t bytes;  /* how many of value */
    uint32_t value;
    const char *word;
};

static void damage_under_a_good_checksum_has_its_word(void **state)
{
    static const struct change changes[] = {
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 10, 2, 0x0080, "header"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 12, 2, 0x1f40, "header"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 18, 2, 0x2003, "header"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 24, 4, 0x004c9ff8, "lp-range"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 36, 4, 0x00010003, "redirect"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 8170, 2, 2000, "natts"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 8170, 2, 4, "natts"},
        {"base/16384/16504", 0, PS_PG_PAGE_HEAP, 8174, 1, 32, "hoff"},
        {"base/16384/16504", 0, PS_PG_PAGE_BTREE, 0, 0, 0, "kind"},
        {"base/16384/16605", 0, PS_PG_PAGE_BTREE, 24, 4, 7, "meta"},
        {"base/16384/16605", 1, PS_PG_PAGE_BTREE, 8176 + 8, 4, 3, "level"},
        {"base/16384/16605", 1, PS_PG_PAGE_BTREE, 8176 + 12, 2, 0x8001, "opaque"},
        {"base/16384/16605", 1, PS_PG_PAGE_BTREE, 8176 + 12, 2, 8, "meta"},
        {"base/16384/16610", 0, PS_PG_PAGE_HASH, 24, 4, 7, "meta"},
        {"base/16384/16612", 0, PS_PG_PAGE_GIN, 8184 + 6, 2, 0, "meta"},
        {"base/16384/16612", 2, PS_PG_PAGE_GIN, 32 + 6, 2, 9000, "posting"},
        {"base/16384/16613", 0, PS_PG_PAGE_GIST, 8176 + 12, 2, 0x20, "opaque"},
        {"base/16384/16615", 0, PS_PG_PAGE_SPGIST, 24, 4, 7, "meta"},
        {"base/16384/16616", 0, PS_PG_PAGE_BRIN, 24, 4, 7, "meta"},
        {"base/16384/16578", 0, PS_PG_PAGE_SEQUENCE, 8192 - 8, 4, 7, "kind"},
        {"base/16384/16504_fsm", 2, PS_PG_PAGE_FSM, 28, 1, 3, "fsm"},
        {"base/16384/16526_vm", 0, PS_PG_PAGE_VM, 24, 1, 2, "vm-lie"},
    };

    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const struct change *ch = &changes[i];
        struct ps_page_ident who = {.page_size = PAGE, .page_no = ch->block};
        struct damages found = {0};
        char path[600], below[300];
        unsigned char page[PAGE];

        snprintf(below, sizeof(below), "cluster/%s", ch->file);
        read_page(corpus_path(*state, below, path), ch->block, page, PAGE);
        for (uint32_t b = 0; b < ch->bytes; b++)
            page[ch->offset + b] = (unsigned char)(ch->value >> (8 * b));
        ps_format_postgres.seal(page, &who);
        ps_pg_check(ch->kind, page, &who, true, 3, keep, &found);
        if (found.count == 0 || strcmp(found.first_word, ch->word) != 0)
            fail_msg("change %u, to %s: %u damages, the first is %s: %s", i, ch->word, found.count,
                     found.first_word, found.first_text);
    }
}

#define FSM_NODES 28u
#define VM_BITS 24u

/* Maps that are empty but for one byte. */
static void every_node_of_a_free_space_map_is_looked_at(void **state)
{
    const struct ps_page_ident who = {.page_size = PAGE, .page_no = 2};
    const uint32_t inner = PAGE / 2 - 1;
    char path[600], expected[100];
    unsigned char page[PAGE];

    read_page(corpus_path(*state, "cluster/base/16384/16504_fsm", path), 2, page, PAGE);
    memset(page + FSM_NODES, 0, PAGE - FSM_NODES);
    for (uint32_t node = 0; node < PAGE - FSM_NODES; node++) {
        /* The node itself, and the one above. */
        const uint32_t wrong = (node < inner ? 1u : 0u) + (node > 0 ? 1u : 0u);
        struct damages found = {0};

        page[FSM_NODES + node] = 1;
        ps_pg_check(PS_PG_PAGE_FSM, page, &who, false, 0, keep, &found);
        page[FSM_NODES + node] = 0;
        snprintf(expected, sizeof(expected),
                 "suspect: node %u is not the larger of those below (%u such nodes)",
                 node > 0 ? (node - 1) / 2 : 0, wrong);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.first_text, expected);
    }
}

static void every_bit_of_a_visibility_map_is_looked_at(void **state)
{
    const struct ps_page_ident who = {.page_size = PAGE};
    char path[600];
    unsigned char page[PAGE];

    read_page(corpus_path(*state, "cluster/base/16384/16526_vm", path), 0, page, PAGE);
    memset(page + VM_BITS, 0, PAGE - VM_BITS);
    for (uint32_t block = 0; block < 4 * (PAGE - VM_BITS); block++) {
        unsigned char *byte = &page[VM_BITS + block / 4];
        const unsigned shift = block % 4 * 2;

        *byte = (unsigned char)(2u << shift); /* all frozen, and not all visible */
        assert_int_equal(ps_pg_check(PS_PG_PAGE_VM, page, &who, false, 0, NULL, NULL), 1);
        *byte = (unsigned char)(3u << shift);
        assert_int_equal(ps_pg_check(PS_PG_PAGE_VM, page, &who, false, 0, NULL, NULL), 0);
        *byte = 0;
    }
}

static void checksums_count_only_where_pages_carry_them(void **state)
{
    struct ps_page_ident who = {.page_size = PAGE};
    char path[600];
    unsigned char page[PAGE];

    read_page(corpus_path(*state, "cluster/base/16384/16504", path), 0, page, PAGE);
    page[8] ^= 1;
    assert_int_equal(ps_pg_check(PS_PG_PAGE_HEAP, page, &who, true, 3, NULL, NULL), 1);
    assert_int_equal(ps_pg_check(PS_PG_PAGE_HEAP, page, &who, false, 3, NULL, NULL), 0);
}

/* Line pointers are shown as far as lower lies on the page; of their items nothing can be told. */
static void bounds_out_of_order_are_survived_by_every_kind(void **state)
{
    const struct ps_page_ident who = {.page_size = 8192, .page_no = 3};
    static const uint8_t header[] = {[12] = 120,  [14] = 40,   [16] = 0xf8, [17] = 0x1f,
                                     [18] = 0x04, [19] = 0x20, [24] = 0x80, [25] = 0x80};
    uint8_t page[8192] = {0};
    unsigned kind;

    (void)state;
    memcpy(page, header, sizeof(header));
    page[8184] = 4; /* a leaf of SP-GiST, which marks itself */
    page[8190] = 0x82;
    page[8191] = 0xff;
    for (kind = PS_PG_PAGE_AUTO; kind <= PS_PG_PAGE_VM; kind++) {
        struct ps_text text = {0};

        ps_pg_decode((enum ps_pg_page_kind)kind, page, &who, false, &text);
        assert_int_equal(ps_text_err(&text), PS_OK);
        assert_true(text.len > 0);
        ps_text_deinit(&text);
        assert_true(ps_pg_check((enum ps_pg_page_kind)kind, page, &who, false, 0, NULL, NULL) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_has_the_fields_of_page_header),
        cmocka_unit_test(heap_pages_have_the_columns_of_heap_page_items),
        cmocka_unit_test(infomask_flags_have_their_names),
        cmocka_unit_test(sequences_have_the_fields_of_their_tuple),
        cmocka_unit_test(btree_metapages_have_the_fields_of_bt_metap),
        cmocka_unit_test(btree_pages_have_the_fields_of_bt_page_stats),
        cmocka_unit_test(btree_items_have_the_columns_of_bt_page_items),
        cmocka_unit_test(hash_pages_are_as_pageinspect_has_them),
        cmocka_unit_test(gin_pages_are_as_pageinspect_has_them),
        cmocka_unit_test(gist_pages_are_as_pageinspect_has_them),
        cmocka_unit_test(brin_pages_are_as_pageinspect_has_them),
        cmocka_unit_test(spgist_leaves_have_an_address_in_the_heap),
        cmocka_unit_test(free_space_maps_have_the_nodes_of_fsm_page_contents),
        cmocka_unit_test(visibility_maps_have_the_bits_of_pg_visibility),
        cmocka_unit_test(pages_of_a_sound_cluster_have_no_damage),
        cmocka_unit_test(damage_under_a_good_checksum_has_its_word),
        cmocka_unit_test(every_node_of_a_free_space_map_is_looked_at),
        cmocka_unit_test(every_bit_of_a_visibility_map_is_looked_at),
        cmocka_unit_test(checksums_count_only_where_pages_carry_them),
        cmocka_unit_test(bounds_out_of_order_are_survived_by_every_kind),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
