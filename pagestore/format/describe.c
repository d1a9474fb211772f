#include "format/describe.h"

#include <assert.h>
#include <string.h>

#include "base/digits.h"

#define BYTES_A_LINE 16u

static void dump_line(const unsigned char *bytes, uint32_t len, FILE *out)
{
    char line[80];
    char *at = line;

    for (uint32_t i = 0; i < BYTES_A_LINE; i++) {
        *at++ = ' ';
        if (i % 8 == 0)
            *at++ = ' ';
        if (i < len) {
            at = ps_put_hex(at, bytes[i]);
        } else {
            *at++ = ' ';
            *at++ = ' ';
        }
    }
    at = memcpy(at, "  |", 3);
    at += 3;
    for (uint32_t i = 0; i < len; i++)
        *at++ = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    *at++ = '|';
    *at++ = '\n';
    assert(at <= line + sizeof(line));
    fwrite(line, 1, (size_t)(at - line), out);
}

void ps_hexdump(const unsigned char *page, uint32_t from, uint32_t to, FILE *out)
{
    bool repeating = false;

    for (uint32_t off = from; off < to; off += BYTES_A_LINE) {
        uint32_t len = to - off < BYTES_A_LINE ? to - off : BYTES_A_LINE;

        if (off > from && len == BYTES_A_LINE &&
            memcmp(page + off, page + off - BYTES_A_LINE, BYTES_A_LINE) == 0) {
            if (!repeating)
                fputs("*\n", out);
            repeating = true;
            continue;
        }
        repeating = false;
        fprintf(out, "%08x", off);
        dump_line(page + off, len, out);
    }
    fprintf(out, "%08x\n", to);
}

/* Bytes that another item has shown already are not shown again: otherwise a page whose line
 * pointers all claim the whole page would become gigabytes of text. */
static void dump_item(const unsigned char *page, uint32_t page_size, uint32_t slot,
                      const struct ps_lp *lp, struct ps_taken *shown, FILE *out)
{
    fprintf(out, "\nitem %u", slot);
    if (lp->off >= page_size || lp->len > page_size - lp->off) {
        fputs(" (not on the page)\n", out);
    } else if (!ps_take(shown, lp->off, lp->len)) {
        fputs(" (shares bytes with one above)\n", out);
    } else {
        fputc('\n', out);
        ps_hexdump(page, lp->off, lp->off + lp->len, out);
    }
}

static void describe_items(const struct ps_slotted_layout *l, const unsigned char *page,
                           uint32_t page_size, uint32_t slots, FILE *out)
{
    struct ps_taken shown = {0};

    for (uint32_t slot = 1; slot <= slots; slot++) {
        struct ps_lp lp = l->lp(page, slot);

        if (ps_lp_has_storage(&lp))
            dump_item(page, page_size, slot, &lp, &shown, out);
    }
}

static void dump_unless_zero(const char *title, const unsigned char *page, uint32_t from,
                             uint32_t to, FILE *out)
{
    if (from >= to || ps_page_is_zero(page + from, to - from))
        return;
    fprintf(out, "\n%s\n", title);
    ps_hexdump(page, from, to, out);
}

static void describe_line_pointers(const struct ps_slotted_layout *l, const unsigned char *page,
                                   uint32_t page_size, uint32_t slots,
                                   const struct ps_item_columns *columns, FILE *out)
{
    fprintf(out, "\n%s lp_off lp_flags lp_len%s\n",
            columns->slot_title ? columns->slot_title : "lp", columns->titles);
    for (uint32_t slot = 1; slot <= slots; slot++) {
        struct ps_lp lp = l->lp(page, slot);

        fprintf(out, "%u %u %u %u", slot, lp.off, (unsigned)lp.flags, lp.len);
        if (columns->print)
            columns->print(columns->ctx, page, page_size, slot, &lp, out);
        fputc('\n', out);
    }
}

void ps_describe_slotted(const struct ps_slotted_layout *l, const unsigned char *page,
                         uint32_t page_size, const struct ps_item_columns *columns, FILE *out)
{
    struct ps_bounds b = l->bounds(page);
    struct ps_damage ignored = {0};
    uint32_t slots = 0;

    if (l->holds_items(page, page_size))
        slots = ps_slots_before(l, b.lower, page_size);
    if (slots > 0)
        describe_line_pointers(l, page, page_size, slots, columns, out);
    describe_items(l, page, page_size, slots, out);
    if (!ps_bounds_check(l, &b, page_size, &ignored)) {
        dump_unless_zero("bytes after the line pointers", page, l->lp_start + slots * l->lp_len,
                         page_size, out);
        return;
    }
    if (slots == 0)
        dump_unless_zero("contents", page, l->lp_start, b.lower, out);
    dump_unless_zero("unused space", page, b.lower, b.upper, out);
    dump_unless_zero("special space", page, b.special, page_size, out);
}

void ps_describe_damage(void *ctx, const char *word, int lp, const char *text)
{
    (void)lp; /* the text names it */
    fprintf(ctx, "damage %s: %s\n", word, text);
}
