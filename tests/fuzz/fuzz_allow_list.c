/* fuzz_allow_list - any bytes as an allow list and as a file of keys: each is read, or refused with
 * one line; every entry that counts has a key that is one, a name and a kind, and is found. */
#include <assert.h>
#include <string.h>

#include "actors/runtime/allow_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct bytes text)
{
    char reason[ALLOW_REASON_BYTES] = "";
    struct allow_list *list = allow_list_read(text, "allow", reason);
    assert((list == NULL) == (reason[0] != '\0'));
    for (uint32_t i = 0; list != NULL && i < allow_list_count(list); i++) {
        const struct allowed *one = allow_list_at(list, i);
        assert(curve_key_is_sound(bytes_of(one->key)));
        assert(one->name[0] != '\0' && strlen(one->name) <= NAME_BYTES_MAX);
        assert(one->kind < KEY_KIND_COUNT);
        assert(one->kind == KEY_WORKER || one->classes != 0);
        assert(allow_list_find(list, bytes_of(one->key)) == one);
        (void)allow_names(one->tenants, bytes_of(one->name));
        (void)allow_names(one->methods, text);
    }
    allow_list_destroy(&list);
}

/* What is read as a pair is written and read as the same. */
static void check_keys(struct bytes text)
{
    char again[CURVE_FILE_BYTES_MAX];
    struct curve_pair pair, read;
    struct curve_servers servers;
    if (curve_servers_read(text, &servers))
        assert(servers.count >= 1 && servers.count <= CURVE_SERVER_KEYS_MAX);
    if (!curve_pair_read(text, &pair))
        return;
    size_t size = curve_pair_write(&pair, "again", pair.secret_key[0] != '\0', again);
    bool good = curve_pair_read((struct bytes){again, size}, &read);
    assert(good);
    assert(memcmp(&read, &pair, sizeof pair) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    check_list(text);
    check_keys(text);
    return 0;
}
