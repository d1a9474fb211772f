/*
 * view_heatmap.c - a table as a picture: which of its pages are accessed, and how they stand.
 *
 * A cell is a page, or in tables of more than PS_HEAT_CELLS_MAX pages a range of them. Its colour
 * is how often it was accessed lately: each step is twice the one before, from the most accessed
 * cell down. A bar at its foot is the part that is in the pool, a white dot in its corner tells
 * that any of that is dirty; a red cross is a damaged page, a white cell has no page. The SVG is
 * less than 1 MiB whatever the table's size, and has no script and nothing to be fetched.
 *
 * Every cell is a line of the same length, so that the picture's length follows from the number of
 * cells and the table's name.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define LEVELS 9u
#define BARS 8u   /* steps of the bar that shows what is resident */
#define PITCH 14u /* of a cell, before it is scaled */
#define GRID_WIDTH 896u
#define MARGIN_LEFT 100u
#define MARGIN_RIGHT 24u
#define GRID_TOP 132u
#define HOTTEST_MIN (1u << (LEVELS - 1)) /* so that the lowest level is one access at least */
#define LEGEND_HEIGHT 84u
#define ROW_LABEL_EVERY 28u /* pixels: labels do not touch */

/* From cold to hot: steps of equal lightness, so that they can be told apart in grey, too. */
static const char *const colours[LEVELS + 1] = {"#eef1f4", "#fdebc3", "#fdd692", "#fdbb63",
                                                "#fc9a45", "#f4753a", "#e04f37", "#c02d3a",
                                                "#941740", "#5f0f40"};

struct picture {
    struct ps_text *out;
    const struct ps_heat *heat;
    uint64_t hottest; /* accesses of the most accessed cell, and HOTTEST_MIN at least */
    uint32_t columns, rows, scale;
};

/* --- text --------------------------------------------------------------------------------- */

static bool xml_takes(const struct ps_utf8 *c)
{
    if (c->len == 1)
        return c->sound && *c->at >= 0x20 && *c->at != 0x7f;
    /* but U+FFFE and U+FFFF */
    return c->len != 3 || c->at[0] != 0xef || c->at[1] != 0xbf || c->at[2] < 0xbe;
}

/* What XML does not take becomes U+FFFD. */
static void add_escaped(struct ps_text *out, const char *text)
{
    struct ps_utf8 c = ps_utf8_of(text, strlen(text));

    while (ps_utf8_next(&c)) {
        if (!xml_takes(&c))
            ps_text_printf(out, PS_UTF8_NONE);
        else if (strchr("<>&\"'", *c.at))
            ps_text_printf(out, "&#%u;", *c.at);
        else
            ps_text_add(out, c.at, c.len);
    }
}

static void add_text(struct ps_text *out, const char *class, uint32_t x, uint32_t y)
{
    ps_text_printf(out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, x, y);
}

/* --- colours ------------------------------------------------------------------------------ */

/* 0: no access. LEVELS: at least half of the most; each level below, half of that. */
static unsigned level_of(uint64_t accesses, uint64_t hottest)
{
    unsigned level = LEVELS;

    if (accesses == 0)
        return 0;
    while (level > 1 && accesses <= hottest / 2) {
        hottest /= 2;
        level--;
    }
    return level;
}

/* The fewest accesses that have this level, which is not 0. */
static uint64_t level_from(unsigned level, uint64_t hottest)
{
    return level > 1 ? (hottest >> (LEVELS - level + 1)) + 1 : 1;
}

/* --- what does not change ----------------------------------------------------------------- */

static void add_styles(struct ps_text *out)
{
    ps_text_printf(out, "<style>"
                        "text{font-family:'DejaVu Sans',Verdana,Helvetica,sans-serif;fill:#2b2f36}"
                        ".t{font-size:22px;font-weight:bold}.s{font-size:13px;fill:#5b626c}"
                        ".r{font-size:10px;fill:#8a919b;text-anchor:end}.l{font-size:11px}"
                        ".m{font-size:11px;text-anchor:middle;fill:#5b626c}"
                        "g[id=cells] g:hover use:first-child{opacity:.6}"
                        "</style>\n");
}

/* A bar of each length, with and without the dot of a dirty page and the cross of a damaged one. */
static void add_marks(struct ps_text *out, unsigned bar, bool dirty, bool corrupt)
{
    ps_text_printf(out, "<g id=\"b%u%u%u\">", bar, dirty ? 1u : 0u, corrupt ? 1u : 0u);
    if (bar > 0)
        ps_text_printf(out,
                       "<rect x=\"1\" y=\"9.7\" width=\"%u.%u\" height=\"2.4\" fill=\"#12a5d8\""
                       " stroke=\"#fff\" stroke-width=\".5\"/>",
                       bar * 11 / BARS, bar * 110 / BARS % 10);
    if (dirty)
        ps_text_printf(out, "<circle cx=\"10\" cy=\"3\" r=\"1.8\" fill=\"#fff\""
                            " stroke=\"#1b1f26\" stroke-width=\".9\"/>");
    if (corrupt)
        ps_text_printf(out, "<path d=\"M3 2.5l7 7m0-7l-7 7\" stroke=\"#fff\" stroke-width=\"3\"/>"
                            "<path d=\"M3 2.5l7 7m0-7l-7 7\" stroke=\"#d00020\""
                            " stroke-width=\"1.8\"/>");
    ps_text_printf(out, "</g>\n");
}

