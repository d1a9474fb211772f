/* libFuzzer target: any bytes as a page of PostgreSQL's. The first byte chooses the kind, the
 * second page size and block number, the rest is the page; what is missing is zero. Seeds:
 * fuzz/pg_page_seeds.py FOLDER. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "pg/decode.h"

#define KINDS (PS_PG_PAGE_VM + 1)
/* A line pointer of 4 bytes can name a tuple whose null bitmap is 2,048 digits, with all flags; a
 * delta of one byte an address of 20. */
#define TEXT_PER_BYTE_MAX 700u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void count_line(void *ctx, bool fault, const char *word, uint32_t lp, const char *text)
{
    unsigned *count = ctx;

    (void)fault;
    (void)lp;
    MUST(word[0] != '\0' && text[0] != '\0' && !strchr(text, '\n') && !strchr(text, '\t'));
    (*count)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum ps_pg_page_kind kind = (enum ps_pg_page_kind)(len > 0 ? data[0] % KINDS : 0);
    unsigned how = len > 1 ? data[1] : 0;
    struct ps_page_ident who = {.page_size = PS_PAGE_SIZE_MIN << (how & 3), .page_no = how >> 2};
    unsigned char *page = calloc(1, who.page_size);
    struct ps_text text = {0};
    unsigned lines = 0, found;

    if (!page)
        return 0;
    if (len > 2)
        memcpy(page, data + 2, len - 2 < who.page_size ? len - 2 : who.page_size);
    ps_pg_decode(kind, page, &who, how & 4, &text);
    MUST(ps_text_err(&text) == PS_OK && text.len > 0);
    MUST(text.len <= (size_t)who.page_size * TEXT_PER_BYTE_MAX);
    found = ps_pg_check(kind, page, &who, how & 4, 5, count_line, &lines);
    MUST(found == lines);
    ps_text_deinit(&text);
    free(page);
    return 0;
}
