/*
 * output_jsonpath.c - jsonpath: a tree of nodes (src/include/utils/jsonpath.h).
 *
 * A node is a byte with its kind, then from the next multiple of four bytes on where the node
 * behind it is, and what its kind needs. Places are told from the node's own place, 0: none. A node
 * that two others claim would be printed twice; so there is a limit to how many are printed.
 */
#include "pg/output_internal.h"

enum kind {
    NODE_NULL,
    NODE_STRING,
    NODE_NUMERIC,
    NODE_BOOL,
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_IS_UNKNOWN,
    NODE_EQUAL,
    NODE_NOT_EQUAL,
    NODE_LESS,
    NODE_GREATER,
    NODE_LESS_OR_EQUAL,
    NODE_GREATER_OR_EQUAL,
    NODE_ADD,
    NODE_SUB,
    NODE_MUL,
    NODE_DIV,
    NODE_MOD,
    NODE_PLUS,
    NODE_MINUS,
    NODE_ANY_ARRAY,
    NODE_ANY_KEY,
    NODE_INDEX_ARRAY,
    NODE_ANY,
    NODE_KEY,
    NODE_CURRENT,
    NODE_ROOT,
    NODE_VARIABLE,
    NODE_FILTER,
    NODE_EXISTS,
    NODE_TYPE,
    NODE_SIZE,
    NODE_ABS,
    NODE_FLOOR,
    NODE_CEILING,
    NODE_DOUBLE,
    NODE_DATETIME,
    NODE_KEYVALUE,
    NODE_SUBSCRIPT, /* never stored */
    NODE_LAST,
    NODE_STARTS_WITH,
    NODE_LIKE_REGEX,
    NODE_BIGINT, /* this and the following since version 17 */
    NODE_BOOLEAN,
    NODE_DATE,
    NODE_DECIMAL,
    NODE_INTEGER,
    NODE_NUMBER,
    NODE_STRING_FUNCTION,
    NODE_TIME,
    NODE_TIME_TZ,
    NODE_TIMESTAMP,
    NODE_TIMESTAMP_TZ,
    NODE_KINDS
};

/* How a kind is printed. */
enum form {
    FORM_OTHER,
    FORM_WORD,     /* its text */
    FORM_BINARY,   /* left text right */
    FORM_UNARY,    /* text operand */
    FORM_ENCLOSED, /* text operand `after` */
    FORM_CALL,     /* text, up to two operands, `after` */
};

struct kind_info {
    const char *text, *after;
    uint8_t form;
    uint8_t operands; /* places of nodes behind the place of the next one */
    uint8_t priority; /* 0: binds as a word does */
};

