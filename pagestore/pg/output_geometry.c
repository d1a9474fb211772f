/*
 * output_geometry.c - points and what is made of them: pairs of float8
 * (src/include/utils/geo_decls.h).
 */
#include "pg/output_internal.h"

#define FLOAT_LEN 8u
#define POINT_LEN 16u

static void add_floats(struct ps_text *out, const uint8_t *data, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ',');
        ps_pg_add_float8(out, ps_get_double_at(data + i * FLOAT_LEN));
    }
}

static void add_point(struct ps_text *out, const uint8_t *data)
{
    ps_pg_add_char(out, '(');
    add_floats(out, data, 2);
    ps_pg_add_char(out, ')');
}

static void add_points(struct ps_text *out, const uint8_t *data, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(out, ',');
        add_point(out, data + (size_t)i * POINT_LEN);
    }
}

ps_err ps_pg_out_point(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    add_point(out, data);
    return ps_text_err(out);
}

ps_err ps_pg_out_lseg(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_char(out, '[');
    add_points(out, data, 2);
    ps_pg_add_char(out, ']');
    return ps_text_err(out);
}

ps_err ps_pg_out_box(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    add_points(out, data, 2);
    return ps_text_err(out);
}

ps_err ps_pg_out_line(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_char(out, '{');
    add_floats(out, data, 3);
    ps_pg_add_char(out, '}');
    return ps_text_err(out);
}

ps_err ps_pg_out_circle(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                        const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    (void)len;
    ps_pg_add_char(out, '<');
    add_point(out, data);
    ps_pg_add_char(out, ',');
    ps_pg_add_float8(out, ps_get_double_at(data + POINT_LEN));
    ps_pg_add_char(out, '>');
    return ps_text_err(out);
}

/* A count of points at the front, the points behind a header. */
static ps_err count_points(const char *what, const uint8_t *data, uint32_t len, uint32_t header,
                           uint32_t *ret)
{
    *ret = len >= header ? ps_get32_at(data) : 0;
    if (len < header || *ret != (len - header) / POINT_LEN || (len - header) % POINT_LEN != 0)
        return ps_fail(PS_ERR_CORRUPT, "%s: %u points in %u bytes", what, *ret, len);
    return PS_OK;
}

/* Their count, whether it is closed, padding; the points. */
ps_err ps_pg_out_path(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t count;
    bool closed;
    ps_err err = count_points("path", data, len, 12, &count);

    (void)p;
    (void)type;
    if (err)
        return err;
    closed = ps_get32_at(data + 4) != 0;
    ps_pg_add_char(out, closed ? '(' : '[');
    add_points(out, data + 12, count);
    ps_pg_add_char(out, closed ? ')' : ']');
    return ps_text_err(out);
}

/* Their count, the box around them; the points. */
ps_err ps_pg_out_polygon(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t count;
    ps_err err = count_points("polygon", data, len, 4 + 2 * POINT_LEN, &count);

    (void)p;
    (void)type;
    if (err)
        return err;
    ps_pg_add_char(out, '(');
    add_points(out, data + 4 + 2 * POINT_LEN, count);
    ps_pg_add_char(out, ')');
    return ps_text_err(out);
}
