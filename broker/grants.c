/* grants - see grants.h. A worker's requests are made on behalf of others, who were asked: the
 * driver's children have the class and the tenant of what they are part of. */
#include "broker/grants.h"

static bool has_bit(uint32_t bits, uint32_t number)
{
    return number < 32 && (bits >> number & 1) != 0;
}

const char *grants_refuse_request(const struct allowed *self, const struct header *header)
{
    if (self == NULL || self->kind == KEY_WORKER)
        return NULL;
    if (!has_bit(self->roles, header->role))
        return "this key may not ask this role: roles= in the allow list";
    if (!has_bit(self->classes, header->class))
        return "this key has no grant for this class: classes= in the allow list";
    if (!allow_names(self->tenants, header->tenant))
        return "this key may not ask for this tenant, or must name one: tenants= in the allow list";
    if (!allow_names(self->methods, header->method))
        return "this key may not ask for this method: methods= in the allow list";
    return NULL;
}

const char *grants_refuse_ready(const struct allowed *self, enum role role, struct bytes curve_key)
{
    if (self == NULL)
        return NULL;
    if (self->kind != KEY_WORKER || !has_bit(self->roles, role))
        return "this key may not serve this role: roles= in the allow list";
    if (curve_key.data != NULL && !bytes_are(curve_key, self->key))
        return "it has connected with another key than it names";
    return NULL;
}

const char *grants_refuse_order(const struct allowed *self)
{
    return self == NULL || self->admin ? NULL
                                       : "that is for operators: operator, or a client with admin, "
                                         "in the allow list";
}

const char *grants_refuse_invalidate(const struct allowed *self)
{
    return self == NULL || self->admin || self->kind == KEY_WORKER
               ? NULL
               : "that is for workers and operators";
}