/* Priorities are PostgreSQL's and one. */
static const struct kind_info kinds[NODE_KINDS] = {
    [NODE_NULL] = {"null", "", FORM_WORD, 0, 0},
    [NODE_AND] = {"&&", "", FORM_BINARY, 2, 2},
    [NODE_OR] = {"||", "", FORM_BINARY, 2, 1},
    [NODE_NOT] = {"!(", ")", FORM_ENCLOSED, 1, 0},
    [NODE_IS_UNKNOWN] = {"(", ") is unknown", FORM_ENCLOSED, 1, 0},
    [NODE_EQUAL] = {"==", "", FORM_BINARY, 2, 3},
    [NODE_NOT_EQUAL] = {"!=", "", FORM_BINARY, 2, 3},
    [NODE_LESS] = {"<", "", FORM_BINARY, 2, 3},
    [NODE_GREATER] = {">", "", FORM_BINARY, 2, 3},
    [NODE_LESS_OR_EQUAL] = {"<=", "", FORM_BINARY, 2, 3},
    [NODE_GREATER_OR_EQUAL] = {">=", "", FORM_BINARY, 2, 3},
    [NODE_ADD] = {"+", "", FORM_BINARY, 2, 4},
    [NODE_SUB] = {"-", "", FORM_BINARY, 2, 4},
    [NODE_MUL] = {"*", "", FORM_BINARY, 2, 5},
    [NODE_DIV] = {"/", "", FORM_BINARY, 2, 5},
    [NODE_MOD] = {"%", "", FORM_BINARY, 2, 5},
    [NODE_PLUS] = {"+", "", FORM_UNARY, 1, 6},
    [NODE_MINUS] = {"-", "", FORM_UNARY, 1, 6},
    [NODE_ANY_ARRAY] = {"[*]", "", FORM_WORD, 0, 0},
    [NODE_CURRENT] = {"@", "", FORM_WORD, 0, 0},
    [NODE_ROOT] = {"$", "", FORM_WORD, 0, 0},
    [NODE_FILTER] = {"?(", ")", FORM_ENCLOSED, 1, 0},
    [NODE_EXISTS] = {"exists (", ")", FORM_ENCLOSED, 1, 0},
    [NODE_TYPE] = {".type()", "", FORM_WORD, 0, 0},
    [NODE_SIZE] = {".size()", "", FORM_WORD, 0, 0},
    [NODE_ABS] = {".abs()", "", FORM_WORD, 0, 0},
    [NODE_FLOOR] = {".floor()", "", FORM_WORD, 0, 0},
    [NODE_CEILING] = {".ceiling()", "", FORM_WORD, 0, 0},
    [NODE_DOUBLE] = {".double()", "", FORM_WORD, 0, 0},
    [NODE_DATETIME] = {".datetime(", ")", FORM_CALL, 1, 0},
    [NODE_KEYVALUE] = {".keyvalue()", "", FORM_WORD, 0, 0},
    [NODE_LAST] = {"last", "", FORM_WORD, 0, 0},
    [NODE_STARTS_WITH] = {"starts with", "", FORM_BINARY, 2, 3},
    [NODE_BIGINT] = {".bigint()", "", FORM_WORD, 0, 0},
    [NODE_BOOLEAN] = {".boolean()", "", FORM_WORD, 0, 0},
    [NODE_DATE] = {".date()", "", FORM_WORD, 0, 0},
    [NODE_DECIMAL] = {".decimal(", ")", FORM_CALL, 2, 0},
    [NODE_INTEGER] = {".integer()", "", FORM_WORD, 0, 0},
    [NODE_NUMBER] = {".number()", "", FORM_WORD, 0, 0},
    [NODE_STRING_FUNCTION] = {".string()", "", FORM_WORD, 0, 0},
    [NODE_TIME] = {".time(", ")", FORM_CALL, 1, 0},
    [NODE_TIME_TZ] = {".time_tz(", ")", FORM_CALL, 1, 0},
    [NODE_TIMESTAMP] = {".timestamp(", ")", FORM_CALL, 1, 0},
    [NODE_TIMESTAMP_TZ] = {".timestamp_tz(", ")", FORM_CALL, 1, 0},
};

#define LAX 0x80000000u
#define DEPTH_MAX 512u
#define NODE_LEN_MIN 8u
#define NO_BOUND UINT32_MAX

struct path {
    const uint8_t *bytes;
    uint32_t len;
    uint32_t depth, printed;
    struct ps_text *out;
};

struct node {
    uint32_t place;
    uint32_t kind;
    uint32_t next; /* place of the one behind it; 0: none */
    const uint8_t *content;
    uint32_t content_len; /* up to the path's end */
};

static ps_err corrupt(const char *what)
{
    return ps_fail(PS_ERR_CORRUPT, "jsonpath: %s", what);
}

static ps_err node_at(struct path *path, uint32_t place, struct node *ret)
{
    uint32_t at = (place + 1 + 3) & ~3u;
    uint32_t next;

    if (place >= path->len || at > path->len || path->len - at < 4)
        return corrupt("a node beyond its end");
    if (++path->printed > path->len / NODE_LEN_MIN + 1)
        return corrupt("nodes that are parts of several others");
    next = ps_get32_at(path->bytes + at);
    if (next > path->len - place)
        return corrupt("a node beyond its end");
    *ret = (struct node){.place = place,
                         .kind = path->bytes[place],
                         .next = next > 0 ? place + next : 0,
                         .content = path->bytes + at + 4,
                         .content_len = path->len - at - 4};
    return PS_OK;
}

static uint32_t priority_of(uint32_t kind)
{
    uint32_t priority = kind < NODE_KINDS ? kinds[kind].priority : 0;

    return priority > 0 ? priority : UINT32_MAX;
}

static ps_err add_nodes(struct path *path, uint32_t place, bool in_key, bool brackets);

/* Word i of a node's content is the place of an operand. */
static ps_err operand_at(const struct path *path, const struct node *n, uint32_t i,
                         uint32_t *ret_place)
{
    uint32_t offset;

    if (n->content_len / 4 <= i)
        return corrupt("a node that is cut off");
    offset = ps_get32_at(n->content + 4 * (size_t)i);
    if (offset > path->len - n->place)
        return corrupt("a node beyond its end");
    *ret_place = offset > 0 ? n->place + offset : 0;
    return PS_OK;
}

