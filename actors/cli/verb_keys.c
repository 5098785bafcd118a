/* verb_keys - keys generate, show, rotate: pairs of CURVE as files NAME.secret, which only its
 * owner may read, and NAME.public, which goes to whoever is to know this key. A secret key is
 * written to its file and nowhere else. Whatever cuts it off: the files are the old ones or the
 * new ones, and whole. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"
#include "actors/files/file_text.h"
#include "protocol/curve_key.h"

#define PATH_BYTES 4096u
#define DIRECTORY_DEFAULT "./keys"
#define NAME_DEFAULT "fact"
#define SECRET_MODE 0600
#define PUBLIC_MODE 0644
#define DIRECTORY_MODE 0700
#define SHOWN_MAX 1024u
#define S_PER_DAY (INT64_C(24) * 3600)
#define DAYS_MAX 90 /* a key older than that is to be changed. source: docs/operations.md */

/* Where a pair stands, and is to stand. */
struct place {
    FILE *err;
    const char *directory, *name;
    char secret[PATH_BYTES], public[PATH_BYTES];
};

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("_-.", *at) == NULL)
            return false;
    return size > 0 && size <= NAME_BYTES_MAX && name[0] != '.';
}

/* False: told why. */
static bool place_init(struct place *self, const struct invocation *invocation)
{
    const char *directory = invocation->options[CLI_DIR].text;
    const char *name = invocation->options[CLI_NAME].text;
    self->err = invocation->err;
    self->directory = directory != NULL ? directory : DIRECTORY_DEFAULT;
    self->name = name != NULL ? name : NAME_DEFAULT;
    if (!is_name(self->name)) {
        fprintf(self->err, "fact: --name %s: letters, digits, _ - and . only, no . at first\n",
                self->name);
        return false;
    }
    snprintf(self->secret, sizeof self->secret, "%s/%s.secret", self->directory, self->name);
    snprintf(self->public, sizeof self->public, "%s/%s.public", self->directory, self->name);
    return true;
}

static bool tell_errno(const struct place *self, const char *path)
{
    fprintf(self->err, "fact: %s: %s\n", path, strerror(errno));
    return false;
}

/* Beside its place, on the disk, with its mode before it has its bytes.
 *
 * ret_aside  PATH_BYTES */
static bool write_aside(const char *path, mode_t mode, struct bytes text, char *ret_aside)
{
    snprintf(ret_aside, PATH_BYTES, "%.4000s.new", path);
    (void)unlink(ret_aside); /* of one that was cut off */
    int file = open(ret_aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0)
        return false;
    bool good = fchmod(file, mode) == 0;
    ssize_t written = good ? write(file, text.data, text.size) : -1;
    if (written >= 0 && written < (ssize_t)text.size)
        errno = ENOSPC; /* as the next byte would say */
    good = written == (ssize_t)text.size && fsync(file) == 0;
    int error = errno;
    close(file);
    errno = error;
    return good;
}

/* A whole file or none, whatever happens meanwhile.
 *
 * replaces  false: nothing may be there yet */
static bool put_file(const struct place *self, const char *path, mode_t mode, struct bytes text,
                     bool replaces)
{
    char aside[PATH_BYTES];
    bool good = write_aside(path, mode, text, aside) &&
                (replaces ? rename(aside, path) : link(aside, path)) == 0;
    int error = errno;
    (void)unlink(aside);
    errno = error;
    return good || tell_errno(self, path);
}

/* The names, too, are on the disk. */
static bool sync_directory(const struct place *self)
{
    int directory = open(self->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = directory >= 0 && fsync(directory) == 0;
    int error = errno;
    if (directory >= 0)
        close(directory);
    errno = error;
    return good || tell_errno(self, self->directory);
}

static void make_comment(const struct place *self, const char *id, const char *what, char *out,
                         size_t size)
{
    char day[16];
    time_t now = time(NULL);
    struct tm utc;
    strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&now, &utc));
    snprintf(out, size, "CURVE key %s of %s, made %s: %s", id, self->name, day, what);
}

static bool put_secret(const struct place *self, const struct curve_pair *pair, bool replaces)
{
    char id[CURVE_KEY_ID_BYTES + 1], comment[256], text[CURVE_FILE_BYTES_MAX];
    curve_key_id(pair->public_key, id);
    make_comment(self, id, "its owner's alone", comment, sizeof comment);
    size_t size = curve_pair_write(pair, comment, true, text);
    bool good = put_file(self, self->secret, SECRET_MODE, (struct bytes){text, size}, replaces);
    explicit_bzero(text, sizeof text);
    return good;
}

