/* libFuzzer target: any bytes as a page of either format. The first byte chooses format and page
 * size, the rest is the page; what is missing is zero. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct ps_format *fmt = ps_format_by_id(len > 0 ? data[0] & 1 : 0);
    uint32_t page_size = PS_PAGE_SIZE_MIN << (len > 0 ? data[0] >> 1 & 3 : 0);
    unsigned char *page = calloc(1, page_size);

    if (!page)
        return 0;
    if (len > 1)
        memcpy(page, data + 1, len - 1 < page_size ? len - 1 : page_size);
    exercise_page(fmt, page, page_size);
    free(page);
    return 0;
}
