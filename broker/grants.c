/* grants - see grants.h. A driver's requests are made on behalf of others, who were asked: its
 * children have the class and the tenant of what they are part of. */
#include "broker/grants.h"

static bool has_bit(uint32_t bits, uint32_t number)
{
    return number < 32 && (bits >> number & 1) != 0;
}

const char *grants_refuse_hello(const struct allowed *self, bool is_backend, uint32_t role)
{
    if (self == NULL)
        return NULL;
    if (self->kind != KEY_WORKER)
        return is_backend ? "this key is no worker's: worker in the allow list" : NULL;
    return allowed_serves(self, role)
               ? NULL
               : "this key may not greet as this role: roles= in the allow list";
}

const char *grants_refuse_request(const struct allowed *self, const struct header *header)
{
    if (self == NULL || allowed_serves(self, ROLE_DRIVER))
        return NULL;
    if (self->kind == KEY_WORKER)
        return "of workers only drivers ask: roles= in the allow list, or a key of its own";
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
    if (!allowed_serves(self, role))
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
    return self == NULL || self->admin || allowed_serves(self, ROLE_TOOL_EXECUTOR) ||
                   allowed_serves(self, ROLE_ARCADE_GATEWAY)
               ? NULL
               : "that is for operators, and workers with the role tool_executor or arcade_gateway";
}
