#include "pg/damage_glance.h"

/* Each is compared with what others took. */
bool ps_glance_none_shares(const struct ps_pg_view *v)
{
    struct ps_taken taken;

    memset(taken.bits, 0, (v->size / PS_ITEM_ALIGN + 63u) / 64u * sizeof(taken.bits[0]));
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        const struct ps_lp lp = ps_pg_view_lp(v, slot);

        if (ps_lp_has_storage(&lp) && !ps_take(&taken, lp.off, lp.len))
            return false;
    }
    return true;
}
