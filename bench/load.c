/* The load on an MQTT server over mutual TLS: one thread, one epoll, so that the server is what gets measured.

   load PORT CA CERT KEY PID MODE name=value ...      PID: the server's, whose CPU time is taken over the same interval
     run      publishers= subscribers= qos= window= kept=1 own=1 paced= seconds=    messages through the server
     connect  parallel= seconds=                       connections: TCP, full handshake, CONNECT, CONNACK, DISCONNECT
     idle     count= size= once=1                      connections that have said something, held until stdin ends
     probe    every_ms=                                QoS 1 round trips of one client, until stdin ends
     storm    count= every_ms=                         clients that all drop and come back, until stdin ends

   Each message carries its publisher's number, so that a publisher goes on when its own message has arrived (paced=1)
   or was acknowledged (QoS 1); paced=0 at QoS 0 sends as fast as the socket takes it. Answers one line of JSON.
   Built by bench/load.py.
   Spec: MQTT 3.1.1. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ 65536
#define WARM_S 0.4

typedef struct {
    unsigned char *at;
    size_t length, room;
} bytes;

typedef struct {
    int fd, number, publishes, stage;   /* stage: 0 connecting, 1 handshaking, 2 waiting for CONNACK, 3 open */
    long under_way;                     /* published and not yet paid back */
    int next_id, stuck, due;            /* due: somebody paid back in this wake-up */
    bytes in, out;
    SSL *ssl;
    char topic[48];
} client;

