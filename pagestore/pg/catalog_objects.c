/*
 * catalog_objects.c - lists of what is called by name (functions, operators, collations, text
 * search configurations and dictionaries), and which of those that share a name a search_path
 * finds.
 */
#include <stdlib.h>
#include <string.h>

#include "pg/catalog_names.h"

/* --- what is read ------------------------------------------------------------------------- */

/* Columns of each: oid, name, schema, and what tells things of one name apart. */
enum { OID, NAME, SCHEMA, ARGS_1, ARGS_2 };
static const char *const proc_columns[] = {"oid", "proname", "pronamespace", "proargtypes"};
static const char *const operator_columns[] = {"oid", "oprname", "oprnamespace", "oprleft",
                                               "oprright"};
static const char *const collation_columns[] = {"oid", "collname", "collnamespace"};
static const char *const config_columns[] = {"oid", "cfgname", "cfgnamespace"};
static const char *const dict_columns[] = {"oid", "dictname", "dictnamespace"};

static const struct ps_pgc_spec specs[PS_PGC_CLASSES] = {
    [PS_PGC_PROCS] = {.oid = PS_PGC_PROC,
                      .name = "pg_proc",
                      .lost = "names of functions",
                      .columns = proc_columns,
                      .column_count = PS_PGC_COUNT(proc_columns)},
    [PS_PGC_OPERATORS] = {.oid = PS_PGC_OPERATOR,
                          .name = "pg_operator",
                          .lost = "names of operators",
                          .columns = operator_columns,
                          .column_count = PS_PGC_COUNT(operator_columns)},
    [PS_PGC_COLLATIONS] = {.oid = PS_PGC_COLLATION,
                           .name = "pg_collation",
                           .lost = "names of collations",
                           .columns = collation_columns,
                           .column_count = PS_PGC_COUNT(collation_columns)},
    [PS_PGC_CONFIGS] = {.oid = PS_PGC_TS_CONFIG,
                        .name = "pg_ts_config",
                        .lost = "names of text search configurations",
                        .columns = config_columns,
                        .column_count = PS_PGC_COUNT(config_columns)},
    [PS_PGC_DICTS] = {.oid = PS_PGC_TS_DICT,
                      .name = "pg_ts_dict",
                      .lost = "names of text search dictionaries",
                      .columns = dict_columns,
                      .column_count = PS_PGC_COUNT(dict_columns)},
};

static const char *const role_columns[] = {"oid", "rolname"};
static const struct ps_pgc_spec role_spec = {
    .oid = PS_PGC_AUTHID,
    .name = "pg_authid",
    .shared = true,
    .lost = "names of roles",
    .columns = role_columns,
    .column_count = PS_PGC_COUNT(role_columns),
};

/* What each row is read for. */
struct reading {
    struct ps_pgc_db *db;
    enum ps_pgc_class which;
};

/* --- rows --------------------------------------------------------------------------------- */

/* name: lives as long as the database's lists. */
static ps_err add_object(struct ps_pgc_list *l, ps_oid oid, bool sure, ps_oid schema,
                         const char *name, struct ps_pgc_object **ret)
{
    ps_err err = ps_pgc_list_add(l, sizeof(**ret), oid, 0, sure, ret);

    if (err)
        return err;
    (*ret)->schema = schema;
    (*ret)->name = name;
    return PS_OK;
}

/* A function's argument types, an operator's two. */
static ps_err set_args(struct ps_pgc_db *db, const struct ps_pgc_row *row, enum ps_pgc_class which,
                       struct ps_pgc_object *o)
{
    ps_oid args[PS_PGC_ARGS_MAX] = {0};
    ps_err err = PS_OK;

    if (which == PS_PGC_PROCS) {
        err = ps_pgc_vector(row, ARGS_1, sizeof(ps_oid), args, PS_PGC_ARGS_MAX, &o->arg_count);
    } else if (which == PS_PGC_OPERATORS) {
        o->arg_count = 2;
        args[0] = ps_pgc_oid(row, ARGS_1);
        args[1] = ps_pgc_oid(row, ARGS_2);
    }
    if (err || o->arg_count == 0)
        return err;
    o->args = ps_pgc_keep(&db->strings, args, o->arg_count * sizeof(args[0]));
    return o->args ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for names");
}

ps_oid ps_pgc_object_arg(const struct ps_pgc_object *o, uint32_t i)
{
    ps_oid arg;

    memcpy(&arg, o->args + i * sizeof(arg), sizeof(arg));
    return arg;
}

static ps_err add_row(void *ctx, const struct ps_pgc_row *row)
{
    struct reading *r = ctx;
    struct ps_pgc_object *o;
    const char *name;
    ps_err err = ps_pgc_keep_name(r->db, row, NAME, &name);

    if (!err)
        err = add_object(&r->db->names->classes[r->which].list, ps_pgc_oid(row, OID), row->sure,
                         ps_pgc_oid(row, SCHEMA), name, &o);
    return err ? err : set_args(r->db, row, r->which, o);
}

/* --- relations and types, which are there already ----------------------------------------- */

static ps_err add_relations(const struct ps_pgc_db *db, struct ps_pgc_list *l)
{
    const struct ps_pgc_relation *rel;
    struct ps_pgc_object *o;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < db->relations.count; i++) {
        rel = ps_pgc_list_at(&db->relations, i);
        err = add_object(l, rel->key.a, true, rel->schema, rel->pub.name, &o);
    }
    return err;
}