static void add_symbols(struct ps_text *out)
{
    ps_text_printf(out, "<defs>\n");
    for (unsigned level = 0; level <= LEVELS; level++)
        ps_text_printf(out,
                       "<rect id=\"h%u\" width=\"13\" height=\"13\" rx=\"1.5\" fill=\"%s\"/>\n",
                       level, colours[level]);
    ps_text_printf(out, "<g id=\"hf\"><rect x=\".5\" y=\".5\" width=\"12\" height=\"12\" rx=\"1.5\""
                        " fill=\"#fff\" stroke=\"#dfe3e8\"/>"
                        "<circle cx=\"6.5\" cy=\"6.5\" r=\"1\" fill=\"#c3c9d1\"/></g>\n");
    for (unsigned bar = 0; bar <= BARS; bar++) {
        for (unsigned marks = 0; marks < 4; marks++)
            add_marks(out, bar, marks & 1, marks & 2);
    }
    ps_text_printf(out, "</defs>\n");
}

/* --- head and legend ---------------------------------------------------------------------- */

static void add_title(const struct picture *p, const char *table)
{
    const struct ps_heat_cell *total = &p->heat->total;

    ps_text_printf(p->out, "<title>Heat map of ");
    add_escaped(p->out, table);
    ps_text_printf(p->out, "</title>\n");
    add_text(p->out, "t", MARGIN_LEFT, 42);
    add_escaped(p->out, table);
    ps_text_printf(p->out, "</text>\n");
    add_text(p->out, "s", MARGIN_LEFT, 68);
    ps_text_printf(p->out, "%10u pages &#183; %10u free &#183; %10u corrupt</text>\n",
                   total->allocated, total->pages - total->allocated, total->corrupt);
    add_text(p->out, "s", MARGIN_LEFT, 88);
    ps_text_printf(p->out,
                   "in the pool: %10u pages, of which %10u dirty &#183; "
                   "%20llu accesses lately</text>\n",
                   total->resident, total->dirty, (unsigned long long)total->accesses);
    add_text(p->out, "s", MARGIN_LEFT, 108);
    ps_text_printf(p->out, "pages a cell: %10llu; in rows, hover for numbers</text>\n",
                   (unsigned long long)p->heat->cell_pages);
}

static void add_sample(struct ps_text *out, uint32_t x, uint32_t y, const char *colour,
                       const char *mark, const char *text)
{
    ps_text_printf(out, "<use href=\"#%s\" x=\"%u\" y=\"%u\"/>", colour, x, y);
    if (mark)
        ps_text_printf(out, "<use href=\"#%s\" x=\"%u\" y=\"%u\"/>", mark, x, y);
    add_text(out, "l", x + 19, y + 11);
    ps_text_printf(out, "%s</text>\n", text);
}

static void add_scale(const struct picture *p, uint32_t y)
{
    add_text(p->out, "l", MARGIN_LEFT, y + 11);
    ps_text_printf(p->out, "accesses of a cell</text>\n");
    for (unsigned level = 0; level <= LEVELS; level++) {
        uint32_t x = MARGIN_LEFT + 130 + level * 76;

        ps_text_printf(p->out,
                       "<rect x=\"%u\" y=\"%u\" width=\"74\" height=\"12\" rx=\"1.5\""
                       " fill=\"%s\"/>\n",
                       x, y, colours[level]);
        add_text(p->out, "m", x + 37, y + 26);
        if (level == 0)
            ps_text_printf(p->out, "none</text>\n");
        else
            ps_text_printf(p->out, "%20llu +</text>\n",
                           (unsigned long long)level_from(level, p->hottest));
    }
}

static void add_legend(const struct picture *p, uint32_t y)
{
    add_scale(p, y);
    y += 44;
    add_sample(p->out, MARGIN_LEFT, y, "h1", "b800", "in the pool");
    add_sample(p->out, MARGIN_LEFT + 130, y, "h1", "b400", "half of it in the pool");
    add_sample(p->out, MARGIN_LEFT + 310, y, "h1", "b810", "dirty, in part or all");
    add_sample(p->out, MARGIN_LEFT + 510, y, "h0", NULL, "not accessed");
    add_sample(p->out, MARGIN_LEFT + 640, y, "hf", NULL, "free");
    add_sample(p->out, MARGIN_LEFT + 720, y, "h0", "b001", "corrupt");
}

/* --- cells -------------------------------------------------------------------------------- */

/* The rounded part of the bar; something resident is always seen. */
static unsigned bar_of(const struct ps_heat_cell *cell)
{
    uint64_t pages = cell->allocated ? cell->allocated : 1;
    uint64_t bar = ((uint64_t)cell->resident * BARS + pages / 2) / pages;

    if (cell->resident > 0 && bar == 0)
        return 1;
    return bar < BARS ? (unsigned)bar : BARS;
}