static SSL_CTX *context;
static int port, server, epoll;
static int publishers = 1, subscribers = 1, qos, window = 8, kept, own, paced, parallel = 16, count = 200, every_ms = 10;
static int size = 62, once;
static double seconds = 3;
static client *clients, **due;
static int dues;
static long delivered, acked;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double clock_of(clockid_t id) {
    struct timespec at;
    clock_gettime(id, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

static double server_cpu(void) {
    clockid_t id;
    return server && clock_getcpuclockid(server, &id) == 0 ? clock_of(id) : 0;
}

static double own_cpu(void) { return clock_of(CLOCK_PROCESS_CPUTIME_ID); }

static void put(bytes *to, const void *what, size_t length) {
    if (to->length + length > to->room) {
        to->room = (to->length + length) * 2;
        to->at = realloc(to->at, to->room);
    }
    memcpy(to->at + to->length, what, length);
    to->length += length;
}

static void put_packet(bytes *to, int first, size_t length) {
    unsigned char head[5] = {first};
    int at = 1;
    do {
        head[at] = length & 127;
        length >>= 7;
        head[at++] |= length ? 128 : 0;
    } while (length);
    put(to, head, at);
}

static void put_text(bytes *to, const char *text) {
    size_t length = strlen(text);
    unsigned char prefix[2] = {length >> 8, length};
    put(to, prefix, 2);
    put(to, text, length);
}

static void put_connect(client *one, int clean, const char *prefix) {
    char name[32];
    snprintf(name, sizeof name, "%s%d", prefix, one->number);
    put_packet(&one->out, 0x10, 12 + strlen(name));
    put(&one->out, "\0\4MQTT\4", 7);
    unsigned char flags[3] = {clean ? 2 : 0, 1200 >> 8, 1200 & 255};
    put(&one->out, flags, 3);
    put_text(&one->out, name);
}

static void put_subscribe(client *one, const char *filter) {
    unsigned char asked = qos;
    put_packet(&one->out, 0x82, 2 + 2 + strlen(filter) + 1);
    put(&one->out, "\0\1", 2);
    put_text(&one->out, filter);
    put(&one->out, &asked, 1);
}

static void put_publish(client *one) {
    static unsigned char *payload;
    if (!payload) {
        payload = malloc(size + 1);
        for (int at = 0; at < size; at++)
            payload[at] = "{\"signal\":-71.5,\"temperature\":41.2,\"fan\":true,\"at\":1795220000}"[at % 61];
    }
    char number[8];
    snprintf(number, sizeof number, "%06d", one->number);
    put_packet(&one->out, 0x30 | qos << 1, 2 + strlen(one->topic) + (qos ? 2 : 0) + size);
    put_text(&one->out, one->topic);
    if (qos) {
        one->next_id = one->next_id % 60000 + 1;
        unsigned char id[2] = {one->next_id >> 8, one->next_id};
        put(&one->out, id, 2);
    }
    put(&one->out, payload, size - 6);
    put(&one->out, number, 6);
}

static void flush(client *one) {
    while (one->out.length) {
        int wrote = SSL_write(one->ssl, one->out.at, one->out.length > 16384 ? 16384 : one->out.length);
        if (wrote <= 0) {
            int why = SSL_get_error(one->ssl, wrote);
            if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) fail("write");
            one->stuck = 1;
            return;
        }
        one->out.length -= wrote;
        memmove(one->out.at, one->out.at + wrote, one->out.length);
    }
    one->stuck = 0;
}

static void refill(client *one) {
    if (!one->publishes) return;
    if (!paced && !qos) {
        while (one->out.length < 32768) put_publish(one);
        flush(one);
        return;
    }
    long cost = qos || !subscribers ? 1 : own ? 1 : subscribers;
    int more = 0;
    while (one->under_way + cost <= window * cost) {
        put_publish(one);
        one->under_way += cost;
        more = 1;
    }
    if (more) flush(one);
}

static void pay(client *one) {
    one->under_way--;
    if (!one->due) {
        one->due = 1;
        due[dues++] = one;
    }
}

static void packet(client *one, int first, unsigned char *body, size_t length) {
    if (first >> 4 == 3) {
        delivered++;
        if (first & 6) {
            size_t topic = body[0] << 8 | body[1];
            put(&one->out, "\x40\2", 2);
            put(&one->out, body + 2 + topic, 2);
        } else if (paced) {
            int number = 0;
            for (size_t at = length - 6; at < length; at++) number = number * 10 + body[at] - '0';
            pay(&clients[number]);
        }
    } else if (first >> 4 == 4) {
        acked++;
        pay(one);
    } else if (first >> 4 == 2) {
        if (body[1]) fail("not let in");
        one->stage = 3;
    } else if (first >> 4 == 9) {
        if (body[2] > 2) fail("may not subscribe");
        one->stage = 4;
    }
}

/* Read all there is, write the answers; answer whether the peer is still there. */
static int take(client *one) {
    static unsigned char buffer[READ];
    int got;
    while ((got = SSL_read(one->ssl, buffer, sizeof buffer)) > 0) {
        unsigned char *data = buffer;
        size_t length = got, at = 0;
        if (one->in.length) {
            put(&one->in, buffer, got);
            data = one->in.at;
            length = one->in.length;
        }
        while (length - at >= 2) {
            size_t rest = 0, head = at + 1, shift = 0;
            while (head < length && data[head] & 128) rest |= (size_t)(data[head++] & 127) << shift, shift += 7;
            if (head >= length) break;
            rest |= (size_t)data[head++] << shift;
            if (head + rest > length) break;
            packet(one, data[at], data + head, rest);
            at = head + rest;
        }
        if (data == buffer) {
            put(&one->in, buffer + at, length - at);
        } else {
            one->in.length -= at;
            memmove(one->in.at, one->in.at + at, one->in.length);
        }
    }
    if (SSL_get_error(one->ssl, got) != SSL_ERROR_WANT_READ) return 0;
    if (one->out.length) flush(one);
    return 1;
}

static void watch(client *one, int how, unsigned events) {
    struct epoll_event wanted = {.events = events, .data.ptr = one};
    if (epoll_ctl(epoll, how, one->fd, &wanted)) fail("epoll");
}

static void begin(client *one) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->fd < 0) fail("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(one->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect");
    one->ssl = SSL_new(context);
    SSL_set_fd(one->ssl, one->fd);
    SSL_set_tlsext_host_name(one->ssl, "localhost");
    SSL_set_connect_state(one->ssl);
    one->stage = 0;
    one->in.length = one->out.length = 0;
    one->under_way = one->stuck = 0;
    watch(one, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void end(client *one) {
    SSL_free(one->ssl);
    close(one->fd);
    one->ssl = NULL;
}

/* Go on with handshake, CONNECT and CONNACK; answer 1 when open, -1 when the server closed it. */
static int advance(client *one, const char *prefix, int clean) {
    if (one->stage < 2) {
        int done = SSL_do_handshake(one->ssl);
        if (done <= 0) {
            int why = SSL_get_error(one->ssl, done);
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
        }
        one->stage = 2;
        put_connect(one, clean, prefix);
        flush(one);
        return 0;
    }
    return !take(one) ? -1 : one->stage >= 3;
}

static void open_all(int first, int last, const char *prefix, int clean) {
    struct epoll_event events[256];
    int begun = first, opened = first;
    while (opened < last) {
        while (begun < last && begun - opened < parallel) begin(&clients[begun++]);
        int ready = epoll_wait(epoll, events, 256, 20000);
        if (ready <= 0) fail("no answer to a CONNECT within 20 s");
        for (int at = 0; at < ready; at++) {
            client *one = events[at].data.ptr;
            if (one->stage >= 3) continue;
            int answer = advance(one, prefix, clean);
            if (answer < 0) fail("closed while connecting");
            opened += answer;
        }
    }
}

static void subscribe_all(int first, int last) {
    struct epoll_event events[256];
    int there = 0;
    for (int at = first; at < last; at++) {
        put_subscribe(&clients[at], clients[at].topic);
        flush(&clients[at]);
    }
    while (there < last - first) {
        int ready = epoll_wait(epoll, events, 256, 20000);
        if (ready <= 0) fail("no SUBACK within 20 s");
        for (int at = 0; at < ready; at++) {
            client *one = events[at].data.ptr;
            int before = one->stage;
            if (!take(one)) fail("closed while subscribing");
            there += one->stage == 4 && before == 3;
        }
    }
}

static void make_clients(int number) {
    clients = calloc(number, sizeof *clients);
    due = calloc(number, sizeof *due);
    for (int at = 0; at < number; at++) {
        clients[at].number = at;
        snprintf(clients[at].topic, sizeof clients[at].topic, own ? "bench/device-%06d/telemetry"
                                                                 : "bench/device-000001/telemetry", at);
    }
}

static void step(int wait_ms) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, wait_ms);
    for (int at = 0; at < ready; at++) {
        client *one = events[at].data.ptr;
        if (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !take(one)) fail("the server closed a connection");
        if (events[at].events & EPOLLOUT && one->stuck) {
            flush(one);
            if (!one->stuck) refill(one);
        }
    }
    for (int at = 0; at < dues; at++) {
        due[at]->due = 0;
        refill(due[at]);
    }
    dues = 0;
}

