/*
 * json.h - strings of any bytes in JSON.
 *
 * Flow       view_stats -> [json] -> text
 * Units      bytes.
 * Locking    pure functions.
 * Errors     those of the text: told by ps_text_err().
 * Promise    whatever the bytes are, what is added is one sound JSON string.
 */
#ifndef PFS_JSON_H
#define PFS_JSON_H

#include "base/text.h"

/* The string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void pfs_json_string(struct ps_text *t, const char *s);

#endif
