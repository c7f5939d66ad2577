/* One client of an MQTT server over mutual TLS, without waiting: what load.c and enrol.c have in common.

   Whoever includes it says in `packet` what a packet of the server means. One epoll serves all clients. */

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
    char name[128];
    snprintf(name, sizeof name, "%s%d", prefix, one->number);
    put_packet(&one->out, 0x10, 12 + strlen(name));
    put(&one->out, "\0\4MQTT\4", 7);
    unsigned char flags[3] = {clean ? 2 : 0, 1200 >> 8, 1200 & 255};
    put(&one->out, flags, 3);
    put_text(&one->out, name);
}

static void packet(client *one, int first, unsigned char *body, size_t length);

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

static int by_size(const void *one, const void *other) {
    double a = *(double *)one, b = *(double *)other;
    return (a > b) - (a < b);
}

/* As many files as may be, the server's CA, and the certificate that clients show. */
static void get_ready(const char *ca, const char *certificate, const char *key) {
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1
        || SSL_CTX_use_certificate_chain_file(context, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) fail("certificates");
    epoll = epoll_create1(EPOLL_CLOEXEC);
}
