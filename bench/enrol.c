/* Devices that enrol by claim, each with two TLS connections of its own: one as the claim, one as itself.

   enrol PORT CA CLAIM-CERT CLAIM-KEY PID name=value ...      PID: the server's, whose CPU time is taken
     template= prefix= first= count=     the template, and the names of the devices: prefix and number
     parallel=                           so many are on their way at any time
     csr=0                               have the cloud make the key pair
     hold=0                              let the first own connection go when it is open, else they stay until the end

   As the claim: CONNECT, SUBSCRIBE to the answers, a request for a certificate, SUBSCRIBE, the request to be provisioned,
   DISCONNECT, each when the step before was answered. As itself: CONNECT, and a PUBLISH that is acknowledged. Keys
   (P-256) and signing requests are made before; then it says that it is ready and waits for a line. Answers one line of
   JSON. Built by bench/load.py.
   Spec: MQTT 3.1.1; AWS IoT device provisioning MQTT API. */

#include "client.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define WITHIN_MS 20000

enum { CLAIM, ASKED, GIVEN, OWN, DONE };

typedef struct {
    client link; /* first: an event's pointer is both */
    int at;
    double begun, took;
    EVP_PKEY *key;
    X509 *certificate;
    char *request, *token;
} device;

static char template[64] = "fleet", prefix[64] = "device-", refusal[512];
static int first, count = 100, parallel = 32, csr = 1, hold = 1, over, refused;
static double *ended;

static void put_subscriptions(client *one, const char *topic) {
    char filter[256];
    put_packet(&one->out, 0x82, 2 + 2 * (2 + 1) + 2 * strlen(topic) + strlen("/accepted") + strlen("/rejected"));
    put(&one->out, "\0\1", 2);
    for (int at = 0; at < 2; at++) {
        snprintf(filter, sizeof filter, "%s/%s", topic, at ? "rejected" : "accepted");
        put_text(&one->out, filter);
        put(&one->out, "\1", 1);
    }
}

static void put_message(client *one, int number, const char *topic, const char *payload) {
    unsigned char id[2] = {0, number};
    put_packet(&one->out, 0x32, 2 + strlen(topic) + 2 + strlen(payload));
    put_text(&one->out, topic);
    put(&one->out, id, 2);
    put(&one->out, payload, strlen(payload));
}

static const char *asking(void) { return csr ? "$aws/certificates/create-from-csr/json" : "$aws/certificates/create/json"; }

static const char *provisioning(void) {
    static char topic[128];
    snprintf(topic, sizeof topic, "$aws/provisioning-templates/%s/provision/json", template);
    return topic;
}

/* Answer a member of the JSON, without what escapes its line ends; to be freed. */
static char *member(const unsigned char *json, size_t length, const char *name) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\"", name);
    const char *from = memmem(json, length, wanted, strlen(wanted)), *end = (const char *)json + length;
    if (!from) return NULL;
    from += strlen(wanted);
    while (from < end && *from != '"') from++;
    char *text = malloc(end - from + 1), *to = text;
    for (from++; from < end && *from != '"'; from++) *to++ = *from == '\\' && *++from == 'n' ? '\n' : *from;
    *to = 0;
    return text;
}

static void took_certificate(device *one, const unsigned char *json, size_t length) {
    char *pem = member(json, length, "certificatePem"), *key = csr ? NULL : member(json, length, "privateKey");
    one->token = member(json, length, "certificateOwnershipToken");
    if (!pem || !one->token) fail("no certificate in the answer");
    BIO *text = BIO_new_mem_buf(pem, -1);
    one->certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    BIO_free(text);
    if (key) {
        text = BIO_new_mem_buf(key, -1);
        one->key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
        BIO_free(text);
    }
    if (!one->certificate || !one->key) fail("a certificate or key that cannot be read");
    free(pem);
    free(key);
}

static void provision(device *one) {
    char payload[1024];
    snprintf(payload, sizeof payload, "{\"certificateOwnershipToken\": \"%s\", \"parameters\": {\"ThingName\": \"%s%d\"}}",
             one->token, prefix, one->link.number);
    put_message(&one->link, GIVEN, provisioning(), payload);
}

static void packet(client *link, int first, unsigned char *body, size_t length) {
    device *one = (device *)link;
    int kind = first >> 4;
    if (kind == 2) {
        if (body[1]) fail("not let in");
        link->stage = 3;
        if (one->at == CLAIM) put_subscriptions(link, asking());
        else put_message(link, OWN, "devices/hello", "{}");
    } else if (kind == 9) {
        if (body[2] > 2 || body[3] > 2) fail("may not subscribe");
        if (one->at == CLAIM) put_message(link, ASKED, asking(), csr ? one->request : "{}");
        else provision(one);
        one->at++;
    } else if (kind == 3) {
        size_t topic = body[0] << 8 | body[1], head = 2 + topic + (first & 6 ? 2 : 0);
        if (first & 6) {
            put(&link->out, "\x40\2", 2);
            put(&link->out, body + 2 + topic, 2);
        }
        if (memcmp(body + 2 + topic - 8, "accepted", 8)) {
            snprintf(refusal, sizeof refusal, "%.*s", (int)(length - head), (char *)body + head);
            refused++;
            one->at = DONE;
        } else if (one->at == ASKED) {
            took_certificate(one, body + head, length - head);
            put_subscriptions(link, provisioning());
        } else {
            one->at = OWN;
        }
    } else if (kind == 4 && body[1] == OWN) {
        one->at = DONE;
    }
}