/* before: public keys that the file holds too, behind the new one; NULL: nothing may be there yet
 */
static bool put_public(const struct place *self, const struct curve_pair *pair,
                       const struct curve_servers *before)
{
    char id[CURVE_KEY_ID_BYTES + 1], comment[256], text[CURVE_FILE_BYTES_MAX];
    curve_key_id(pair->public_key, id);
    make_comment(self, id, "public", comment, sizeof comment);
    size_t size = curve_pair_write(pair, comment, false, text);
    for (uint32_t i = 0; before != NULL && i < before->count && i + 1 < CURVE_SERVER_KEYS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "    # until it is not used any more:\n"
                                 "    public-key = \"%s\"\n",
                                 before->keys[i]);
    return put_file(self, self->public, PUBLIC_MODE, (struct bytes){text, size}, before != NULL);
}

static bool make_pair(const struct place *self, struct curve_pair *ret)
{
    if (zmq_curve_keypair(ret->public_key, ret->secret_key) == 0)
        return true;
    fprintf(self->err, "fact: this libzmq has no CURVE: %s\n", zmq_strerror(errno));
    return false;
}

static void print_made(const struct invocation *invocation, const struct place *self,
                       const struct curve_pair *pair, const char *old_id)
{
    char id[CURVE_KEY_ID_BYTES + 1], line[2 * NAME_BYTES_MAX + CURVE_KEY_BYTES];
    struct document document;
    curve_key_id(pair->public_key, id);
    snprintf(line, sizeof line, "client %s %s", self->name, pair->public_key);
    document_init(&document);
    writer_map(&document.writer, 7);
    put_text(&document.writer, "name", bytes_of(self->name));
    put_text(&document.writer, "id", bytes_of(id));
    put_text(&document.writer, "old_id", bytes_of(old_id));
    put_text(&document.writer, "public_key", bytes_of(pair->public_key));
    put_text(&document.writer, "secret_file", bytes_of(self->secret));
    put_text(&document.writer, "public_file", bytes_of(self->public));
    put_text(&document.writer, "allow_line", bytes_of(line));
    verb_print_map(invocation, &document);
}