static ps_err add_types(const struct ps_pgc_db *db, struct ps_pgc_list *l)
{
    const struct ps_pgc_type *type;
    struct ps_pgc_object *o;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < db->types.count; i++) {
        type = ps_pgc_list_at(&db->types, i);
        err = add_object(l, type->key.a, true, type->pub.schema, type->pub.name, &o);
    }
    return err;
}

/* --- all of it ---------------------------------------------------------------------------- */

static int compare_names(const void *x, const void *y)
{
    const struct ps_pgc_object *const *a = x, *const *b = y;
    int order = strcmp((*a)->name, (*b)->name);

    return order ? order : ((*a)->key.a < (*b)->key.a ? -1 : (*a)->key.a > (*b)->key.a);
}

static ps_err index_by_name(struct ps_pgc_objects *objects)
{
    uint32_t i;

    ps_pgc_list_settle(&objects->list);
    objects->by_name = calloc(objects->list.count + 1u, sizeof(const struct ps_pgc_object *));
    if (!objects->by_name)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u names", objects->list.count);
    for (i = 0; i < objects->list.count; i++)
        objects->by_name[i] = ps_pgc_list_at(&objects->list, i);
    qsort(objects->by_name, objects->list.count, sizeof(*objects->by_name), compare_names);
    return PS_OK;
}

static ps_err load_class(struct ps_pgc_db *db, enum ps_pgc_class which)
{
    struct ps_pgc_objects *objects = &db->names->classes[which];
    struct reading r = {.db = db, .which = which};
    ps_err err;

    if (which == PS_PGC_RELATIONS)
        err = add_relations(db, &objects->list);
    else if (which == PS_PGC_TYPES)
        err = add_types(db, &objects->list);
    else
        err = ps_pgc_optional(ps_pgc_read(db, &specs[which], add_row, &r, NULL));
    return err ? err : index_by_name(objects);
}

static ps_err load(struct ps_pgc_db *db)
{
    unsigned which;
    ps_err err;

    db->names = calloc(1, sizeof(*db->names));
    if (!db->names)
        return ps_fail(PS_ERR_NOMEM, "no memory for names");
    db->names->schema_public = ps_pgc_schema_named(db, "public");
    if (db->names->schema_public == 0)
        db->names->schema_public = PS_PGC_SCHEMA_PUBLIC;
    err = ps_pgc_read_named(db, &role_spec, &db->names->roles);
    for (which = 0; !err && which < PS_PGC_CLASSES; which++)
        err = load_class(db, (enum ps_pgc_class)which);
    return err;
}

const struct ps_pgc_names *ps_pgc_names(struct ps_pgc_db *db)
{
    if (db->names_loaded)
        return db->names;
    ps_mutex_lock(&db->catalog->load_mtx);
    if (!db->names_loaded) {
        if (load(db)) {
            ps_pg_note(db->catalog->cluster, "%s: names cannot be read: %s", db->dir, ps_message());
            ps_pgc_names_free(db->names);
            db->names = NULL;
        }
        db->names_loaded = true;
    }
    ps_mutex_unlock(&db->catalog->load_mtx);
    return db->names;
}

void ps_pgc_names_free(struct ps_pgc_names *names)
{
    unsigned which;

    if (!names)
        return;
    for (which = 0; which < PS_PGC_CLASSES; which++) {
        ps_pgc_list_deinit(&names->classes[which].list);
        free(names->classes[which].by_name);
    }
    ps_pgc_list_deinit(&names->roles);
    free(names);
}

/* --- search_path -------------------------------------------------------------------------- */

static bool same_args(const struct ps_pgc_object *x, const struct ps_pgc_object *y)
{
    return x->arg_count == y->arg_count &&
           (x->arg_count == 0 || memcmp(x->args, y->args, x->arg_count * sizeof(ps_oid)) == 0);
}

/* Index of the first object of that name. */
static uint32_t first_named(const struct ps_pgc_objects *objects, const char *name)
{
    uint32_t low = 0, high = objects->list.count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (strcmp(objects->by_name[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool ps_pgc_is_visible(const struct ps_pgc_names *names, enum ps_pgc_class which,
                       const struct ps_pgc_object *o)
{
    const struct ps_pgc_objects *objects = &names->classes[which];
    const struct ps_pgc_object *other;
    uint32_t i;

    if (o->schema != names->schema_public)
        return o->schema == PS_PGC_SCHEMA_CATALOG;
    for (i = first_named(objects, o->name); i < objects->list.count; i++) {
        other = objects->by_name[i];
        if (strcmp(other->name, o->name) != 0)
            break;
        if (other->schema == PS_PGC_SCHEMA_CATALOG && same_args(other, o))
            return false;
    }
    return true;
}

bool ps_pgc_is_only(const struct ps_pgc_names *names, enum ps_pgc_class which,
                    const struct ps_pgc_object *o)
{
    const struct ps_pgc_objects *objects = &names->classes[which];
    uint32_t i;

    for (i = first_named(objects, o->name); i < objects->list.count; i++) {
        if (strcmp(objects->by_name[i]->name, o->name) != 0)
            break;
        if (objects->by_name[i] != o && ps_pgc_is_visible(names, which, objects->by_name[i]))
            return false;
    }
    return ps_pgc_is_visible(names, which, o);
}
