/*
 * csv.h - reads CSV files with a header line, as COPY ... (FORMAT csv, HEADER) writes them.
 *
 * Fields are looked up by their column's name. Quoted fields may hold commas, newlines and
 * doubled quotes; an unquoted empty field (NULL) and "" both read as "".
 */
#ifndef TEST_CSV_H
#define TEST_CSV_H

#include <stdbool.h>

struct csv;

/* NULL if the file cannot be opened or has no header line. */
struct csv *csv_open(const char *path);
void csv_close(struct csv *csv);

/* Reads the next record; false at the end. */
bool csv_next(struct csv *csv);

/* The field of the current record, valid until the next csv_next(). A column that does not
 * exist ends the program: the test itself is wrong. */
const char *csv_field(const struct csv *csv, const char *column);
long csv_number(const struct csv *csv, const char *column);

#endif