static void start(device *one) {
    begin(&one->link);
    if (one->at == OWN && (SSL_use_certificate(one->link.ssl, one->certificate) != 1
                           || SSL_use_PrivateKey(one->link.ssl, one->key) != 1)) fail("an own certificate");
}

static void leave(device *one) {
    put(&one->link.out, "\xe0\0", 2);
    flush(&one->link);
    end(&one->link);
}

/* Go on with one device; the PUBACK on its own connection is its end. */
static void go_on(device *one) {
    int before = one->at;
    char name[80];
    snprintf(name, sizeof name, "%s%s", one->at == OWN ? "" : "claim-", prefix);
    if (one->link.stage < 3 ? advance(&one->link, name, 1) < 0 : !take(&one->link)) fail("the server closed a connection");
    if (before != OWN && one->at == OWN) {
        leave(one);
        start(one);
    } else if (before != DONE && one->at == DONE) {
        one->took = now() - one->begun;
        ended[over++] = now();
        if (!hold || before != OWN) leave(one);
    }
}

/* Make the key, and the request in the form of a JSON payload. */
static void prepare(device *one) {
    one->key = EVP_EC_gen("P-256");
    X509_REQ *request = X509_REQ_new();
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_ASC, (unsigned char *)"device", -1, -1, 0);
    X509_REQ_set_pubkey(request, one->key);
    BIO *text = BIO_new(BIO_s_mem());
    char *pem, *to;
    if (X509_REQ_sign(request, one->key, EVP_sha256()) <= 0 || PEM_write_bio_X509_REQ(text, request) != 1) fail("request");
    long length = BIO_get_mem_data(text, &pem);
    to = one->request = malloc(2 * length + 64);
    to += sprintf(to, "{\"certificateSigningRequest\": \"");
    for (long at = 0; at < length; at++)
        if (pem[at] == '\n') *to++ = '\\', *to++ = 'n';
        else *to++ = pem[at];
    strcpy(to, "\"}");
    BIO_free(text);
    X509_REQ_free(request);
}

static void enrol(device *devices) {
    struct epoll_event events[256];
    int begun = 0;
    double from = now(), cpu = server_cpu(), mine = own_cpu();
    while (over < count) {
        for (; begun < count && begun - over < parallel; begun++) {
            devices[begun].begun = now();
            start(&devices[begun]);
        }
        int ready = epoll_wait(epoll, events, 256, WITHIN_MS);
        if (ready <= 0) fail("nothing happened for a long time");
        for (int at = 0; at < ready; at++) {
            device *one = events[at].data.ptr;
            if (one->link.ssl && one->at != DONE) go_on(one);
        }
    }
    double took = now() - from, *each = malloc(count * sizeof *each);
    cpu = server_cpu() - cpu, mine = own_cpu() - mine;
    for (int at = 0; at < count; at++) each[at] = devices[at].took;
    qsort(each, count, sizeof *each, by_size);
    int tenth = count / 10;
    printf("{\"devices\": %d, \"refused\": %d, \"seconds\": %.6f, \"server_cpu\": %.6f, \"load_cpu\": %.6f, "
           "\"warm_rate\": %.2f, \"last_rate\": %.2f, \"median_s\": %.4f, \"p99_s\": %.4f, \"longest_s\": %.4f}\n",
           count, refused, took, cpu, mine, (count - 1 - tenth) / (ended[count - 1] - ended[tenth]),
           tenth / (ended[count - 1] - ended[count - 1 - tenth]), each[count / 2], each[count * 99 / 100], each[count - 1]);
    if (refused) fprintf(stderr, "%s\n", refusal);
}

static void set(const char *word) {
    struct { const char *name; int *value; } numbers[] = {
        {"first=", &first}, {"count=", &count}, {"parallel=", &parallel}, {"csr=", &csr}, {"hold=", &hold}};
    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++)
        if (!strncmp(word, numbers[at].name, strlen(numbers[at].name))) {
            *numbers[at].value = atoi(strchr(word, '=') + 1);
            return;
        }
    if (!strncmp(word, "template=", 9)) snprintf(template, sizeof template, "%s", word + 9);
    else if (!strncmp(word, "prefix=", 7)) snprintf(prefix, sizeof prefix, "%s", word + 7);
    else fprintf(stderr, "enrol: what is %s?\n", word), exit(2);
}

int main(int words, char **word) {
    if (words < 6) return fprintf(stderr, "enrol PORT CA CLAIM-CERT CLAIM-KEY PID name=value ...\n"), 2;
    port = atoi(word[1]);
    server = atoi(word[5]);
    for (int at = 6; at < words; at++) set(word[at]);
    get_ready(word[2], word[3], word[4]);
    device *devices = calloc(count, sizeof *devices);
    ended = calloc(count + 1, sizeof *ended);
    for (int at = 0; at < count; at++) {
        devices[at].link.number = first + at;
        if (csr) prepare(&devices[at]);
    }
    printf("{\"ready\": %d}\n", count);
    fflush(stdout);
    if (getchar() != EOF) enrol(devices);
    return 0;
}