static void add_cell(const struct picture *p, uint32_t no)
{
    const struct ps_heat_cell *cell = &p->heat->cells[no];
    unsigned long long first = no * (unsigned long long)p->heat->cell_pages;
    char colour = 'f';

    if (cell->allocated > 0)
        colour = (char)('0' + level_of(cell->accesses, p->hottest));
    ps_text_printf(p->out,
                   "<g transform=\"translate(%3u %5u)\"><use href=\"#h%c\"/>"
                   "<use href=\"#b%u%u%u\"/><title>%10llu-%10llu: %20llu accesses, %7u resident, "
                   "%7u dirty, %7u free, %2u corrupt</title></g>\n",
                   no % p->columns * PITCH, no / p->columns * PITCH, colour, bar_of(cell),
                   cell->dirty > 0 ? 1u : 0u, cell->corrupt > 0 ? 1u : 0u, first,
                   first + cell->pages - 1, (unsigned long long)cell->accesses, cell->resident,
                   cell->dirty, cell->pages - cell->allocated, cell->corrupt);
}

/* The first page of a row, at every row where there is room for it. */
static void add_row_labels(const struct picture *p)
{
    uint32_t height = PITCH * p->scale;
    uint32_t every = height < ROW_LABEL_EVERY ? ROW_LABEL_EVERY / height : 1;

    for (uint32_t row = 0; row < p->rows; row += every) {
        add_text(p->out, "r", MARGIN_LEFT - 8, GRID_TOP + row * height + height / 2 + 3);
        ps_text_printf(p->out, "%llu</text>\n",
                       row * (unsigned long long)p->columns * p->heat->cell_pages);
    }
}

/* --- the whole ---------------------------------------------------------------------------- */

/* Few cells are large ones; the grid is always as wide. */
static void lay_out(struct picture *p)
{
    uint32_t count = p->heat->cell_count;

    p->scale = count <= 64 ? 4 : count <= 512 ? 2 : 1;
    p->columns = GRID_WIDTH / PITCH / p->scale;
    p->rows = (count + p->columns - 1) / p->columns;
    p->hottest = HOTTEST_MIN;
    for (uint32_t i = 0; i < count; i++) {
        if (p->heat->cells[i].accesses > p->hottest)
            p->hottest = p->heat->cells[i].accesses;
    }
}

static void draw_frame(const struct picture *p, const char *table)
{
    uint32_t width = MARGIN_LEFT + GRID_WIDTH + MARGIN_RIGHT;
    uint32_t grid_end = GRID_TOP + p->rows * PITCH * p->scale;
    uint32_t height = grid_end + 24 + LEGEND_HEIGHT;

    ps_text_printf(p->out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\""
                   " viewBox=\"0 0 %u %u\">\n",
                   width, height, width, height);
    add_styles(p->out);
    add_symbols(p->out);
    ps_text_printf(p->out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
    add_title(p, table);
    add_row_labels(p);
    add_legend(p, grid_end + 24);
}

static void draw_cells(const struct picture *p, uint32_t count)
{
    ps_text_printf(p->out, "<g id=\"cells\" transform=\"translate(%u %u) scale(%u)\">\n",
                   MARGIN_LEFT, GRID_TOP, p->scale);
    for (uint32_t i = 0; i < count; i++)
        add_cell(p, i);
    ps_text_printf(p->out, "</g>\n</svg>\n");
}

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_heat *heat = malloc(sizeof(*heat));
    struct picture p = {.out = out, .heat = heat};
    struct ps_table_info info;
    ps_err err = heat ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for a heat map");

    c->done = true;
    if (!err)
        err = ps_table_info(c->subject.table, &info);
    if (!err)
        err = ps_table_heat(c->subject.table, c->cancel, heat);
    if (!err) {
        lay_out(&p);
        draw_frame(&p, info.name);
        draw_cells(&p, heat->cell_count);
    }
    free(heat);
    return err;
}

/* The length without any cell, and that of one for each. */
static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    struct ps_heat *heat = malloc(sizeof(*heat));
    struct ps_text text = {0};
    struct picture p = {.out = &text, .heat = heat};
    struct ps_table_info info;
    ps_err err = heat ? ps_table_info(s->table, &info) : ps_fail(PS_ERR_NOMEM, "no memory");
    uint64_t bare;

    if (!err) {
        ps_heat_shape(info.pages_end, heat);
        lay_out(&p);
        draw_frame(&p, info.name);
        draw_cells(&p, 0);
        bare = text.len;
        if (heat->cell_count > 0)
            add_cell(&p, 0);
        err = ps_text_err(&text);
        *ret = bare + (text.len - bare) * heat->cell_count;
    }
    ps_text_deinit(&text);
    free(heat);
    return err;
}

const struct pfs_view pfs_view_heatmap = {PFS_SIZE_SHAPE, .size = size, .step = step};