/* Operand i of a node whose operands have brackets unless they bind stronger. */
static ps_err add_operand(struct path *path, const struct node *n, uint32_t i, bool may_bracket)
{
    uint32_t place = 0;
    ps_err err = operand_at(path, n, i, &place);
    bool brackets;

    if (err)
        return err;
    if (place == 0 || place >= path->len)
        return corrupt("an operand that is missing");
    brackets = may_bracket && priority_of(path->bytes[place]) <= priority_of(n->kind);
    return add_nodes(path, place, false, brackets);
}

/* A length and so many bytes, at the front of content or a few words behind it. */
static ps_err add_string(const struct path *path, const struct node *n, uint32_t word)
{
    uint32_t at = 4 * (word + 1);
    uint32_t len;

    if (n->content_len < at)
        return corrupt("a node that is cut off");
    len = ps_get32_at(n->content + 4 * (size_t)word);
    if (len > n->content_len - at)
        return corrupt("a string beyond its end");
    ps_pg_add_json_string(path->out, n->content + at, len);
    return PS_OK;
}

static ps_err add_numeric(const struct path *path, const struct node *n)
{
    uint32_t len = n->content_len >= 4 ? ps_get32_at(n->content) >> 2 : 0;
    ps_err err;

    if (len < 4 || len > n->content_len)
        return corrupt("a numeric beyond its end");
    if (n->next)
        ps_pg_add_char(path->out, '(');
    err = ps_pg_add_numeric(n->content + 4, len - 4, path->out);
    if (n->next)
        ps_pg_add_char(path->out, ')');
    return err;
}

static ps_err add_binary(struct path *path, const struct node *n)
{
    ps_err err = add_operand(path, n, 0, true);

    if (err)
        return err;
    ps_pg_add_char(path->out, ' ');
    ps_pg_add_string(path->out, kinds[n->kind].text);
    ps_pg_add_char(path->out, ' ');
    return add_operand(path, n, 1, true);
}

/* Flags, the place of what is matched, the pattern. */
static ps_err add_like_regex(struct path *path, const struct node *n)
{
    static const char letters[] = "ismxq";
    uint32_t flags, i;
    ps_err err = add_operand(path, n, 1, true);

    if (err)
        return err;
    ps_pg_add_string(path->out, " like_regex ");
    err = add_string(path, n, 2);
    if (err)
        return err;
    flags = ps_get32_at(n->content);
    if (flags == 0)
        return PS_OK;
    ps_pg_add_string(path->out, " flag \"");
    for (i = 0; letters[i]; i++)
        if (flags >> i & 1)
            ps_pg_add_char(path->out, letters[i]);
    ps_pg_add_char(path->out, '"');
    return PS_OK;
}

/* A count, and for each subscript the places of where it begins and ends. */
static ps_err add_subscripts(struct path *path, const struct node *n)
{
    uint32_t count = n->content_len >= 4 ? ps_get32_at(n->content) : UINT32_MAX;
    uint32_t i, to = 0;
    ps_err err;

    if (count > n->content_len / 8)
        return corrupt("more subscripts than bytes");
    ps_pg_add_char(path->out, '[');
    for (i = 0; i < count; i++) {
        if (i > 0)
            ps_pg_add_char(path->out, ',');
        err = add_operand(path, n, 1 + 2 * i, false);
        if (!err)
            err = operand_at(path, n, 2 + 2 * i, &to);
        if (!err && to != 0) {
            ps_pg_add_string(path->out, " to ");
            err = add_nodes(path, to, false, false);
        }
        if (err)
            return err;
    }
    ps_pg_add_char(path->out, ']');
    return PS_OK;
}

static void add_level(struct path *path, uint32_t level)
{
    if (level == NO_BOUND)
        ps_pg_add_string(path->out, "last");
    else
        ps_pg_add_u64(path->out, level);
}

/* **{2 to last} */
static ps_err add_any(struct path *path, const struct node *n)
{
    uint32_t first, last;

    if (n->content_len < 8)
        return corrupt("a node that is cut off");
    first = ps_get32_at(n->content);
    last = ps_get32_at(n->content + 4);
    ps_pg_add_string(path->out, "**");
    if (first == 0 && last == NO_BOUND)
        return PS_OK;
    ps_pg_add_char(path->out, '{');
    add_level(path, first);
    if (first != last) {
        ps_pg_add_string(path->out, " to ");
        add_level(path, last);
    }
    ps_pg_add_char(path->out, '}');
    return PS_OK;
}