static void run(void) {
    int all = publishers + subscribers;
    make_clients(all);
    open_all(0, publishers, "p", 1);
    open_all(publishers, all, "s", !kept);
    if (subscribers) subscribe_all(publishers, all);
    double begun = now(), from = 0, cpu = 0, mine = 0;
    long d = 0, a = 0;
    for (int at = 0; at < publishers; at++) {
        clients[at].publishes = 1;
        refill(&clients[at]);
    }
    while (now() < begun + WARM_S + seconds) {
        if (!from && now() > begun + WARM_S) from = now(), cpu = server_cpu(), mine = own_cpu(), d = delivered, a = acked;
        if (!paced && !qos)
            for (int at = 0; at < publishers; at++)
                if (!clients[at].stuck) refill(&clients[at]);
        step(paced || qos ? 100 : 0);
    }
    double took = now() - from;
    printf("{\"delivered\": %ld, \"acked\": %ld, \"seconds\": %.6f, \"server_cpu\": %.6f, \"load_cpu\": %.6f}\n",
           delivered - d, acked - a, took, server_cpu() - cpu, own_cpu() - mine);
}

static void connects(void) {
    struct epoll_event events[256];
    double begun = now(), from = 0, cpu = 0, mine = 0;
    long there = 0, before = 0;
    make_clients(parallel);
    for (int at = 0; at < parallel; at++) begin(&clients[at]);
    while (now() < begun + WARM_S + seconds) {
        if (!from && now() > begun + WARM_S) from = now(), cpu = server_cpu(), mine = own_cpu(), before = there;
        int ready = epoll_wait(epoll, events, 256, 1000);
        for (int at = 0; at < ready; at++) {
            client *one = events[at].data.ptr;
            int answer = advance(one, "c", 1);
            if (answer < 0) fail("closed while connecting");
            if (!answer) continue;
            there++;
            put(&one->out, "\xe0\0", 2);
            flush(one);
            end(one);
            one->number += parallel;
            begin(one);
        }
    }
    double took = now() - from;
    printf("{\"connected\": %ld, \"seconds\": %.6f, \"server_cpu\": %.6f, \"load_cpu\": %.6f}\n", there - before, took,
           server_cpu() - cpu, own_cpu() - mine);
}

