/*
 * output_xml.c - xml: its text, but for the declaration at its front, which PostgreSQL writes
 * anew: without the encoding, and not at all where it then says nothing (xml_out_internal() of
 * xml.c).
 */
#include "pg/output_internal.h"

struct span {
    const char *at, *end;
};

struct declaration {
    struct span version;
    const char *standalone; /* "yes", "no"; NULL: it does not say */
};

/* Takes white space off s; was there any? */
static bool take_space(struct span *s)
{
    const char *start = s->at;

    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
    return s->at > start;
}

static bool take_word(struct span *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

/* NAME = '...', after white space. If it is not there, s stays. */
static bool take_attribute(struct span *s, const char *name, struct span *ret)
{
    struct span t = *s;
    const char *quote;

    if (!take_space(&t) || !take_word(&t, name))
        return false;
    take_space(&t);
    if (!take_word(&t, "="))
        return false;
    take_space(&t);
    if (t.at == t.end || (*t.at != '"' && *t.at != '\''))
        return false;
    quote = memchr(t.at + 1, *t.at, (size_t)(t.end - t.at - 1));
    if (!quote)
        return false;
    *ret = (struct span){t.at + 1, quote};
    s->at = quote + 1;
    return true;
}

static bool is(struct span s, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(s.end - s.at) == len && memcmp(s.at, word, len) == 0;
}

/* Takes the declaration off s. False: there is none, or none that could be read. */
static bool take_declaration(struct span *s, struct declaration *ret)
{
    struct span t = *s;
    struct span skipped, standalone;
    const char *c;

    *ret = (struct declaration){0};
    if (!take_word(&t, "<?xml") || !take_attribute(&t, "version", &ret->version))
        return false;
    take_attribute(&t, "encoding", &skipped);
    if (take_attribute(&t, "standalone", &standalone)) {
        ret->standalone = is(standalone, "yes") ? "yes" : is(standalone, "no") ? "no" : NULL;
        if (!ret->standalone)
            return false;
    }
    take_space(&t);
    if (!take_word(&t, "?>"))
        return false;
    for (c = s->at; c < t.at; c++)
        if (*c & 0x80)
            return false;
    s->at = t.at;
    return true;
}

ps_err ps_pg_out_xml(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                     const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct span s = {(const char *)data, (const char *)data + len};
    struct declaration d;

    (void)p;
    (void)type;
    if (take_declaration(&s, &d)) {
        if (d.standalone || !is(d.version, "1.0")) {
            ps_pg_add_string(out, "<?xml version=\"");
            ps_text_add(out, d.version.at, (size_t)(d.version.end - d.version.at));
            ps_pg_add_char(out, '"');
            if (d.standalone)
                ps_text_printf(out, " standalone=\"%s\"", d.standalone);
            ps_pg_add_string(out, "?>");
        } else {
            take_word(&s, "\n"); /* or the text would begin with an empty line */
        }
    }
    ps_text_add(out, s.at, (size_t)(s.end - s.at));
    return ps_text_err(out);
}
