/* ask QUESTION [ENDPOINT] - put one question to FACT, and print its answer. */
#include <fact.h>
#include <protocol/message.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct fact_options options = {.endpoints = argc > 2 ? argv[2] : "tcp://127.0.0.1:5550"};
    struct fact *fact = argc > 1 ? fact_open(&options) : NULL;
    if (fact == NULL) {
        fputs("usage: ask QUESTION [ENDPOINT]\n", stderr);
        return 3;
    }
    char bytes[8192];
    struct msg_query query = {.question = bytes_of(argv[1])};
    struct fact_request request = FACT_REQUEST; /* class 1, 5 s; see fact.h */
    request.method = bytes_of("query");
    request.flags = FLAG_IDEMPOTENT; /* if a worker dies, another may do it */
    struct fact_reply reply;
    struct msg_answer answer;
    enum status status = message_encode(MSG_QUERY, &query, bytes, sizeof bytes, &request.body);
    if (status == STATUS_OK)
        status = fact_call(fact, &request, &reply);
    if (status == STATUS_OK)
        status = message_decode(MSG_ANSWER, reply.body, &answer);
    if (status == STATUS_OK)
        printf("%.*s: %.*s\n", (int)answer.outcome.size, answer.outcome.data, (int)answer.text.size,
               answer.text.data == NULL ? "" : answer.text.data);
    else
        fprintf(stderr, "%s: %s\n", statuses[status].name, statuses[status].text);
    fact_destroy(&fact);
    return status == STATUS_OK ? 0 : 1;
}