static int stdin_ended(void) {
    struct pollfd in = {.fd = 0, .events = POLLIN};
    char byte;
    return poll(&in, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

/* Each says something and hears it (or, once=1, says one large thing to nobody); then silence. */
static void idle(void) {
    own = 1;
    qos = once;
    publishers = subscribers = 1;
    make_clients(count);
    open_all(0, count, "i", 1);
    if (!once) subscribe_all(0, count);
    for (int at = 0; at < count; at += 100) {
        int last = at + 100 < count ? at + 100 : count;
        for (int each = at; each < last; each++) {
            put_publish(&clients[each]);
            flush(&clients[each]);
        }
        while ((once ? acked : delivered) < last) step(1000);
    }
    printf("{\"open\": %d}\n", count);
    fflush(stdout);
    while (!stdin_ended()) step(200);
}

static int by_size(const void *one, const void *other) {
    double a = *(double *)one, b = *(double *)other;
    return (a > b) - (a < b);
}

static void probe(void) {
    own = qos = window = 1;
    make_clients(1);
    open_all(0, 1, "probe", 1);
    subscribe_all(0, 1);
    double *took = malloc(sizeof *took * 1000000);
    int trips = 0;
    printf("{\"open\": 1}\n");
    fflush(stdout);
    while (!stdin_ended() && trips < 1000000) {
        double begun = now();
        long d = delivered, a = acked;
        put_publish(&clients[0]);
        flush(&clients[0]);
        while ((delivered == d || acked == a) && now() < begun + 10) step(1000);
        if (delivered == d || acked == a) fail("no answer within 10 s");
        took[trips++] = now() - begun;
        double rest = every_ms / 1e3 - (now() - begun);
        if (rest > 0) usleep(rest * 1e6);
    }
    qsort(took, trips, sizeof *took, by_size);
    printf("{\"trips\": %d, \"median_ms\": %.3f, \"p99_ms\": %.3f, \"longest_ms\": %.3f}\n", trips,
           took[trips / 2] * 1e3, took[trips * 99 / 100] * 1e3, took[trips - 1] * 1e3);
}

static void storm(void) {
    double longest = 0;
    int storms = 0;
    make_clients(count);
    parallel = count;
    while (!stdin_ended()) {
        double begun = now();
        open_all(0, count, "storm", 1);
        if (now() - begun > longest) longest = now() - begun;
        storms++;
        while (now() < begun + every_ms / 1e3 && !stdin_ended()) step(50);
        for (int at = 0; at < count; at++) end(&clients[at]);
    }
    printf("{\"storms\": %d, \"longest_s\": %.3f}\n", storms, longest);
}

static void set(const char *word) {
    struct { const char *name; int *value; } known[] = {
        {"publishers", &publishers}, {"subscribers", &subscribers}, {"qos", &qos}, {"window", &window}, {"kept", &kept},
        {"own", &own}, {"paced", &paced}, {"parallel", &parallel}, {"count", &count}, {"every_ms", &every_ms},
        {"size", &size}, {"once", &once}, {0}};
    const char *equals = strchr(word, '=');
    for (int at = 0; equals && known[at].name; at++)
        if (strlen(known[at].name) == (size_t)(equals - word) && !strncmp(word, known[at].name, equals - word)) {
            *known[at].value = atoi(equals + 1);
            return;
        }
    if (equals && !strncmp(word, "seconds=", 8)) {
        seconds = atof(equals + 1);
        return;
    }
    fprintf(stderr, "load: what is %s?\n", word);
    exit(2);
}

int main(int words, char **word) {
    if (words < 7) return fprintf(stderr, "load PORT CA CERT KEY PID MODE name=value ...\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    port = atoi(word[1]);
    server = atoi(word[5]);
    for (int at = 7; at < words; at++) set(word[at]);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, word[2], NULL) != 1
        || SSL_CTX_use_certificate_chain_file(context, word[3]) != 1
        || SSL_CTX_use_PrivateKey_file(context, word[4], SSL_FILETYPE_PEM) != 1) fail("certificates");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *mode = word[6];
    if (!strcmp(mode, "run")) run();
    else if (!strcmp(mode, "connect")) connects();
    else if (!strcmp(mode, "idle")) idle();
    else if (!strcmp(mode, "probe")) probe();
    else if (!strcmp(mode, "storm")) storm();
    else return fprintf(stderr, "load: no mode %s\n", mode), 2;
    return 0;
}
