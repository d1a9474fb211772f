/*
 * json.h - the little JSON that the views write: strings of any bytes, one flat object.
 */
#ifndef PFS_JSON_H
#define PFS_JSON_H

#include "base/text.h"

/* The string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void pfs_json_string(struct ps_text *t, const char *s);

#endif
