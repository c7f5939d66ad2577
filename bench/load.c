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

#include "client.h"

#define WARM_S 0.4

static int publishers = 1, subscribers = 1, qos, window = 8, kept, own, paced, parallel = 16, count = 200, every_ms = 10;
static int size = 62, once;
static double seconds = 3;
static client *clients, **due;
static int dues;
static long delivered, acked;

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
    port = atoi(word[1]);
    server = atoi(word[5]);
    for (int at = 7; at < words; at++) set(word[at]);
    get_ready(word[2], word[3], word[4]);
    const char *mode = word[6];
    if (!strcmp(mode, "run")) run();
    else if (!strcmp(mode, "connect")) connects();
    else if (!strcmp(mode, "idle")) idle();
    else if (!strcmp(mode, "probe")) probe();
    else if (!strcmp(mode, "storm")) storm();
    else return fprintf(stderr, "load: no mode %s\n", mode), 2;
    return 0;
}