enum exit_code verb_keys_generate(const struct invocation *invocation)
{
    struct place place;
    struct curve_pair pair = {.public_key = ""};
    if (!place_init(&place, invocation))
        return CODE_USAGE;
    if (mkdir(place.directory, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        (void)tell_errno(&place, place.directory);
        return CODE_FAILED;
    }
    if (access(place.secret, F_OK) == 0) {
        fprintf(place.err, "fact: %s is there: a new one beside it is fact keys rotate --name %s\n",
                place.secret, place.name);
        return CODE_REFUSED;
    }
    if (access(place.public, F_OK) == 0) {
        fprintf(place.err,
                "fact: %s is there, without its secret: another's? Take it away, or use "
                "another --name\n",
                place.public);
        return CODE_REFUSED;
    }
    bool good = make_pair(&place, &pair) && put_secret(&place, &pair, false) &&
                put_public(&place, &pair, NULL) && sync_directory(&place);
    if (good)
        print_made(invocation, &place, &pair, NULL);
    curve_pair_wipe(&pair);
    return good ? CODE_OK : CODE_FAILED;
}

/* The files of the old key get a second name, with its id. */
static bool keep_old(const struct place *self, const char *old_id)
{
    char secret[PATH_BYTES], public[PATH_BYTES];
    snprintf(secret, sizeof secret, "%s/%s.%s.secret", self->directory, self->name, old_id);
    snprintf(public, sizeof public, "%s/%s.%s.public", self->directory, self->name, old_id);
    if (link(self->secret, secret) != 0 && errno != EEXIST)
        return tell_errno(self, secret);
    if (link(self->public, public) != 0 && errno != EEXIST && errno != ENOENT)
        return tell_errno(self, public);
    return true;
}

enum exit_code verb_keys_rotate(const struct invocation *invocation)
{
    struct place place;
    struct bytes text;
    struct curve_pair pair = {.public_key = ""};
    struct curve_servers before;
    char room[CURVE_FILE_BYTES_MAX], old_id[CURVE_KEY_ID_BYTES + 1];
    if (!place_init(&place, invocation))
        return CODE_USAGE;
    if (!file_text_read(place.secret, FILE_TEXT_ANY, room, sizeof room, &text)) {
        (void)tell_errno(&place, place.secret);
        return CODE_INVALID;
    }
    bool good = curve_servers_read(text, &before);
    explicit_bzero(room, sizeof room);
    if (!good) {
        fprintf(place.err, "fact: %s holds no key\n", place.secret);
        return CODE_INVALID;
    }
    curve_key_id(before.keys[0], old_id);
    /* The public file first: whoever has both keys finds the server with either. */
    good = make_pair(&place, &pair) && keep_old(&place, old_id) &&
           put_public(&place, &pair, &before) && put_secret(&place, &pair, true) &&
           sync_directory(&place);
    if (good)
        print_made(invocation, &place, &pair, old_id);
    curve_pair_wipe(&pair);
    return good ? CODE_OK : CODE_FAILED;
}

/* One row, if the file of this name holds a public key. */
static bool show_one(const struct place *self, const char *file, struct writer *writer)
{
    static const char suffix[] = ".public";
    char path[PATH_BYTES], room[CURVE_FILE_BYTES_MAX], id[CURVE_KEY_ID_BYTES + 1];
    struct bytes text;
    struct curve_servers keys;
    struct stat status;
    size_t size = strlen(file);
    if (size < sizeof suffix || strcmp(file + size - (sizeof suffix - 1), suffix) != 0)
        return false;
    size -= sizeof suffix - 1;
    snprintf(path, sizeof path, "%s/%.200s", self->directory, file);
    if (stat(path, &status) != 0 ||
        !file_text_read(path, FILE_TEXT_ANY, room, sizeof room, &text) ||
        !curve_servers_read(text, &keys))
        return false;
    curve_key_id(keys.keys[0], id);
    int64_t days = (time(NULL) - status.st_mtime) / S_PER_DAY;
    snprintf(path, sizeof path, "%s/%.*s.secret", self->directory, (int)size, file);
    writer_map(writer, 6);
    put_text(writer, "name", (struct bytes){file, size});
    put_text(writer, "id", bytes_of(id));
    put_text(writer, "public_key", bytes_of(keys.keys[0]));
    put_u64(writer, "days", days < 0 ? 0 : (uint64_t)days);
    put_bool(writer, "due", days >= DAYS_MAX);
    put_bool(writer, "has_secret", access(path, F_OK) == 0);
    return true;
}

/* In the order of their names; --name shows that one alone. */
static uint32_t show_all(const struct place *self, bool one, struct writer *rows)
{
    struct dirent **entries = NULL;
    char only[NAME_BYTES_MAX + sizeof ".public"];
    uint32_t count = 0;
    snprintf(only, sizeof only, "%s.public", self->name);
    int found = scandir(self->directory, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        bool wanted = !one || strcmp(entries[i]->d_name, only) == 0;
        if (wanted && count < SHOWN_MAX)
            count += show_one(self, entries[i]->d_name, rows);
        free(entries[i]);
    }
    free((void *)entries);
    return count;
}

enum exit_code verb_keys_show(const struct invocation *invocation)
{
    static const struct column columns[] = {
        {"NAME", "name", CELL_PLAIN},       {"ID", "id", CELL_PLAIN},
        {"DAYS", "days", CELL_PLAIN},       {"DUE", "due", CELL_YES},
        {"SECRET", "has_secret", CELL_YES}, {"PUBLIC KEY", "public_key", CELL_PLAIN}};
    struct place place;
    struct document rows, document;
    if (!place_init(&place, invocation))
        return CODE_USAGE;
    document_init(&rows);
    uint32_t count = show_all(&place, invocation->options[CLI_NAME].text != NULL, &rows.writer);
    document_init(&document);
    writer_array(&document.writer, count);
    if (count > 0)
        writer_raw(&document.writer, document_value(&rows));
    else
        fprintf(place.err, "fact: no keys in %s; fact keys generate makes some\n", place.directory);
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(document_value(&document), invocation->out);
        fputc('\n', invocation->out);
    } else {
        table_print(document_value(&document), columns, sizeof columns / sizeof columns[0],
                    invocation->out);
    }
    document_fini(&document);
    document_fini(&rows);
    return count > 0 ? CODE_OK : CODE_INVALID;
}
