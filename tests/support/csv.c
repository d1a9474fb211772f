#include "csv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64

/* One line of fields; each begins at its offset in text. */
struct record {
    char *text;
    size_t len, size;
    size_t field[FIELDS_MAX];
    unsigned fields;
};

struct csv {
    FILE *in;
    struct record header;
    struct record row;
};

static void put(struct record *r, char c)
{
    if (r->len == r->size) {
        r->size = r->size ? r->size * 2 : 256;
        r->text = realloc(r->text, r->size);
        assert(r->text);
    }
    r->text[r->len++] = c;
}

static void begin_field(struct record *r)
{
    assert(r->fields < FIELDS_MAX);
    r->field[r->fields++] = r->len;
}

/* Reads a quoted field's rest; returns the character after its closing quote. */
static int read_quoted(FILE *in, struct record *r)
{
    int c;

    while ((c = getc(in)) != EOF) {
        if (c == '"' && (c = getc(in)) != '"')
            return c;
        put(r, (char)c);
    }
    return EOF;
}

static bool read_record(FILE *in, struct record *r)
{
    int c = getc(in);

    if (c == EOF)
        return false;
    r->len = 0;
    r->fields = 0;
    for (;;) {
        begin_field(r);
        if (c == '"')
            c = read_quoted(in, r);
        while (c != ',' && c != '\n' && c != EOF) {
            put(r, (char)c);
            c = getc(in);
        }
        put(r, '\0');
        if (c != ',')
            return true;
        c = getc(in);
    }
}

struct csv *csv_open(const char *path)
{
    struct csv *csv = calloc(1, sizeof(*csv));

    assert(csv);
    csv->in = fopen(path, "r");
    if (!csv->in || !read_record(csv->in, &csv->header)) {
        perror(path);
        csv_close(csv);
        return NULL;
    }
    return csv;
}

void csv_close(struct csv *csv)
{
    if (csv->in)
        fclose(csv->in);
    free(csv->header.text);
    free(csv->row.text);
    free(csv);
}

bool csv_next(struct csv *csv)
{
    return read_record(csv->in, &csv->row);
}

const char *csv_field(const struct csv *csv, const char *column)
{
    for (unsigned i = 0; i < csv->header.fields; i++) {
        if (strcmp(csv->header.text + csv->header.field[i], column) == 0) {
            assert(i < csv->row.fields);
            return csv->row.text + csv->row.field[i];
        }
    }
    fprintf(stderr, "the CSV file has no column %s\n", column);
    abort();
}

long csv_number(const struct csv *csv, const char *column)
{
    return strtol(csv_field(csv, column), NULL, 10);
}