/* .datetime("..."), .decimal(5,2): operands may be missing from the end. */
static ps_err add_call_operands(struct path *path, const struct node *n)
{
    uint32_t i, place = 0;
    ps_err err;

    for (i = 0; i < kinds[n->kind].operands; i++) {
        err = operand_at(path, n, i, &place);
        if (err)
            return err;
        if (place == 0)
            break;
        if (i > 0)
            ps_pg_add_char(path->out, ',');
        err = add_operand(path, n, i, false);
        if (err)
            return err;
    }
    return PS_OK;
}

/* Kinds that have no form in common with another. */
static ps_err add_other(struct path *path, const struct node *n, bool in_key)
{
    if (in_key && (n->kind == NODE_KEY || n->kind == NODE_ANY_KEY || n->kind == NODE_ANY))
        ps_pg_add_char(path->out, '.');
    switch (n->kind) {
    case NODE_VARIABLE:
        ps_pg_add_char(path->out, '$');
        return add_string(path, n, 0);
    case NODE_STRING:
    case NODE_KEY:
        return add_string(path, n, 0);
    case NODE_NUMERIC:
        return add_numeric(path, n);
    case NODE_BOOL:
        if (n->content_len < 1)
            return corrupt("a node that is cut off");
        ps_pg_add_string(path->out, n->content[0] ? "true" : "false");
        return PS_OK;
    case NODE_ANY_KEY:
        ps_pg_add_char(path->out, '*');
        return PS_OK;
    case NODE_ANY:
        return add_any(path, n);
    case NODE_INDEX_ARRAY:
        return add_subscripts(path, n);
    default:
        return corrupt("a node of no known kind");
    }
}

static ps_err add_node(struct path *path, const struct node *n, bool in_key)
{
    const struct kind_info *info = &kinds[n->kind];
    ps_err err = PS_OK;

    switch (info->form) {
    case FORM_BINARY:
        return add_binary(path, n);
    case FORM_OTHER:
        return n->kind == NODE_LIKE_REGEX ? add_like_regex(path, n) : add_other(path, n, in_key);
    default:
        break;
    }
    ps_pg_add_string(path->out, info->text);
    if (info->form == FORM_UNARY)
        err = add_operand(path, n, 0, true);
    else if (info->form == FORM_ENCLOSED)
        err = add_operand(path, n, 0, false);
    else if (info->form == FORM_CALL)
        err = add_call_operands(path, n);
    ps_pg_add_string(path->out, info->after);
    return err;
}

static bool takes_brackets(uint32_t kind)
{
    return kind == NODE_LIKE_REGEX || kinds[kind].form == FORM_BINARY ||
           kinds[kind].form == FORM_UNARY;
}

/* A node and those behind it. */
static ps_err add_nodes(struct path *path, uint32_t place, bool in_key, bool brackets)
{
    struct node n = {0};
    bool bracket;
    ps_err err = PS_OK;

    if (path->depth == DEPTH_MAX)
        return corrupt("nodes that are nested too deep");
    path->depth++;
    do {
        err = node_at(path, place, &n);
        if (err)
            break;
        if (n.kind >= NODE_KINDS) {
            err = corrupt("a node of no known kind");
            break;
        }
        bracket = brackets && takes_brackets(n.kind);
        if (bracket)
            ps_pg_add_char(path->out, '(');
        err = add_node(path, &n, in_key);
        if (bracket)
            ps_pg_add_char(path->out, ')');
        place = n.next;
        in_key = brackets = true;
    } while (!err && place != 0);
    path->depth--;
    return err;
}

/* A word with the version and whether it is lax; the root, at the front of what follows. */
ps_err ps_pg_out_jsonpath(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                          const uint8_t *data, uint32_t len, struct ps_text *out)
{
    struct path path = {.out = out};
    ps_err err;

    (void)p;
    (void)type;
    if (len < 4 || (ps_get32_at(data) & ~LAX) != 1)
        return corrupt("a version that is not 1");
    path.bytes = data + 4;
    path.len = len - 4;
    if (!(ps_get32_at(data) & LAX))
        ps_pg_add_string(out, "strict ");
    err = add_nodes(&path, 0, false, true);
    return err ? err : ps_text_err(out);
}
