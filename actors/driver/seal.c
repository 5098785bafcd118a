/* seal - see seal.h. The field is four marks and a hash, little-endian; it stands last, so the hash
 * is over all but itself. */
#include "actors/driver/seal.h"

#include <assert.h>
#include <endian.h>
#include <string.h>
#include <xxhash.h>

#define KEY_HEAD "\xa4seal\xc4\x18" /* the key, and the head of a blob of SEAL_BYTES */
#define KEY_HEAD_BYTES (sizeof KEY_HEAD - 1)
#define HASH_BYTES sizeof(uint64_t)
#define SOURCES_KEY_BYTES sizeof "sources" /* with its tag */
#define HEAD_BYTES 1u                      /* of a map of so few */

enum mark { SOURCES_AT, SOURCES_END, AS_OF_END, SAID_PAIRS, MARK_COUNT };
_Static_assert(MARK_COUNT * sizeof(uint32_t) + HASH_BYTES == SEAL_BYTES, "marks and a hash");
_Static_assert(SEAL_BYTES == 0x18, "as the head says");

static uint64_t hash_of(const char *kept, size_t size)
{
    return htole64(XXH3_64bits(kept, size - HASH_BYTES));
}

void seal_close(char *kept, size_t size)
{
    struct msg_kept message;
    enum status status = message_decode(MSG_KEPT, (struct bytes){kept, size}, &message);
    assert(status == STATUS_OK);
    assert(message.seal.size == SEAL_BYTES);
    assert(message.seal.data + SEAL_BYTES == kept + size);
    size_t sources_at = (size_t)(message.sources.data - kept);
    struct cursor cursor = cursor_over((struct bytes){message.sources.data, size - sources_at});
    uint32_t marks[MARK_COUNT] = {
        [SOURCES_AT] = (uint32_t)sources_at, [SAID_PAIRS] = message.text.data != NULL ? 2 : 1};
    cursor_skip(&cursor);
    marks[SOURCES_END] = (uint32_t)(cursor.at - kept);
    cursor_skip(&cursor);
    cursor_skip(&cursor);
    marks[AS_OF_END] = (uint32_t)(cursor.at - kept);
    for (unsigned i = 0; i < MARK_COUNT; i++)
        marks[i] = htole32(marks[i]);
    memcpy(kept + size - SEAL_BYTES, marks, sizeof marks);
    uint64_t hash = hash_of(kept, size);
    memcpy(kept + size - HASH_BYTES, &hash, sizeof hash);
}

bool seal_open(struct bytes kept, struct sealed *ret)
{
    uint32_t marks[MARK_COUNT];
    uint64_t hash;
    if (kept.size < HEAD_BYTES + KEY_HEAD_BYTES + SEAL_BYTES || kept.size > PAIR_BODY_BYTES_MAX)
        return false;
    size_t end = kept.size - SEAL_BYTES - KEY_HEAD_BYTES;
    memcpy(&hash, kept.data + kept.size - HASH_BYTES, sizeof hash);
    if (memcmp(kept.data + end, KEY_HEAD, KEY_HEAD_BYTES) != 0 ||
        hash != hash_of(kept.data, kept.size))
        return false;
    memcpy(marks, kept.data + kept.size - SEAL_BYTES, sizeof marks);
    for (unsigned i = 0; i < MARK_COUNT; i++)
        marks[i] = le32toh(marks[i]);
    if (marks[SOURCES_AT] <= HEAD_BYTES + SOURCES_KEY_BYTES ||
        marks[SOURCES_END] <= marks[SOURCES_AT] || marks[AS_OF_END] <= marks[SOURCES_END] ||
        marks[AS_OF_END] > end || marks[SAID_PAIRS] < 1 || marks[SAID_PAIRS] > 2)
        return false;
    size_t said_bytes = marks[SOURCES_AT] - SOURCES_KEY_BYTES - HEAD_BYTES;
    *ret = (struct sealed){
        .said = {kept.data + HEAD_BYTES, said_bytes},
        .said_pairs = marks[SAID_PAIRS],
        .sources = {kept.data + marks[SOURCES_AT], marks[SOURCES_END] - marks[SOURCES_AT]},
        .as_of = {kept.data + marks[SOURCES_END], marks[AS_OF_END] - marks[SOURCES_END]}};
    return true;
}
